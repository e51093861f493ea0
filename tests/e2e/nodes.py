"""Nodes that Zuul takes for static ones: containers at fixed addresses, each made anew after it served one build.

The executor and the keeper talk through two folders. ``fresh/ADDRESS`` says that nobody has used that node yet: the
first playbook of a build takes it away, and refuses the node when it is not there. ``done/ADDRESS`` says that the build
is over: the last playbook leaves it and waits until it is gone. Nodes see neither folder.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import ipaddress
import itertools
import json
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.work import Work
from zuul_local import process
from zuul_local.nodes import container, owner
from zuul_local.nodes.image import ensure_image
from zuul_local.nodes.labels import Label, load_labels
from zuul_local.nodes.podman import Podman
from zuul_local.nodes.site import Site

CONNECTION = 'static'
FIRST = 10              # host number of the first node in the network
POLL = 0.1              # seconds between two looks for nodes that are done
FRESH, DONE = 'fresh', 'done'


def report(line: str) -> None:
    """Tell what is made of an image."""
    print(f'          {line}', file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Slot:
    """What Zuul takes for a node: a name and an address. The container there changes."""

    container: str
    host: str
    label: Label
    address: str


class Keeper:
    """Starts the containers, and replaces those that served a build.

    :param wanted: label name -> number of nodes.
    """

    def __init__(self, work: Work, podman: Podman, site: Site, wanted: Mapping[str, int]) -> None:
        self.podman = podman
        self.site = site
        self.run_id = work.run_id
        self.folder = work.place('nodes')
        self.marks = work.place('nodes', 'marks')
        for name in (FRESH, DONE):
            work.place('nodes', 'marks', name)
        labels = load_labels()
        self.images = {name: ensure_image(podman, labels[name], site, report) for name in wanted}
        self.network = container.network_name(self.run_id, offline=False)
        self.slots = self._slots([labels[name] for name, number in wanted.items() for _ in range(number)])
        self.served = 0
        self._stopped = threading.Event()
        for name in ('id', 'host'):
            process.run(('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', f'e2e {self.run_id}', '-f',
                         str(self.folder / name)))

    @property
    def key(self) -> Path:
        """The private key that opens all nodes."""
        return self.folder / 'id'

    def provider(self) -> str:
        """Return the configuration that tells Zuul of the nodes, and of labels without one.

        Zuul takes a nodeset with a label that it does not know for an error.
        """
        names = sorted(load_labels())
        nodes = [{'name': slot.address, 'label': slot.label.name, 'username': container.USER} for slot in self.slots]
        listed = [{'name': name} for name in names]
        kinds: list[dict[str, Any]] = [
            {'flavor': {'name': 'container'}},
            *({'image': {'name': name, 'type': 'cloud'}} for name in names),
            *({'label': {'name': name, 'image': name, 'flavor': 'container'}} for name in names),
            {'section': {'name': 'one-machine', 'connection': CONNECTION, 'flavors': [{'name': 'container'}]}},
            {'provider': {'name': 'one-machine', 'section': 'one-machine', 'nodes': nodes, 'labels': listed,
                          'images': listed}}]
        return str(yaml.safe_dump(kinds, sort_keys=False))

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Start all nodes, keep them fresh while the body runs, and remove them."""
        thread = threading.Thread(target=self._keep, name='nodes')
        try:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(self._make, self.slots))
            thread.start()
            yield
        finally:
            self._stopped.set()
            if thread.ident:
                thread.join()
            container.remove_run(self.podman, self.run_id)

    def _slots(self, labels: list[Label]) -> list[Slot]:
        self.podman.run('network', 'create', *self._labels(), '--disable-dns', self.network)
        described, = json.loads(self.podman.run('network', 'inspect', self.network))
        subnet = ipaddress.ip_network(described['subnets'][0]['subnet'])
        hosts = [f'{label.name}-{number}' for number, label in enumerate(labels)]
        return [Slot(name, host, label, str(address)) for name, host, label, address in
                zip(container.container_names(self.run_id, hosts), hosts, labels,
                    itertools.islice(subnet.hosts(), FIRST, None), strict=False)]

    def _labels(self) -> tuple[str, ...]:
        return ('--label', f'{owner.OWNER}={owner.me()}', '--label', f'{owner.RUN}={self.run_id}')

    def _keep(self) -> None:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            while not self._stopped.wait(POLL):
                done = {path.name for path in (self.marks / DONE).iterdir()}
                list(pool.map(self._replace, [slot for slot in self.slots if slot.address in done]))

    def _replace(self, slot: Slot) -> None:
        self.podman.run('rm', '--force', '--ignore', '--time', '0', slot.container)
        self._make(slot)
        self.served += 1
        (self.marks / DONE / slot.address).unlink()

    def _make(self, slot: Slot) -> None:
        words = container.create_argv(slot.container, slot.host, self.network, self.images[slot.label.name],
                                      self._labels(), self.podman.ulimits, 0, slot.label.offline, slot.address)
        self.podman.run(*words)
        keys = {name: (self.folder / name).read_bytes() for name in ('id.pub', 'host', 'host.pub')}
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            self.podman.run('cp', '-a=false', '-', f'{slot.container}:/', scratch=Path(scratch),
                            stdin=container.payload(keys, self.site.files(slot.label)))
        (self.marks / FRESH / slot.address).touch()
        self.podman.run('start', slot.container)
