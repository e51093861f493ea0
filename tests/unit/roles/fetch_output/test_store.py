# SPDX-License-Identifier: Apache-2.0
"""Where files from a node are laid down."""
from __future__ import annotations

import os
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import module_utils

store: Any = module_utils('fetch_output_store')


class TestParts(unittest.TestCase):
    def test_allowed(self) -> None:
        for path in ('a', 'a/b', '...', "it's $(x)", '-rf', '\udcff', 'ü'):
            with self.subTest(path=path):
                self.assertEqual(store.parts(path), path.split('/'))

    def test_refused(self) -> None:
        for path in ('', '/', '/etc/passwd', '..', 'a/../b', 'a/..', './a', 'a//b', 'a/', 'a\nb', 'a\0', '\x1b[2J',
                     'a\x7f', '/'.join(['x' * 200] * 6), '/'.join('x' * 251), '\ud800'):
            with self.subTest(path=path), self.assertRaises(store.Unsafe):
                store.parts(path)


class TestStore(unittest.TestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.root = self.base / 'logs'
        self.outside = self.base / 'logs-private'
        self.outside.mkdir()

    def open(self, shared_by: str = '') -> Any:
        opened = store.Store(str(self.root), shared_by=shared_by)
        self.addCleanup(opened.close)
        return opened

    def files(self) -> dict[str, str]:
        return {str(path.relative_to(self.root)): path.read_text() for path in self.root.rglob('*') if path.is_file()}

    def test_files_are_laid_down_and_changed_once(self) -> None:
        for _, changed in ((1, True), (2, False)):
            opened = self.open()
            opened.folder('empty')
            self.assertEqual(opened.file('a/b', iter((b'on', b'e')), 0o4755, 1.5), 'a/b')
            self.assertEqual(opened.changed, changed)
        self.assertEqual(self.files(), {'a/b': 'one'})
        self.assertTrue((self.root / 'empty').is_dir())
        status = (self.root / 'a/b').stat()
        self.assertEqual((status.st_mode & 0o7777, status.st_mtime), (0o755, 1.5))
        opened = self.open()
        opened.file('a/b', iter((b'two',)), 0o600, 2)
        self.assertEqual((self.files(), opened.changed), ({'a/b': 'two'}, True))

    def test_links_on_the_executor_lead_nowhere(self) -> None:
        self.root.mkdir()
        (self.root / 'way').symlink_to(self.outside)
        (self.root / 'file').symlink_to(self.outside / 'target')
        (self.outside / 'target').write_text('mine')
        opened = self.open()
        for path in ('way/x', 'way/deeper/x', 'file'):
            with self.subTest(path=path), self.assertRaisesRegex(store.Unsafe, 'on the executor'):
                opened.file(path, iter((b'theirs',)), 0o644, 1)
        with self.assertRaises(store.Unsafe):
            opened.folder('way/made')
        self.assertEqual(os.listdir(self.outside), ['target'])
        self.assertEqual((self.outside / 'target').read_text(), 'mine')

    def test_what_is_refused_is_read_to_its_end_and_leaves_nothing(self) -> None:
        opened = self.open()
        chunks = iter((b'1', b'2', b'3'))
        with self.assertRaises(store.Unsafe):
            opened.file('../x', chunks, 0o644, 1)
        self.assertEqual(list(chunks), [])
        for path, mtime in (('x' * 256, 1), ('t', 1e300)):
            with self.assertRaisesRegex(store.Unsafe, 'on the executor'):
                opened.file(path, iter((b'1',)), 0o644, mtime)
        self.assertEqual(os.listdir(self.root), [])

    def test_nodes_do_not_replace_each_others_files(self) -> None:
        for node, content, expected in (('one', b'1', 'a/x'), ('two', b'2', 'two/a/x'), ('three', b'1', 'a/x'),
                                        ('two', b'2+', 'two/a/x')):
            with self.subTest(node=node, content=content):
                self.assertEqual(self.open(node).file('a/x', iter((content,)), 0o644, 1), expected)
        self.assertEqual(self.files(), {'a/x': '1', 'two/a/x': '2+'})

    def test_the_name_of_a_node_leads_nowhere(self) -> None:
        with self.assertRaisesRegex(OSError, 'not a path below the folder'):
            store.Store(str(self.root), folder='..')
        self.open('one').file('x', iter((b'1',)), 0o644, 1)
        with self.assertRaisesRegex(store.Unsafe, 'not a path below the folder'):
            self.open('..').file('x', iter((b'2',)), 0o644, 1)
        self.assertEqual(sorted(os.listdir(self.base)), ['logs', 'logs-private'])
        self.assertEqual(self.files(), {'x': '1'})

    def test_a_file_where_a_folder_is(self) -> None:
        opened = self.open()
        opened.folder('a')
        with self.assertRaisesRegex(store.Unsafe, 'a is not a file'):
            opened.file('a', iter(()), 0o644, 1)
        opened.file('b', iter(()), 0o644, 1)
        with self.assertRaisesRegex(store.Unsafe, 'on the executor: b:'):
            opened.file('b/c', iter(()), 0o644, 1)
