# SPDX-License-Identifier: Apache-2.0
"""What others left on a node does not decide what a build finds there."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import module_utils
from tests.unit.roles.prepare_workspace_git.test_prepare_workspace_git import NAME, PrepareTest, git

agent: Any = module_utils('prepare_workspace_git_agent')


class TestForeign(unittest.TestCase):
    """Pure but for a folder of files."""

    def test_settings(self) -> None:
        (self.folder / '.git').mkdir()
        known = {'core.repositoryformatversion': ['0'], 'core.filemode': ['true'], 'core.bare': ['false'],
                 'remote.origin.url': ['file:///dev/null'], 'branch.a.b.merge': ['refs/heads/a.b'], 'user.name': ['x']}
        for other, expected in (({}, ''), ({'core.ignorecase': ['true']}, ''),
                                ({'core.bare': ['true']}, '.git holds the setting core.bare'),
                                ({'core.filemode': ['true', 'false']}, '.git holds the setting core.filemode'),
                                ({'core.hookspath': ['x']}, '.git holds the setting core.hookspath'),
                                ({'filter.x.smudge': ['x']}, '.git holds the setting filter.x.smudge'),
                                ({'url.x.insteadof': ['y'], 'core.worktree': ['/']},
                                 '.git holds the setting core.worktree, the setting url.x.insteadof')):
            with self.subTest(other=other):
                self.assertEqual(agent.foreign(str(self.folder), {**known, **other}), expected)

    def test_files(self) -> None:
        for name, expected in (('hooks/pre-commit.sample', ''), ('info/exclude', ''), ('logs/HEAD', ''),
                               ('hooks/post-index-change', 'hooks/post-index-change'), ('info/grafts', 'info/grafts'),
                               ('info/attributes', 'info/attributes'), ('modules/x/HEAD', 'modules'),
                               ('index.lock', 'index.lock'), ('worktrees/x/HEAD', 'worktrees'),
                               ('objects/info/alternates', 'objects/info/alternates')):
            with self.subTest(name):
                file = self.folder / '.git' / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
                self.assertEqual(agent.foreign(str(self.folder), {}), expected and '.git holds ' + expected)
                shutil.rmtree(self.folder / '.git')

    def test_no_folder(self) -> None:
        (self.folder / '.git').symlink_to('/')
        self.assertEqual(agent.foreign(str(self.folder), {}), '.git is no folder')

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)


class TestIndex(unittest.TestCase):
    def test_cases(self) -> None:
        entry = b'100644 ' + b'a' * 40 + b' 0\t'
        module = b'160000 ' + b'a' * 40 + b' 0\t'
        for listing, expected in ((b'', (False, [])), (b'H ' + entry + b'a\0', (False, [])),
                                  (b'h ' + entry + b'a\0', (True, [])),
                                  (b'H ' + entry + b'a\0S ' + entry + b'b\0', (True, [])),
                                  (b'H ' + module + b'a b\nc\0', (False, ['a b\nc'])),
                                  (b'H ' + module + b'\xe9\0', (False, ['\udce9']))):
            with self.subTest(listing=listing):
                self.assertEqual(agent.parse_index(listing), expected)


class TestWorkspace(PrepareTest):
    def setUp(self) -> None:
        super().setUp()
        self.run_module()
        self.ran = self.root / 'ran'

    def hook(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ('post-index-change', 'post-checkout', 'reference-transaction'):
            (folder / name).write_text(f'#!/bin/sh\ntouch "{self.ran}"\n')
            (folder / name).chmod(0o755)

    def test_what_could_run_or_hide_is_made_anew(self) -> None:
        def link() -> None:
            (self.there / '.git').rename(self.root / 'moved')
            (self.there / '.git').symlink_to(self.root / 'moved')

        cases = (('hooks', lambda: self.hook(self.there / '.git' / 'hooks')),
                 ('the setting core.hookspath', lambda: git(self.there, 'config', 'core.hooksPath', str(self.root))),
                 ('the setting filter.x.smudge', lambda: git(self.there, 'config', 'filter.x.smudge', 'touch x')),
                 ('index.lock', (self.there / '.git' / 'index.lock').touch),
                 ('.git is no folder', link))
        for what, leave in cases:
            with self.subTest(what):
                leave()
                git(self.repo, 'commit', '-q', '--allow-empty', '-m', what)
                self.assertRegex(self.run_module()['notes'][0], 'made anew, because: .*' + what)
                self.assertFalse(self.ran.exists())
                self.assert_same()
        self.assertTrue((self.root / 'moved' / 'HEAD').exists(), 'it followed a link')

    def test_hooks_of_the_user_do_not_run(self) -> None:
        home = self.root / 'user'
        self.hook(home / 'hooks')
        (home / '.gitconfig').write_text(f'[core]\nhooksPath = {home}/hooks\n[status]\nshowUntrackedFiles = no\n'
                                         '[init]\ndefaultObjectFormat = sha256\ndefaultRefFormat = reftable\n')
        (self.there / 'new').touch()
        shutil.rmtree(self.there / '.git')
        with mock.patch.dict(os.environ, HOME=str(home)):
            self.run_module()
            (self.there / 'new').touch()
            self.assertTrue(self.run_module()['changed'])
            self.assertFalse(self.run_module()['changed'])
        self.assertFalse(self.ran.exists())
        self.assert_same()

    def test_a_file_that_git_was_told_not_to_look_at(self) -> None:
        for flag in ('--assume-unchanged', '--skip-worktree'):
            with self.subTest(flag):
                git(self.there, 'update-index', flag, 'file')
                (self.there / 'file').write_text('edited')
                self.assertTrue(self.run_module()['changed'])
                self.assertEqual((self.there / 'file').read_text(), '2\n')
                self.assertFalse(self.run_module()['changed'])

    def test_origin_that_the_executor_has_not(self) -> None:
        git(self.repo, 'remote', 'remove', 'origin')
        self.assertTrue(self.run_module()['changed'])
        self.assertEqual(git(self.there, 'config', '--local', '--get-regexp', 'core.bare|remote'), 'core.bare false')

    def test_a_submodule(self) -> None:
        commit = git(self.repo, 'rev-parse', 'HEAD')
        git(self.repo, 'update-index', '--add', '--cacheinfo', f'160000,{commit},sub')
        git(self.repo, 'commit', '-q', '-m', 'submodule')
        (self.repo / 'sub').mkdir()
        self.run_module()
        self.assertEqual(os.listdir(self.there / 'sub'), [])
        git(self.there, 'clone', '-q', '.', 'sub')
        self.assertTrue(self.run_module()['changed'])
        self.assertEqual(os.listdir(self.there / 'sub'), [])
        self.assertFalse(self.run_module()['changed'])


class TestNested(PrepareTest):
    """A project whose name begins with another's lies in its folder."""

    def setUp(self) -> None:
        super().setUp()
        self.names = (NAME, f'{NAME}/plugins/b')
        # As on an executor, the one within is no part of the one around it.
        self.inner = self.make(self.names[1])
        git(self.repo, 'config', 'core.excludesFile', '/dev/null')
        self.there_inner = self.home / 'src' / self.names[1]

    def both(self) -> dict[str, Any]:
        return self.run_module(*(self.project(name) for name in self.names))

    def assert_both(self) -> None:
        self.assertEqual(git(self.there, 'status', '--porcelain', '--ignored'), '?? plugins/')
        self.assert_same(self.there_inner, self.inner)

    def test_neither_harms_the_other(self) -> None:
        self.both()
        self.assert_both()
        result = self.both()
        self.assertFalse(result['changed'], result)
        (self.there / 'plugins' / 'left').touch()
        git(self.there, 'init', '-q', 'plugins/other')
        self.assertTrue(self.both()['changed'])
        self.assertEqual(os.listdir(self.there / 'plugins'), ['b'])
        self.assert_both()

    def test_the_outer_one_is_made_anew(self) -> None:
        self.both()
        (self.there / '.git' / 'HEAD').unlink()
        notes = self.both()['notes']
        self.assertRegex(notes[0], 'made anew, because: git')
        self.assertRegex(notes[1], 'made anew, because: the project around it was')
        self.assert_both()

    def test_the_inner_one_is_made_anew(self) -> None:
        self.both()
        (self.there_inner / '.git' / 'HEAD').unlink()
        self.assertEqual(len(self.both()['notes']), 1)
        self.assert_both()


