"""Runs builds side by side, each a ``zuul-local run`` of its own, and tells what ends as it ends.

All is done by one thread that looks at every build ten times a second. That thread also starts them: each gets a
signal when it dies (setpriv --pdeathsig), so that nothing outlives a runner that was killed.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from zuul_local import paths, process
from zuul_local.build import bundle
from zuul_local.nodes.owner import folder_of_run
from zuul_local.selftest.cell import FAILED, NOT_RUN, OK, SKIPPED, WHOLE, Cell
from zuul_local.selftest.plan import Build, arguments
from zuul_local.selftest.report import Printer

POLL = 0.1
STOPPING = 60           # seconds that builds get to remove their nodes and end
LEFT_ALONE = 'its playbook did nothing on this node'
CHANGED = 'it changed something in a call whose name says "again": such a call finds all as the one before left it'
LAST_LINES = 15
IDLE = {'passed': True, 'ran': False, 'seconds': 0.0, 'task': '', 'said': [], 'changed': []}


class Watched:
    """A build that runs.

    :param folder: for what it writes beside its logs.
    :param more: further words for ``zuul-local run``.
    """

    def __init__(self, build: Build, folder: Path, more: Sequence[str]) -> None:
        folder.mkdir()
        self.build = build
        self.cells: list[Cell] = []
        self._events, self._facts, self._text = folder / 'events', folder / 'facts', folder / 'text'
        self._events.touch()
        self._read = 0
        self._process = process.start(
            ('setpriv', '--pdeathsig', 'TERM', str(paths.LIBRARY / 'zuul-local'), 'run', *arguments(build), '--json',
             '--events', self._events, *more), cwd=paths.LIBRARY, stdout=self._facts, stderr=self._text)

    def ended(self) -> bool:
        return self._process.poll() is not None

    def signal(self, number: int) -> None:
        if not self.ended():
            self._process.send_signal(number)

    def wait(self, seconds: float) -> None:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()        # its keeper removes the nodes
            self._process.wait()

    def news(self) -> Iterator[Cell]:
        """Yield what ended since the last call."""
        with self._events.open('rb') as file:
            file.seek(self._read)
            *lines, rest = file.read().split(b'\n')
            self._read = file.tell() - len(rest)
        for line in lines:
            for cell in cells_of(self.build, json.loads(line)):
                self.cells.append(cell)
                yield cell

    def finish(self, stopped: str = '') -> Iterator[Cell]:
        """Yield what is known now that it has ended: what was not run, and a failure that is none of a behaviour's.

        :param stopped: why it was stopped by us; '' when it ended by itself.
        """
        deprecations = self.facts.get('deprecations') or ()
        if deprecations:
            self.cells.append(Cell(self.build.job, self.build.roles[-1], WHOLE, None, FAILED, said=tuple(deprecations)))
            yield self.cells[-1]
        why = self._trouble(stopped)
        for cell in rest_of(self.build, self.cells, self._process.returncode, why):
            self.cells.append(cell)
            yield cell

    def _trouble(self, stopped: str) -> tuple[str, ...]:
        if stopped:
            return (stopped,)
        lines = self._text.read_text(encoding='utf-8', errors='replace').splitlines()
        result = self.facts.get('result')
        return (*((f'Zuul: {result}',) if result else ()), *lines[-LAST_LINES:])

    @property
    def facts(self) -> dict[str, Any]:
        """What the build told machines at its end; nothing when it never got there."""
        try:
            found: dict[str, Any] = json.loads(self._facts.read_text(encoding='utf-8'))
        except ValueError:
            return {}
        return found

    def tidy(self) -> str:
        """Remove the logs of a build that had no failure; return where those of another one are, '' for nowhere."""
        logs = str(self.facts.get('logs') or '')
        if self._process.returncode == 0 and all(cell.status != FAILED for cell in self.cells):
            if logs:
                bundle.remove(Path(logs))
            return ''
        return logs


def cells_of(build: Build, event: dict[str, Any]) -> Iterator[Cell]:
    """Yield what an *event* says about behaviours of *build*: one for each node, none for other playbooks."""
    found = [one for one in build.behaviours if event['playbook'].endswith(f'/{one.playbook}')]
    for behaviour in found[:1] if event['phase'] == 'run' else ():
        for name, label in build.nodes:
            node = _came_to(name, event['nodes'])
            if node['passed'] and node['changed']:
                yield Cell(build.job, behaviour.role, behaviour.name, label, FAILED, node['seconds'],
                           node['changed'][0], (CHANGED,))
            elif node['ran']:
                yield Cell(build.job, behaviour.role, behaviour.name, label, OK if node['passed'] else FAILED,
                           node['seconds'], node['task'], tuple(node['said']))
            else:       # a public job may leave its nodes alone
                yield Cell(build.job, behaviour.role, behaviour.name, label, SKIPPED if build.public else FAILED,
                           said=(LEFT_ALONE,))


def _came_to(name: str, nodes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what a playbook came to for the node *name*: plays on the executor are part of it for every node."""
    there, executor = nodes.get(name, IDLE), nodes.get('localhost', IDLE)
    if there['passed'] and (not executor['passed'] or not there['ran']):
        return executor
    return there


