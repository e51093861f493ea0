"""The role upload-logs-swift, with openstacksdk and OpenStack Swift."""
from __future__ import annotations

import gzip
import time
from typing import Any

from tests.publish import servers
from tests.publish.support import PATH, Called, PublishTest
from tests.publish.test_s3 import ODD


class SwiftTest(PublishTest):
    def setUp(self) -> None:
        super().setUp()
        (self.top / 'swift').mkdir()
        self.auth = self.enterContext(servers.swift(self.venv, self.top / 'swift'))

    def publish(self, key: str = servers.KEY, **other: Any) -> Called:
        return self.call('upload-logs-swift', {'zuul_log_cloud_config': {
            'auth_type': 'v1password',
            'auth': {'auth_url': self.auth, 'username': servers.USER, 'password': key}}, **other})

    def test_a_stranger_reads_them(self) -> None:
        self.some_logs()
        called = self.publish()
        self.assert_went_well(called)
        base = self.auth.replace('auth/v1.0', f'v1/AUTH_test/logs/{PATH}/')
        self.assertEqual(called.zuul, {'log_url': base})
        self.assertNotIn(servers.KEY, called.said)
        for path, kind, encoding, content in (
                ('job-output.txt', 'text/plain; charset=utf-8', 'gzip', b'2026-01-01 | line\n' * 500),
                ('job-output.json', 'application/json', None, b'[]'), (ODD, 'text/plain; charset=utf-8', None, b'odd'),
                ('deep/packed.txt.gz', 'text/plain; charset=utf-8', 'gzip', b'packed'),
                ('binary', 'application/octet-stream', None, b'\0\1')):
            with self.subTest(path=path):
                status, headers, seen = self.get(base + path)
                self.assertEqual((status, headers['Content-Type'], headers['Content-Encoding']), (200, kind, encoding))
                self.assertEqual(gzip.decompress(seen) if encoding else seen, content)
                self.assertAlmostEqual(int(headers['X-Delete-At']), time.time() + 15552000, delta=600)
        for path in ('link', 'pipe'):
            self.assertEqual(self.get(base + path)[0], 404)
        for path in ('', 'index.html', 'deep/er/index.html', 'deep/er/'):
            status, headers, seen = self.get(base + path)
            self.assertEqual((status, headers['Content-Type']), (200, 'text/html; charset=utf-8'))
            self.assertNotIn(b'<b>', seen)
        (self.logs / 'new').write_text('new')
        called = self.publish()
        self.assert_went_well(called)
        self.assertIn('1 files published, 5 were there already', called.said)

    def test_a_container_for_each_part_of_the_path_and_no_expiry(self) -> None:
        (self.logs / 'a').write_text('1')
        called = self.publish(zuul_log_partition=True, zuul_log_delete_after=0, zuul_log_create_indexes=False)
        self.assert_went_well(called)
        base = self.auth.replace('auth/v1.0', f'v1/AUTH_test/logs_45/{PATH.partition("/")[2]}/')
        self.assertEqual(called.zuul['log_url'], base)
        _, headers, seen = self.get(base + 'a')
        self.assertEqual((seen, headers['X-Delete-At']), (b'1', None))

    def test_a_wrong_password(self) -> None:
        (self.logs / 'a').write_text('1')
        called = self.publish(key='wRoNg-password')
        self.assertTrue(called.failed)
        self.assertIn('cannot log in with zuul_log_cloud_config', called.said)
        self.assertNotIn('wRoNg', called.said)
