#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Find out whether a user may become root without a password, and take that right away."""
from __future__ import annotations

DOCUMENTATION = r"""
module: revoke_sudo
short_description: Take a user's sudo rights away
description:
  - Asks sudo what the user who runs the module may do without a password; or, as root, removes every rule that names
    a user from the files of a folder. A file that then has no rule is removed.
  - Rules of groups and of other users stay.
options:
  take: {description: Whether to remove rules instead of asking., type: bool, default: false}
  must_be_gone: {description: Fail when the user may still do something., type: bool, default: false}
  user: {description: Name of the user; by default whoever called sudo., type: str}
  folder: {description: Folder with sudo's rules., type: path, default: /etc/sudoers.d}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Let nobody but root be root
  become: true
  revoke_sudo:
    take: true
"""
RETURN = r"""
possible: {description: Whether the user may do something as root., type: bool, returned: when asked}
rules: {description: What sudo says that the user may do., type: str, returned: when asked}
files: {description: Files that were changed or removed., type: list, elements: str, returned: when taken}
"""

import os
import pwd
import re
import shutil
from typing import Any, Callable, List, Tuple

# sudo itself reads no file whose name ends in ~ or has a dot
_IGNORED = re.compile(r'.*~|.*\..*')
# a number behind # is a user
_NO_RULE = re.compile(r'\Z|#(?!\d)|@|Defaults|(User|Runas|Host|Cmnd|Cmd)_Alias\b')
Run = Callable[[List[str]], Tuple[int, str, str]]


def logical_lines(text: str) -> list[str]:
    """Lines as sudo sees them: those that end in a backslash go on."""
    return re.findall(r'(?:[^\n]*\\\n)*[^\n]*\n|(?:[^\n]*\\\n)*[^\n]+\Z', text)


def without(text: str, user: str, number: int = -1) -> str | None:
    """Return *text* without the rules of *user*, who has the *number*, or None where no rule is left.

    A rule that names others too loses only this name.
    """
    kept, rules = [], 0
    for line in logical_lines(text):
        bare = line.strip()
        if not _NO_RULE.match(bare):
            found = re.match(r'\s*((?:[^\s,=]+\s*,\s*)*[^\s,=]+)(?=\s)', line)
            names = re.split(r'\s*,\s*', found.group(1)) if found else []
            others = [name for name in names if name.strip('"') not in (user, f'#{number}')]
            if others != names and found:
                names = others
                if not names:
                    continue
                line = ', '.join(names) + line[found.end(1):]
        if bare and (not re.match(r'#(?!\d)', bare) or bare.startswith('#include')):
            rules += 1
        kept.append(line)
    return ''.join(kept) if rules or text == ''.join(kept) else None


def ask(run: Run) -> dict[str, Any]:
    """Ask sudo, as the user who is meant; return the task's result. Where there is no sudo nothing is possible."""
    if shutil.which('sudo') is None:
        return {'changed': False, 'possible': False, 'rules': ''}
    # a listing alone can be kept behind a password, a command alone can be one of those that are not allowed
    listed, rules, _ = run(['sudo', '-k', '-n', '-l'])
    became, _, _ = run(['sudo', '-k', '-n', 'true'])
    rules = rules[max(0, rules.find('User ')):].strip() if listed == 0 else ''
    return {'changed': False, 'possible': 0 in (listed, became), 'rules': rules or 'sudo true'}


def number_of(user: str) -> int:
    """The number of *user*, or -1."""
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return -1


def revoke(user: str, folder: str, check_mode: bool) -> dict[str, Any]:
    """Change the files and return the task's result. Raises OSError."""
    changed = []
    number = number_of(user)
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        if _IGNORED.fullmatch(name) or not os.path.isfile(path):
            continue
        with open(path, encoding='utf-8', errors='surrogateescape') as stream:
            before = stream.read()
        after = without(before, user, number)
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
            'take': {'type': 'bool', 'default': False},
            'must_be_gone': {'type': 'bool', 'default': False},
            'user': {'type': 'str'},
            'folder': {'type': 'path', 'default': '/etc/sudoers.d'},
        },
        supports_check_mode=True)
    own = pwd.getpwuid(os.getuid()).pw_name
    if module.params['take']:
        try:
            user = module.params['user'] or os.environ.get('SUDO_USER') or own
            module.exit_json(**revoke(user, module.params['folder'], module.check_mode))
        except OSError as error:
            module.fail_json(msg=f'revoke-sudo: cannot take the rights away: {error}')

    def run(argv: list[str]) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', '60', 'env', 'LC_ALL=C', *argv])
    result = ask(run)
    # a run that changes nothing has taken nothing
    if result['possible'] and module.params['must_be_gone'] and not module.check_mode:
        module.fail_json(**result, msg=(
            f'revoke-sudo: {own} may still become root without a password: by a rule for a group or for ALL, or one '
            f"outside of /etc/sudoers.d. Take it out of the node's image. sudo says:\n{result['rules']}"))
    module.exit_json(**result)


if __name__ == '__main__':
    main()
