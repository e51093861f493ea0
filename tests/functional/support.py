"""Small real projects, and the runner as a person starts it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zuul_local.nodes.podman import find_podman

LIBRARY = Path(__file__).resolve().parents[2]
ZUUL_LOCAL = str(LIBRARY / 'zuul-local')
LONGEST = 300           # seconds for one run

JOB = '''\
- job:
    name: demo
    parent: base
    run: playbooks/run.yaml
- project:
    check:
      jobs:
        - demo
'''
PLAY = '''\
- hosts: all
  gather_facts: false
  tasks:
    - name: Say hello
      ansible.builtin.command: echo hello from the node
'''


class RunnerTest(unittest.TestCase):
    """A folder for projects; every runner that a test starts must leave nothing behind."""

    def setUp(self) -> None:
        scratch = tempfile.mkdtemp(prefix='zuul-local-test-')
        self.addCleanup(shutil.rmtree, scratch, ignore_errors=True)
        self.top = Path(scratch).resolve()

    def make_project(self, files: Mapping[str, str] | None = None, name: str = 'demo', commit: bool = True) -> Path:
        """Return a repository that holds *files*, by default a job ``demo`` that says hello."""
        folder = self.top / name
        folder.mkdir()
        self.git(folder, 'init', '-q', '-b', 'main')
        self.write(folder, {'.zuul.yaml': JOB, 'playbooks/run.yaml': PLAY} if files is None else files)
        if commit:
            self.git(folder, 'add', '--all')
            self.git(folder, 'commit', '-q', '--allow-empty', '-m', 'First')
        return folder

    def make_example(self) -> Path:
        """Return a repository that holds the library's example project."""
        folder = self.make_project({})
        shutil.copytree(LIBRARY / 'examples/hello-tox', folder, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns('.zuul-local', '.tox', '__pycache__'))
        self.git(folder, 'add', '--all')
        self.git(folder, 'commit', '-q', '-m', 'Example')
        return folder

    def write(self, folder: Path, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def git(self, folder: Path, *words: str) -> str:
        return subprocess.run(
            ['git', '-C', folder, '-c', 'user.name=Test', '-c', 'user.email=test@example.org', *words],
            check=True, capture_output=True, text=True).stdout.strip()

    def start(self, *words: str, folder: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [ZUUL_LOCAL, *words], cwd=folder, env={**os.environ, **(env or {})}, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(process.stdout.close)       # type: ignore[union-attr]
        self.addCleanup(self._end, process)
        return process

    def finish(self, process: subprocess.Popen[str], code: int, before: str = '', longest: float = LONGEST) -> str:
        """Wait for the end of *process*, which must leave nothing and exit with *code*; return all that it printed."""
        output = before + process.communicate(timeout=longest)[0]
        self.assertEqual(code, process.returncode, output)
        self.assert_nothing_left(process.pid)
        return output

    def zuul_local(self, *words: str, folder: Path, code: int = 0, env: Mapping[str, str] | None = None,
                   longest: float = LONGEST) -> str:
        output = self.finish(self.start(*words, folder=folder, env=env), code, longest=longest)
        self.assertNotIn('Traceback', output)
        return output

    def read_until(self, process: subprocess.Popen[str], text: str) -> str:
        """Return what *process* prints up to and with the line that holds *text*."""
        output = ''
        assert process.stdout
        for line in process.stdout:
            output += line
            if text in line:
                return output
        self.fail(f'{text!r} was never printed:\n{output}')

    def published(self, folder: Path, name: str = '') -> Path:
        return (folder / '.zuul-local/builds/latest').resolve() / name

    def facts(self, folder: Path) -> dict[str, Any]:
        return json.loads(self.published(folder, 'zuul-local.json').read_text())

    def assert_nothing_left(self, pid: int, seconds: float = 60) -> None:
        """Nothing of the run with process *pid* is there any more, at most *seconds* later."""
        self.assertEqual([], wait_for(lambda: leftovers(pid), lambda left: not left, seconds))

    def _end(self, process: subprocess.Popen[str]) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(look: Callable[[], Any], good: Callable[[Any], bool], seconds: float) -> Any:
    """Return what *look* sees once it is *good*, or what it sees after *seconds*."""
    end = time.monotonic() + seconds
    while not good(seen := look()) and time.monotonic() < end:
        time.sleep(0.2)
    return seen


def leftovers(pid: int) -> list[str]:
    """Return what is left of the run with process *pid*: processes, containers, networks, folders."""
    return [*marked_processes(pid), *containers(pid), *networks(pid), *folders(pid)]


def marked_processes(pid: int) -> list[str]:
    mark = f'ZLOCAL_PID={pid}'.encode()
    found = []
    for entry in Path('/proc').iterdir():
        try:
            if mark in (entry / 'environ').read_bytes().split(b'\0'):
                found.append((entry / 'cmdline').read_bytes().replace(b'\0', b' ').decode('utf-8', 'replace'))
        except (OSError, ValueError):
            continue
    return [line for line in found if line]


def containers(pid: int) -> list[str]:
    return [entry['Names'][0] for entry in find_podman().listed('ps', '-a') if _owned(entry.get('Labels'), pid)]


def networks(pid: int) -> list[str]:
    return [entry['name'] for entry in find_podman().listed('network', 'ls') if _owned(entry.get('labels'), pid)]


def folders(pid: int) -> list[str]:
    top = Path(f'/tmp/zl-{os.getuid()}')
    found = []
    for folder in top.iterdir() if top.is_dir() else ():
        try:
            owner = (folder / 'owner').read_text()
        except OSError:
            continue
        if owner.startswith(f'{pid}:'):
            found.append(str(folder))
    return found


def _owned(labels: Mapping[str, str] | None, pid: int) -> bool:
    return (labels or {}).get('zuul-local', '').startswith(f'{pid}:')
