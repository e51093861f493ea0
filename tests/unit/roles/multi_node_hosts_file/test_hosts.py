# SPDX-License-Identifier: Apache-2.0
"""Names and addresses in a hosts file."""
from __future__ import annotations

import re
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

hosts: Any = library('multi-node-hosts-file', 'multi_node_hosts_file')


class TestAddresses(unittest.TestCase):
    def test_of_one_node(self) -> None:
        for nodepool, host, address in (
                ({'private_ipv4': '192.0.2.1', 'public_ipv4': '198.51.100.1'}, '', '192.0.2.1'),
                ({'private_ipv4': None, 'public_ipv4': '198.51.100.1'}, '', '198.51.100.1'),
                ({'private_ipv4': '', 'public_ipv4': '', 'public_ipv6': '2001:DB8::1'}, '', '2001:db8::1'),
                ({'interface_ip': '192.0.2.9'}, '192.0.2.1', '192.0.2.9'), ({}, '192.0.2.1', '192.0.2.1'),
                ({}, 'a.example', None), ({'private_ipv4': '192.0.2.1 evil'}, '', None), ({}, '', None)):
            with self.subTest(nodepool=nodepool, host=host):
                self.assertEqual(hosts.address_of(nodepool, host), address)

    def test_all_problems_at_once(self) -> None:
        names = ['a', 'b c', 'd', 'e\n192.0.2.9 f', '#g', '']
        with self.assertRaises(hosts.Refused) as caught:
            hosts.addresses(names, [{'private_ipv4': '192.0.2.1'}] * 2 + [{}] * 4, [''] * 6)
        said = str(caught.exception)
        self.assertTrue(said.startswith('multi-node-hosts-file: cannot continue, 5 problems:\n'))
        self.assertIn("  - node 'b c': no name for a host.", said)
        self.assertIn("  - node 'd': neither nodepool nor ansible_host ('') has an address of it.", said)

    def test_names(self) -> None:
        names = ['a', 'a-b', 'a.b', 'a_b', '1']
        told = dict.fromkeys(names, '192.0.2.1')
        self.assertEqual(hosts.addresses(names, [{}] * 5, ['192.0.2.1'] * 5), told)


class TestBlock(unittest.TestCase):
    def test_cases(self) -> None:
        block = f'{hosts.BEGIN}\n192.0.2.1 a\n{hosts.END}\n'
        old = f'{hosts.BEGIN}\n192.0.2.7 a\n192.0.2.8 z\n{hosts.END}\n'
        for before, rest in (
                ('', ''), ('127.0.0.1 localhost\n', '127.0.0.1 localhost\n'), (f'{block}x', 'x'),
                (f'x\n{old}y\r\n', 'x\ny\r\n'),
                (f'{old}x\n{old}', 'x\n'), (f'{hosts.BEGIN}\nx\n', f'{hosts.BEGIN}\nx\n'),
                (f'x {hosts.BEGIN}\n{hosts.END}\n', f'x {hosts.BEGIN}\n{hosts.END}\n')):
            with self.subTest(before):
                after = hosts.with_block(before, {'a': '192.0.2.1'})
                self.assertEqual(after, block + rest)
                self.assertEqual(hosts.with_block(after, {'a': '192.0.2.1'}), after)


class TestRead(unittest.TestCase):
    def test_links_are_not_followed(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'hosts')
            self.assertEqual(hosts.read(str(path)), '')
            path.symlink_to('/etc/hosts')
            with self.assertRaisesRegex(hosts.Refused, re.escape('Links are not followed.')):
                hosts.read(str(path))
            path.unlink()
            path.write_bytes(b'x\r\n\xe9')
            self.assertEqual(hosts.read(str(path)), 'x\r\n\udce9')
