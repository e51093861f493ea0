# SPDX-License-Identifier: Apache-2.0
"""Lines of the executor's known_hosts."""
from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library
from tests.unit.roles.add_build_sshkey import line

hosts: Any = library('add-sshkey', 'add_sshkey_known_hosts')

ONE, TWO = f'a.example,192.0.2.1 {line("a")}', f'[b.example]:2222 {line("b")}'


class TestLines(unittest.TestCase):
    def test_parsed(self) -> None:
        text = f'# comment\n\n{ONE}\n  @cert-authority  {TWO}\n|1|abc=|def= {line("c")}'
        self.assertEqual(hosts.parsed(text), [ONE, f'@cert-authority {TWO}', f'|1|abc=|def= {line("c")}'])
        self.assertEqual(hosts.parsed(''), [])

    def test_refused_without_a_word_of_it(self) -> None:
        for text in ('SECRET', 'a.example SECRET', 'a.example ssh-rsa SECRET', '@revoked a.example',
                     'a.example ssh-rsa ' + line('a').split()[1], '-----BEGIN OPENSSH PRIVATE KEY-----'):
            with self.subTest(text), self.assertRaisesRegex(
                    hosts.Refused, '1 problem with .*\n  - line 2 is none of known_hosts') as caught:
                hosts.parsed(f'{ONE}\n{text}')
            self.assertNotIn('SECRET', str(caught.exception))

    def test_with(self) -> None:
        for before, after in (('', f'{ONE}\n{TWO}\n'), (ONE, f'{ONE}\n{TWO}\n'), (f'{TWO}\n', f'{TWO}\n{ONE}\n'),
                              (f'{ONE}\n{TWO}\n', f'{ONE}\n{TWO}\n'), ('x\r\n', f'x\r\n{ONE}\n{TWO}\n')):
            with self.subTest(before):
                self.assertEqual(hosts.with_lines(before, [ONE, TWO, ONE]), after)

    def test_without(self) -> None:
        alone = f'a.example {line("c")}'
        text = f'# a.example\n{ONE}\n{alone}\n{TWO}\nx'
        for lines, name, after in (([ONE], 'a.example', f'# a.example\n{alone}\n{TWO}\nx'), ([], '', text),
                                   ([], 'a.example', f'# a.example\n{ONE}\n{TWO}\nx'), ([], 'example', text)):
            with self.subTest(lines=lines, name=name):
                self.assertEqual(hosts.without_lines(text, lines, name), after)


class TestFile(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.path = self.root / '.ssh/known_hosts'

    def test_there_and_back(self) -> None:
        self.assertEqual(hosts.read(str(self.path)), ('', 0o600))
        hosts.write(str(self.path), 'x\n', 0o640)
        self.assertEqual(hosts.read(str(self.path)), ('x\n', 0o640))
        self.assertEqual([path.name for path in self.path.parent.iterdir()], ['known_hosts'])

    def test_no_link_is_followed(self) -> None:
        (self.root / 'other').mkdir()
        (self.root / 'other/known_hosts').write_text('x')
        self.path.parent.symlink_to(self.root / 'other')
        with self.assertRaisesRegex(hosts.Refused, 'links are not followed'):
            hosts.read(str(self.path))
        self.path.parent.unlink()
        self.path.parent.mkdir()
        self.path.symlink_to(self.root / 'other/known_hosts')
        with self.assertRaisesRegex(hosts.Refused, 'Links are not followed'):
            hosts.read(str(self.path))
