#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Let a node find the other nodes of a build by name."""
from __future__ import annotations

DOCUMENTATION = r'''
module: multi_node_hosts_file
short_description: Write the names and addresses of nodes to the hosts file
description:
  - The lines stand between two marks at the beginning of the file, because the first line with a name wins. All other
    lines stay. A link in the place of the file is not followed.
options:
  names: {description: The nodes' names., type: list, elements: str, required: true}
  nodepool: {description: What Zuul says of each., type: list, elements: dict, required: true}
  hosts: {description: Where Ansible reaches each., type: list, elements: str, required: true}
  path: {description: The file., type: path, default: /etc/hosts}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Write two names
  become: true
  multi_node_hosts_file:
    names: [controller, compute1]
    nodepool: [{private_ipv4: 192.0.2.1}, {private_ipv4: 192.0.2.2}]
    hosts: ['', '']
'''
RETURN = r'''
host_addresses: {description: Name and address of each node., type: dict, returned: success}
'''

import ipaddress
import os
import re
import stat
import tempfile
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule

BEGIN = '# nodes of this build, written by multi-node-hosts-file'
END = '# end of the nodes of this build'
_BLOCK = re.compile('^{0}\n(?:(?!{0}).*\n)*?{1}\n'.format(re.escape(BEGIN), re.escape(END)), re.MULTILINE)
_NAME = re.compile(r'[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?')


class Refused(Exception):
    """The names cannot be written. The message has all reasons."""


def address_of(nodepool: Dict[str, Any], host: str) -> Optional[str]:
    """Return where the other nodes reach a node, or None when nothing says so."""
    for value in (*(nodepool.get(key) for key in ('private_ipv4', 'public_ipv4', 'public_ipv6', 'interface_ip')), host):
        try:
            return str(ipaddress.ip_address(str(value or '')))
        except ValueError:
            continue
    return None


def addresses(names: List[str], nodepool: List[Dict[str, Any]], hosts: List[str]) -> Dict[str, str]:
    """Return name -> address.

    :raises Refused: with what cannot be written.
    """
    found, wrong = {}, []
    for name, told, host in zip(names, nodepool, hosts):
        address = address_of(told or {}, host)
        if not _NAME.fullmatch(name):
            wrong.append("node '%s': no name for a host. Use letters, digits, dots, hyphens and underscores." % name)
        elif address is None:
            wrong.append("node '%s': neither nodepool nor ansible_host ('%s') has an address of it." % (name, host))
        else:
            found[name] = address
    if wrong:
        raise Refused('multi-node-hosts-file: cannot continue, %d problem%s:\n%s' % (
            len(wrong), '' if len(wrong) == 1 else 's', '\n'.join('  - ' + one for one in wrong)))
    return found


def with_block(text: str, wanted: Dict[str, str]) -> str:
    """Return *text* of a hosts file that begins with lines for *wanted*."""
    lines = ''.join('%s %s\n' % (address, name) for name, address in wanted.items())
    return '%s\n%s%s\n' % (BEGIN, lines, END) + _BLOCK.sub('', text)


def read(path: str) -> str:
    """Return what a file holds, nothing when there is none.

    :raises Refused: it is no regular file.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return ''
    except OSError as error:
        raise Refused("multi-node-hosts-file: '%s': %s. Links are not followed." % (path, error.strerror)) from error
    with open(handle, encoding='utf-8', errors='surrogateescape', newline='') as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Refused("multi-node-hosts-file: '%s' is no regular file." % path)
        return file.read()


def write(module: AnsibleModule, path: str, content: str) -> None:
    """Put *content* at *path*, in one step unless the file is mounted, as it is in containers."""
    new = not os.path.lexists(path)
    handle, temporary = tempfile.mkstemp(dir=module.tmpdir)
    with open(handle, 'w', encoding='utf-8', errors='surrogateescape', newline='') as file:
        file.write(content)
    module.atomic_move(temporary, path, unsafe_writes=True)
    if new:
        os.chmod(path, 0o644)


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'names': {'type': 'list', 'elements': 'str', 'required': True},
        'nodepool': {'type': 'list', 'elements': 'dict', 'required': True},
        'hosts': {'type': 'list', 'elements': 'str', 'required': True},
        'path': {'type': 'path', 'default': '/etc/hosts'},
    })
    params = module.params
    try:
        wanted = addresses(params['names'], params['nodepool'], params['hosts'])
        before = read(params['path'])
        after = with_block(before, wanted)
        if after != before and not module.check_mode:
            write(module, params['path'], after)
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=after != before, host_addresses=wanted)


if __name__ == '__main__':
    main()
