"""Clean checkouts of real repositories."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

from tests.unit.zuul_local.replay.test_bundle import document
from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local.errors import UserError
from zuul_local.replay import bundle, checkout
from zuul_local.tenant.project import identify
from zuul_local.tenant.settings import Settings


def read(folder: Path, *words: str) -> str:
    return subprocess.run(('git', '-C', folder, *words), check=True, capture_output=True, text=True).stdout.strip()


class TestPrepare(ScratchCase):
    def setUp(self) -> None:
        super().setUp()
        self.project = self.repository('a', {'file': 'then\n'})
        self.git(self.project, 'remote', 'add', 'origin', 'https://example.org/a')
        self.then = read(self.project, 'rev-parse', 'HEAD')
        self.write(self.project, {'file': 'now\n'})
        self.git(self.project, 'commit', '-qam', 'now')
        self.other = self.repository('b', {'file': 'other\n'})
        self.write(self.project, {'file': 'uncommitted\n', 'new': ''})

    def wanted(self, **changed: Any) -> bundle.Bundle:
        commits = {'example.org/a': self.then, 'example.org/b': read(self.other, 'rev-parse', 'HEAD')}
        return dataclasses.replace(bundle.parse(document(), 'here'), **{'commits': commits, **changed})

    def prepare(self, wanted: bundle.Bundle, settings: Settings | None = None, any_commit: bool = False,
                project: Path | None = None) -> tuple[Path, tuple[str, ...]]:
        return checkout.prepare(wanted, identify(project or self.project), settings or Settings(),
                                self.folder / 'into', any_commit=any_commit)

    def test_what_it_was_and_not_what_lies_there(self) -> None:
        status = read(self.project, 'status', '--porcelain')
        here, words = self.prepare(self.wanted(), Settings({'example.org/b': self.other}))
        self.assertEqual((here / 'file').read_text(), 'then\n')
        self.assertEqual(identify(here).canonical_name, 'example.org/a')
        self.assertEqual(identify(here).branch, 'main')
        [word] = words
        name, _, folder = word.partition('=')
        self.assertEqual((name, Path(folder, 'file').read_text()), ('example.org/b', 'other\n'))
        self.assertEqual(read(self.project, 'status', '--porcelain'), status)

    def test_a_commit_that_no_branch_has(self) -> None:
        self.git(self.project, 'reset', '-q', '--hard', self.then)
        self.write(self.project, {'file': 'fetched\n'})
        self.git(self.project, 'commit', '-qam', 'x')
        commit = read(self.project, 'rev-parse', 'HEAD')
        self.git(self.project, 'reset', '-q', '--hard', self.then)
        here, _ = self.prepare(self.wanted(commits={'example.org/a': commit}))
        self.assertEqual((here / 'file').read_text(), 'fetched\n')

    def test_the_change_stands_for_its_merge(self) -> None:
        here, _ = self.prepare(self.wanted(commits={'example.org/a': 'f' * 40}, change=self.then))
        self.assertEqual((here / 'file').read_text(), 'then\n')

    def test_what_is_not_there_is_refused_together(self) -> None:
        wanted = self.wanted(commits={'example.org/a': 'f' * 40, 'example.org/b': 'e' * 40}, ref='refs/x;$(id)')
        with self.assertRaises(UserError) as caught:
            self.prepare(wanted, Settings({'example.org/b': self.other}))
        self.assertIn('example.org/a: commit ffffffffffff is not in', caught.exception.message)
        self.assertIn('example.org/b: commit eeeeeeeeeeee is not in', caught.exception.message)
        self.assertIn("git fetch origin 'refs/x;$(id)'", caught.exception.hint)
        here, _ = self.prepare(wanted, any_commit=True)
        self.assertEqual((here / 'file').read_text(), 'now\n')

    def test_another_project(self) -> None:
        with self.assertRaisesRegex(UserError, 'the bundle is of example.org/a, and .* is local/b'):
            self.prepare(self.wanted(), project=self.other)

    def test_a_folder_of_a_repository(self) -> None:
        self.write(self.project, {'sub/.zuul.yaml': '[]\n'})
        self.git(self.project, 'add', '-A')
        self.git(self.project, 'commit', '-qm', 'sub')
        wanted = self.wanted(project='local/sub', commits={'local/sub': 'f' * 40})
        with self.assertRaisesRegex(UserError, 'a folder of a repository'):
            self.prepare(wanted, project=self.project / 'sub')
        here, _ = self.prepare(wanted, project=self.project / 'sub', any_commit=True)
        self.assertEqual(identify(here).canonical_name, 'local/sub')

    def test_labels_come_along_and_are_not_tested(self) -> None:
        here, _ = self.prepare(self.wanted(), Settings(labels={'ubuntu-jammy': 'debian-bookworm'}))
        self.assertEqual((here / 'zuul-local.yaml').read_text(), 'labels:\n  ubuntu-jammy: debian-bookworm\n')
        self.assertEqual(read(here, 'status', '--porcelain'), '')

    def test_a_project_that_called_itself_otherwise(self) -> None:
        self.write(self.project, {'.gitreview': '[gerrit]\nhost=review.example.net\nproject=old/a\n'})
        self.git(self.project, 'add', '-A')
        self.git(self.project, 'commit', '-qm', 'x')
        commit = read(self.project, 'rev-parse', 'HEAD')
        self.git(self.project, 'reset', '-q', '--hard', self.then)
        with self.assertRaisesRegex(UserError, 'the project calls itself example.net/old/a'):
            self.prepare(self.wanted(commits={'example.org/a': commit}))
