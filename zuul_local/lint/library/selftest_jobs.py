"""Jobs that try roles: every behaviour runs, on all platforms that its role claims, whenever it may break."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zuul_local.lint.library import files, includes, jobs
from zuul_local.lint.library.selftests import OFFLINE, OWN_JOBS, PLAYBOOKS, behaviours
from zuul_local.nodes.labels import UNTRIED

PUBLIC_JOBS = 'zuul.d'
PREFIX = 'self-test-'
LABELS = 'node/labels.yaml'
TWIN = '-offline'


@dataclass(frozen=True)
class _Library:
    """:ivar own: name -> file and attributes of each job of our own; *public* likewise.

    :ivar nodesets: name -> attributes.
    :ivar labels: name -> attributes.
    :ivar attached: the jobs that a project stanza lists.
    """

    root: Path
    own: Mapping[str, tuple[str, dict[str, Any]]]
    public: Mapping[str, tuple[str, dict[str, Any]]]
    nodesets: Mapping[str, dict[str, Any]]
    labels: Mapping[str, dict[str, Any]]
    attached: frozenset[str]
    graph: dict[str, set[str]]

    def running(self, playbook: str) -> list[str]:
        """Return our own jobs that run *playbook*."""
        return [name for name, (_, job) in self.own.items() if playbook in jobs.playbooks(job)]

    def is_offline(self, name: str) -> bool:
        """Tell whether one of our own jobs has nodes without a way out."""
        return any(label.endswith(TWIN) for label in self.labels_of(self.own[name][1]) or ())

    def labels_of(self, job: Mapping[str, Any]) -> list[str] | None:
        """Return the labels of a job's nodes; None when it names no nodes, or a nodeset that is not there."""
        nodeset = job.get('nodeset')
        if isinstance(nodeset, str):
            nodeset = self.nodesets.get(nodeset)
        if not isinstance(nodeset, dict):
            return None
        return [str(node.get('label')) for node in files.as_list(nodeset.get('nodes')) if isinstance(node, dict)]


def problems(root: Path) -> list[str]:
    """Return what is wrong with the jobs that try the roles of the library in *root*."""
    try:
        library = _read(root)
        return [*_nodes(library), *_jobs(library), *(line for role in library.graph for line in _role(library, role))]
    except files.Unreadable as error:
        return [str(error)]


def _read(root: Path) -> _Library:
    labels = files.read(root, root / LABELS) if (root / LABELS).exists() else []
    attached = {name for _, project in files.objects(root, OWN_JOBS, 'project')
                for pipeline in project.values() if isinstance(pipeline, dict)
                for entry in files.as_list(pipeline.get('jobs'))
                for name in (entry if isinstance(entry, dict) else [entry])}
    own, public = ({str(job.get('name')): (where, job) for where, job in files.objects(root, folder, 'job')}
                   for folder in (OWN_JOBS, PUBLIC_JOBS))
    nodesets = {str(one.get('name')): one for folder in jobs.FOLDERS
                for _, one in files.objects(root, folder, 'nodeset')}
    return _Library(root, own, public, nodesets,
                    {str(one['name']): one for one in labels or []}, frozenset(attached), includes.of_roles(root))


def _nodes(library: _Library) -> Iterator[str]:
    """Yield the labels on which nothing is tried, unless they say so themselves."""
    used = {label for _, job in library.own.values() for label in library.labels_of(job) or ()}
    tried = (name for name, entry in library.labels.items() if entry.get('kind') != UNTRIED)
    for label in (name + suffix for name in tried for suffix in ('', TWIN)):
        if label not in used:
            yield f'{LABELS}: no job in {OWN_JOBS}/ has a node of {label}; add one to the nodesets there'


