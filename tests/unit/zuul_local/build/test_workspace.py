"""Snapshots of real repositories."""

import dataclasses
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from zuul_local.build.workspace import repo_state, snapshot
from zuul_local.errors import UserError
from zuul_local.tenant.project import identify

ENV = {**os.environ, 'GIT_AUTHOR_NAME': 'a', 'GIT_AUTHOR_EMAIL': 'a@example.org', 'GIT_COMMITTER_NAME': 'a',
       'GIT_COMMITTER_EMAIL': 'a@example.org', 'GIT_CONFIG_GLOBAL': '/dev/null'}


def git(folder, *words):
    argv = ['git', '-C', str(folder), *words]
    return subprocess.run(argv, env=ENV, check=True, capture_output=True, text=True,
                          errors='surrogateescape').stdout.strip()


class TestSnapshot(unittest.TestCase):

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = Path(scratch.name).resolve()
        self.repo = self.top / 'a project'
        self.repo.mkdir()
        git(self.repo, 'init', '-q', '-b', 'main')
        self.write('kept', 'one\n')
        self.write('.gitignore', 'ignored\n')
        git(self.repo, 'add', '.')
        git(self.repo, 'commit', '-q', '-m', 'first')
        self.head = git(self.repo, 'rev-parse', 'HEAD')

    def write(self, name, text):
        path = self.repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def snapshot(self, folder=None, **kwargs):
        taken = snapshot(identify(folder or self.repo, **kwargs), self.top / 'scratch' / 'clone')
        self.files = git(taken.path, 'ls-tree', '-r', '-z', '--name-only', taken.commit).split('\0')
        return taken

    def state_of_repository(self):
        return (git(self.repo, 'status', '--porcelain'), git(self.repo, 'for-each-ref'),
                (self.repo / '.git/index').read_bytes(),
                sorted(path for path in (self.repo / '.git').rglob('*') if path.is_file()))

    def test_clean_tree_is_head(self):
        taken = self.snapshot()
        self.assertEqual((self.head, False), (taken.commit, taken.uncommitted))
        self.assertEqual(self.head, git(taken.path, 'rev-parse', 'main'))

    def test_copies_of_roles(self):
        self.write('folder/zuul.d/a.yaml', '[]')
        project = dataclasses.replace(identify(self.repo / 'folder', base_ref='main'), roles=('start-zuul-console',))
        taken = snapshot(project, self.top / 'scratch' / 'clone')
        files = git(taken.path, 'ls-tree', '-r', '--name-only', taken.commit).splitlines()
        self.assertIn('zuul.d/a.yaml', files)
        self.assertIn('roles/start-zuul-console/tasks/main.yaml', files)
        self.assertFalse([name for name in files if name.startswith('roles/') and '/start-zuul-console/' not in name])

    def test_one_branch(self):
        git(self.repo, 'tag', '1.0')
        git(self.repo, 'checkout', '-q', '-b', 'feature')
        git(self.repo, 'update-ref', 'refs/remotes/origin/stable', self.head)
        for wanted, expected in ((False, {'feature', 'main', 'stable'}), (True, {'feature'})):
            with self.subTest(one_branch=wanted):
                refs = snapshot(identify(self.repo), self.top / f'clone-{wanted}', one_branch=wanted).refs
                heads = {name.removeprefix('refs/heads/') for name in refs if name.startswith('refs/heads/')}
                self.assertEqual(expected, heads)
                self.assertIn('refs/tags/1.0', refs)

    def test_uncommitted_work_is_one_commit_on_head(self):
        self.write('kept', 'two\n')
        self.write('new/näme "x"', 'new\n')
        self.write('ignored', 'never\n')
        (self.repo / 'link').symlink_to('/etc/passwd')
        before = self.state_of_repository()
        taken = self.snapshot()
        self.assertTrue(taken.uncommitted)
        self.assertEqual(self.head, git(taken.path, 'rev-parse', f'{taken.commit}^'))
        self.assertEqual('two', git(taken.path, 'show', f'{taken.commit}:kept'))
        self.assertIn('new/näme "x"', self.files)
        self.assertIn('link', self.files)
        self.assertNotIn('ignored', self.files)
        self.assertEqual(before, self.state_of_repository(), "the user's repository was written to")

    def test_deleted_and_staged_files(self):
        (self.repo / 'kept').unlink()
        self.write('staged', 'x')
        git(self.repo, 'add', 'staged')
        self.snapshot()
        self.assertEqual(['.gitignore', 'staged', ''], self.files)

    def test_snapshot_does_not_need_the_repository(self):
        self.write('kept', 'two\n')
        taken = self.snapshot()
        self.repo.rename(self.top / 'away')
        git(taken.path, 'fsck', '--full', '--strict')

    def test_clone_that_borrows_objects(self):
        borrowing = self.top / 'borrowing'
        git(self.top, 'clone', '-q', '--shared', str(self.repo), str(borrowing))
        (borrowing / 'kept').write_text('two\n')
        taken = self.snapshot(borrowing)
        self.repo.rename(self.top / 'gone')
        self.assertEqual('', git(taken.path, 'fsck', '--full'))
        self.assertEqual('two', git(taken.path, 'show', f'{taken.commit}:kept'))

    def test_shallow_clone(self):
        self.write('kept', 'two\n')
        git(self.repo, 'commit', '-q', '-am', 'second')
        shallow = self.top / 'shallow'
        git(self.top, 'clone', '-q', '--depth', '1', f'file://{self.repo}', str(shallow))
        (shallow / 'kept').write_text('three\n')
        taken = self.snapshot(shallow)
        self.assertEqual('three', git(taken.path, 'show', f'{taken.commit}:kept'))

    def test_linked_work_tree(self):
        git(self.repo, 'worktree', 'add', '-q', '-b', 'topic', str(self.top / 'tree'))
        (self.top / 'tree/kept').write_text('three\n')
        taken = self.snapshot(self.top / 'tree')
        self.assertEqual('three', git(taken.path, 'show', 'topic:kept'))

    def test_base_ref_names_the_branch(self):
        git(self.repo, 'checkout', '-q', '--detach')
        taken = self.snapshot(base_ref='stable/x')
        self.assertEqual(self.head, git(taken.path, 'rev-parse', 'refs/heads/stable/x'))
        self.assertEqual('refs/heads/stable/x', git(taken.path, 'symbolic-ref', 'HEAD'))

    def test_folder_with_configuration_is_a_project_of_its_own(self):
        self.write('examples/one/.zuul.yaml', '[]\n')
        self.write('examples/one/deep/file', 'x')
        self.write('examples/one/ignored', 'x')
        with open(os.fsencode(self.repo / 'examples/one') + b'/\xff', 'w'):
            pass
        taken = self.snapshot(self.repo / 'examples/one')
        self.assertEqual(['.zuul.yaml', 'deep/file', '\udcff', ''], self.files)
        self.assertEqual(taken.refs['refs/heads/main'], taken.commit)

    def test_hooks_of_the_repository_are_left_alone(self):
        self.write('examples/one/.zuul.yaml', '[]\n')
        for name in ('post-index-change', 'reference-transaction', 'fsmonitor'):
            hook = self.repo / '.git/hooks' / name
            hook.write_text(f'#!/bin/sh\ntouch "{self.top}/called"\n')
            hook.chmod(0o755)
        git(self.repo, 'config', 'core.fsmonitor', '.git/hooks/fsmonitor')
        snapshot(identify(self.repo), self.top / 'whole')
        snapshot(identify(self.repo / 'examples/one'), self.top / 'part')
        self.assertFalse((self.top / 'called').exists())

    def test_broken_repository_is_an_error_for_the_user(self):
        project = identify(self.repo)
        for path in (self.repo / '.git/objects').rglob('*'):
            if path.is_file():
                path.unlink()
        with self.assertRaisesRegex(UserError, 'cannot take a snapshot'):
            snapshot(project, self.top / 'clone')


