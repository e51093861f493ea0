"""Zuul's own AnsibleJob and what it needs of an executor around it.

Zuul's ``AnsibleJob._execute`` runs as it is: its merger clones and checks out (sparse, as on an executor), its JobDir,
inventory, playbook order, retry and post rules, time limits and log receiver do the rest. Replaced is what comes from
ZooKeeper: the frozen job, the state of the repositories, nodes, secrets, and the events of a build.
"""

from __future__ import annotations

import collections
import configparser
import contextlib
import hashlib
import logging
import multiprocessing
import os
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from zuul.driver.bubblewrap import BubblewrapDriver
from zuul.driver.nullwrap import NullwrapDriver
from zuul.executor import server as zuul_server
from zuul.executor.server import AnsibleJob
from zuul.lib.ansible import AnsibleManager
from zuul.lib.strings import workspace_project_path
from zuul.merger.merger import Merger
from zuul.model import SCHEME_UNIQUE

from zuul_local import paths
from zuul_local.build.receiver import Receiver
from zuul_local.environment import Environment
from zuul_local.errors import UserError
from zuul_local.process import ProcessError, run
from zuul_local.tenant.sources import LocalConnections

# What differs in the run's own copy of Zuul's Ansible plugins: file, old text, new text, times that it is there.
Adjustments = tuple[tuple[str, str, str, int], ...]
_UNREACHABLE = (
    # A node that no longer answers has no more output: without this the build waits 30 s for it.
    ('callback/zuul_stream.py', '''\
    def v2_runner_on_unreachable(self, result):
''', '''\
    def v2_runner_on_unreachable(self, result):
        self._streamers.clear()
''', 1),
)
ADJUSTED: Adjustments = (
    # The console looks for new output twice a second; on one machine it may look more often: 0.3 s less for a command.
    ('library/zuul_console.py', 'time.sleep(0.5)', 'time.sleep(0.02)', 2),
    *_UNREACHABLE,
)
# To measure what an executor would take, its own console; and only Ansible knows what processors did in the sandbox.
MEASURED: Adjustments = (
    ('callback/zuul_json.py', '''\
        self.playbook['stats'] = summary
''', '''\
        self.playbook['stats'] = summary
        import resource
        used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        self.playbook['processor_seconds'] = sum(one.ru_utime + one.ru_stime for one in used)
''', 1),
    *_UNREACHABLE,
)
# A node that no longer answers is on this machine, so it is gone; Zuul would wait three minutes for a distant one, and
# then try the task three times more. What still happens here, an sshd that restarts, is ConnectionAttempts' matter.
IMPATIENCE = (
    ('-o ServerAliveInterval=60 ', '-o ServerAliveInterval=1 -o ServerAliveCountMax=4 '
                                   '-o ConnectTimeout=5 -o ConnectionAttempts=4 '),
    ('retries = 3\n', 'retries = 0\n'),
)
ALLOWED_ENVIRONMENT = (
    'HOME', 'LANG', 'LC_ALL', 'TZ', 'XDG_RUNTIME_DIR', 'XDG_CACHE_HOME', 'ZLOCAL_ENV', 'ZLOCAL_PID', 'ZLOCAL_RUN',
    'CURL_CA_BUNDLE', 'REQUESTS_CA_BUNDLE', 'SSL_CERT_DIR', 'SSL_CERT_FILE',
    'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy',
)
# Zuul withholds every line that holds a value of a secret; a user name such as 'me' would withhold half of a log.
SHORTEST_SECRET = 4
# The user's git may have filters and hooks for every repository; an executor's has none, and clones are none of theirs.
PLAIN_GIT = {'GIT_CONFIG_GLOBAL': os.devnull, 'GIT_CONFIG_NOSYSTEM': '1'}
PATH = '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin'


def allowed_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what of *environ* a build may see: Zuul hands on all of the executor's environment but ``ZUUL_*``."""
    kept = {name: environ[name] for name in ALLOWED_ENVIRONMENT if name in environ}
    return {'LANG': 'C.UTF-8', **kept, **PLAIN_GIT, 'PATH': PATH}


