# SPDX-License-Identifier: Apache-2.0
"""Which names a published file may have, and what becomes of the others."""
from __future__ import annotations

import hashlib
from typing import Callable

# What ends an attribute or a tag of a page that forgot to escape a name.
_MARKUP = frozenset('<>"\'&`\\')
# A web server may take these for its settings.
_SETTINGS = '.ht'
LONGEST = 255


def safe_name(name: bytes) -> str:
    """Return *name*, with each byte written as ``%XX`` that is not part of a character one can see, or is markup.

    A name that is fine stays as it is. The result is a fine name.
    """
    text = ''.join(char if char.isprintable() and char not in _MARKUP else _escaped(char)
                   for char in name.decode('utf-8', 'surrogateescape'))
    if text.startswith(_SETTINGS):
        text = _escaped('.') + text[1:]
    if len(text.encode()) > LONGEST:
        text = _cut(text, '~' + hashlib.sha256(name).hexdigest()[:16])
    return text


def free_name(name: bytes, taken: Callable[[str], bool]) -> str:
    """Return :func:`safe_name`, with ``~1``, ``~2`` … behind it until it is not *taken*."""
    wanted = text = safe_name(name)
    number = 0
    while taken(text):
        number += 1
        text = _cut(wanted, '~%d' % number)
    return text


def _escaped(char: str) -> str:
    return ''.join('%%%02X' % byte for byte in char.encode('utf-8', 'surrogateescape'))


def _cut(text: str, end: str) -> str:
    return text.encode()[:LONGEST - len(end)].decode('utf-8', 'ignore') + end
