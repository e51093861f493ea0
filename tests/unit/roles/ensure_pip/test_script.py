# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import hashlib
import http.server
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any

import yaml

from tests.unit.roles import ROLES, module_utils

script = module_utils('ensure_pip_script')
interpreters = module_utils('ensure_pip_interpreters')
GOOD = b'print("pip")'
HASH = hashlib.sha256(GOOD).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    answers: list[int] = []
    seen: list[str | None] = []

    def do_GET(self) -> None:
        self.seen.append(self.headers['Authorization'])
        code = self.answers.pop(0) if self.answers else 200
        self.send_response(code)
        self.end_headers()
        if code == 200:
            self.wfile.write(GOOD)

    def log_message(self, *words: Any) -> None:
        pass


class TestWanted(unittest.TestCase):
    def test_hashes(self) -> None:
        self.assertEqual(script.read_hashes(f'# list\n\n{HASH.upper()}  get-pip.py  # pip 26\n'), {HASH})

    def test_trust(self) -> None:
        a, b = 'a' * 64, 'b' * 64
        for url, own, expected in ((script.UPSTREAM, [], {a}), (script.UPSTREAM, [b], {a, b}),
                                   ('https://h/x', [], {a}), ('https://h/x', [b.upper()], {b})):
            with self.subTest(url=url, own=own):
                self.assertEqual(script.wanted(url, own, a).trusted, expected)

    def test_refusals(self) -> None:
        with self.assertRaises(interpreters.Refused) as caught:
            script.wanted('ftp://me:secret@h/x', ['x', 'a' * 63], '')
        self.assertEqual(len(caught.exception.problems), 3)
        self.assertNotIn('secret', str(caught.exception))
        for url in ('', 'x', 'https://h', '-c', 'file://host/x', 'https://h/a b'):
            with self.subTest(url=url), self.assertRaises(interpreters.Refused):
                script.wanted(url, [], '')

    def test_the_default_is_the_address_of_upstream(self) -> None:
        defaults = yaml.safe_load((ROLES / 'ensure-pip' / 'defaults' / 'main.yaml').read_text())
        self.assertEqual(defaults['ensure_pip_from_upstream_url'], script.UPSTREAM)

    def test_the_pins_are_those_of_the_tools(self) -> None:
        """A role must work without its neighbours' files, so it has a copy of this one."""
        self.assertEqual((ROLES / 'ensure-pip' / 'files' / 'pip.txt').read_bytes(),
                         (ROLES / 'ensure-python-command' / 'files' / 'toolchain' / 'pip.txt').read_bytes())


class TestFiles(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, 'get-pip.py')
        self.path.write_bytes(GOOD)
        self.known = script.wanted(script.UPSTREAM, [HASH], '')

    def test_cache(self) -> None:
        self.assertEqual(script.cached(str(self.path), self.known), (GOOD, ''))
        self.path.write_bytes(GOOD + b'x')
        data, why = script.cached(str(self.path), self.known)
        self.assertEqual(data, b'')
        self.assertRegex(why, f'{self.path} has the sha256 [0-9a-f]{{64}}, which is not a known one')
        self.path.unlink()
        self.assertEqual(script.cached(str(self.path), self.known), (b'', f'{self.path}: No such file or directory'))

    def test_cache_in_place_of_an_address(self) -> None:
        for own, shipped, expected in (([HASH], '', GOOD), ([], HASH, b''), (['a' * 64], HASH, b'')):
            with self.subTest(own=own, shipped=shipped):
                known = script.wanted('https://example.org/get-pip.py', own, shipped)
                self.assertEqual(script.cached(str(self.path), known)[0], expected)

    def test_file_address(self) -> None:
        self.assertEqual(script.fetch(self.known._replace(url=f'file://{self.path}')), GOOD)
        with self.assertRaisesRegex(interpreters.Refused, 'absent cannot be downloaded: .*No such file'):
            script.fetch(self.known._replace(url=f'file://{self.path}.absent'), sleep=self.fail)

    def test_an_unknown_script_is_refused_with_its_hash(self) -> None:
        with self.assertRaisesRegex(interpreters.Refused, f"set ensure_pip_from_upstream_sha256: '{HASH}'"):
            script.fetch(script.wanted(f'file://{self.path}', ['a' * 64], HASH))


class TestWeb(unittest.TestCase):
    def setUp(self) -> None:
        self.server = http.server.HTTPServer(('127.0.0.1', 0), Server)
        self.addCleanup(self.server.server_close)
        thread = threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.01}, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)
        Server.seen = []
        self.pauses: list[float] = []

    def fetch(self, *answers: int, port: int = 0) -> bytes:
        Server.answers = list(answers)
        url = f'http://me:secret%40@127.0.0.1:{port or self.server.server_port}/get-pip.py'
        return script.fetch(script.wanted(url, [HASH], ''), sleep=self.pauses.append)

    def test_user_and_password_go_to_a_header(self) -> None:
        self.assertEqual(self.fetch(), GOOD)
        self.assertEqual(Server.seen, ['Basic ' + base64.b64encode(b'me:secret@').decode()])

    def test_tries_again_with_longer_pauses(self) -> None:
        self.assertEqual(self.fetch(503, 500), GOOD)
        self.assertEqual(self.pauses, list(script.PAUSES))

    def test_gives_up(self) -> None:
        for answers, pauses in (((404,), 0), ((503, 503, 503), 2)):
            self.pauses = []
            with self.subTest(answers=answers), self.assertRaises(interpreters.Refused) as caught:
                self.fetch(*answers)
            self.assertIn(f'get-pip.py cannot be downloaded: HTTP Error {answers[0]}', str(caught.exception))
            self.assertNotIn('secret', str(caught.exception))
            self.assertEqual(len(self.pauses), pauses)

    def test_nobody_answers(self) -> None:
        with self.assertRaisesRegex(interpreters.Refused, 'cannot be downloaded: .*Connection refused'):
            self.fetch(port=1)
        self.assertEqual(self.pauses, list(script.PAUSES))


if __name__ == '__main__':
    unittest.main()