def rest_of(build: Build, cells: Sequence[Cell], code: int, why: tuple[str, ...]) -> Iterator[Cell]:
    """Yield what *cells* lack when the process of *build* has ended with *code*.

    :param why: what is known about the reason when none of the cells is one.
    """
    broken = next((cell for cell in cells if cell.status == FAILED), None)
    known = {(cell.role, cell.behaviour, cell.label_name) for cell in cells}
    missing = [(behaviour, label) for behaviour in build.behaviours for _, label in build.nodes
               if (behaviour.role, behaviour.name, label.name) not in known]
    if broken is None and (code or missing):
        role = missing[0][0].role if missing else build.roles[-1]
        broken = Cell(build.job, role, WHOLE, None, FAILED, said=why or (f'It ended with exit code {code}.',))
        yield broken
    for behaviour, label in missing:
        yield Cell(build.job, behaviour.role, behaviour.name, label, NOT_RUN,
                   said=(f'the build ended at {broken.role} {broken.behaviour}' if broken else '',))


def run_all(builds: Sequence[Build], side_by_side: int, printer: Printer, more: Sequence[str] = (),
            seconds: float | None = None, start: float | None = None) -> list[Cell]:
    """Run all *builds*, at most so many at a time, whatever fails; while one works, the nodes of the next one boot.

    :param more: further words for every ``zuul-local run``.
    :param start: seconds after which no further build begins; those that are left are told, and are no failure.
    :param seconds: the longest that it may take; builds that are unfinished then are stopped, and count as failed.
    :returns: what came of every behaviour on every node, in the order in which it ended.
    :raises KeyboardInterrupt: on SIGINT, SIGTERM or SIGHUP, after all builds were stopped.
    """
    cells: list[Cell] = []
    running: list[Watched] = []
    waiting = list(builds)
    ends = time.monotonic() + seconds if seconds else None
    begins = time.monotonic() + start if start else None
    with folder_of_run(f'self-test-{secrets.token_hex(4)}') as folder, _interruptible():
        try:
            while (running or waiting) and not _late(ends):
                if waiting and _late(begins):
                    printer.left_out(waiting)
                    waiting = []
                while waiting and len(running) < side_by_side:
                    build = waiting.pop(0)
                    printer.started(build, len(builds) - len(waiting), len(builds))
                    running.append(Watched(build, folder / str(len(waiting)), more))
                time.sleep(POLL)
                for one in list(running):
                    over = one.ended()      # asked first: then its last news is there
                    cells += _told(printer, one.news())
                    if over:
                        running.remove(one)
                        cells += _end(one, printer)
            _stop(running)
        except KeyboardInterrupt:
            _stop(running)
            raise
        why = f'all together took longer than {seconds} s'
        for one in running:
            cells += [*_told(printer, one.news()), *_end(one, printer, why)]
        for build in waiting:
            cells += _told(printer, rest_of(build, (), 1, (why,)))
    return cells


def _late(ends: float | None) -> bool:
    return ends is not None and time.monotonic() > ends


def _end(one: Watched, printer: Printer, stopped: str = '') -> list[Cell]:
    cells = _told(printer, one.finish(stopped))
    where = one.tidy()
    if where:
        printer.logs(one.build, where)
    return cells


def _told(printer: Printer, cells: Iterable[Cell]) -> list[Cell]:
    cells = list(cells)
    for cell in cells:
        printer.cell(cell)
    return cells


def _stop(running: Sequence[Watched]) -> None:
    """Stop all builds in order; a further interrupt ends them at once."""
    for one in running:
        one.signal(signal.SIGINT)
    try:
        for one in running:
            one.wait(STOPPING)
    except KeyboardInterrupt:
        for one in running:
            one.signal(signal.SIGINT)
        for one in running:
            one.wait(STOPPING)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Make SIGTERM and SIGHUP what SIGINT is."""
    def heed(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, heed) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
