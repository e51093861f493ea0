"""Tenants of Zuul's test fixtures, loaded and frozen as those of a user are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from zuul_local.tenant.load import PIPELINE_STANZA, LocalTenant, load_with_zuul
from zuul_local.tenant.project import Project
from zuul_local.tenant.settings import Settings
from zuul_local.tenant.sources import LocalConnections, Repo

# Connection -> canonical host, as the configuration files of Zuul's tests have it
HOSTS = {'gerrit': 'review.example.com', 'github': 'github.com', 'gitlab': 'gitlab', 'pagure': 'pagure', 'git': 'git',
         'review_gerrit': 'review.example.com', 'another_gerrit': 'another.example.com',
         'gerrit1': 'review1.example.com', 'gerrit2': 'review2.example.com'}
EXTRA = 'zuul-local-pipeline'


def tenants(tests: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name of the file and the stanza of each tenant of the fixtures."""
    for path in sorted((tests / 'fixtures/config').glob('*/*.yaml')):
        for entry in yaml.safe_load(path.read_text(encoding='utf-8')) or ():
            if isinstance(entry, dict) and isinstance(entry.get('tenant'), dict) and entry['tenant'].get('source'):
                yield f'{path.parent.name}/{path.name}', entry['tenant']


def beside(tests: Path, file: str) -> list[dict[str, Any]]:
    """Return the stanzas of *file* that are not tenants."""
    entries = yaml.safe_load((tests / 'fixtures/config' / file).read_text(encoding='utf-8'))
    return [entry for entry in entries if 'tenant' not in entry]


def tenant(tests: Path, file: str, name: str = '') -> dict[str, Any]:
    """Return the stanza of tenant *name* (the first one when empty) in *file*."""
    return next(conf for where, conf in tenants(tests) if where == file and name in ('', conf['name']))


def projects(conf: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Return (connection, project, trusted) of every project that a tenant stanza names."""
    found = []
    for connection, kinds in conf['source'].items():
        for kind in ('config-projects', 'untrusted-projects'):
            for entry in (kinds or {}).get(kind) or ():
                names = [entry] if isinstance(entry, str) else entry.get('projects', entry)
                found += [(connection, one if isinstance(one, str) else next(iter(one)), kind == 'config-projects')
                          for one in names]
    return found


def load(tests: Path, file: str, conf: dict[str, Any], project: str = '') -> LocalTenant:
    """Load a tenant stanza of *file* with *project* (the first untrusted one when empty) as the project at hand."""
    git = tests / 'fixtures/config' / Path(file).parent / 'git'
    named = projects(conf)
    repos: dict[str, dict[str, Repo]] = {}
    for connection, name, _ in named:
        repos.setdefault(connection, {})[name] = Repo(name, git / name.replace('/', '_'), 'master')
    first = named[0][0]
    repos[first][EXTRA] = Repo(EXTRA, git / EXTRA, 'master', {'zuul.yaml': PIPELINE_STANZA})
    source = {name: dict(kinds) for name, kinds in conf['source'].items()}
    source[first]['config-projects'] = [*(source[first].get('config-projects') or ()), EXTRA]
    connections = LocalConnections(repos)
    for connection, host in HOSTS.items():
        if connection in connections.connections:
            made = connections.connections[connection]
            made.canonical_hostname = made.source.canonical_hostname = host
            connections.connections.setdefault(host, made)
    zuul = load_with_zuul({**conf, 'source': source}, connections, beside(tests, file))
    connection, name = next(((where, one) for where, one, _ in named if one == project),
                            next(((where, one) for where, one, trusted in named if not trusted), named[0][:2]))
    here = Project(HOSTS.get(connection, connection), name, git / name.replace('/', '_'), git, 'master')
    return LocalTenant(here, {here.canonical_name: here}, Settings(), connections, zuul)
