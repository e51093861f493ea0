"""The whole stack: what is started in which order, and what the tests are told of it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.e2e import certificates, gerrit, logs, nodes, postgresql, zookeeper, zuul
from tests.e2e.changes import Clone, git
from tests.e2e.work import Trouble, Work, stopped_after, wait_until
from zuul_local import process
from zuul_local.nodes import podman, site
from zuul_local.paths import LIBRARY

STATE = 'stack.json'
CONFIG_PROJECT = 'config-project'
LIBRARY_PROJECT = 'zuul/zuul-jobs'
EXAMPLE = 'example'
TENANTS = ('main', 'library')
SITE = Path(__file__).parent / 'site'
# Two of the label of most jobs, so that two builds run at once; one of each, for the library's tests of itself.
NODES = {'debian-bookworm': 2, 'debian-bullseye': 1, 'debian-trixie': 1, 'rpm-standin': 1}


@dataclass(frozen=True)
class Needed:
    """What has to be there before.

    :param venv: virtual environment with Zuul and all that its services import.
    :param jars: folder of the jars in requirements/e2e-jars.
    :param ansible: folder of Ansible environments.
    :param python: prefix of a Python outside /usr.
    """

    venv: Path
    jars: Path
    ansible: Path
    python: Path | None


class Clock:
    """Tells how long each step took."""

    def __init__(self) -> None:
        self.began = self.last = time.monotonic()

    def tell(self, step: str) -> None:
        """Print that *step* is done."""
        now = time.monotonic()
        print(f'  {now - self.last:6.1f} s  {step}', file=sys.stderr, flush=True)
        self.last = now

    def total(self) -> None:
        """Print how long all of it took."""
        print(f'  {time.monotonic() - self.began:6.1f} s  in all', file=sys.stderr, flush=True)


@contextlib.contextmanager
def running(work: Work, needed: Needed) -> Iterator[Path]:
    """Run the stack while the body runs; give the file that tells the tests where all is.

    :raises Trouble: it does not come up.
    """
    with contextlib.ExitStack() as held:
        clock = Clock()
        pool = held.enter_context(concurrent.futures.ThreadPoolExecutor(1))
        review = pool.submit(gerrit.start, work, needed.jars)       # the slowest of all, beside the others
        held.callback(stop_if_started, review)
        keeper = zookeeper.start(work, certificates.make(work))
        held.enter_context(stopped_after(keeper.service))
        database = postgresql.start(work)
        held.enter_context(stopped_after(database.service))
        wait_until(keeper.answers, zookeeper.SECONDS, [keeper.service])
        wait_until(database.answers, postgresql.SECONDS, [database.service])
        clock.tell('certificates, ZooKeeper, PostgreSQL')
        containers = nodes.Keeper(work, podman.find_podman(), site.discover(os.environ), NODES)
        held.enter_context(containers.running())
        clock.tell(f'{len(containers.slots)} nodes')
        server = review.result()
        wait_until(server.answers, gerrit.SECONDS, [server.service])
        clock.tell('Gerrit')
        logs_url = held.enter_context(logs.served(work.place('published')))
        settings = furnish(work, needed, server, containers, logs_url)
        clock.tell('accounts and projects in Gerrit')
        services = zuul.start(work, settings, server, keeper, database)
        held.callback(services.stop)
        for tenant in TENANTS:
            wait_until(functools.partial(services.knows, tenant), zuul.SECONDS, services.all)
        clock.tell('Zuul with its tenants')
        wait_until(lambda: services.ready_nodes(TENANTS[0]) == len(containers.slots), zuul.SECONDS, services.all)
        clock.tell('nodes known to Zuul')
        clock.total()
        state = work.folder / STATE
        state.write_text(json.dumps({
            'work': str(work.folder), 'gerrit': server.url, 'passwords': dict(server.passwords),
            'zuul': services.client.url, 'secret': services.client.secret, 'issuer': services.client.issuer,
            'builds': str(services.builds), 'logs': logs_url, 'published': str(work.place('published')),
            'marks': str(containers.marks), 'nodes': {slot.host: slot.address for slot in containers.slots}}))
        state.chmod(0o600)
        yield state


def stop_if_started(review: concurrent.futures.Future[gerrit.Gerrit]) -> None:
    """Stop the Gerrit that *review* came to; nothing when its start failed."""
    if review.exception() is None:
        review.result().service.stop()


def furnish(
    work: Work, needed: Needed, server: gerrit.Gerrit, containers: nodes.Keeper, logs_url: str,
) -> zuul.Settings:
    """Fill Gerrit, and write the files of the site; return what Zuul has to know of it."""
    folder = work.place('zuul')
    keys = {name: folder / f'{name}.key' for name in (gerrit.ZUUL,)}
    for path in keys.values():
        process.run(('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', str(path)))
    public = {name: path.with_name(f'{path.name}.pub').read_text() for name, path in keys.items()}
    gerrit.furnish(server, public, {CONFIG_PROJECT: 'master', LIBRARY_PROJECT: 'main', EXAMPLE: 'main'})
    admin = server.client(gerrit.ADMIN)
    published = work.place('published')
    contents: Mapping[str, Callable[[Path], None]] = {
        CONFIG_PROJECT: lambda folder: put_config_project(folder, containers, published, logs_url),
        LIBRARY_PROJECT: put_library, EXAMPLE: put_example}
    for name, fill in contents.items():
        clone = Clone(admin, name, work.place('sources') / name.replace('/', '-'))
        fill(clone.folder)
        git(clone.folder, 'add', '--all')
        git(clone.folder, 'commit', '-q', '-m', f'Set up {name}')
        git(clone.folder, 'push', '-q', 'origin', f'HEAD:{clone.branch}')
    tenants = folder / 'tenants.yaml'
    tenants.write_text(yaml.safe_dump(zuul.tenants(LIBRARY / 'config-project/tenant.yaml', LIBRARY_PROJECT)))
    return zuul.Settings(
        venv=needed.venv, ansible=needed.ansible, python=needed.python, tenants=tenants,
        writable=(published, containers.marks), variables=LIBRARY / 'config-project/executor-variables.yaml',
        node_key=containers.key, gerrit_key=keys[gerrit.ZUUL])


def put_config_project(folder: Path, containers: nodes.Keeper, logs_root: Path, logs_url: str) -> None:
    """Make *folder* a config project as an operator does, and put this site into it."""
    process.run((str(LIBRARY / 'zuul-local'), 'init', '--config-project', str(folder)))
    shutil.copytree(SITE, folder, dirs_exist_ok=True)
    (folder / 'zuul.d/provider.yaml').write_text(containers.provider())
    (folder / 'playbooks/one-machine/site.yaml').write_text(f'one_machine_marks: {containers.marks}\n')
    path = folder / 'playbooks/base-minimal/vars/site.yaml'
    values = {'base_logs_root': str(logs_root), 'base_logs_url': logs_url}
    if yaml.safe_load(path.read_text()).keys() != values.keys():
        raise Trouble(f'{path} is to hold {", ".join(values)}, and holds:\n{path.read_text()}')
    path.write_text(yaml.safe_dump(values))


def put_library(folder: Path) -> None:
    """Put the library into *folder* as it lies here, uncommitted work too, without what git ignores."""
    listed = process.run(('git', '-C', str(LIBRARY), 'ls-files', '-z', '--cached', '--others', '--exclude-standard'))
    for name in filter(None, listed.stdout.split('\0')):
        source, target = LIBRARY / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def put_example(folder: Path) -> None:
    """Put the example project into *folder*, with a gate."""
    shutil.copytree(LIBRARY / 'examples/hello-tox', folder, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns('.zuul-local', '.tox', '__pycache__'))
    (folder / '.zuul.yaml').write_text('''\
- project:
    check: &jobs
      jobs:
        - tox-py311
    gate: *jobs
''')
