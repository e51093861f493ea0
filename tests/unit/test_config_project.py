"""What a job cannot say with its variables: how ssh is called, and what roles with trust write on the executor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import yaml

from zuul_local import paths

VARIABLES = paths.LIBRARY / 'config-project' / 'executor-variables.yaml'
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


class TestDeadlines(unittest.TestCase):

    def test_what_is_collected_takes_less_than_its_time_however_many_nodes_there_are(self) -> None:
        post, merge = yaml.safe_load((PLAYBOOKS / 'base' / 'post.yaml').read_text())
        jobs = yaml.safe_load((PLAYBOOKS.parent / 'zuul.d' / 'jobs.yaml').read_text())
        limit = next(one['job']['post-timeout'] for one in jobs if one['job']['name'] == 'base-minimal')
        at_the_end = merge['tasks'][0]['vars']['merge_output_to_logs_timeout']
        templates = [jinja2.Template(text) for task in post['tasks'] for text in task['vars'].values()]
        self.assertEqual(2, len(templates))
        for nodes in (1, 5, 6, 17, 100):
            seconds = [int(one.render(groups={'all': ['a node'] * nodes})) for one in templates]
            with self.subTest(nodes=nodes):
                self.assertLess(-(-nodes // 5) * sum(seconds) + at_the_end, limit)
                self.assertGreaterEqual(min(seconds), 5)


class TestExecutorVariables(unittest.TestCase):

    def test_no_variable_of_a_job_is_part_of_how_ssh_is_called(self) -> None:
        names = yaml.safe_load(VARIABLES.read_text())
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            (folder / 'inventory.json').write_text(json.dumps({'all': {
                'hosts': {'node': {'ansible_connection': 'ssh', 'ansible_host': '192.0.2.1',
                                   'ansible_python_interpreter': '/usr/bin/python3'}},
                'vars': dict.fromkeys({*names, 'ansible_ssh_host'}, '-oProxyCommand=poison')}}))
            (folder / 'play.json').write_text(json.dumps([
                {'hosts': 'all', 'gather_facts': False, 'tasks': [{'ansible.builtin.ping': None}]}]))
            (folder / 'ssh').write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {folder}/calls\nexit 255\n')
            (folder / 'ssh').chmod(0o755)
            subprocess.run(
                [Path(sys.executable).parent / 'ansible-playbook', '-i', 'inventory.json', '-e', f'@{VARIABLES}',
                 'play.json'], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=120, check=False,
                env={'PATH': f'{folder}:{os.environ["PATH"]}', 'HOME': scratch, 'LC_ALL': 'C.UTF-8'})
            calls = (folder / 'calls').read_text()
        self.assertIn('\n192.0.2.1\n', calls)
        self.assertNotIn('poison', calls)
