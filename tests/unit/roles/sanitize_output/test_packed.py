# SPDX-License-Identifier: Apache-2.0
"""Secrets in what is packed, and told elsewhere."""
from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import time
import unittest
import zipfile
from typing import Any

from tests.unit.roles import module_utils
from tests.unit.roles.sanitize_output.test_sanitize_output import SanitizeTest

packed: Any = module_utils('sanitize_output_packed')
masks: Any = module_utils('sanitize_output_masks')
told: Any = module_utils('sanitize_output_told')
SECRET = 'a secret of ours'
STARS = '*' * len(SECRET)
TEXT = f'before {SECRET} after\n'.encode()
COVERED = TEXT.replace(SECRET.encode(), STARS.encode())


def tar(form: int = tarfile.PAX_FORMAT, /, **members: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w', format=form) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 7
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def untar(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive.getmembers()}  # type: ignore


def zipped(how: int = zipfile.ZIP_DEFLATED, /, **members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', how) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
            info.compress_type, info.external_attr = how, 0o755 << 16
            archive.writestr(info, data)
    return stream.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class PackedTest(SanitizeTest):
    def covered(self, data: bytes, **other: Any) -> bytes:
        self.fill(file=data)
        self.sanitize(secrets=[SECRET], **other)
        return self.files().get('file', b'')


class TestArchives(PackedTest):
    def test_members(self) -> None:
        long = 'n' * 300
        members = {'a': TEXT, 'b': b'fine' * 400, long: TEXT, 'empty': b'', 'big': b'x' * 70000 + TEXT}
        expected = {name: data.replace(TEXT, COVERED) for name, data in members.items()}
        for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            self.assertEqual(untar(self.covered(tar(form, **members))), expected)
        for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            new = self.covered(zipped(how, **members))
            self.assertEqual(unzipped(new), expected)
            with zipfile.ZipFile(io.BytesIO(new)) as archive:
                info = archive.getinfo('a')
                self.assertEqual((info.external_attr >> 16, info.date_time, info.compress_type),
                                 (0o755, (2026, 1, 2, 3, 4, 6), how))

    def test_in_each_other(self) -> None:
        inner = {'log': TEXT, 'log.gz': gzip.compress(TEXT)}
        self.assertEqual(untar(gzip.decompress(self.covered(gzip.compress(tar(log=TEXT))))), {'log': COVERED})
        self.assertEqual(gzip.decompress(gzip.decompress(self.covered(gzip.compress(gzip.compress(TEXT))))), COVERED)
        deep = unzipped(self.covered(zipped(
            a=gzip.compress(tar(**inner, z=zipped(**inner))), b=zipped(**inner), c=b'c')))
        self.assertEqual(deep['c'], b'c')
        within = untar(gzip.decompress(deep['a']))
        for found in (within, unzipped(within['z']), unzipped(deep['b'])):
            self.assertEqual((found['log'], gzip.decompress(found['log.gz'])), (COVERED, COVERED))

    def test_without_a_secret_nothing_is_written(self) -> None:
        for data in (tar(a=b'fine', b=gzip.compress(b'fine')), zipped(a=b'fine', b=tar(c=b'fine')), zipped(),
                     gzip.compress(zipped(a=b'fine'))):
            self.fill(file=data)
            before = (self.tree / 'file').stat()
            self.sanitize(secrets=[SECRET])
            self.assertEqual((self.tree / 'file').stat().st_ctime_ns, before.st_ctime_ns)

    def test_what_is_beside_the_members(self) -> None:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, 'w') as archive:
            archive.comment = TEXT
            archive.writestr('a', 'fine')
        self.assertNotIn(SECRET.encode(), self.covered(stream.getvalue()))
        self.assertNotIn(SECRET.encode(), self.covered(tar(a=b'x') + TEXT))
        self.assertEqual(untar(self.covered(tar(**{SECRET: b'x'}))), {STARS: b'x'})

    def test_damaged(self) -> None:
        archive = zipped(a=TEXT, b=b'fine' * 400)
        for name, data, expected in (
                ('cut tar', tar(a=TEXT * 9)[:600], None), ('half a header', tar(a=TEXT)[:512] + b'x', None),
                ('cut zip', archive[:-30], archive[:-30]),
                ('only its name', b'PK\x03\x04' + TEXT, b'PK\x03\x04' + COVERED),
                ('a sum that is wrong', b'y' + tar(a=TEXT)[1:], b'y' + tar(a=COVERED)[1:])):
            with self.subTest(name=name):
                after = self.covered(data)
                self.assertNotIn(SECRET.encode(), after)
                if expected is not None:
                    self.assertEqual(after, expected)

    def test_zip_that_cannot_be_packed_anew(self) -> None:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, 'w') as archive:
            archive.writestr(zipfile.ZipInfo('a'), TEXT)
            archive.writestr('b', b'x' * 100, zipfile.ZIP_BZIP2)
        self.assertEqual(self.covered(stream.getvalue()), b'')
        self.assertEqual(self.dropped(), {'file': 'has secrets, and cannot be packed anew'})
        wrong = zipped(zipfile.ZIP_STORED, a=TEXT).replace(b'after\n', b'wrong\n')
        self.assertEqual(unzipped(self.covered(wrong)), {'a': COVERED.replace(b'after', b'wrong')})
        fine = stream.getvalue().replace(TEXT, b'-' * len(TEXT))
        self.assertEqual(self.covered(fine), fine)

    def test_bombs(self) -> None:
        bomb = gzip.compress(bytes(1 << 22))
        for data in (zipped(a=bytes(1 << 22)), zipped(a=bomb), gzip.compress(bomb), tar(a=bomb),
                     zipped(**{str(i): bytes(1 << 16) for i in range(64)})):
            self.assertEqual(self.covered(data, max_file_bytes=1 << 20), b'')
            self.assertEqual(self.dropped(), {'file': 'unpacks to more than 1048576 bytes'})
        data = TEXT
        for _ in range(12):
            data = gzip.compress(data)
        self.assertEqual(self.covered(data), b'')
        self.assertEqual(self.dropped(), {'file': 'is packed more than 8 times'})
        many = b'PK\x03\x04' + b'PK\x05\x06' + b'\0' * 6 + b'\xff' * 10 + b'\0' * 2
        self.assertEqual(self.covered(many), b'')
        self.assertIn('has a directory of more than', self.dropped()['file'])

    def test_it_ends_in_time(self) -> None:
        start = time.monotonic()
        for data in (b'\0' * (8 << 20), tar(**{str(i): b'' for i in range(3000)}),
                     zipped(**{str(i): b'' for i in range(3000)})):
            self.covered(data)
        self.assertLess(time.monotonic() - start, 30)

    def test_other_packing_stays(self) -> None:
        for data in (bz2.compress(TEXT * 99), lzma.compress(TEXT * 99)):
            self.assertEqual(self.covered(data), data)

    def test_nothing_is_left_aside(self) -> None:
        self.covered(zipped(a=gzip.compress(tar(a=TEXT))))
        self.assertEqual(sorted(os.listdir(self.tree)), ['file', 'sanitize-output.json'])


