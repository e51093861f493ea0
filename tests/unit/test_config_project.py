"""What the playbooks of the config project hand to the roles that write on the executor."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from typing import Any

import yaml

from zuul_local import paths

PLAYBOOKS = paths.LIBRARY / 'config-project' / 'playbooks'
# Only shown, in the header of the log.
SHOWN = {'zuul_log_url'}
# Of roles that run on nodes: what decides where they write on the executor.
ELSEWHERE = {'validate-host': {'zuul_info_dir'}}


def included(tasks: list[dict[str, Any]]) -> Iterator[tuple[str, set[str]]]:
    """Yield each role that tasks include, with the names of the variables that they pass to it."""
    for task in tasks:
        for part in ('block', 'rescue', 'always'):
            yield from included(task.get(part, []))
        if 'ansible.builtin.include_role' in task:
            yield task['ansible.builtin.include_role']['name'], set(task.get('vars', {}))


def parameters(role: str) -> set[str]:
    """Return the names of a role's variables."""
    specs = yaml.safe_load((paths.LIBRARY / 'roles' / role / 'meta/argument_specs.yaml').read_text())
    return set(specs['argument_specs']['main']['options'] or {})


class TestTrustedPlaybooks(unittest.TestCase):

    def test_no_variable_of_a_job_says_what_is_done_on_the_executor(self) -> None:
        seen = set()
        for playbook in sorted(PLAYBOOKS.glob('*/*.yaml')):
            plays = yaml.safe_load(playbook.read_text())
            for play in plays if isinstance(plays, list) else []:
                for role, passed in included(play.get('tasks', [])):
                    wanted = parameters(role) - SHOWN if play['hosts'] == 'localhost' else ELSEWHERE.get(role, set())
                    seen |= wanted
                    with self.subTest(playbook=playbook.name, role=role):
                        self.assertEqual(set(), wanted - passed)
        self.assertGreater(len(seen), 15)
