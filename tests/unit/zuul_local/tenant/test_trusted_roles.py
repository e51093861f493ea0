"""Copies of the library's roles in a config project."""

import errno
import io
import shutil
import unittest
from argparse import Namespace
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from zuul_local import paths
from zuul_local.commands.init import init
from zuul_local.errors import UserError
from zuul_local.tenant import trusted_roles


class TestTrustedRoles(unittest.TestCase):

    def setUp(self):
        scratch = TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder, self.library = Path(scratch.name, 'config'), Path(scratch.name, 'library')
        self.write(self.library, 'roles/one/tasks/main.yaml', '[]')
        self.write(self.library, 'roles/one/library/one.py', 'pass')
        self.write(self.library, 'roles/two/tasks/main.yaml', '[]')
        self.list('# why\none\n\ntwo  # this, too\n')

    def write(self, folder, name, text):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def list(self, text):
        self.write(self.folder, 'roles.list', text)

    def copy(self):
        return trusted_roles.copy(self.folder, self.library)

    def test_list(self):
        self.assertEqual(('one', 'two'), trusted_roles.listed(self.folder))
        self.assertEqual((), trusted_roles.listed(self.library))

    def test_not_a_name(self):
        for name in ('../one', 'one two', '-x', 'a/b'):
            self.list(f'one\n{name}\n')
            with self.assertRaisesRegex(UserError, r'roles.list:2: .* is not the name of a role'):
                trusted_roles.listed(self.folder)

    def test_copied_once(self):
        self.assertEqual(['one', 'two'], self.copy())
        self.assertEqual('pass', (self.folder / 'roles/one/library/one.py').read_text())
        self.assertEqual([], self.copy())

    def test_drift(self):
        self.copy()
        self.write(self.folder, 'roles/one/library/one.py', 'import os')
        self.write(self.folder, 'roles/two/tasks/more.yaml', '[]')
        self.assertEqual(['one', 'two'], trusted_roles.drifted(self.folder, self.library))
        self.assertEqual(['one', 'two'], self.copy())
        self.assertEqual('pass', (self.folder / 'roles/one/library/one.py').read_text())
        self.assertFalse((self.folder / 'roles/two/tasks/more.yaml').exists())
        self.assertEqual(['one', 'two'], sorted(path.name for path in (self.folder / 'roles').iterdir()))

    def test_what_python_leaves_is_no_drift(self):
        self.copy()
        self.write(self.library, 'roles/one/library/__pycache__/one.pyc', 'x')
        self.write(self.library, 'roles/one/library/two.pyc', 'x')
        self.assertEqual([], trusted_roles.drifted(self.folder, self.library))

    def test_no_such_role(self):
        self.list('one\nthree\n')
        self.assertEqual(['three'], trusted_roles.absent(self.folder, self.library))
        with self.assertRaisesRegex(UserError, 'the library has no role three'):
            self.copy()
        self.assertFalse((self.folder / 'roles').exists())


class TestInit(unittest.TestCase):

    def setUp(self):
        scratch = TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name, 'config-project')

    def init(self):
        said = io.StringIO()
        with redirect_stdout(said):
            self.assertEqual(0, init(Namespace(config_project=str(self.folder), json=False)))
        return said.getvalue()

    def test_made_then_brought_up_to_date(self):
        names = trusted_roles.listed(paths.LIBRARY / 'config-project')
        self.assertIn('is a config project now', self.init())
        self.assertTrue((self.folder / 'zuul.d/jobs.yaml').is_file())
        self.assertEqual(sorted(names), sorted(path.name for path in (self.folder / 'roles').iterdir()))
        self.assertIn(f'all {len(names)} roles of roles.list are those of the library', self.init())
        (self.folder / 'roles' / names[0] / 'README.rst').write_text('other')
        (self.folder / 'tenant.yaml').write_text('mine')
        self.assertIn(f'brought up to date: {names[0]}.', self.init())
        self.assertEqual('mine', (self.folder / 'tenant.yaml').read_text())

    def test_what_was_half_copied_is_not_taken_for_whole(self):
        real = shutil.copytree

        def full(source, target, *more, **options):
            real(source, target, *more, **options)
            raise OSError(errno.ENOSPC, 'No space left on device')
        with patch.object(shutil, 'copytree', full), self.assertRaisesRegex(UserError, 'cannot be written'):
            self.init()
        with self.assertRaisesRegex(UserError, 'already and no roles.list'):
            self.init()

    def test_something_else_is_there(self):
        self.folder.mkdir()
        (self.folder / 'tenant.yaml').write_text('mine')
        with self.assertRaisesRegex(UserError, 'holds tenant.yaml already'):
            self.init()
        self.assertEqual(['tenant.yaml'], [path.name for path in self.folder.iterdir()])
