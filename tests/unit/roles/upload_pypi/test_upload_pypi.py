# SPDX-License-Identifier: Apache-2.0
"""What is uploaded, what is said about what is not, and that the secret is nowhere."""
from __future__ import annotations

import base64
import hashlib
import http.server
import json
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

module: Any = library('upload-pypi', 'upload_pypi')
TOKEN = 'pypi-AgEIcHlwaS5vcmc'
# Stands for twine: notes how it was called, and answers as a file beside it says.
TWINE = '''#!/bin/sh
here=$(dirname "$0")
{{ echo "$*"; env; }} >> "$here/called"
cat "$here/answer" 2>/dev/null
exit "$(cat "$here/code" 2>/dev/null || echo 0)"
'''.replace('{{', '{').replace('}}', '}')
FORBIDDEN = f'''Uploading distributions to https://index.example/
INFO     Response from https://index.example/:
         403 Forbidden
ERROR    HTTPError: 403 Forbidden from https://index.example/
         Invalid or non-existent authentication information for {TOKEN}
'''
PAGE = '''INFO     Response from http://a/:
         400 Bad Request
INFO
             <html>
                 <head><title>Error: 400</title><style type="text/css">html {color: #eee}
         </style></head>
                 <h1>Error: 400 Bad Request</h1> <p>Sorry, <tt>&#039;http://a/&#039;</tt>
                    caused an error:</p>
                     <pre>Package &#039;a.whl&#039; already
         exists!</pre></html>
ERROR    HTTPError: 400 Bad Request from http://a/
         Bad Request
'''
CONFLICT = 'ERROR    HTTPError: 409 Conflict from http://127.0.0.1/\n         Package already there\n'
PRESENT = '''ERROR    HTTPError: 400 File already exists ('a.whl') from https://upload.pypi.org/legacy/
         Bad Request
'''


