# SPDX-License-Identifier: Apache-2.0
"""Hostile output is made safe."""
from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import stat
import threading
from pathlib import Path
from typing import Any

from tests.unit.roles import library, module_utils
from tests.unit.roles.hostile import HostileTest

module: Any = library('sanitize-output', 'sanitize_output')
tree: Any = module_utils('sanitize_output_tree')
TOKEN = 'ghp_' + 'a1B2' * 9
STARS = '*' * len(TOKEN)


class SanitizeTest(HostileTest):
    def sanitize(self, root: Path | None = None, **other: Any) -> dict[str, Any]:
        params = {'root': str(root or self.tree), 'secrets': [], 'result_data': '', 'live': ['job-output.txt'],
                  'products': ['artifacts'], 'max_files': 200000, 'max_bytes': 8 << 30, 'max_file_bytes': 1 << 30,
                  'max_depth': 200, 'timeout': 240}
        result: dict[str, Any] = module.sanitize({**params, **other})
        return result

    def fill(self, **content: str | bytes) -> None:
        for name, data in content.items():
            path = self.tree / name.replace('__', '/')
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.tree)): path.read_bytes() for path in sorted(self.tree.rglob('*'))
                if path.is_file() and path.name != 'sanitize-output.json'}

    def record(self) -> Any:
        return json.loads((self.tree / 'sanitize-output.json').read_text())

    def dropped(self) -> dict[str, str]:
        return {entry['path']: entry['why'] for entry in self.record()['dropped']['first']}


class TestHostile(SanitizeTest):
    def test_the_worst_output(self) -> None:
        self.make('--empty', '3000')
        result = self.sanitize()
        self.assertEqual(self.wrong(self.tree, empty=3000), [])
        self.assertEqual(self.dropped()['hard/outside'], 'a hard link to a file elsewhere')
        self.assertTrue(all(not stat.S_IMODE(path.stat().st_mode) & 0o7022 for path in self.tree.rglob('*')))
        self.assertEqual(result['counts']['renamed'], len(self.record()['renamed']['first']))
        again = self.sanitize()
        self.assertEqual(again['counts'], {'dropped': 0, 'renamed': 0, 'masked': 0, 'modes': 0})
        self.assertFalse(self.sanitize()['changed'])

    def test_swapped_for_links_meanwhile(self) -> None:
        self.make('--empty', '0', '--deep', '1')
        self.swap(60)
        for _ in range(10):     # of two hundred things each
            with contextlib.suppress(tree.Refused):
                self.sanitize(secrets=['nobody outside'])
        self.stop_swapping()
        self.sanitize()
        self.assertEqual([line for line in self.wrong(self.tree) if 'swapped' not in line], [])


