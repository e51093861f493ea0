# SPDX-License-Identifier: Apache-2.0
"""What was built is recognised, nothing else is, and an archive of sources is the same every time."""
from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path
from typing import Any

from tests.unit.roles import module_utils

files: Any = module_utils('build_python_release_files')


def sdist(path: Path, members: list[tuple[str, bytes]], mtime: int = 2_000_000_000, uid: int = 1000,
          mode: int = 0o664) -> None:
    with tarfile.open(path, 'w:gz') as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.uid, member.mode, member.uname = len(content), mtime, uid, mode, f'u{uid}'
            archive.addfile(member, io.BytesIO(content))


def wheel(path: Path, about: str) -> None:
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr(f'{"-".join(path.name.split("-")[:2])}.dist-info/METADATA', about)


class NameTest(unittest.TestCase):
    def test_names(self) -> None:
        for name, expected in (
                ('thing-1.0.tar.gz', ('python_sdist', 'thing', '1.0')),
                ('my_thing-1.0.dev3.zip', ('python_sdist', 'my-thing', '1.0.dev3')),
                ('my-old-thing-1.0rc1.tar.gz', ('python_sdist', 'my-old-thing', '1.0rc1')),
                ('thing-1.0+local.1.tar.gz', ('python_sdist', 'thing', '1.0+local.1')),
                ('Thing.Two-1!2.0.tar.gz', ('python_sdist', 'thing-two', '1!2.0')),
                ('thing-1.0-py3-none-any.whl', ('python_wheel', 'thing', '1.0')),
                ('my_thing-1.0-1build-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
                 ('python_wheel', 'my-thing', '1.0')),
                ('thing.tar.gz', None), ('-thing-1.0.tar.gz', None), ('../thing-1.0.tar.gz', None),
                ('thing-1.0\n.tar.gz', None), ('thing-1.0-py3-none.whl', None), ('--x-1-py3-none-any.whl', None),
                ('thing-1.0 .tar.gz', None), ('', None)):
            with self.subTest(name=name):
                self.assertEqual(files.parse(name), expected)

    def test_projects(self) -> None:
        self.assertEqual([files.project(name) for name in ('A_b', 'a.-_B', 'ab')], ['a-b', 'a-b', 'ab'])


