"""What a person sees of a build: its output while it runs, and afterwards what failed."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

CONTROL = re.compile(r'\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b.|[\x00-\x08\x0b-\x1f\x7f-\x9f]')
STAMP = re.compile(r'^\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d)\.\d+ \| ')
LAST_LINES = 40
SAID = ('stdout', 'stderr', 'module_stdout', 'module_stderr', 'reason', 'msg')
POLL = 0.05


def plain(line: str) -> str:
    """Return *line* of a job's output without its date and without anything that a terminal would obey."""
    return CONTROL.sub('', STAMP.sub(r'\1 ', line))


class Reporter:
    """Writes progress for people, each line with the seconds since the start where *timed*.

    :param stream: where to; standard error when standard output belongs to a machine.
    """

    def __init__(self, stream: TextIO, start: float) -> None:
        self.stream = stream
        self.start = start

    def say(self, text: str, *, timed: bool = False) -> None:
        stamp = f'[{time.monotonic() - self.start:5.1f} s] ' if timed else ''
        self.stream.write(f'{stamp}{CONTROL.sub("", text)}\n')   # what a playbook returned may be part of it
        self.stream.flush()

    def step(self, text: str) -> None:
        self.say(text, timed=True)


class Follower:
    """Copies a growing job-output.txt to the reporter, line by line, until stopped.

    :ivar last: when something was added last, by the monotonic clock.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._path: Path | None = None
        self._position = 0
        self._rest = b''
        self._done = threading.Event()
        self.last = time.monotonic()
        self._thread = threading.Thread(target=self._run, name='job output', daemon=True)

    @property
    def following(self) -> bool:
        return self._path is not None

    def follow(self, path: Path) -> None:
        self._path = path
        self._thread.start()

    def stop(self) -> None:
        """Print what is left and end."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._done.wait(POLL):
            self._copy()
        self._copy()
        if self._rest:
            self._reporter.say(plain(self._rest.decode('utf-8', 'replace')))

    def _copy(self) -> None:
        assert self._path is not None
        try:
            with self._path.open('rb') as file:
                file.seek(self._position)
                data = file.read()
        except OSError:
            return
        if data:
            self.last = time.monotonic()
        self._position += len(data)
        *lines, self._rest = (self._rest + data).split(b'\n')
        for line in lines:
            self._reporter.say(plain(line.decode('utf-8', 'replace')))


def failures(output: list[Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (task name, host, result) of every task that failed and whose failure counted.

    :param output: content of Zuul's job-output.json: a list of playbooks.
    """
    for playbook in output:
        lost = {host for host, counts in (playbook.get('stats') or {}).items()
                if counts.get('failures') or counts.get('unreachable')}
        for play in playbook.get('plays', ()):
            for task in play.get('tasks', ()):
                for host, result in (task.get('hosts') or {}).items():
                    if host in lost and (result.get('failed') or result.get('unreachable')):
                        yield (task.get('task') or {}).get('name') or '', host, result


def explain_failure(path: Path) -> list[str]:
    """Return what to repeat of the last failure that job-output.json at *path* knows of; nothing when it knows none."""
    try:
        found = list(failures(json.loads(path.read_text(encoding='utf-8', errors='replace'))))
    except (OSError, ValueError, AttributeError, TypeError):
        return []
    if not found:
        return []
    name, host, result = found[0]
    return [f'Failed task: {plain(name) or "(no name)"} on {plain(host)}',
            *(f'    {plain(line)}' for line in said_by(result))]


def said_by(result: dict[str, Any]) -> list[str]:
    """Return the last lines of what the *result* of a failed task says, its failed items first."""
    failed = [item for item in result.get('results') or () if isinstance(item, dict) and item.get('failed')]
    lines = [line for one in (*failed, result) for key in SAID for line in str(one.get(key) or '').splitlines()]
    return lines[-LAST_LINES:]
