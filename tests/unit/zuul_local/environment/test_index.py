"""The index: found where pip and uv find it, never trusted, never shown with its password."""

from __future__ import annotations

import hashlib
import http.server
import json
import tempfile
import threading
import unittest
from pathlib import Path

from zuul_local.environment import index
from zuul_local.environment.index import Index, Link, NoSuchFile, Pin
from zuul_local.errors import UserError

WHEEL = b'the bytes of a wheel'
DIGEST = hashlib.sha256(WHEEL).hexdigest()
OTHER = '0' * 64
NAME = 'uv-1.2-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl'
PIN = Pin('uv', '1.2', frozenset({DIGEST}))


class ConfiguredTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.pip = Path(folder.name) / 'pip.conf'
        self.uv = Path(folder.name) / 'uv.toml'

    def found(self, environ: dict[str, str]) -> Index:
        return index.configured(environ, (Path('/nonexistent'), self.pip), (self.uv,))

    def test_order(self) -> None:
        cases: tuple[tuple[dict[str, str], str, str, str, str], ...] = (
            ({}, '', '', index.PYPI, 'default'),
            ({}, '[global]\nindex-url = https://conf/simple/\n', '', 'https://conf/simple', str(self.pip)),
            ({}, '[global]\nindex_url = https://a/s\n[install]\nindex-url = https://b/s\n', '', 'https://b/s',
             str(self.pip)),
            ({'PIP_INDEX_URL': 'https://env/s'}, '[global]\nindex-url = https://c/s\n', '', 'https://env/s',
             'PIP_INDEX_URL'),
            ({'PIP_INDEX_URL': 'https://env/s'}, '', '[[index]]\nurl = "https://u/s"\ndefault = true\n', 'https://u/s',
             str(self.uv)),
            ({}, '', '[[index]]\nurl = "https://u/s"\n', index.PYPI, 'default'),
            ({}, '', '[pip]\nindex-url = "https://u/p"\n', 'https://u/p', str(self.uv)),
            ({'UV_DEFAULT_INDEX': 'mine=https://n/s'}, '', 'index-url = "https://u/s"\n', 'https://n/s',
             'UV_DEFAULT_INDEX'),
            ({'UV_INDEX_URL': 'https://o/s', 'PIP_INDEX_URL': 'https://p/s'}, '', '', 'https://o/s', 'UV_INDEX_URL'),
        )
        for environ, pip, uv, url, origin in cases:
            with self.subTest(environ=environ, pip=pip, uv=uv):
                self.pip.write_text(pip)
                self.uv.write_text(uv)
                found = self.found(environ)
                self.assertEqual(((url,), origin), (found.urls, found.origin))

    def test_extra_indexes_and_certificates(self) -> None:
        self.pip.write_text('[global]\nextra-index-url =\n  https://x/s\n  https://y/s/\ncert = /c.pem\n')
        found = self.found({})
        self.assertEqual((index.PYPI, 'https://x/s', 'https://y/s'), found.urls)
        self.assertEqual('/c.pem', found.certificates)
        self.assertEqual('/d.pem', self.found({'PIP_CERT': '/d.pem'}).certificates)
        tools = found.tool_environment()
        self.assertEqual((index.PYPI, 'https://x/s https://y/s', '/c.pem'),
                         (tools['UV_DEFAULT_INDEX'], tools['UV_INDEX'], tools['SSL_CERT_FILE']))

    def test_broken_files_are_named(self) -> None:
        for path in (self.pip, self.uv):
            with self.subTest(path.name):
                path.write_text('= = [')
                with self.assertRaisesRegex(UserError, path.name):
                    self.found({})
                path.unlink()

    def test_places(self) -> None:
        places = index.pip_files({'HOME': '/h', 'PIP_CONFIG_FILE': '/mine'})
        expected = ['/etc/xdg/pip/pip.conf', '/etc/pip.conf', '/h/.pip/pip.conf', '/h/.config/pip/pip.conf', '/mine']
        self.assertEqual(expected, list(map(str, places)))
        self.assertEqual((), index.pip_files({'HOME': '/h', 'PIP_CONFIG_FILE': '/dev/null'}))


