# SPDX-License-Identifier: Apache-2.0
"""The node's half: files in ~/.ssh."""
from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

install: Any = library('add-build-sshkey', 'add_build_sshkey_install')

KEY = 'ssh-rsa AAAA zuul-build-sshkey'


class TestWithLine(unittest.TestCase):
    def test_cases(self) -> None:
        for before, after in (
                ('', f'{KEY}\n'),
                ('ssh-rsa B b\n', f'ssh-rsa B b\n{KEY}\n'),
                ('ssh-rsa B b', f'ssh-rsa B b\n{KEY}\n'),
                (f'{KEY}\n', f'{KEY}\n'),
                ('ssh-rsa AAAA other comment\n', 'ssh-rsa AAAA other comment\n'),
                ('no-pty ssh-rsa AAAA x\n', 'no-pty ssh-rsa AAAA x\n'),
                ('#ssh-rsa AAAA x\n', f'#ssh-rsa AAAA x\n{KEY}\n'),
                ('ssh-rsa AAAAB x\n', f'ssh-rsa AAAAB x\n{KEY}\n')):
            with self.subTest(before=before):
                self.assertEqual(install.with_line(before, KEY), after)


class TestInstall(unittest.TestCase):
    def setUp(self) -> None:
        root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, root)
        self.folder = root / '.ssh'

    def run_it(self, dry: bool = False) -> list[str]:
        written: list[str] = install.install(str(self.folder), 'SECRET\n', KEY, 'id_rsa', dry)
        return [Path(path).name for path in written]

    def test_from_nothing_and_once(self) -> None:
        self.assertEqual(self.run_it(), ['.ssh', 'id_rsa', 'id_rsa.pub', 'authorized_keys'])
        self.assertEqual(self.run_it(), [])
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        modes = {path.name: path.stat().st_mode & 0o777 for path in self.folder.iterdir()}
        self.assertEqual(modes, {'id_rsa': 0o600, 'id_rsa.pub': 0o644, 'authorized_keys': 0o600})

    def test_only_looking(self) -> None:
        self.assertEqual(len(self.run_it(dry=True)), 4)
        self.assertFalse(self.folder.exists())

    def test_other_keys_stay(self) -> None:
        self.folder.mkdir()
        (self.folder / 'authorized_keys').write_bytes(b'ssh-rsa B caf\xe9')
        self.run_it()
        self.assertEqual((self.folder / 'authorized_keys').read_bytes(), b'ssh-rsa B caf\xe9\n' + KEY.encode() + b'\n')

    def test_a_stale_key_and_a_loose_mode_are_set_right(self) -> None:
        self.run_it()
        (self.folder / 'id_rsa').write_text('stale')
        (self.folder / 'id_rsa.pub').chmod(0o666)
        self.assertEqual(self.run_it(), ['id_rsa', 'id_rsa.pub'])
