# SPDX-License-Identifier: Apache-2.0
"""Following a program, and keeping the end of what it says."""
from __future__ import annotations

import gzip
import os
import shutil
import sys
import tempfile
import time
import unittest
import unittest.mock
from pathlib import Path
from typing import Any

from tests.unit.roles import ROLES, module_utils

stream: Any = module_utils('collect_journal_stream')


def say(text: str) -> list[str]:
    return [sys.executable, '-c', f'import sys, time, os, subprocess\n{text}']


class TestCopies(unittest.TestCase):
    def test_both_roles_carry_the_same(self) -> None:
        texts = {path.read_text() for path in ROLES.glob('*/module_utils/collect_*_stream.py')}
        self.assertEqual(len(texts), 1)
        self.assertEqual(len(list(ROLES.glob('*/module_utils/collect_*_stream.py'))), 2)


class TestFollow(unittest.TestCase):
    def follow(self, text: str, seconds: float = 20, together: bool = False) -> tuple[int, str, bytes]:
        out = bytearray()
        code, said = stream.follow(say(text), seconds, out.extend, together)
        return code, said, bytes(out)

    def test_output_and_errors(self) -> None:
        text = 'print("out", flush=True); print("err", file=sys.stderr); sys.exit(3)'
        self.assertEqual(self.follow(text), (3, 'err', b'out\n'))
        self.assertEqual(self.follow(text, together=True), (3, '', b'out\nerr\n'))

    def test_what_hangs_is_ended_with_its_children(self) -> None:
        cases = ('time.sleep(60)', 'os.close(1); time.sleep(60)', 'subprocess.Popen(["sleep", "60"])',
                 'while True: print("x" * 1000)')
        for text in cases:
            with self.subTest(text=text):
                begin = time.monotonic()
                with self.assertRaises(TimeoutError):
                    self.follow(text, 1)
                self.assertLess(time.monotonic() - begin, 4)

    def test_no_program(self) -> None:
        with self.assertRaises(FileNotFoundError):
            stream.follow(['/nonexistent'], 1, print)


class TestTail(unittest.TestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)

    def tail(self, limit: int, *pieces: bytes) -> Any:
        tail = stream.Tail(str(self.base), limit)
        self.addCleanup(tail.close)
        for piece in pieces:
            tail.write(piece)
        return tail

    def test_the_end_is_kept(self) -> None:
        cases: tuple[tuple[tuple[bytes, ...], int, bytes], ...] = (
            ((), 0, b''), ((b'12345678',), 0, b'12345678'), ((b'1234567890',), 4, b'567890'),
            ((b'12', b'34', b'56', b'78', b'9'), 4, b'56789'), ((b'1',) * 10, 4, b'1' * 6))
        for pieces, lost, kept in cases:
            with self.subTest(pieces=pieces):
                tail = self.tail(8, *pieces)
                self.assertEqual((tail.lost, len(tail)), (lost, len(kept)))
                tail.keep('log')
                begin = b'[the %d bytes before this are left out]\n' % lost if lost else b''
                self.assertEqual((self.base / 'log').read_bytes(), begin + kept)
        self.assertEqual(os.listdir(self.base), ['log'])

    def test_the_same_is_no_change(self) -> None:
        for packed in (False, True):
            with self.subTest(packed=packed):
                self.assertTrue(self.tail(10, b'1').keep('log', packed))
                self.assertFalse(self.tail(10, b'1').keep('log', packed))
                self.assertTrue(self.tail(10, b'2').keep('log', packed))
        self.assertEqual(gzip.decompress((self.base / 'log').read_bytes()), b'2')
        self.assertEqual((self.base / 'log').stat().st_mode & 0o777, 0o644)

    def test_a_link_is_replaced_and_not_followed(self) -> None:
        (self.base / 'mine').write_text('mine')
        (self.base / 'log').symlink_to('mine')
        self.assertTrue(self.tail(10, b'mine').keep('log'))
        self.assertFalse((self.base / 'log').is_symlink())
        (self.base / 'folder').mkdir()
        with self.assertRaises(OSError):
            self.tail(10, b'x').keep('folder')
        self.assertEqual(sorted(os.listdir(self.base)), ['folder', 'log', 'mine'])


class TestFolder(unittest.TestCase):
    def test_it_is_made_and_is_no_link(self) -> None:
        with tempfile.TemporaryDirectory() as base:
            os.chmod(base, 0o755)
            stream.make_folder(f'{base}/a/b')
            stream.make_folder(f'{base}/a/b')
            self.assertTrue(os.path.isdir(f'{base}/a/b'))
            os.symlink('a', f'{base}/link')
            with self.assertRaisesRegex(OSError, 'link is a link'):
                stream.make_folder(f'{base}/link')
            if os.geteuid() == 0:
                os.chown(f'{base}/a', 65534, 65534)
                stream.make_folder(f'{base}/a/c/d')
                self.assertEqual(os.stat(f'{base}/a/c/d').st_uid, 65534)


class TestRoot(unittest.TestCase):
    def test_the_time_is_kept_by_root(self) -> None:
        with unittest.mock.patch.object(stream.os, 'geteuid', return_value=1000):
            self.assertEqual(stream.as_root(['x', '-y'], 7.9), [
                'sudo', '-n', '--', 'env', 'LC_ALL=C', 'SYSTEMD_COLORS=0', 'SYSTEMD_LOG_COLOR=0', 'SYSTEMD_PAGER=',
                'TERM=dumb', 'timeout', '-s', 'KILL', '8', 'x', '-y'])
        with unittest.mock.patch.object(stream.os, 'geteuid', return_value=0):
            self.assertEqual(stream.as_root(('x', '-y'), 7.9), ['x', '-y'])
            self.assertTrue(stream.may_be_root())

    def test_printable(self) -> None:
        self.assertEqual(stream.printable('a\x1b\n\udcffü'), 'a\\x1b\\n\\udcffü')
