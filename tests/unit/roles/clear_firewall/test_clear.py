# SPDX-License-Identifier: Apache-2.0
"""What of a firewall is in the way, and in a network of its own that it is gone."""
from __future__ import annotations

import os
import shutil
import subprocess
import unittest
from typing import Any

from tests.unit.roles import library

firewall: Any = library('clear-firewall', 'clear_firewall')

TABLE = '# comment\n*filter\n:INPUT ACCEPT [1:2]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{}COMMIT\n'


class TestIsOpen(unittest.TestCase):
    def test_cases(self) -> None:
        for saved, expected in (
                ('', True), (TABLE.format(''), True), (TABLE.format('-A INPUT -j DROP\n'), False),
                (TABLE.format(':mine - [0:0]\n'), False), (TABLE.replace(':INPUT ACCEPT', ':INPUT DROP'), False)):
            with self.subTest(saved):
                self.assertEqual(firewall.is_open(saved), expected)


class TestFilterTable(unittest.TestCase):
    def test_cases(self) -> None:
        filtering = ':INPUT DROP [0:0]\n-A INPUT -j ACCEPT\n'
        other = '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j MARK\nCOMMIT\n'
        for saved, table in (('', ''), (other, ''), (f'{other}# x\n*filter\n{filtering}COMMIT\n{other}', filtering)):
            with self.subTest(saved):
                self.assertEqual(firewall.filter_table(saved), table)


class TestClosedChains(unittest.TestCase):
    def test_tables_that_only_mark_stay(self) -> None:
        for family, table, expected in (('ip', 'mangle', 0), ('ip6', 'raw', 0), ('ip', 'security', 0),
                                        ('ip', 'filter', 1), ('inet', 'mangle', 1)):
            with self.subTest(family=family, table=table):
                where = {'family': family, 'table': table}
                entries = [{'chain': {**where, 'name': 'in', 'type': 'filter', 'hook': 'input', 'policy': 'accept'}},
                           {'rule': {**where, 'chain': 'in', 'expr': [{'xt': {'type': 'target', 'name': 'MARK'}}]}}]
                self.assertEqual(len(firewall.closed_chains({'nftables': entries})), expected)

    def test_cases(self) -> None:
        def chain(name: str, **more: object) -> dict[str, object]:
            return {'chain': {'family': 'inet', 'table': 't', 'name': name, **more}}
        rule = {'rule': {'family': 'inet', 'table': 't', 'chain': 'in', 'expr': [{'drop': None}]}}
        base = {'type': 'filter', 'hook': 'input', 'prio': 0}
        for entries, expected in (
                ([], []), ([chain('in', **base, policy='accept')], []), ([chain('in', **base)], []),
                ([chain('in', **base, policy='drop')], [('inet', 't', 'in')]),
                ([chain('in', **base, policy='accept'), rule], [('inet', 't', 'in')]),
                ([chain('in'), rule], []), ([chain('in', type='nat', hook='output', policy='accept'), rule], [])):
            with self.subTest(entries=entries):
                self.assertEqual(firewall.closed_chains({'nftables': [{'metainfo': {}}, *entries]}), expected)

    def test_opening(self) -> None:
        self.assertEqual(firewall.opening([('inet', 't', 'in')]),
                         'flush chain inet t in\nchain inet t in { policy accept; }\n')


class TestKernel(unittest.TestCase):
    """The real programs, in a network that has nothing but this test."""

    def setUp(self) -> None:
        for program in ('unshare', 'nft', 'iptables', 'iptables-legacy'):
            if not shutil.which(program):
                self.skipTest(f'there is no {program} here')
        self.holder = subprocess.Popen(['unshare', '-n', 'cat'], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.addCleanup(self.holder.wait)
        self.addCleanup(self.holder.stdin.close)  # type: ignore[union-attr]
        own = os.readlink('/proc/self/ns/net')
        while self.holder.poll() is None and os.readlink(f'/proc/{self.holder.pid}/ns/net') == own:
            pass
        if self.holder.poll() is not None:
            self.skipTest('no network of its own can be had here')

    def run_there(self, argv: list[str], data: str | None = None) -> tuple[int, str, str]:
        there = ['nsenter', '-n', '-t', str(self.holder.pid), *argv]
        done = subprocess.run(there, input=data, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def find(self, name: str) -> str | None:
        return None if name == 'ufw' else shutil.which(name)

    def clear(self, dry: bool = False) -> list[str]:
        def run(argv: list[str], data: str | None = None) -> tuple[int, str, str]:
            # a service is of the whole machine, not of this network
            return (3, '', '') if argv[0] == 'systemctl' else self.run_there(argv, data)
        found: list[str] = firewall.clear(run, self.find, dry)
        return found

    def test_all_of_it_goes_and_once(self) -> None:
        for words in ('iptables -N mine', 'iptables -A INPUT -j DROP', 'iptables -A mine -j DROP',
                      'iptables -t nat -A POSTROUTING -j MASQUERADE',
                      'iptables -t mangle -A PREROUTING -j MARK --set-mark 7', 'ip6tables -P INPUT DROP'):
            self.assertEqual(self.run_there(words.split())[0], 0, words)
        rules = 'table inet t {\nchain in { type filter hook input priority 0; policy drop; tcp dport 22 accept; }\n' \
                'chain other { counter\n}\n}\n'
        self.assertEqual(self.run_there(['nft', '-f', '-'], rules), (0, '', ''))
        expected = ['iptables', 'ip6tables', 'nftables inet t in']
        self.assertEqual([one for one in self.clear(dry=True) if one in expected], expected)
        self.assertEqual([one for one in self.clear() if one in expected], expected)
        self.assertEqual(self.clear(), [])
        left = self.run_there(['nft', 'list', 'ruleset'])[1]
        self.assertNotIn('drop', left)
        self.assertIn('masquerade', left)
        self.assertIn('mark set 0x7', left)
        self.assertIn('chain other', left)

    def test_nothing_there(self) -> None:
        self.assertEqual(self.clear(), [])

    def test_a_kernel_without_ipv6(self) -> None:
        # What the older kind of iptables says there when it is asked for one table.
        def run(argv: list[str], data: str | None = None) -> tuple[int, str, str]:
            asked = argv[0] == 'ip6tables-save' and '-t' in argv
            return (1, '', 'Cannot initialize: Address family not supported by protocol') if asked else (
                int(argv[0] == 'systemctl'), '', '')
        self.assertEqual(firewall.clear(run, lambda name: None if name in ('ufw', 'nft') else name, False), [])

    def test_a_program_that_fails_is_told(self) -> None:
        with self.assertRaisesRegex(firewall.Refused, 'clear-firewall: false now: exit code 1'):
            firewall.must(self.run_there, ['false', 'now'])
