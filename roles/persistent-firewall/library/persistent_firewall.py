#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Save the rules of iptables where the system loads them from when it starts."""
from __future__ import annotations

DOCUMENTATION = r'''
module: persistent_firewall
short_description: Save the rules of iptables where the system loads them from
description:
  - Writes all tables of iptables and ip6tables, without counters, and has the services start with the system.
options:
  ipv4: {description: The file for iptables., type: path, required: true}
  ipv6: {description: The file for ip6tables., type: path, required: true}
  services: {description: What loads them., type: list, elements: str, required: true}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Save the rules
  become: true
  persistent_firewall:
    ipv4: /etc/iptables/rules.v4
    ipv6: /etc/iptables/rules.v6
    services: [netfilter-persistent]
'''
RETURN = r'''
written: {description: Files that were written., type: list, elements: str, returned: success}
'''

import os
import re
import stat
import tempfile
from typing import Any, List, Tuple

from ansible.module_utils.basic import AnsibleModule

_SECONDS = '60'


class Refused(Exception):
    """The rules cannot be saved. The message has the reason."""


def rules(saved: str) -> str:
    """Return what iptables-save prints without what changes by itself: times and counters."""
    lines = [line for line in saved.splitlines() if line and not line.startswith('#')]
    return ''.join(re.sub(r'^(:.*) \[\d+:\d+\]$', r'\1 [0:0]', line) + '\n' for line in lines)


def read(path: str) -> str:
    """Return what a file holds, nothing when there is none.

    :raises Refused: it is no regular file.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return ''
    except OSError as error:
        raise Refused("persistent-firewall: '%s': %s. Links are not followed." % (path, error.strerror)) from error
    with open(handle, encoding='utf-8', errors='surrogateescape') as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Refused("persistent-firewall: '%s' is no regular file." % path)
        return file.read()


def write(module: AnsibleModule, path: str, content: str) -> None:
    """Put *content* at *path* in one step."""
    new = not os.path.lexists(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=module.tmpdir)
    with open(handle, 'w', encoding='utf-8', errors='surrogateescape') as file:
        file.write(content)
    module.atomic_move(temporary, path)
    if new:
        os.chmod(path, 0o600)


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'ipv4': {'type': 'path', 'required': True},
        'ipv6': {'type': 'path', 'required': True},
        'services': {'type': 'list', 'elements': 'str', 'required': True},
    })

    def run(argv: List[str], codes: Tuple[int, ...] = (0,)) -> Tuple[int, str]:
        code, out, error = module.run_command(['timeout', '--kill-after=5', _SECONDS, *argv],
                                              environ_update={'LC_ALL': 'C'})
        if code not in codes:
            raise Refused('persistent-firewall: %s: exit code %d: %s' % (' '.join(argv), code, (error or out).strip()))
        return code, out
    written: List[Any] = []
    try:
        for program, path in (('iptables-save', module.params['ipv4']), ('ip6tables-save', module.params['ipv6'])):
            wanted = rules(run([program])[1])
            if wanted != rules(read(path)):
                written.append(path)
                if not module.check_mode:
                    write(module, path, wanted)
        off = [name for name in module.params['services']
               if run(['systemctl', 'is-enabled', '--quiet', name], tuple(range(5)))[0]]
        if off and not module.check_mode:
            run(['systemctl', 'enable', '--quiet', *off])
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(written or off), written=written)


if __name__ == '__main__':
    main()