class TestOverLines(unittest.TestCase):
    def masked(self, data: bytes, secret: str = SECRET) -> bytes:
        return b''.join(piece for piece, _, _ in masks.masked(io.BytesIO(data).read, masks.Masker([secret])))

    def test_wherever_it_is_broken(self) -> None:
        zuul = '2026-01-01 10:00:00.123456 | node | '
        for between in ('\n', '\r\n', '\n    ', '\n' + zuul, '\n' + zuul + '  ', '\\n', '\\\\n', '\\r\\n', '\n\n'):
            for secret in (SECRET.replace(' ', '-'), SECRET):
                for at in (1, 4, 8, len(SECRET) - 1):
                    if ' ' in secret and between.endswith('  ') and secret[at] == ' ':
                        continue        # nobody knows which of the blanks are its own
                    with self.subTest(between=between, at=at):
                        data = f'x\n< {secret[:at]}{between}{secret[at:]} >\ny'.encode()
                        self.assertEqual(self.masked(data, secret).replace(b'*', b''), f'x\n< {between} >\ny'.encode())

    def test_base64_of_several_lines(self) -> None:
        for before in range(60):
            data = base64.encodebytes(b'x' * before + SECRET.encode() + b'y' * 200)
            self.assertNotIn(b'secret of our', base64.decodebytes(self.masked(data).replace(b'*', b'A')))

    def test_where_pieces_meet(self) -> None:
        for back in range(len(SECRET) + 2):
            data = b'-' * (masks.CHUNK - back) + f'{SECRET[:5]}\n{SECRET[5:]}'.encode() + b'-' * masks.OVERLAP
            self.assertEqual(self.masked(data).replace(b'-', b''), b'*****\n' + b'*' * (len(SECRET) - 5))

    def test_not_what_is_short_or_apart(self) -> None:
        for secret, data in (('abcdefg', b'abc\ndefg'), (SECRET, b'a secret\n of\n\nyours'),
                             (SECRET, b'a secret | of ours')):
            self.assertEqual(self.masked(data, secret), data)

    def test_no_text_takes_long(self) -> None:
        for data in (b'\n' * (1 << 20), b'\\' * (1 << 20), b'\\r' * (1 << 19), b'a\n' * (1 << 19), b'\n ' * (1 << 19),
                     (SECRET[:-1] + '\n').encode() * 60000):
            start = time.process_time()
            self.masked(data)
            self.assertLess(time.process_time() - start, 8)


