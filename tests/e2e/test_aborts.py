"""A build that is stopped, in whatever phase, has its logs, and its nodes serve the next one."""

from __future__ import annotations

from typing import Any

from tests.e2e.changes import Change, wait_for
from tests.e2e.nodes import FRESH
from tests.e2e.stack import EXAMPLE
from tests.e2e.support import SECONDS, TENANT, StackTest

PHASES = ('pre', 'run', 'post')
JOB = '''\
- job:
    name: slow
    pre-run: playbooks/pre.yaml
    run: playbooks/run.yaml
    post-run: playbooks/post.yaml
    vars:
      hang_in: {phase}
- project:
    check:
      jobs: [slow]
'''
PLAY = '''\
- hosts: all
  gather_facts: false
  tasks:
    - name: Say where it is
      ansible.builtin.command: echo {phase} has begun
    - name: Take for ever
      ansible.builtin.command: sleep 900
      when: hang_in == '{phase}'
'''
NOTHING = {'.zuul.yaml': '- project:\n    check:\n      jobs: [noop]\n'}


class TestAborts(StackTest):

    def start(self, phase: str) -> tuple[Change, str]:
        """Return a change and its build, which hangs in *phase*."""
        files = {'.zuul.yaml': JOB.format(phase=phase),
                 **{f'playbooks/{name}.yaml': PLAY.format(phase=name) for name in PHASES}}
        self.repository = self.clone()
        change = self.repository.propose(f'Hang in {phase}', files)
        build = self.running_build(change)
        self.wait_for_output(build, f'| {phase} has begun')
        return change, build

    def assert_logs(self, change: Change, build: str, phase: str) -> None:
        """The stopped *build* is known as such, and its logs tell how far it came."""
        def ended() -> list[dict[str, Any]]:
            """It is CANCELED for Zuul at once, and has another result when the executor is through with it."""
            return [one for one in self.builds(change)
                    if one['uuid'] == build and one['result'] not in (None, 'CANCELED')]

        found = wait_for(ended, SECONDS)[0]
        self.assertEqual('ABORTED', found['result'])
        self.assertIn(f'| {phase} has begun', self.found(build, 'job-output.txt'))
        wait_for(lambda: len(list((self.marks / FRESH).iterdir())) == len(self.nodes), SECONDS)

    def test_a_new_patch_set_while_pre_runs(self) -> None:
        change, build = self.start('pre')
        self.repository.amend(NOTHING)
        self.assert_logs(change, build, 'pre')

    def test_an_operator_takes_the_change_out_while_run_runs(self) -> None:
        change, build = self.start('run')
        self.zuul.dequeue(TENANT, 'check', EXAMPLE, f'{change.number},1')
        self.assert_logs(change, build, 'run')

    def test_a_new_patch_set_while_post_runs(self) -> None:
        change, build = self.start('post')
        self.repository.amend(NOTHING)
        self.assert_logs(change, build, 'post')
