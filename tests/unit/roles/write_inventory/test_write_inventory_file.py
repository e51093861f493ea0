# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path

from tests.unit.roles import library

module = library('write-inventory', 'write_inventory_file')


class TestWriting(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, 'inventory.yaml')

    def test_once_and_again(self) -> None:
        self.assertFalse(module.is_there(str(self.path), b'x'))
        module.write(str(self.path), b'x')
        self.assertTrue(module.is_there(str(self.path), b'x'))
        self.assertFalse(module.is_there(str(self.path), b'y'))
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.path.chmod(0o644)
        self.assertFalse(module.is_there(str(self.path), b'x'))
        self.assertEqual(os.listdir(self.path.parent), [self.path.name])

    def test_what_is_in_the_way(self) -> None:
        target = self.path.with_name('target')
        target.write_text('stays')
        target.chmod(0o600)
        self.path.symlink_to(target)
        self.assertFalse(module.is_there(str(self.path), b'stays'))
        module.write(str(self.path), b'x')
        self.assertFalse(self.path.is_symlink())
        self.assertEqual(target.read_text(), 'stays')
        self.path.unlink()
        os.mkfifo(self.path)
        self.assertFalse(module.is_there(str(self.path), b''))
        self.path.unlink()
        self.path.mkdir()
        with self.assertRaises(OSError):
            module.write(str(self.path), b'x')
        self.assertEqual(sorted(os.listdir(self.path.parent)), ['inventory.yaml', 'target'])


if __name__ == '__main__':
    unittest.main()
