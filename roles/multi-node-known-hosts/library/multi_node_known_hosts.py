#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Let every user of a node know the host keys of a build's nodes."""
from __future__ import annotations

DOCUMENTATION = r'''
module: multi_node_known_hosts
short_description: Write the host keys of nodes to the known hosts of the system
description:
  - The lines stand between two marks. All other lines stay. A link in the place of the file is not followed.
  - Each list has one entry a node, in the same order.
options:
  names: {description: What the job calls the nodes., type: list, elements: str, required: true}
  nodepool: {description: What Zuul says of them., type: list, elements: dict, required: true}
  hosts: {description: Where Ansible reaches them., type: list, elements: str, required: true}
  ports: {description: The ports of their ssh servers., type: list, elements: int, required: true}
  fqdns: {description: What they call themselves., type: list, elements: str, required: true}
  hostnames: {description: The same in short., type: list, elements: str, required: true}
  ed25519: {description: 'Their host keys of this kind, without its name.', type: list, elements: str, required: true}
  ecdsa: {description: 'Their host keys of this kind, without its name.', type: list, elements: str, required: true}
  rsa: {description: 'Their host keys of this kind, without its name.', type: list, elements: str, required: true}
  path: {description: The file., type: path, default: /etc/ssh/ssh_known_hosts}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Know a node
  become: true
  multi_node_known_hosts:
    names: [controller]
    nodepool: [{private_ipv4: 192.0.2.1}]
    hosts: [192.0.2.1]
    ports: [22]
    fqdns: [controller.example.org]
    hostnames: [controller]
    ed25519: ["{{ ansible_facts.ssh_host_key_ed25519_public }}"]
    ecdsa: ['']
    rsa: ['']
'''
RETURN = r'''
known: {description: The names by which each node is known., type: dict, returned: success}
'''

import base64
import binascii
import os
import re
import stat
import tempfile
from typing import Any, Dict, List, NamedTuple

from ansible.module_utils.basic import AnsibleModule

BEGIN = '# nodes of this build, written by multi-node-known-hosts'
END = '# end of the nodes of this build'
_BLOCK = re.compile('^{0}\n(?:(?!{0}).*\n)*?{1}\n'.format(re.escape(BEGIN), re.escape(END)), re.MULTILINE)
_ADDRESSES = ('private_ipv4', 'public_ipv4', 'public_ipv6', 'private_ipv6', 'interface_ip')
# a name in known_hosts must not be a pattern, a hash or a second field
_NAME = re.compile(r'[A-Za-z0-9_:][A-Za-z0-9_.:%-]*')
_KINDS = ('ed25519', 'ecdsa', 'rsa')
_LISTS = ('names', 'nodepool', 'hosts', 'ports', 'fqdns', 'hostnames', *_KINDS)


class Refused(Exception):
    """The keys cannot be written. The message has all reasons."""


class Node(NamedTuple):
    """What is known of a node.

    :ivar own: what it calls itself.
    """

    name: str
    given: List[str]
    own: List[str]
    port: int
    keys: List[str]


def nodes(params: Dict[str, Any]) -> List[Node]:
    """Return the nodes that the module's lists tell of."""
    found = []
    for name, nodepool, host, port, fqdn, hostname, *keys in zip(*(params[key] for key in _LISTS)):
        given = [name, host, *(str((nodepool or {}).get(key) or '') for key in _ADDRESSES)]
        found.append(Node(name, given, [fqdn, hostname], port or 22, [key for key in keys if key]))
    return found


def known_as(node: Node, others: List[Node]) -> List[str]:
    """Return the names of a node, in known_hosts' spelling. What it calls itself counts when no other has that name."""
    taken = {name for other in others for name in (*other.given, *other.own)}
    own = [name for name in node.own if name not in taken and not name.startswith('localhost')]
    names = dict.fromkeys(name for name in (*node.given, *own) if _NAME.fullmatch(name))
    return [name if node.port == 22 else '[%s]:%d' % (name, node.port) for name in names]


def kind_of(key: str) -> str:
    """Return the kind that a key says to be, '' when it is no key."""
    try:
        blob = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return ''
    kind = blob[4:4 + int.from_bytes(blob[:4], 'big')]
    return kind.decode('ascii', 'replace') if re.fullmatch(rb'[a-z0-9@.-]+', kind) and len(blob) > 4 + len(kind) else ''


def lines(wanted: List[Node]) -> Dict[str, List[str]]:
    """Return the lines for each node.

    :raises Refused: with the nodes whose keys are not known.
    """
    found = {node.name: ['%s %s %s' % (','.join(known_as(node, [other for other in wanted if other is not node])),
                                       kind_of(key), key) for key in node.keys if kind_of(key)]
             for node in wanted}
    wrong = ["node '%s': its facts have no host key. Gather them first, with ansible.builtin.setup." % name
             for name, keys in found.items() if not keys]
    if wrong:
        raise Refused('multi-node-known-hosts: cannot continue, %d problem%s:\n%s' % (
            len(wrong), '' if len(wrong) == 1 else 's', '\n'.join('  - ' + one for one in wrong)))
    return found


def with_block(text: str, wanted: List[str]) -> str:
    """Return *text* of a file of known hosts that ends in the lines *wanted*."""
    text = _BLOCK.sub('', text)
    return text + ('\n' if text and not text.endswith('\n') else '') + '\n'.join([BEGIN, *wanted, END]) + '\n'


def read(path: str) -> str:
    """Return what a file holds, nothing when there is none.

    :raises Refused: it is no regular file.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return ''
    except OSError as error:
        raise Refused("multi-node-known-hosts: '%s': %s. Links are not followed." % (path, error.strerror)) from error
    with open(handle, encoding='utf-8', errors='surrogateescape', newline='') as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Refused("multi-node-known-hosts: '%s' is no regular file." % path)
        return file.read()


def write(module: AnsibleModule, path: str, content: str) -> None:
    """Put *content* at *path* in one step."""
    new = not os.path.lexists(path)
    handle, temporary = tempfile.mkstemp(dir=module.tmpdir)
    with open(handle, 'w', encoding='utf-8', errors='surrogateescape', newline='') as file:
        file.write(content)
    module.atomic_move(temporary, path)
    if new:
        os.chmod(path, 0o644)


def main() -> None:
    """Run as a module."""
    elements = {'nodepool': 'dict', 'ports': 'int'}
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        **{key: {'type': 'list', 'elements': elements.get(key, 'str'), 'required': True} for key in _LISTS},
        'path': {'type': 'path', 'default': '/etc/ssh/ssh_known_hosts'},
    })
    path = module.params['path']
    try:
        wanted = lines(nodes(module.params))
        before = read(path)
        after = with_block(before, [line for node in wanted.values() for line in node])
        if after != before and not module.check_mode:
            write(module, path, after)
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=after != before,
                     known={name: told[0].split()[0].split(',') for name, told in wanted.items()})


if __name__ == '__main__':
    main()
