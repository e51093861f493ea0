# SPDX-License-Identifier: Apache-2.0
"""With which headers a browser shows a file, and whether it is worth packing."""
from __future__ import annotations

import mimetypes
from typing import NamedTuple

#: bytes at the beginning of a file that decide
HEAD = 4096
_TEXT = 'text/plain; charset=utf-8'
_BINARY = 'application/octet-stream'
_GZIP = b'\x1f\x8b'
# Smaller ones get no quicker.
_WORTH_PACKING = 1024
# Python's own table; that of the machine is another on every site.
_TABLE = mimetypes.MimeTypes()
_OWN = dict.fromkeys(('cfg', 'conf', 'crt', 'diff', 'ini', 'j2', 'list', 'log', 'md', 'patch', 'pem', 'repo', 'rst',
                      'sh', 'sql', 'toml', 'txt', 'yaml', 'yml'), 'text/plain')
_OWN.update(json='application/json', svg='image/svg+xml', xml='application/xml', html='text/html', js='text/javascript',
            css='text/css', woff2='font/woff2', whl='application/zip')
_TEXTUAL = ('application/json', 'application/xml', 'image/svg+xml')


class Headers(NamedTuple):
    """*encoding* is '' or ``gzip``; with *pack* the file gets it by being packed first."""

    content_type: str
    encoding: str
    pack: bool


def headers(name: str, head: bytes, size: int) -> Headers:
    """Return how the file *name* of *size* bytes, which begins with *head*, is published."""
    plain, dot, last = name.rpartition('.')
    if head.startswith(_GZIP):
        inside = _of_name(plain) if dot and last == 'gz' else ''
        # What is read in a browser is unpacked by it. An archive stays one.
        if _is_text(inside):
            return Headers(_with_charset(inside), 'gzip', False)
        return Headers('application/gzip', '', False)
    kind = _of_name(name)
    if last == 'gz' or (_is_text(kind) and b'\0' in head):
        kind = _BINARY if b'\0' in head else 'text/plain'
    kind = kind or (_BINARY if b'\0' in head else 'text/plain')
    pack = _is_text(kind) and size >= _WORTH_PACKING
    return Headers(_with_charset(kind), 'gzip' if pack else '', pack)


def _of_name(name: str) -> str:
    ending = name.rpartition('.')[2].lower() if '.' in name else ''
    return _OWN.get(ending) or (_TABLE.types_map[1].get('.' + ending, '') if ending else '')


def _is_text(kind: str) -> bool:
    return kind.startswith('text/') or kind in _TEXTUAL


def _with_charset(kind: str) -> str:
    return kind + '; charset=utf-8' if kind.startswith('text/') else kind
