"""The nodes of one run: containers that boot systemd and take a moment until ssh answers."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import io
import json
import os
import re
import select
import shutil
import socket
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zuul_local import paths, process
from zuul_local.errors import UserError
from zuul_local.nodes import keeper, owner
from zuul_local.nodes.labels import Label
from zuul_local.nodes.podman import Podman
from zuul_local.nodes.site import File, Site

SSH_PORT = 22
USER = 'zuul'
UID = 1000
GROUPS = 65535                          # Debian 13's ping has no capability: groups may ping
SUBNETS = 250
POLL = 0.03                             # seconds between two knocks at sshd
HALF_MADE = 60                          # seconds that podman may take to create a container
UNCLAIMED = 600                         # seconds that a run's folder may be without owner: it is being made


@dataclasses.dataclass(frozen=True)
class Node:
    """One running node.

    :param name: what the job calls it.
    :param container: what podman calls it.
    :param address: where this machine reaches it.
    :param private_address: where the other nodes reach it.
    :param host_key: type and key, without an address.
    :param pid: its first process, as this machine counts.
    """

    name: str
    label: Label
    container: str
    address: str
    private_address: str
    port: int
    host_key: str
    pid: int


class Nodes:
    """All nodes of one run.

    :param state_dir: private folder for keys; made when it is not there.
    :param keep: the nodes outlive the run once they are up.
    :param max_seconds: a node ends by itself after that, unless it is kept.
    """

    def __init__(
        self, podman: Podman, run_id: str, state_dir: Path, site: Site, keep: bool = False, max_seconds: int = 4 * 3600,
    ) -> None:
        self.podman = podman
        self.run_id = run_id
        self.site = site
        self.keep = keep
        self.max_seconds = max_seconds
        self.addresses: dict[str, Node] = {}
        self.folder = kept_dir() / run_id if keep else state_dir
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner.claim(self.folder)
        self.key = self.folder / 'id'
        self.known_hosts = self.folder / 'known_hosts'
        self._ready = False
        self._stopped = threading.Event()
        self._starting = threading.Lock()
        self._bell = os.pipe()
        self._make_keys()

    def start(self, wanted: Sequence[tuple[str, Label]], images: Mapping[str, str]) -> None:
        """Start the nodes side by side.

        :param wanted: (what the job calls it, label).
        :param images: label name -> reference of its image.
        :raises ProcessError: podman failed; :meth:`stop` removes what there is.
        """
        with self._starting:
            if wanted and not self._stopped.is_set():
                self._start(wanted, images)

    def _start(self, wanted: Sequence[tuple[str, Label]], images: Mapping[str, str]) -> None:
        names = container_names(self.run_id, [name for name, _ in wanted])
        with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
            list(pool.map(self._make_network, sorted({label.offline for _, label in wanted})))
            jobs = [(container, name, label, images[label.name])
                    for container, (name, label) in zip(names, wanted, strict=True)]
            list(pool.map(lambda job: self._start_one(*job), jobs))
        if self._stopped.is_set():
            return
        host_key = ' '.join((self.folder / 'host.pub').read_text().split()[:2])
        described = {entry['Name'].lstrip('/'): entry
                     for entry in json.loads(self.podman.run('inspect', '--type', 'container', *names))}
        for container, (name, label) in zip(names, wanted, strict=True):
            networks = described[container]['NetworkSettings']['Networks']
            address = next(network['IPAddress'] for network in networks.values())
            self.addresses[name] = Node(name, label, container, address, address, SSH_PORT, host_key,
                                        described[container]['State']['Pid'])
        self.known_hosts.write_text(''.join(f'{node.address} {node.host_key}\n' for node in self.addresses.values()))

    def wait(self, timeout: float = 60) -> dict[str, float]:
        """Wait until user zuul can log in everywhere; return name -> seconds that it took.

        :param timeout: seconds for all of them.
        :raises UserError: a node does not let zuul in; it shows what the node said last.
        """
        began = time.monotonic()

        def one(node: Node) -> float:
            while time.monotonic() - began < timeout and not self._stopped.is_set():
                if greets(node) and process.run(self.ssh_argv(node, 'true'), check=False).returncode == 0:
                    return time.monotonic() - began
                if owner.of(node.pid).endswith(':'):
                    break
                time.sleep(POLL)
            if self._stopped.is_set():
                return time.monotonic() - began
            raise UserError(
                f'Node {node.name} ({node.label.name}) does not let zuul in by ssh after '
                f'{time.monotonic() - began:.1f} s. It says:\n{self._last_words(node)}',
                f'Make its image again: zuul-local node clean --all && zuul-local node build {node.label.image}')

        if self.addresses:
            with concurrent.futures.ThreadPoolExecutor(len(self.addresses)) as pool:
                took = dict(zip(self.addresses, pool.map(one, self.addresses.values()), strict=True))
        else:
            took = {}
        self._ready = True
        return took

    def watch(self, on_death: Callable[[str], None]) -> None:
        """Call *on_death* with the name of each node that dies before :meth:`stop`, at once, from another thread."""
        handles = {}
        for node in self.addresses.values():
            try:
                handles[os.pidfd_open(node.pid)] = node.name
            except ProcessLookupError:
                threading.Thread(target=on_death, args=(node.name,), daemon=True).start()

        def look() -> None:
            poll = select.poll()
            for handle in (self._bell[0], *handles):
                poll.register(handle, select.POLLIN)
            while not self._stopped.is_set() and handles:
                for handle, _ in poll.poll():
                    if handle in handles and not self._stopped.is_set():
                        poll.unregister(handle)
                        os.close(handle)
                        on_death(handles.pop(handle))
            for handle in handles:
                os.close(handle)

        threading.Thread(target=look, name='node-watch', daemon=True).start()

    def stop(self) -> None:
        """Remove all of it, unless it is to be kept and came up.

        May be called again, after a failed start, and while another thread is still in :meth:`start`.
        """
        if self._stopped.is_set():
            return
        self._stopped.set()
        os.write(self._bell[1], b'.')
        if self.keep and self._ready:
            return
        if not self._starting.acquire(blocking=False):
            remove_run(self.podman, self.run_id)        # what there is already; the rest when that thread gave up
            self._starting.acquire()
        try:
            remove_run(self.podman, self.run_id)
        finally:
            self._starting.release()                    # a start that comes later finds that it is over
        if self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def ssh_argv(self, node: Node, *command: str) -> tuple[str, ...]:
        """Return the words that run *command* on *node* as zuul; none is a login shell."""
        return ssh_argv(self.folder, node.address, command)

    def detach(self) -> list[str]:
        """Return, for people, how to reach and how to remove each node that is kept."""
        enter = (f'zuul-local node shell {node.container}' for node in self.addresses.values())
        return [*enter, 'zuul-local node clean']

    def _make_keys(self) -> None:
        """Make the key that opens the nodes, and the one they show: known before they boot, it cannot be another's."""
        for name in ('id', 'host'):
            if not (self.folder / name).exists():
                process.run(('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', f'zuul-local {self.run_id}', '-f',
                             str(self.folder / name)))

    def _marks(self) -> tuple[str, ...]:
        marks = {owner.OWNER: owner.me(), owner.RUN: self.run_id, **({owner.KEEP: 'yes'} if self.keep else {})}
        return tuple(word for name, value in marks.items() for word in ('--label', f'{name}={value}'))

    def _make_network(self, offline: bool) -> None:
        name = network_name(self.run_id, offline)
        # Without names: as in Zuul, nodes do not resolve each other, and an offline one resolves nothing at all
        words = ('network', 'create', *self._marks(), '--disable-dns')
        if not offline:
            self.podman.run(*words, name)
            return
        first = int(self.run_id, 16) % SUBNETS
        for number in ((first + step) % SUBNETS for step in range(SUBNETS)):
            # netavark gives an internal bridge its address only when a gateway is named
            try:
                self.podman.run(
                    *words, '--internal', '--subnet', f'10.90.{number}.0/24', '--gateway', f'10.90.{number}.1', name)
                return
            except process.ProcessError as error:
                if 'subnet' not in error.stderr:
                    raise
        raise UserError('All networks 10.90.0.0/24 to 10.90.249.0/24 are in use.', 'zuul-local node clean')

    def _start_one(self, container: str, name: str, label: Label, image: str) -> None:
        marks = (*self._marks(), '--label', f'{owner.NODE}={name}', '--label', f'{owner.LABEL}={label.name}')
        self.podman.run(*create_argv(
            container, hostname(name), network_name(self.run_id, label.offline), image, marks, self.podman.ulimits,
            0 if self.keep else self.max_seconds, label.offline))
        public = {name: (self.folder / name).read_bytes() for name in ('id.pub', 'host', 'host.pub')}
        if not self._stopped.is_set():
            # podman cp leaves what it read in its folder for temporary files: here, keys
            with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
                self.podman.run('cp', '-a=false', '-', f'{container}:/', stdin=payload(public, self.site.files(label)),
                                scratch=Path(scratch))
        if not self._stopped.is_set():
            self.podman.run('start', container)

    def _last_words(self, node: Node) -> str:
        journal = ('exec', node.container, 'journalctl', '--no-pager', '-q', '-n', '20')
        for words in (journal, ('logs', '--tail', '20', node.container)):
            with contextlib.suppress(process.ProcessError):
                if said := self.podman.run(*words, timeout=10):
                    return said
        return '(nothing; its container is gone)'