class UploadTest(unittest.TestCase):
    def setUp(self) -> None:
        self.top = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.twine = self.top / 'twine'
        self.twine.write_text(TWINE)
        self.twine.chmod(0o755)
        self.files = []
        for name in ('thing-1.0.tar.gz', 'thing-1.0-py3-none-any.whl'):
            (self.top / name).write_text(name)
            self.files.append({'name': name, 'path': str(self.top / name),
                               'sha256': hashlib.sha256(name.encode()).hexdigest()})

    def params(self, **other: Any) -> dict[str, Any]:
        info = {'api_token': TOKEN, 'username': '', 'password': '', **other.pop('info', {})}
        return {'files': self.files, 'executable': str(self.twine), 'repository': 'pypi', 'repository_url': '',
                'info': info,
                'oidc_token': '', 'oidc_mint_url': '', 'skip_existing': False, 'timeout': 20, **other}

    def refused(self, **other: Any) -> str:
        with self.assertRaises(module.Refused) as caught:
            module.upload(self.params(**other), [])
        return str(caught.exception)

    def answer(self, text: str, code: int = 1) -> None:
        (self.top / 'answer').write_text(text)
        (self.top / 'code').write_text(str(code))

    def calls(self) -> list[str]:
        called = self.top / 'called'
        said = called.read_text() if called.exists() else ''
        return [line for line in said.splitlines() if line.startswith('upload ')]

    def test_each_file_is_uploaded_and_the_token_is_no_argument(self) -> None:
        result = module.upload(self.params(), [])
        self.assertEqual((result['changed'], result['index'], result['uploaded'], result['existing'],
                          result['lines']), (
            True, 'https://upload.pypi.org/legacy/', [one['name'] for one in self.files], [], []))
        self.assertEqual(self.calls(), [
            f'upload --non-interactive --disable-progress-bar --verbose --config-file /dev/null {one["path"]}'
            for one in self.files])
        said = (self.top / 'called').read_text()
        self.assertIn(f'TWINE_PASSWORD={TOKEN}\n', said)
        self.assertIn('TWINE_USERNAME=__token__\n', said)
        self.assertNotIn(TOKEN, json.dumps(result))

    def test_where_it_goes(self) -> None:
        for other, index, user in (
                ({'repository': 'testpypi'}, 'https://test.pypi.org/legacy/', '__token__'),
                ({'repository': 'ours', 'repository_url': 'https://pypi.example/'}, 'https://pypi.example/',
                 '__token__'),
                ({'info': {'api_token': '', 'username': 'me', 'password': 'pw'}}, 'https://upload.pypi.org/legacy/',
                 'me')):
            with self.subTest(other=other):
                (self.top / 'called').unlink(missing_ok=True)
                self.assertEqual(module.upload(self.params(**other), [])['index'], index)
                said = (self.top / 'called').read_text()
                self.assertIn(f'TWINE_REPOSITORY_URL={index}\n', said)
                self.assertIn(f'TWINE_USERNAME={user}\n', said)

    def test_an_index_without_encryption_is_told(self) -> None:
        self.assertIn('it is not encrypted', module.upload(self.params(repository_url='http://pypi.example/'),
                                                           [])['lines'][0])
        self.assertEqual(module.upload(self.params(repository_url='http://127.0.0.1:1/'), [])['lines'], [])

    def test_all_that_is_wrong_is_told_at_once(self) -> None:
        said = self.refused(repository='ours', info={'api_token': ''}, executable='/no/twine', timeout=0)
        for line in ('cannot continue, 4 problems:', "pypi_repository is 'ours': that is none of pypi, testpypi",
                     'pypi_info has no api_token, and not both', 'upload_pypi_timeout is 0',
                     "pypi_twine_executable is '/no/twine': there is no such program."):
            self.assertIn(line, said)
        for url, says in (('ftp://a', 'no address that begins with https://'), ('https://', 'no address'),
                          ('https://a b/', 'no address'), ('https://[x/', 'no address'),
                          (f'https://me:{TOKEN}@a/', 'has a user or a password in it')):
            with self.subTest(url=url):
                said = self.refused(repository_url=url)
                self.assertIn(says, said)
                self.assertNotIn(TOKEN, said)
        self.assertIn('Give both or none', self.refused(oidc_token='a'))
        self.assertIn('Give both or none', self.refused(oidc_mint_url='https://a/'))
        self.assertIn('whoever is between', self.refused(oidc_token='a', oidc_mint_url='http://a/'))
        self.assertEqual(self.calls(), [])

    def test_a_refusal_names_file_index_and_reason(self) -> None:
        self.answer(FORBIDDEN)
        self.assertEqual(self.refused(), (
            "https://upload.pypi.org/legacy/ did not take 'thing-1.0.tar.gz': 403 Forbidden: Invalid or non-existent "
            'authentication information for ***. Look whether the token or password is that of this index, is still '
            'valid, '
            'and may upload this project. Nothing was uploaded before it.'))
        self.assertEqual(len(self.calls()), 1)

    def test_colours_and_blanks_hide_nothing(self) -> None:
        self.answer(PAGE.replace('ERROR   ', '\x1b[31mERROR   \x1b[0m').replace('INFO    ', '\x1b[34mINFO    \x1b[0m')
                    .replace('\n', ' ' * 900 + '\n'))
        self.assertIn("400 Bad Request: Sorry, 'http://a/' caused an error: Package 'a.whl' already exists!",
                      self.refused())

    def test_what_is_there_already(self) -> None:
        for said in (CONFLICT, PRESENT, PAGE):
            self.answer(said)
            self.assertIn('An index takes a file once', self.refused())
            result = module.upload(self.params(skip_existing=True), [])
            self.assertEqual((result['changed'], result['uploaded'], result['existing']),
                             (False, [], [one['name'] for one in self.files]))
        self.answer(FORBIDDEN)
        self.assertIn('403', self.refused(skip_existing=True))

    def test_advice(self) -> None:
        for status, said, words in (
                (400, 'The description failed to render', 'release another version'), (404, '', 'takes uploads'),
                (503, '', 'Try later'), (0, 'SSLError: CERTIFICATE_VERIFY_FAILED', 'REQUESTS_CA_BUNDLE'),
                (0, 'ConnectionError: Connection refused', 'cannot be reached'), (0, 'x', 'Look at what twine says')):
            with self.subTest(status=status, said=said):
                self.assertIn(words, module.advice(status, said))

    def test_verdicts(self) -> None:
        for said, expected in (
                (PRESENT, (400, "File already exists ('a.whl'): Bad Request")),
                (PAGE, (400, "Bad Request: Sorry, 'http://a/' caused an error: Package 'a.whl' already exists!")),
                ('', (0, 'it said nothing')), ('a\nb\n', (0, 'b')),
                ('a\nERROR    InvalidDistribution: none\nb', (0, 'ERROR    InvalidDistribution: none'))):
            self.assertEqual(module.verdict(said), expected)

    def test_a_file_that_was_changed_and_a_program_that_hangs(self) -> None:
        self.twine.write_text('#!/bin/sh\nexec sleep 20\n')
        self.assertIn('timed out after 1 s', self.refused(timeout=1))
        Path(self.files[0]['path']).write_text('other')
        self.assertIn('was changed after it was looked at', self.refused())
        Path(self.files[0]['path']).unlink()
        Path(self.files[0]['path']).symlink_to(self.files[1]['path'])
        self.assertIn('was changed after it was looked at', self.refused())

    def test_each_form_of_the_secret_is_hidden(self) -> None:
        secrets: list[str] = []
        both = base64.b64encode(f'__token__:{TOKEN}'.encode()).decode()
        self.answer(f'ERROR    Exception: Authorization: Basic {both} {TOKEN}\n')
        with self.assertRaises(module.Refused) as caught:
            module.upload(self.params(), secrets)
        self.assertNotIn(TOKEN, str(caught.exception))
        self.assertNotIn(both, str(caught.exception))