class FilesTest(unittest.TestCase):
    def setUp(self) -> None:
        self.dist = Path(self.enterContext(tempfile.TemporaryDirectory())) / 'dist'
        self.dist.mkdir()

    def refused(self, *arguments: Any, call: Any = files.look) -> str:
        with self.assertRaises(files.Unusable) as caught:
            call(*arguments)
        return str(caught.exception)

    def test_what_is_there(self) -> None:
        wheel(self.dist / 'thing-1.0-py3-none-any.whl', 'Name: thing\n')
        sdist(self.dist / 'thing-1.0.tar.gz', [])
        (self.dist / 'notes.txt').touch()
        found = files.look(str(self.dist))
        self.assertEqual([(one['type'], one['name'], one['project'], one['version']) for one in found], [
            ('python_sdist', 'thing-1.0.tar.gz', 'thing', '1.0'),
            ('python_wheel', 'thing-1.0-py3-none-any.whl', 'thing', '1.0')])
        raw = (self.dist / 'thing-1.0.tar.gz').read_bytes()
        self.assertEqual((found[0]['sha256'], found[0]['size']), (hashlib.sha256(raw).hexdigest(), len(raw)))

    def test_what_is_something_else(self) -> None:
        outside = self.dist.parent / 'outside-1.0.tar.gz'
        outside.write_bytes(b'secret')
        bad = self.dist / 'thing-1.0.tar.gz'
        for make, says in ((lambda: bad.symlink_to(outside), 'is no plain file that can be read: Too many levels'),
                           (lambda: os.mkfifo(bad), "thing-1.0.tar.gz' is no plain file"),
                           (bad.mkdir, 'is no plain file')):
            make()
            with self.subTest(says=says):
                self.assertIn(says, self.refused(str(self.dist)))
            bad.rmdir() if bad.is_dir() and not bad.is_symlink() else bad.unlink()
        (self.dist / 'a\x1b[31m.whl').touch()
        self.assertEqual(self.refused(str(self.dist)), "'a\\x1b[31m.whl' is no name of an sdist or a wheel")
        link = self.dist.parent / 'link'
        link.symlink_to(self.dist)
        self.assertIn('is a link: what it leads to is not touched', self.refused(str(link)))
        self.assertIn('No such file', self.refused(str(self.dist / 'none')))

    def test_metadata(self) -> None:
        about = 'Name: thing\nVersion: 1.0\nRequires-Dist: six\n'
        wheel(self.dist / 'thing-1.0-py3-none-any.whl', about)
        sdist(self.dist / 'thing-1.0.tar.gz', [('thing-1.0/a/PKG-INFO', b'Name: other\n'),
                                               ('thing-1.0/PKG-INFO', about.encode())])
        for path in self.dist.iterdir():
            self.assertEqual(files.metadata(str(path))['Name'], 'thing')
        sdist(self.dist / 'none-1.0.tar.gz', [])
        self.assertIn('has no metadata', self.refused(str(self.dist / 'none-1.0.tar.gz'), call=files.metadata))
        for name in ('bad-1.0.tar.gz', 'bad-1.0-py3-none-any.whl'):
            (self.dist / name).write_bytes(b'nonsense')
            self.assertIn('is damaged', self.refused(str(self.dist / name), call=files.metadata))

    def test_the_same_every_time(self) -> None:
        content = [('thing-1.0/b', b'2'), ('thing-1.0/a', b'1')]
        digests, path = set(), self.dist / 'thing-1.0.tar.gz'
        for order, uid, mode, mtime in ((1, 1000, 0o664, 1_900_000_000), (-1, 0, 0o600, 1_800_000_000)):
            sdist(path, content[::order], mtime, uid, mode)
            self.assertTrue(files.settle(str(path), 1_700_000_000))
            digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
            self.assertFalse(files.settle(str(path), 1_700_000_000))
        self.assertEqual(len(digests), 1)
        self.assertEqual(os.listdir(self.dist), [path.name])
        with tarfile.open(path) as archive:
            self.assertEqual([(one.name, one.mtime, one.uid, one.uname, one.mode) for one in archive], [
                ('thing-1.0/a', 1_700_000_000, 0, '', 0o644), ('thing-1.0/b', 1_700_000_000, 0, '', 0o644)])
            taken = archive.extractfile('thing-1.0/b')
            assert taken
            self.assertEqual(taken.read(), b'2')
        self.assertEqual(path.stat().st_mode & 0o777, 0o644)

    def test_links_and_older_members_stay(self) -> None:
        path = self.dist / 'thing-1.0.tar.gz'
        with tarfile.open(path, 'w:gz') as archive:
            for name, kind, target in (('z/real', tarfile.REGTYPE, ''), ('z/hard', tarfile.LNKTYPE, 'z/real'),
                                       ('z/soft', tarfile.SYMTYPE, 'real'), ('z', tarfile.DIRTYPE, '')):
                member = tarfile.TarInfo(name)
                member.type, member.linkname, member.mtime, member.mode = kind, target, 5, 0o755
                archive.addfile(member)
        files.settle(str(path), 1_700_000_000)
        with tarfile.open(path) as archive:
            self.assertEqual([(one.name, one.type, one.linkname, one.mtime, one.mode) for one in archive], [
                ('z', tarfile.DIRTYPE, '', 5, 0o755), ('z/real', tarfile.REGTYPE, '', 5, 0o755),
                ('z/soft', tarfile.SYMTYPE, 'real', 5, 0o755), ('z/hard', tarfile.LNKTYPE, 'z/real', 5, 0o755)])

    def test_damaged_archives_stay(self) -> None:
        path = self.dist / 'thing-1.0.tar.gz'
        whole = gzip.compress(os.urandom(5000))
        path.write_bytes(whole[:2000])
        self.assertIn('is damaged', self.refused(str(path), 1_700_000_000, call=files.settle))
        self.assertEqual((os.listdir(self.dist), path.read_bytes()), ([path.name], whole[:2000]))


if __name__ == '__main__':
    unittest.main()
