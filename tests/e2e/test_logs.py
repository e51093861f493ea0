"""What a build left is published where Zuul says, and Zuul's pages show it."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from tests.e2e import browser
from tests.e2e.rest import fetch
from tests.e2e.support import TENANT, StackTest

BAD = '</pre><script>document.body.textContent = "it was run"</script>'
NAME = '<img src=x onerror=document.body.textContent=1>.log'
LEAVES = f'''
import os
import unittest


class TestLeave(unittest.TestCase):
    def test_leave(self):
        with open(os.path.expanduser({'~/zuul-output/logs/' + NAME!r}), 'w') as log:
            log.write({'2026-01-01 10:00:00.000 ERROR ' + BAD!r})
'''


class TestLogs(StackTest):

    def test_logs_and_artifacts_are_in_place_and_on_the_pages(self) -> None:
        change = self.clone().propose('Leave logs', {'tests/test_leave.py': LEAVES})
        self.assertEqual(1, self.wait_for_vote(change, 1, -1))
        build = self.build_behind(self.result(change))
        self.assert_published(build)
        self.assert_pages(build)
        self.assert_nothing_is_run(build)

    def assert_published(self, build: dict[str, Any]) -> None:
        """The logs of *build* are where Zuul says, whole, and so is what it lists as artifacts."""
        self.assertIn('Ran 3 tests', self.published(build, 'job-output.txt'))
        phases = [playbook['phase'] for playbook in json.loads(self.published(build, 'job-output.json'))]
        self.assertIn('run', phases)
        self.assertTrue(build['artifacts'], build)
        for artifact in build['artifacts']:
            with self.subTest(artifact=artifact['name']):
                self.assertTrue(fetch(artifact['url']))

    def assert_pages(self, build: dict[str, Any]) -> None:
        """The pages of *build* show its logs, although these have an origin of their own."""
        page = f'{self.zuul.url}/t/{TENANT}/build/{build["uuid"]}'
        for part, text in (('', 'SUCCESS'), ('/artifacts', build['artifacts'][0]['name']),
                           ('/console', 'Make the nodes ready for the job')):
            with self.subTest(page=part):
                self.assertIn(text, browser.words(f'{page}{part}', self.top))

    def assert_nothing_is_run(self, build: dict[str, Any]) -> None:
        """The page of a log and that of its folder show what a node wrote, whatever that is."""
        name = NAME.replace('<', '%3C').replace('>', '%3E')      # no name that is half a tag is published
        self.assertIn(BAD, browser.words(f'{build["log_url"]}{urllib.parse.quote(name)}.html', self.top))
        self.assertIn(f'{name} ', browser.words(f'{build["log_url"]}index.html', self.top))
