"""Dead-man's switch of a run: when the runner dies, whatever is left of the run goes.

A child in a session of its own holds a pidfd of the runner and one end of a pipe.  The module is also the child's
program (`python -S -E keeper.py`), and therefore needs nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

MARK = 'ZLOCAL_RUN'
RELEASE = b'release'
TRIES = 20
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Keeper:
    """The runner's end."""

    def __init__(self, child: subprocess.Popen[bytes], pipe: int) -> None:
        self._child = child
        self._pipe = pipe

    @classmethod
    def start(cls, run_id: str, podman_argv: Sequence[str], folder: Path) -> Keeper:
        """Start to watch over this process, which may have nodes of several builds.

        :param podman_argv: podman and the options in front of its verb; its environment is this process's.
        :param folder: the folder of the run, removed with the rest.
        """
        from zuul_local.nodes.owner import me  # not there in the child

        read, write = os.pipe()
        try:
            child = subprocess.Popen(
                [sys.executable, '-S', '-E', os.path.abspath(__file__), run_id, json.dumps(list(podman_argv)),
                 str(folder), me()],
                stdin=read, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd='/', start_new_session=True)
        finally:
            os.close(read)
        return cls(child, write)

    def release(self) -> None:
        """Let the child go: the run has cleaned up itself.  May be called again."""
        if self._pipe < 0:
            return
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, RELEASE)
        os.close(self._pipe)
        self._pipe = -1
        self._child.wait(10)


def marked(run_id: str) -> Iterator[int]:
    """Yield the processes that carry the mark of the run in their environment, this one excepted.

    The monitors of containers are left out: podman ends them with their container.
    """
    want = f'{MARK}={run_id}'.encode()
    for name in os.listdir('/proc'):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if want in Path('/proc', name, 'environ').read_bytes().split(b'\0') \
                    and Path('/proc', name, 'comm').read_text().strip() != 'conmon':
                yield int(name)


def kill_marked(run_id: str) -> None:
    """Kill the processes of the run."""
    for pid in list(marked(run_id)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def half_made(entry: Mapping[str, Any]) -> str:
    """Return the run whose `podman create` was killed before it could label this *entry* of `podman ps`; else ''."""
    match = re.match(r'zuul-local-([0-9a-f]{8})-', (entry['Names'] or [''])[0])
    return match[1] if match and entry['State'] == 'storage' else ''


def remove(owner: str, run_id: str, podman_argv: Sequence[str]) -> bool:
    """Remove the containers and networks of *owner* but those to keep; return whether none is left.

    :param run_id: whose half made containers go, too; others' are left to the next start.
    :raises CalledProcessError: podman could not list them, as happens while another process removes one.
    """
    def podman(*words: str, check: bool = False) -> str:
        return subprocess.run([*podman_argv, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=60, check=check).stdout.decode()

    def listed(*words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(podman(*words, '--format', 'json', check=True) or '[]') or []
        return found

    def goes(labels: dict[str, str]) -> bool:
        return labels.get('zuul-local') == owner and 'zuul-local.keep' not in labels

    containers = [entry['Names'][0] for entry in listed('ps', '-a', '--external')
                  if goes(entry['Labels'] or {}) or half_made(entry) == run_id]
    networks = [entry['name'] for entry in listed('network', 'ls') if goes(entry.get('labels') or {})]
    if containers:
        podman('rm', '-f', '-t', '0', *containers)
    for name in networks:
        podman('network', 'rm', '-f', name)
    return not containers and not networks


def wait_for_end(pid: int, parent: int) -> bool:
    """Wait until the runner *pid* is dead or lets us go; return whether it is dead."""
    try:
        runner = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    if parent != pid:
        return True
    poll = select.poll()                # not the pipe alone: forks of the runner hold its other end
    poll.register(runner, select.POLLIN)
    poll.register(0, select.POLLIN)
    ready = {fd for fd, _ in poll.poll()}
    return 0 not in ready or os.read(0, len(RELEASE)) != RELEASE


def main() -> None:
    """Be the child."""
    parent = os.getppid()
    run_id, podman_argv, folder, owner = sys.argv[1:5]
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if not wait_for_end(int(owner.partition(':')[0]), parent):
        return
    for _ in range(TRIES):              # a podman that we killed may have left something half made
        kill_marked(run_id)
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(subprocess.SubprocessError, ValueError, OSError):
            if remove(owner, run_id, json.loads(podman_argv)):
                break
        time.sleep(0.2)


if __name__ == '__main__':
    main()
