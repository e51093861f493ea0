# SPDX-License-Identifier: Apache-2.0
"""The program that readers run, against a server on this machine."""
from __future__ import annotations

import functools
import gzip
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any

import jinja2

from tests.unit.roles import ROLES

BUILD = '0123456789abcdef0123456789abcdef'


class Handler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        if self.path.endswith('packed.txt'):
            self.send_header('Content-Encoding', 'gzip')
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class TestDownload(unittest.TestCase):
    def setUp(self) -> None:
        self.top = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.top)
        self.site = self.top / 'site'
        (self.site / 'logs/deep').mkdir(parents=True)
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Handler, directory=str(self.site)))
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f'http://127.0.0.1:{server.server_port}'
        folder = self.site / 'api/tenant/one/build'
        folder.mkdir(parents=True)
        self.build = folder / BUILD
        self.said({'log_url': f'{self.url}/logs/', 'artifacts': [
            {'url': f'{self.url}/manifest', 'metadata': {'type': 'zuul_manifest'}}]})
        environment = jinja2.Environment()
        environment.filters['to_json'] = json.dumps
        text = environment.from_string((ROLES / 'local-log-download/templates/download-logs.sh.j2').read_text()).render(
            __local_log_download_api=f'{self.url}/api/tenant/one', zuul={'build': BUILD})
        (self.top / 'download-logs.sh').write_text(text)

    def said(self, build: dict[str, Any]) -> None:
        self.build.write_text(json.dumps(build))

    def manifest(self, *tree: dict[str, Any]) -> None:
        (self.site / 'manifest').write_text(json.dumps({'tree': tree}))

    def run_it(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(('sh', 'download-logs.sh', *arguments), cwd=self.top, text=True, check=False, timeout=60,
                              capture_output=True, env={**os.environ, 'no_proxy': '127.0.0.1'})

    def there(self, folder: str = 'logs-0123456') -> dict[str, str]:
        top = self.top / folder
        return {str(path.relative_to(top)): path.read_text() for path in sorted(top.rglob('*')) if path.is_file()}

    def test_all_files(self) -> None:
        (self.site / 'logs/a #1?.txt').write_text('1')
        (self.site / 'logs/deep/b').write_text('2')
        (self.site / 'logs/packed.txt').write_bytes(gzip.compress(b'3'))
        self.manifest({'name': 'a #1?.txt', 'mimetype': 'text/plain'}, {'name': 'packed.txt', 'mimetype': 'text/plain'},
                      {'name': 'deep', 'mimetype': 'application/directory', 'children': [{'name': 'b'}]})
        done = self.run_it()
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertEqual(self.there(), {'a #1?.txt': '1', 'deep/b': '2', 'packed.txt': '3'})
        done = self.run_it()
        self.assertEqual(done.returncode, 1)
        self.assertIn('File exists', done.stderr)

    def test_names_that_lead_elsewhere(self) -> None:
        (self.site / 'logs/good').write_text('1')
        self.manifest({'name': '..', 'children': [{'name': 'evil'}]}, {'name': '../evil'}, {'name': '/tmp/evil'},
                      {'name': 'a\x1b[2J'}, {'name': ''}, {'name': 'good'}, {'name': 'good'})
        done = self.run_it('here')
        self.assertEqual(self.there('here'), {'good': '1'})
        self.assertEqual(sorted(path.name for path in self.top.iterdir()), ['download-logs.sh', 'here', 'site'])
        self.assertEqual(done.stderr.count('left out'), 5)
        self.assertIn('1 files are missing in here', done.stderr)
        self.assertNotIn('\x1b', done.stderr)

    def test_what_cannot_be_had(self) -> None:
        (self.site / 'logs/good').write_text('1')
        self.manifest({'name': 'gone'}, {'name': 'good'})
        done = self.run_it()
        self.assertEqual(done.returncode, 1)
        self.assertIn('failed: gone', done.stderr)
        self.assertEqual(self.there(), {'good': '1'})

    def test_no_list(self) -> None:
        for build in ({'log_url': None}, {'log_url': 'https://x', 'artifacts': []}):
            self.said(build)
            done = self.run_it()
            self.assertEqual((done.returncode, done.stderr), (1, f'Build {BUILD} has no logs, or no list of them.\n'))
        self.build.write_text('<html>')
        self.assertIn('The logs cannot be downloaded', self.run_it().stderr)

    def test_other_kinds_of_addresses(self) -> None:
        self.said({'log_url': 'file:///etc', 'artifacts': [{'url': 'file:///etc/passwd',
                                                            'metadata': {'type': 'zuul_manifest'}}]})
        self.assertIn("not an http(s) URL: 'file:///etc/passwd'", self.run_it().stderr)
