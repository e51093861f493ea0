#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Let a node's firewall pass everything."""
from __future__ import annotations

DOCUMENTATION = r'''
module: clear_firewall
short_description: Let a node's firewall pass everything
description:
  - Stops firewalld and ufw, empties the filter tables of iptables and ip6tables, and the chains of nftables that
    filter. Other tables stay, such as those that translate addresses and those that mark or change packets.
options: {}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Let everything pass
  become: true
  clear_firewall:
'''
RETURN = r'''
cleared: {description: 'What was in the way, and is not any more.', type: list, elements: str, returned: success}
'''

import json
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule

_SECONDS = '60'
_EMPTY = '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n'
# what holds the tables -> the kernel's list of those that there are; asking for one that is not there would make it
_IPTABLES = {'iptables': '', 'ip6tables': '', 'iptables-legacy': '/proc/net/ip_tables_names',
             'ip6tables-legacy': '/proc/net/ip6_tables_names'}
# The tables of iptables that mark and change packets have chains of the same type as those that filter.
_MARKING = tuple((family, table) for family in ('ip', 'ip6') for table in ('mangle', 'raw', 'security'))
Run = Callable[..., Tuple[int, str, str]]


class Refused(Exception):
    """A program failed. The message has what it said."""


def filter_table(saved: str) -> str:
    """Return of what iptables-save prints the table that filters, '' where it is not there."""
    return saved.partition('*filter\n')[2].partition('COMMIT\n')[0]


def is_open(table: str) -> bool:
    """Whether a table, as iptables-save prints it, passes everything: no rule, no chain of its own, no other policy."""
    lines = [line.split() for line in table.splitlines() if line[:1] in (':', '-')]
    return all(words[0] in (':INPUT', ':FORWARD', ':OUTPUT') and words[1] == 'ACCEPT' for words in lines)


def closed_chains(ruleset: Dict[str, Any]) -> List[Tuple[str, str, str]]:
    """Return (family, table, chain) of each chain of nftables that a packet meets and that may not let it pass."""
    entries = ruleset.get('nftables', [])
    ruled = {(one['rule']['family'], one['rule']['table'], one['rule']['chain']) for one in entries if 'rule' in one}
    chains = [one['chain'] for one in entries if 'chain' in one]
    return [key for chain in chains for key in [(chain['family'], chain['table'], chain['name'])]
            if chain.get('type') == 'filter' and key[:2] not in _MARKING
            and (chain.get('policy', 'accept') != 'accept' or key in ruled)]


def opening(chains: List[Tuple[str, str, str]]) -> str:
    """Return what nft must be told."""
    names = ['%s %s %s' % chain for chain in chains]
    return ''.join('flush chain %s\nchain %s { policy accept; }\n' % (name, name) for name in names)


def stop_services(run: Run, find: Callable[[str], Optional[str]], dry: bool) -> List[str]:
    """Stop what would bring rules back; return what ran."""
    found = []
    if run(['systemctl', 'is-active', '--quiet', 'firewalld'])[0] == 0:
        found.append('firewalld')
        if not dry:
            must(run, ['systemctl', 'stop', 'firewalld'])
    if find('ufw') and 'Status: active' in run(['ufw', 'status'])[1]:
        found.append('ufw')
        if not dry:
            must(run, ['ufw', '--force', 'disable'])
    return found


def must(run: Run, argv: List[str], **options: Any) -> str:
    """Return what a program prints.

    :raises Refused: it failed.
    """
    code, out, error = run(argv, **options)
    if code:
        raise Refused('clear-firewall: %s: exit code %d: %s' % (' '.join(argv), code, (error or out).strip()))
    return out


def has_tables(listing: str) -> bool:
    """Whether the kernel's list of tables *listing*, a path or nothing, has one that filters."""
    if not listing:
        return True
    try:
        with open(listing, encoding='ascii') as file:
            return 'filter' in file.read().split()
    except OSError:
        return False


def clear(run: Run, find: Callable[[str], Optional[str]], dry: bool) -> List[str]:
    """Do the module's work; return what was in the way.

    :raises Refused: a program failed.
    """
    found = stop_services(run, find, dry)
    for program, listing in _IPTABLES.items():
        if not find(program + '-save') or not has_tables(listing):
            continue
        # Not the one table: where the kernel has no IPv6, to ask for it fails, and nothing is in the way.
        if is_open(filter_table(must(run, [program + '-save']))):
            continue
        found.append(program)
        if not dry:
            must(run, [program + '-restore', '-w', '30'], data=_EMPTY)
    if find('nft'):
        chains = closed_chains(json.loads(must(run, ['nft', '-j', 'list', 'ruleset']) or '{}'))
        found += ['nftables %s %s %s' % chain for chain in chains]
        if chains and not dry:
            must(run, ['nft', '-f', '-'], data=opening(chains))
    return found


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)

    def run(argv: List[str], **options: Any) -> Tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', _SECONDS, *argv],
                                  environ_update={'LC_ALL': 'C'}, **options)
    try:
        found = clear(run, module.get_bin_path, module.check_mode)
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(found), cleared=found)


if __name__ == '__main__':
    main()
