"""Builds that fail, are interrupted, or lose what they stand on: the message, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

from tests.functional.support import JOB, PLAY, RunnerTest, containers

SLEEP = PLAY.replace('echo hello from the node', "sh -c 'echo begin; sleep 600'")


class TestFailures(RunnerTest):

    def test_failing_task_is_repeated_at_the_end(self) -> None:
        folder = self.make_project({'.zuul.yaml': JOB, 'playbooks/run.yaml': PLAY.replace(
            'echo hello from the node', "sh -c 'seq 100; echo what went wrong; exit 3'")})
        output = self.zuul_local('run', 'demo', folder=folder, code=1)
        end = output[output.index('Failed task: Say hello on debian-bookworm'):]
        self.assertIn('what went wrong', end)
        self.assertNotIn('\n    50\n', end)
        self.assertRegex(end, r'FAILURE   demo')
        self.assertEqual('FAILURE', self.facts(folder)['result'])

    def test_pre_failure_would_be_retried(self) -> None:
        job = JOB.replace('    run:', '    pre-run: playbooks/pre.yaml\n    post-run: playbooks/post.yaml\n    run:')
        folder = self.make_project({
            '.zuul.yaml': job, 'playbooks/run.yaml': PLAY, 'playbooks/post.yaml': PLAY.replace('hello', 'post'),
            'playbooks/pre.yaml': PLAY.replace('echo hello', 'false')})
        output = self.zuul_local('run', 'demo', folder=folder, code=1)
        self.assertIn('Zuul would run this job again', output)
        self.assertNotIn('| hello from the node', output)
        self.assertIn('| post from the node', output)

    def test_timeout(self) -> None:
        folder = self.make_project({'.zuul.yaml': JOB.replace('    run:', '    timeout: 30\n    run:'),
                                    'playbooks/run.yaml': SLEEP})
        output = self.zuul_local('run', 'demo', folder=folder, code=1)
        self.assertIn('TIMED_OUT', output)
        self.assertIn('begin', self.published(folder, 'job-output.txt').read_text())


class TestInterruptions(RunnerTest):

    def begin(self) -> tuple[subprocess.Popen[str], str]:
        folder = self.make_project({'.zuul.yaml': JOB, 'playbooks/run.yaml': SLEEP})
        process = self.start('run', 'demo', folder=folder)
        return process, self.read_until(process, '| begin')

    def test_one_interrupt_stops_the_build(self) -> None:
        process, seen = self.begin()
        os.killpg(process.pid, signal.SIGINT)
        output = self.finish(process, 130, seen)
        self.assertIn('ABORTED', output)
        self.assertIn('Logs:', output)
        self.assertNotIn('Traceback', output)

    def test_second_interrupt_ends_at_once(self) -> None:
        process, seen = self.begin()
        os.killpg(process.pid, signal.SIGINT)
        os.killpg(process.pid, signal.SIGINT)
        begun = time.monotonic()
        output = self.finish(process, 130, seen)
        self.assertLess(time.monotonic() - begun, 15)
        self.assertNotIn('Traceback', output)

    def test_terminate(self) -> None:
        process, seen = self.begin()
        process.terminate()
        self.assertIn('ABORTED', self.finish(process, 130, seen))

    def test_killed_runner_leaves_nothing(self) -> None:
        process, _ = self.begin()
        process.kill()
        process.wait()
        self.assert_nothing_left(process.pid)

    def test_destroyed_node_is_noticed(self) -> None:
        process, seen = self.begin()
        [node] = containers(process.pid)
        subprocess.run(['podman', '--runtime', 'runc', 'kill', '-s', 'KILL', node], check=True, capture_output=True)
        begun = time.monotonic()
        output = self.finish(process, 1, seen)
        self.assertLess(time.monotonic() - begun, 30)
        self.assertIn('Node debian-bookworm went away', output)
        self.assertIn('NODE_FAILURE', output)

    def test_node_that_no_longer_answers_is_noticed(self) -> None:
        process, seen = self.begin()
        [node] = containers(process.pid)
        subprocess.run(['podman', '--runtime', 'runc', 'pause', node], check=True, capture_output=True)
        begun = time.monotonic()
        seen += self.read_until(process, 'UNREACHABLE')
        self.assertLess(time.monotonic() - begun, 20)
        output = self.finish(process, 1, seen)
        self.assertLess(time.monotonic() - begun, 60)
        self.assertIn('Zuul would run this job again', output)

    def test_kept_node_can_be_entered_and_removed(self) -> None:
        folder = self.make_project()
        process = self.start('run', 'demo', '--keep', folder=folder)
        output = process.communicate(timeout=300)[0]
        self.assertEqual(0, process.returncode, output)
        [node] = containers(process.pid)
        self.assertIn(f'zuul-local node shell {node}', output)
        shell = ('node', 'shell', node, '--')
        self.assertEqual('it is  zuul\n', self.zuul_local(*shell, 'sh', '-c', 'echo "it is  $USER"', folder=folder))
        self.zuul_local('node', 'clean', folder=folder)
        self.assert_nothing_left(process.pid)


def fill_home(node: str) -> None:
    """Put a small tmpfs over the home of the user zuul on *node*, with its keys and not a byte left."""
    pid = json.loads(subprocess.run(['podman', '--runtime', 'runc', 'inspect', node], check=True, capture_output=True)
                     .stdout)[0]['State']['Pid']
    script = """
        mount -t tmpfs -o size=256k,mode=0755 none /mnt
        cp -a /home/zuul/.ssh /mnt/
        chown --reference=/home/zuul /mnt
        mount --move /mnt /home/zuul
        dd if=/dev/zero of=/home/zuul/full bs=4k count=1000 2>/dev/null
        test "$(df --output=avail /home/zuul 2>/dev/null | tail -1)" -eq 0"""
    inside = ('nsenter', '-t', str(pid), '-m')
    subprocess.run(('podman', 'unshare', *inside, 'sh', '-c', script) if os.getuid() else (*inside, 'sh', '-c', script),
                   check=True)


class TestNodesInTrouble(RunnerTest):

    def test_home_that_is_full(self) -> None:
        play = PLAY.replace('echo hello', "sh -c 'echo begin; until [ -e /home/zuul/full ]; do sleep 0.1; done'") + """\
    - name: Write home
      ansible.builtin.copy:
        content: "{{ 'x' * 5000 }}"
        dest: /home/zuul/more
"""
        folder = self.make_project({'.zuul.yaml': JOB, 'playbooks/run.yaml': play})
        process = self.start('run', 'demo', folder=folder)
        seen = self.read_until(process, '| begin')
        [node] = containers(process.pid)
        fill_home(node)
        output = self.finish(process, 1, seen)
        self.assertNotIn('Traceback', output)
        self.assertIn('No space left on device', output[output.index('Failed task: Write home'):])

    def test_unreachable_index(self) -> None:
        folder = self.make_project({'tox.ini': '[testenv]\nskip_install = true\ndeps = six\ncommands = true\n'})
        output = self.zuul_local('run', 'tox-py311', '--offline', folder=folder, code=1)
        self.assertRegex(output[output.index('Failed task'):], r'six')
