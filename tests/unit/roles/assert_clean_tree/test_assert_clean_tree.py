# SPDX-License-Identifier: Apache-2.0
"""What a real git says of real repositories."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library

module: Any = library('assert-clean-tree', 'assert_clean_tree')


class TestRecords(unittest.TestCase):
    def test_changed(self) -> None:
        tail = b'100644 100644 100644 1 2 '
        for record, expected in (
                (b'1 .M N... ' + tail + b'a b', (b'a b', 'changed')), (b'1 .D N... ' + tail + b'x', (b'x', 'deleted')),
                (b'1 A. N... ' + tail + b'x', (b'x', 'added to the index')), (b'# branch', None), (b'? x', None),
                (b'1 .T N... ' + tail + b'x', (b'x', 'of another type')), (b'', None),
                (b'1 .M SC.. ' + tail + b's', (b's', 'a submodule at another commit')),
                (b'u UU N... 1 2 3 4 5 6 7 a b', (b'a b', 'in conflict'))):
            with self.subTest(record=record):
                self.assertEqual(module.changed(record), expected)

    def test_patterns(self) -> None:
        self.assertEqual(module.problems_of(['*.log', '/a b/', '!x', '\\#x', 'ü']), [])
        self.assertEqual(len(module.problems_of(['', ' ', '#x', 'a\nb', 'a\rb', 'a\0b'])), 6)

    def test_printable(self) -> None:
        self.assertEqual(module.printable(b'a\nb\x1b\xff\xc3\xbc'), 'a\\nb\\x1b\\udcffü')

    def test_what_is_told(self) -> None:
        found = [module.Found(b'a%d' % number, 'not ignored') for number in range(48)]
        found += [module.Found(b'deep/x/%d' % number, 'not ignored') for number in range(9)]
        text = module.message('/p', [*found, module.Found(b'top', 'changed')], False)
        self.assertIn('\n  not ignored: deep/x/1\n  and at least 8 more: 7 in deep/, 1 in the top\n', text)


class TestTree(unittest.TestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.top = self.base / 'project'
        self.make(self.top)
        (self.top / '.gitignore').write_text('*.pyc\n')
        (self.top / 'a').write_text('1')
        self.commit(self.top)

    def git(self, folder: Path, *args: str) -> None:
        subprocess.run(['git', '-c', 'user.name=n', '-c', 'user.email=e', '-c', 'protocol.file.allow=always', *args],
                       cwd=folder, check=True, capture_output=True, timeout=60)

    def make(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.git(folder, 'init', '--quiet')

    def commit(self, folder: Path) -> None:
        self.git(folder, 'add', '.')
        self.git(folder, 'commit', '--quiet', '-m', 'x')

    def submodule(self) -> Path:
        origin = self.base / 'origin'
        self.make(origin)
        (origin / 's').write_text('1')
        self.commit(origin)
        self.git(self.top, 'submodule', 'add', '--quiet', str(origin), 'vendor/sub')
        self.commit(self.top)
        return self.top / 'vendor/sub'

    def left(self, *allowed: str, path: Path | None = None) -> list[str]:
        result = module.find(str(path or self.top), list(allowed), 60)
        self.assertEqual('msg' in result, bool(result['left']))
        self.told = result.get('msg', '')
        names: list[str] = result['left']
        return sorted(names)

    def test_clean(self) -> None:
        (self.top / 'x.pyc').write_text('')
        (self.top / 'empty').mkdir()
        before = (self.top / '.git/index').stat().st_mtime_ns
        os.utime(self.top / 'a')
        self.assertEqual(self.left(), [])
        self.assertEqual((self.top / '.git/index').stat().st_mtime_ns, before)

    def test_files_and_changes(self) -> None:
        (self.top / 'deep').mkdir()
        (self.top / 'deep/new').write_text('')
        (self.top / 'staged').write_text('')
        self.git(self.top, 'add', 'staged')
        (self.top / 'a').write_text('2')
        (self.top / '.gitignore').unlink()
        self.assertEqual(self.left(path=self.top / 'deep'), ['.gitignore', 'a', 'deep/new', 'staged'])
        for line in ('deleted: .gitignore', 'changed: a', 'added to the index: staged', 'not ignored: deep/new'):
            self.assertIn(f'\n  {line}\n', self.told)
        self.assertTrue(self.told.startswith(f'assert-clean-tree: {self.top} is not as it was checked out:\n'))

    def test_only_the_project_says_what_is_ignored(self) -> None:
        (self.top / '.git/info').mkdir(exist_ok=True)
        (self.top / '.git/info/exclude').write_text('*.log\n')
        (self.base / '.gitconfig').write_text(f'[core]\nexcludesFile = {self.base}/mine\n')
        (self.base / 'mine').write_text('*.tmp\n')
        (self.top / 'cache').mkdir()
        (self.top / 'cache/.gitignore').write_text('*\n')
        for name in ('x.log', 'x.tmp', 'cache/x'):
            (self.top / name).write_text('')
        with mock.patch.dict(os.environ, HOME=str(self.base), GIT_DIR='/nonexistent'):
            self.assertEqual(self.left(), ['x.log', 'x.tmp'])

    def test_odd_names(self) -> None:
        names = [b"it's", b'$(touch x) "y"', b'lat\xe9n', b'-rf', b'a\nb', b'\x1b[2J', 'ü'.encode()]
        for name in names:
            Path(os.fsdecode(os.fsencode(self.top) + b'/' + name)).write_text('')
        self.assertEqual(self.left(), sorted([
            "it's", '$(touch x) "y"', 'lat\\udce9n', '-rf', 'a\\nb', '\\x1b[2J', 'ü']))
        self.assertEqual(self.left('-rf', 'lat*', 'ü', 'it?s', '[$]*', 'a*'), ['\\x1b[2J'])

    def test_submodules(self) -> None:
        sub = self.submodule()
        self.assertEqual(self.left(), [])
        (sub / 'junk').write_text('')
        (sub / 's').write_text('2')
        self.assertEqual(self.left(), ['vendor/sub/junk', 'vendor/sub/s'])
        self.assertEqual(self.left('/vendor/sub/junk', 's'), [])
        self.commit(sub)
        self.assertEqual(self.left(), ['vendor/sub'])
        self.assertIn('a submodule at another commit: vendor/sub', self.told)

    def test_a_submodule_that_is_not_there(self) -> None:
        sub = self.submodule()
        self.git(self.top, 'submodule', 'deinit', '--quiet', '--force', 'vendor/sub')
        self.assertEqual(self.left(), [])
        (sub / 'deep').mkdir()
        (sub / 'deep/junk').write_text('')
        (sub / 'link').symlink_to('deep')
        self.assertEqual(self.left(), ['vendor/sub/deep/junk', 'vendor/sub/link'])
        shutil.rmtree(sub)
        sub.symlink_to('/etc')
        self.assertEqual(self.left(), ['vendor/sub'])
        self.assertIn('of another type: vendor/sub', self.told)

    def test_a_broken_submodule_is_no_way_out(self) -> None:
        sub = self.submodule()
        (sub / '.git').unlink()
        (sub / '.git').mkdir()
        with self.assertRaisesRegex(module.Refused, f'{sub}: git: exit code 128'):
            self.left()

    def test_repositories_within(self) -> None:
        self.make(self.top / 'empty')
        self.make(self.top / 'deep/full')
        (self.top / 'deep/full/x').write_text('')
        self.commit(self.top / 'deep/full')
        self.assertEqual(self.left(), ['deep/full/', 'empty/'])
        self.assertIn('not ignored, a repository of its own: empty/\n', self.told)
        self.assertEqual(self.left('/deep/full/', 'empty'), [])

    def test_allowed(self) -> None:
        for name in ('build/a/x.log', 'build/keep', 'x.log', 'docs/a/b/y.pdf', '#x'):
            (self.top / name).parent.mkdir(parents=True, exist_ok=True)
            (self.top / name).write_text('')
        (self.top / 'a').unlink()
        everything = ['#x', 'a', 'build/a/x.log', 'build/keep', 'docs/a/b/y.pdf', 'x.log']
        for patterns, left in (
                ((), everything), (('/build/',), ['#x', 'a', 'docs/a/b/y.pdf', 'x.log']),
                (('*.log',), ['#x', 'a', 'build/keep', 'docs/a/b/y.pdf']), (('/*.log',), everything[:-1]),
                (('*', '!keep', '!x.log'), ['x.log']), (('*', '!/build/', '!keep'), ['build/keep']),
                (('docs/**/*.pdf', '\\#x', 'a'), ['build/keep', 'x.log']),
                (('x', 'build'), ['#x', 'a', 'docs/a/b/y.pdf', 'x.log'])):
            with self.subTest(patterns=patterns):
                self.assertEqual(self.left(*patterns), left)

    def test_nothing_of_the_project_is_run(self) -> None:
        trap = self.base / 'trap'
        trap.write_text(f'#!/bin/sh\ntouch {self.base}/sprung\n')
        trap.chmod(0o755)
        (self.top / '.gitattributes').write_text('a filter=trap\n')
        self.commit(self.top)
        for key in ('core.fsmonitor', 'filter.trap.clean', 'filter.trap.process', 'core.sshCommand', 'core.pager'):
            self.git(self.top, 'config', key, str(trap))
        self.git(self.top, 'config', 'filter.trap.required', 'true')
        for name in ('post-index-change', 'post-checkout'):
            shutil.copy(trap, self.top / '.git/hooks' / name)
        (self.top / 'a').write_text('3')
        self.assertEqual(self.left(), ['a'])
        self.assertIn("changed, as far as can be told without its filter 'trap': a", self.told)
        self.assertFalse((self.base / 'sprung').exists())
        self.git(self.top, 'config', 'filter.odd=name.clean', str(trap))
        with self.assertRaisesRegex(module.Refused, "section 'filter.odd=name', whose name has a '='"):
            self.left()
        self.assertFalse((self.base / 'sprung').exists())

    def test_many_files(self) -> None:
        (self.top / 'many').mkdir()
        for number in range(200):
            (self.top / 'many' / str(number)).write_text('')
        with mock.patch.object(module, 'MAX_FOUND', 150):
            self.assertEqual(len(self.left()), module.SHOWN)
            self.assertIn('and at least 100 more: 100 in many/', self.told)
            with self.assertRaisesRegex(module.Refused, 'more than 150 files are allowed'):
                self.left('/many/')
        self.left()
        self.assertIn('and 150 more: 150 in many/', self.told)

    def test_refused(self) -> None:
        for path, message in (
                ('/nonexistent', "zuul_work_dir is '/nonexistent': no folder. Name the folder"),
                (str(self.base), f"zuul_work_dir is '{self.base}': not in a repository of git .*not a git repository")):
            with self.subTest(path=path), self.assertRaisesRegex(module.Refused, message):
                module.find(path, [], 60)
        with self.assertRaisesRegex(module.Refused, "2 problems:\n  - assert_clean_tree_allowed has '': no pattern"):
            self.left('', '#x')
        self.git(self.top, 'config', 'core.worktree', str(self.base))
        with self.assertRaisesRegex(module.Refused, 'core.worktree in .git/config'):
            self.left()

    def test_a_repository_of_somebody_else(self) -> None:
        if os.geteuid() == 0:
            subprocess.run(['chown', '-R', '65534', self.top], check=True, timeout=60)
            self.assertEqual(self.left(), [])
