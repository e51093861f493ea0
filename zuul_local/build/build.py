"""One build: its nodes, Zuul's own job on them, and its published folder."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zuul_local import errors
from zuul_local.build import bundle, executor, workspace
from zuul_local.build.console import Follower, explain_failure
from zuul_local.build.events import Events
from zuul_local.build.machine import Machine
from zuul_local.build.request import choose_nodes
from zuul_local.errors import UserError
from zuul_local.nodes import given
from zuul_local.nodes.container import Node, Nodes
from zuul_local.nodes.image import ensure_image
from zuul_local.nodes.labels import Label
from zuul_local.process import ProcessError
from zuul_local.tenant.freeze import Frozen

RETRY = 'RETRY'
QUIET = 300             # seconds without output after which a person is told so
NODE_WAIT = 60          # seconds until a node must let us in
SHOWN = 5               # deprecations that are repeated at the end
LIFETIME = 4 * 3600     # seconds after which a node ends by itself


@dataclass(frozen=True)
class Outcome:
    """What became of a build.

    :ivar code: exit code.
    :ivar again: Zuul would run the job again, on fresh nodes.
    :ivar facts: what a machine is told.
    :ivar raw: what Zuul's AnsibleJob reported; it may hold secrets.
    """

    code: int
    again: bool
    facts: dict[str, Any]
    raw: Mapping[str, Any]

    @property
    def result(self) -> str:
        return str(self.facts['result'])


class Build:
    """The moving parts of one build.

    :ivar zuul: Zuul's Build.
    :ivar job: Zuul's AnsibleJob once it is there.
    """

    def __init__(self, machine: Machine, zuul: Any, frozen: Frozen, number: int, begin: float) -> None:
        """
        :param number: how many builds there were in the run before.
        :param begin: when this build began, by the monotonic clock.
        """
        self.machine = machine
        self.zuul = zuul
        self.frozen = frozen
        self.folder = machine.folder / str(number)
        self.nodes: Nodes | None = None
        self.job: executor.Job | None = None
        self._begin = begin
        self._run_id = secrets.token_hex(4) if number else machine.request.run_id      # what its nodes are known by
        self._reporter = machine.reporter
        self._wanted = choose_nodes(machine.tenant, frozen, machine.request)
        self._parts: dict[str, float] = {'load': time.monotonic() - begin}

    def start(self) -> None:
        """Get everything going that the job needs, and the job.

        :raises UserError: the machine cannot run it; :meth:`stop` removes what there is.
        """
        pool = self.machine.pool
        self._reporter.step(self._introduction())
        self.folder.mkdir(mode=0o700)
        key = self.folder / 'id'
        if self._wanted:
            self.nodes = Nodes(self.machine.podman(), self._run_id, self.folder / 'nodes', self.machine.site,
                               self.machine.request.keep, LIFETIME)
            key = self.nodes.key
        else:
            executor.make_key(key)
        started = pool.submit(self._start_nodes)
        reachable = pool.submit(self._wait_for_nodes, started)
        snapshots = self.machine.snapshots(self.frozen)
        snapshot = snapshots[self.machine.tenant.project.canonical_name]
        self._reporter.step(f'testing commit {snapshot.commit[:12]}'
                            + (' (your HEAD and the uncommitted work on top)' if snapshot.uncommitted else ''))
        self._server = self._executor(snapshots, key)
        self.machine.restrict_environment()
        checked = pool.submit(self.machine.check_sandbox, self._server, self.frozen)
        self._needed = (started, reachable, checked)
        self._last_lines = executor.LastLines().attach()
        self.job = executor.Job(self._server, self.frozen.job, self.frozen.params, self.machine.request.secrets,
                                prepare_nodes=lambda nodes: self._hand_over(nodes, started),
                                before_playbooks=lambda: (reachable.result(), checked.result()),
                                after_playbook=Events(self.machine.request.events).playbook_ended)
        self._parts['prepare'] = time.monotonic() - self._begin - self._parts['load']
        self._follower = Follower(self._reporter)
        # In a thread of its own, so that signals reach the main one.
        self._thread = threading.Thread(target=self.job.do_execute, name='build')
        self._thread.start()

    def _introduction(self) -> str:
        project, frozen = self.machine.tenant.project, self.frozen
        attached = f' as attached to {frozen.pipeline}' if frozen.pipeline else ''
        return (f'{project.canonical_name} on branch {project.branch}, job {frozen.job.name}{attached}'
                f'{self._attempt()}; nodes: {self._described()}')

    def _attempt(self) -> str:
        zuul = self.frozen.params['zuul']
        if not self.machine.request.attempts or zuul['max_attempts'] == 1:
            return ''
        return f', attempt {zuul["attempts"]} of {zuul["max_attempts"]}'

    def _start_nodes(self) -> None:
        if self.nodes is None:
            return
        begin = time.monotonic()
        images = {label.name: self._image(label) for _, label in self._wanted}
        try:
            self.nodes.start(self._wanted, images)
        except ProcessError as error:
            raise UserError(f'the nodes cannot be started: {error}', 'zuul-local node list -v') from error
        self._parts['node'] = time.monotonic() - begin

    def _image(self, label: Label) -> str:
        assert self.nodes is not None
        if what := self.machine.request.images.get(label.image):
            return given.provide(self.nodes.podman, what, self._reporter.step)
        return ensure_image(self.nodes.podman, label, self.nodes.site, self._reporter.step)

    def _wait_for_nodes(self, started: Future[None]) -> None:
        started.result()
        if self.nodes is None:
            return
        begin = time.monotonic()
        self.nodes.wait(NODE_WAIT)
        self._parts['ssh'] = time.monotonic() - begin

    def _executor(self, snapshots: Mapping[str, workspace.Snapshot], key: Path) -> executor.Executor:
        tenant = self.machine.tenant
        state: dict[str, dict[str, dict[str, str]]] = {}
        for name, snapshot in snapshots.items():
            project = tenant.projects[name]
            state.setdefault(project.host, {})[project.name] = snapshot.refs
            tenant.connections.connections[project.host].git_urls[project.name] = f'file://{snapshot.path}'
        sandbox = executor.no_sandbox() if self.machine.request.unsafe_localhost else executor.open_sandbox()
        return executor.Executor(self.folder, self.machine.clones, tenant.connections, state, self.machine.environment,
                                 key, sandbox, executor.MEASURED if self.machine.request.measure else executor.ADJUSTED)

    def _hand_over(self, nodes: Sequence[Any], started: Future[None]) -> None:
        started.result()
        if self.nodes is None:
            return
        for node in nodes:
            _fill_in(node, self.nodes.addresses[node.name[0]])
        assert self.job
        self.nodes.watch(self.job.lose_node)

    @property
    def paused(self) -> Mapping[str, Any] | None:
        """What the job reported when it paused."""
        return self._server.paused

    def proceed(self) -> bool:
        """Follow the job until it is over, or pauses for the first time; return whether it is over."""
        assert self.job
        told, paused = time.monotonic(), self.paused
        while self._thread.is_alive():
            self._thread.join(0.05)
            if self.job.jobdir and not self._follower.following:
                self._follower.follow(Path(self.job.jobdir.job_output_file))
            if self.paused is not paused:
                return False
            if time.monotonic() - max(self._follower.last, told) > QUIET:
                told = time.monotonic()
                self._reporter.step(f'no output for {told - self._follower.last:.0f} s; the job may run for '
                                    f'{self.frozen.job.timeout} s. Ctrl-C stops it and still publishes its logs.')
        self._follower.stop()
        for part in self._needed:
            part.result()
        return True

    def resume(self) -> None:
        """Go on after a pause."""
        assert self.job
        self.job.resume()

    def interrupt(self) -> None:
        """Stop the job in order; its logs are still published."""
        if self.job:
            threading.Thread(target=self.job.stop, daemon=True).start()

    def publish(self, interrupted: bool, may_retry: bool) -> Outcome:
        """Publish the logs of a build that is over, say how it ended, and return that.

        :param interrupted: a person stopped it.
        :param may_retry: there is a further attempt for the job.
        :raises RuntimeError: Zuul's own code failed.
        """
        assert self.job
        begin = time.monotonic()
        raw = self._server.result
        result, code = judge(raw, self.job.lost_nodes, interrupted)
        if code == errors.BUG:
            raise RuntimeError(raw['exception'])
        again = may_retry and (result == RETRY or (bool(self.job.lost_nodes) and not interrupted))
        self._parts['build'] = begin - self._begin - self._parts['load'] - self._parts['prepare']
        destination = self.machine.published / self.frozen.params['zuul']['build']
        facts = self._facts(result, raw)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(self.job.jobdir.inventory, Path(self.job.jobdir.log_root, 'zuul-inventory.yaml'))
        shown = {key: str(value) for key, value in facts.items() if isinstance(value, (str, float))}
        bundle.publish(Path(self.job.jobdir.work_root), destination, shown)
        bundle.write_facts(destination, facts)
        self._tell(result, destination, failed=code != errors.SUCCESS and not interrupted, again=again)
        return Outcome(code, again, {**facts, 'logs': str(destination)}, raw)

    def _facts(self, result: str, raw: Mapping[str, Any]) -> dict[str, Any]:
        assert self.job
        zuul, project = self.frozen.params['zuul'], self.machine.tenant.project
        return {
            'job': self.frozen.job.name, 'result': result, 'project': project.canonical_name,
            'branch': project.branch, 'nodes': self._described(), 'build': zuul['build'], 'attempt': zuul['attempts'],
            'seconds': round(time.monotonic() - self._begin, 2),
            'parts': {name: round(seconds, 2) for name, seconds in self._parts.items()},
            'playbooks': [[name, round(seconds, 2)] for name, seconds in self.job.playbook_seconds],
            'data': raw.get('data') or {}, 'warnings': raw.get('warnings') or [],
            'deprecations': self._last_lines.deprecations,
        }

    def _tell(self, result: str, destination: Path, *, failed: bool, again: bool) -> None:
        assert self.job
        say, raw = self._reporter.say, self._server.result
        if failed:
            explained = explain_failure(destination / 'job-output.json')
            if not explained and raw.get('result') in (None, 'ERROR'):
                explained = [f'    {line}' for line in self._last_lines.lines]
            for line in explained:
                say(line)
        for name in self.job.lost_nodes:
            say(f'Node {name} went away during the build.')
        if raw.get('error_detail'):
            say(f'Zuul: {raw["error_detail"]}')
        if result == RETRY and not again:
            say(f'Zuul would run this job again (attempt 1 of {self.frozen.job.attempts}): what failed is not the '
                'tests, but what comes before them or a node. --attempts N does so.')
        for warning in raw.get('warnings') or ():
            say(f'Warning: {warning}')
        for line in self._last_lines.deprecations[:SHOWN]:
            say(f'Ansible: {line}')
        seconds = ', '.join(f'{name} {spent:.1f}'
                            for name, spent in (*self._parts.items(), *self.job.playbook_seconds))
        self._reporter.step(f'{result}   {self.frozen.job.name}{self._attempt()}   ({seconds})')
        if any(label.kind == 'contract' for _, label in self._wanted):
            say(f'Nodes: {self._described()}. A contract label proves branches of code, no distribution.')
        say(f'Logs: {destination}/index.html')

    def _described(self) -> str:
        return ', '.join(f'{name} ({label.described})' for name, label in self._wanted) or 'none'

    def stop(self) -> None:
        """Remove what the build needed, and what of it still runs. May be called at any time."""
        if self.nodes is None:
            return
        if self.machine.request.keep and self.nodes.addresses:
            for node in self.nodes.addresses.values():
                self._reporter.say(f'Node {node.name} is kept: zuul-local node shell {node.container}')
        self.nodes.stop()


def _fill_in(node: Any, made: Node) -> None:
    """Write into Zuul's *node* where it can be reached."""
    node.interface_ip = node.public_ipv4 = made.address
    node.private_ipv4 = made.private_address
    node.connection_type, node.connection_port, node.username = 'ssh', made.port, 'zuul'
    node.python_path = made.label.python_path
    node.host_keys = [made.host_key]
    node.provider = node.cloud = node.region = 'zuul-local'


def judge(result: Mapping[str, Any], lost_nodes: Sequence[str], interrupted: bool) -> tuple[str, int]:
    """Return the name of a build's result and the exit code.

    :param result: what Zuul's AnsibleJob reported; without a ``result`` Zuul would run the job again.
    """
    name = result.get('result')
    if result.get('exception') and not name:
        return 'ERROR', errors.BUG
    if interrupted:
        return 'ABORTED', errors.INTERRUPTED
    if lost_nodes:
        return 'NODE_FAILURE', errors.FAILURE
    if name is None:
        return RETRY, errors.FAILURE
    return name, {'SUCCESS': errors.SUCCESS, 'ERROR': errors.USAGE}.get(name, errors.FAILURE)
