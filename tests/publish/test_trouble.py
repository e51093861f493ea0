"""What a build says when a store refuses, is slow, is full, or goes away: moto's server behind one in such a mood."""
from __future__ import annotations

import threading
import time
from typing import Any

from tests.publish import servers
from tests.publish.support import PATH, Called, PublishTest
from tests.publish.test_s3 import SECRET


class TroubleTest(PublishTest):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = self.enterContext(servers.s3(self.venv, self.top))
        for number in range(30):
            (self.logs / f'{number:02}').write_text(str(number))

    def publish(self, mood: servers.Mood, **other: Any) -> Called:
        with servers.fickle(self.endpoint, mood) as front:
            return self.call('upload-logs-s3', {
                'zuul_log_bucket': 'logs', 'zuul_log_aws_access_key': 'someone', 'zuul_log_aws_secret_key': SECRET,
                'upload_logs_s3_endpoint': front, 'upload_logs_s3_region': 'us-east-1',
                'zuul_log_create_indexes': False, 'upload_logs_s3_url': f'{self.endpoint}/logs', **other})

    def status(self, name: str) -> int:
        return self.get(f'{self.endpoint}/logs/{PATH}/{name}')[0]

    def test_a_server_that_is_overloaded_now_and_then(self) -> None:
        lock, seen = threading.Lock(), set()

        def mood(method: str, path: str) -> float:
            with lock:
                first = (method, path) not in seen
                seen.add((method, path))
            return 503 if first else 0

        called = self.publish(mood)
        self.assert_went_well(called)
        self.assertIn('30 files published, 0 were there already, 0 not', called.said)

    def test_one_file_is_refused(self) -> None:
        called = self.publish(lambda method, path: 403 if path.endswith('/07') else 0)
        self.assert_went_well(called)
        self.assertEqual(called.zuul['log_url'], f'{self.endpoint}/logs/{PATH}/')
        self.assertEqual(len(called.zuul['warnings']), 1)
        self.assertRegex(called.zuul['warnings'][0], '^1 files of the logs were not published, .* 07: .*403')
        self.assertEqual((self.status('06'), self.status('07'), self.status('08')), (200, 404, 200))

    def test_full_at_once(self) -> None:
        called = self.publish(lambda method, path: 507 if method == 'PUT' and PATH in path else 0)
        self.assertTrue(called.failed)
        self.assertEqual(called.zuul, {})
        self.assertRegex(called.said, 'nothing was published by upload-logs-s3: none of 30 files was taken; .*507')
        self.assertNotIn(SECRET, called.said)

    def test_interrupted_and_resumed(self) -> None:
        lock, puts = threading.Lock(), [0]

        def mood(method: str, path: str) -> float:
            with lock:
                puts[0] += method == 'PUT' and PATH in path
                return -0.01 if puts[0] > 12 else 0

        called = self.publish(mood, upload_logs_s3_timeout=20)
        self.assert_went_well(called)
        self.assertIn('12 files published, 0 were there already, 18 not', called.said)
        called = self.publish(lambda method, path: 0)
        self.assert_went_well(called)
        self.assertIn('18 files published, 12 were there already, 0 not', called.said)
        self.assertEqual({self.status(f'{number:02}') for number in range(30)}, {200})

    def test_one_that_does_not_answer(self) -> None:
        begun = time.monotonic()
        called = self.publish(lambda method, path: -15 if '04' < path.rpartition(PATH)[2][1:] <= '29' else 0,
                              upload_logs_s3_timeout=5)
        self.assert_went_well(called)
        self.assertLess(time.monotonic() - begun, 60)
        self.assertIn('5 files published, 0 were there already, 25 not', called.said)
        self.assertIn('not done in time', called.said)
        self.assertRegex(called.zuul['warnings'][0], '^25 files of the logs were not published')
