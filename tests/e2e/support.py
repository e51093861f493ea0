"""The running stack as tests find it."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import unittest
import urllib.error
from pathlib import Path
from typing import Any

from tests.e2e import gerrit
from tests.e2e.changes import Change, Clone, wait_for
from tests.e2e.rest import GerritClient, ZuulClient, fetch
from tests.e2e.stack import EXAMPLE, TENANTS

SECONDS = 400           # for what Zuul does about one event; it takes about 20 where nothing else runs
TENANT = TENANTS[0]


class StackTest(unittest.TestCase):
    """Talks to the stack as a developer who may not do more than others."""

    gerrit: GerritClient
    zuul: ZuulClient
    logs: str
    running: Path
    everything: Path
    marks: Path
    nodes: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        state = json.loads(Path(os.environ['ZLOCAL_E2E']).read_text())
        cls.gerrit = GerritClient(state['gerrit'], gerrit.DEVELOPER, state['passwords'][gerrit.DEVELOPER])
        cls.zuul = ZuulClient(state['zuul'], state['secret'], state['issuer'])
        cls.running = Path(state['builds'])
        cls.logs = state['logs']
        cls.everything = Path(state['published'])
        cls.marks = Path(state['marks'])
        cls.nodes = state['nodes']

    def setUp(self) -> None:
        scratch = tempfile.mkdtemp(prefix='zuul-local-e2e-')
        self.addCleanup(shutil.rmtree, scratch, ignore_errors=True)
        self.top = Path(scratch)

    def clone(self, project: str = EXAMPLE) -> Clone:
        """Return a new clone of *project*."""
        return Clone(self.gerrit, project, self.top / project.replace('/', '-'))

    def wait_for_vote(self, change: Change, *votes: int) -> int:
        """Return which of *votes* Zuul gave, once it did."""
        def voted(one: Change) -> int | None:
            vote = one.vote('Verified', gerrit.ZUUL)
            return vote if vote in votes else None

        return int(change.wait_for(voted, SECONDS))

    def results(self, change: Change) -> list[str]:
        """Return what Zuul said of *change* when builds were done, the last one last."""
        return [text for text in change.said(gerrit.ZUUL) if '\nBuild ' in text]

    def result(self, change: Change) -> str:
        """Return what Zuul said last."""
        return self.results(change)[-1]

    def builds(self, change: Change, tenant: str = TENANT) -> list[dict[str, Any]]:
        """Return all builds of *change*, the first one first."""
        found = self.zuul.get(f'tenant/{tenant}/builds?change={change.number}')
        return sorted(found, key=lambda build: str(build['start_time']))

    def build_behind(self, message: str) -> dict[str, Any]:
        """Return the build that the page is of to which the comment *message* leads."""
        page = re.search(rf'{re.escape(self.zuul.url)}/t/(\S+)/build/(\w+)', message)
        self.assertIsNotNone(page, message)
        assert page
        return dict(self.zuul.get(f'tenant/{page[1]}/build/{page[2]}'))

    def published(self, build: dict[str, Any], name: str) -> str:
        """Return the file *name* of what was published of *build*, compressed or not."""
        self.assertTrue(str(build['log_url']).startswith(f'{self.logs}/'), build)
        try:
            return fetch(build['log_url'] + name).decode()
        except urllib.error.HTTPError:
            return fetch(f'{build["log_url"]}{name}.gz').decode()

    def found(self, build: str, name: str) -> str:
        """Return the published file *name* of the build with the id *build*, looked for in all that is published.

        Its folder is named by the beginning of that id. Zuul does not keep where the logs are of a build that nobody
        waits for any more.
        """
        folders = {path.parent for path in self.everything.rglob(f'{name}*') if build.startswith(path.parent.name)}
        self.assertEqual(1, len(folders), f'{build}: {folders}')
        return self.published({'log_url': f'{self.logs}/{folders.pop().relative_to(self.everything)}/'}, name)

    def wait_for_output(self, build: str, text: str) -> None:
        """Wait until the job of the running *build* printed *text*."""
        path = self.running / build / 'work/logs/job-output.txt'

        def printed() -> bool:
            return path.exists() and text in path.read_text()

        wait_for(printed, SECONDS, lambda: path.read_text() if path.exists() else f'{path} is not there')

    def running_build(self, change: Change) -> str:
        """Return the one build of *change* that runs, once it does."""
        def look() -> str | None:
            for item in self.zuul.get(f'tenant/{TENANT}/status/change/{change.number},{self.patch_set(change)}'):
                for job in item['jobs']:
                    if job['uuid']:
                        return str(job['uuid'])
            return None

        return str(wait_for(look, SECONDS))

    def patch_set(self, change: Change) -> int:
        """Return the number of the current patch set of *change*."""
        return int(self.gerrit.call('GET', f'{change.path}/?o=CURRENT_REVISION')['current_revision_number'])
