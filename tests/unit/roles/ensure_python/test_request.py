# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import unittest
from typing import Any

from tests.unit.roles import module_utils

request = module_utils('ensure_python_request')
#: made by gpg, which also said what its fingerprint is
KEY = """-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawHgjxYJKwYBBAHaRw8BAQdA/EHZ/UZdT4qtuK0rkiZLbptlClFYJ8zNekeP
tWcD2UK0F0V4YW1wbGUgPGFAZXhhbXBsZS5vcmc+iJYEExYIAD4WIQTVq80OWBR9
PpqUqs7NyVyWZVZSLAUCawHgjwIbAwUJA8JnAAULCQgHAgYVCgkICwIEFgIDAQIe
AQIXgAAKCRDNyVyWZVZSLMwfAPwPzvBX/CaLgA1tfI8vA4p512oOK1bODqnkKZq2
wDOZ1AEAwf+MsV1A5KpgjHS5+d3zQS53CUsZD3OMHFW5zkxfnAs=
=VZKg
-----END PGP PUBLIC KEY BLOCK-----
"""
FINGERPRINT = 'D5ABCD0E58147D3E9A94AACECDC95C966556522C'
SOURCE = {'uris': 'https://example.org/python', 'suites': 'x', 'signed_by': KEY}


def armour(data: bytes) -> str:
    return ('-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n' + base64.encodebytes(data).decode()
            + '-----END PGP PUBLIC KEY BLOCK-----')


class TestVersions(unittest.TestCase):
    def test_commands(self) -> None:
        for asked, command in (('3', 'python3'), ('3.11', 'python3.11'), ('3.13t', 'python3.13t'),
                               ('3.11.4', 'python3.11'),
                               ('3.14-dev', 'python3.14'), ('3.13.1t', 'python3.13t')):
            with self.subTest(asked=asked):
                self.assertEqual(request.Version(asked).command, command)

    def test_what_meets_it(self) -> None:
        for asked, full, expected in (('3', '3.11.2', True), ('3.1', '3.11.2', False), ('3.11', '3.11.2', True),
                                      ('3.11.2', '3.11.2', True), ('3.11.2', '3.11.20', False),
                                      ('3.13t', '3.13.1t', True),
                                      ('3.13', '3.13.1t', False), ('3.13t', '3.13.1', False),
                                      ('3.14-dev', '3.14.0', True),
                                      ('3.14', '3.14', True), ('3.14.1', '3.14', False)):
            with self.subTest(asked=asked, full=full):
                self.assertEqual(request.Version(asked).is_met_by(full), expected)

    def test_forms(self) -> None:
        for value, is_number, expected in (('', False, []), (' ', False, []), ([], False, []),
                                           ('3.11', False, ['3.11']),
                                           ('3.11', True, ['3.11']), (3.11, False, ['3.11']), (3, False, ['3']),
                                           (['3.11', 3.12], False, ['3.11', '3.12']),
                                           ('3.11, 3.12', False, ['3.11', '3.12'])):
            with self.subTest(value=value):
                found = request.read_versions(value, is_number, False)
                self.assertEqual([version.asked for version in found], expected)

    def test_refusals(self) -> None:
        for value in ('4', '3.x', '../python', '-c', '3.11;id', '3.14-dev', 'True', '3.11.2.1'):
            with self.subTest(value=value), self.assertRaisesRegex(request.Refused, 'not a version of Python'):
                request.read_versions(value, False, False)
        with self.assertRaisesRegex(request.Refused, "a patch release can be had with .* Write '3.11'"):
            request.read_versions('3.11.2', False, False)
        self.assertEqual(len(request.read_versions('3.11.2 3.14-dev 3.14t', False, True)), 3)


class TestSource(unittest.TestCase):
    def refused(self, **changes: Any) -> str:
        with self.assertRaises(request.Refused) as caught:
            request.read_source({**SOURCE, **changes})
        return str(caught.exception)

    def test_forms(self) -> None:
        source = request.read_source(SOURCE)
        self.assertEqual(source, request.Source(('https://example.org/python',), ('x',), ('main',), KEY, ''))
        source = request.read_source({'uris': ['file:/a', 'http://b/'], 'suites': 'x y', 'components': ['main', 'z'],
                                      'signed_by': '/key', })
        self.assertEqual(source, request.Source(('file:/a', 'http://b/'), ('x', 'y'), ('main', 'z'), '', '/key'))
        self.assertIsNone(request.read_source({}))

    def test_refusals(self) -> None:
        for changes, expected in (
                ({'uris': 'ftp://x/'}, "uris is 'ftp://x/'"), ({'suites': 'a b;'}, "suites is 'a b;'"),
                ({'suites': ['x\nTrusted: yes']}, 'suites is'), ({'uris': ['http://x/\nTrusted:yes']}, 'uris is'),
                ({'components': 'main é'}, 'components is'), ({'trusted': True}, "has 'trusted': allowed are"),
                ({'signed_by': ''}, 'signed_by: it is no armoured public key'),
                ({'signed_by': KEY.replace('PUBLIC', 'PRIVATE')}, 'it is no armoured public key'),
                ({'signed_by': KEY.replace('mDM', 'mD=')}, 'the armoured text of the key is damaged'),
                ({'signed_by': armour(b'hello world')}, 'its first packet is no public key'),
                ({'fingerprint': 'AB' * 20}, f'and the key in signed_by has {FINGERPRINT}'),
                ({'signed_by': '/key', 'fingerprint': FINGERPRINT}, 'fingerprint is for a key whose text')):
            with self.subTest(changes=changes):
                self.assertIn(expected, self.refused(**changes))
        self.assertNotIn('secret', self.refused(uris='https://me:secret@h/'))

    def test_fingerprints(self) -> None:
        spaced = f'{FINGERPRINT[:20].lower()} {FINGERPRINT[20:]}'
        self.assertIsNotNone(request.read_source({**SOURCE, 'fingerprint': spaced}))
        self.assertEqual(request.fingerprint(KEY.replace('\n', '\r\n')), FINGERPRINT)

    def test_packets_of_either_format(self) -> None:
        first = base64.b64decode(''.join(KEY.splitlines()[2:-2]), validate=True)
        body = first[2:2 + first[1]]
        size = len(body)
        for head in (bytes([0x98, size]), bytes([0x99, 0, size]), bytes([0x9A, 0, 0, 0, size]), bytes([0xC6, size]),
                     bytes([0xC6, 255, 0, 0, 0, size])):
            with self.subTest(head=head):
                self.assertEqual(request.fingerprint(armour(head + body)), FINGERPRINT)
        long = body + bytes(300 - size)
        self.assertEqual(request.fingerprint(armour(bytes([0xC6, 192, 300 - 192]) + long)),
                         request.fingerprint(armour(bytes([0x99, 1, 44]) + long)))
        for data in (bytes([0x98, size + 1]) + body, bytes([0x88, size]) + body, bytes([0xC2, size]) + body, b'\x98',
                     bytes([0x98, size]) + b'\x03' + body[1:]):
            with self.subTest(data=data[:3]), self.assertRaises(ValueError):
                request.fingerprint(armour(data))


if __name__ == '__main__':
    unittest.main()
