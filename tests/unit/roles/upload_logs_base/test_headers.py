# SPDX-License-Identifier: Apache-2.0
"""How a file is shown, and whether it is packed."""
from __future__ import annotations

import unittest
from typing import Any

from tests.unit.roles import module_utils

module: Any = module_utils('upload_logs_headers')
GZIP = b'\x1f\x8b\x08'
TEXT = 'text/plain; charset=utf-8'


class TestHeaders(unittest.TestCase):
    def test_by_name_and_beginning(self) -> None:
        for name, head, size, expected in (
                ('job-output.txt', b'x', 5000, (TEXT, 'gzip', True)),
                ('job-output.txt', b'x', 10, (TEXT, '', False)),
                ('job-output.txt.gz', GZIP, 5000, (TEXT, 'gzip', False)),
                ('job-output.json.gz', GZIP, 5000, ('application/json', 'gzip', False)),
                ('a.txt.gz', b'no gzip', 9, (TEXT, '', False)),
                ('a.txt.gz', b'\0', 9, ('application/octet-stream', '', False)),
                ('a.tar.gz', GZIP, 9, ('application/gzip', '', False)),
                ('a.tgz', GZIP, 9, ('application/gzip', '', False)),
                ('x.GZ', GZIP, 9, ('application/gzip', '', False)),
                ('page.html', b'<', 2000, ('text/html; charset=utf-8', 'gzip', True)),
                ('pic.svg', b'<svg', 9, ('image/svg+xml', '', False)),
                ('pic.png', b'\x89PNG', 5000, ('image/png', '', False)),
                ('a.log', b'\0\0', 9, ('application/octet-stream', '', False)),
                ('messages', b'text', 9, (TEXT, '', False)),
                ('core', b'\x7fELF\0', 5000, ('application/octet-stream', '', False)),
                ('.bashrc', b'', 0, (TEXT, '', False)),
                ('', b'', 0, (TEXT, '', False))):
            with self.subTest(name=name, head=head):
                self.assertEqual(tuple(module.headers(name, head, size)), expected)
