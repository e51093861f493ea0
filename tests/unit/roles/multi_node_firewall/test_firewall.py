# SPDX-License-Identifier: Apache-2.0
"""Which addresses are let in, and how a firewall is told."""
from __future__ import annotations

import unittest
from typing import Any

from tests.unit.roles import library

firewall: Any = library('multi-node-firewall', 'multi_node_firewall')

POLICIES = '-P INPUT DROP\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n'
CHAIN = '-N multi-node-firewall\n'
JUMP = '-A INPUT -j multi-node-firewall\n'
RULE = '-A multi-node-firewall -s 192.0.2.1/32 -j ACCEPT\n'


class TestAddresses(unittest.TestCase):
    def test_each_once_and_by_its_kind(self) -> None:
        nodepool = [{'private_ipv4': '192.0.2.1', 'public_ipv4': '192.0.2.1', 'public_ipv6': '2001:DB8::1'}, None,
                    {'private_ipv4': None, 'public_ipv4': '198.51.100.1', 'interface_ip': '127.0.0.1'}]
        self.assertEqual(firewall.addresses(nodepool, ['192.0.2.1', '203.0.113.1', 'a.example -j ACCEPT']),
                         {4: ['192.0.2.1', '203.0.113.1', '198.51.100.1'], 6: ['2001:db8::1']})

    def test_an_address_of_one_link(self) -> None:
        self.assertEqual(firewall.addresses([{'public_ipv6': 'fe80::1%eth0'}], ['fe80::1']), {4: [], 6: ['fe80::1']})


class TestChange(unittest.TestCase):
    def test_nothing_to_do(self) -> None:
        for listing, wanted in (
                (POLICIES, []), (POLICIES + CHAIN + JUMP + '-A INPUT -j DROP\n' + RULE, ['192.0.2.1/32'])):
            with self.subTest(listing):
                self.assertEqual(firewall.change(listing, wanted), '')

    def test_orders(self) -> None:
        whole = '*filter\n:multi-node-firewall - [0:0]\n{}{}-I INPUT 1 -j multi-node-firewall\nCOMMIT\n'
        out = '-D INPUT -j multi-node-firewall\n'
        for listing, wanted, removals in (
                (POLICIES, ['192.0.2.1/32'], ''), (POLICIES + '-A INPUT -j DROP\n', ['192.0.2.1/32'], ''),
                (POLICIES + CHAIN + '-A INPUT -j DROP\n' + JUMP + RULE, ['192.0.2.1/32'], out),
                (POLICIES + CHAIN + JUMP + JUMP + RULE, ['192.0.2.1/32'], out * 2),
                (POLICIES + CHAIN + JUMP + RULE, ['192.0.2.2/32', '192.0.2.1/32'], out)):
            with self.subTest(listing):
                rules = ''.join(f'-A multi-node-firewall -s {address} -j ACCEPT\n' for address in wanted)
                self.assertEqual(firewall.change(listing, wanted), whole.format(rules, removals))


class TestStricter(unittest.TestCase):
    def test_cases(self) -> None:
        def chain(table: str, policy: str = 'accept', hook: str = 'input') -> dict[str, object]:
            return {'chain': {'family': 'inet' if table == 'own' else 'ip', 'table': table, 'name': 'in',
                              'type': 'filter', 'hook': hook, 'prio': 0, 'policy': policy}}
        drop = {'rule': {'family': 'inet', 'table': 'own', 'chain': 'x', 'expr': [{'counter': {}}, {'drop': None}]}}
        for entries, expected in (
                ([chain('filter', 'drop')], []), ([chain('own')], []), ([chain('own', 'drop')], ['inet own in']),
                ([chain('own'), drop], ['inet own in']), ([chain('own', 'drop', 'forward')], [])):
            with self.subTest(entries=entries):
                self.assertEqual(firewall.stricter({'nftables': entries}), expected)


class TestLetIn(unittest.TestCase):
    def setUp(self) -> None:
        self.orders: list[str] = []

    def run_there(self, argv: list[str], data: str = '') -> tuple[int, str, str]:
        """The programs of a node whose kernel has no IPv6."""
        if argv[0].startswith('ip6'):
            return 3, '', "can't initialize ip6tables table `filter': Address family not supported by protocol"
        self.orders += [data] if data else []
        return 0, POLICIES, ''

    def test_a_kernel_without_ipv6(self) -> None:
        found = {4: ['192.0.2.1'], 6: []}
        self.assertTrue(firewall.let_in(self.run_there, lambda name: name, found, True))
        self.assertEqual(self.orders, [])
        self.assertTrue(firewall.let_in(self.run_there, lambda name: name, found, False))
        self.assertEqual(len(self.orders), 1)

    def test_addresses_that_cannot_be_let_in_are_told(self) -> None:
        with self.assertRaisesRegex(firewall.Refused, 'multi-node-firewall: ip6tables -w 30 -S: exit code 3: can.t'):
            firewall.let_in(self.run_there, lambda name: name, {4: [], 6: ['2001:db8::1']}, False)


class TestCheck(unittest.TestCase):
    def test_firewalld(self) -> None:
        with self.assertRaisesRegex(firewall.Refused, r'besides iptables \(firewalld\).* the role clear-firewall'):
            firewall.check(lambda argv: (0, 'running', ''), lambda name: f'/usr/bin/{name}')

    def test_nothing_else(self) -> None:
        firewall.check(lambda argv: (0, '', ''), lambda name: None)
        firewall.check(lambda argv: (252 if argv[0] == 'firewall-cmd' else 0, '', ''), lambda name: name)
