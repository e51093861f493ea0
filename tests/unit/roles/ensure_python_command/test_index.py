# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest import mock

from tests.unit.roles import module_utils

index = module_utils('ensure_python_command_index')
locks = module_utils('ensure_python_command_lock')
WHEEL = b'the bytes of a wheel'
PIN = locks.Pin('pip', '26.3', '', ('sha256:' + hashlib.sha256(WHEEL).hexdigest(),), ())


class TestSite(unittest.TestCase):
    def test_the_environment_wins_over_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            general, user = Path(folder, 'a'), Path(folder, 'b')
            general.write_text('[global]\nindex-url = https://one.example/simple/\ncert = /ca.pem\n', encoding='utf-8')
            user.write_text('[install]\nindex-url = https://two.example/simple\n', encoding='utf-8')
            broken = Path(folder, 'c')
            broken.write_text('no section', encoding='utf-8')
            for environment, files, expected in (
                    ({}, [], ('https://pypi.org/simple', None)),
                    ({'SSL_CERT_FILE': '/x'}, [], ('https://pypi.org/simple', '/x')),
                    ({}, [general], ('https://one.example/simple', '/ca.pem')),
                    ({}, [general, user, broken], ('https://two.example/simple', '/ca.pem')),
                    ({'PIP_INDEX_URL': 'https://three.example/', 'PIP_CERT': '/y'}, [general],
                     ('https://three.example', '/y'))):
                with self.subTest(environment=environment, files=files):
                    self.assertEqual(index.site(environment, [str(file) for file in files]), expected)

    def test_links(self) -> None:
        base = 'https://example.org/simple/pip/'
        for page, expected in (
                ('<a href="../../files/pip-26.3-py3-none-any.whl#sha256=0">x</a>',
                 'https://example.org/files/pip-26.3-py3-none-any.whl'),
                ("<a data-requires-python='&gt;=3' href='https://cdn.example/pip-26.3-py3-none-any.whl'>x</a>",
                 'https://cdn.example/pip-26.3-py3-none-any.whl'),
                ('<a href="pip-26.3.tar.gz">x</a><a href="pip-26.30-py3-none-any.whl">x</a>', None)):
            with self.subTest(page=page):
                self.assertEqual(index.link_to(page, base, PIN), expected)

    def test_credentials_are_not_shown(self) -> None:
        self.assertEqual(index.without_credentials('https://me:secret@example.org:8443/simple'),
                         'https://example.org:8443/simple')


class Handler(BaseHTTPRequestHandler):
    """A small index: one page, one wheel."""

    wheel = WHEEL

    def do_GET(self) -> None:
        if self.path == '/simple/pip/':
            body = b'<a href="/files/pip-26.3-py3-none-any.whl">pip</a>'
        elif self.path.startswith('/files/'):
            body = self.wheel
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class TestFetch(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.server = HTTPServer(('127.0.0.1', 0), Handler)
        thread = threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        address = f'http://127.0.0.1:{self.server.server_port}/simple'
        environment = mock.patch.dict(os.environ, {'PIP_INDEX_URL': address, 'no_proxy': '127.0.0.1'})
        environment.start()
        self.addCleanup(environment.stop)

    def test_the_wheel_of_the_lock(self) -> None:
        path = index.fetch(PIN, self.folder)
        self.assertEqual(Path(path).read_bytes(), WHEEL)
        index.remove(self.folder)
        self.assertEqual(os.listdir(self.folder), [])

    def test_other_bytes_are_refused(self) -> None:
        with mock.patch.object(Handler, 'wheel', b'evil'), self.assertRaisesRegex(index.NotFetched, 'other bytes'):
            index.fetch(PIN, self.folder)

    def test_a_version_that_the_index_lacks(self) -> None:
        with self.assertRaisesRegex(index.NotFetched, 'has no wheel of pip 99'):
            index.fetch(PIN._replace(version='99'), self.folder)

    def test_nothing_locked(self) -> None:
        with self.assertRaisesRegex(index.NotFetched, 'the lock names none'):
            index.fetch(None, self.folder)


if __name__ == '__main__':
    unittest.main()
