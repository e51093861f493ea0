#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Take a user's own rights out of the files below /etc/sudoers.d."""
from __future__ import annotations

DOCUMENTATION = r"""
module: revoke_sudo
short_description: Take a user's sudo rights away
description:
  - Removes every rule that names the user from the files of a folder; a file that then has no rule is removed.
  - Rules of groups and of other users stay.
options:
  user: {description: Name of the user., type: str, required: true}
  folder: {description: Folder with sudo's rules., type: path, default: /etc/sudoers.d}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Let nobody but root be root
  become: true
  revoke_sudo:
    user: zuul
"""
RETURN = r"""
files: {description: Files that were changed or removed., type: list, elements: str, returned: success}
"""

import os
import re
from typing import Any

# sudo itself reads no file whose name ends in ~ or has a dot
_IGNORED = re.compile(r'.*~|.*\..*')
_NO_RULE = re.compile(r'\Z|[#@]|Defaults|(User|Runas|Host|Cmnd|Cmd)_Alias\b')


def logical_lines(text: str) -> list[str]:
    """Lines as sudo sees them: those that end in a backslash go on."""
    return re.findall(r'(?:[^\n]*\\\n)*[^\n]*\n|(?:[^\n]*\\\n)*[^\n]+\Z', text)


def without(text: str, user: str) -> str | None:
    """Return *text* without the rules of *user*, or None where no rule is left.

    A rule that names others too loses only this name.
    """
    kept, rules = [], 0
    for line in logical_lines(text):
        bare = line.strip()
        if not _NO_RULE.match(bare):
            found = re.match(r'\s*((?:[^\s,=]+\s*,\s*)*[^\s,=]+)(?=\s)', line)
            names = re.split(r'\s*,\s*', found.group(1)) if found else []
            if user in names and found:
                names = [name for name in names if name != user]
                if not names:
                    continue
                line = ', '.join(names) + line[found.end(1):]
        if bare and (not bare.startswith('#') or bare.startswith('#include')):
            rules += 1
        kept.append(line)
    return ''.join(kept) if rules or text == ''.join(kept) else None


def revoke(user: str, folder: str, check_mode: bool) -> dict[str, Any]:
    """Change the files and return the task's result. Raises OSError."""
    changed = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        if _IGNORED.fullmatch(name) or not os.path.isfile(path):
            continue
        with open(path, encoding='utf-8', errors='surrogateescape') as stream:
            before = stream.read()
        after = without(before, user)
        if after == before:
            continue
        changed.append(path)
        if check_mode:
            continue
        if after is None:
            os.unlink(path)
            continue
        temporary = path + '.new~'   # a name that sudo does not read
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o440)
        with open(descriptor, 'w', encoding='utf-8', errors='surrogateescape') as stream:
            stream.write(after)
        os.replace(temporary, path)
    return {'changed': bool(changed), 'files': changed}


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'user': {'type': 'str', 'required': True},
            'folder': {'type': 'path', 'default': '/etc/sudoers.d'},
        },
        supports_check_mode=True)
    try:
        module.exit_json(**revoke(module.params['user'], module.params['folder'], module.check_mode))
    except OSError as error:
        module.fail_json(msg=f'revoke-sudo: cannot take the rights away: {error}')


if __name__ == '__main__':
    main()