def create_argv(
    container: str, host: str, network: str, image: str, marks: Sequence[str], ulimits: Sequence[str], max_seconds: int,
    offline: bool, address: str = '',
) -> tuple[str, ...]:
    """Return podman's words that create a node; *max_seconds* 0 is no limit, without *address* it gets a free one."""
    timeout = ('--timeout', str(max_seconds)) if max_seconds else ()
    fixed = ('--ip', address) if address else ()
    # As on a machine, root may change the firewall, links and routes of its own network, but make no way out of none
    rights = ('NET_RAW',) if offline else ('NET_RAW', 'NET_ADMIN')
    capabilities = (word for right in rights for word in ('--cap-add', right))
    return ('create', '--rm', '--name', container, *marks, '--hostname', host, '--network', network, *fixed, *timeout,
            *ulimits, *capabilities, '--sysctl', f'net.ipv4.ping_group_range=0 {GROUPS}', '--systemd=always', image,
            '/sbin/init')


def payload(keys: Mapping[str, bytes], files: Sequence[File]) -> bytes:
    """Return a tar of what is true of this run and this site only."""
    wanted = [
        ('/home/zuul/.ssh/authorized_keys', keys['id.pub'], 0o600, UID),
        ('/etc/ssh/ssh_host_ed25519_key', keys['host'], 0o600, 0),
        ('/etc/ssh/ssh_host_ed25519_key.pub', keys['host.pub'], 0o644, 0),
        *((path, data, mode, 0) for path, data, mode in files)]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w') as tar:
        for path, data, mode, uid in wanted:
            entry = tarfile.TarInfo(path.lstrip('/'))
            entry.size, entry.mode, entry.uid, entry.gid, entry.mtime = len(data), mode, uid, uid, int(time.time())
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def container_names(run_id: str, names: Sequence[str]) -> list[str]:
    """Return a container name for each node name of a job, which may hold anything."""
    hosts = [hostname(name) for name in names]
    return [f'zuul-local-{run_id}-{host}' + (f'-{number}' if hosts.count(host) > 1 else '')
            for number, host in enumerate(hosts)]


