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
NOWHERE = index.Site('', (), (), False, None, None, (), '')
WHEEL = b'the bytes of a wheel'
PIN = locks.Pin('pip', '26.3', '', ('sha256:' + hashlib.sha256(WHEEL).hexdigest(),), ())


class TestSite(unittest.TestCase):
    def test_the_environment_wins_over_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            general, user = Path(folder, 'a'), Path(folder, 'b')
            general.write_text('[global]\nindex-url = https://one.example/simple/\ncert = /ca.pem\n'
                               'extra-index-url =\n  https://x.example/simple\n  https://y.example/simple\n',
                               encoding='utf-8')
            user.write_text('[install]\nindex-url = https://two.example/simple\nno-index = true\n', encoding='utf-8')
            broken = Path(folder, 'c')
            broken.write_text('no section', encoding='utf-8')
            more = ('https://x.example/simple', 'https://y.example/simple')
            for environment, files, expected in (
                    ({}, [], {'url': 'https://pypi.org/simple'}),
                    ({'SSL_CERT_FILE': '/x'}, [], {'url': 'https://pypi.org/simple', 'certificates': '/x'}),
                    ({}, [general], {'url': 'https://one.example/simple', 'certificates': '/ca.pem', 'extra': more}),
                    ({}, [general, user, broken], {'url': 'https://two.example/simple', 'certificates': '/ca.pem',
                                                   'extra': more, 'no_index': True}),
                    ({'PIP_INDEX_URL': 'https://three.example/', 'PIP_CERT': '/y', 'PIP_EXTRA_INDEX_URL': more[0]},
                     [general],
                     {'url': 'https://three.example', 'certificates': '/y', 'extra': more[:1]}),
                    ({'PIP_TRUSTED_HOST': 'a b', 'PIP_PROXY': 'http://p:1', 'PIP_FIND_LINKS': '/w',
                      'PIP_CLIENT_CERT': '/c'}, [],
                     {'url': 'https://pypi.org/simple', 'trusted_hosts': ('a', 'b'), 'proxy': 'http://p:1',
                      'links': ('/w',),
                      'client_certificate': '/c'})):
                with self.subTest(environment=environment, files=files):
                    self.assertEqual(index.site(environment, [str(file) for file in files]),
                                     NOWHERE._replace(**expected))

    def test_files_are_pips(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name in ('.config/pip/pip.conf', '.pip/pip.conf', 'own.conf', 'xdg/pip/pip.conf'):
                Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
                Path(folder, name).touch()
            found = index.configuration_files({'HOME': folder, 'PIP_CONFIG_FILE': f'{folder}/own.conf',
                                               'XDG_CONFIG_DIRS': f'{folder}/xdg'})
            own = [path for path in found if path != '/etc/pip.conf']
            self.assertEqual(own, [f'{folder}/{name}' for name in ('xdg/pip/pip.conf', '.pip/pip.conf',
                                                                   '.config/pip/pip.conf',
                                                                   'own.conf')])
            self.assertEqual(index.configuration_files({'HOME': folder, 'PIP_CONFIG_FILE': os.devnull}), [])

    def test_what_has_to_answer(self) -> None:
        https, http = NOWHERE._replace(url='https://one.example/simple'), NOWHERE._replace(url='http://one.example:8080/x')
        for site, environment, expected in (
                (https, {}, ('one.example', 443)), (http, {}, ('one.example', 8080)),
                (https, {'https_proxy': 'http://proxy:3128'}, ('proxy', 3128)),
                (https, {'https_proxy': 'http://proxy:3128', 'no_proxy': 'one.example'}, ('one.example', 443)),
                (https._replace(proxy='proxy.example'), {}, ('proxy.example', 80)),
                (NOWHERE._replace(url='file:///srv/simple'), {}, None), (https._replace(no_index=True), {}, None)):
            with self.subTest(site=site, environment=environment), mock.patch.dict(os.environ, environment, clear=True):
                self.assertEqual(index.way_to(site), expected)

    def test_an_index_that_does_not_answer(self) -> None:
        asked = []
        answer = (0, '', '')

        def run(argv: list[str], timeout: int) -> tuple[int, str, str]:
            asked.append(timeout)
            return answer
        for code, said, expected in (
                (0, '', ''), (1, '[Errno 101] Network is unreachable\n',
                              'one.example:443 cannot be reached: [Errno 101] Network is unreachable'),
                (124, '\nstopped after 5 s', 'one.example:443 cannot be reached: stopped after 5 s')):
            answer = (code, '', said)
            with self.subTest(said=said), mock.patch.dict(os.environ, {}, clear=True):
                self.assertEqual(index.unreachable(NOWHERE._replace(url='https://one.example/simple'), run), expected)
        self.assertEqual(set(asked), {5})
        self.assertEqual(index.unreachable(NOWHERE._replace(no_index=True), run), 'pip is configured so')

    def test_places_as_they_are_told(self) -> None:
        for changes, expected in (
                ({'url': 'https://me:pw@one.example/simple', 'extra': ('https://x.example/simple',)},
                 'https://one.example/simple and https://x.example/simple'),
                ({'no_index': True, 'links': ('/wheels',)}, '/wheels'),
                ({'no_index': True}, 'no index (no-index is set for pip)')):
            with self.subTest(changes=changes):
                self.assertEqual(str(NOWHERE._replace(**changes)), expected)

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
        self.site = NOWHERE._replace(url=f'http://127.0.0.1:{self.server.server_port}/simple')
        environment = mock.patch.dict(os.environ, {'no_proxy': '127.0.0.1'})
        environment.start()
        self.addCleanup(environment.stop)

    def test_the_wheel_of_the_lock(self) -> None:
        path = index.fetch(PIN, self.site, self.folder)
        self.assertEqual(Path(path).read_bytes(), WHEEL)

    def test_other_bytes_are_refused(self) -> None:
        with mock.patch.object(Handler, 'wheel', b'evil'), self.assertRaisesRegex(index.NotFetched, 'other bytes'):
            index.fetch(PIN, self.site, self.folder)

    def test_the_next_index_is_asked(self) -> None:
        site = self.site._replace(url=self.site.url.replace('simple', 'none'), extra=(self.site.url,))
        self.assertEqual(Path(index.fetch(PIN, site, self.folder)).read_bytes(), WHEEL)
        with self.assertRaisesRegex(index.NotFetched, 'no-index'):
            index.fetch(PIN, site._replace(no_index=True), self.folder)

    def test_credentials_of_address_and_netrc(self) -> None:
        Path(self.folder, 'netrc').write_text('machine one.example login me password secret\n', encoding='utf-8')
        with mock.patch.dict(os.environ, {'NETRC': str(Path(self.folder, 'netrc'))}):
            for address, expected in (('https://you:p%40ss@one.example/x', ('you', 'p@ss')), ('https://one.example/x', (
                    'me', 'secret')), ('https://two.example/x', None)):
                with self.subTest(address=address):
                    self.assertEqual(index.credentials(address), expected)

    def test_a_version_that_the_index_lacks(self) -> None:
        with self.assertRaisesRegex(index.NotFetched, 'has no wheel of pip 99'):
            index.fetch(PIN._replace(version='99'), self.site, self.folder)

    def test_nothing_locked(self) -> None:
        with self.assertRaisesRegex(index.NotFetched, 'the lock names none'):
            index.fetch(None, self.site, self.folder)


if __name__ == '__main__':
    unittest.main()
