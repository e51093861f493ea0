#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Let the executor's known_hosts have lines, or not have them."""
from __future__ import annotations

DOCUMENTATION = r'''
module: add_sshkey_known_hosts
short_description: Add lines to the executor's known_hosts, or remove them
description:
  - Runs on the executor. Other lines stay as they are. Links are never followed.
options:
  lines: {description: 'The lines, one below the other.', type: str, required: true}
  name: {description: A host that the lines are about., type: str, default: ''}
  state: {description: Whether they are there., type: str, default: present}
  role: {description: Whom messages come from., type: str, default: add-sshkey}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Know a host
  delegate_to: localhost
  add_sshkey_known_hosts:
    lines: "{{ ssh_key.ssh_known_hosts }}"
'''
RETURN = r'''
path: {description: The file., type: str, returned: success}
'''

import base64
import binascii
import os
import pwd
import stat
import tempfile
from typing import List, Tuple

from ansible.module_utils.basic import AnsibleModule


class Refused(Exception):
    """The lines are none of known_hosts, or the file is a link. The message has all reasons."""


def parsed(lines: str) -> List[str]:
    """Return the lines that tell a key.

    :raises Refused: with those that do not.
    """
    told = [(number, ' '.join(line.split())) for number, line in enumerate(lines.splitlines(), 1)
            if line.strip() and not line.lstrip().startswith('#')]
    # not shown: whoever mixed the members of a secret up may have put the private key here
    wrong = ['line %d is none of known_hosts: it must have hosts, the kind of a key and the key, as ssh-keyscan prints.'
             % number for number, line in told if not is_line(line)]
    if wrong:
        raise Refused('cannot continue, %d problem%s with ssh_key.ssh_known_hosts:\n%s' % (
            len(wrong), '' if len(wrong) == 1 else 's', '\n'.join('  - ' + one for one in wrong)))
    return [line for _, line in told]


def is_line(line: str) -> bool:
    """Whether *line* has hosts, the kind of a key, and a key of that kind."""
    words = line.split()
    words = words[1:] if words[0] in ('@cert-authority', '@revoked') else words
    if len(words) < 3:
        return False
    try:
        blob = base64.b64decode(words[2], validate=True)
    except (binascii.Error, ValueError):
        return False
    return blob[4:4 + int.from_bytes(blob[:4], 'big')] == words[1].encode()


def with_lines(text: str, lines: List[str]) -> str:
    """Return *text* with each of *lines* in it."""
    there = {' '.join(line.split()) for line in text.splitlines()}
    missing = [line for line in dict.fromkeys(lines) if line not in there]
    return text + ('\n' if missing and text and not text.endswith('\n') else '') + ''.join(
        line + '\n' for line in missing)


def without_lines(text: str, lines: List[str], name: str) -> str:
    """Return *text* without *lines*; where none are given, without the lines that are about the host *name* only."""
    def goes(line: str) -> bool:
        words = line.split()
        return ' '.join(words) in lines if lines else bool(name) and words[:1] in ([name], ['[%s]' % name])
    return ''.join(line for line in text.splitlines(keepends=True) if not goes(line))


def read(path: str) -> Tuple[str, int]:
    """Return content and mode of a file, those of a new one where there is none.

    :raises Refused: it is no regular file, or its folder is a link.
    """
    if os.path.islink(os.path.dirname(path)):
        raise Refused("'%s' is a link: links are not followed." % os.path.dirname(path))
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return '', 0o600
    except OSError as error:
        raise Refused("'%s': %s. Links are not followed." % (path, error.strerror)) from error
    with open(handle, encoding='utf-8', errors='surrogateescape', newline='') as file:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise Refused("'%s' is no regular file." % path)
        return file.read(), stat.S_IMODE(state.st_mode)


def write(path: str, content: str, mode: int) -> None:
    """Put *content* at *path* in one step."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    handle, new = tempfile.mkstemp(prefix='.known-', dir=os.path.dirname(path))
    try:
        with open(handle, 'w', encoding='utf-8', errors='surrogateescape', newline='') as file:
            os.fchmod(handle, mode)
            file.write(content)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'lines': {'type': 'str', 'required': True},
        'name': {'type': 'str', 'default': ''},
        'state': {'type': 'str', 'default': 'present', 'choices': ['present', 'absent']},
        'role': {'type': 'str', 'default': 'add-sshkey'},
    })
    # ssh looks there, whatever HOME says
    path = os.path.join(pwd.getpwuid(os.geteuid()).pw_dir, '.ssh', 'known_hosts')
    try:
        lines = parsed(module.params['lines'])
        before, mode = read(path)
        if module.params['state'] == 'present':
            after = with_lines(before, lines)
        else:
            after = without_lines(before, lines, module.params['name'])
        if after != before and not module.check_mode:
            write(path, after, mode)
    except (Refused, OSError) as error:
        module.fail_json(msg='%s: %s' % (module.params['role'], error))
    module.exit_json(changed=after != before, path=path)


if __name__ == '__main__':
    main()
