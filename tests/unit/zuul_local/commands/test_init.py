"""``zuul-local init`` in a project, from the command line on."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

from zuul_local import cli


class TestInit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='zuul-local-test-')
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def call(self, *words):
        """Return exit code, standard output and standard error."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(['init', '--project', str(self.folder), *words])
        return code, out.getvalue(), err.getvalue()

    def test_it_writes_once(self):
        (self.folder / 'tox.ini').write_text('[tox]\nenvlist = py311\n', encoding='utf-8')
        code, shown, _ = self.call('--dry-run')
        self.assertEqual(0, code)
        self.assertFalse((self.folder / '.zuul.yaml').exists())
        code, out, _ = self.call()
        self.assertEqual(0, code)
        self.assertEqual(shown, (self.folder / '.zuul.yaml').read_text(encoding='utf-8'))
        self.assertIn('  tox-py311: Python 3.11 is one of the environments of tox.ini.\n', out)
        self.assertIn('\n  zuul-local check\n  zuul-local run tox-py311\n', out)
        code, _, err = self.call()
        self.assertEqual(2, code)
        self.assertIn('.zuul.yaml is there already; nothing was written.\n  next: See what', err)
        self.assertEqual(shown, (self.folder / '.zuul.yaml').read_text(encoding='utf-8'))

    def test_other_places_of_a_configuration_count(self):
        (self.folder / 'tox.ini').write_text('[tox]\n', encoding='utf-8')
        (self.folder / 'zuul.d').mkdir()
        self.assertIn('zuul.d is there already', self.call()[2])

    def test_a_link_is_not_followed(self):
        (self.folder / 'tox.ini').write_text('[tox]\n', encoding='utf-8')
        (self.folder / '.zuul.yaml').symlink_to('elsewhere')
        code, _, err = self.call()
        self.assertEqual(2, code)
        self.assertIn('.zuul.yaml: cannot be written: File exists', err)
        self.assertFalse((self.folder / 'elsewhere').exists())

    def test_json(self):
        (self.folder / 'Makefile').write_text('test:\n\ttrue\n', encoding='utf-8')
        code, out, _ = self.call('--json')
        told = json.loads(out)
        self.assertEqual((0, True), (code, told['written']))
        self.assertEqual([{'kind': 'job', 'name': 'run-test-command',
                           'reason': 'Makefile has a target test.'}], told['chosen'])
        self.assertEqual(['zuul-local check', 'zuul-local run run-test-command'], told['next'])

    def test_what_cannot_be_read_or_says_nothing(self):
        self.assertIn('has none of the files that say how it is tested: tox.ini, ', self.call()[2])
        (self.folder / 'pyproject.toml').write_text('[', encoding='utf-8')
        self.assertIn('pyproject.toml: no TOML: ', self.call()[2])
        (self.folder / 'pyproject.toml').write_bytes(b'\xff')
        self.assertIn('pyproject.toml: cannot be read: ', self.call()[2])
        self.folder = self.folder / 'nowhere'
        self.assertIn('nowhere is no folder.', self.call()[2])