class TestStructure(SanitizeTest):
    def test_far_too_deep(self) -> None:
        self.make('--deep', '1200', '--empty', '0')
        self.assertEqual(self.sanitize(max_depth=20)['counts']['dropped'] > 0, True)
        self.assertEqual(self.wrong(self.tree, lacks=['deep']), [])
        self.assertEqual(self.dropped()['/'.join('d' * 21)], 'below more than 20 folders')
        self.assertEqual([path.name for path in self.tree.iterdir() if path.name.startswith('.')], [])

    def test_limits(self) -> None:
        for limits, kept, why in (
                ({'max_files': 3}, 3, 'one of more than 3 files'), ({'max_bytes': 10}, 2, 'beyond 10 bytes in all'),
                ({'max_file_bytes': 4}, 0, 'larger than 4 bytes'), ({}, 5, '')):
            with self.subTest(limits=limits):
                shutil.rmtree(self.tree, ignore_errors=True)
                self.fill(**dict.fromkeys('abcde', '12345'))
                self.assertEqual(self.sanitize(None, **limits)['files'], kept)
                self.assertEqual(len(self.files()), kept)
                self.assertEqual(set(self.dropped().values()), {why} - {''})

    def test_what_zuul_writes_stays_in_its_place(self) -> None:
        self.fill(**{'job-output.txt': f'a token {TOKEN}\n', 'b': '1'})
        with open(self.tree / 'job-output.txt', 'a') as zuul:
            self.sanitize(max_file_bytes=1, max_bytes=1, max_files=1)
            zuul.write('and the end\n')
        self.assertEqual(self.files()['job-output.txt'].decode(), f'a token {STARS}\nand the end\n')

    def test_live_files_that_are_none(self) -> None:
        self.fill(a='1')
        self.outside.write_text('mine')
        (self.tree / 'job-output.txt').symlink_to(self.outside)
        self.sanitize()
        (self.tree / 'job-output.txt').hardlink_to(self.outside)
        self.sanitize()
        self.assertEqual(self.files(), {'a': b'1'})
        self.assertEqual(self.outside.read_text(), 'mine')

    def test_hard_links_within_stay(self) -> None:
        self.fill(a='1')
        (self.tree / 'b').hardlink_to(self.tree / 'a')
        self.assertEqual(self.sanitize()['counts']['dropped'], 0)
        (self.base / 'c').hardlink_to(self.tree / 'a')
        self.assertEqual(self.sanitize()['counts']['dropped'], 2)
        self.assertEqual(self.files(), {})

    def test_hard_links_in_what_is_dropped_do_not_count(self) -> None:
        self.fill(a='1', deep__deeper__b='2')
        (self.tree / 'deep/deeper/c').hardlink_to(self.tree / 'a')
        self.sanitize(max_depth=1)
        self.assertEqual(self.files(), {})

    def test_names(self) -> None:
        self.fill(**{'a\nb': '1', 'a%0Ab': '2', 'a%0Ab~1': '3', 'x<y/z': '4'})
        self.sanitize()
        self.assertEqual(self.files(), {'a%0Ab': b'2', 'a%0Ab~1': b'3', 'a%0Ab~2': b'1', 'x%3Cy/z': b'4'})
        self.assertEqual([entry['was'] for entry in self.record()['renamed']['first']], ['a\nb', 'x<y'])
        self.assertNotIn('<', (self.tree / 'sanitize-output.json').read_text())

    def test_too_long_a_path(self) -> None:
        path = self.tree
        for _ in range(5):
            path = path / ('<' * 150)
        path.mkdir(parents=True)
        (path / 'file').write_text('1')
        self.sanitize()
        self.assertEqual(set(self.dropped().values()), {'a path of more than 1024 bytes'})

    def test_modes_nobody_can_read(self) -> None:
        self.fill(a__b__c='1', a__d='#!')
        (self.tree / 'a/b/c').chmod(0o4000)
        (self.tree / 'a/d').chmod(0o100)
        (self.tree / 'a/b').chmod(0)
        (self.tree / 'a').chmod(0o3000)
        self.sanitize()
        modes = {path: oct((self.tree / path).stat().st_mode & 0o7777) for path in ('a', 'a/b', 'a/b/c', 'a/d')}
        self.assertEqual(modes, {'a': '0o755', 'a/b': '0o755', 'a/b/c': '0o644', 'a/d': '0o755'})

    def test_the_record_replaces_what_is_there(self) -> None:
        target = self.base / 'target'
        target.write_text('mine')
        path = self.tree / 'sanitize-output.json'
        for plant in (lambda: path.symlink_to(target), lambda: path.mkdir(), lambda: os.mkfifo(path),
                      lambda: path.write_text('{"dropped": "lies"}'), lambda: path.hardlink_to(target)):
            shutil.rmtree(self.tree, ignore_errors=True)
            self.fill(a='1')
            plant()
            self.assertTrue(self.sanitize()['changed'])
            self.assertIsInstance(self.record()['dropped'], dict)
            self.assertEqual(target.read_text(), 'mine')

    def test_what_a_killed_run_left(self) -> None:
        self.fill(**{'.sanitize-' + '0' * 32 + '/a/b': '1', 'sub/.sanitize-x': '2'})
        self.sanitize()
        self.assertEqual(self.files(), {'sub/.sanitize-x': b'2'})

    def test_it_refuses(self) -> None:
        self.fill(a='1')
        link = self.base / 'link'
        link.symlink_to(self.tree)
        for root, other, why in (
                (link, {}, 'Not a directory. It must be a folder'), (self.base / 'no', {}, 'No such file'),
                (self.tree / 'a', {}, 'Not a directory'), (self.tree, {'timeout': 0, 'max_files': -1}, '2 problems'),
                (self.tree, {'live': ['a/b', '..']}, "live has '..'"), (self.tree, {'max_depth': 501}, 'at most 500')):
            with self.subTest(why=why), self.assertRaisesRegex(tree.Refused, why):
                self.sanitize(root, **other)
        self.assertEqual(self.files(), {'a': b'1'})

    def test_somebody_who_does_not_stop(self) -> None:
        self.fill(a='1')
        stop = threading.Event()

        def plant() -> None:
            while not stop.is_set():
                with contextlib.suppress(FileExistsError):
                    os.symlink('/etc/passwd', self.tree / 'x')

        thread = threading.Thread(target=plant)
        thread.start()
        try:
            with self.assertRaisesRegex(tree.Refused, 'something still writes to the folder'):
                for _ in range(10000):
                    self.sanitize()
        finally:
            stop.set()
            thread.join()

    def test_no_time(self) -> None:
        self.fill(a='1')
        clock = tree.Clock(-1)
        root = tree.open_root(str(self.tree))
        self.addCleanup(os.close, root)
        walk = tree.Tree(root, tree.Limits(10, 10, 10, 10), [], clock, tree.Record())
        with self.assertRaisesRegex(tree.Refused, 'not done in time'):
            walk.tidy()
        walk.close()


