"""The configurations of many projects in one tenant, with this library in zuul-jobs' place, loaded by Zuul."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from zuul_local import paths
from zuul_local.tenant import trusted_roles
from zuul_local.tenant.load import CONFIG_NAME, LIBRARY_NAME, PIPELINE_STANZA, LocalTenant, load_with_zuul
from zuul_local.tenant.project import LOCAL_HOST, Project
from zuul_local.tenant.settings import Settings
from zuul_local.tenant.sources import LocalConnections, Repo

HOST = 'example.org'
PROJECTS = Path(__file__).parent / 'projects'
TABLE = paths.LIBRARY / 'doc' / 'source' / 'reference' / 'compatibility.yaml'
BRANCHES = ('master', 'stable/2.0')
# Nodesets that sites have beside those of our config project.
NODESETS = ('centos-9-stream', 'debian-buster', 'ubuntu-bionic', 'ubuntu-focal', 'ubuntu-jammy', 'ubuntu-noble',
            'ubuntu-trusty', 'ubuntu-xenial')


def table() -> dict[str, dict[str, Any]]:
    """Return what is said of each name of zuul-jobs: kind -> name -> 'same' or {'different': how}."""
    return yaml.safe_load(TABLE.read_text(encoding='utf-8'))


def later(kind: str) -> set[str]:
    """Return the names of zuul-jobs that later waves bring."""
    return {name for name, said in table()[kind].items() if said == 'not yet'}


def names() -> list[str]:
    """Return the projects of the corpus."""
    return sorted(folder.name for folder in PROJECTS.iterdir() if folder.is_dir())


def configuration(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the stanzas of project *name*, as (kind, body)."""
    files = sorted(path for path in (PROJECTS / name).rglob('*.yaml') if path.is_file())
    return [(kind, body) for path in files for stanza in yaml.load(path.read_text(), _Loader)
            for kind, body in stanza.items()]


@cache
def tenant() -> LocalTenant:
    """Return the tenant of all projects; as on a site, they come after the library, and none of them is trusted."""
    site = ''.join(f'- nodeset: {{name: {name}, nodes: [{{name: {name}, label: {name}}}]}}\n' for name in NODESETS)
    # what later waves bring stands in as jobs of that name, so that the rest of a project can be loaded
    waiting = ''.join(f'- job: {{name: {name}, run: run.yaml}}\n' for name in sorted(later('jobs')))
    library = paths.LIBRARY
    projects = [
        dataclasses.replace(_project(CONFIG_NAME, library / 'config-project'),
                            roles=trusted_roles.listed(library / 'config-project')),
        _project(LIBRARY_NAME, library),
        *(_project(f'{HOST}/{name}', PROJECTS / name) for name in names()),
    ]
    repos: dict[str, dict[str, Repo]] = {}
    extra = {CONFIG_NAME: {'zuul.d/zuul-local.yaml': PIPELINE_STANZA, 'zuul.d/site.yaml': site + waiting}}
    for one in projects:
        repos.setdefault(one.host, {})[one.name] = Repo(
            one.name, one.path, one.branch, extra.get(one.canonical_name, {}))
    connections = LocalConnections(repos)
    zuul = load_with_zuul({
        'name': 'corpus',
        'default-ansible-version': '11',
        'source': {
            'opendev.org': {'untrusted-projects': ['zuul/zuul-jobs']},
            LOCAL_HOST: {'config-projects': ['config-project']},
            HOST: {'untrusted-projects': names()},
        },
    }, connections)
    known = {one.canonical_name: one for one in projects}
    return LocalTenant(known[LIBRARY_NAME], known, Settings(), connections, zuul)


def at(name: str, branch: str) -> LocalTenant:
    """Return the tenant for a change to project *name* on *branch*."""
    project = dataclasses.replace(tenant().projects[f'{HOST}/{name}'], branch=branch)
    return dataclasses.replace(tenant(), project=project)


def _project(canonical_name: str, path: Path) -> Project:
    host, _, name = canonical_name.partition('/')
    return Project(host, name, path, path, BRANCHES[0])


class _Loader(yaml.SafeLoader):
    """Reads the tags of Zuul's own as what stands behind them."""

    def encrypted(self, node: yaml.SequenceNode) -> list[Any]:
        return self.construct_sequence(node)


_Loader.add_constructor('!encrypted/pkcs1-oaep', _Loader.encrypted)
