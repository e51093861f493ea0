# SPDX-License-Identifier: Apache-2.0
"""Certificates of one node, made by the real openssl and used by a real server."""
from __future__ import annotations

import os
import socket
import ssl
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import module_utils

authority: Any = module_utils('ensure_service_authority')


class TestAuthority(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name, 'opt', 'ca')

    def make(self) -> None:
        authority.have(str(self.folder), ['localhost', 'node-1'])

    def serve(self) -> int:
        """Let one client that has a certificate in; return the port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / authority.SERVER)
        context.load_verify_locations(self.folder / authority.AUTHORITY)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        listener = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(listener.close)

        def talk() -> None:
            connection, _ = listener.accept()
            with connection, context.wrap_socket(connection, server_side=True) as encrypted:
                encrypted.sendall(str(encrypted.getpeercert()).encode())
        thread = threading.Thread(target=talk)
        thread.start()
        self.addCleanup(thread.join)
        return int(listener.getsockname()[1])

    def test_server_and_client_believe_each_other(self) -> None:
        self.make()
        context = authority.context(str(self.folder))
        context.verify_flags |= ssl.VERIFY_X509_STRICT      # as Python 3.13 has it
        for name in ('localhost', 'node-1', '127.0.0.1'):
            with self.subTest(name), socket.create_connection(('127.0.0.1', self.serve())) as connection, \
                    context.wrap_socket(connection, server_hostname=name) as encrypted:
                self.assertIn(b"('commonName', 'client')", encrypted.recv(65536))

    def test_only_what_is_told_is_there_and_all_may_read_it(self) -> None:
        self.make()
        found = sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob('*') if path.is_file())
        self.assertEqual(found, sorted(authority.FILES))
        self.assertEqual([path.name for path in self.folder.parent.iterdir()], ['ca'])
        self.assertEqual({path.stat().st_mode & 0o777 for path in self.folder.rglob('*.pem')}, {0o644})
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o755)

    def test_what_is_there_stays(self) -> None:
        self.folder.mkdir(parents=True)
        self.make()
        before = (self.folder / authority.SERVER).read_bytes()
        self.make()
        self.assertEqual((self.folder / authority.SERVER).read_bytes(), before)

    def test_half_of_one_is_refused_and_left_alone(self) -> None:
        self.make()
        os.unlink(self.folder / authority.CLIENT_KEY)
        with self.assertRaises(authority.Refused) as raised:
            self.make()
        self.assertEqual(str(raised.exception), f'{self.folder} lacks keys/clientkey.pem. Have them there too, or '
                                                'empty the folder, and they are made.')

    def test_an_openssl_that_fails_leaves_nothing(self) -> None:
        with self.assertRaises(authority.Refused) as raised:
            authority.have(str(self.folder), ['a,b=c'])
        self.assertIn('openssl x509: ', str(raised.exception))
        self.assertEqual(list(self.folder.parent.iterdir()), [])
