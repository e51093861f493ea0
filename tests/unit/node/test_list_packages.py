"""Packages that the lists of projects name, asked of a bindep that says what it was given."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.unit.node import program
from tests.unit.node.test_fetch_repositories import git
from zuul_local.nodes.image import RECIPE

listed = program('recipe/list-packages')
BINDEP = '''#!/bin/sh
# as bindep -f LIST --profiles, and bindep -f LIST -b PROFILE...
grep -q broken "$2" && exit 2
if [ "$3" = --profiles ]; then
    printf 'Platform profiles:\\nplatform:debian\\n\\nConfiguration profiles:\\ncompile\\ntest\\n'
else
    cat "$2"; shift 3; echo "asked-for-$1-$2"; exit 1
fi
'''


class Packages(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.bindep = self.scratch / 'bindep'
        self.bindep.write_text(BINDEP)
        self.bindep.chmod(0o755)
        self.top = self.scratch / 'git'
        self.top.mkdir()

    def project(self, name: str, **files: str) -> Path:
        folder = self.top / name
        folder.mkdir(parents=True)
        git(folder, 'init', '-q')
        git(folder, 'commit', '-q', '--allow-empty', '-m', 'one')
        for file, text in files.items():
            (folder / f'{file.replace("_", "-")}.txt').write_text(f'{text}\n')
            git(folder, 'add', '.')
            git(folder, 'commit', '-q', '-m', file)
        return folder

    def packages(self, *lists: Path) -> tuple[list[str], str]:
        path = RECIPE / 'recipe/list-packages'
        done = subprocess.run([sys.executable, path, self.bindep, self.top, *lists], check=True,
                              capture_output=True, text=True)
        return done.stdout.split(), done.stderr

    def test_every_profile_of_every_list_each_package_once(self) -> None:
        self.project('example.org/both', bindep='both', other_requirements='never')
        self.project('example.org/old', other_requirements='old')
        self.project('example.org/none')
        changed = self.project('example.org/changed', bindep='committed')
        (changed / 'bindep.txt').write_text('uncommitted\n')
        git(self.top, 'clone', '-q', '--bare', 'example.org/old', 'example.org/bare')
        fallback = self.scratch / 'fallback.txt'
        fallback.write_text('fallback\nold\n')
        names, _ = self.packages(fallback)
        self.assertEqual(['asked-for-compile-test', 'both', 'committed', 'fallback', 'old'], sorted(names))

    def test_a_list_that_cannot_be_read_does_not_lose_the_others(self) -> None:
        self.project('example.org/a', bindep='broken')
        self.project('example.org/b', bindep='good')
        names, told = self.packages()
        self.assertEqual((['good', 'asked-for-compile-test'], 'list-packages: example.org/a: bindep cannot read it\n'),
                         (names, told))

    def test_profiles_of_a_list(self) -> None:
        for text, expected in (
                ('Platform profiles:\nplatform:debian\n\nConfiguration profiles:\ncompile\ntest\n',
                 ['compile', 'test']),
                ('Platform profiles:\nplatform:debian\n\nConfiguration profiles:\n\n', []), ('', [])):
            with self.subTest(text):
                self.assertEqual(expected, listed.profiles(text))
