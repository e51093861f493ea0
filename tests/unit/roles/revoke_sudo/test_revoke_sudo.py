# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from tests.unit.roles import library

sudo = library('revoke-sudo', 'revoke_sudo')


class TestWithout(unittest.TestCase):
    def test_rules(self) -> None:
        for before, after in (
                ('zuul ALL=(ALL) NOPASSWD:ALL\n', None),
                ('zuul ALL=(ALL) NOPASSWD:ALL', None),
                ('# ours\nzuul ALL=(ALL) NOPASSWD:ALL\n', None),
                ('zuul\tALL=(ALL) \\\n  NOPASSWD:ALL\n', None),
                ('zuul ALL=ALL\nroot ALL=ALL\n', 'root ALL=ALL\n'),
                ('root, zuul ALL=ALL\n', 'root ALL=ALL\n'),
                ('zuul,root,other ALL=ALL\n', 'root, other ALL=ALL\n'),
                ('Defaults:zuul !requiretty\nzuul ALL=ALL\n', 'Defaults:zuul !requiretty\n'),
                ('zuul2 ALL=ALL\n', 'zuul2 ALL=ALL\n'),
                ('%zuul ALL=ALL\n', '%zuul ALL=ALL\n'),
                ('root ALL=(zuul) ALL\n', 'root ALL=(zuul) ALL\n'),
                ('User_Alias CI = zuul\n', 'User_Alias CI = zuul\n'),
                ('#includedir /x\n', '#includedir /x\n'),
                ('', '')):
            with self.subTest(before=before):
                self.assertEqual(sudo.without(before, 'zuul'), after)


class TestRevoke(unittest.TestCase):
    def test_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            texts = {'zuul': 'zuul ALL=(ALL) NOPASSWD:ALL\n', '90-site': 'root ALL=ALL\nzuul ALL=ALL\n',
                     'README': '# nothing\n', 'kept.bak': 'zuul ALL=ALL\n'}
            for name, text in texts.items():
                Path(folder, name).write_text(text, encoding='utf-8')
            expected = {'changed': True, 'files': [f'{folder}/90-site', f'{folder}/zuul']}
            self.assertEqual(sudo.revoke('zuul', folder, True), expected)
            self.assertEqual({path.name: path.read_text(encoding='utf-8') for path in Path(folder).iterdir()}, texts)
            self.assertEqual(sudo.revoke('zuul', folder, False), expected)
            self.assertEqual({path.name: path.read_text(encoding='utf-8') for path in Path(folder).iterdir()},
                             {'90-site': 'root ALL=ALL\n', 'README': '# nothing\n', 'kept.bak': 'zuul ALL=ALL\n'})
            self.assertEqual(Path(folder, '90-site').stat().st_mode & 0o777, 0o440)
            self.assertFalse(sudo.revoke('zuul', folder, False)['changed'])
        self.assertEqual(sudo.revoke('zuul', folder, False), {'changed': False, 'files': []})


if __name__ == '__main__':
    unittest.main()
