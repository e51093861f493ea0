# SPDX-License-Identifier: Apache-2.0
"""Keys that sign repositories: whose they are, as OpenPGP (RFC 9580) has it. Nothing here does I/O."""
from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any, Iterator

_BLOCK = re.compile(rb'-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n(.*?)-----END PGP PUBLIC KEY BLOCK-----',
                    re.DOTALL)
_PUBLIC_KEY = 6
_SECRET_KEYS = (5, 7)
# version -> what a key is hashed with, the octet before it and the octets of its length
_VERSIONS = {4: (hashlib.sha1, b'\x99', 2), 5: (hashlib.sha256, b'\x9a', 4), 6: (hashlib.sha256, b'\x9b', 4)}


class NoKey(Exception):
    """These bytes are no public key; the text is for people."""


def is_armored(data: bytes) -> bool:
    return b'-----BEGIN PGP' in data


def fingerprints(data: bytes) -> set[str]:
    """The fingerprints of the primary keys in a file, armored or not. Raises NoKey."""
    found = set()
    for tag, body in _packets(_dearmored(data)):
        if tag in _SECRET_KEYS:
            raise NoKey('it has a secret key: give the public one only')
        if tag == _PUBLIC_KEY:
            if body[:1] not in (b'\x04', b'\x05', b'\x06'):
                raise NoKey('it has a key of a version that is too old to be trusted')
            make, start, octets = _VERSIONS[body[0]]
            found.add(make(start + len(body).to_bytes(octets, 'big') + body).hexdigest().upper())
    if not found:
        raise NoKey('there is no public key in it')
    return found


def problem(data: bytes, wanted: dict[str, Any]) -> str:
    """Why *data* is not the key that is wanted; empty when it is.

    :param wanted: its ``sha256`` and ``fingerprints``, each empty when it does not matter.
    """
    seen = hashlib.sha256(data).hexdigest()
    if wanted['sha256'] and seen != wanted['sha256']:
        return f"its sha256 is {seen}, and {wanted['sha256']} is wanted"
    try:
        found = fingerprints(data)
    except NoKey as error:
        return str(error)
    if wanted['fingerprints'] and found != set(wanted['fingerprints']):
        return f"it has {', '.join(sorted(found))}, and {', '.join(wanted['fingerprints'])} is wanted, and nothing else"
    return ''


def _dearmored(data: bytes) -> bytes:
    if not is_armored(data):
        return data
    if b'PRIVATE KEY' in data:
        raise NoKey('it has a secret key: give the public one only')
    found = b''
    for block in _BLOCK.findall(data):
        # headers end with an empty line, and a checksum may follow
        body = re.split(rb'\r?\n[ \t]*\r?\n', b'\n' + block, maxsplit=1)[-1]
        text = b''.join(line.strip() for line in body.splitlines() if not line.startswith(b'='))
        try:
            found += base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise NoKey(f'its armor is broken: {error}') from error
    return found


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each packet. Raises NoKey."""
    place = 0
    while place < len(data):
        head = data[place]
        if not head & 0x80:
            raise NoKey('it is no OpenPGP')
        if head & 0x40:
            tag, first = head & 0x3f, data[place + 1] if place + 1 < len(data) else 0
            if first < 192:
                length, start = first, place + 2
            elif first < 224:
                length, start = (first - 192 << 8) + int.from_bytes(data[place + 2:place + 3], 'big') + 192, place + 3
            elif first == 255:
                length, start = int.from_bytes(data[place + 2:place + 6], 'big'), place + 6
            else:
                raise NoKey('it has a packet of unknown length')
        else:
            tag, octets = head >> 2 & 0xf, {0: 1, 1: 2, 2: 4}.get(head & 3, 0)
            if not octets:
                raise NoKey('it has a packet of unknown length')
            length, start = int.from_bytes(data[place + 1:place + 1 + octets], 'big'), place + 1 + octets
        if start + length > len(data):
            raise NoKey('it is cut off')
        yield tag, data[start:start + length]
        place = start + length
