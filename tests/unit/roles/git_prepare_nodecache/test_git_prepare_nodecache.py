# SPDX-License-Identifier: Apache-2.0
"""Caches of repositories, with real git."""
from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

module: Any = library('git-prepare-nodecache', 'git_prepare_nodecache')

NAME = 'example.com/org/a'


def git(repo: Path, *args: str | bytes) -> str:
    done = subprocess.run(
        ['git', '-c', 'user.name=a', '-c', 'user.email=a@example.com', *args], cwd=repo, check=True,
        capture_output=True, env={**os.environ, 'LC_ALL': 'C'})
    return done.stdout.decode('utf-8', 'surrogateescape').strip()


class CacheTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.root = self.folder / 'cache'
        self.repo = self.make(NAME)
        self.cached = self.root / NAME / '.git'

    def make(self, name: str) -> Path:
        repo = self.folder / 'work' / 'src' / name
        repo.mkdir(parents=True)
        git(repo, 'init', '-q', '-b', 'main')
        for number in range(2):
            (repo / 'file').write_text(f'{number}\n')
            git(repo, 'add', 'file')
            git(repo, 'commit', '-q', '-m', str(number))
        git(repo, 'tag', '-a', '-m', 'one', 'v1', 'HEAD~1')
        git(repo, 'branch', b'lat\xe9n/$(touch${IFS}x)')
        git(repo, 'update-ref', 'refs/zuul/1', 'HEAD')
        git(repo, 'update-ref', 'refs/remotes/origin/main', 'HEAD')
        return repo

    def provide(self, *names: str, **other: Any) -> dict[str, Any]:
        projects = [{'canonical_name': name, 'src_dir': f'src/{name}', 'checkout': 'main'} for name in names or (NAME,)]
        result: dict[str, Any] = module.provide(
            {'projects': projects, 'workspace': str(self.folder / 'work'), 'root': str(self.root), **other})
        return result

    def refs(self, repo: Path) -> str:
        return git(repo, 'for-each-ref', 'refs/heads', 'refs/tags')


class TestProvide(CacheTest):
    def test_branches_and_tags_in_one_pack(self) -> None:
        result = self.provide()
        self.assertEqual(result['renewed'], [NAME])
        self.assertEqual(git(self.cached, 'for-each-ref'), self.refs(self.repo))
        self.assertEqual(git(self.cached, 'symbolic-ref', 'HEAD'), 'refs/heads/main')
        self.assertEqual(len(list((self.cached / 'objects' / 'pack').glob('*.pack'))), 1)
        git(self.cached, 'fsck', '--full', '--strict')
        with tarfile.open(result['file']) as tar:
            members = {member.name: member for member in tar.getmembers()}
        self.assertIn(f'{NAME}/.git/packed-refs', members)
        self.assertEqual({(one.uid, one.gid, one.mode & 0o022) for one in members.values()}, {(0, 0, 0)})
        self.assertEqual(sorted(os.listdir(self.root)), ['example.com', module.ARCHIVE])

    def test_nothing_new(self) -> None:
        before = self.provide()
        after = self.provide()
        self.assertEqual((after['changed'], after['renewed']), (False, []))
        self.assertEqual(after['bytes'], before['bytes'])

    def test_what_is_new_and_what_is_gone(self) -> None:
        self.provide()
        git(self.repo, 'commit', '-q', '--allow-empty', '-m', 'more')
        git(self.repo, 'tag', '-d', 'v1')
        result = self.provide()
        self.assertEqual((result['changed'], result['renewed']), (True, [NAME]))
        self.assertEqual(self.refs(self.cached), self.refs(self.repo))
        self.assertEqual(len(list((self.cached / 'objects' / 'pack').glob('*.pack'))), 1)

    def test_an_archive_of_other_projects(self) -> None:
        other = 'example.com/org/b'
        self.make(other)
        self.provide()
        self.assertEqual(self.provide(NAME, other)['renewed'], [other])
        result = self.provide()
        self.assertEqual((result['changed'], result['renewed']), (True, []))
        with tarfile.open(result['file']) as tar:
            self.assertEqual([name for name in tar.getnames() if other in name], [])

    def test_a_project_in_the_folder_of_another(self) -> None:
        inner = f'{NAME}/refs'
        self.make(inner)
        self.provide(NAME, inner)
        (self.cached / 'HEAD').unlink()
        result = self.provide(NAME, inner)
        self.assertEqual(result['renewed'], [NAME])
        with tarfile.open(result['file']) as tar:
            names = tar.getnames()
        self.assertEqual(len(names), len(set(names)))
        self.assertIn(f'{inner}/.git/HEAD', names)

    def test_damage_is_mended(self) -> None:
        def lose_pack() -> None:
            git(self.repo, 'commit', '-q', '--allow-empty', '-m', 'more')
            for file in (self.cached / 'objects' / 'pack').iterdir():
                file.unlink()

        for damage in ((self.cached / 'HEAD').unlink, lose_pack, (self.root / module.ARCHIVE).unlink,
                       lambda: (self.root / module.ARCHIVE).write_bytes(b'x' * 1000),
                       lambda: (self.cached / 'shallow').write_text(git(self.repo, 'rev-parse', 'HEAD') + '\n')):
            with self.subTest(damage):
                self.provide()
                damage()
                self.assertTrue(self.provide()['changed'])
                self.assertEqual(self.refs(self.cached), self.refs(self.repo))
                git(self.cached, 'fsck', '--full', '--strict')
                self.assertFalse(self.provide()['changed'])

    def test_a_full_disk_leaves_the_old_archive(self) -> None:
        before = self.provide()
        (self.root / (module.ARCHIVE + '.new')).mkdir()
        git(self.repo, 'commit', '-q', '--allow-empty', '-m', 'more')
        with self.assertRaises(OSError):
            self.provide()
        self.assertEqual(os.path.getsize(before['file']), before['bytes'])

    def test_all_problems_in_one_message(self) -> None:
        git(self.root.parent, 'clone', '-q', '--depth', '1', f'file://{self.repo}', str(self.repo.parent / 'thin'))
        projects = [{'canonical_name': '../x', 'src_dir': f'src/{NAME}'}, {'canonical_name': 'b', 'src_dir': '/etc'},
                    {'canonical_name': 'c', 'src_dir': 'src/c'},
                    {'canonical_name': 'd', 'src_dir': 'src/example.com/org/thin'}]
        with self.assertRaises(module.Refused) as caught:
            self.provide(projects=projects, root='cache')
        said = str(caught.exception)
        for part in ("git_cache_root is 'cache': not an absolute path", "canonical_name of ../x is '../x'",
                     "src_dir of b is '/etc'", "b has no git repository at '/etc'", "c has no git repository at '",
                     'd is a shallow repository at'):
            self.assertIn(part, said)
        self.assertFalse(self.root.exists())
