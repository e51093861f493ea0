#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Let the nodes of a build through a node's firewall."""
from __future__ import annotations

DOCUMENTATION = r'''
module: multi_node_firewall
short_description: Let the nodes of a build through a node's firewall
description:
  - All that comes from these addresses is let in, before any other rule of iptables and ip6tables. The rules stand in a
    chain of their own, which is changed in one step.
options:
  nodepool: {description: What Zuul says of each node., type: list, elements: dict, required: true}
  hosts: {description: Where Ansible reaches each., type: list, elements: str, required: true}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Let two nodes in
  become: true
  multi_node_firewall:
    nodepool: [{private_ipv4: 192.0.2.1}, {private_ipv4: 192.0.2.2}]
    hosts: ['', '']
'''
RETURN = r'''
ipv4_addresses: {description: Addresses that are let in., type: list, elements: str, returned: success}
ipv6_addresses: {description: Addresses that are let in., type: list, elements: str, returned: success}
'''

import ipaddress
import json
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule

CHAIN = 'multi-node-firewall'
_JUMP = '-A INPUT -j ' + CHAIN
_SECONDS = '60'
_KEYS = ('private_ipv4', 'public_ipv4', 'public_ipv6', 'private_ipv6', 'interface_ip')
Run = Callable[..., Tuple[int, str, str]]


class Refused(Exception):
    """The firewall cannot be opened this way. The message has the reason."""


def addresses(nodepool: Sequence[Optional[Dict[str, Any]]], hosts: Sequence[str]) -> Dict[int, List[str]]:
    """Return the nodes' addresses, those of IPv4 under 4 and those of IPv6 under 6."""
    found: Dict[int, List[str]] = {4: [], 6: []}
    for told, host in zip(nodepool, hosts):
        for value in (*((told or {}).get(key) for key in _KEYS), host):
            try:
                # Which interface an address of one link belongs to is no part of a rule.
                address = ipaddress.ip_address(str(value or '').partition('%')[0])
            except ValueError:
                continue
            if not (address.is_loopback or address.is_unspecified or str(address) in found[address.version]):
                found[address.version].append(str(address))
    return found


def change(listing: str, wanted: Sequence[str]) -> str:
    """Return what iptables-restore must be told, '' when all is as it should be.

    :param listing: what ``iptables -S`` prints.
    :param wanted: addresses with their length, as in ``192.0.2.1/32``.
    """
    rules = ['-A %s -s %s -j ACCEPT' % (CHAIN, address) for address in wanted]
    lines = listing.splitlines()
    there = [line for line in lines if line.startswith('-A %s ' % CHAIN)]
    entered = [line for line in lines if line.startswith('-A INPUT ')]
    if there == rules and (not rules or (entered[:1] == [_JUMP] and entered.count(_JUMP) == 1)):
        return ''
    removals = [_JUMP.replace('-A', '-D', 1)] * entered.count(_JUMP)
    return '\n'.join(['*filter', ':%s - [0:0]' % CHAIN, *rules, *removals, '-I INPUT 1 -j ' + CHAIN, 'COMMIT', ''])


def stricter(ruleset: Dict[str, Any]) -> List[str]:
    """Return the chains of nftables, other than those of iptables, that may turn away what iptables lets in."""
    entries = ruleset.get('nftables', [])
    strict = {(one['rule']['family'], one['rule']['table']) for one in entries if 'rule' in one
              and any('drop' in part or 'reject' in part for part in one['rule'].get('expr', []))}
    chains = [one['chain'] for one in entries if 'chain' in one]
    return ['%s %s %s' % (chain['family'], chain['table'], chain['name']) for chain in chains
            if chain.get('type') == 'filter' and chain.get('hook') == 'input'
            and (chain['family'], chain['table']) not in (('ip', 'filter'), ('ip6', 'filter'))
            and (chain.get('policy') == 'drop' or (chain['family'], chain['table']) in strict)]


def must(run: Run, argv: List[str], **options: Any) -> str:
    """Return what a program prints.

    :raises Refused: it failed.
    """
    code, out, error = run(argv, **options)
    if code:
        raise Refused('multi-node-firewall: %s: exit code %d: %s' % (' '.join(argv), code, (error or out).strip()))
    return out


def check(run: Run, find: Callable[[str], Optional[str]]) -> None:
    """See that rules of iptables have an effect.

    :raises Refused: other rules come on top of them.
    """
    others = ['firewalld'] if find('firewall-cmd') and run(['firewall-cmd', '--state'])[0] == 0 else []
    if find('nft') and not others:
        others = stricter(json.loads(must(run, ['nft', '-j', 'list', 'ruleset']) or '{}'))
    if others:
        raise Refused('multi-node-firewall: this node has a firewall besides iptables (%s), which would still turn the '
                      'other nodes away. Open it yourself, or call the role clear-firewall before.' % ', '.join(others))


def let_in(run: Run, find: Callable[[str], Optional[str]], found: Dict[int, List[str]], dry: bool) -> bool:
    """Let the addresses *found* in; return whether that was a change.

    :raises Refused: a program failed.
    """
    changed = False
    for version, program, length in ((4, 'iptables', 32), (6, 'ip6tables', 128)):
        argv = [program, '-w', '30', '-S']
        # Without IPv6 in the kernel there may be the program, which fails, and nobody comes that way.
        if version == 6 and not found[6] and (not find(program) or run(argv)[0]):
            continue
        order = change(must(run, argv), ['%s/%d' % (address, length) for address in found[version]])
        if order and not dry:
            must(run, [program + '-restore', '-w', '30', '-n'], data=order)
        changed = changed or bool(order)
    return changed


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'nodepool': {'type': 'list', 'elements': 'dict', 'required': True},
        'hosts': {'type': 'list', 'elements': 'str', 'required': True},
    })

    def run(argv: List[str], **options: Any) -> Tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', _SECONDS, *argv],
                                  environ_update={'LC_ALL': 'C'}, **options)
    found = addresses(module.params['nodepool'], module.params['hosts'])
    try:
        check(run, module.get_bin_path)
        changed = let_in(run, module.get_bin_path, found, module.check_mode)
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, ipv4_addresses=found[4], ipv6_addresses=found[6])


if __name__ == '__main__':
    main()