def hostname(name: str) -> str:
    """Return *name* as a host name: letters, digits and inner hyphens, 40 at most."""
    return re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')[:40].rstrip('-') or 'node'


def network_name(run_id: str, offline: bool) -> str:
    """Return the name of the network of a run."""
    return f'zuul-local-{run_id}' + ('-offline' if offline else '')


def ssh_argv(folder: Path, address: str, command: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the words that run *command* as zuul at *address*; keys and known_hosts lie in *folder*."""
    options = ('BatchMode=yes', 'StrictHostKeyChecking=yes', f'UserKnownHostsFile={folder}/known_hosts',
               'IdentitiesOnly=yes', 'ConnectTimeout=5', 'LogLevel=ERROR')
    words = (word for option in options for word in ('-o', option))
    return ('ssh', '-F', '/dev/null', '-i', str(folder / 'id'), *words, f'{USER}@{address}', *command)


def greets(node: Node) -> bool:
    """Return whether an ssh server answers on *node*."""
    try:
        with socket.create_connection((node.address, node.port), 1) as connection:
            connection.settimeout(1)
            return connection.recv(4) == b'SSH-'
    except OSError:
        return False


def kept_dir() -> Path:
    """Return the folder with the keys of kept nodes, a folder for each run."""
    return paths.cache_dir() / 'kept'


def containers(podman: Podman) -> list[dict[str, Any]]:
    """Return every container of ours as podman describes it."""
    return podman.listed('ps', '-a', '--filter', f'label={owner.OWNER}')


def networks(podman: Podman) -> list[tuple[str, dict[str, str]]]:
    """Return (name, labels) of every network of ours."""
    return [(entry['name'], entry.get('labels') or {})
            for entry in podman.listed('network', 'ls', '--filter', f'label={owner.OWNER}')]


def remove_run(podman: Podman, run_id: str) -> None:
    """Remove the containers and networks of a run, the kept ones too."""
    mine = [entry['Id'] for entry in containers(podman) if entry['Labels'].get(owner.RUN) == run_id]
    if mine:
        podman.run('rm', '-f', '-i', '-t', '0', *mine, check=False)
    for name, labels in networks(podman):
        if labels.get(owner.RUN) == run_id:
            podman.run('network', 'rm', '-f', name, check=False)


def reap(podman: Podman) -> list[str]:
    """Remove what dead runs left behind, but what is to be kept; return the ids of those runs.

    Only what carries our labels and whose owner is dead is touched, and only run folders of this user.
    """
    here = [entry['Labels'] for entry in containers(podman)]
    marks = here + [labels for _, labels in networks(podman)]
    standing = {labels[owner.RUN] for labels in here if owner.KEEP in labels}
    dead = {labels[owner.RUN] for labels in marks if not owner.alive(labels[owner.OWNER])} - standing
    for folder in sorted(paths.runs_dir().iterdir()):
        claimed = owner.claimed(folder)
        if folder.is_dir() and not owner.alive(claimed) and (claimed or _old(folder)):
            keeper.kill_marked(folder.name)
            shutil.rmtree(folder, ignore_errors=True)
            if folder.name not in standing:
                dead.add(folder.name)
    for run_id in sorted(dead & {labels[owner.RUN] for labels in marks}):
        keeper.kill_marked(run_id)
        remove_run(podman, run_id)
    for name, run_id in _half_made(podman):
        if not owner.alive(owner.claimed(paths.runs_dir() / run_id)):
            podman.run('rm', '-f', '-i', name, check=False)
    if kept_dir().exists():
        for folder in kept_dir().iterdir():
            claimed = owner.claimed(folder)
            if folder.name not in standing and not owner.alive(claimed) and (claimed or _old(folder)):
                shutil.rmtree(folder, ignore_errors=True)
    return sorted(dead)


def _half_made(podman: Podman) -> list[tuple[str, str]]:
    """Return (container, run) of what a killed `podman create` left: it carries no label yet, and nobody uses it."""
    return [(entry['Names'][0], run_id) for entry in podman.listed('ps', '-a', '--external')
            if (run_id := keeper.half_made(entry)) and time.time() - entry['Created'] > HALF_MADE]


def _old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > UNCLAIMED
    except OSError:
        return False
