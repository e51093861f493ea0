"""What the records of a build say about the runs of a case."""

from __future__ import annotations

import unittest
from typing import Any

from bench import machine, sample
from bench.sample import Run

OURS = '/work/ansible/playbook_1/role_0/roles-to-time/roles/do-thing'


def task(start: float, end: float | None, hosts: dict[str, Any], path: str = OURS) -> dict[str, Any]:
    duration = {'start': f'2026-01-01T00:00:{start:09.6f}Z'}
    if end is not None:
        duration['end'] = f'2026-01-01T00:00:{end:09.6f}Z'
    return {'task': {'name': 'Do it', 'duration': duration}, 'role': {'path': path}, 'hosts': hosts}


def playbook(*tasks: dict[str, Any], name: str = 'case', processor: float = 1.0) -> dict[str, Any]:
    return {'playbook': f'local/roles-to-time/playbooks/{name}.yaml', 'plays': [{'tasks': list(tasks)}],
            'processor_seconds': processor}


class TestParse(unittest.TestCase):
    def test_the_two_runs_of_the_case_are_told(self) -> None:
        done = {'node': {'action': 'ansible.builtin.command', 'rc': 0}}
        told = {'node': {'action': 'ansible.builtin.set_fact'}}
        output = [
            playbook(task(0, 9, done), name='pre'),
            playbook(task(10, 19, done), name='prepare'),
            playbook(task(20, 22.5, done), task(22.5, 23, told), task(24, None, {}), processor=0.75),
            playbook(task(25, 29, done), name='logs'),
            playbook(task(30, 30.5, done), processor=0.5),
            playbook(task(40, 49, done), name='post'),
        ]
        self.assertEqual(sample.Sample(Run(3.0, 1, 0.75), Run(0.5, 1, 0.5)), sample.parse(output))

    def test_roles_from_elsewhere_are_no_sample(self) -> None:
        stranger = '/work/ansible/playbook_1/role_1/zuul-jobs/roles/do-thing'
        output = [playbook(task(0, 1, {})), playbook(task(2, 3, {}, stranger))]
        with self.assertRaisesRegex(sample.Failed, f'roles from elsewhere were used: {stranger}'):
            sample.parse(output)

    def test_module_runs(self) -> None:
        item = {'ansible_loop_var': 'item'}
        for expected, result in (
            (1, {'action': 'command'}),
            (1, {'action': 'ansible.builtin.apt', 'failed': True}),
            (0, {'action': 'apt', 'skipped': True}),
            (0, {'action': 'ansible.builtin.include_role'}),
            (0, {'action': 'set_fact'}),
            (0, {'action': 'ansible.builtin.validate_argument_spec'}),
            (3, {'action': 'uri', 'attempts': 3}),
            (2, {'action': 'file', 'results': [item, {**item, 'skipped': True}, item]}),
            (0, {'action': 'file', 'results': [{**item, 'skipped': True}], 'skipped': True}),
            (1, {'action': 'apt', 'results': ['a module may return what it likes']}),
        ):
            self.assertEqual(expected, sample.runs_of(result), result)


class TestMachine(unittest.TestCase):
    def test_share_of_time_at_work(self) -> None:
        before = 'cpu  100 0 100 1000 50 0 0 0 0 0\ncpu0 1 2 3 4\n'
        for expected, after in (
            (0.0, 'cpu  100 0 100 1000 50 0 0 0 0 0\n'),
            (0.0, 'cpu  100 0 100 1100 150 0 0 0 0 0\n'),
            (0.5, 'cpu  120 0 110 1050 50 0 0 20 7 0\n'),
            (1.0, 'cpu  200 0 100 1000 50 0 0 0 99 0\n'),
        ):
            self.assertAlmostEqual(expected, machine.at_work(before, after))