class Executor:
    """What an AnsibleJob reads of its ExecutorServer.

    :param folder: folder of the build; the job directory is made in it.
    :param clones: folder of the clones, see :func:`merge_path`.
    :param repo_state: connection -> project -> ref -> commit.
    :param private_key: key that the nodes accept.
    :param adjusted: what differs in the run's own copy of Zuul's Ansible plugins.
    :ivar result: what the job reported at its end.
    :ivar paused: what the job reported when it paused; None before.
    """

    verbose = False
    keep_jobdir = True
    statsd = None
    ansible_callbacks: Mapping[str, Any] = {}
    default_username = 'zuul'
    hostname = 'localhost'
    setup_timeout = 60
    log_console_port = zuul_server.DEFAULT_STREAM_PORT
    merge_email = 'zuul-local@localhost'
    merge_name = 'zuul-local'
    nodepool = launcher = keystore = None

    def __init__(self, folder: Path, clones: Path, connections: LocalConnections, repo_state: Mapping[str, Any],
                 environment: Environment, private_key: Path, sandbox: Any,
                 adjusted: Adjustments = ADJUSTED) -> None:
        self.connections = connections
        self.connections.drivers['nullwrap'] = NullwrapDriver()
        self.execution_wrapper = sandbox
        self.repo_state = repo_state
        self.jobdir_root = str(folder)
        self.merge_root = str(clones)
        self.secrets_cache: dict[str, bytes] = {}
        self.process_worker = ThreadPoolExecutor(max_workers=4)
        self.stop_worker_parent_conn, self._stop_worker_child_conn = multiprocessing.Pipe()
        self.management_events: Any = collections.defaultdict(lambda: None)
        self.semaphore_handler = self
        self.result: dict[str, Any] = {}
        self.paused: dict[str, Any] | None = None
        self.job: Any = None
        plugins = folder / 'plugins'
        self.ansible_manager = AnsibleManager(str(plugins), runtime_install_root=str(environment.ansible_root))
        self.ansible_manager.copyAnsibleFiles()
        adjust_plugins(plugins, adjusted)
        visible = ':'.join(str(path) for path in sandbox_paths(environment))
        self.config = configparser.ConfigParser(interpolation=None)
        self.config.read_dict({'executor': {
            'private_key_file': str(private_key), 'trusted_ro_paths': visible, 'untrusted_ro_paths': visible,
            # a job's own words for ssh would be run outside of the sandbox
            'variables': str(paths.LIBRARY / 'config-project/executor-variables.yaml')}})

    # Git: every project was put under merge_root before the job starts.

    def update(self, connection: str, project: str, **kwargs: Any) -> Any:
        found = self.connections.getSource(connection).getProject(project)
        return SimpleNamespace(wait=lambda: None, success=True, connection_name=connection, project_name=project,
                               canonical_name=found.canonical_name)

    def _getMerger(self, root: str, cache_root: str | None, logger: Any = None, execution_context: bool = True,
                   scheme: str | None = None, cache_scheme: str | None = None) -> Merger:
        return Merger(root, self.connections, None, self.merge_email, self.merge_name, '1000', '30', cache_root,
                      logger, execution_context=execution_context, scheme=scheme, cache_scheme=cache_scheme)

    # Semaphores belong to the scheduler; on one machine nobody else holds them.

    def acquireFromInfo(self, *args: Any) -> bool:
        return True

    def releaseFromInfo(self, *args: Any) -> None:
        return None

    # Events of the build

    @property
    def zk_context(self) -> Any:
        return contextlib.nullcontext(None)

    def startBuild(self, request: Any, start: float) -> None:
        return None

    def updateBuildStatus(self, request: Any, data: Any) -> None:
        return None

    def resumeBuild(self, request: Any) -> None:
        return None

    def pauseBuild(self, request: Any, data: dict[str, Any]) -> None:
        self.paused = data

    def completeBuild(self, request: Any, result: dict[str, Any]) -> None:
        if result.get('result') is None and not result.get('exception') and self.job.retry_limit:
            result['result'] = 'RETRY_LIMIT'        # as an executor does
        self.result = result

    def finishJob(self, unique: str) -> None:
        return None

    def resetProcessPool(self) -> None:
        return None

    def heed_log_receiver(self, job: Job) -> None:
        """Stop *job* when its log receiver asks for it: a secret in the output of a job with secret-exposure: fail."""
        def listen() -> None:
            with contextlib.suppress(EOFError, OSError):
                self._stop_worker_child_conn.recv()
                job.stop(AnsibleJob.RESULT_SECRET_EXPOSURE)

        threading.Thread(target=listen, name='log receiver', daemon=True).start()


