"""The zuul-cloner of old: from the build's own repositories, else from the cache, else from the network."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.unit.node import program
from tests.unit.node.test_fetch_repositories import commit, git
from zuul_local.nodes.image import RECIPE

cloner = program('recipe/zuul-cloner')


class Cloner(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name).resolve()
        self.work = self.scratch / 'work'
        self.work.mkdir()

    def repository(self, path: str, text: str, *branches: str) -> Path:
        """Make a repository with a commit *text* on master and one on each of *branches*."""
        folder = self.scratch / path
        folder.mkdir(parents=True)
        git(folder, 'init', '-q')
        commit(folder, text)
        for branch in branches:
            git(folder, 'checkout', '-q', '-b', branch)
            commit(folder, f'{text} {branch}')
        git(folder, 'checkout', '-q', 'master')
        return folder

    def cloner(self, *words: str, code: int = 0) -> str:
        environ = {name: value for name, value in os.environ.items() if not name.startswith('ZUUL')}
        done = subprocess.run(
            [sys.executable, RECIPE / 'recipe/zuul-cloner', '--cache-dir', str(self.scratch / 'git'), *words],
            text=True, cwd=self.work, env={**environ, 'HOME': str(self.scratch / 'home')}, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(code, done.returncode, done.stdout)
        return done.stdout

    def state(self, path: str) -> tuple[str, str]:
        folder = self.work / path
        return git(folder, 'rev-parse', '--abbrev-ref', 'HEAD'), (folder / 'file').read_text()

    def test_the_build_comes_before_the_cache(self) -> None:
        self.repository('home/src/example.org/a/one', 'tested', 'stable')
        self.repository('git/example.org/a/one', 'cached')
        out = self.cloner('https://example.org', 'a/one')
        self.assertRegex(out, r'^zuul-cloner: a/one: \S+/work/a/one from workspace, master at [0-9a-f]{40}\n$')
        self.assertEqual(('master', 'tested'), self.state('a/one'))
        self.assertEqual('https://example.org/a/one', git(self.work / 'a/one', 'config', 'remote.origin.url'))
        self.assertEqual(['master', 'stable'],
                         git(self.work / 'a/one', 'branch', '--format=%(refname:short)').splitlines())

    def test_a_state_without_a_branch_is_kept(self) -> None:
        tested = self.repository('home/src/example.org/a/one', 'tested')
        git(tested, 'checkout', '-q', '--detach')
        head = commit(tested, 'merged')
        self.cloner('https://example.org', 'a/one')
        self.assertEqual(head, git(self.work / 'a/one', 'rev-parse', 'HEAD'))
        self.assertEqual('merged', (self.work / 'a/one/file').read_text())

    def test_branches(self) -> None:
        self.repository('home/src/example.org/a/one', 'tested', 'stable')
        self.repository('git/example.org/a/two', 'cached', 'stable', 'special')
        for words, one, two in (
                ((), 'master', 'master'),
                (('--zuul-branch', 'stable'), 'master', 'stable'),      # the build has checked out what it is for
                (('--branch', 'stable'), 'stable', 'stable'),
                (('--branch', 'no-such'), 'master', 'master'),
                (('--branch', 'stable', '--project-branch', 'a/two=special'), 'stable', 'special')):
            with self.subTest(words):
                self.cloner(*words, 'https://example.org', 'a/one', 'a/two')
                self.assertEqual((one, two), (self.state('a/one')[0], self.state('a/two')[0]))

    def test_the_host_of_the_address_is_preferred_and_an_other_one_will_do(self) -> None:
        self.repository('git/a.example.org/a/one', 'of a')
        self.repository('git/b.example.org/a/one', 'of b')
        for base, expected in (('https://b.example.org', 'of b'), ('https://old.example.org', 'of a')):
            with self.subTest(base):
                self.cloner(base, 'a/one')
                self.assertEqual(expected, self.state('a/one')[1])

    def test_the_network_comes_last(self) -> None:
        self.repository('remote/a/one', 'remote')
        out = self.cloner(f'file://{self.scratch}/remote', 'a/one')
        self.assertIn('from network', out)
        self.assertEqual(('master', 'remote'), self.state('a/one'))

    def test_a_second_time_it_is_made_anew(self) -> None:
        self.repository('git/example.org/a/one', 'cached')
        self.cloner('https://example.org', 'a/one')
        (self.work / 'a/one/file').write_text('changed')
        self.cloner('https://example.org', 'a/one')
        self.assertEqual('cached', (self.work / 'a/one/file').read_text())

    def test_a_clone_map(self) -> None:
        self.repository('git/example.org/a/one', 'cached')
        (self.work / 'map.yaml').write_text("clonemap:\n- name: a/(.*)\n  dest: 'plugins/\\1'\n")
        self.cloner('-m', 'map.yaml', '--workspace', str(self.work / 'deep'), 'https://example.org', 'a/one')
        self.assertEqual('cached', (self.work / 'deep/plugins/one/file').read_text())

    def test_the_build_itself_is_left_alone(self) -> None:
        folder = self.repository('home/src/example.org/a/one', 'tested')
        (folder / 'file').write_text('changed')
        self.cloner('--workspace', str(self.scratch / 'home/src/example.org'), 'https://example.org', 'a/one')
        self.assertEqual('changed', (folder / 'file').read_text())

    def test_refusals(self) -> None:
        self.repository('git/example.org/a/one', 'cached')
        (self.work / 'a/one').mkdir(parents=True)
        (self.work / 'a/one/mine').touch()
        (self.work / 'out.yaml').write_text('clonemap: [{name: a/one, dest: ../../out}]\n')
        (self.work / 'same.yaml').write_text("clonemap: [{name: 'a/.*', dest: same}]\n")
        (self.work / 'bad.yaml').write_text('clonemap: [{name: a/one}]\n')
        for words, says in (
                (('https://example.org', 'a/one'), 'a/one is there and no git repository. Remove it'),
                (('-m', 'out.yaml', 'https://example.org', 'a/one'), 'out, which is not below the workspace'),
                (('-m', 'same.yaml', 'https://example.org', 'a/one', 'a/two'), 'a/two and a/one are both for'),
                (('-m', 'bad.yaml', 'https://example.org', 'a/one'), 'the clone map cannot be read'),
                (('-m', 'none.yaml', 'https://example.org', 'a/one'), "No such file or directory: 'none.yaml'"),
                (('--project-branch', 'x', 'https://example.org', 'a/one'), "is 'x'. Write PROJECT=BRANCH"),
                (('file:///no-such', 'a/none'), 'failed: fatal:')):
            with self.subTest(words):
                self.assertIn(says, self.cloner(*words, code=1))
        self.assertEqual(['mine'], [path.name for path in (self.work / 'a/one').iterdir()])

    def test_destinations(self) -> None:
        rules = cloner.read_map("clonemap: [{name: 'a/(.*)', dest: '\\1'}, {name: 'a/x', dest: never}]")
        for project, expected in (('a/x', 'x'), ('b/x', 'b/x'), ('aa/x', 'aa/x')):
            with self.subTest(project):
                self.assertEqual(expected, cloner.destination(project, rules))
