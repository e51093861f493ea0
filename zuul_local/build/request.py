"""What a build is asked to do, and what is refused before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zuul_local import lint
from zuul_local.errors import UserError
from zuul_local.nodes.labels import OFFLINE, Label, load_labels, with_python
from zuul_local.tenant.freeze import Frozen, freeze
from zuul_local.tenant.load import DEFAULT_ANSIBLE, LocalTenant
from zuul_local.tenant.settings import FILE


@dataclass(frozen=True)
class Request:
    """What to run, as the command line says it."""

    job: str
    project: Path
    run_id: str
    base_ref: str = ''
    given: tuple[str, ...] = ()
    label: str = ''
    variables: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    offline: bool = False
    keep: bool = False
    unsafe_localhost: bool = False


def freeze_job(tenant: LocalTenant, request: Request) -> tuple[Frozen, list[tuple[str, Label]]]:
    """Return the frozen job, and name and label of each of its nodes.

    :raises UserError: no such job for this project, or a label that is not ours.
    """
    labels = load_labels()
    if request.label and request.label not in labels:
        raise UserError(f'--label {request.label!r} is not a label of ours: {", ".join(labels)}.')
    unknown = sorted(set(tenant.settings.labels.values()) - set(labels))
    if unknown and not request.label:
        raise UserError(f'{tenant.project.path / FILE}: labels: {", ".join(map(repr, unknown))} stands on the right, '
                        f'where a label of ours belongs: {", ".join(labels)}.')
    mapping = {'*': request.label} if request.label else tenant.settings.labels
    frozen = freeze(tenant, request.job, variables=request.variables, labels=mapping)
    wanted = []
    for node in frozen.job.nodeset.getNodes():
        odd = [name for name in node.name if '/' in name]
        if odd:
            raise UserError(f'job {request.job}: the node name {odd[0]!r} has a slash; Ansible names files by it.',
                            'Give the node another name in the nodeset.')
        name = node.label
        if name not in labels:
            raise UserError(
                f'job {request.job} asks for label {name!r} (node {node.name[0]!r}), which is not one of ours: '
                f'{", ".join(labels)}.',
                f'Use another with --label {next(iter(labels))}, or for good in '
                f'{tenant.project.path}/zuul-local.yaml:\n'
                f'        labels: {{{name}: {next(iter(labels))}}}')
        if request.offline and not name.endswith(OFFLINE):
            node.label = name = name + OFFLINE
        wanted.append((node.name[0], labels[name]))
    return frozen, wanted


def check(tenant: LocalTenant, frozen: Frozen, request: Request, ansibles: Sequence[str]) -> None:
    """Refuse, before anything starts, what cannot work.

    :param ansibles: the Ansible versions that there are.
    :raises UserError: with all that is wrong and what would be right.
    """
    problems = [problem for problem in lint.preflight(tenant, frozen) if problem.severity == 'error']
    if problems:
        raise UserError(f'job {request.job} cannot run:\n' + '\n'.join(map(str, problems)))
    version = frozen.job.ansible_version or DEFAULT_ANSIBLE
    if version not in ansibles:
        raise UserError(f'job {request.job} wants Ansible {version} (ansible-version); here is {", ".join(ansibles)}.',
                        f'Set ansible-version: {DEFAULT_ANSIBLE} in the job, or leave it out.')
    needed = sorted({name for playbook in frozen.job.all_playbooks for name in playbook['secrets']})
    missing = [name for name in needed if name not in request.secrets]
    if missing:
        raise UserError(
            f'job {request.job} uses the secrets {", ".join(needed)}, which only the real Zuul can decrypt; '
            f'not given: {", ".join(missing)}.', ' '.join(f'--secret {name}=FILE' for name in missing))
    if needed and request.unsafe_localhost:
        raise UserError(f'job {request.job} uses secrets, and --unsafe-localhost has no place for them but the disk.',
                        'Install bubblewrap and leave the option out.')
    unused = sorted(set(request.secrets) - set(needed))
    if unused:
        raise UserError(f'job {request.job} uses no secret called {", ".join(unused)}; '
                        f'it uses: {", ".join(needed) or "none"}.')
    _check_python(frozen, request)


def _check_python(frozen: Frozen, request: Request) -> None:
    """Refuse a ``python_version`` that no node of the job has; roles would notice only minutes later."""
    version = frozen.job.variables.get('python_version')
    if version is None or frozen.job.variables.get('python_use_pyenv') or frozen.job.variables.get('python_use_stow'):
        return
    labels = load_labels()
    for node in frozen.job.nodeset.getNodes():
        label = labels[node.label]
        if str(version) not in label.pythons:
            able = [one.name for one in with_python(str(version), labels) if one.offline == label.offline]
            raise UserError(
                f'job {request.job} wants Python {version}, which label {label.name} does not have '
                f'(it has {", ".join(label.pythons)}).',
                f'--label {able[0]}' if able else
                'No label has it: ' + '; '.join(f'{one.name} has {", ".join(one.pythons)}'
                                                for one in labels.values() if not one.offline))
