# SPDX-License-Identifier: Apache-2.0
"""Where secrets lie in a stream."""
from __future__ import annotations

import base64
import io
import json
import time
import unittest
from typing import Any

from tests.unit.roles import module_utils

masks: Any = module_utils('sanitize_output_masks')
SECRET = 'p&ss/w"rd ü+'
LINES = ''.join(base64.b64encode(bytes(range(i, i + 48))).decode() + '\n' for i in range(8))
KEY = f'-----BEGIN OPENSSH PRIVATE KEY-----\n{LINES}b3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----\n'


def masked(data: bytes, *secrets: str, literal_only: bool = False) -> bytes:
    """All of *data*, masked."""
    return b''.join(piece for piece, _, _ in masks.masked(io.BytesIO(data).read, masks.Masker(secrets), literal_only))


class TestValues(unittest.TestCase):
    def test_however_it_is_written(self) -> None:
        for text in (SECRET, 'p%26ss%2Fw%22rd%20%C3%BC%2B', 'p%26ss/w%22rd%20%C3%BC%2B', 'p%26ss%2Fw%22rd+%C3%BC%2B',
                     'p%26ss%2fw%22rd%20%c3%bc%2b', 'p&ss/w\\"rd \\u00fc+', 'p&ss/w\\"rd ü+', 'p&amp;ss/w&quot;rd ü+'):
            with self.subTest(text=text):
                data = text.encode()
                self.assertEqual(masked(b'<' + data + b'>', SECRET), b'<' + b'*' * len(data) + b'>')

    def test_in_base64_wherever_it_starts(self) -> None:
        for before in (b'', b'u', b'us', b'usr', b'user:'):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                with self.subTest(before=before):
                    data = encode(before + SECRET.encode() + b'\n1234')
                    kept = masked(data, SECRET).replace(b'*', b'')
                    self.assertLess(len(data) - len(kept), len(data))
                    plain = base64.b64decode(masked(data, SECRET).replace(b'*', b'A'), b'-_' if b'-' in data else None)
                    self.assertEqual(len(plain), len(before + SECRET.encode() + b'\n1234'))
                    self.assertFalse(any(SECRET.encode()[i:i + 2] in plain for i in range(len(SECRET.encode()) - 1)))

    def test_several_lines(self) -> None:
        text = 'first line\nxy\n  second line\n'
        self.assertEqual(masked(b'12:00 first line\n12:01 second line\nxy', text),
                         b'12:00 **********\n12:01 ***********\nxy')
        self.assertEqual(masked(json.dumps(text).encode(), text), b'"' + b'*' * (len(json.dumps(text)) - 2) + b'"')

    def test_short_ones_are_counted(self) -> None:
        masker = masks.Masker(['', 'abc', 'abcd'])
        self.assertEqual((masker.too_short, masker.spans(b'abc abcd', 100)), (2, [(4, 8)]))

    def test_one_in_another_and_side_by_side(self) -> None:
        self.assertEqual(masked(b'x secretsecrets secrets', 'secret', 'secrets'), b'x ************* *******')
        self.assertEqual(masked(b'abcdefghi', 'abcdef', 'defghi'), b'*********')

    def test_where_pieces_meet(self) -> None:
        secret = 'between two pieces'
        for at in (*(masks.CHUNK - len(secret) - 1 + i for i in range(len(secret) + 3)),
                   masks.CHUNK + masks.OVERLAP - 9):
            with self.subTest(at=at):
                data = b'-' * at + secret.encode() + b'-' * masks.CHUNK
                self.assertEqual(masked(data, secret), b'-' * at + b'*' * len(secret) + b'-' * masks.CHUNK)
        data = b'-' * (masks.CHUNK - 4) + b'abcdefghi' + b'-' * masks.OVERLAP
        self.assertEqual(masked(data, 'abcdef', 'defghi').strip(b'-'), b'*' * 9)

    def test_a_reader_that_gives_little(self) -> None:
        stream = io.BytesIO(b'a secret')
        masker = masks.Masker(['secret'])
        self.assertEqual(list(masks.masked(lambda size: stream.read(3), masker)), [(b'a ******', True, 1)])


