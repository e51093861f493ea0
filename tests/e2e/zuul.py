"""Zuul's own services, with their one configuration file."""

from __future__ import annotations

import configparser
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e import gerrit as gerrits
from tests.e2e import nodes
from tests.e2e.gerrit import Gerrit
from tests.e2e.postgresql import PostgreSQL
from tests.e2e.rest import Refused, ZuulClient
from tests.e2e.work import Service, Work, free_ports
from tests.e2e.zookeeper import ZooKeeper

# All end while ZooKeeper still answers: without it they linger.
SERVICES = ('scheduler', 'executor', 'launcher', 'web')
SECONDS = 180
ISSUER = 'operator'


@dataclass(frozen=True)
class Settings:
    """What the configuration file is made of.

    :param venv: virtual environment with Zuul and all that its services import.
    :param ansible: folder of Ansible environments, named as Zuul names them.
    :param python: prefix of a Python outside /usr, which the sandbox of builds must see.
    :param tenants: the tenant configuration file.
    :param writable: folders that trusted playbooks write to.
    :param variables: file of variables that no job overrides.
    :param node_key: private key that opens the nodes.
    """

    venv: Path
    ansible: Path
    python: Path | None
    tenants: Path
    writable: Sequence[Path]
    variables: Path
    node_key: Path
    gerrit_key: Path


@dataclass(frozen=True)
class Zuul:
    """The running services.

    :param builds: folder that holds a folder of each running build.
    """

    all: Sequence[Service]
    client: ZuulClient
    builds: Path

    def knows(self, tenant: str) -> bool:
        """Return whether *tenant* is loaded."""
        try:
            return any(entry['name'] == tenant for entry in self.client.get('tenants'))
        except Refused:
            return False

    def ready_nodes(self, tenant: str) -> int:
        """Return how many nodes wait for work."""
        try:
            return sum(node['state'] == 'ready' for node in self.client.get(f'tenant/{tenant}/nodes'))
        except Refused:
            return 0

    def stop(self) -> None:
        """End all services."""
        for service in self.all:
            service.ask_to_stop()
        for service in self.all:
            service.stop()


def start(work: Work, settings: Settings, gerrit: Gerrit, keeper: ZooKeeper, database: PostgreSQL) -> Zuul:
    """Start the services; none of them is ready yet."""
    web, finger = free_ports(2)
    client = ZuulClient(f'http://127.0.0.1:{web}', secrets.token_hex(32), ISSUER)
    sections = configuration(work, settings, gerrit, keeper, database, client, finger)
    sections['web'].update(port=str(web))
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(sections)
    path = work.place('zuul') / 'zuul.conf'
    with path.open('w') as file:
        parser.write(file)
    path.chmod(0o600)
    known = work.place('home', '.ssh')
    known.chmod(0o700)
    (known / 'known_hosts').write_text(f'[127.0.0.1]:{gerrit.ssh_port} {gerrit.host_key}\n')
    services = [Service(work, f'zuul-{name}', (settings.venv / 'bin' / f'zuul-{name}', '-f', '-d', '-c', path))
                for name in SERVICES]
    return Zuul(services, client, Path(sections['executor']['job_dir']))


def configuration(
    work: Work, settings: Settings, gerrit: Gerrit, keeper: ZooKeeper, database: PostgreSQL, client: ZuulClient,
    finger: int,
) -> dict[str, dict[str, Any]]:
    """Return the sections of zuul.conf."""
    python = {kind: str(settings.python) for kind in ('trusted_ro_paths', 'untrusted_ro_paths') if settings.python}

    def own(name: str, **more: object) -> dict[str, str]:
        folder = work.place('zuul', name)
        return {'state_dir': str(folder), 'command_socket': str(folder / 'socket'),
                **{key: str(value) for key, value in more.items()}}

    return {
        'zookeeper': {
            'hosts': f'127.0.0.1:{keeper.port}', 'tls_cert': keeper.certificates.client,
            'tls_key': keeper.certificates.client_key, 'tls_ca': keeper.certificates.authority},
        'keystore': {'password': secrets.token_hex()},
        'database': {'dburi': database.uri},
        'scheduler': own('scheduler', tenant_config=settings.tenants),
        'merger': own('merger', git_dir=work.place('zuul', 'merger', 'git'), git_user_name='Zuul',
                      git_user_email='zuul@example.org'),
        'executor': own(
            'executor', git_dir=work.place('zuul', 'executor', 'git'), job_dir=work.place('b'), finger_port=finger,
            hostname='localhost', private_key_file=settings.node_key, default_username='zuul',
            ansible_root=settings.ansible, manage_ansible='false', load_multiplier=50,
            min_avail_mem=1, min_avail_hdd=1, variables=settings.variables,
            trusted_rw_paths=':'.join(map(str, settings.writable)), **python),
        'web': own('web', listen_address='127.0.0.1', root=client.url),
        'launcher': own('launcher', temp_dir=work.place('zuul', 'launcher', 'temp')),
        f'auth {ISSUER}': {
            'driver': 'HS256', 'allow_authz_override': 'true', 'realm': 'example.org', 'client_id': 'zuul',
            'issuer_id': ISSUER, 'secret': client.secret},
        'connection gerrit': {
            'driver': 'gerrit', 'server': '127.0.0.1', 'port': gerrit.ssh_port, 'baseurl': gerrit.url,
            'canonical_hostname': 'opendev.org', 'user': gerrits.ZUUL, 'sshkey': settings.gerrit_key,
            'password': gerrit.passwords[gerrits.ZUUL], 'auth_type': 'basic'},
        f'connection {nodes.CONNECTION}': {'driver': 'static'},
    }


def tenants(shipped: Path, library: str) -> list[dict[str, Any]]:
    """Return the tenants of the site: the one in *shipped* with everything in one Gerrit, and that of the library.

    The library is reviewed in the same Gerrit as all else, under the host name that configurations know it by: so it is
    what projects use, and what tests itself, at the same time.

    :param library: name of the library's repository.
    """
    main, = yaml.safe_load(shipped.read_text())
    source = main['tenant']['source']
    for host in [name for name in source if name != 'gerrit']:
        source['gerrit']['untrusted-projects'] += source.pop(host)['untrusted-projects']
    own = {**main['tenant'], 'name': 'library', 'source': {'gerrit': {
        'config-projects': source['gerrit']['config-projects'],
        'untrusted-projects': [{library: {'extra-config-paths': ['zuul-tests.d/']}}]}}}
    return [main, {'tenant': own}]