class Job(AnsibleJob):
    """Zuul's AnsibleJob with a local executor.

    :param executor: see :class:`Executor`.
    :param job: the frozen job.
    :param params: arguments of the build request.
    :param secrets: secret name -> data, for every secret that the job's playbooks use.
    :param prepare_nodes: called once with the nodes to fill in; returns when their addresses are known.
    :param before_playbooks: called once; returns when the nodes can be reached and all else is ready.
    :param after_playbook: called with the folder of logs whenever a run of Ansible ended.
    """

    def __init__(self, executor: Executor, job: Any, params: dict[str, Any], secrets: Mapping[str, Any], *,
                 prepare_nodes: Callable[[Sequence[Any]], None], before_playbooks: Callable[[], object],
                 after_playbook: Callable[[Path], None]) -> None:
        self._prepare_nodes = prepare_nodes
        self._before_playbooks = before_playbooks
        self._after_playbook = after_playbook
        self._secrets = secrets
        self.lost_nodes: list[str] = []
        self.end_time = time.monotonic()
        self.playbook_seconds: list[tuple[str, float]] = []
        # Zuul's default is to show them; here they are those of the person at the terminal.
        if job.secret_exposure == 'ignore':
            job._set(secret_exposure='redact')
        # The merge of the change is in the snapshot already.
        arguments = {**params, 'items': [], 'zuul_event_id': None, 'semaphore_handle': None, 'ssh_keys': []}
        request = SimpleNamespace(uuid=params['zuul']['build'], span_context=None, tenant_name='local',
                                  pipeline_name='local', event_id=None)
        zuul_server.LogReceiver = Receiver
        with _instead_of_zookeeper(job):
            super().__init__(executor, request, arguments)
        executor.job = self
        executor.heed_log_receiver(self)

    def setNodeInfo(self) -> None:
        super().setNodeInfo()
        self._prepare_nodes(self.nodeset.getNodes())

    def loadRepoState(self) -> None:
        self.repo_state = self.executor_server.repo_state

    def decryptSecrets(self, secrets: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        data = {name: self._secrets[name] for name in secrets}
        return data, {}, sorted(text for text in set(_texts(data)) if len(text) >= SHORTEST_SECRET)

    def writeAnsibleConfig(self, jobdir_playbook: Any) -> None:
        super().writeAnsibleConfig(jobdir_playbook)
        for old, new in IMPATIENCE:
            replace(Path(jobdir_playbook.ansible_config), old, new, times=1)

    def runPlaybooks(self, args: Any) -> Any:
        self._before_playbooks()
        self._connect()
        return super().runPlaybooks(args)

    def _connect(self) -> None:
        """Open the connections that Ansible's ssh shares.

        Where Ansible opens one itself, the first task on a node ends a second late: the connection that stays in the
        background holds the task's standard error. One that fails here is Ansible's to complain about.
        """
        config = configparser.ConfigParser(interpolation=None)
        config.read(self.jobdir.setup_playbook.ansible_config)
        ssh = config['ssh_connection']
        commands = [
            ('ssh', '-F', '/dev/null', '-f', '-N', '-o', 'BatchMode=yes', *shlex.split(ssh['ssh_args']),
             '-o', 'ControlPath=' + control_path(ssh['control_path_dir'], *at), '-p', str(at[1]), '-l', at[2], at[0])
            for at in {(node.interface_ip, node.connection_port, node.username) for node in self.nodeset.getNodes()}]
        environ = {**os.environ, **self.ssh_agent.env}

        def open_one(command: Sequence[str]) -> None:
            with contextlib.suppress(ProcessError):
                run(command, env=environ, timeout=10)

        with ThreadPoolExecutor() as pool:
            list(pool.map(open_one, commands))

    def runAnsible(self, cmd: list[str], *args: Any, **kwargs: Any) -> tuple[int, int | None]:
        if self.lost_nodes:
            cmd = [*cmd, '--limit', ':'.join(('localhost', 'all', *(f'!{name}' for name in self.lost_nodes)))]
        for name in PLAIN_GIT:      # all is cloned, and playbooks have a home of their own to configure git in
            os.environ.pop(name, None)
        start = time.monotonic()
        try:
            return super().runAnsible(cmd, *args, **kwargs)
        finally:
            self.playbook_seconds.append((step_name(cmd, kwargs.get('phase')), time.monotonic() - start))
            self.end_time = time.monotonic()
            self._after_playbook(Path(self.jobdir.log_root))

    def lose_node(self, name: str) -> None:
        """A node is gone: stop what runs on it, and let cleanup playbooks do without it."""
        self.lost_nodes.append(name)
        self.aborted = True
        self.resume()
        self.abortRunningProc(timed_out=True)


@contextlib.contextmanager
def _instead_of_zookeeper(job: Any) -> Iterator[None]:
    original = zuul_server.FrozenJob
    zuul_server.FrozenJob = SimpleNamespace(fromZK=lambda context, path: job)
    try:
        yield
    finally:
        zuul_server.FrozenJob = original


def step_name(cmd: Sequence[str], phase: str | None) -> str:
    """Return what a person calls this run of Ansible: 'setup', 'freeze', or phase and playbook."""
    if phase:
        path = Path(cmd[2])
        return f'{phase} {path.parent.name}/{path.name}'
    return 'setup' if tuple(cmd[3:5]) == ('-m', 'setup') else 'freeze'


def control_path(folder: str, host: str, port: int, user: str) -> str:
    """Return the socket that Ansible's ssh shares a connection by (ansible.plugins.connection.ssh)."""
    return f'{folder}/{hashlib.sha1(f"{host}-{port}-{user}".encode()).hexdigest()[:10]}'


def adjust_plugins(plugins: Path, adjusted: Adjustments = ADJUSTED) -> None:
    """Change the run's own copy of Zuul's Ansible plugins, for every Ansible, as *adjusted* says."""
    for name, old, new, times in adjusted:
        for path in plugins.glob(f'*/zuul/ansible/{name}'):
            replace(path, old, new, times)


def replace(path: Path, old: str, new: str, times: int) -> None:
    """Replace *old* by *new* in a file that Zuul wrote.

    :raises RuntimeError: it does not stand there *times* times, so this is not the Zuul that we know.
    """
    text = path.read_text(encoding='utf-8')
    if text.count(old) != times:
        raise RuntimeError(f'{path} looks different from that of Zuul 14.3.0: {old!r} is there {text.count(old)} times')
    path.write_text(text.replace(old, new), encoding='utf-8')


def sandbox_paths(environment: Environment) -> list[Path]:
    """Return what Zuul's sandbox must see beside /usr and the job directory: the Python behind the environment."""
    return [environment.python_prefix] if environment.python_prefix else []


def open_sandbox() -> BubblewrapDriver:
    """Return Zuul's bubblewrap driver.

    :raises UserError: bubblewrap is missing or cannot make a sandbox here.
    """
    try:
        return BubblewrapDriver()
    except OSError as error:
        raise UserError(f'bubblewrap cannot be started: {error}. Playbooks of strangers run on this machine, so there '
                        'is no build without its sandbox.', 'apt-get install bubblewrap') from error


def no_sandbox() -> NullwrapDriver:
    """Return Zuul's driver without a sandbox: localhost plays are then processes of the caller like any other."""
    driver = NullwrapDriver()
    driver.cgroup_manager = None
    return driver


def make_key(path: Path) -> None:
    """Make the ssh key that Zuul puts into the agent of a build without nodes."""
    run(('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'zuul-local', '-f', path))


def check_sandbox(executor: Executor, version: str) -> None:
    """Start Ansible once inside the sandbox, because one that is broken says nothing during a build.

    :raises UserError: it could not be started, with what the sandbox said.
    """
    manager = executor.ansible_manager
    read_only = [manager.getAnsibleDir(version), manager.getAnsibleInstallDir(version),
                 *filter(None, executor.config['executor']['untrusted_ro_paths'].split(':'))]
    home = Path(executor.jobdir_root)
    (home / 'tmp').mkdir(exist_ok=True)
    context = executor.execution_wrapper.getExecutionContext(read_only, [], {})
    popen = context.getPopen(work_dir=str(home), home_dir=str(home))
    process = popen([manager.getAnsibleCommand(version), '--version'], stdin=subprocess.DEVNULL, cwd=home,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, 'HOME': str(home)})
    said = process.communicate()[0].decode('utf-8', 'replace').strip()
    if process.returncode:
        raise UserError(f'the sandbox (bubblewrap) does not work here: exit code {process.returncode}: {said}',
                        'Check that user namespaces are allowed for this user: bwrap --ro-bind / / true')


def merge_path(clones: Path, host: str, name: str) -> Path:
    """Return where Zuul's merger expects the clone of a project below the folder of all *clones*."""
    return clones / workspace_project_path(host, name, SCHEME_UNIQUE)


class LastLines(logging.Handler):
    """Remembers what Ansible and the sandbox printed last: when Ansible cannot even start, it is only there.

    :ivar deprecations: the warnings of what a later Ansible will not have; they, too, are nowhere else.
    """

    def __init__(self, count: int = 40) -> None:
        super().__init__(logging.DEBUG)
        self.lines: collections.deque[str] = collections.deque(maxlen=count)
        self.deprecations: list[str] = []
        self._going_on = False

    def emit(self, record: logging.LogRecord) -> None:
        line = printed(record.getMessage())
        self.lines.append(line)
        if 'DEPRECATION WARNING' in line:
            self._going_on = True
            self.deprecations.append(line)
        elif self._going_on:        # Ansible breaks its warnings into lines of 79 characters
            self._going_on = bool(line) and not line.endswith('ansible.cfg.')
            self.deprecations[-1] += f' {line}'.rstrip()

    def attach(self) -> LastLines:
        """Take the place of those of the build before."""
        logger = logging.getLogger('zuul.AnsibleJob.output')
        logger.handlers.clear()
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(self)
        return self


def printed(message: str) -> str:
    """Return the line that Ansible printed, of the *message* in which Zuul logs it."""
    text = re.sub(r'^(?:\[[^\]]*\] )*Ansible output: ', '', message)
    quoted = re.fullmatch(r"b(['\"])(.*)\1", text, re.DOTALL)
    return quoted[2].removesuffix('\\n') if quoted else text


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)
    elif value is not None and str(value):
        yield str(value)