class ContractOfExchangeTest(unittest.TestCase):
    """With a program that answers as pypi.org documents the exchange of tokens."""

    def setUp(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[Any] = []
        test = self

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                test.asked.append(json.loads(self.rfile.read(int(self.headers['Content-Length']))))
                status, body = test.answers.pop()
                self.send_response(status)
                if status == 302:
                    self.send_header('Location', 'http://127.0.0.1:1/')
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = http.server.HTTPServer(('127.0.0.1', 0), Answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f'http://127.0.0.1:{server.server_port}/_/oidc/mint-token'

    def test_a_token_for_a_token(self) -> None:
        self.answers = [(200, b'{"success": true, "token": "pypi-new"}')]
        self.assertEqual(module.exchange(self.url, 'of-zuul'), 'pypi-new')
        self.assertEqual(self.asked, [{'token': 'of-zuul'}])

    def test_no_token(self) -> None:
        denied = json.dumps({'message': 'Token request failed', 'errors': [
            {'code': 'invalid-publisher',
             'description': 'valid token of-zuul, but no corresponding publisher'}]}).encode()
        for answer, says in (
                ((422, denied), 'gave no token: 422 Unprocessable Entity: Token request failed; valid token ***, but '
                                'no'),
                ((500, b'<html>'), 'gave no token: 500 Internal Server Error. Look whether the index trusts'),
                ((302, b''), 'gave no token: 302'), ((200, b'[]'), 'its answer has none'), ((200, b'{"token": 5}'),
                                                                                            'has none'),
                ((200, b'{"token": "a\\nb"}'), 'has none'), ((200, b'nonsense'), 'gave no token: ')):
            self.answers = [answer]
            with self.subTest(answer=answer), self.assertRaises(module.Refused) as caught:
                module.exchange(self.url, 'of-zuul')
            self.assertIn(says, str(caught.exception))
            self.assertNotIn('of-zuul', str(caught.exception))
        with self.assertRaisesRegex(module.Refused, 'can be reached from the node'):
            module.exchange('http://127.0.0.1:1/', 'of-zuul')


if __name__ == '__main__':
    unittest.main()