def _jobs(library: _Library) -> Iterator[str]:
    there = {str(path.relative_to(library.root)) for path in library.root.glob('**/*')
             if path.is_file() and path.relative_to(library.root).parts[0] in ('roles', PLAYBOOKS)}
    for name, (where, job) in library.own.items():
        if not jobs.playbooks(job):
            continue
        if name not in library.attached:
            yield f'{where}: job {name} never runs; list it in the project stanza of {OWN_JOBS}/'
        if library.labels_of(job) is None:
            yield f'{where}: job {name} names no nodeset; name one of {OWN_JOBS}/ with all labels that the role is for'
        for pattern in files.as_list(job.get('files')):
            if not any(re.match(str(pattern), path) for path in there):
                yield f'{where}: job {name}: files: {pattern} matches no file of roles/ and {PLAYBOOKS}/; remove it'


def _role(library: _Library, role: str) -> Iterator[str]:
    if PREFIX + role not in library.own:
        yield f'{OWN_JOBS}/: no job {PREFIX}{role}; write one that lists the playbooks of {PLAYBOOKS}/{role}/'
    used, private = set(), []
    for path in behaviours(library.root, role):
        playbook, offline = str(path.relative_to(library.root)), path.stem == OFFLINE
        running = library.running(playbook)
        used.update(running)
        if not running:
            yield f'{playbook}: no job in {OWN_JOBS}/ runs it; list it in that of the role'
        for name in running:
            where, job = library.own[name]
            online = [label for label in library.labels_of(job) or () if label.endswith(TWIN) != offline]
            if online:
                yield (f'{where}: job {name} runs {playbook} on {", ".join(online)}; ' + (
                    f'it belongs on labels that end in {TWIN}' if offline else f'labels that end in {TWIN} are for '
                    f'{OFFLINE}.yaml'))
        if PREFIX + role in running and not any(playbook in jobs.playbooks(job) for _, job in library.public.values()):
            private.append(path.name)
    if private:
        yield (f'{PLAYBOOKS}/{role}/: no job in {PUBLIC_JOBS}/ runs {", ".join(private)}; list them in the public job '
               'of a family of roles')
    for name in sorted(used):
        yield from _files(library, role, name)
    for kind in (True, False):
        yield from _platforms(library, role, [name for name in sorted(used) if library.is_offline(name) is kind])


def _files(library: _Library, role: str, name: str) -> Iterator[str]:
    """Yield what *role* is made of and does not start the job *name* when it changes."""
    where, job = library.own[name]
    patterns = [str(pattern) for pattern in files.as_list(job.get('files'))]
    if not patterns:
        return
    own = (f'{PLAYBOOKS}/{role}/', f'roles/{role}/')
    brought = sorted(includes.with_all(library.graph, role) - {role})
    for folder in (*own, *(f'roles/{one}/' for one in brought)):
        if not any(re.match(pattern, folder) for pattern in patterns):
            reason = '' if folder in own else f', which {role} brings in'
            yield f'{where}: job {name}: files do not cover {folder}{reason}; add ^{folder}'


def _platforms(library: _Library, role: str, names: list[str]) -> Iterator[str]:
    """Yield the platforms that *role* claims and none of the jobs *names* tries, and those that it does not claim."""
    meta = f'roles/{role}/meta/main.yaml'
    if not (library.root / meta).exists():
        return
    content = files.read(library.root, library.root / meta) or {}
    claimed = {(str(one.get('name')), str(version))
               for one in (content.get('galaxy_info') or {}).get('platforms') or () if isinstance(one, dict)
               for version in files.as_list(one.get('versions'))}
    tried: set[tuple[str, str]] = set()
    for name in names:
        where, job = library.own[name]
        labels = [library.labels[label] for label in (one.removesuffix(TWIN) for one in library.labels_of(job) or ())
                  if label in library.labels]
        tried.update(_platform(label) for label in labels)
        for platform in sorted({_platform(label) for label in labels if label.get('kind') == 'real'} - claimed):
            yield f'{where}: job {name} tries {role} on {" ".join(platform)}, which {meta} does not claim; add it there'
    for platform in sorted(claimed - tried if tried else ()):
        yield (f'{meta}: {" ".join(platform)} is claimed, and job {" or ".join(names)} has no node of it; add one or '
               'claim less')


def _platform(label: Mapping[str, Any]) -> tuple[str, str]:
    return str(label.get('platform')), str(label.get('release'))
