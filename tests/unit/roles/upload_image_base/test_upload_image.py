# SPDX-License-Identifier: Apache-2.0
"""What a node and an executor make of an image. tests/publish has stores."""
from __future__ import annotations

import hashlib
import http.server
import os
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library, module_utils

file: Any = library('upload-image-base', 'upload_image_file')
store: Any = module_utils('upload_image_protocol')
swift: Any = module_utils('upload_image_swift')
DAY = 86400


class TestDescribe(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.path = Path(scratch.name) / 'one.raw'
        self.path.write_bytes(b'x' * 100000 + b'y' * 50000)

    def describe(self, **other: Any) -> Any:
        return file.describe({'path': str(self.path), 'compress': False, 'part_size': 1 << 16, 'timeout': 60,
                              'reported_as': 'upload_image_s3', **other})

    def test_parts_are_the_whole(self) -> None:
        data, seen = self.path.read_bytes(), self.describe()
        self.assertEqual((hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest(), 150000),
                         (seen['sha256'], seen['md5sum'], seen['size']))
        self.assertEqual([(len(data[at:at + 65536]), hashlib.md5(data[at:at + 65536]).hexdigest())
                          for at in range(0, 150000, 65536)], seen['parts'])
        self.assertEqual(150000, store.image_of('one', seen).size)

    def test_packed_once(self) -> None:
        first = self.describe(compress=True)
        self.assertEqual(str(self.path) + '.zst', first['file'])
        self.assertNotEqual(first['sha256'], first['sent_sha256'])
        made = os.stat(first['file']).st_ino
        self.assertEqual((first, made), (self.describe(compress=True), os.stat(first['file']).st_ino))
        self.path.write_bytes(b'other')
        self.assertNotEqual(first['sent_sha256'], self.describe(compress=True)['sent_sha256'])

    def test_never_too_many_parts(self) -> None:
        for size, wanted, expected in ((1, 10, 10), (10000, 10, 10), (10001, 10, 11), (5 << 40, 1 << 26, 5497558139)):
            with self.subTest(size=size):
                self.assertEqual(expected, file.part_size(size, wanted))

    def test_what_is_no_image(self) -> None:
        link, pipe, empty = (self.path.with_name(name) for name in ('link', 'pipe', 'empty'))
        link.symlink_to(self.path)
        os.mkfifo(pipe)
        empty.touch()
        for path, told in ((link, 'symbolic'), (pipe, 'no plain file'), (empty, 'is empty'),
                           (self.path.parent, 'no plain')):
            with self.subTest(told=told), self.assertRaisesRegex(file.Refused, told):
                self.describe(path=str(path))
        with self.assertRaisesRegex(file.Refused, 'in -1 seconds: let upload_image_s3_hash_timeout be more'):
            self.describe(timeout=-1)


class TestSend(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.path = Path(scratch.name) / 'one.raw'
        self.path.write_bytes(bytes(range(256)) * 4)
        self.got: dict[str, bytes] = {}
        self.answers: list[int] = []
        test = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                data = self.rfile.read(int(self.headers['Content-Length']))
                answer = test.answers.pop(0) if test.answers else 200
                if answer == 200:
                    test.got[self.path] = data
                self.send_response(answer)
                self.send_header('Location', '/elsewhere')
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f'http://127.0.0.1:{server.server_port}'
        self.pauses: list[float] = []

    def send(self, **other: Any) -> Any:
        parts = [{'offset': 0, 'size': 1000, 'url': self.url + '/1', 'headers': {}},
                 {'offset': 1000, 'size': 24, 'url': self.url + '/2', 'headers': {}}]
        return file.send({'path': str(self.path), 'parts': parts, 'workers': 1, 'timeout': 60,
                          'reported_as': 'upload_image_s3', **other}, self.pauses.append)

    def test_what_may_work_the_next_time_does(self) -> None:
        self.answers = [503, 429, 200, 500]
        self.assertEqual({'sent': 2}, self.send())
        data = self.path.read_bytes()
        self.assertEqual({'/1': data[:1000], '/2': data[1000:]}, self.got)
        self.assertEqual(3, len(self.pauses))

    def test_what_will_not_is_not_tried_again(self) -> None:
        for answer, pauses, told in ((403, 0, 'the store says 403'), (302, 0, 'the store says 302'),
                                     (500, 5, r'the store says 500 .*\(tried 6 times\)')):
            self.answers, self.pauses = [answer] * 99, []
            with self.subTest(answer=answer), self.assertRaisesRegex(file.Refused, told):
                self.send()
            self.assertEqual(({}, pauses), (self.got, len(self.pauses)))

    def test_all_in_time(self) -> None:
        with self.assertRaisesRegex(file.Refused, 'in -1 seconds: let upload_image_s3_timeout be more'):
            self.send(timeout=-1)
        self.assertEqual({}, self.got)


class TestStore(unittest.TestCase):
    def test_nodes_say_what_they_want(self) -> None:
        good = {'parts': [[5, 'a' * 32], [1, 'b' * 32]], 'size': 6, 'sent_sha256': 'c' * 64}
        self.assertEqual((1, 2), tuple(part.number for part in store.image_of('one', good).parts))
        bad: list[dict[str, Any]] = [
            {'parts': []}, {'parts': [[6, '../../etc']]}, {'parts': [[7, 'a' * 32], [-1, 'b' * 32]]}, {'size': 7},
            {'sent_sha256': 'x'}, {'parts': 3}, {'size': None}, {'parts': [[1, 'a' * 32]] * 10001, 'size': 10001}]
        for other in bad:
            with self.subTest(str(other)[:60]), self.assertRaises(store.Refused):
                store.image_of('one', {**good, **other})
        with self.assertRaises(store.Refused):
            store.image_of('one', None)

    def test_names(self) -> None:
        for name, fine in (('a-1.raw.zst', True), ('', False), ('../a', False), ('a/b', False), ('.a', False),
                           (3, False), ('a' * 201, False), ('a?b', False), ('a\n', False)):
            with self.subTest(name=name):
                self.assertEqual(fine, not store.problems_of_name(name))

    def test_what_may_go(self) -> None:
        def one(build: int, rest: str, age: float) -> Any:
            return store.Stored(f'{build:032x}-{rest}', 100 * DAY - age)
        there = [one(1, 'a.raw', 9 * DAY), one(2, 'a.raw', 8 * DAY), one(3, 'a.raw', 1 * DAY), one(4, 'a.raw', 0),
                 one(5, 'a.qcow2', 9 * DAY), one(6, 'ab.raw', 9 * DAY), one(7, 'ab.raw', 8 * DAY),
                 store.Stored('a.raw', 0), store.Stored('deadbeef-a.raw', 0)]
        for images, keep, age, expected in (
                ([], 2, 7 * DAY, [1, 2]), ([], 1, 7 * DAY, [1, 2, 6]), (['ab'], 1, 7 * DAY, [6]), ([], 3, 7 * DAY, [1]),
                (['a'], 0, 0.5 * DAY, [1, 2, 3, 5]), ([], 2, 20 * DAY, []), (['b'], 0, 0, [])):
            with self.subTest(images=images, keep=keep, age=age):
                gone = store.superfluous(there, images, keep, age, 100 * DAY)
                self.assertEqual(expected, [int(name[:32], 16) for name in gone])

    def test_tried_again_with_pauses(self) -> None:
        answers: list[Any] = [store.Trouble('no'), store.Trouble('no'), 'yes']
        pauses: list[float] = []

        def ask() -> Any:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        self.assertEqual('yes', store.persistently(ask, pauses.append))
        self.assertEqual(2, len(pauses))
        answers = [store.Trouble('no')] * 9
        with self.assertRaisesRegex(store.Refused, r'no \(tried 5 times\)'):
            store.persistently(ask, pauses.append)

    def test_secrets(self) -> None:
        config = {'auth': {'password': 'p', 'username': 'u'}, 'token': 't'}
        self.assertEqual(['p', 't'], swift.secrets({'cloud_config': config}))
        self.assertEqual('a ******** ******** b', store.covered('a s3cr/t s3cr%2Ft b', ['s3cr/t']))