class TestTokens(unittest.TestCase):
    def test_what_looks_like_a_secret(self) -> None:
        for before, token, after in (
                (b'x=', b'ghp_' + b'a1B2' * 9, b'\n'), (b'"', b'github_pat_' + b'a_1' * 20, b'"'),
                (b'', b'glpat-' + b'a-1_x' * 4, b' '), (b'', b'AKIA' + b'ABCD' * 4, b' '),
                (b'', b'xoxb-1234567890-abc', b' '), (b'', b'pypi-AgEIcHlwaS5vcmc' + b'a' * 60, b' '),
                (b'', b'npm_' + b'a1' * 18, b' '), (b'', b'AIza' + b'a' * 35, b' '), (b'', b'hvs.' + b'a' * 24, b' '),
                (b'', b'dckr_pat_' + b'a' * 27, b' '), (b'token ', b'gAAAAA' + b'b_-1' * 30 + b'==', b'\n'),
                (b'eyJhbGciOiJI.', b'eyJzdWIiOiIxMjM0In0' + b'.' + b's' * 43, b'"'),
                (b'Authorization: Basic ', b'dXNlcjpwYXNz', b'\n'), (b'"authorization": "Bearer ', b'abcdefgh', b'"'),
                (b'\\"Authorization\\": \\"token ', b'abcdefgh', b'\\"'),
                (b'https://user:', b'pass', b'@host/'), (b'redis://:', b'p%40ss', b'@host')):
            with self.subTest(token=token[:12]):
                self.assertEqual(masked(before + token + after), before + b'*' * len(token) + after)
                self.assertEqual(masked(before + token + after, literal_only=True), before + token + after)

    def test_what_does_not(self) -> None:
        for text in (b'https://host:8080/user@example.org', b'ghp_short', b'a://b', b'mail@host: //x', b'AKIAabcd',
                     b'-----BEGIN PUBLIC KEY-----\n' + LINES.encode(),
                     b'-----BEGIN CERTIFICATE-----\n' + LINES.encode(),
                     b'no -----BEGIN PRIVATE KEY----- was found in /etc/ssl/private/key.pem\nnext line\n',
                     b'eyJhbGciOiJI.eyJzdWIiOiIxMjM0In0'):
            with self.subTest(text=text):
                self.assertEqual(masked(text), text)


class TestKeys(unittest.TestCase):
    def gone(self, text: str, more: str = '') -> str:
        """Assert that no line of the key is left, and return what is."""
        said = masked((text + more).encode()).decode()
        for line in LINES.splitlines():
            self.assertNotIn(line, said)
            self.assertNotIn(line[:16], said)
        self.assertEqual(len(said), len(text + more))
        self.assertTrue(said.endswith(more))
        return said

    def test_plain(self) -> None:
        self.assertEqual(self.gone(KEY, 'after\n').count('*'), len(LINES.replace('\n', '')) + 12)

    def test_in_a_log_with_times(self) -> None:
        said = self.gone(''.join(f'2026-01-01 00:00:00.000001 | node | {line}\n' for line in KEY.splitlines()))
        self.assertIn('2026-01-01 00:00:00.000001 | node | ****', said)

    def test_in_json_that_stays_json(self) -> None:
        for value in ({'stdout': KEY}, {'stdout_lines': KEY.splitlines()}, {'a': KEY.replace('\n', '\r\n')}):
            for indent in (None, 4):
                self.assertEqual(list(json.loads(self.gone(json.dumps(value, indent=indent)))), list(value))

    def test_cut_off(self) -> None:
        after = 'and then many lines of /usr/lib/python3/dist-packages/something\n' * 9
        for lines in (2, 5):
            cut = ''.join(KEY.splitlines(keepends=True)[:lines])
            self.assertEqual(self.gone(cut, after).count('*'), 64 * (lines - 1))
            self.gone(json.dumps(cut), after)

    def test_many_beginnings_take_no_long_time(self) -> None:
        for text in ('-----BEGIN PRIVATE KEY-----\n' * 40000,
                     ('-----BEGIN PRIVATE KEY-----\n' + 'a' * 39 + '\n') * 16000,
                     'eyJ' * 400000 + '.eyJ', '://' * 400000, 'uthorization' + ' ' * (1 << 20), 'gAAAAA' * 180000 + '!',
                     '-----END PRIVATE KEY-----\n' * 40000):
            with self.subTest(text=text[:40]):
                start = time.process_time()
                masked(text.encode(), 'aaaa')
                self.assertLess(time.process_time() - start, 8)
