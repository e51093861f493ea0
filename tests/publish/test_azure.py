"""The role upload-logs-azure, with Microsoft's library and emulator."""
from __future__ import annotations

from typing import Any

from tests.publish import servers
from tests.publish.support import PATH, Called, PublishTest
from tests.publish.test_s3 import ODD


class AzureTest(PublishTest):
    def setUp(self) -> None:
        super().setUp()
        (self.top / 'azurite').mkdir()
        self.string = self.enterContext(servers.azurite(self.venv, self.modules, self.top / 'azurite'))

    def publish(self, **other: Any) -> Called:
        return self.call('upload-logs-azure', {
            'zuul_log_connection_string': self.string, 'zuul_log_container': 'logs', **other})

    def test_a_stranger_reads_them(self) -> None:
        self.some_logs()
        called = self.publish(zuul_log_partition=True)
        self.assert_went_well(called)
        base = called.zuul['log_url']
        self.assertRegex(base, f'/{servers.AZURE_ACCOUNT}/logs-45/{PATH.partition("/")[2]}/$')
        self.assertNotIn(servers.AZURE_KEY, called.said)
        for path, kind, encoding in (
                ('job-output.txt', 'text/plain; charset=utf-8', 'gzip'), (ODD, 'text/plain; charset=utf-8', None),
                ('deep/er/index.html', 'text/html; charset=utf-8', None), ('binary', 'application/octet-stream', None)):
            with self.subTest(path=path):
                status, headers, _ = self.get(base + path)
                self.assertEqual((status, headers['Content-Type'], headers['Content-Encoding']), (200, kind, encoding))
        self.assertEqual(self.get(base + 'link')[0], 404)
        (self.logs / 'new').write_text('new')
        called = self.publish(zuul_log_partition=True)
        self.assert_went_well(called)
        self.assertIn('1 files published, 5 were there already', called.said)

    def test_a_wrong_key(self) -> None:
        (self.logs / 'a').write_text('1')
        wrong = 'd3JvbmctaHVzaA=='
        called = self.publish(zuul_log_connection_string=self.string.replace(servers.AZURE_KEY, wrong))
        self.assertTrue(called.failed)
        self.assertIn('nothing was published by upload-logs-azure', called.said)
        self.assertNotIn(wrong, called.said)
