"""Environments in the cache: who waits, what is complete, what is removed."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

from zuul_local.environment import cache


class CacheTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.stderr = io.StringIO()
        quiet = contextlib.redirect_stderr(self.stderr)
        quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)

    def test_surplus(self) -> None:
        a, b, c, d, e = (letter * 16 for letter in 'abcde')
        cases: tuple[tuple[dict[str, int], str, list[str]], ...] = (
            ({a: 1, b: 2, c: 3}, c, []),
            ({a: 1, b: 2, c: 3, d: 4}, d, [a]),
            ({a: 9, b: 2, c: 3, d: 4, e: 0}, e, [c, b]),
            ({a: 1, b: 2, c: 3, f'test-{d}': 4}, f'test-{d}', []),
            ({f'test-{a}': 1, f'test-{b}': 2, f'test-{c}': 3, f'test-{d}': 4, e: 0}, f'test-{d}', [f'test-{a}']),
            ({'not-ours': 0, a: 1, b: 2, c: 3}, c, []),
        )
        for used, newest, expected in cases:
            with self.subTest(newest=newest, used=used):
                self.assertEqual(expected, cache.surplus({name: float(at) for name, at in used.items()}, newest))

    def test_prune_spares_what_is_being_made(self) -> None:
        folders = [self.root / (letter * 16) for letter in 'abcde']
        for number, folder in enumerate(folders):
            folder.mkdir()
            (folder / 'used').touch()
            os.utime(folder / 'used', (number, number))
        with cache.alone(folders[0]):
            cache.prune(folders[-1])
        self.assertEqual([folder for folder in folders if folder != folders[1]], [f for f in folders if f.exists()])

    def test_complete(self) -> None:
        folder = self.root / 'a'
        (folder / 'bin').mkdir(parents=True)
        (folder / 'bin/python').symlink_to(sys.executable)
        self.assertFalse(cache.is_complete(folder, 'bin/python'))
        (folder / 'READY').touch()
        self.assertTrue(cache.is_complete(folder, 'bin/python'))
        (folder / 'bin/python').unlink()
        (folder / 'bin/python').symlink_to('/nonexistent/python3')
        self.assertFalse(cache.is_complete(folder, 'bin/python'))

    def test_the_second_waits_and_says_so(self) -> None:
        order = []
        folder = self.root / 'a'

        def second() -> None:
            with cache.alone(folder):
                order.append('second')

        with cache.alone(folder):
            thread = threading.Thread(target=second)
            thread.start()
            while 'waiting' not in self.stderr.getvalue():
                self.assertTrue(thread.is_alive())
            order.append('first')
        thread.join()
        self.assertEqual(['first', 'second'], order)

    def test_an_installer_holds_the_lock_when_its_starter_is_gone(self) -> None:
        folder = self.root / 'a'
        with cache.alone(folder) as held:
            installer = subprocess.Popen(('cat',), stdin=subprocess.PIPE, pass_fds=(held,))
        thread = threading.Thread(target=lambda: cache.alone(folder).__enter__())
        thread.start()
        thread.join(0.2)
        self.assertTrue(thread.is_alive())
        installer.communicate()
        thread.join(5)
        self.assertFalse(thread.is_alive())