class PureTest(unittest.TestCase):
    def test_masked(self) -> None:
        cases = (
            ('https://u:p@h/s', 'https://***@h/s'),
            ('see https://token@h/s and http://a:b@c/', 'see https://***@h/s and http://***@c/'),
            ('https://h/s/@scope', 'https://h/s/@scope'),
        )
        for url, expected in cases:
            with self.subTest(url):
                self.assertEqual(expected, index.masked(url))

    def test_pins(self) -> None:
        lock = (f'# made by\nuv==1.2 \\\n    --hash=sha256:{DIGEST} \\\n    --hash=sha256:{OTHER}\n'
                f'Some_Name==3 ; python_version < "3.12" \\\n    --hash=sha256:{OTHER}\n')
        found = index.pins(lock)
        self.assertEqual({'uv', 'some-name'}, set(found))
        self.assertEqual(Pin('uv', '1.2', frozenset({DIGEST, OTHER})), found['uv'])
        self.assertEqual('3', found['some-name'].version)

    def test_links(self) -> None:
        base = 'https://h/simple/uv/'
        page = f'<a href="../../f/{NAME}#sha256={DIGEST}">x</a><a href="https://o/a%2Bb.whl">y</a><p href="z">'
        self.assertEqual((Link(NAME, f'https://h/f/{NAME}', DIGEST), Link('a+b.whl', 'https://o/a%2Bb.whl')),
                         index.html_links(page, base))
        files = {'files': [{'filename': NAME, 'url': f'/f/{NAME}', 'hashes': {'sha256': DIGEST}},
                           {'filename': 'b', 'url': 'b', 'hashes': {}}]}
        self.assertEqual((Link(NAME, f'https://h/f/{NAME}', DIGEST), Link('b', f'{base}b')),
                         index.json_links(json.dumps(files), base))

    def test_choose(self) -> None:
        cases = (
            (NAME, DIGEST, 'x86_64', True),
            (NAME, None, 'x86_64', True),
            (NAME, OTHER, 'x86_64', False),
            (NAME, DIGEST, 'aarch64', False),
            ('uv-1.2-py3-none-any.whl', DIGEST, 'riscv64', True),
            ('uv-1.2-py3-none-musllinux_1_1_x86_64.whl', DIGEST, 'x86_64', False),
            ('uv-1.2-py3-none-macosx_11_0_x86_64.whl', DIGEST, 'x86_64', False),
            ('uv-1.20-py3-none-any.whl', DIGEST, 'x86_64', False),
            ('uv-1.2.tar.gz', DIGEST, 'x86_64', False),
        )
        for name, digest, machine, fits in cases:
            with self.subTest(name, digest=digest, machine=machine):
                link = Link(name, 'u', digest)
                self.assertEqual(link if fits else None, index.choose((link,), PIN, machine))


class FetchTest(unittest.TestCase):
    """Against a server on this machine."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.seen: list[tuple[str, str | None]] = []
        self.body = WHEEL
        self.page = f'<a href="/f/{NAME}">{NAME}</a>'
        test = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                test.seen.append((self.path, self.headers.get('Authorization')))
                if self.path.startswith('/moved/'):
                    self.send_response(302)
                    self.send_header('Location', f'http://localhost:{server.server_port}/simple/uv/')
                    self.end_headers()
                    return
                body = test.body if self.path.endswith('.whl') else test.page.encode()
                self.send_response(200 if body else 404)
                self.send_header('Content-Type', 'text/html')
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.base = f'127.0.0.1:{server.server_port}/simple'

    def test_fetched_once_with_the_credentials_of_the_index(self) -> None:
        here = Index((f'http://me:p%40ss@{self.base}',))
        path = index.fetch(here, PIN, 'x86_64', self.folder)
        self.assertEqual((DIGEST, NAME, WHEEL), (path.parent.name, path.name, path.read_bytes()))
        self.assertEqual([('/simple/uv/', 'Basic bWU6cEBzcw=='), (f'/f/{NAME}', 'Basic bWU6cEBzcw==')], self.seen)
        self.assertEqual(path, index.fetch(here, PIN, 'x86_64', self.folder))
        self.assertEqual(2, len(self.seen))

    def test_a_redirect_does_not_take_the_password_elsewhere(self) -> None:
        moved = Index((f'http://me:secret@{self.base.replace("simple", "moved")}',))
        index.fetch(moved, PIN, 'x86_64', self.folder)
        self.assertEqual(['/moved/uv/', '/simple/uv/', f'/f/{NAME}'], [path for path, _ in self.seen])
        self.assertEqual([True, False, False], [bool(password) for _, password in self.seen])

    def test_a_damaged_copy_is_fetched_again(self) -> None:
        here = Index((f'http://{self.base}',))
        path = index.fetch(here, PIN, 'x86_64', self.folder)
        path.write_bytes(b'damaged')
        self.assertEqual(WHEEL, index.fetch(here, PIN, 'x86_64', self.folder).read_bytes())

    def test_other_bytes_are_refused(self) -> None:
        self.body = WHEEL + b'!'
        with self.assertRaisesRegex(UserError, 'not what the lock says') as caught:
            index.fetch(Index((f'http://me:secret@{self.base}',)), PIN, 'x86_64', self.folder)
        self.assertNotIn('secret', caught.exception.message)
        self.assertEqual([], list(self.folder.iterdir()))

    def test_everything_tried_is_listed(self) -> None:
        self.page = ''
        here = Index((f'http://me:secret@{self.base}', 'http://127.0.0.1:1/s'), 'PIP_INDEX_URL')
        with self.assertRaises(UserError) as caught:
            index.fetch(here, PIN, 'x86_64', self.folder)
        message = caught.exception.message
        self.assertIn('from PIP_INDEX_URL', message)
        self.assertIn(f'http://***@{self.base}/uv/: HTTP 404', message)
        self.assertIn('http://127.0.0.1:1/s/uv/: ', message)
        self.assertNotIn('secret', message)

    def test_the_second_index_has_it(self) -> None:
        here = Index(('http://127.0.0.1:1/s', f'http://{self.base}'))
        self.assertEqual(NAME, index.fetch(here, PIN, 'x86_64', self.folder).name)

    def test_no_file_for_this_machine(self) -> None:
        with self.assertRaises(NoSuchFile):
            index.fetch(Index((f'http://{self.base}',)), PIN, 's390x', self.folder)
