"""Gerrit out of its jars, with the accounts, labels and rights that a project under Zuul has."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from tests.e2e.rest import GerritClient
from tests.e2e.work import Service, Work, free_ports
from zuul_local import process

SECONDS = 120
LIBRARIES = ('gerrit-plugin-api', 'gerrit-acceptance-framework', 'bc')
VERSION = 'com/google/gerrit/common/Version'    # a resource that lies in gerrit.war alone; Zuul asks for the version
FLOGGER = (
    '-Dflogger.backend_factory=com.google.common.flogger.backend.log4j.Log4jBackendFactory#getInstance',
    '-Dflogger.logging_context=com.google.gerrit.server.logging.LoggingContext#getInstance')
LOGGING = '''\
log4j.rootCategory=INFO, stderr
log4j.appender.stderr=org.apache.log4j.ConsoleAppender
log4j.appender.stderr.target=System.err
log4j.appender.stderr.layout=org.apache.log4j.PatternLayout
log4j.appender.stderr.layout.ConversionPattern=[%d] %-5p %c %x: %m%n
log4j.logger.org.apache.mina=WARN
log4j.logger.org.apache.sshd=WARN
log4j.logger.org.eclipse.jetty=WARN
'''
# What Gerrit itself makes when nobody else is an account yet.
ADMIN, ADMIN_PASSWORD = 'admin', 'secret'
ZUUL = 'zuul'           # as the pipelines of config-project name it
DEVELOPER = 'dev'

VERIFIED = {'-2': 'Fails', '-1': 'Does not seem to work', ' 0': 'No score', '+1': 'Works for me', '+2': 'Verified'}
WORKFLOW = {'-1': 'Work in progress', ' 0': 'Ready for reviews', '+1': 'Approved'}
PEOPLE, MACHINES, ADMINS = 'Registered Users', 'Service Users', 'Administrators'
# Label -> group -> what it may vote, as OpenDev and most who run Zuul have it.
VOTES: dict[str, dict[str, tuple[int, int]]] = {
    'Code-Review': {PEOPLE: (-2, 2)},
    'Verified': {MACHINES: (-2, 2), ADMINS: (-2, 2)},
    'Workflow': {PEOPLE: (-1, 1)},
}


@dataclass(frozen=True)
class Gerrit:
    """A server, and how to talk to it.

    :param host_key: of its SSH port: type and key.
    :param passwords: account -> its password over HTTP.
    """

    service: Service
    http_port: int
    ssh_port: int
    host_key: str
    passwords: Mapping[str, str]

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.http_port}'

    def client(self, user: str) -> GerritClient:
        return GerritClient(self.url, user, self.passwords[user])

    def answers(self) -> bool:
        """Return whether it answers questions."""
        return bool(self.client(ADMIN).call('GET', 'accounts/self'))


def start(work: Work, jars: Path) -> Gerrit:
    """Make a site and start its server.

    :param jars: folder of the jars in requirements/e2e-jars.
    """
    site = work.place('gerrit', 'site')
    http, ssh = free_ports(2)
    (work.place('gerrit', 'site', 'etc') / 'gerrit.config').write_text(f'''\
[gerrit]
  basePath = git
  canonicalWebUrl = http://127.0.0.1:{http}/
[auth]
  type = DEVELOPMENT_BECOME_ANY_ACCOUNT
[httpd]
  listenUrl = http://127.0.0.1:{http}/
  maxThreads = 8
[sshd]
  listenAddress = 127.0.0.1:{ssh}
  threads = 4
[sendemail]
  enable = false
''')
    java = _java(work, jars)
    where = ('-d', str(site))
    process.run((*java, 'init', *where, '--batch', '--no-auto-start', '--skip-plugins'), env=work.environment(),
                timeout=SECONDS)
    host_key = (site / 'etc/ssh_host_ed25519_key.pub').read_text().split()
    service = Service(work, 'gerrit', (*java, 'daemon', *where, '--headless', '--console-log'))
    return Gerrit(service, http, ssh, ' '.join(host_key[:2]),
                  {ADMIN: ADMIN_PASSWORD, ZUUL: secrets.token_hex(), DEVELOPER: secrets.token_hex()})


def _java(work: Work, jars: Path) -> tuple[str, ...]:
    extra = work.place('gerrit', 'class-path')
    (extra / 'log4j.properties').write_text(LOGGING)
    version = next(jars.glob(f'{LIBRARIES[0]}-*.jar')).stem.removeprefix(f'{LIBRARIES[0]}-')
    (extra / VERSION).parent.mkdir(parents=True, exist_ok=True)
    (extra / VERSION).write_text(f'{version}\n')
    path = [str(extra), *(str(jar) for name in LIBRARIES for jar in sorted(jars.glob(f'{name}*.jar')))]
    return ('java', '-Xmx512m', '-XX:TieredStopAtLevel=1', '-cp', ':'.join(path), *FLOGGER,
            'com.google.gerrit.launcher.GerritLauncher')


def furnish(gerrit: Gerrit, keys: Mapping[str, str], projects: Mapping[str, str]) -> None:
    """Make accounts, labels, rights and projects on a new site.

    :param keys: account -> public key for SSH.
    :param projects: name -> branch of each, with one empty commit.
    """
    admin = gerrit.client(ADMIN)
    for name, groups in ((ZUUL, [MACHINES]), (DEVELOPER, [])):
        admin.call('PUT', f'accounts/{name}', {
            'name': name, 'email': f'{name}@example.org', 'http_password': gerrit.passwords[name], 'groups': groups,
            **({'ssh_key': keys[name]} if name in keys else {})})
    for name, values in (('Verified', VERIFIED), ('Workflow', WORKFLOW)):
        admin.call('PUT', f'projects/All-Projects/labels/{name}', {
            'function': 'NoBlock', 'default_value': 0, 'values': values, 'commit_message': f'Add the label {name}'})
        admin.call('PUT', f'projects/All-Projects/submit_requirements/{name}', {
            'name': name, 'submittability_expression': f'label:{name}=MAX AND -label:{name}=MIN'})
    admin.call('POST', 'projects/All-Projects/access', {
        'message': 'Zuul votes and submits, people review and approve',
        'add': {'refs/heads/*': {'permissions': _permissions(_group_ids(admin, (PEOPLE, MACHINES, ADMINS)))}}})
    for name, branch in projects.items():
        admin.call('PUT', f'projects/{quote(name, safe="")}', {
            'create_empty_commit': True, 'branches': [branch], 'submit_type': 'MERGE_IF_NECESSARY'})


def _group_ids(admin: GerritClient, names: Sequence[str]) -> dict[str, str]:
    return {name: unquote(admin.call('GET', f'groups/{quote(name)}')['id']) for name in names}


def _permissions(groups: Mapping[str, str]) -> dict[str, object]:
    allowed = {'action': 'ALLOW'}
    votes = {f'label-{label}': {'label': label, 'rules': {
        groups[group]: {**allowed, 'min': low, 'max': high} for group, (low, high) in who.items()}}
        for label, who in VOTES.items()}
    return {**votes, 'submit': {'rules': {groups[MACHINES]: allowed}}, 'push': {'rules': {groups[ADMINS]: allowed}}}
