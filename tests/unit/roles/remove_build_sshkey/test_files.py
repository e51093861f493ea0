# SPDX-License-Identifier: Apache-2.0
"""The files of a build's key on the executor."""
from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library
from tests.unit.roles.add_build_sshkey import line

files: Any = library('remove-build-sshkey', 'remove_build_sshkey')


class TestFiles(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.key, self.public = self.root / 'key', self.root / 'key.pub'

    def run_it(self, wanted: bool = True, dry: bool = False) -> dict[str, Any]:
        result: dict[str, Any] = files.provide(str(self.key), str(self.root), wanted, dry)
        return result

    def test_look_and_remove(self) -> None:
        self.key.write_text('private')
        self.public.write_text(line('build', 'comment') + '\n')
        known = line('build')
        self.assertEqual(self.run_it(wanted=False), {'changed': False, 'public_key': known})
        self.assertEqual(self.run_it(dry=True), {'changed': True, 'public_key': known})
        self.assertTrue(self.key.exists())
        self.assertEqual(self.run_it(), {'changed': True, 'public_key': known})
        self.assertEqual(list(self.root.iterdir()), [])
        self.assertEqual(self.run_it(), {'changed': False, 'public_key': ''})

    def test_the_bytes_are_gone_where_another_name_stays_open(self) -> None:
        self.key.write_text('private')
        with self.key.open() as still_open:
            self.run_it()
            self.assertNotIn('private', still_open.read())

    def test_links_go_and_what_they_lead_to_stays(self) -> None:
        outside = Path(tempfile.mkdtemp(dir=self.root)) / 'other'
        outside.write_text(line('other'))
        self.key.symlink_to(outside)
        self.public.symlink_to(outside)
        self.assertEqual(self.run_it(), {'changed': True, 'public_key': ''})
        self.assertFalse(self.key.is_symlink() or self.public.is_symlink())
        self.assertEqual(outside.read_text(), line('other'))
        self.key.hardlink_to(outside)
        self.run_it()
        self.assertEqual(outside.read_text(), line('other'))

    def test_what_is_no_public_key_is_not_told(self) -> None:
        for text in ('secret', 'two words here!', '-----BEGIN OPENSSH PRIVATE KEY-----\nabc', ''):
            self.public.write_text(text)
            with self.subTest(text):
                self.assertEqual(self.run_it(wanted=False)['public_key'], '')

    def test_outside_of_the_build(self) -> None:
        for path in ('/etc/ssh/key', f'{self.root}/../key', f'{self.root}-more/key'):
            with self.subTest(path), self.assertRaisesRegex(files.Refused, 'not inside of'):
                files.provide(path, str(self.root), True, False)
