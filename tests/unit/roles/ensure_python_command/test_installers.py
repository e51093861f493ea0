# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import os
import tempfile
import unittest
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import module_utils

installers = module_utils('ensure_python_command_installers')
locks = module_utils('ensure_python_command_lock')
requests = module_utils('ensure_python_command_request')
REQUEST = requests.Request('tool', 'tool', '', '', '/x', ('cache',), 'auto', False, False, '/c', 60)


class TestUv(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.cache = self.root / 'cache'
        self.cache.mkdir()
        self.request = REQUEST._replace(wheel_cache=str(self.cache))

    def wheel(self, platform: str, member: str = 'uv-0.13.9.data/scripts/uv', program: str = 'uv') -> str:
        """Put a wheel of uv into the cache and return its hash."""
        path = self.cache / f'uv-0.13.9-py3-none-{platform}.whl'
        with zipfile.ZipFile(path, 'w') as wheel:
            wheel.writestr(member, program)
        return 'sha256:' + hashlib.sha256(path.read_bytes()).hexdigest()

    def unpack(self, *hashes: str) -> Any:
        def run(argv: list[str], timeout: int) -> tuple[int, str, str]:
            says = Path(argv[0]).read_text(encoding='utf-8')
            return (0, f'{says} 0.13.9\n', '') if says == 'uv' else (126, '', 'cannot execute binary file')
        return installers.unpack_uv(self.request, [locks.Pin('uv', '0.13.9', '', hashes, ())], str(self.root), run)

    def test_that_of_the_cache_is_unpacked_until_the_end(self) -> None:
        found = self.unpack(self.wheel('manylinux_2_17_x86_64'))
        self.assertEqual(str(found), 'uv 0.13.9')
        self.assertTrue(os.access(found.path, os.X_OK))
        installers.clear(str(self.root))
        self.assertEqual(os.listdir(self.root), ['cache'])

    def test_the_one_for_this_machine(self) -> None:
        hashes = self.wheel('linux_armv6l', program='other'), self.wheel('manylinux_2_17_x86_64')
        self.assertEqual(str(self.unpack(*hashes)), 'uv 0.13.9')

    def test_none_where_the_cache_has_none_that_will_do(self) -> None:
        self.assertIsNone(self.unpack('sha256:0'))
        self.wheel('any')
        self.assertIsNone(self.unpack('sha256:0'), 'other bytes than the lock says')
        self.assertIsNone(self.unpack(self.wheel('any', member='../../uv')), 'no program in it')
        self.assertIsNone(self.unpack(self.wheel('any', program='other')), 'does not run')
        self.request = self.request._replace(sources=('index',))
        self.assertIsNone(self.unpack(self.wheel('any')), 'the cache may not be used')

    def test_only_a_uv_that_runs_and_is_new_enough(self) -> None:
        for code, said, expected in ((0, 'uv 0.13.9 (x86_64)\n', '0.13.9'), (0, 'uv 0.4.30\n', ''), (1, '', ''),
                                     (0, 'uv\n', '')):
            with self.subTest(said=said), mock.patch.object(installers.os, 'access', lambda path, mode: True):
                found = installers.find_uv(lambda argv, timeout, code=code, said=said: (code, said, ''))
                self.assertEqual(found.version if found else '', expected)


class TestPip(unittest.TestCase):
    def test_pip_of_the_distribution_is_for_its_own_python_and_not_too_old(self) -> None:
        for prefix, version, expected in (('/usr', '23.0', '23.0'), ('/opt/python', '23.0', ''), ('/usr', '20.3.4',
                                                                                                  '')):
            there = {'/usr/share/python-wheels/pip-*.whl': [f'/usr/share/python-wheels/pip-{version}-py3-none-any.whl']}
            with self.subTest(prefix=prefix, version=version), \
                    mock.patch.object(installers.sys, 'base_prefix', prefix), \
                    mock.patch.object(installers.glob, 'glob', lambda pattern, there=there: there.get(pattern, [])):
                found = installers.find_pip(REQUEST, [])
                self.assertEqual(found.version if found else '', expected)


if __name__ == '__main__':
    unittest.main()
