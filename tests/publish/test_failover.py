"""The role upload-logs-failover, with a server that is there and one that is not."""
from __future__ import annotations

from typing import Any

from tests.publish import servers
from tests.publish.support import PATH, Called, PublishTest
from tests.publish.test_s3 import SECRET


class FailoverTest(PublishTest):
    def setUp(self) -> None:
        super().setUp()
        (self.logs / 'a').write_text('1')
        self.endpoint = self.enterContext(servers.s3(self.venv, self.top))

    @staticmethod
    def target(endpoint: str) -> dict[str, Any]:
        return {'target': 'upload-logs-s3', 'args': {
            'zuul_log_bucket': 'logs', 'zuul_log_aws_access_key': 'someone', 'zuul_log_aws_secret_key': SECRET,
            'upload_logs_s3_endpoint': endpoint}}

    def publish(self, *targets: dict[str, Any], **other: Any) -> Called:
        return self.call('upload-logs-failover', {
            'zuul_log_targets': list(targets), 'upload_logs_failover_timeout': 12}, **other)

    def test_the_next_one(self) -> None:
        dead = f'http://127.0.0.1:{servers.free_port()}'
        swift = {'target': 'swift', 'args': {'zuul_log_cloud_config': {
            'auth_type': 'v1password', 'auth': {'auth_url': dead, 'username': 'a', 'password': SECRET}}}}
        called = self.publish(swift, self.target(dead), self.target(self.endpoint),
                              job={'zuul_log_bucket': 'evil', 'zuul_log_partition': True})
        self.assert_went_well(called)
        self.assertEqual(called.zuul, {'log_url': f'{self.endpoint}/logs/{PATH}/'})
        self.assertEqual(self.get(called.zuul['log_url'] + 'a')[2], b'1')
        for role in ('upload-logs-swift', 'upload-logs-s3'):
            self.assertIn(f'nothing was published by {role}: ', called.said)
        self.assertNotIn(SECRET, called.said)

    def test_none(self) -> None:
        dead = self.target(f'http://127.0.0.1:{servers.free_port()}')
        called = self.publish(dead, dead)
        self.assertTrue(called.failed)
        self.assertEqual(called.zuul, {})
        self.assertEqual(called.said.count('the server cannot be reached'), 2)
