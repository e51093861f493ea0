# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path

from tests.unit.roles import plugin

action = plugin('validate-host', 'action', 'validate_host')


class TestAnswers(unittest.TestCase):
    def test_file_names(self) -> None:
        for host in ('../../etc/passwd', 'a b', 'ü', '', '\x1b[31m', 'x' * 5000, '.', 'a\nb', '\ud800'):
            with self.subTest(host=host):
                name = action.file_name(host)
                self.assertRegex(name, r'\Azuul-info\.[A-Za-z0-9_.-]+\.txt\Z' if host else r'\Azuul-info\.\.txt\Z')
                self.assertLess(len(name), 160)
        self.assertEqual(action.file_name('ubuntu-jammy.1'), 'zuul-info.ubuntu-jammy.1.txt')
        self.assertNotEqual(action.file_name('a/b'), action.file_name('a:b'))

    def test_reports(self) -> None:
        self.assertEqual(action.report('n', {'sections': [['T', 'one\n\n'], ('U', 'two')]}),
                         'n\n=\n\nT\n-\none\n\nU\n-\ntwo\n')
        odd: list[dict[str, object]] = [
            {}, {'sections': None}, {'sections': 'abc'}, {'sections': [1, ['x'], {'a': 'b'}, []]}]
        for answer in odd:
            with self.subTest(answer=answer):
                self.assertEqual(action.report('n', answer), 'n\n=\n')
        told = action.report('n', {'sections': [['a\nb', '\x1b[2J\x9b\u202e\ud800<b>'], [['x'], {'y': 1}]]})
        self.assertIn('a b\n---\n', told)
        self.assertIn('<b>', told)
        self.assertNotRegex(told, '[\x1b\x9b\u202e\ud800]')
        told.encode('utf-8')
        self.assertLess(len(action.report('n', {'sections': [['T', 'x' * 10 ** 6]]})), 300000)

    def test_failures(self) -> None:
        for answer, expected in (
                ({}, 'validate-host: the node did not answer'),
                ({'msg': 'why', 'module_stderr': '', 'module_stdout': None}, 'why'),
                ({'msg': 'MODULE FAILURE', 'module_stderr': 'x' * 9000 + ' No space left\n', 'module_stdout': 'a\x1b'},
                 'MODULE FAILURE\n' + 'x' * 1986 + ' No space left\na\ufffd')):
            with self.subTest(answer=answer):
                self.assertEqual(action.failure(answer), expected)

    def test_refusals(self) -> None:
        none: list[dict[str, object]] = [{}, {'problems': []}, {'problems': 'no list'}, {'problems': None}]
        for answer in none:
            self.assertIsNone(action.refusal('n', answer))
        self.assertEqual(action.refusal('n\x1b', {'problems': ['a\nb', 1]}),
                         "validate-host: node 'n\N{REPLACEMENT CHARACTER}' does not suit, 2 problems:\n  - a b\n  - 1")


class TestWriting(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name, 'work')
        self.root.mkdir()
        self.elsewhere = Path(folder.name, 'elsewhere')
        self.elsewhere.mkdir()

    def write(self, folder: str, name: str = 'f') -> bool:
        return bool(action.write_below(str(self.root), folder, name, 'text'))

    def test_once_and_again(self) -> None:
        folder = self.root / 'logs' / 'info'
        self.assertTrue(self.write(f'{folder}/'))
        self.assertFalse(self.write(f'{self.root}/./logs//info'))
        self.assertEqual((folder / 'f').read_text(), 'text')
        self.assertEqual(os.listdir(folder), ['f'])
        self.assertEqual((folder / 'f').stat().st_mode & 0o777, 0o644 & ~self.umask())
        self.assertTrue(self.write(str(self.root)))

    def umask(self) -> int:
        mask = os.umask(0)
        os.umask(mask)
        return mask

    def test_places_outside(self) -> None:
        for folder in (f'{self.root}/../elsewhere', str(self.elsewhere), f'{self.root}-logs', 'logs', ''):
            with self.subTest(folder=folder), self.assertRaisesRegex(ValueError, 'not below'):
                self.write(folder)
        self.assertEqual(os.listdir(self.elsewhere), [])

    def test_links(self) -> None:
        (self.root / 'to').symlink_to(self.elsewhere)
        for folder in (f'{self.root}/to', f'{self.root}/to/deeper'):
            with self.subTest(folder=folder), self.assertRaises(OSError):
                self.write(folder)
        (self.elsewhere / 'target').write_text('stays')
        (self.root / 'f').symlink_to(self.elsewhere / 'target')
        self.assertFalse(self.write(str(self.root)))
        self.assertFalse((self.root / 'f').is_symlink())
        self.assertEqual((self.elsewhere / 'target').read_text(), 'stays')
        self.assertEqual(os.listdir(self.elsewhere), ['target'])

    def test_what_is_in_the_way(self) -> None:
        (self.root / 'f').mkdir()
        (self.root / 'file').touch()
        for folder in (str(self.root), f'{self.root}/file'):
            with self.subTest(folder=folder), self.assertRaises(OSError):
                self.write(folder)
        self.assertEqual(sorted(os.listdir(self.root)), ['f', 'file'])


if __name__ == '__main__':
    unittest.main()
