# SPDX-License-Identifier: Apache-2.0
"""Small systems in which pip has been."""
from __future__ import annotations

import os
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library

module: Any = library('cleanup-global-python', 'cleanup_global_python')
LOCAL, OWN = 'usr/local/lib/python3.11/dist-packages', 'usr/lib/python3/dist-packages'


class TestCleanup(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(os.path.realpath(tempfile.mkdtemp()))
        self.addCleanup(shutil.rmtree, self.root)
        patched = mock.patch.object(module.shutil, 'which', return_value=None)
        patched.start()
        self.addCleanup(patched.stop)
        self.put('var/lib/dpkg/info/base.list', '/.\n/usr\n')

    def put(self, name: str, text: str = '') -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')

    def install(self, name: str, site: str = LOCAL, needs: str = '', record: str = '', owned: bool = False) -> None:
        info = f'{name}-1.0.dist-info'
        files = [f'{name}/__init__.py', f'{info}/METADATA', f'{info}/RECORD', f'../../../bin/{name}']
        for file in files:
            self.put(os.path.normpath(f'{site}/{file}'))
        self.put(f'{site}/{name}/__pycache__/__init__.cpython-311.pyc')
        self.put(f'{site}/{info}/METADATA', f'Name: {name}\n{needs}\n\nRequires-Dist: not-a-header\n')
        self.put(f'{site}/{info}/RECORD', ''.join(f'{file},sha256=x,1\n' for file in files) + record)
        if owned:
            self.put(f'var/lib/dpkg/info/python3-{name}.list', f'/{site}/{info}\n')

    def run_it(self, *names: str, remove: bool = False, dry: bool = False) -> dict[str, Any]:
        report: dict[str, Any] = module.cleanup(names or ('pip', 'tox'), remove, str(self.root), dry)
        return report

    def all_files(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in (self.root / 'usr').rglob('*') if not path.is_dir())

    def test_only_told(self) -> None:
        self.install('pip')
        before = self.all_files()
        report = self.run_it()
        self.assertEqual([(one['name'], one['version'], one['commands']) for one in report['found']],
                         [('pip', '1.0', [str(self.root / 'usr/local/bin/pip')])])
        self.assertTrue(self.run_it(remove=True, dry=True)['removed'])
        self.assertEqual(self.all_files(), before)

    def test_removed_and_again(self) -> None:
        self.install('pip')
        self.install('other')
        self.put('usr/local/bin/mine')
        self.assertEqual(len(self.run_it(remove=True)['removed']), 5)
        self.assertFalse([name for name in self.all_files() if 'pip' in name])
        self.assertFalse((self.root / LOCAL / 'pip').exists())
        self.assertIn('usr/local/bin/mine', self.all_files())
        self.assertIn(f'{LOCAL}/other/__init__.py', self.all_files())
        self.assertEqual(self.run_it(remove=True)['removed'], [])

    def test_packages_are_left_alone(self) -> None:
        self.install('pip', OWN, owned=True)
        before = self.all_files()
        report = self.run_it(remove=True)
        self.assertEqual((report['found'], [one['name'] for one in report['packaged']]), ([], ['pip']))
        self.assertEqual(self.all_files(), before)

    def test_half_removed(self) -> None:
        self.install('pip')
        with mock.patch.object(module.os, 'rmdir', side_effect=KeyboardInterrupt), self.assertRaises(KeyboardInterrupt):
            self.run_it(remove=True)
        self.install('pip')
        real, count = os.unlink, 0

        def killed(path: str) -> None:
            nonlocal count
            count += 1
            if count > 2:
                raise KeyboardInterrupt
            real(path)

        with mock.patch.object(module.os, 'unlink', killed), self.assertRaises(KeyboardInterrupt):
            self.run_it(remove=True)
        self.assertTrue((self.root / LOCAL / 'pip-1.0.dist-info' / 'RECORD').exists())
        self.run_it(remove=True)
        self.assertFalse([name for name in self.all_files() if 'pip' in name])

    def test_refusals_leave_everything(self) -> None:
        cases: list[tuple[str, dict[str, Any], str]] = [
            ('needed', {'needs': 'Requires-Dist: tox (>=3)\nRequires-Dist: pip; extra == "x"'},
             'needed 1.0 in .* needs tox[.]'),
            ('pip', {'record': '../../../../../etc/passwd,,\n'}, "claims '.*/etc/passwd': not a place of its own"),
            ('pip', {'record': '../../../bin/owned,,\n'},
             "claims '.*/usr/local/bin/owned': a package of the system owns"),
            ('pip', {'record': 'linked/x,,\n'}, "claims '.*/linked/x': a link is on the way")]
        for name, setting, says in cases:
            with self.subTest(says=says):
                shutil.rmtree(self.root / 'usr', ignore_errors=True)
                self.put('etc/passwd')
                self.put('usr/local/bin/owned')
                self.put('var/lib/dpkg/info/owner.list', '/usr/local/bin/owned\n')
                self.install('tox')
                self.install(name, **setting)
                self.put(f'{LOCAL}/elsewhere/x')
                (self.root / LOCAL / 'linked').symlink_to('elsewhere')
                before = self.all_files()
                with self.assertRaisesRegex(module.Refused, f'nothing was removed, 1 problem:\n  - .*{says}'):
                    self.run_it(remove=True)
                self.assertEqual(self.all_files(), before)
                self.assertTrue((self.root / 'etc' / 'passwd').exists())

    def test_without_a_record(self) -> None:
        self.put(f'{LOCAL}/tox-1.0.egg-info/PKG-INFO')
        self.assertEqual([one['name'] for one in self.run_it()['found']], ['tox'])
        with self.assertRaisesRegex(module.Refused, 'has no RECORD'):
            self.run_it(remove=True)

    def test_a_system_without_packages(self) -> None:
        shutil.rmtree(self.root / 'var')
        with self.assertRaisesRegex(module.Refused, 'neither a database of dpkg nor rpm'):
            self.run_it()

    def test_input(self) -> None:
        for names, says in (((), 'is \\[\\]'), (('a/b', 'x\n'), r"2 problems:\n.*'a/b'.*\n.*'x\\n'")):
            with self.subTest(names=names), self.assertRaisesRegex(module.Refused, says):
                module.cleanup(names, True, str(self.root))
