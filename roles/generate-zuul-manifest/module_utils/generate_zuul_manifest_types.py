# SPDX-License-Identifier: Apache-2.0
"""What Zuul's page is to take a file for."""
from __future__ import annotations

import mimetypes
from typing import Optional, Tuple

FOLDER = 'application/directory'
TEXT, BINARY = 'text/plain', 'application/octet-stream'
# What is packed so is no text for a browser, whatever is in it.
_PACKED = {'xz': 'application/x-xz', 'bzip2': 'application/x-bzip2', 'compress': 'application/x-compress',
           'br': 'application/x-brotli', 'gzip': 'application/gzip'}
# Without the machine's own list: the same name has the same type everywhere.
_KNOWN = mimetypes.MimeTypes(filenames=())
for _end in ('cfg', 'conf', 'diff', 'ini', 'list', 'log', 'md', 'patch', 'py', 'rst', 'sh', 'sql', 'toml', 'yaml',
             'yml'):
    _KNOWN.add_type(TEXT, '.' + _end)
_TEXTUAL = ('application/json', 'application/xml', 'image/svg+xml')
_GZIP = b'\x1f\x8b'


def file_type(name: str, start: bytes) -> Tuple[str, Optional[str]]:
    """Return the type of a file and how it is packed, as browsers name both.

    :param start: its first bytes, which say whether an unknown name is of a text.
    """
    kind, packed = _KNOWN.guess_type('./' + name.replace(':', '_'), strict=False)
    if packed == 'gzip' and not start.startswith(_GZIP):
        kind = packed = None
    if packed:
        if packed == 'gzip' and kind and (kind.startswith('text/') or kind in _TEXTUAL):
            return kind, packed
        return _PACKED.get(packed, BINARY), None
    return kind or (BINARY if b'\0' in start else TEXT), None
