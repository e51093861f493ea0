"""What the base jobs do around a job, whatever becomes of it: its logs are made safe, its result stays its own."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import yaml

from tests.functional.support import JOB, LIBRARY, PLAY, RunnerTest, containers
from tests.functional.test_trouble import SLEEP, fill_home

CONFIG = LIBRARY / 'config-project'
# What a job leaves among its logs on the executor: a link, and a token.
PLANT = '''\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Leave a link and a token among the logs
      ansible.builtin.shell: |
        mkdir -p {{ zuul.executor.log_root }}/left
        cd {{ zuul.executor.log_root }}/left
        ln -s /etc/passwd link
        echo ghp_0123456789abcdefghijklmnopqrstuvwxyz > token.txt
        for n in 1 2 3 4 5 6 7 8 9; do echo $n > $n.txt; done
'''


def parameters() -> dict[str, Any]:
    """Return every parameter of the roles that run with trust, and what a job would set it to."""
    poison = {'path': '/nonexistent', 'str': '/nonexistent', 'raw': '/nonexistent', 'int': 1, 'list': ['left'],
              'bool': True, 'dict': {'left': 'left'}}
    found: dict[str, Any] = {}
    for role in (CONFIG / 'roles.list').read_text().splitlines():
        if role.startswith('#'):
            continue
        specs = yaml.safe_load((LIBRARY / 'roles' / role / 'meta/argument_specs.yaml').read_text())
        options = specs['argument_specs']['main']['options'] or {}
        found.update({name: poison[option.get('type', 'str')] for name, option in options.items()})
    site = yaml.safe_load((CONFIG / 'playbooks/base-minimal/vars/site.yaml').read_text())
    found.update(dict.fromkeys(site, '/nonexistent'))
    return found


class BaseTest(RunnerTest):

    def project(self, *, job: str = '', run: str = PLAY, **playbooks: str) -> Path:
        """Return a project whose job plants a link and a token before anything else."""
        attributes = f'    pre-run: playbooks/plant.yaml\n{job}    run:'
        return self.make_project({
            '.zuul.yaml': JOB.replace('    run:', attributes), 'playbooks/run.yaml': run, 'playbooks/plant.yaml': PLANT,
            **{f'playbooks/{name}.yaml': text for name, text in playbooks.items()}})

    def assert_safe(self, folder: Path) -> None:
        """The logs are there, without the link and with the token masked, and nothing else is missing."""
        left = self.published(folder, 'left')
        self.assertEqual(sorted([*(f'{n}.txt' for n in range(1, 10)), 'token.txt']), sorted(os.listdir(left)))
        self.assertEqual('*' * 40 + '\n', (left / 'token.txt').read_text())
        self.assertTrue(self.published(folder, 'sanitize-output.json').is_file())
        self.assertIn('Leave a link', self.published(folder, 'job-output.txt').read_text())


class TestTrust(BaseTest):

    def test_no_variable_of_a_job_changes_what_is_made_safe(self) -> None:
        poison = parameters()
        self.assertGreater(len(poison), 9)
        facts = f'''\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Remember what suits the job
      ansible.builtin.set_fact: {json.dumps({**poison, 'cacheable': True})}
'''
        variables = json.dumps(poison)
        job = (f'    vars: {variables}\n    extra-vars: {variables}\n'
               f'    host-vars: {{debian-bookworm: {variables}}}\n    post-run: playbooks/facts.yaml\n')
        folder = self.project(job=job, facts=facts)
        output = self.zuul_local('run', 'demo', folder=folder)
        self.assertRegex(output, 'SUCCESS   demo')
        self.assertNotIn('Say why there are no logs', output)
        self.assertNotIn('Publish the logs', output)
        self.assert_safe(folder)


    def test_no_variable_of_a_job_says_what_the_executor_runs(self) -> None:
        # ZUUL_JOBDIR is there on the executor only; all that a node makes of this is nothing
        mark = 'touch $ZUUL_JOBDIR/work/logs/was-run-%s 2>/dev/null'
        plain = {'ansible_pipelining': False, 'ansible_ssh_pipelining': False}
        inside = {name: f'$({mark % name}; echo /tmp)/x' for name in ('ansible_remote_tmp', 'ansible_async_dir')}
        before = {name: f'{mark % name}; sudo' for name in ('ansible_become_exe', 'ansible_sudo_exe')}
        after = {name: f'-n true; {mark % name}; sudo -n' for name in ('ansible_become_flags', 'ansible_sudo_flags')}
        for number, variables in enumerate(({**plain, **inside}, {**before, 'ansible_become': True},
                                            {**after, 'ansible_become': True})):
            words = json.dumps(variables)
            # nothing of the job's own runs on the executor, where it may use what it likes
            job = JOB.replace('    run:', f'    vars: {words}\n    extra-vars: {words}\n    run:')
            folder = self.make_project({'.zuul.yaml': job, 'playbooks/run.yaml': PLAY}, f'demo{number}')
            # the home is root's then, and the sources come as the user who connects
            output = self.zuul_local('run', 'demo', folder=folder, code=1 if 'ansible_become' in variables else 0)
            self.assertIn('POST-RUN END RESULT_NORMAL: [trusted : local/config-project/playbooks/base-minimal', output)
            self.assertEqual([], list(self.published(folder).glob('was-run*')))

    def test_no_variable_of_a_job_says_how_ssh_is_called(self) -> None:
        # Zuul asks nodes for facts outside of its sandbox
        mark, program = self.top / 'was-run', self.top / 'program'
        program.write_text(f'#!/bin/sh\ntouch {mark}\n')
        program.chmod(0o755)
        own = yaml.safe_load((CONFIG / 'executor-variables.yaml').read_text())
        self.assertGreater(len(own), 9)
        variables = json.dumps({
            name: str(program) if name.endswith('_executable') else str(mark) if 'control_path' in name
            else f"-o ProxyCommand='touch {mark}'" for name in own})
        folder = self.project(job=f'    vars: {variables}\n    extra-vars: {variables}\n'
                                  f'    host-vars: {{debian-bookworm: {variables}}}\n')
        self.assertRegex(self.zuul_local('run', 'demo', folder=folder), 'SUCCESS   demo')
        self.assertFalse(mark.exists())


class TestEveryEnd(BaseTest):

    def test_failure(self) -> None:
        folder = self.project(run=PLAY.replace('echo hello', 'false'))
        output = self.zuul_local('run', 'demo', folder=folder, code=1)
        self.assertRegex(output, 'FAILURE   demo')
        self.assertIn('zuul-local run demo --keep', output)
        self.assertTrue(list(self.published(folder).glob('journal*')), os.listdir(self.published(folder)))
        self.assert_safe(folder)

    def test_time_is_over(self) -> None:
        folder = self.project(job='    timeout: 20\n', run=SLEEP)
        self.assertIn('TIMED_OUT', self.zuul_local('run', 'demo', folder=folder, code=1))
        self.assert_safe(folder)

    def test_interrupted(self) -> None:
        folder = self.project(run=SLEEP)
        process = self.start('run', 'demo', folder=folder)
        seen = self.read_until(process, '| begin')
        os.killpg(process.pid, signal.SIGINT)
        self.assertIn('ABORTED', self.finish(process, 130, seen))
        self.assert_safe(folder)

    def test_what_is_collected_is_gone(self) -> None:
        folder = self.project(run=PLAY.replace('echo hello', 'rm -rf /home/zuul/zuul-output /home/zuul/.ansible #'))
        self.assertRegex(self.zuul_local('run', 'demo', folder=folder), 'SUCCESS   demo')
        self.assert_safe(folder)

    def test_home_is_full(self) -> None:
        folder = self.project(run=PLAY.replace(
            'echo hello', "sh -c 'echo begin; until [ -e /home/zuul/full ]; do sleep 0.1; done'"))
        process = self.start('run', 'demo', folder=folder)
        seen = self.read_until(process, '| begin')
        [node] = containers(process.pid)
        fill_home(node)
        self.assertRegex(self.finish(process, 0, seen), 'SUCCESS   demo')
        self.assert_safe(folder)

    def test_node_is_unreachable_at_the_end(self) -> None:
        # systemd reads $$ as $
        stop = 'systemctl stop ssh; for p in /proc/[0-9]*; do grep -qx sshd $$p/comm && kill $$(basename $$p); done'
        argv = ['sudo', 'systemd-run', '--on-active=1', '--timer-property=AccuracySec=100ms', 'sh', '-c', stop]
        play = PLAY + f"""\
    - name: Let nobody in any more
      ansible.builtin.command:
        argv: {json.dumps(argv)}
"""
        wait = '- hosts: localhost\n  gather_facts: false\n  tasks:\n    - ansible.builtin.pause: {seconds: 6}\n'
        folder = self.project(job='    post-run: playbooks/wait.yaml\n', run=play, wait=wait)
        output = self.zuul_local('run', 'demo', folder=folder)
        self.assertRegex(output, 'SUCCESS   demo')
        self.assertIn('debian-bookworm: fetch-output: ',
                      self.published(folder, 'collection-problems.txt').read_text())
        self.assert_safe(folder)
