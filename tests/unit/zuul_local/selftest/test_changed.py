from __future__ import annotations

import contextlib
import unittest

from tests.unit.zuul_local.lint.library import library
from tests.unit.zuul_local.scratch import ScratchCase
from tests.unit.zuul_local.selftest.builds import build
from zuul_local.errors import UserError
from zuul_local.nodes.labels import default_label
from zuul_local.selftest import changed
from zuul_local.selftest.changed import Touched

OWN = 'zuul-tests.d/roles.yaml'


class TestTouched(unittest.TestCase):
    def test_what_a_file_asks_for(self) -> None:
        table: tuple[tuple[str, Touched], ...] = (
            ('roles/do-thing/tasks/main.yaml', Touched(dict.fromkeys(('do-thing', 'do-more'), ''))),
            ('roles/do-thing/files/deep/down', Touched(dict.fromkeys(('do-thing', 'do-more'), ''))),
            ('roles/do-more/library/do_more.py', Touched({'do-more': ''})),
            ('roles/do-thing/README.rst', Touched({})),
            ('roles/gone/tasks/main.yaml', Touched({})),
            ('test-playbooks/do-more/offline.yaml', Touched({'do-more': ''})),
            ('playbooks/thing/run.yaml', Touched(dict.fromkeys(('do-thing', 'do-more'), ''))),
            ('playbooks/thing/gone.yaml', Touched({})),
            ('zuul.d/jobs.yaml', Touched({})),
            ('node/recipe/setup-node', Touched({}, everything='*')),
            ('node/README.rst', Touched({})),
            ('zuul_local/cli.py', Touched({}, runner='*')),
            ('zuul-local', Touched({}, runner='*')),
            ('tests/unit/test_documentation.py', Touched({})),
            ('README.rst', Touched({})),
        )
        with library({}) as root:
            for name, expected in table:
                with self.subTest(file=name):
                    wanted = Touched(dict.fromkeys(expected.roles, name), expected.everything and name,
                                     expected.runner and name)
                    self.assertEqual(changed.touched(root, [name]), wanted)

    def test_a_file_of_jobs_asks_for_their_roles_unless_it_is_their_frame(self) -> None:
        with library({'zuul-tests.d/more.yaml': '- job: {name: odd, run: test-playbooks/do-more/absent.yaml}',
                      'zuul.d/frame.yaml': '- job: {name: frame, abstract: true}',
                      OWN: ('name: self-test-do-thing\n', 'name: self-test-do-thing\n    parent: frame\n')}) as root:
            self.assertEqual(changed.touched(root, ['zuul-tests.d/more.yaml']),
                             Touched({'do-more': 'zuul-tests.d/more.yaml'}))
            self.assertEqual(changed.touched(root, ['zuul.d/frame.yaml']), Touched({}, everything='zuul.d/frame.yaml'))
            self.assertEqual(changed.touched(root, [OWN]), Touched({}, everything=OWN))      # it has their nodesets

    def test_what_cannot_be_read_is_told(self) -> None:
        with library({'playbooks/thing/run.yaml': 'a: b: c'}) as root, \
                self.assertRaisesRegex(UserError, '^playbooks/thing/run.yaml:1: no YAML'):
            changed.touched(root, ['playbooks/thing/run.yaml'])


class TestBuilds(unittest.TestCase):
    EVERY = (build('a', 'a/absent'), build('a-offline', 'a/offline'), build('b', 'b/absent'),
             build('all', 'a/absent', 'b/absent', public=True))

    def test_what_runs(self) -> None:
        table: tuple[tuple[Touched, list[str]], ...] = (
            (Touched({}), []),
            (Touched({'a': ''}), ['a', 'a-offline']),
            (Touched({'b': ''}, runner='x'), ['b', 'all']),
            (Touched({}, everything='x', runner='x'), ['a', 'a-offline', 'b']),
        )
        for touched, expected in table:
            with self.subTest(touched=touched):
                found = changed.builds(self.EVERY, touched)
                self.assertEqual([one.job for one in found], expected)
                self.assertEqual({one.label for one in found if one.public},
                                 {default_label().name} if 'all' in expected else set())

    def test_what_is_said(self) -> None:
        since = 'changed since 0123456789ab: '
        table: tuple[tuple[Touched, list[str]], ...] = (
            (Touched({}), [f'{since}nothing that a self-test tries']),
            (Touched({'b': 'y', 'a': 'x'}, runner='z'),
             [f'{since}x, so role a is tried', f'{since}y, so role b is tried',
              f'{since}z, so the public jobs are tried on the default label']),
            (Touched({'b': 'y'}, everything='node/x'), [f'{since}node/x, so every role is tried']),
        )
        for touched, expected in table:
            with self.subTest(touched=touched):
                self.assertEqual(touched.told('0123456789abcdef'), expected)


class TestGit(ScratchCase):
    def test_files_since_a_commit_with_those_that_git_does_not_know(self) -> None:
        root = self.repository('library', {'a': '1', 'b': '1', 'c': '1', '.gitignore': 'ignored\n'})
        base = changed.base(root, 'HEAD')
        self.write(root, {'a': '2', 'new\nname': '1', 'ignored': '1'})
        self.git(root, 'commit', '-qam', 'Second')
        self.git(root, 'mv', 'b', 'moved')
        self.assertEqual(changed.files_since(root, base), ['a', 'b', 'moved', 'new\nname'])
        self.assertEqual(changed.files_since(root, changed.base(root, 'HEAD')), ['b', 'moved', 'new\nname'])

    def test_the_base_is_where_the_work_left_origin(self) -> None:
        origin = self.repository('origin', {'a': '1'})
        root = self.folder / 'work'
        self.git(self.folder, 'clone', '-q', str(origin), str(root))
        left = changed.base(root, 'HEAD')
        self.git(root, 'commit', '-q', '--allow-empty', '-m', 'Work')
        self.assertEqual(changed.base(root, ''), left)
        self.git(root, 'remote', 'remove', 'origin')
        with self.assertRaisesRegex(UserError, '^there is no branch of origin to compare with'):
            changed.base(root, '')

    def test_a_base_that_git_does_not_know_is_refused(self) -> None:
        root = self.repository('library')
        for given in ('moon', '--all', 'HEAD~9'):
            with self.subTest(given=given), contextlib.ExitStack() as stack:
                caught = stack.enter_context(self.assertRaises(UserError))
                changed.base(root, given)
            self.assertEqual(caught.exception.message, f'--changed {given!r}: git knows no such commit.')

    def test_the_last_release_counts_unless_it_is_far_back(self) -> None:
        root = self.repository('library')
        ids = [changed.base(root, 'HEAD')]
        for number in range(4):
            self.git(root, 'commit', '-q', '--allow-empty', '-m', str(number))
            ids.append(changed.base(root, 'HEAD'))
        self.assertEqual(changed.recent(root, 9), '')
        self.assertEqual(changed.recent(root, 3), ids[1])
        self.git(root, 'tag', '-m', 'Release', '1.0', ids[2])
        self.assertEqual(changed.recent(root, 9), ids[2])
        self.assertEqual(changed.recent(root, 3), ids[2])
        self.assertEqual(changed.recent(root, 1), ids[3])
