"""What a run is asked to do, and what is refused before anything starts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zuul_local import lint
from zuul_local.environment.ansibles import versions
from zuul_local.errors import UserError
from zuul_local.nodes.labels import OFFLINE, Label, has_python, load_labels, with_python
from zuul_local.tenant.freeze import Frozen, Graph, freeze_graph
from zuul_local.tenant.load import DEFAULT_ANSIBLE, LocalTenant
from zuul_local.tenant.settings import FILE


@dataclass(frozen=True)
class Request:
    """What to run, as the command line says it.

    :ivar only: of the job's nodes, take those with these labels, or their offline forms; all when empty.
    :ivar results: project whose folder takes the results; None for the one that is run.
    :ivar events: file to which a line is added whenever a playbook ends.
    :ivar dependencies: run the jobs that the job depends on, too.
    :ivar attempts: the most builds of a job; 0 for one.
    :ivar images: {label: tar or container image} to use in place of the images that we make.
    :ivar ansible_version: the Ansible to use in place of what jobs ask for; '' for theirs.
    """

    job: str
    project: Path
    run_id: str
    base_ref: str = ''
    given: tuple[str, ...] = ()
    label: str = ''
    only: tuple[str, ...] = ()
    results: Path | None = None
    events: Path | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    dependencies: bool = False
    attempts: int = 0
    images: Mapping[str, str] = field(default_factory=dict)
    ansible_version: str = ''
    offline: bool = False
    keep: bool = False
    unsafe_localhost: bool = False
    measure: bool = False


def freeze_jobs(tenant: LocalTenant, request: Request) -> Graph:
    """Return the job with what it depends on, as far as that is asked for.

    :raises UserError: no such job for this project, or a label or an Ansible that is not ours.
    """
    labels = load_labels()
    if request.label and request.label not in labels:
        raise UserError(f'--label {request.label!r} is not a label of ours: {", ".join(labels)}.')
    unknown = sorted(set(tenant.settings.labels.values()) - set(labels))
    if unknown and not request.label:
        raise UserError(f'{tenant.project.path / FILE}: labels: {", ".join(map(repr, unknown))} stands on the right, '
                        f'where a label of ours belongs: {", ".join(labels)}.')
    if request.ansible_version and request.ansible_version not in versions():
        raise UserError(f'--ansible-version {request.ansible_version!r} is none that Zuul runs: it has '
                        f'{" and ".join(versions())}.')
    mapping = {'*': request.label} if request.label else tenant.settings.labels
    return freeze_graph(tenant, request.job, variables=request.variables, labels=mapping,
                        dependencies=request.dependencies, ansible_version=request.ansible_version)


def choose_nodes(tenant: LocalTenant, frozen: Frozen, request: Request) -> list[tuple[str, Label]]:
    """Return name and label of each node of a frozen job, whose labels become those without a way out when it is asked.

    :raises UserError: a label that is not ours.
    """
    labels = load_labels()
    if request.only and frozen.job.name == request.job:
        _leave_out(frozen, request, labels)
    wanted = []
    for node in frozen.job.nodeset.getNodes():
        odd = [name for name in node.name if '/' in name]
        if odd:
            raise UserError(f'job {frozen.job.name}: the node name {odd[0]!r} has a slash; Ansible names files by it.',
                            'Give the node another name in the nodeset.')
        name = node.label
        if name not in labels:
            raise UserError(
                f'job {frozen.job.name} asks for label {name!r} (node {node.name[0]!r}), which is not one of ours: '
                f'{", ".join(labels)}.',
                f'Use another with --label {next(iter(labels))}, or for good in '
                f'{tenant.project.path}/zuul-local.yaml:\n'
                f'        labels: {{{name}: {next(iter(labels))}}}')
        if request.offline and not name.endswith(OFFLINE):
            node.label = name = name + OFFLINE
        wanted.append((node.name[0], labels[name]))
    return wanted


def _leave_out(frozen: Frozen, request: Request, labels: Mapping[str, Label]) -> None:
    """Leave only those nodes in the job whose label, or the one that it is the offline form of, was asked for."""
    unknown = sorted(set(request.only) - set(labels))
    if unknown:
        raise UserError(f'--only {", ".join(map(repr, unknown))} is not a label of ours: {", ".join(labels)}.')
    nodeset = frozen.job.nodeset
    there = [node.label for node in nodeset.getNodes()]
    for key, node in list(nodeset.nodes.items()):
        if node.label not in request.only and node.label.removesuffix(OFFLINE) not in request.only:
            del nodeset.nodes[key]
            for group in nodeset.getGroups():
                group.nodes = [name for name in group.nodes if name not in node.name]
    if not nodeset.nodes:
        raise UserError(f'job {request.job} has no node with the label {" or ".join(request.only)}; '
                        f'its labels: {", ".join(there) or "none"}.')


def ansible_of(frozen: Frozen) -> str:
    """Return the Ansible version that a frozen job runs with."""
    return frozen.job.ansible_version or DEFAULT_ANSIBLE


def check(tenant: LocalTenant, jobs: Sequence[Frozen], request: Request) -> None:
    """Refuse, before anything starts, what cannot work.

    :raises UserError: with all that is wrong about a job and what would be right.
    """
    needed: set[str] = set()
    for frozen in jobs:
        _check_job(tenant, frozen, request)
        needed |= _secrets(frozen)
    unused = sorted(set(request.secrets) - needed)
    if unused:
        raise UserError(f'job {request.job} uses no secret called {", ".join(unused)}; '
                        f'it uses: {", ".join(sorted(needed)) or "none"}.')


def _check_job(tenant: LocalTenant, frozen: Frozen, request: Request) -> None:
    name = frozen.job.name
    problems = [problem for problem in lint.preflight(tenant, frozen) if problem.severity == 'error']
    if problems:
        raise UserError(f'job {name} cannot run:\n' + '\n'.join(map(str, problems)))
    version = ansible_of(frozen)
    if version not in versions():
        raise UserError(f'job {name} wants Ansible {version} (ansible-version); here is {" and ".join(versions())}.',
                        f'Set ansible-version: {DEFAULT_ANSIBLE} in the job, or leave it out.')
    needed = sorted(_secrets(frozen))
    missing = [secret for secret in needed if secret not in request.secrets]
    if missing:
        raise UserError(
            f'job {name} uses the secrets {", ".join(needed)}, which only the real Zuul can decrypt; '
            f'not given: {", ".join(missing)}.', ' '.join(f'--secret {secret}=FILE' for secret in missing))
    if needed and request.unsafe_localhost:
        raise UserError(f'job {name} uses secrets, and --unsafe-localhost has no place for them but the disk.',
                        'Install bubblewrap and leave the option out.')
    _check_python(frozen)


def _secrets(frozen: Frozen) -> set[str]:
    return {name for playbook in frozen.job.all_playbooks for name in playbook['secrets']}


def _check_python(frozen: Frozen) -> None:
    """Refuse a ``python_version`` that no node of the job has; roles would notice only minutes later."""
    variables = frozen.job.variables
    # these bring versions that no label has
    if any(variables.get(name) for name in ('python_use_pyenv', 'python_use_stow', 'ensure_python_source')):
        return
    labels = load_labels()
    for version in python_versions(variables.get('python_version')):
        for node in frozen.job.nodeset.getNodes():
            label = labels[node.label]
            if not has_python(label, version):
                able = [one.name for one in with_python(version, labels) if one.offline == label.offline]
                raise UserError(
                    f'job {frozen.job.name} wants Python {version}, which label {label.name} does not have '
                    f'(it has {", ".join(label.pythons)}).',
                    f'--label {able[0]}' if able else
                    'No label has it: ' + '; '.join(f'{one.name} has {", ".join(one.pythons)}'
                                                    for one in labels.values() if not one.offline))


def python_versions(value: Any) -> list[str]:
    """Return what ``python_version`` asks for: one version, a list, or several in a text."""
    items = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return [word for item in items for word in re.split(r'[\s,]+', str(item)) if word]
