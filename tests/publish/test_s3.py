"""The role upload-logs-s3, with boto3 and moto's server."""
from __future__ import annotations

import gzip
import urllib.parse
from typing import Any

from tests.publish import servers
from tests.publish.support import PATH, Called, PublishTest

ODD = urllib.parse.quote('deep/er/<b>ü &#?%.log')
SECRET = 'sEcReT/+value'


class S3Test(PublishTest):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = self.enterContext(servers.s3(self.venv, self.top))

    def publish(self, **other: Any) -> Called:
        job, environ = other.pop('job', {}), other.pop('environ', {})
        return self.call('upload-logs-s3', {
            'zuul_log_bucket': 'logs', 'zuul_log_aws_access_key': 'someone', 'zuul_log_aws_secret_key': SECRET,
            'upload_logs_s3_endpoint': self.endpoint, 'upload_logs_s3_region': 'us-east-1', **other}, job, environ)

    def test_a_stranger_reads_them(self) -> None:
        self.some_logs()
        called = self.publish()
        self.assert_went_well(called)
        base = f'{self.endpoint}/logs/{PATH}/'
        self.assertEqual(called.zuul, {'log_url': base})
        self.assertNotIn(SECRET, called.said)
        for path, kind, encoding, content in (
                ('job-output.txt', 'text/plain; charset=utf-8', 'gzip', b'2026-01-01 | line\n' * 500),
                ('job-output.json', 'application/json', None, b'[]'), (ODD, 'text/plain; charset=utf-8', None, b'odd'),
                ('deep/packed.txt.gz', 'text/plain; charset=utf-8', 'gzip', b'packed'),
                ('binary', 'application/octet-stream', None, b'\0\1')):
            with self.subTest(path=path):
                status, headers, seen = self.get(base + path)
                self.assertEqual((status, headers['Content-Type'], headers['Content-Encoding']), (200, kind, encoding))
                self.assertEqual(gzip.decompress(seen) if encoding else seen, content)
        for path in ('link', 'pipe'):
            self.assertEqual(self.get(base + path)[0], 404)
        for path in ('', 'index.html', 'deep/er/index.html', 'deep/er/'):
            status, headers, seen = self.get(base + path)
            self.assertEqual((status, headers['Content-Type']), (200, 'text/html; charset=utf-8'))
            self.assertNotIn(b'<b>', seen)
        self.assertIn(b'href="./deep/index.html"', self.get(base)[2])

    def test_a_second_time_only_what_is_new_is_sent(self) -> None:
        self.some_logs()
        called = self.publish()
        self.assert_went_well(called)
        self.assertIn('5 files published, 0 were there already', called.said)
        (self.logs / 'new').write_text('new')
        called = self.publish()
        self.assert_went_well(called)
        self.assertIn('1 files published, 5 were there already', called.said)
        self.assertIn('new', self.get(f'{self.endpoint}/logs/{PATH}/index.html')[2].decode())

    def test_a_bucket_for_each_part_of_the_path(self) -> None:
        (self.logs / 'a').write_text('1')
        called = self.publish(zuul_log_partition=True, zuul_log_create_indexes=False)
        self.assert_went_well(called)
        base = f'{self.endpoint}/logs-45/{PATH.partition("/")[2]}/'
        self.assertEqual(called.zuul['log_url'], base)
        self.assertEqual(self.get(base + 'a')[2], b'1')
        self.assertEqual(self.get(base)[0], 404)

    def test_switched_off(self) -> None:
        (self.logs / 'a').write_text('1')
        for value in (False, 'failure'):
            called = self.publish(zuul_site_upload_logs=value)
            self.assert_went_well(called)
            self.assertEqual(called.zuul, {})
        self.assertEqual(self.get(f'{self.endpoint}/logs/{PATH}/a')[0], 404)

    def test_what_the_job_says_has_no_effect(self) -> None:
        (self.logs / 'a').write_text('1')
        evil = self.top / 'evil'
        evil.mkdir()
        (evil / 'wrong').write_text('1')
        called = self.publish(
            zuul_site_upload_logs=True, zuul_log_partition=False, zuul_log_create_indexes=True, upload_logs_s3_url='',
            upload_logs_s3_source=str(self.logs), upload_logs_s3_workers=4, upload_logs_s3_timeout=60,
            zuul_log_bucket_public=True, zuul_log_delete_after=0,
            job={'zuul_site_upload_logs': False, 'zuul_log_path': 'x/y', 'zuul_log_bucket': 'evil',
                 'zuul_log_partition': True, 'upload_logs_s3_source': str(evil),
                 'upload_logs_s3_url': 'https://evil.example.org', 'upload_logs_base_enabled': False,
                 'upload_logs_base_source': str(evil), 'upload_logs_base_targets': [], 'upload_logs_base_timeout': 0,
                 'ansible_become': True, 'ansible_become_exe': '/bin/false',
                 'ansible_python_interpreter': '/bin/false'})
        self.assert_went_well(called)
        self.assertEqual(called.zuul['log_url'], f'{self.endpoint}/logs/{PATH}/')
        self.assertEqual(self.get(called.zuul['log_url'] + 'a')[2], b'1')

    def test_nobody_answers(self) -> None:
        (self.logs / 'a').write_text('1')
        port = servers.free_port()
        called = self.publish(upload_logs_s3_endpoint=f'http://127.0.0.1:{port}', upload_logs_s3_timeout=5)
        self.assertTrue(called.failed)
        self.assertEqual(called.zuul, {})
        self.assertIn('the server cannot be reached', called.said)
        self.assertNotIn(SECRET, called.said)
        self.assertNotIn('Traceback', called.said)

    def test_a_token_instead_of_keys(self) -> None:
        (self.logs / 'a').write_text('1')
        oidc = {'zuul_log_aws_access_key': '', 'zuul_log_aws_secret_key': '',
                'zuul_log_aws_oidc_token': 'tOkEn-of-zuul',
                'zuul_log_aws_oidc_role_arn': 'arn:aws:iam::123456789012:role/logs'}
        called = self.publish(**oidc, environ={'AWS_ENDPOINT_URL_STS': self.endpoint})
        self.assert_went_well(called)
        self.assertEqual(self.get(called.zuul['log_url'] + 'a')[2], b'1')
        self.assertNotIn('tOkEn', called.said)
