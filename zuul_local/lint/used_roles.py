"""Roles that a playbook uses and that no role repository of its job has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from zuul_local.lint.configuration import PHASES, variants
from zuul_local.lint.repositories import unknown
from zuul_local.lint.role_names import BadFile, roles_used
from zuul_local.tenant.load import LocalTenant
from zuul_local.tenant.problem import ERROR, WARNING, Problem


def problems(tenant: LocalTenant) -> list[Problem]:
    """Return one problem for each such role of each playbook of each job variant.

    A role counts as there when any variant of the job or of one of its parents brings it.
    """
    found: list[Problem] = []
    for job in variants(tenant):
        chain = ancestry(tenant, job)
        repositories = [name for variant in chain for name in role_repositories(tenant, variant)]
        absent = [name for variant in chain for name in unknown(tenant, variant)]
        for phase in PHASES:
            for playbook in job._get(phase) or ():
                if playbook.source_context:
                    project = playbook.source_context.project_canonical_name
                    found += of_playbook(tenant, job.name, project, playbook.path, repositories, absent)
    return found


def ancestry(tenant: LocalTenant, job: Any) -> list[Any]:
    """Return *job*, every variant of its name, and every variant of its parents' names."""
    chain, names, waiting = [job], set(), [job.name]
    while waiting:
        name = waiting.pop()
        if name in names:
            continue
        names.add(name)
        for variant in tenant.layout.jobs.get(name, ()):
            if variant is not job:
                chain.append(variant)
            parent = variant.parent if isinstance(variant.parent, str) else tenant.zuul.default_base_job
            if not variant.isBase() and variant.source_context:
                waiting.append(parent)
    return chain


def role_repositories(tenant: LocalTenant, job: Any) -> list[tuple[str, str]]:
    """Return (canonical project name, role name if the repository is a bare role) of what this *job* variant brings."""
    found = []
    for role in job._get('roles') or ():
        project = tenant.zuul.getProject(role.project_name)[1]
        if project is not None:
            found.append((project.canonical_name, role.target_name))
    return found


def of_playbook(tenant: LocalTenant, job: str, project: str, path: str, repositories: Iterable[tuple[str, str]],
                absent: Sequence[str]) -> list[Problem]:
    """Return the problems of one playbook.

    :param project: canonical name of the repository that it lies in.
    :param path: of the playbook in that repository.
    :param repositories: role repositories of the job, as :func:`role_repositories` returns them.
    :param absent: role repositories that the job names and the tenant lacks.
    """
    repositories = list(dict.fromkeys(repositories))
    if project not in tenant.projects or any(name not in tenant.projects for name, _ in repositories):
        return []
    root = tenant.projects[project].path
    file = root / path
    try:
        uses = roles_used(file, root)
    except BadFile as error:
        return [Problem(project, str(error.path), error.line, ERROR, f'not YAML: {error}.')]
    there = {name for canonical, bare in repositories
             for name in (*roles_of(tenant.projects[canonical].path, bare), *tenant.projects[canonical].roles)}
    found = []
    for use in uses:
        folders = (file.parent / 'roles', file.parent, use.path.parent / 'roles', use.path.parent)
        if use.name in there or any((folder / use.name).is_dir() for folder in folders):
            continue
        near = difflib.get_close_matches(use.name, there, n=3)
        hint = f'Nearest: {", ".join(near)}. ' if near else ''
        looked = ', '.join(dict.fromkeys((project, *(name for name, _ in repositories))))
        hint += f'Looked in {looked} for job {job}.'
        if absent:
            hint += f' The job also names {", ".join(dict.fromkeys(absent))}, which is not here.'
        found.append(Problem(project, str(use.path), use.line, ERROR if use.certain else WARNING,
                             f'role {use.name!r} is in no role repository that this playbook may use.', hint))
    return found


def roles_of(root: Path, bare_name: str) -> list[str]:
    """Return the roles of the repository in *root*; one that is a bare role goes by *bare_name*. Zuul's rule."""
    if (root / 'tasks').is_dir():
        return [bare_name]
    folder = root / 'roles'
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
