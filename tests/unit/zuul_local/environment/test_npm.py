"""Programs of Node.js: locked, kept when whole, and npm's own words when they cannot be had."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from zuul_local.environment import npm
from zuul_local.environment.recipe import REQUIREMENTS
from zuul_local.errors import UserError
from zuul_local.process import ProcessError

LOCK = REQUIREMENTS / 'publish-npm'


class NpmTest(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.cache = Path(scratch.name) / 'npm'

    def test_what_was_fetched_is_kept(self) -> None:
        def fetch(argv: tuple[str, ...], **kwargs: object) -> None:
            folder = Path(argv[argv.index('--prefix') + 1])
            self.assertEqual(set(npm.FILES), {path.name for path in folder.iterdir()})
            (folder / 'node_modules').mkdir()

        with mock.patch.object(npm, 'run', side_effect=fetch) as run:
            found = [npm.ensure(LOCK, self.cache, Path('/venv/bin')) for _ in range(2)]
        self.assertEqual(1, run.call_count)
        self.assertEqual(found[0], found[1])
        self.assertTrue(found[0].is_dir())
        self.assertTrue(run.call_args.kwargs['env']['PATH'].startswith('/venv/bin:'))

    def test_a_registry_out_of_reach_is_told_with_its_own_words_and_nothing_is_kept(self) -> None:
        failed = ProcessError(('npm',), 1, '', 'npm error E404')
        with mock.patch.object(npm, 'run', side_effect=failed), self.assertRaisesRegex(UserError, ':\nnpm error E404'):
            npm.ensure(LOCK, self.cache, Path('/venv/bin'))
        self.assertEqual([], [path for path in self.cache.iterdir() if len(path.name) == 16])


class LockTest(unittest.TestCase):
    def test_every_package_has_a_digest_and_none_names_a_host(self) -> None:
        packages = json.loads((LOCK / 'package-lock.json').read_text())['packages']
        self.assertEqual(json.loads((LOCK / 'package.json').read_text())['dependencies'], packages['']['dependencies'])
        for name, package in packages.items():
            if name:
                self.assertRegex(package['integrity'], '^sha512-', name)
                self.assertNotIn('resolved', package, name)
