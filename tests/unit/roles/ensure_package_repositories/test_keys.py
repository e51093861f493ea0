# SPDX-License-Identifier: Apache-2.0
"""Whose a key is, as gpg told it of the one here."""
from __future__ import annotations

import base64
import hashlib
import unittest
from typing import Any

from tests.unit.roles import module_utils

keys: Any = module_utils('ensure_package_repositories_keys')

PRINT = '404B96D091B3C1F118113ACD8F6B6CEBBF19265A'
ARMORED = b'''-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawJAtRYJKwYBBAHaRw8BAQdAWcg3Lms4tWQDHcUiw0Klpsh3ZtrFiFO80+/E
8pLisw60A29uZYiQBBMWCAA4FiEEQEuW0JGzwfEYETrNj2ts678ZJloFAmsCQLUC
GwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQj2ts678ZJlqeXAD6AnkAv4vP
TblFTjej3WKTiACK/TkemUEs7iqvKvcM/GcA/A4+CjWGSs1q8Z1yl5IHPrcLFAdb
rMRY7XzFbmwSg6MJ
=gOUZ
-----END PGP PUBLIC KEY BLOCK-----
'''
BINARY = base64.b64decode(b''.join(ARMORED.splitlines()[2:-2]))
NO_MATTER: dict[str, Any] = {'sha256': '', 'fingerprints': []}


def packet(tag: int, body: bytes) -> bytes:
    """A packet with a header of the new format."""
    length = len(body)
    if length < 192:
        return bytes([0xc0 | tag, length]) + body
    if length < 8384:
        return bytes([0xc0 | tag, (length - 192 >> 8) + 192, length - 192 & 0xff]) + body
    return bytes([0xc0 | tag, 255]) + length.to_bytes(4, 'big') + body


class TestFingerprints(unittest.TestCase):
    def test_real_key(self) -> None:
        for data in (ARMORED, BINARY, ARMORED.replace(b'\n', b'\r\n'), b'what it is\n' + ARMORED, ARMORED + ARMORED,
                     ARMORED.replace(b'BLOCK-----\n\n', b'BLOCK-----\nVersion: x\n\n'), BINARY + BINARY):
            with self.subTest(data=data[:40]):
                self.assertEqual(keys.fingerprints(data), {PRINT})

    def test_formats_and_versions(self) -> None:
        for body in (b'\x04' + b'k' * 20, b'\x04' + b'k' * 500, b'\x04' + b'k' * 9000):
            want = hashlib.sha1(b'\x99' + len(body).to_bytes(2, 'big') + body).hexdigest().upper()
            self.assertEqual(keys.fingerprints(packet(6, body) + packet(13, b'id')), {want})
        body = b'\x06' + b'k' * 40
        want = hashlib.sha256(b'\x9b' + len(body).to_bytes(4, 'big') + body).hexdigest().upper()
        self.assertEqual(keys.fingerprints(packet(6, body)), {want})
        self.assertEqual(keys.fingerprints(BINARY + packet(6, body)), {PRINT, want})

    def test_what_is_no_key(self) -> None:
        for data, words in (
                (b'', 'there is no public key'), (b'<html>Not found</html>', 'no OpenPGP'), (BINARY[:-5], 'cut off'),
                (BINARY[:40], 'cut off'), (packet(13, b'id'), 'no public key'), (packet(5, b'\x04x'), 'secret key'),
                (packet(6, b'\x03x'), 'too old'), (b'\x9b', 'unknown length'), (bytes([0xc6, 230]), 'unknown length'),
                (bytes([0xc6]), 'cut off'), (b'\x99', 'cut off'), (packet(6, b''), 'too old'),
                (b'-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nxx\n-----END PGP PRIVATE KEY BLOCK-----\n', 'secret key'),
                (b'-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!\n-----END PGP PUBLIC KEY BLOCK-----\n',
                 'armor is broken'),
                (b'-----BEGIN PGP SIGNED MESSAGE-----\n\nhello\n', 'there is no public key')):
            with self.subTest(words=words, data=data[:30]), self.assertRaisesRegex(keys.NoKey, words):
                keys.fingerprints(data)


class TestProblem(unittest.TestCase):
    def test_cases(self) -> None:
        digest, other = hashlib.sha256(ARMORED).hexdigest(), packet(6, b'\x04other')
        for data, sha256, prints, words in (
                (ARMORED, '', [], ''), (ARMORED, digest, [], ''), (ARMORED, digest, [PRINT], ''),
                (BINARY, '', [PRINT], ''),
                (BINARY, digest, [], f'and {digest} is wanted'), (ARMORED, '', ['0' * 40], f'it has {PRINT}, and 000'),
                (BINARY + other, '', [PRINT], 'is wanted, and nothing else'), (BINARY, '', [PRINT, '0' * 40], 'it has'),
                (b'oops', '', [PRINT], 'no OpenPGP')):
            with self.subTest(sha256=sha256, prints=prints, data=data[:20]):
                found = keys.problem(data, {'sha256': sha256, 'fingerprints': prints})
                self.assertEqual(bool(found), bool(words))
                self.assertIn(words, found)


if __name__ == '__main__':
    unittest.main()
