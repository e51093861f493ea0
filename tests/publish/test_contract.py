"""upload-logs-gcs and upload-logs-ibm by contract: the vendors' libraries, and programs that answer like their servers.

They show that what is asked for is what the vendors document. Nothing here has seen Google or IBM.
"""
from __future__ import annotations

import http.server
import json
import threading
import time
from typing import Any

from tests.publish import servers
from tests.publish.support import PATH, Called, PublishTest


class GcsContractTest(PublishTest):
    def publish(self, endpoint: str, **other: Any) -> Called:
        (self.top / 'credentials').write_text('{"access_token": "tOkEn-of-someone"}')
        return self.call('upload-logs-gcs', {
            'zuul_log_container': 'logs', 'zuul_log_project': 'one', 'upload_logs_gcs_endpoint': endpoint,
            'zuul_log_credentials_file': str(self.top / 'credentials'), **other})

    def test_contract(self) -> None:
        self.some_logs()
        endpoint = self.enterContext(servers.gcs(self.venv, self.top))
        called = self.publish(endpoint, zuul_log_container_public=False)
        self.assert_went_well(called)
        self.assertEqual(called.zuul, {'log_url': f'{endpoint}/logs/{PATH}/'})
        self.assertNotIn('tOkEn', called.said)
        status, _, seen = self.get(f'{endpoint}/logs/{PATH}/binary')
        self.assertEqual((status, seen), (200, b'\0\1'))
        (self.logs / 'new').write_text('new')
        called = self.publish(endpoint)
        self.assert_went_well(called)
        self.assertIn('1 files published, 5 were there already', called.said)

    def test_contract_no_credentials(self) -> None:
        (self.logs / 'a').write_text('1')
        called = self.publish('http://127.0.0.1:9', zuul_log_credentials_file='/nowhere')
        self.assertTrue(called.failed)
        self.assertIn("cannot log in: [Errno 2] No such file or directory: '/nowhere'", called.said)


class TokenHandler(http.server.BaseHTTPRequestHandler):
    """Exchanges the right API key for a token."""

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers['Content-Length'])).decode()
        fine = 'apikey=kEy-of-someone' in said
        data = json.dumps({'access_token': 'tOkEn', 'refresh_token': 'x', 'token_type': 'Bearer', 'expires_in': 3600,
                           'expiration': int(time.time()) + 3600} if fine else {'errorMessage': 'no such key'}).encode()
        self.send_response(200 if fine else 400)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class IbmContractTest(PublishTest):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = self.enterContext(servers.s3(self.venv, self.top))
        tokens = http.server.ThreadingHTTPServer(('127.0.0.1', 0), TokenHandler)
        self.addCleanup(tokens.server_close)
        self.addCleanup(tokens.shutdown)
        threading.Thread(target=tokens.serve_forever, daemon=True).start()
        self.tokens = f'http://127.0.0.1:{tokens.server_port}/identity/token'

    def publish(self, **other: Any) -> Called:
        return self.call('upload-logs-ibm', {
            'zuul_log_bucket': 'logs', 'zuul_log_bucket_location': 'eu-de-standard',
            'zuul_log_api_key': 'kEy-of-someone', 'zuul_log_instance_id': 'crn:one',
            'zuul_log_endpoint_url': self.endpoint, 'upload_logs_ibm_auth_url': self.tokens, **other})

    def test_contract(self) -> None:
        self.some_logs()
        called = self.publish()
        self.assert_went_well(called)
        self.assertEqual(called.zuul, {'log_url': f'{self.endpoint}/logs/{PATH}/'})
        self.assertEqual(self.get(called.zuul['log_url'] + 'binary')[2], b'\0\1')
        self.assertNotIn('kEy-of', called.said)

    def test_contract_a_wrong_key(self) -> None:
        (self.logs / 'a').write_text('1')
        called = self.publish(zuul_log_api_key='wRoNg-key')
        self.assertTrue(called.failed)
        self.assertIn('nothing was published by upload-logs-ibm', called.said)
        self.assertNotIn('wRoNg', called.said)