class TestTold(PackedTest):
    def test_values(self) -> None:
        path = self.base / 'results.json'
        for content, values, why in (
                ('', [], ''), ('{}', [], ''), ('[1]', [], ''), ('{', [], 'it is not JSON'),
                ('[' * 100000, [], 'it is not JSON'),
                ({'data': {'zuul': {'redactions': ['one', 2, 'two', ['three']]}, 'x': 'no'}},
                 ['one', 'three', 'two'], ''),
                ({'secret_data': {'a': {'b': ['four']}, 'c': 5}}, ['four'], ''),
                ({'data': 7, 'secret_data': None}, [], ''),
                ({'secret_data': [str(i) for i in range(2000)]}, [], ''),
                ({'secret_data': {'a': [str(i) for i in range(2000)]}}, None, 'it has more than 1000 values')):
            with self.subTest(content=str(content)[:40]):
                path.write_text(content if isinstance(content, str) else json.dumps(content))
                got = told.told_values(str(path))
                self.assertEqual(got[1], why)
                self.assertEqual(got[0] if values is not None else len(got[0]), values if values is not None else 1000)

    def test_it_is_no_plain_file(self) -> None:
        target = self.base / 'target'
        target.write_text('{"secret_data": {"a": "b"}}')
        (self.base / 'link').symlink_to(target)
        os.mkfifo(self.base / 'pipe')
        for name in ('link', 'pipe', 'nowhere'):
            values, why = told.told_values(str(self.base / name))
            self.assertEqual((values, bool(why)), ([], True))

    def test_they_are_covered(self) -> None:
        path = self.base / 'results.json'
        path.write_text(json.dumps({'data': {'zuul': {'redactions': ['told first']}},
                                    'secret_data': {'k': 'told here'}}))
        self.fill(a='told first, told here')
        result = self.sanitize(result_data=str(path))
        self.assertEqual(self.files(), {'a': b'**********, *********'})
        self.assertNotIn('told first', json.dumps(result))
        self.assertEqual(self.sanitize(result_data=str(self.base / 'no'))['lines'],
                         ['sanitize_output_result_data was not read: No such file or directory'])
