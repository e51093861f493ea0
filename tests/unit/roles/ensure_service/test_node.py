# SPDX-License-Identifier: Apache-2.0
"""What a node is asked, with tables of what it says."""
from __future__ import annotations

import os
import socket
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import module_utils

node: Any = module_utils('ensure_service_node')
TABLE = '''  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   107        0 5001 1 0 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5002 1 0 100 0 0 10 0
   2: 0100007F:1538 0100007F:A000 01 00000000:00000000 00:00000000 00000000   107        0 5003 1 0 100 0 0 10 0
'''


class TestPorts(unittest.TestCase):
    def test_sockets(self) -> None:
        self.assertEqual(list(node.sockets(TABLE, 5432)), [('5001', '127.0.0.1', 107)])
        self.assertEqual(list(node.sockets(TABLE, 22)), [('5002', '0.0.0.0', 0)])
        self.assertEqual(list(node.sockets(TABLE, 80)), [])

    def test_addresses(self) -> None:
        cases = [('0100007F', '127.0.0.1'), ('00000000000000000000000001000000', '::1'),
                 ('0000000000000000FFFF00000100007F', '::ffff:127.0.0.1')]
        for digits, wanted in cases:
            self.assertEqual(node.address_of(digits), wanted)

    def test_one_of_this_process(self) -> None:
        with socket.create_server(('127.0.0.1', 0)) as taken:
            found = node.listening(taken.getsockname()[1])
        self.assertEqual([(one.address, one.pid) for one in found], [('127.0.0.1', os.getpid())])
        self.assertEqual(found[0].user, node.user_name(os.geteuid()))


class TestFiles(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.here = Path(scratch.name)

    def test_write_replaces_in_one_step(self) -> None:
        path = self.here / 'new' / 'file.conf'
        node.write(str(path), 'a\n')
        node.write(str(path), 'b\n')
        self.assertEqual((node.read(str(path)), path.stat().st_mode & 0o777, os.listdir(path.parent)),
                         ('b\n', 0o644, ['file.conf']))
        self.assertEqual(node.read(str(self.here / 'none')), '')

    def test_tail(self) -> None:
        path = self.here / 'log'
        path.write_text(''.join(f'{number}\n' for number in range(100)))
        self.assertEqual(node.tail(str(path), 2), '98\n99')
        self.assertEqual(node.tail(str(self.here / 'none')), '')

    def test_free_of_a_folder_that_is_not_there_yet(self) -> None:
        self.assertGreater(node.free(str(self.here / 'a' / 'b')), 0)

    def test_copy_tree_leaves_nothing_when_it_fails(self) -> None:
        with self.assertRaisesRegex(node.Refused, 'cannot move the data from .*/none to .*/there: '):
            node.copy_tree(str(self.here / 'none'), str(self.here / 'there'))
        self.assertEqual(os.listdir(self.here), [])
        (self.here / 'data').mkdir()
        (self.here / 'there').mkdir()
        (self.here / 'there' / 'old').touch()
        (self.here / 'data' / 'new').touch()
        node.copy_tree(str(self.here / 'data'), str(self.here / 'there'))
        self.assertEqual(os.listdir(self.here / 'there'), ['new'])


class TestRun(unittest.TestCase):
    def test_answers(self) -> None:
        self.assertEqual(node.run(['cat'], 'ü\n'), node.Answer(0, 'ü\n', ''))
        self.assertEqual(node.run(['no-such-program']).words, 'no-such-program is not installed')
        self.assertEqual(node.run(['sleep', '9'], timeout=0.1).code, 124)
        self.assertEqual(node.run(['sh', '-c', 'exit 3']).words, 'exit code 3 and no word')
        self.assertEqual(node.run(['sh', '-c', 'echo out; echo err >&2']).words, 'err')

    def test_nothing_of_our_environment_goes_in(self) -> None:
        names = {line.partition('=')[0] for line in node.run(['env'], env={'PGPASSWORD': 'x'}).out.splitlines()}
        self.assertEqual(names - {'PWD', 'SHLVL', '_'}, {'PATH', 'LC_ALL', 'HOME', 'PGPASSWORD'})


class TestSystem(unittest.TestCase):
    def test_families(self) -> None:
        cases = [('ID=debian', 'Debian'), ('ID=ubuntu\nID_LIKE=debian', 'Debian'),
                 ('ID="rocky"\nID_LIKE="rhel centos fedora"', 'RedHat'),
                 ('ID="opensuse-leap"\nID_LIKE="suse opensuse"', 'Suse'), ('ID=arch', ''), ('', '')]
        for text, wanted in cases:
            self.assertEqual(node.family_of(node.pairs_of(text)), wanted, text)

    def test_until_is_over_in_time_and_asks_twice_at_least(self) -> None:
        self.assertEqual(list(node.until(0)), [0, 0.0])
        self.assertGreater(len(list(node.until(0.05, pause=0.01))), 2)
