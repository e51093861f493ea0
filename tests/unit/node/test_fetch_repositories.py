"""Clones of a list: new ones, newer ones, damaged ones, and some that cannot be had."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tests.unit.node import program
from zuul_local.nodes.image import RECIPE

repositories = program('recipe/fetch-repositories')
GIT = ('git', '-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'init.defaultBranch=master')


def git(folder: Path, *words: str) -> str:
    done = subprocess.run([*GIT, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, text: str) -> str:
    (folder / 'file').write_text(text)
    git(folder, 'add', 'file')
    git(folder, 'commit', '-q', '-m', text)
    return git(folder, 'rev-parse', 'HEAD')


class Repositories(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.origin = self.scratch / 'origin'
        self.origin.mkdir()
        git(self.origin, 'init', '-q')
        self.first = commit(self.origin, 'one')
        self.top = self.scratch / 'git'
        self.bare, self.checkout = self.top / 'example.org/a/bare', self.top / 'example.org/a/checkout'
        self.lines = (f'example.org/a/bare file://{self.origin}',
                      f'example.org/a/checkout file://{self.origin} checkout')

    def fetch(self, *lines: str) -> list[str]:
        """Return what is missing after a run with a list of these *lines*."""
        (self.scratch / 'list.txt').write_text(''.join(f'{line}\n' for line in lines))
        argv = ['fetch-repositories', str(self.top), str(self.scratch / 'state/missing.txt'),
                str(self.scratch / 'list.txt')]
        with mock.patch.object(sys, 'argv', argv), contextlib.redirect_stdout(io.StringIO()):
            repositories.main()
        return (self.scratch / 'state/missing.txt').read_text().splitlines()

    def heads(self) -> list[str]:
        return [git(path, 'rev-parse', 'HEAD') for path in (self.bare, self.checkout)]

    def test_clones_and_follows(self) -> None:
        self.assertEqual([], self.fetch(*self.lines))
        self.assertEqual([self.first] * 2, self.heads())
        self.assertEqual('true', git(self.bare, 'rev-parse', '--is-bare-repository'))
        self.assertEqual('one', (self.checkout / 'file').read_text())
        made = (self.bare / 'config').stat().st_ino
        git(self.origin, 'branch', 'old')
        self.fetch(*self.lines)
        git(self.origin, 'branch', '-D', 'old')
        second = commit(self.origin, 'two')
        git(self.origin, 'tag', '1.0')
        git(self.origin, 'checkout', '-q', '-b', 'main')
        self.assertEqual([], self.fetch(*self.lines))
        self.assertEqual([second] * 2, self.heads())
        self.assertEqual('two', (self.checkout / 'file').read_text())
        for path in (self.bare, self.checkout):
            self.assertEqual('refs/heads/main', git(path, 'symbolic-ref', 'HEAD'))
            self.assertEqual('1.0', git(path, 'tag'))
        self.assertEqual(['main', 'master'], git(self.bare, 'branch', '--format=%(refname:short)').splitlines())
        self.assertEqual(made, (self.bare / 'config').stat().st_ino, 'it was cloned anew')

    def test_a_damaged_one_is_cloned_anew(self) -> None:
        self.fetch(*self.lines)
        for objects in (self.bare / 'objects', self.checkout / '.git/objects'):
            for path in [*objects.glob('pack/*.pack'), *objects.glob('??/*')]:
                path.unlink()
        (self.checkout / '.git/HEAD').write_text('nonsense\n')
        self.assertEqual([], self.fetch(*self.lines))
        self.assertEqual([self.first] * 2, self.heads())
        self.assertEqual(['bare', 'checkout'], sorted(path.name for path in (self.top / 'example.org/a').iterdir()))

    def test_one_that_fails_does_not_lose_the_others(self) -> None:
        missing = self.fetch(f'example.org/none file://{self.scratch}/none', *self.lines,
                             'example.org/nobody https://127.0.0.1:9/secret-name')
        self.assertEqual(['example.org/none: git clone failed with 128: there is none',
                          'example.org/nobody: git clone failed with 128: the server cannot be reached'], missing)
        self.assertEqual([self.first] * 2, self.heads())
        self.assertFalse((self.top / 'example.org/none').exists())

    def test_what_was_there_stays_when_its_server_is_gone(self) -> None:
        self.fetch(*self.lines)
        shutil.rmtree(self.origin)
        self.assertEqual(['example.org/a/bare: git fetch failed with 128: there is none; what was there before stays'],
                         self.fetch(self.lines[0]))
        self.assertEqual(self.first, git(self.bare, 'rev-parse', 'HEAD'))

    def test_an_other_address_or_kind_is_a_new_clone(self) -> None:
        self.fetch(self.lines[0])
        other = self.scratch / 'other'
        shutil.copytree(self.origin, other)
        second = commit(other, 'other')
        self.assertEqual([], self.fetch(f'example.org/a/bare file://{other} checkout'))
        self.assertEqual((second, 'other'), (git(self.bare, 'rev-parse', 'HEAD'), (self.bare / 'file').read_text()))

    def test_what_left_the_list_goes(self) -> None:
        self.fetch(*self.lines)
        self.fetch(self.lines[1])
        self.assertEqual(['checkout'], [path.name for path in (self.top / 'example.org/a').iterdir()])
        self.fetch()
        self.assertEqual([], list(self.top.iterdir()))

    def test_a_link_is_replaced_and_not_followed(self) -> None:
        self.bare.parent.mkdir(parents=True)
        self.bare.symlink_to(self.origin)
        self.assertEqual([], self.fetch(self.lines[0]))
        self.assertFalse(self.bare.is_symlink())
        self.assertEqual(self.first, git(self.origin, 'rev-parse', 'HEAD'))

    def test_bad_lists(self) -> None:
        for line, says in (
                ('one', 'line 1 has 1 words'),
                ('one https://x', "line 1: 'one' is no canonical name. Write for example opendev.org/zuul/zuul"),
                ('example.org/../x https://x', "line 1: 'example.org/../x' is no canonical name"),
                ('example.org/x /folder', 'line 1: the address of example.org/x begins with none of https'),
                ('example.org/x https://me:secret@x', 'line 1: the address of example.org/x has a password in it'),
                ('example.org/x https://x mirror', "is wanted as 'mirror'. Known are bare and checkout."),
                ('example.org/x https://x\nexample.org/x https://y', 'line 2: example.org/x is named twice'),
                ('example.org/x https://x\nexample.org/x/y https://y', 'example.org/x/y would lie inside')):
            with self.subTest(line), self.assertRaises(ValueError) as caught:
                repositories.entries(line)
            self.assertIn(says, str(caught.exception))
            self.assertNotIn('secret', str(caught.exception))

    def test_our_list_is_one(self) -> None:
        self.assertEqual({}, repositories.entries((RECIPE / 'recipe/lists/projects.txt').read_text()))
