# SPDX-License-Identifier: Apache-2.0
"""What the node's end does with git."""
from __future__ import annotations

import hashlib
import io
import os
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import module_utils

agent: Any = module_utils('prepare_workspace_git_agent')

A, B = 'a' * 40, 'b' * 40


class TestNames(unittest.TestCase):
    def test_bytes_survive_the_way_through_json(self) -> None:
        for name in (b'refs/heads/main', b'refs/heads/lat\xe9n', 'refs/heads/été'.encode(), b"refs/tags/it's-$(x)"):
            with self.subTest(name=name):
                listing = agent.parse_refs(A.encode() + b' ' + name + b'\n')
                self.assertEqual([agent.encode(one) for one in listing], [name])
                self.assertTrue(agent.dump(listing).endswith(b'\n'))
                self.assertEqual(agent.dump(listing).count(b'\n'), 1)

    def test_symbolic_references_leave_empty_lines(self) -> None:
        self.assertEqual(agent.parse_refs(b'\n' + A.encode() + b' refs/heads/a\n\n'), {'refs/heads/a': A})


    def test_git_that_says_something_else(self) -> None:
        for line in (b'garbage', b'warning: old git\n'):
            with self.subTest(line=line), self.assertRaisesRegex(agent.Broken, 'which is no reference'):
                agent.parse_refs(line)


class TestShallow(unittest.TestCase):
    def test_history_ends_where_it_is_told_to(self) -> None:
        with tempfile.TemporaryDirectory() as repo:
            shallow = Path(repo, '.git', 'shallow')
            shallow.parent.mkdir()
            for commits, changed in (([], False), ([B, A], True), ([A, B], False), ([A], True), ([], True)):
                with self.subTest(commits=commits):
                    self.assertEqual(agent.write_shallow(repo, commits), changed)
                    self.assertEqual(agent.read_shallow(repo), sorted(commits))
                    self.assertEqual(shallow.exists(), bool(commits))


class TestInside(unittest.TestCase):
    def test_below_the_workspace(self) -> None:
        self.assertEqual(agent.inside('/home/zuul', 'src/example.com/a'), '/home/zuul/src/example.com/a')
        self.assertEqual(agent.inside('/', 'src/a'), '/src/a')

    def test_elsewhere(self) -> None:
        for src_dir in ('../a', '/etc', '.', '', 'src/../../zuul-private', '..'):
            with self.subTest(src_dir=src_dir), self.assertRaisesRegex(agent.Broken, 'not a folder below'):
                agent.inside('/home/zuul', src_dir)


class TestReserve(unittest.TestCase):
    def test_sessions_of_a_node_with_two_names_wait_for_each_other(self) -> None:
        with tempfile.TemporaryDirectory() as root:
            lock = agent.reserve(root)
            request = agent.dump({'root': root, 'fresh': False, 'cache_root': '', 'projects': []})
            other = threading.Thread(target=agent.serve, args=(io.BytesIO(request), io.BytesIO()))
            other.start()
            other.join(0.3)
            self.assertTrue(other.is_alive())
            os.close(lock)
            other.join(10)
            self.assertFalse(other.is_alive())

    def test_folder_that_cannot_be_had(self) -> None:
        self.assertIsNone(agent.reserve('/dev/null/x'))


class TestRefChanges(unittest.TestCase):
    def test_cases(self) -> None:
        cases: list[tuple[dict[str, str], dict[str, str], bytes, bytes]] = [
            ({}, {}, b'', b''),
            ({'r/a': A}, {'r/a': A}, b'', b''),
            ({}, {'r/a': A}, b'', b'update r/a\0' + A.encode() + b'\0\0'),
            ({'r/a': A}, {'r/a': B}, b'', b'update r/a\0' + B.encode() + b'\0\0'),
            ({'r/a': A}, {}, b'delete r/a\0\0', b''),
            ({'r/a': A}, {'r/a/b': A}, b'delete r/a\0\0', b'update r/a/b\0' + A.encode() + b'\0\0'),
        ]
        for old, new, gone, come in cases:
            with self.subTest(old=old, new=new):
                self.assertEqual(agent.ref_changes(old, new), (gone, come))


class TestWantedHead(unittest.TestCase):
    def test_cases(self) -> None:
        refs = {'refs/heads/main': A, 'refs/tags/v1': A}
        for checkout, commit, expected in (('main', A, 'refs/heads/main'), ('main', B, None), ('v1', A, None),
                                           ('', A, None), ('gone', A, None)):
            with self.subTest(checkout=checkout, commit=commit):
                self.assertEqual(agent.wanted_head(checkout, commit, refs), expected)


class TestPackIsSound(unittest.TestCase):
    def test_cases(self) -> None:
        body = b'PACK' + bytes(100)
        good = body + hashlib.sha1(body).digest()
        cases = (('sound', good, True), ('one byte changed', b'p' + good[1:], False), ('cut', good[:-1], False),
                 ('longer', good + b'x', False), ('empty', b'', False), ('too short', b'x' * 5, False))
        with tempfile.TemporaryDirectory() as folder:
            for name, content, expected in cases:
                with self.subTest(name):
                    path = Path(folder, 'pack')
                    path.write_bytes(content)
                    self.assertEqual(agent.pack_is_sound(str(path)), expected)
