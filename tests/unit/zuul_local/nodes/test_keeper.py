"""The dead-man's switch, with a podman that writes down what it is asked."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
from collections.abc import Callable
from pathlib import Path

from zuul_local.nodes import keeper, owner
from zuul_local.paths import LIBRARY

RUNNER = textwrap.dedent('''\
    import os, subprocess, sys, time
    from pathlib import Path
    from zuul_local.nodes.keeper import Keeper
    folder, podman, how = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    keeper = Keeper.start(os.environ['ZLOCAL_RUN'], [podman], folder)
    child = subprocess.Popen(['sleep', '60'], start_new_session=True)
    print(child.pid, flush=True)
    if how == 'release':
        keeper.release()
        keeper.release()
    else:
        time.sleep(60)
''')
PODMAN = '''\
#!/bin/sh
echo "$*" >> {log}
case "$1 $2" in
    "ps -a") if [ ! -e {log}.failed ]; then touch {log}.failed; exit 125; fi
             if [ -e {log}.removed ]; then echo "[]"; else cat {log}.containers; fi ;;
    "network ls") echo "[]" ;;
    "rm -f") touch {log}.removed ;;
esac
'''


class Switch(unittest.TestCase):
    def setUp(self) -> None:
        top = tempfile.TemporaryDirectory()
        self.addCleanup(top.cleanup)
        self.top = Path(top.name)
        self.folder = self.top / 'run'
        self.folder.mkdir()
        (self.folder / 'key').write_text('secret')
        self.log = self.top / 'log'
        self.podman = self.top / 'podman'
        self.podman.write_text(PODMAN.format(log=self.log))
        self.podman.chmod(0o755)
        self.run_id = os.urandom(4).hex()

    def write_containers(self, runner: int) -> None:
        ours = {'zuul-local': owner.of(runner), 'zuul-local.run': self.run_id}
        Path(f'{self.log}.containers').write_text(json.dumps([
            {'Names': ['ours'], 'State': 'running', 'Labels': ours},
            {'Names': ['next build'], 'State': 'running', 'Labels': {**ours, 'zuul-local.run': '01234567'}},
            {'Names': ['kept'], 'State': 'running', 'Labels': {**ours, 'zuul-local.keep': 'yes'}},
            {'Names': [f'zuul-local-{self.run_id}-half'], 'State': 'storage', 'Labels': None},
            {'Names': ['zuul-local-0badcafe-half'], 'State': 'storage', 'Labels': None},
            {'Names': [f'zuul-local-{self.run_id}-by-name-only'], 'State': 'running', 'Labels': None},
            {'Names': ['other'], 'State': 'running', 'Labels': {**ours, 'zuul-local': '1:1'}},
            {'Names': ['foreign'], 'State': 'running', 'Labels': None}]))

    def start(self, how: str) -> tuple[subprocess.Popen[str], int]:
        environ = {**os.environ, keeper.MARK: self.run_id, 'PYTHONPATH': str(LIBRARY)}
        runner = subprocess.Popen([sys.executable, '-c', RUNNER, str(self.folder), str(self.podman), how],
                                  env=environ, stdout=subprocess.PIPE, text=True)
        self.addCleanup(runner.communicate)
        self.addCleanup(runner.kill)
        self.addCleanup(keeper.kill_marked, self.run_id)
        self.write_containers(runner.pid)
        assert runner.stdout
        return runner, int(runner.stdout.readline())

    def wait_until(self, good: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not good() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertTrue(good(), list(keeper.marked(self.run_id)))

    def gone(self) -> bool:
        return not self.folder.exists() and not list(keeper.marked(self.run_id))

    def test_a_killed_runner_takes_all_of_its_run_with_it_though_podman_fails_to_list_it_once(self) -> None:
        runner, child = self.start('sleep')
        # Between fork and exec of a process, /proc shows it without an environment.
        self.wait_until(lambda: child in set(keeper.marked(self.run_id)))
        runner.send_signal(signal.SIGKILL)
        runner.wait()
        self.wait_until(self.gone)
        removed = [line for line in self.log.read_text().splitlines() if line.startswith('rm ')]
        self.assertEqual([f'rm -f -t 0 ours next build zuul-local-{self.run_id}-half'], removed)

    def test_a_runner_that_cleaned_up_is_let_go(self) -> None:
        runner, _ = self.start('release')
        self.assertEqual(0, runner.wait(10))
        self.assertTrue(self.folder.exists())
        self.assertFalse(self.log.exists())
