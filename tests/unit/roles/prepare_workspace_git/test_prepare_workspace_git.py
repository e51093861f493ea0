# SPDX-License-Identifier: Apache-2.0
"""From the executor's repositories to a node's, with real git; a script stands in for ssh and runs the far end here."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library, module_utils

agent: Any = module_utils('prepare_workspace_git_agent')
module: Any = library('prepare-workspace-git', 'prepare_workspace_git')

NAME = 'example.com/org/a'


def git(repo: Path, *args: str | bytes) -> str:
    done = subprocess.run(
        ['git', '-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'gc.auto=0', *args], cwd=repo, check=True,
        capture_output=True, env={**os.environ, 'LC_ALL': 'C'})
    return done.stdout.decode('utf-8', 'surrogateescape').strip()


class PrepareTest(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.source = self.root / 'executor'
        self.home = self.root / 'home'
        self.cache = self.root / 'cache'
        self.ssh = self.root / 'ssh'
        self.ssh.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
        self.ssh.chmod(0o755)
        self.repo = self.make(NAME)
        self.there = self.home / 'src' / NAME

    def make(self, name: str) -> Path:
        repo = self.source / 'src' / name
        repo.mkdir(parents=True)
        git(repo, 'init', '-q', '-b', 'main')
        for number in range(3):
            (repo / 'file').write_text(f'{number}\n')
            git(repo, 'add', '-A')
            git(repo, 'commit', '-q', '-m', str(number))
        git(repo, 'tag', 'v1', 'HEAD~1')
        git(repo, 'tag', '-a', '-m', 'two', 'v2')
        git(repo, 'branch', 'stable/x', 'HEAD~2')
        git(repo, 'remote', 'add', 'origin', 'file:///dev/null')
        git(repo, 'update-ref', 'refs/remotes/origin/main', 'HEAD~1')
        git(repo, 'update-ref', 'refs/zuul/123', 'HEAD~1')
        return repo

    def project(self, name: str = NAME, **other: str) -> dict[str, str]:
        commit = git(self.source / 'src' / name, 'rev-parse', 'HEAD')
        return {'canonical_name': name, 'src_dir': f'src/{name}', 'checkout': 'main', 'commit': commit, **other}

    def run_module(self, *projects: dict[str, str], **other: Any) -> dict[str, Any]:
        params = {'projects': list(projects) or [self.project()], 'source': str(self.source), 'root': str(self.home),
                  'cached_repos_root': str(self.cache), 'quiet': False, 'host': 'node', 'port': '', 'user': '',
                  'python': sys.executable, 'ssh_executable': str(self.ssh), 'ssh_args': '', 'control_dir': '',
                  'private_key_file': '', 'connection': 'ssh', **other}
        result: dict[str, Any] = module.prepare(params)
        return result

    def assert_same(self, there: Path | None = None, repo: Path | None = None) -> None:
        there, repo = there or self.there, repo or self.repo
        wanted = {name: oid for name, oid in agent.read_refs(str(repo)).items() if not name.startswith('refs/zuul/')}
        self.assertEqual(agent.read_refs(str(there)), wanted)
        self.assertEqual(git(there, 'status', '--porcelain', '--ignored'), '')
        git(there, 'fsck', '--full', '--strict')


class TestFresh(PrepareTest):
    def test_everything_arrives(self) -> None:
        result = self.run_module()
        self.assertTrue(result['changed'])
        self.assertEqual([one['source'] for one in result['projects']], ['executor'])
        self.assert_same()
        self.assertEqual(git(self.there, 'symbolic-ref', 'HEAD'), 'refs/heads/main')
        self.assertEqual(git(self.there, 'remote', 'get-url', 'origin'), 'file:///dev/null')
        self.assertEqual((self.there / 'file').read_text(), '2\n')

    def test_the_second_time_nothing_changes(self) -> None:
        self.run_module()
        result = self.run_module()
        self.assertFalse(result['changed'], result['notes'])
        self.assertEqual(result['bytes'], 0)

    def test_an_empty_working_tree_on_the_executor(self) -> None:
        git(self.repo, 'sparse-checkout', 'set', '--skip-checks', 'nothing')
        (self.repo / 'file').unlink()
        self.run_module()
        self.assertEqual((self.there / 'file').read_text(), '2\n')

    def test_odd_names(self) -> None:
        odd = [b"it's $(touch pwned) \"x\"", b'new\nline', b'lat\xe9n', '☃'.encode(), b'-rf', b'.hidden']
        for name in odd:
            Path(os.fsdecode(os.path.join(os.fsencode(self.repo), name))).write_text('x')
        git(self.repo, 'add', '-A')
        git(self.repo, 'commit', '-q', '-m', 'odd')
        for branch in (b"fix/it's-$(touch${IFS}pwned)", b'lat\xe9n', '☃'.encode(), b'a/b/c/d'):
            git(self.repo, 'branch', branch)
        result = self.run_module(self.project(checkout=agent.decode(b'lat\xe9n')))
        self.assertTrue(result['changed'])
        self.assert_same()
        self.assertEqual(sorted(os.listdir(os.fsencode(self.there))), sorted([*odd, b'.git', b'file']))
        self.assertEqual((self.there / '.git' / 'HEAD').read_bytes(), b'ref: refs/heads/lat\xe9n\n')

    def test_a_tag_is_checked_out(self) -> None:
        commit = git(self.repo, 'rev-parse', 'v1')
        self.run_module(self.project(checkout='v1', commit=commit))
        self.assertEqual(git(self.there, 'rev-parse', 'HEAD'), commit)
        self.assertEqual((self.there / '.git' / 'HEAD').read_text().strip(), commit)

    def test_a_commit_that_no_reference_holds(self) -> None:
        git(self.repo, 'checkout', '-q', '--detach')
        git(self.repo, 'commit', '-q', '--allow-empty', '-m', 'proposed')
        project = self.project(checkout='main')
        git(self.repo, 'checkout', '-q', 'main')
        self.run_module(project)
        self.assertEqual(git(self.there, 'rev-parse', 'HEAD'), project['commit'])
        result = self.run_module(project)
        self.assertEqual((result['changed'], result['bytes']), (False, 0))

    def test_many_projects(self) -> None:
        names = [f'example.com/many/{number}' for number in range(6)]
        for name in names:
            self.make(name)
        result = self.run_module(*(self.project(name) for name in names), quiet=True)
        self.assertEqual(result['count'], 6)
        self.assertNotIn('projects', result)
        for name in names:
            self.assert_same(self.home / 'src' / name, self.source / 'src' / name)


class TestAgain(PrepareTest):
    def setUp(self) -> None:
        super().setUp()
        self.run_module()

    def test_moved_branches_and_names_below_old_ones(self) -> None:
        git(self.repo, 'branch', '-D', 'stable/x')
        git(self.repo, 'branch', 'stable')
        git(self.repo, 'reset', '-q', '--hard', 'v1')
        result = self.run_module()
        self.assertTrue(result['changed'])
        self.assertEqual(result['bytes'], 0)
        self.assert_same()
        self.assertEqual((self.there / 'file').read_text(), '1\n')

    def test_only_what_is_new_is_sent(self) -> None:
        (self.repo / 'big').write_bytes(os.urandom(100_000))
        git(self.repo, 'add', '-A')
        git(self.repo, 'commit', '-q', '-m', 'big')
        self.assertGreater(self.run_module()['bytes'], 100_000)
        (self.repo / 'file').write_text('small\n')
        git(self.repo, 'commit', '-q', '-a', '-m', 'small')
        self.assertLess(self.run_module()['bytes'], 5_000)
        self.assert_same()

    def test_what_lies_about_is_removed(self) -> None:
        for name, content in (('file', 'edited'), ('new', 'x'), ('ignored.pyc', 'x')):
            (self.there / name).write_text(content)
        (self.there / '.git' / 'info').mkdir(exist_ok=True)
        (self.there / '.git' / 'info' / 'exclude').write_text('*.pyc\n')
        self.assertTrue(self.run_module()['changed'])
        self.assert_same()
        self.assertEqual(sorted(os.listdir(self.there)), ['.git', 'file'])

    def test_another_branch_is_checked_out(self) -> None:
        commit = git(self.repo, 'rev-parse', 'stable/x')
        self.assertTrue(self.run_module(self.project(checkout='stable/x', commit=commit))['changed'])
        self.assertEqual(git(self.there, 'symbolic-ref', 'HEAD'), 'refs/heads/stable/x')
        self.assertEqual((self.there / 'file').read_text(), '0\n')

    def test_a_damaged_workspace_is_made_anew(self) -> None:
        def replace() -> None:
            shutil.rmtree(self.there)
            self.there.write_text('x')

        for name, damage in (('no HEAD', (self.there / '.git' / 'HEAD').unlink),
                             ('no objects', lambda: shutil.rmtree(self.there / '.git' / 'objects')),
                             ('a file', replace)):
            with self.subTest(name):
                damage()
                result = self.run_module()
                self.assertTrue(result['changed'])
                self.assertRegex(result['notes'][0], 'made anew, because')
                self.assert_same()


class TestCache(PrepareTest):
    def setUp(self) -> None:
        super().setUp()
        (self.repo / 'big').write_bytes(os.urandom(100_000))
        git(self.repo, 'add', '-A')
        git(self.repo, 'commit', '-q', '-m', 'big')
        self.cached = self.cache / NAME
        git(self.root, 'clone', '-q', '--no-local', str(self.repo), str(self.cached))
        (self.repo / 'file').write_text('newer\n')
        git(self.repo, 'commit', '-q', '-a', '-m', 'newer than the cache')

    def test_a_stale_cache_saves_most(self) -> None:
        git(self.cached, 'branch', 'gone-meanwhile')
        result = self.run_module()
        self.assertEqual(result['projects'][0]['source'], 'cache')
        self.assertLess(result['bytes'], 5_000)
        self.assertEqual(result['notes'], [])
        self.assert_same()

    def test_a_bare_one(self) -> None:
        bare = self.root / 'bare'
        git(self.root, 'clone', '-q', '--bare', str(self.cached), str(bare))
        shutil.rmtree(self.cached)
        bare.rename(self.cached)
        self.assertEqual(self.run_module()['projects'][0]['source'], 'cache')
        self.assert_same()

    def test_one_with_commits_that_the_executor_has_not(self) -> None:
        git(self.cached, 'commit', '-q', '--allow-empty', '-m', 'elsewhere')
        self.assertLess(self.run_module()['bytes'], 5_000)
        self.assert_same()

    def test_the_workspace_does_not_lean_on_it(self) -> None:
        self.run_module()
        shutil.rmtree(self.cache)
        self.assert_same()

    def test_what_cannot_be_trusted_is_left_aside(self) -> None:
        pack = next((self.cached / '.git' / 'objects' / 'pack').glob('*.pack'))

        def flip() -> None:
            data = bytearray(pack.read_bytes())
            data[len(data) // 2] ^= 1
            pack.chmod(0o644)
            pack.write_bytes(data)

        cases = (('shallow', lambda: (self.cached / '.git' / 'shallow').write_text('x'), 'a shallow repository'),
                 ('borrowing', lambda: (self.cached / '.git/objects/info/alternates').write_text('/x'), 'that borrows'),
                 ('one byte', flip, 'wrong checksum'),
                 ('no repository', lambda: shutil.rmtree(self.cached / '.git'), 'no repository'))
        kept = self.root / 'kept'
        shutil.copytree(self.cached, kept)
        for name, damage, note in cases:
            with self.subTest(name):
                damage()
                result = self.run_module()
                self.assertEqual(result['projects'][0]['source'], 'executor')
                self.assertRegex(result['notes'][0], 'was not used: .*' + note)
                self.assert_same()
                shutil.rmtree(self.there)
                shutil.rmtree(self.cached)
                shutil.copytree(kept, self.cached)

    def test_an_object_that_is_missing(self) -> None:
        pack = next((self.cached / '.git' / 'objects' / 'pack').glob('*.pack'))
        aside = self.root / 'aside.pack'
        pack.rename(aside)
        pack.with_suffix('.idx').unlink()
        with aside.open('rb') as stream:
            subprocess.run(['git', 'unpack-objects', '-q'], cwd=self.cached, stdin=stream, check=True)
        tree = git(self.cached, 'rev-parse', 'HEAD:big')
        (self.cached / '.git' / 'objects' / tree[:2] / tree[2:]).unlink()
        result = self.run_module()
        self.assertRegex(result['notes'][0], 'made anew, because')
        self.assert_same()


class TestRefused(PrepareTest):
    def test_all_problems_in_one_message(self) -> None:
        project = self.project()
        with self.assertRaises(module.Refused) as caught:
            self.run_module(dict(project, commit=''), dict(project, canonical_name='x', src_dir='../x'),
                            dict(project, canonical_name='y', src_dir='src/y'), project,
                            dict(project, canonical_name='twin'), root='home')
        message = str(caught.exception)
        self.assertIn('5 problems', message)
        for part in ("zuul_workspace_root is 'home': not an absolute path", f"zuul.projects['{NAME}'] has no commit",
                     "src_dir of x is '../x'", "y has no git repository at '", f'belongs to {NAME} and to twin'):
            self.assertIn(part, message)
        self.assertFalse(self.home.exists())

    def test_a_node_without_ssh(self) -> None:
        for connection in ('kubectl', 'kubernetes.core.kubectl', 'winrm', 'local'):
            with self.subTest(connection), self.assertRaisesRegex(
                    module.Refused, f"ansible_connection is '{connection}': this role reaches nodes by ssh alone"):
                self.run_module(connection=connection)
        for connection in ('smart', 'ansible.builtin.ssh'):
            with self.subTest(connection):
                self.run_module(connection=connection)

    def test_a_commit_that_the_executor_has_not(self) -> None:
        with self.assertRaisesRegex(module.Refused, '1 of 1 projects cannot be put on the node:\n.*' + NAME):
            self.run_module(self.project(commit='1' * 40))

    def test_no_node(self) -> None:
        self.ssh.write_text('#!/bin/sh\necho no route to host >&2\nexit 255\n')
        with self.assertRaisesRegex(Exception, 'no route to host') as caught:
            self.run_module()
        self.assertEqual(type(caught.exception).__name__, 'NotReached')

    def test_no_room_on_the_node(self) -> None:
        self.home.write_text('a file')
        with self.assertRaisesRegex(module.Refused, 'Not a directory'):
            self.run_module()
