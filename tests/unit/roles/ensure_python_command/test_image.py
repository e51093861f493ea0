# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock
from venv import EnvBuilder

from tests.unit.roles import module_utils

image = module_utils('ensure_python_command_image')
requests = module_utils('ensure_python_command_request')


class TestVersion(unittest.TestCase):
    def test_interpreters(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            for first, expected in ((b'#!/usr/bin/python3.11\n', '/usr/bin/python3.11'), (b'#! /opt/python -E\n',
                                                                                          '/opt/python'),
                                    (b'#!/bin/sh\n', None), (b'\x7fELF', None), (b'', None)):
                with self.subTest(first=first):
                    (root / 'tool').write_bytes(first)
                    self.assertEqual(image.interpreter_of(str(root / 'tool')), expected)
            (root / 'bin').mkdir()
            (root / 'pyvenv.cfg').touch()
            (root / 'bin' / 'tool').write_bytes(b'#!/bin/sh\n')
            self.assertEqual(image.interpreter_of(str(root / 'bin' / 'tool')), str(root / 'bin' / 'python'))

    def test_a_real_interpreter_is_asked(self) -> None:
        def run(argv: list[str], timeout: int) -> tuple[int, str, str]:
            import subprocess
            done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
            return done.returncode, done.stdout, done.stderr
        with tempfile.TemporaryDirectory() as folder:
            tool = Path(folder, 'tool')
            tool.write_text(f'#!{sys.executable}\n', encoding='utf-8')
            with self.assertRaisesRegex(requests.Refused, 'not an executable'):
                image.installed_version(str(tool), 'x', run)
            tool.chmod(0o755)
            with self.assertRaisesRegex(requests.Refused, 'does not run: no-such-project-anywhere is not there'):
                image.installed_version(str(tool), 'no-such-project-anywhere', run)
            tool.write_text('#!/bin/sh\necho "tool 1.2.3 (built today)"\n', encoding='utf-8')
            self.assertEqual(image.installed_version(str(tool), 'x', run), '1.2.3')

    def test_what_is_whole_without_another_process(self) -> None:
        def run(argv: list[str], timeout: int) -> tuple[int, str, str]:
            self.asked.append(argv)
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout)
            return done.returncode, done.stdout, done.stderr

        for same in (True, False):
            with self.subTest(same=same), tempfile.TemporaryDirectory() as folder, \
                    mock.patch.object(image.sys, 'executable', sys.executable if same else '/other/python'):
                venv = Path(folder, 'venv')
                EnvBuilder(symlinks=True).create(venv)
                packages = next(venv.glob('lib/python*/site-packages'))
                for name, needs in (('tool', 'Requires-Dist: part>=1\nRequires-Dist: extra; extra == "x"\n'),
                                    ('part', '')):
                    info = packages / f'{name}-1.5.dist-info'
                    info.mkdir()
                    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n{needs}',
                                                   encoding='utf-8')
                    (info / 'RECORD').write_text(f'{name}.py,,\n', encoding='utf-8')
                    (packages / f'{name}.py').touch()
                command = venv / 'bin' / 'tool'
                command.touch(mode=0o755)
                self.asked: list[list[str]] = []
                self.assertEqual(image.installed_version(str(command), 'tool', run), '1.5')
                self.assertEqual(len(self.asked), 0 if same else 1)
                (packages / 'part.py').unlink()
                with self.assertRaisesRegex(requests.Refused, r'^does not run: part lacks part\.py$'):
                    image.installed_version(str(command), 'tool', run)


if __name__ == '__main__':
    unittest.main()
