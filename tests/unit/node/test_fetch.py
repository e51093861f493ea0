"""Files of a list: from a server of our own, with all that servers do."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import subprocess
import sys
import tempfile
import threading
import unittest
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.node import program
from zuul_local.nodes.image import RECIPE

fetch = program('recipe/fetch')
SHA = {name: hashlib.sha256(name.encode()).hexdigest() for name in ('good', 'late', 'other')}


class Server(http.server.BaseHTTPRequestHandler):
    asked: Counter[str] = Counter()

    def do_GET(self) -> None:
        name = self.path.strip('/')
        self.asked[name] += 1
        if name in ('gone', 'ill') or (name == 'late' and self.asked[name] < 3):
            self.send_error(404 if name == 'gone' else 503)
            return
        body = b'good' if name == 'short' else name.encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body) + (5 if name == 'short' else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        pass


class Fetch(unittest.TestCase):
    def setUp(self) -> None:
        Server.asked = Counter()
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Server)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        self.url = f'http://127.0.0.1:{server.server_port}'
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.folder = self.scratch / 'files'
        self.enterContext(mock.patch.dict(fetch.download.__globals__, {'PAUSE': 0.01}))
        self.enterContext(mock.patch.dict('os.environ', {'no_proxy': '127.0.0.1'}))
        self.enterContext(mock.patch('urllib.request._opener', None))

    def fetch(self, *lines: str) -> list[str]:
        """Return what is missing after a run with a list of these *lines*, {} being the server."""
        (self.scratch / 'list.txt').write_text(''.join(line.replace('{}', self.url) + '\n' for line in lines))
        argv = ['fetch', str(self.folder), str(self.scratch / 'state/files.txt'), str(self.scratch / 'list.txt')]
        with mock.patch.object(sys, 'argv', argv), contextlib.redirect_stdout(io.StringIO()):
            fetch.main()
        return (self.scratch / 'state/files.txt').read_text().splitlines()

    def there(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def test_one_that_fails_does_not_lose_the_others(self) -> None:
        missing = self.fetch(
            f'gone {{}}/gone {SHA["good"]}', f'good {{}}/good {SHA["good"]}', '# a remark', '',
            f'wrong {{}}/other {SHA["good"]}', f'late {{}}/late {SHA["late"]}', f'ill {{}}/ill {SHA["good"]}',
            f'short {{}}/short {SHA["good"]}', f'nobody http://127.0.0.1:9/x {SHA["good"]}',
            f'no file:///no/such {SHA["good"]}')
        self.assertEqual(['good', 'late'], self.there())
        self.assertEqual([
            'gone: HTTP 404', f'wrong: its sha256 is {SHA["other"]}, not {SHA["good"]}', 'ill: HTTP 503, 3 times',
            'short: the connection broke off, 3 times', 'nobody: the server cannot be reached, 3 times',
            'no: there is no such file'], missing)
        self.assertEqual(1, Server.asked['gone'])
        self.assertEqual(0o644, (self.folder / 'good').stat().st_mode & 0o777)

    def test_what_is_there_is_not_fetched_again_and_what_is_wrong_is(self) -> None:
        line = f'good {{}}/good {SHA["good"]}'
        self.assertEqual([], self.fetch(line))
        self.assertEqual([], self.fetch(line))
        self.assertEqual(1, Server.asked['good'])
        (self.folder / 'good').write_text('changed')
        self.assertEqual([], self.fetch(line))
        self.assertEqual('good', (self.folder / 'good').read_text())

    def test_a_wrong_one_does_not_stay(self) -> None:
        self.folder.mkdir()
        (self.folder / 'gone').write_text('changed')
        self.assertEqual(['gone: HTTP 404'], self.fetch(f'gone {{}}/gone {SHA["good"]}'))
        self.assertEqual([], self.there())

    def test_a_link_is_replaced_and_not_followed(self) -> None:
        self.folder.mkdir()
        victim = self.scratch / 'victim'
        victim.write_text('good')
        (self.folder / 'good').symlink_to(victim)
        self.assertEqual([], self.fetch(f'good {{}}/other {SHA["other"]}'))
        self.assertEqual(('good', 'other', False), (
            victim.read_text(), (self.folder / 'good').read_text(), (self.folder / 'good').is_symlink()))

    def test_what_left_the_list_goes_and_what_others_put_there_stays(self) -> None:
        self.fetch(f'good {{}}/good {SHA["good"]}', f'other {{}}/other {SHA["other"]}')
        (self.folder / 'get-pip.py').touch()
        self.fetch(f'other {{}}/other {SHA["other"]}')
        self.assertEqual(['get-pip.py', 'other'], self.there())

    def test_nothing_of_a_proxy_is_told(self) -> None:
        environ = {'http_proxy': 'http://user:secret@127.0.0.1:9', 'no_proxy': '', 'NO_PROXY': ''}
        with mock.patch.dict('os.environ', environ):
            missing = self.fetch(f'good {{}}/good {SHA["good"]}')
        self.assertEqual(['good: the server cannot be reached, 3 times'], missing)

    def test_bad_lists(self) -> None:
        for line, says in (
                ('one two', 'line 1 has 2 words. Write: name url sha256'),
                (f'../x https://x {SHA["good"]}', "line 1: the name '../x' is not one of a file"),
                (f'x ftp://x {SHA["good"]}', 'line 1: the address of x begins with none of http, https, file.'),
                ('x https://x abc', 'line 1: the sha256 of x is not 64 hex digits'),
                (f'x https://x {SHA["good"]}\nx https://y {SHA["good"]}', 'line 2: x is named twice')):
            with self.subTest(line), self.assertRaisesRegex(ValueError, says.replace('.', '[.]')):
                fetch.entries(line)

    def test_the_program_says_which_list_is_bad(self) -> None:
        (self.scratch / 'list.txt').write_text('one two\n')
        done = subprocess.run([sys.executable, RECIPE / 'recipe/fetch', self.folder, self.scratch / 'm',
                               self.scratch / 'list.txt'], stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((1, f'fetch: {self.scratch}/list.txt: line 1 has 2 words. Write: name url sha256\n'),
                         (done.returncode, done.stderr))

    def test_our_list_is_one(self) -> None:
        self.assertEqual({}, fetch.entries((RECIPE / 'recipe/lists/files.txt').read_text()))
