# SPDX-License-Identifier: Apache-2.0
"""Logs are published whole or not at all."""
from __future__ import annotations

import contextlib
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.unit.roles import library
from tests.unit.roles.hostile import HostileTest

module: Any = library('upload-logs-directory', 'upload_logs_directory')


class PublishTest(HostileTest):
    def setUp(self) -> None:
        super().setUp()
        self.root = self.base / 'srv'
        self.root.mkdir()
        self.tree.mkdir()

    def publish(self, **other: Any) -> dict[str, Any]:
        result: dict[str, Any] = module.publish({
            'source': str(self.tree), 'root': str(self.root), 'path': 'ab/cd', 'url': 'https://logs.example.org/',
            'timeout': 60, **other})
        return result

    def files(self) -> dict[str, str]:
        return {str(path.relative_to(self.root)): path.read_text() for path in sorted(self.root.rglob('*'))
                if path.is_file()}

    @contextlib.contextmanager
    def small_files_only(self, size: int) -> Iterator[None]:
        """No file may have more than *size* bytes."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestPublish(PublishTest):
    def test_files_and_folders(self) -> None:
        (self.tree / 'a').write_text('1')
        (self.tree / 'a').chmod(0o4711)
        (self.tree / 'deep/er').mkdir(parents=True)
        (self.tree / 'deep/b').write_text('2')
        os.utime(self.tree / 'deep/b', (7, 7))
        self.assertEqual(self.publish(), {'changed': True, 'log_url': 'https://logs.example.org/ab/cd/', 'files': 2,
                                          'skipped': 0})
        self.assertEqual(self.files(), {'ab/cd/a': '1', 'ab/cd/deep/b': '2'})
        modes = {str(path.relative_to(self.root)): oct(path.stat().st_mode & 0o7777) for path in self.root.rglob('*')}
        self.assertEqual(modes, {'.incoming': '0o700', 'ab': '0o755', 'ab/cd': '0o755', 'ab/cd/a': '0o755',
                                 'ab/cd/deep': '0o755', 'ab/cd/deep/b': '0o644', 'ab/cd/deep/er': '0o755'})
        self.assertEqual((self.root / 'ab/cd/deep/b').stat().st_mtime, 7)

    def test_a_second_time_everything_is_replaced(self) -> None:
        (self.tree / 'a').write_text('1')
        self.publish()
        (self.tree / 'a').rename(self.tree / 'b')
        self.publish()
        self.assertEqual(self.files(), {'ab/cd/b': '1'})
        self.assertEqual(os.listdir(self.root / '.incoming'), [])

    def test_the_worst_output(self) -> None:
        self.tree.rmdir()
        self.make('--empty', '100', '--sparse', '0')
        (self.tree / 'hard/outside').unlink()
        self.assertGreater(self.publish()['skipped'], 10)
        self.assertEqual(self.wrong(self.root / 'ab/cd', empty=100), [])

    def test_swapped_for_links_meanwhile(self) -> None:
        self.tree.rmdir()
        self.make('--empty', '0', '--sparse', '0', '--deep', '1')
        (self.tree / 'hard/outside').unlink()
        self.swap(60)
        for number in range(5):
            with contextlib.suppress(module.Refused):
                self.publish(path=str(number))
        self.stop_swapping()
        for path in self.root.glob('[0-9]'):
            self.assertEqual([line for line in self.wrong(path) if 'swapped' not in line], [])

    def test_addresses(self) -> None:
        for url, path, expected in (('https://h', 'a/b', 'https://h/a/b/'), ('http://h/x//', 'a', 'http://h/x/a/'),
                                    ('https://h', 'ü #1?', 'https://h/%C3%BC%20%231%3F/')):
            self.assertEqual(module.log_url(url, path), expected)


class TestRefused(PublishTest):
    def refused(self, why: str, **other: Any) -> None:
        with self.assertRaisesRegex(module.Refused, why):
            self.publish(**other)

    def test_what_makes_no_sense(self) -> None:
        (self.base / 'link').symlink_to(self.root)
        for why, other in (
                ('_path is', {'path': ''}), ('_path is', {'path': '/etc'}), ('_path is', {'path': 'a/../b'}),
                ('_path is', {'path': 'a//b'}), ('_path is', {'path': '.incoming/x'}), ('_path is', {'path': 'a\nb'}),
                ('_path is', {'path': 'a/'}), ('_url is', {'url': 'javascript:x'}), ('_url is', {'url': 'https:///x'}),
                ('URL of 2[0-9][0-9] characters', {'path': 'a' * 230}), ('_timeout is 0', {'timeout': 0}),
                ('trusted_rw_paths', {'root': str(self.base / 'nowhere')}),
                ('no link; if it is there', {'root': str(self.base / 'link')}),
                ("_source is '.*/link': Not a directory", {'source': str(self.base / 'link')}),
                ('3 problems', {'path': '..', 'url': '', 'timeout': -1})):
            with self.subTest(why=why, other=other):
                self.refused(why, **other)
        self.assertEqual(os.listdir(self.root), [])

    def test_links_on_the_way(self) -> None:
        (self.tree / 'a').write_text('1')
        self.outside.mkdir()
        for way in ('ab', 'ab/cd', '.incoming'):
            with self.subTest(way=way):
                shutil.rmtree(self.root)
                (self.root / way).parent.mkdir(parents=True)
                (self.root / way).symlink_to(self.outside)
                self.refused('nothing was published')
                self.assertEqual(os.listdir(self.outside), [])

    def test_a_file_in_the_place(self) -> None:
        (self.root / 'ab').mkdir()
        (self.root / 'ab/cd').write_text('mine')
        self.refused('Not a directory')
        self.assertEqual(self.files(), {'ab/cd': 'mine'})

    def test_what_was_there_stays_when_writing_fails(self) -> None:
        (self.tree / 'a').write_text('1')
        self.publish()
        (self.tree / 'b').write_text('2' * 5000)
        with self.small_files_only(4000):
            self.refused(r"nothing was published to '.*': File too large")
        self.assertEqual(self.files(), {'ab/cd/a': '1'})
        self.assertEqual(os.listdir(self.root / '.incoming'), [])

    def test_towers(self) -> None:
        self.tree.rmdir()
        self.make('--deep', '450', '--empty', '0', '--sparse', '0')
        self.refused('more than 400 folders')
        self.assertEqual(self.files(), {})

    def test_no_time(self) -> None:
        (self.tree / 'a').write_text('1')
        source, target = (os.open(path, os.O_RDONLY) for path in (self.tree, self.root))
        self.addCleanup(os.close, source)
        self.addCleanup(os.close, target)
        with self.assertRaisesRegex(module.Refused, 'not done in time'):
            module.Copy(-1).folder(source, target)

    def test_what_a_killed_copy_left(self) -> None:
        old, new = self.root / '.incoming/old/x', self.root / '.incoming/new/x'
        for path in (old, new):
            path.mkdir(parents=True)
        os.utime(old.parent, (1, 1))
        self.publish()
        self.assertEqual([path.name for path in Path(self.root / '.incoming').iterdir()], ['new'])