class TestSecrets(SanitizeTest):
    def test_files(self) -> None:
        self.fill(log=f'x {TOKEN}', **{'a__log.gz': gzip.compress(f'{TOKEN} y'.encode())}, plain='nothing',
                  artifacts__log=f'{TOKEN} and s3cret')
        untouched = (self.tree / 'plain').stat()
        os.utime(self.tree / 'log', (1, 1))
        os.utime(self.tree / 'a/log.gz', (1, 1))
        result = self.sanitize(secrets=['s3cret'])
        files = self.files()
        self.assertEqual(gzip.decompress(files.pop('a/log.gz')).decode(), f'{STARS} y')
        self.assertEqual(files, {'log': f'x {STARS}'.encode(), 'plain': b'nothing',
                                 'artifacts/log': f'{TOKEN} and ******'.encode()})
        self.assertEqual(result['counts']['masked'], 3)
        self.assertEqual((self.tree / 'plain').stat().st_ctime_ns, untouched.st_ctime_ns)
        self.assertEqual([(self.tree / path).stat().st_mtime for path in ('log', 'a/log.gz')], [1, 1])
        self.assertNotIn('s3cret', json.dumps([result, self.record()]))

    def test_gzip_that_is_none_or_broken(self) -> None:
        packed = gzip.compress(os.urandom(3000) + TOKEN.encode() + os.urandom(3000))
        for name, data, expected in (
                ('cut', packed[:-10], STARS), ('members', gzip.compress(b'one') + packed, STARS),
                ('padded', packed + b'\0' * 700000, STARS), ('magic', b'\x1f\x8b\x08' + TOKEN.encode(), ''),
                ('tail', gzip.compress(b'fine') + b' then ' + TOKEN.encode(), ''), ('short', b'\x1f\x8b\x08', '')):
            with self.subTest(name=name):
                shutil.rmtree(self.tree, ignore_errors=True)
                self.fill(log=data)
                self.sanitize()
                after = self.files()['log']
                if expected:
                    self.assertIn(expected.encode(), gzip.decompress(after))
                else:
                    self.assertEqual(after, data.replace(TOKEN.encode(), STARS.encode()))

    def test_gzip_without_a_secret_is_not_written(self) -> None:
        self.fill(log=gzip.compress(b'fine') + gzip.compress(b'', mtime=7) + b'\0\0')
        before = (self.tree / 'log').stat()
        self.sanitize()
        self.assertEqual((self.tree / 'log').stat().st_ctime_ns, before.st_ctime_ns)

    def test_gzip_that_unpacks_to_too_much(self) -> None:
        self.fill(bomb=gzip.compress(bytes(1 << 22)), log='fine')
        self.sanitize(max_file_bytes=1 << 20)
        self.assertEqual(self.files(), {'log': b'fine'})
        self.assertEqual(self.dropped(), {'bomb': 'unpacks to more than 1048576 bytes'})

    def test_what_there_is_no_time_for(self) -> None:
        self.fill(**{'job-output.txt': 'x', 'a__b': 'y'})
        record, clock = tree.Record(), tree.Clock(-1)
        root = tree.open_root(str(self.tree))
        self.addCleanup(os.close, root)
        walk = tree.Tree(root, tree.Limits(10, 10, 10, 10), ['job-output.txt'], tree.Clock(60), record)
        walk.tidy()
        module.mask(root, walk, module.Masker([]), {'live': ['job-output.txt'], 'products': [], 'max_file_bytes': 10},
                    clock, record)
        walk.close()
        self.assertEqual(self.files(), {})
        self.assertEqual(record.counts, {'dropped': 2})

    def test_short_values_are_told(self) -> None:
        self.fill(a='abc')
        self.assertEqual(self.sanitize(secrets=['abc', 'xy'])['lines'], [
            '2 secrets have fewer than 4 bytes and were not looked for'])
