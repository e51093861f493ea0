# SPDX-License-Identifier: Apache-2.0
"""Nodes and their keys in a file of known hosts."""
from __future__ import annotations

import re
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library
from tests.unit.roles.add_build_sshkey import material

hosts: Any = library('multi-node-known-hosts', 'multi_node_known_hosts')


def node(name: str, port: int = 22, own: tuple[str, ...] = (), given: tuple[str, ...] = (), key: str = 'k') -> Any:
    return hosts.Node(name, [name, *given], list(own), port, [material(key)])


class TestNames(unittest.TestCase):
    def test_cases(self) -> None:
        a = node('a', own=('a.example', 'host'), given=('192.0.2.1', '2001:db8::1', ''))
        for one, others, names in (
                (a, [], ['a', '192.0.2.1', '2001:db8::1', 'a.example', 'host']),
                (a, [node('b', own=('b.example', 'host'))], ['a', '192.0.2.1', '2001:db8::1', 'a.example']),
                (a, [node('host')], ['a', '192.0.2.1', '2001:db8::1', 'a.example']),
                (node('a', own=('localhost', 'localhost.localdomain', 'a')), [], ['a']),
                (node('a', own=('*', 'x y', 'x,y', '!b', '|1|a', '-x', 'x\ny', '@revoked', '')), [], ['a']),
                (node('a', port=2222, given=('192.0.2.1',)), [], ['[a]:2222', '[192.0.2.1]:2222'])):
            with self.subTest(one=one):
                self.assertEqual(hosts.known_as(one, others), names)


class TestKind(unittest.TestCase):
    def test_cases(self) -> None:
        for key, kind in ((material('x', 'ssh-rsa'), 'ssh-rsa'), ('', ''),
                          (material('x', 'ecdsa-sha2-nistp256'), 'ecdsa-sha2-nistp256'), ('AAAA', ''),
                          ('not base64', ''), (material('x', 'ssh rsa'), ''),
                          (material('', 'ssh-rsa'), ''), (material('x') + '\n' + material('y'), '')):
            with self.subTest(key):
                self.assertEqual(hosts.kind_of(key), kind)


class TestLines(unittest.TestCase):
    def test_of_the_modules_lists(self) -> None:
        params = {'names': ['a', 'b'], 'nodepool': [{'private_ipv4': '192.0.2.1', 'public_ipv6': None}, None],
                  'hosts': ['192.0.2.1', '192.0.2.2'], 'ports': [22, 0],
                  'fqdns': ['', 'b.example'], 'hostnames': ['', 'b'],
                  'ed25519': [material('a'), material('b')], 'ecdsa': ['', ''], 'rsa': ['', material('b', 'ssh-rsa')]}
        self.assertEqual(hosts.lines(hosts.nodes(params)), {
            'a': [f'a,192.0.2.1 ssh-ed25519 {material("a")}'],
            'b': [f'b,192.0.2.2,b.example ssh-ed25519 {material("b")}',
                  f'b,192.0.2.2,b.example ssh-rsa {material("b", "ssh-rsa")}']})

    def test_a_node_without_keys(self) -> None:
        nodes = [node('a'), hosts.Node('b', ['b'], [], 22, []), hosts.Node('c', ['c'], [], 22, ['x\nevil ssh-rsa y'])]
        with self.assertRaisesRegex(
                hosts.Refused, "2 problems:\n  - node 'b': its facts have no host key.*\n  - node 'c'"):
            hosts.lines(nodes)


class TestBlock(unittest.TestCase):
    def test_cases(self) -> None:
        block = f'{hosts.BEGIN}\nx\n{hosts.END}\n'
        old = f'{hosts.BEGIN}\ny\nz\n{hosts.END}\n'
        for before, after in (('', block), ('a\n', f'a\n{block}'), ('a', f'a\n{block}'), (f'a\n{block}', f'a\n{block}'),
                              (f'{old}a\n{old}', f'a\n{block}'), (f'{hosts.BEGIN}\na', f'{hosts.BEGIN}\na\n{block}')):
            with self.subTest(before):
                self.assertEqual(hosts.with_block(before, ['x']), after)
                self.assertEqual(hosts.with_block(after, ['x']), after)


class TestRead(unittest.TestCase):
    def test_links_are_not_followed(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'known')
            self.assertEqual(hosts.read(str(path)), '')
            path.symlink_to('/etc/hosts')
            with self.assertRaisesRegex(hosts.Refused, re.escape('Links are not followed.')):
                hosts.read(str(path))
