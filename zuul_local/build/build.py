"""One build from request to published folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zuul_local import environment, errors, paths
from zuul_local.build import bundle, executor, workspace
from zuul_local.build.console import Follower, Reporter, explain_failure
from zuul_local.build.receiver import start_fork_server
from zuul_local.build.request import Request, check, freeze_job
from zuul_local.errors import UserError
from zuul_local.nodes.container import Node, Nodes, reap
from zuul_local.nodes.image import ensure_image
from zuul_local.nodes.keeper import Keeper
from zuul_local.nodes.labels import Label
from zuul_local.nodes.owner import claim
from zuul_local.nodes.podman import Podman, find_podman
from zuul_local.nodes.site import discover
from zuul_local.process import ProcessError
from zuul_local.tenant.freeze import Frozen
from zuul_local.tenant.load import DEFAULT_ANSIBLE, LIBRARY_NAME, LocalTenant, load_tenant

RETRY = 'RETRY'
QUIET = 300             # seconds without output after which a person is told so
NODE_WAIT = 60          # seconds until a node must let us in


@dataclass(frozen=True)
class Outcome:
    """:ivar code: exit code; :ivar facts: what a machine is told."""

    code: int
    facts: dict[str, Any]


def build(request: Request, reporter: Reporter) -> Outcome:
    """Run one build to its end.

    :raises UserError: wrong use or configuration, or a machine that cannot run it; nothing has run then.
    """
    here = environment.current()
    start_fork_server()
    with _folder(request.run_id) as folder, ThreadPoolExecutor() as pool:
        podman = pool.submit(_podman, request)
        tenant = load_tenant(request.project, base_ref=request.base_ref, given=request.given)
        published = bundle.open_folder(tenant.project.path)
        frozen, wanted = freeze_job(tenant, request)
        check(tenant, frozen, request, here.ansibles())
        reporter.step(_introduction(tenant, frozen, wanted))
        run = _Run(request, reporter, folder, here, tenant, frozen, wanted)
        keeper = Keeper.start(request.run_id, podman.result().argv() if wanted else ('true',), folder)
        try:
            return run.execute(pool, podman, published)
        finally:
            run.stop()
            keeper.release()


@contextlib.contextmanager
def _folder(run_id: str) -> Iterator[Path]:
    folder = paths.runs_dir() / run_id
    folder.mkdir(mode=0o700)
    claim(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _podman(request: Request) -> Podman:
    podman = find_podman()
    reap(podman)
    return podman


def _introduction(tenant: LocalTenant, frozen: Frozen, wanted: Sequence[tuple[str, Label]]) -> str:
    nodes = ', '.join(f'{name} ({label.name})' for name, label in wanted) or 'none'
    attached = f' as attached to {frozen.pipeline}' if frozen.pipeline else ''
    return (f'{tenant.project.canonical_name} on branch {tenant.project.branch}, job {frozen.job.name}{attached}; '
            f'nodes: {nodes}')


class _Run:
    """The moving parts of one build."""

    def __init__(self, request: Request, reporter: Reporter, folder: Path, here: environment.Environment,
                 tenant: LocalTenant, frozen: Frozen, wanted: Sequence[tuple[str, Label]]) -> None:
        self.request = request
        self.reporter = reporter
        self.folder = folder
        self.environment = here
        self.tenant = tenant
        self.frozen = frozen
        self.wanted = wanted
        self.nodes: Nodes | None = None
        self.job: executor.Job | None = None
        self.interrupts: list[int] = []
        self.parts: dict[str, float] = {'load': time.monotonic() - reporter.start}

    def execute(self, pool: ThreadPoolExecutor, podman: Future[Podman], published: Path) -> Outcome:
        key = self.folder / 'id'
        if self.wanted:
            self.nodes = self._open_nodes(podman.result())
            key = self.nodes.key
        started = pool.submit(self._start_nodes)
        reachable = pool.submit(self._wait_for_nodes, started)
        snapshots = self._snapshots(pool)
        snapshot = snapshots[self.tenant.project.canonical_name]
        self.reporter.step(f'testing commit {snapshot.commit[:12]}'
                           + (' (your HEAD and the uncommitted work on top)' if snapshot.uncommitted else ''))
        server = self._executor(snapshots, key)
        _restrict_environment()
        checked = pool.submit(self._check_sandbox, server)
        last_lines = executor.LastLines().attach()
        self.job = executor.Job(server, self.frozen.job, self.frozen.params, self.request.secrets,
                                prepare_nodes=lambda nodes: self._hand_over(nodes, started),
                                before_playbooks=lambda: (reachable.result(), checked.result()))
        self.parts['prepare'] = time.monotonic() - self.reporter.start - self.parts['load']
        with self._signals():
            self._run_job(self.job, Follower(self.reporter))
        for part in (started, reachable, checked):
            part.result()
        return self._publish(server, published, last_lines)

    def _open_nodes(self, podman: Podman) -> Nodes:
        return Nodes(podman, self.request.run_id, self.folder / 'nodes', discover(os.environ), self.request.keep,
                     max_seconds=4 * 3600)

    def _start_nodes(self) -> None:
        if self.nodes is None:
            return
        begin = time.monotonic()
        images = {label.name: ensure_image(self.nodes.podman, label, self.nodes.site, self.reporter.step)
                  for _, label in self.wanted}
        try:
            self.nodes.start(self.wanted, images)
        except ProcessError as error:
            raise UserError(f'the nodes cannot be started: {error}', 'zuul-local node list -v') from error
        self.parts['node'] = time.monotonic() - begin

    def _wait_for_nodes(self, started: Future[None]) -> None:
        started.result()
        if self.nodes is None:
            return
        begin = time.monotonic()
        self.nodes.wait(NODE_WAIT)
        self.parts['ssh'] = time.monotonic() - begin

    def _check_sandbox(self, server: executor.Executor) -> None:
        if not self.request.unsafe_localhost:
            executor.check_sandbox(server, self.frozen.job.ansible_version or DEFAULT_ANSIBLE)

    def _snapshots(self, pool: ThreadPoolExecutor) -> dict[str, workspace.Snapshot]:
        needed = [self.tenant.projects[name] for name in self._project_names()]
        # The library has one branch; a project's branch of the same name must not choose another state of its roles.
        made = pool.map(lambda project: workspace.snapshot(
            project, executor.merge_path(self.folder, project.host, project.name),
            one_branch=project.canonical_name == LIBRARY_NAME and project != self.tenant.project), needed)
        return dict(zip((project.canonical_name for project in needed), made, strict=True))

    def _project_names(self) -> list[str]:
        """Every project that the build clones: those of the workspace, of its playbooks and of its roles."""
        job, source = self.frozen.job, self.tenant.connections.getSource
        names = {project['canonical_name'] for project in self.frozen.params['projects']}
        for playbook in job.all_playbooks:
            names.add(source(playbook['connection']).getProject(playbook['project']).canonical_name)
            for role in playbook['roles']:
                names.add(source(role['connection']).getProject(role['project']).canonical_name)
        for include in job.include_vars:
            names.add(source(include['connection']).getProject(include['project']).canonical_name)
        absent = sorted(names - set(self.tenant.projects))
        if absent:
            raise UserError(f'job {job.name} needs {", ".join(absent)}, which is not on this machine.',
                            ' '.join(f'--with {name}=DIR' for name in absent))
        return sorted(names)

    def _executor(self, snapshots: Mapping[str, workspace.Snapshot], key: Path) -> executor.Executor:
        state: dict[str, dict[str, dict[str, str]]] = {}
        for name, snapshot in snapshots.items():
            project = self.tenant.projects[name]
            state.setdefault(project.host, {})[project.name] = snapshot.refs
            self.tenant.connections.connections[project.host].git_urls[project.name] = f'file://{snapshot.path}'
        if not self.wanted:
            executor.make_key(key)
        sandbox = executor.no_sandbox() if self.request.unsafe_localhost else executor.open_sandbox()
        return executor.Executor(self.folder, self.tenant.connections, state, self.environment, key, sandbox)

    def _hand_over(self, nodes: Sequence[Any], started: Future[None]) -> None:
        started.result()
        if self.nodes is None:
            return
        for node in nodes:
            _fill_in(node, self.nodes.addresses[node.name[0]])
        assert self.job
        self.nodes.watch(self.job.lose_node)

    def _run_job(self, job: executor.Job, follower: Follower) -> None:
        """Run the job in a thread of its own, so that signals reach this one."""
        thread = threading.Thread(target=job.do_execute, name='build')
        thread.start()
        told = 0.0
        while thread.is_alive():
            thread.join(0.05)
            if job.jobdir and not follower.following:
                follower.follow(Path(job.jobdir.job_output_file))
            if time.monotonic() - max(follower.last, told) > QUIET:
                told = time.monotonic()
                self.reporter.step(f'no output for {told - follower.last:.0f} s; the job may run for '
                                   f'{self.frozen.job.timeout} s. Ctrl-C stops it and still publishes its logs.')
        follower.stop()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def heed(number: int, frame: Any) -> None:
            self.interrupts.append(number)
            if len(self.interrupts) > 1:
                os._exit(errors.INTERRUPTED)        # the keeper removes what is left
            self.reporter.step(f'{signal.Signals(number).name}: stopping the build; once more ends it at once')
            assert self.job
            threading.Thread(target=self.job.stop, daemon=True).start()

        before = {number: signal.signal(number, heed) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _publish(self, server: executor.Executor, published: Path, last_lines: executor.LastLines) -> Outcome:
        assert self.job
        begin = time.monotonic()
        result, code = judge(server.result, self.job.lost_nodes, bool(self.interrupts))
        if code == errors.BUG:
            raise RuntimeError(server.result['exception'])
        self.parts['build'] = begin - self.reporter.start - self.parts['load'] - self.parts['prepare']
        destination = published / self.frozen.params['zuul']['build']
        facts = self._facts(result, server.result)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(self.job.jobdir.inventory, Path(self.job.jobdir.log_root, 'zuul-inventory.yaml'))
        shown = {key: str(value) for key, value in facts.items() if isinstance(value, (str, float))}
        bundle.publish(Path(self.job.jobdir.work_root), destination, shown)
        bundle.write_facts(destination, facts)
        self._tell(result, code, server.result, destination, last_lines)
        return Outcome(code, {**facts, 'logs': str(destination)})

    def _facts(self, result: str, raw: Mapping[str, Any]) -> dict[str, Any]:
        assert self.job
        return {
            'job': self.frozen.job.name, 'result': result, 'project': self.tenant.project.canonical_name,
            'branch': self.tenant.project.branch, 'build': self.frozen.params['zuul']['build'],
            'seconds': round(time.monotonic() - self.reporter.start, 2),
            'parts': {name: round(seconds, 2) for name, seconds in self.parts.items()},
            'playbooks': [[name, round(seconds, 2)] for name, seconds in self.job.playbook_seconds],
            'data': raw.get('data') or {}, 'warnings': raw.get('warnings') or [],
        }

    def _tell(self, result: str, code: int, raw: Mapping[str, Any], destination: Path,
              last_lines: executor.LastLines) -> None:
        assert self.job
        say = self.reporter.say
        if code != errors.SUCCESS and not self.interrupts:
            explained = explain_failure(destination / 'job-output.json')
            if not explained and raw.get('result') in (None, 'ERROR'):
                explained = [f'    {line}' for line in last_lines.lines]
            for line in explained:
                say(line)
        for name in self.job.lost_nodes:
            say(f'Node {name} went away during the build.')
        if raw.get('error_detail'):
            say(f'Zuul: {raw["error_detail"]}')
        if result == RETRY:
            say(f'Zuul would run this job again (attempt 1 of {self.frozen.job.attempts}): what failed is not the '
                'tests, but what comes before them or a node.')
        for warning in raw.get('warnings') or ():
            say(f'Warning: {warning}')
        seconds = ', '.join(f'{name} {spent:.1f}' for name, spent in (*self.parts.items(), *self.job.playbook_seconds))
        self.reporter.step(f'{result}   {self.frozen.job.name}   ({seconds})')
        say(f'Logs: {destination}/index.html')

    def stop(self) -> None:
        """Remove what the build needed. May be called at any time."""
        if self.nodes is None:
            return
        if self.request.keep and self.nodes.addresses:
            for node in self.nodes.addresses.values():
                self.reporter.say(f'Node {node.name} is kept: zuul-local node shell {node.container}')
        self.nodes.stop()


def _restrict_environment() -> None:
    """Leave in this process's environment only what a build may see; Zuul hands all of it to every playbook."""
    allowed = executor.allowed_environment(os.environ)
    os.environ.clear()
    os.environ.update(allowed)


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