class TestRepoState(unittest.TestCase):

    def test_refs(self):
        listed = ('1 refs/heads/main\n2 refs/heads/topic\n3 refs/remotes/origin/HEAD\n3 refs/remotes/origin/main\n'
                  '4 refs/remotes/origin/stable/x\n5 refs/tags/1.0')
        self.assertEqual({
            'refs/heads/main': '9',
            'refs/heads/topic': '2',
            'refs/heads/stable/x': '4',
            'refs/remotes/origin/main': '3',
            'refs/remotes/origin/stable/x': '4',
            'refs/remotes/origin/topic': '2',
            'refs/tags/1.0': '5',
        }, repo_state(listed, 'main', '9', '1'))

    def test_origin_of_a_branch_that_was_never_fetched_is_head(self):
        self.assertEqual('1', repo_state('', 'main', '9', '1')['refs/remotes/origin/main'])

    def test_a_branch_of_the_origin_that_a_branch_here_leaves_no_room_for(self):
        listed = '1 refs/heads/fix\n2 refs/heads/x/y\n3 refs/remotes/origin/fix/1\n4 refs/remotes/origin/x'
        self.assertEqual({
            'refs/heads/fix': '1', 'refs/heads/x/y': '2', 'refs/heads/main': '9',
            'refs/remotes/origin/fix/1': '3', 'refs/remotes/origin/x': '4', 'refs/remotes/origin/main': '8',
        }, repo_state(listed, 'main', '9', '8'))
