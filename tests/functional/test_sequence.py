"""Runs of several builds: jobs that depend on each other, further attempts; and the other Ansible."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.functional.support import JOB, PLAY, ZUUL_LOCAL, RunnerTest, containers

JOBS = '''\
- job:
    name: image
    run: playbooks/image.yaml
    post-run: playbooks/image-post.yaml
- job:
    name: lint
    nodeset: {nodes: []}
    run: playbooks/lint.yaml
- job:
    name: unit
    run: playbooks/unit.yaml
    dependencies: [image, {name: lint, soft: true}]
- project:
    check:
      jobs: [image, lint, unit]
'''
IMAGE = '''\
- hosts: all
  gather_facts: false
  tasks:
    - name: Make the folder
      ansible.builtin.file: {path: /home/zuul/srv, state: directory, mode: '0755'}
    - name: Make the file
      ansible.builtin.copy: {content: brought along, dest: /home/zuul/srv/file, mode: '0644'}
    - name: Serve it
      ansible.builtin.command: sudo systemd-run --uid=zuul python3 -m http.server --directory /home/zuul/srv 8123
    - name: Hand it over, and wait
      zuul_return:
        data:
          server: "http://{{ nodepool.private_ipv4 }}:8123/file"
          zuul:
            pause: true
            artifacts: [{name: image, url: "http://example.org/image"}]
        secret_data:
          token: "{{ 'hunter' ~ 22 ~ 'hunter' }}"
'''
UNIT = '''\
- hosts: all
  gather_facts: false
  tasks:
    - name: Fetch from the node of the other job
      ansible.builtin.uri: {url: "{{ server }}", return_content: true}
      register: answer
      retries: 20
      delay: 0.5
      until: answer is success
    - name: Show what came
      ansible.builtin.command: "echo the file says {{ answer.content }}"
    - name: All was handed over
      ansible.builtin.assert:
        that:
          - zuul.artifacts[0].url == 'http://example.org/image'
          - zuul.artifacts[0].job == 'image'
          - token == 'hunter22hunter'
'''
LOCAL = '''\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Do it
      %s
'''


class TestDependencies(RunnerTest):

    def make(self, jobs: str = JOBS, **plays: str) -> Path:
        return self.make_project({'.zuul.yaml': jobs, **{f'playbooks/{name.replace("_", "-")}.yaml': text
                                                         for name, text in plays.items()}})

    def as_json(self, folder: Path, code: int, *words: str) -> dict[str, Any]:
        done = subprocess.run([ZUUL_LOCAL, 'run', *words, '--json'], cwd=folder, capture_output=True, text=True,
                              check=False)
        self.assertEqual(code, done.returncode, done.stderr)
        return json.loads(done.stdout)

    def test_job_after_those_that_it_depends_on(self) -> None:
        folder = self.make(image=IMAGE, unit=UNIT, lint=LOCAL % 'ansible.builtin.debug: {msg: linted}',
                           image_post=PLAY.replace('hello from the node', 'the image job goes on'))
        output = self.zuul_local('run', 'unit', '--deps', folder=folder)
        order = ('job image as attached to check', 'image is paused until', 'SUCCESS   lint',
                 'the file says brought along', 'SUCCESS   unit', 'Job resumed', 'the image job goes on',
                 'SUCCESS   image')
        self.assertEqual(sorted(order, key=output.find), list(order), output)
        self.assertRegex(output, r'SUCCESS +\d+\.\d s  unit   /')
        builds = folder / '.zuul-local/builds'
        self.assertEqual('unit', self.facts(folder)['job'])
        kept = [path for path in builds.rglob('*') if path.is_file()]
        self.assertEqual(3, sum(path.name == 'job-output.txt' for path in kept if 'latest' not in path.parts))
        for text in (output, *(path.read_text(errors='replace') for path in kept)):
            self.assertNotIn('hunter22hunter', text)
        alone = self.zuul_local('run', 'unit', '--var', 'server=http://127.0.0.1:1/', folder=folder, code=1)
        self.assertIn('Job unit depends on image, lint (soft); --deps runs such jobs first', alone)

    def test_failure_skips_the_rest(self) -> None:
        folder = self.make(JOBS.replace('    run: playbooks/image.yaml', '    run: playbooks/image.yaml\n'
                                        '    nodeset: {nodes: []}'),
                           image=LOCAL % 'ansible.builtin.fail: {msg: no image today}', unit=UNIT,
                           image_post=LOCAL % 'ansible.builtin.debug:', lint=LOCAL % 'ansible.builtin.debug:')
        result = self.as_json(folder, 1, 'unit', '--deps')
        self.assertEqual([('image', 'FAILURE'), ('unit', 'SKIPPED'), ('lint', 'SUCCESS')],
                         [(build['job'], build['result']) for build in result['builds']])
        self.assertEqual(('SKIPPED', 'Skipped due to failed job image'), (result['result'], result['reason']))

    def waiting(self) -> tuple[subprocess.Popen[str], str]:
        """Start a job with a node that sleeps, after one that is paused."""
        jobs = JOBS.replace('    run: playbooks/image.yaml', '    run: playbooks/image.yaml\n    nodeset: {nodes: []}')
        folder = self.make(jobs, image=LOCAL % 'zuul_return: {data: {zuul: {pause: true}}}',
                           image_post=LOCAL % 'ansible.builtin.debug:', lint=LOCAL % 'ansible.builtin.debug:',
                           unit=PLAY.replace('echo hello', "sh -c 'echo begin; sleep 600'"))
        process = self.start('run', 'unit', '--deps', folder=folder)
        seen = self.read_until(process, '| begin')
        self.assertEqual(1, len(containers(process.pid)))
        return process, seen

    def test_interrupt_ends_paused_builds_too(self) -> None:
        process, seen = self.waiting()
        process.send_signal(signal.SIGINT)
        output = self.finish(process, 130, seen)
        self.assertIn('ABORTED   unit', output)
        self.assertIn('ABORTED   image', output)
        self.assertNotIn('Traceback', output)

    def test_killed_runner_leaves_nothing_of_any_build(self) -> None:
        process, _ = self.waiting()
        process.kill()
        process.wait()
        self.assert_nothing_left(process.pid, 120)


class TestAttempts(RunnerTest):

    def test_further_attempts_have_fresh_nodes(self) -> None:
        pre = '''\
- hosts: all
  gather_facts: false
  tasks:
    - name: Leave a trace
      ansible.builtin.command: {cmd: touch trace, creates: trace}
      register: made
    - name: The node is fresh
      ansible.builtin.assert: {that: made is changed}
    - name: Break the first attempt
      ansible.builtin.assert: {that: zuul.attempts > 1}
'''
        folder = self.make_project({'.zuul.yaml': JOB.replace('    run:', '    pre-run: playbooks/pre.yaml\n    run:'),
                                    'playbooks/pre.yaml': pre, 'playbooks/run.yaml': PLAY})
        output = self.zuul_local('run', 'demo', '--attempts', '3', folder=folder)
        for expected in ('RETRY   demo, attempt 1 of 3', 'demo runs again, on fresh nodes', 'hello from the node',
                         'SUCCESS   demo, attempt 2 of 3'):
            self.assertIn(expected, output)
        self.assertEqual(2, self.facts(folder)['attempt'])
        self.assertEqual(2, len([path for path in (folder / '.zuul-local/builds').glob('*/job-output.txt')
                                 if path.parent.name != 'latest']))

    def test_attempts_end(self) -> None:
        job = JOB.replace('    run:', '    nodeset: {nodes: []}\n    pre-run: playbooks/pre.yaml\n    run:')
        folder = self.make_project({'.zuul.yaml': job, 'playbooks/run.yaml': PLAY,
                                    'playbooks/pre.yaml': LOCAL % 'ansible.builtin.fail: {msg: never}'})
        output = self.zuul_local('run', 'demo', '--attempts', '2', folder=folder, code=1)
        self.assertIn('RETRY_LIMIT   demo, attempt 2 of 2', output)


class TestAnsible9(RunnerTest):

    def test_output_streams_line_by_line(self) -> None:
        job = JOB.replace('    run:', '    ansible-version: 9\n    run:')
        folder = self.make_project({'.zuul.yaml': job, 'playbooks/run.yaml': PLAY.replace(
            'echo hello from the node', "sh -c 'echo begin {{ ansible_version.full }}; sleep 6; echo end'")})
        process = self.start('run', 'demo', folder=folder)
        seen = self.read_until(process, '| begin')
        self.assertIn('| begin 2.16.', seen)
        self.assertNotIn('| end', seen)
        self.assertIn('| end', self.finish(process, 0))

    def test_example_project_with_the_tox_job(self) -> None:
        folder = self.make_example()
        output = self.zuul_local('run', 'tox-py311', '--ansible-version', '9', folder=folder)
        self.assertRegex(output, r'Ran 2 tests')
        self.assertRegex(output, r'SUCCESS   tox-py311')
