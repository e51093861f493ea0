# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from unittest import mock

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
                ('#4711 ALL=ALL\n', None), ('#4711, root ALL=ALL\n', 'root ALL=ALL\n'),
                ('#47110 ALL=ALL\n', '#47110 ALL=ALL\n'), ('"zuul" ALL=ALL\n', None),
                ('# 4711\n#4711 ALL=ALL\n', None),
                ('', '')):
            with self.subTest(before=before):
                self.assertEqual(sudo.without(before, 'zuul', 4711), after)


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


class TestAsk(unittest.TestCase):
    def test_answers(self) -> None:
        told = ('Matching Defaults entries for zuul on h:\n    x\n\n'
                'User zuul may run the following commands on h:\n    ALL\n')
        for listed, became, possible, rules in (
                ((0, told, ''), 0, True, 'User zuul may run the following commands on h:\n    ALL'),
                ((0, told, ''), 1, True, 'User zuul may run the following commands on h:\n    ALL'),
                ((1, '', 'sudo: a password is required'), 0, True, 'sudo true'),
                ((1, '', 'sudo: a password is required'), 1, False, 'sudo true')):
            with self.subTest(listed=listed, became=became), mock.patch(f'{sudo.__name__}.shutil.which', str):
                answers = [listed, (became, '', '')]
                result = sudo.ask(lambda argv, answers=answers: answers.pop(0))
                self.assertEqual((result['possible'], result['rules']), (possible, rules))

    def test_a_node_without_sudo(self) -> None:
        with mock.patch(f'{sudo.__name__}.shutil.which', lambda name: None):
            self.assertFalse(sudo.ask(lambda argv: (0, '', ''))['possible'])


if __name__ == '__main__':
    unittest.main()