class TestCacheFiles(PrepareTest):
    def setUp(self) -> None:
        super().setUp()
        self.cached = self.cache / NAME
        git(self.root, 'clone', '-q', '--no-local', str(self.repo), str(self.cached))
        self.objects = self.cached / '.git' / 'objects'

    def loosen(self) -> None:
        pack = next((self.objects / 'pack').glob('*.pack'))
        aside = self.root / 'aside.pack'
        pack.rename(aside)
        for file in (self.objects / 'pack').iterdir():
            file.unlink()
        with aside.open('rb') as stream:
            subprocess.run(['git', 'unpack-objects', '-q'], cwd=self.cached, stdin=stream, check=True)

    def loose(self, name: str) -> Path:
        oid = git(self.cached, 'rev-parse', name)
        return self.objects / oid[:2] / oid[2:]

    def test_damage(self) -> None:
        def index() -> None:
            file = next((self.objects / 'pack').glob('*.idx'))
            file.chmod(0o644)
            file.write_bytes(file.read_bytes()[:-30] + bytes(30))

        def empty() -> None:
            self.loosen()
            self.loose('HEAD~2:file').chmod(0o644)
            self.loose('HEAD~2:file').write_bytes(b'')

        def other() -> None:
            self.loosen()
            shutil.copy(self.loose('HEAD:file'), self.root / 'copy')
            self.loose('HEAD~1:file').unlink()
            shutil.copy(self.root / 'copy', self.loose('HEAD~1:file'))

        def lost() -> None:
            self.loosen()
            self.loose('HEAD~2').unlink()

        def partial() -> None:
            next((self.objects / 'pack').glob('*.pack')).with_suffix('.promisor').touch()

        kept = self.root / 'kept'
        shutil.copytree(self.cached, kept)
        for damage, note in ((index, 'idx has a wrong checksum'), (empty, 'has a wrong checksum'),
                             (other, 'has a wrong checksum'), (lost, 'git rev-list'),
                             (partial, 'a partial repository')):
            with self.subTest(damage.__name__):
                damage()
                result = self.run_module()
                self.assertEqual(result['projects'][0]['source'], 'executor')
                self.assertRegex(result['notes'][0], 'was not used: .*' + note)
                self.assert_same()
                shutil.rmtree(self.there)
                shutil.rmtree(self.cached)
                shutil.copytree(kept, self.cached)

    def test_what_is_no_file_is_left_aside(self) -> None:
        os.mkfifo(self.objects / 'pack' / 'pack-0.pack')
        os.mkfifo(self.objects / 'pack' / 'pack-0.idx')
        (self.objects / 'pack' / 'pack-1.pack').symlink_to('/dev/zero')
        (self.objects / 'ab').symlink_to('/')
        (self.objects / 'pack' / 'tmp_pack_x').touch()
        (self.objects / 'pack' / 'multi-pack-index').write_text('x')
        result = self.run_module()
        self.assertEqual(result['projects'][0]['source'], 'cache')
        self.assert_same()
        self.assertEqual(len(os.listdir(self.there / '.git' / 'objects' / 'pack')), 2)

    def test_a_link_to_elsewhere(self) -> None:
        self.cached.rename(self.root / 'elsewhere')
        self.cached.symlink_to(self.root / 'elsewhere')
        result = self.run_module()
        self.assertEqual(result['projects'][0]['source'], 'cache')
        self.assertEqual(result['bytes'], 0)
        self.assert_same()
