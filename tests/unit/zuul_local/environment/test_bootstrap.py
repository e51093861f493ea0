"""The bootstrap: what a verb needs, and how errors are told."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from zuul_local import environment
from zuul_local.environment import bootstrap, tools
from zuul_local.errors import UserError
from zuul_local.paths import LIBRARY


class WordsTest(unittest.TestCase):
    def test_label(self) -> None:
        cases: tuple[tuple[list[str], str], ...] = (
            ([], 'debian-bookworm'),
            (['run', 'tox', '--label', 'debian-trixie'], 'debian-trixie'),
            (['run', '--label=debian-trixie', 'tox'], 'debian-trixie'),
            (['run', 'tox', '--label'], 'debian-bookworm'),
            (['node', 'shell', '--', '--label', 'x'], 'debian-bookworm'),
        )
        for words, expected in cases:
            with self.subTest(words):
                self.assertEqual(expected, bootstrap.label_of(words))

    def test_needs_node(self) -> None:
        cases: tuple[tuple[list[str], bool], ...] = (
            (['run', 'tox'], True), (['list'], False), ([], False), (['--help'], False), (['test'], True),
            (['test', 'unit'], False), (['test', 'unit', 'functional'], True), (['node', 'build'], False),
        )
        for words, expected in cases:
            with self.subTest(words):
                self.assertEqual(expected, bootstrap.needs_node(words))

    def test_verbs_that_read_go_on_without_containers(self) -> None:
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.object(bootstrap.host, 'lacking', return_value=('podman',)), \
                mock.patch.object(bootstrap.host, 'provide', side_effect=UserError('lacks podman')):
            mark = Path(folder) / 'host/mark'
            bootstrap.provide_host(mark, ['list'], {})
            with self.assertRaises(UserError):
                bootstrap.provide_host(mark, ['run', 'tox'], {})
            self.assertFalse(mark.exists())

    def test_a_satisfied_host_is_remembered(self) -> None:
        satisfied = mock.patch.object(bootstrap.host, 'lacking', return_value=())
        with tempfile.TemporaryDirectory() as folder, satisfied:
            mark = Path(folder) / 'host/mark'
            bootstrap.provide_host(mark, ['run', 'tox'], {})
            self.assertTrue(mark.exists())

    def test_exit_codes(self) -> None:
        cases = ((None, 0, ''), (UserError('no', 'do this'), 2, 'do this'), (OSError(28, 'No space'), 2, 'No space'),
                 (KeyboardInterrupt(), 130, 'interrupted'))
        for error, code, told in cases:
            with self.subTest(repr(error)), contextlib.redirect_stderr(io.StringIO()) as stderr:
                self.assertEqual(code, bootstrap.reported(mock.Mock(side_effect=error)))
                self.assertIn(told, stderr.getvalue())


class CurrentTest(unittest.TestCase):
    def test_outside_the_script(self) -> None:
        with mock.patch.dict(os.environ):
            os.environ.pop('ZLOCAL_ENV', None)
            with self.assertRaises(UserError) as caught:
                environment.current()
        self.assertIn('./zuul-local', caught.exception.hint)

    def test_inside(self) -> None:
        for prefix, expected in (('null', None), ('"/opt/py"', Path('/opt/py'))):
            with self.subTest(prefix), tempfile.TemporaryDirectory() as root, \
                    mock.patch.dict(os.environ, {'ZLOCAL_ENV': root}):
                (Path(root) / 'READY').write_text('{"python": "/usr/bin/python3.11", "python_prefix": ' + prefix + '}')
                here = environment.Environment(Path(root), Path(root) / 'ansible', expected)
                self.assertEqual(here, environment.current())


class ToolsTest(unittest.TestCase):
    def test_key_follows_locks_and_python(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            lock = Path(folder) / 'a.txt'
            lock.write_text('a==1')
            first = tools.key((lock,), Path('/usr/bin/python3.11'))
            self.assertRegex(first, r'^[0-9a-f]{16}$')
            self.assertNotEqual(first, tools.key((lock,), Path('/usr/bin/python3.12')))
            lock.write_text('a==2')
            self.assertNotEqual(first, tools.key((lock,), Path('/usr/bin/python3.11')))


class ScriptTest(unittest.TestCase):
    """``zuul-local`` itself, with an environment whose Python prints what it is given."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.library = self.root / 'library with space'
        self.library.mkdir()
        for name in ('zuul-local', 'bindep.txt'):
            shutil.copy(LIBRARY / name, self.library)
        shutil.copytree(LIBRARY / 'requirements', self.library / 'requirements')
        (self.library / 'zuul_local').mkdir()
        for name in ('__init__.py', 'errors.py', 'paths.py', 'process.py'):
            shutil.copy(LIBRARY / 'zuul_local' / name, self.library / 'zuul_local')
        here = shutil.ignore_patterns('__pycache__')
        shutil.copytree(LIBRARY / 'zuul_local/environment', self.library / 'zuul_local/environment', ignore=here)
        self.programs = self.root / 'bin'
        self.programs.mkdir()
        for program in ('podman', 'bwrap', 'mmdebstrap', 'git', 'ssh', 'rsync'):
            (self.programs / program).write_text('')
            (self.programs / program).chmod(0o755)

    def start(self, *words: str, script: Path | None = None) -> subprocess.CompletedProcess[str]:
        env = {'HOME': str(self.root), 'PATH': f'{self.programs}:/usr/bin:/bin', 'PIP_INDEX_URL': 'http://127.0.0.1:1/s',
               'PYTHONDONTWRITEBYTECODE': '1'}
        return subprocess.run((str(script or self.library / 'zuul-local'), *words), env=env, cwd=self.root, check=False,
                              text=True, capture_output=True, timeout=30)

    def prepare(self) -> None:
        """Make the environment that the script will look for."""
        place = (self.library / 'zuul_local/environment/bootstrap.py')
        text = place.read_text()
        place.write_text('import sys\nprint(sys.argv[2], sys.argv[4])\nraise SystemExit(2)\n')
        folder, host = (Path(word) for word in self.start('list').stdout.split())
        place.write_text(text)
        python = folder / 'zuul/bin/python'
        python.parent.mkdir(parents=True)
        python.write_text('#!/bin/sh\nprintf "%s\\n" "$ZLOCAL_ENV" "$PYTHONPATH" "${ZLOCAL_NO_INSTALL:-}" "$@"\n')
        python.chmod(0o755)
        (folder / 'READY').touch()
        host.parent.mkdir()
        host.touch()
        self.folder = folder

    def test_a_complete_environment_is_entered(self) -> None:
        self.prepare()
        link = self.root / 'zl'
        link.symlink_to(self.library / 'zuul-local')
        done = self.start('run', 'a b', '--var', 'x=', script=link)
        words = ['-P', '-m', 'zuul_local', 'run', 'a b', '--var', 'x=']
        self.assertEqual([str(self.folder), str(self.library), '', *words], done.stdout.splitlines())
        self.assertEqual(('', 0), (done.stderr, done.returncode))
        self.assertTrue((self.folder / 'used').exists())

    def test_no_install_anywhere(self) -> None:
        self.prepare()
        cases = (
            (('--no-install', 'run', 'x'), '1', ['run', 'x']),
            (('run', 'x', '--no-install'), '1', ['run', 'x']),
            (('node', 'shell', 'x', '--', 'y', '--no-install'), '', ['node', 'shell', 'x', '--', 'y', '--no-install']),
        )
        for words, expected, rest in cases:
            with self.subTest(words):
                lines = self.start(*words).stdout.splitlines()
                self.assertEqual((expected, rest), (lines[2], lines[6:]))

    def test_another_lock_is_another_environment(self) -> None:
        self.prepare()
        with (self.library / 'requirements/zuul.txt').open('a') as lock:
            lock.write('# changed\n')
        done = self.start('list')
        self.assertEqual(2, done.returncode)
        self.assertIn('first start', done.stderr)
        self.assertIn('http://127.0.0.1:1/s/uv/', done.stderr)

    def test_what_a_killed_start_left_is_made_anew(self) -> None:
        self.prepare()
        (self.folder / 'READY').unlink()
        self.assertIn('first start', self.start('list').stderr)
        self.assertFalse((self.folder / 'zuul').exists())

    def test_no_home(self) -> None:
        done = subprocess.run((str(self.library / 'zuul-local'), 'list'), env={'PATH': '/usr/bin:/bin'}, check=False,
                              text=True, capture_output=True, timeout=30)
        self.assertEqual(2, done.returncode)
        self.assertIn('XDG_CACHE_HOME', done.stderr)

