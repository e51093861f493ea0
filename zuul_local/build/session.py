"""One run of ``zuul-local run``: builds one after the other, as Zuul's own manager says, until nothing is left."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zuul_local import environment, errors
from zuul_local.build import bundle
from zuul_local.build.build import RETRY, Build, Outcome
from zuul_local.build.console import Reporter
from zuul_local.build.machine import Machine
from zuul_local.build.receiver import start_fork_server
from zuul_local.build.request import Request, ansible_of, check, choose_nodes, freeze_jobs
from zuul_local.environment import ansibles
from zuul_local.nodes.container import reap
from zuul_local.nodes.keeper import Keeper
from zuul_local.nodes.owner import folder_of_run
from zuul_local.nodes.podman import Podman, find_podman
from zuul_local.tenant.buildset import BuildSet
from zuul_local.tenant.freeze import Frozen, Graph
from zuul_local.tenant.load import load_tenant

SKIPPED = 'SKIPPED'


@dataclass(frozen=True)
class Report:
    """:ivar code: exit code; :ivar facts: what a machine is told."""

    code: int
    facts: dict[str, Any]


def run(request: Request, reporter: Reporter) -> Report:
    """Run a job, with those that it depends on if that is asked for, to the end.

    :raises UserError: wrong use or configuration, or a machine that cannot run it.
    """
    here = environment.current()
    start_fork_server()
    with folder_of_run(request.run_id) as folder, ThreadPoolExecutor() as pool:
        podman = pool.submit(_podman)
        tenant = load_tenant(request.project, base_ref=request.base_ref, given=request.given)
        published = bundle.open_folder(request.results or tenant.project.path)
        graph = freeze_jobs(tenant, request)
        jobs = [graph.frozen(job) for job in graph.jobs]
        nodes = [choose_nodes(tenant, job, request) for job in jobs]
        check(tenant, jobs, request)
        machine = Machine(request, reporter, folder, here, tenant, published, podman, pool)
        for job in jobs:
            machine.project_names(job)
        for version in sorted({ansible_of(job) for job in jobs}):
            ansibles.ensure(here, version)
        keeper = Keeper.start(request.run_id, podman.result().argv() if any(nodes) else ('true',), folder)
        try:
            return _Session(machine, graph).run()
        finally:
            keeper.release()


def _podman() -> Podman:
    podman = find_podman()
    reap(podman)
    return podman


class _Session:
    """The builds of a run.

    :ivar live: build uuid -> those that were started and are not over; all but one of them are paused.
    :ivar records: facts of each build that is over, and of each job that was skipped.
    """

    def __init__(self, machine: Machine, graph: Graph) -> None:
        self.machine = machine
        self.graph = graph
        self.reporter = machine.reporter
        self.builds = BuildSet(graph, machine.request.attempts)
        self.live: dict[str, Build] = {}
        self.records: list[dict[str, Any]] = []
        self.codes: dict[str, int] = {}
        self.interrupts: list[int] = []
        self.number = 0
        self.preparing = False

    def run(self) -> Report:
        if self.graph.left_out:
            depends = ', '.join(name + (' (soft)' if soft else '') for name, soft in self.graph.left_out.items())
            self.reporter.say(f'Job {self.machine.request.job} depends on {depends}; '
                              '--deps runs such jobs first and hands over what they return.')
        with self._signals():
            try:
                while build := self._next():
                    if build.proceed():
                        self._end(build)
                    else:
                        self.builds.pause(build.zuul, build.paused or {})
                        self._tell_pause(build)
                    self._note_skipped()
            finally:
                for build in self.live.values():
                    build.interrupt()
                for build in self.live.values():
                    build.stop()
        return self._report()

    def _next(self) -> Build | None:
        """Return the build to follow now: one that goes on, or else the next; None when all is done."""
        if self.builds.resumed:
            build = self.live[self.builds.resumed.pop(0).uuid]
            build.resume()
            return build
        ready = None if self.interrupts else self.builds.start_next()
        if ready and (started := self._start(*ready)):
            return started
        for build in reversed(self.live.values()):      # interrupted while others were to run
            build.interrupt()
            return build
        return None

    def _start(self, zuul: Any, frozen: Frozen) -> Build | None:
        """Return the build, started; None when a signal came before it was, and others are to be stopped in order.

        :raises KeyboardInterrupt: there are no others.
        """
        begin = time.monotonic() if self.number else self.reporter.start
        build = Build(self.machine, zuul, frozen, self.number, begin)
        self.number += 1
        self.preparing = True
        try:
            build.start()
        except BaseException as error:
            build.interrupt()
            build.stop()
            if isinstance(error, KeyboardInterrupt) and self.live:
                return None
            raise
        finally:
            self.preparing = False
        self.live[zuul.uuid] = build
        return build

    def _end(self, build: Build) -> None:
        retry = not self.interrupts and self.builds.may_retry(build.zuul)
        outcome = build.publish(bool(self.interrupts), retry)
        self.live.pop(build.zuul.uuid)
        build.stop()
        self.records.append(outcome.facts)
        self._complete(build, outcome)

    def _complete(self, build: Build, outcome: Outcome) -> None:
        if outcome.again:
            self.reporter.step(f'{build.frozen.job.name} runs again, on fresh nodes')
        else:
            self.codes[build.frozen.job.name] = outcome.code
        result = RETRY if outcome.again else outcome.result
        self.builds.complete(build.zuul, result, outcome.raw, retry=outcome.again)

    def _tell_pause(self, build: Build) -> None:
        if not self.builds.resumed:
            self.reporter.step(f'{build.frozen.job.name} is paused until the jobs that depend on it are done')

    def _note_skipped(self) -> None:
        for build in self.builds.skipped:
            self.reporter.step(f'{SKIPPED}   {build.job.name}   ({build.error_detail})')
            self.records.append({'job': build.job.name, 'result': SKIPPED, 'reason': build.error_detail})
        self.builds.skipped.clear()

    def _report(self) -> Report:
        [*_, last] = [record for record in self.records if record['job'] == self.machine.request.job] or [{}]
        if len(self.records) > 1:
            for record in self.records:
                seconds, where = record.get('seconds', 0), record.get('logs') or record['reason']
                self.reporter.say(f'{record["result"]:<12} {seconds:7.1f} s  {record["job"]}   {where}')
            if 'logs' in last:
                bundle.link(Path(last['logs']))
        code = errors.INTERRUPTED if self.interrupts else max(self.codes.values())
        return Report(code, {**last, 'builds': self.records})

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def heed(number: int, frame: Any) -> None:
            self.interrupts.append(number)
            if len(self.interrupts) > 1:
                os._exit(errors.INTERRUPTED)        # the keeper removes what is left
            if self.preparing:
                raise KeyboardInterrupt
            self.reporter.step(f'{signal.Signals(number).name}: stopping the build; once more ends it at once')
            for build in list(self.live.values()):
                build.interrupt()

        before = {number: signal.signal(number, heed) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
