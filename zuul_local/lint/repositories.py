"""Role repositories that a job names and the tenant does not have: Zuul leaves them out silently."""

from __future__ import annotations

from typing import Any

from zuul_local.lint.configuration import line_in, problem_at, variants
from zuul_local.lint.owners import how_to_add
from zuul_local.tenant.load import LocalTenant
from zuul_local.tenant.problem import WARNING, Problem


def problems(tenant: LocalTenant) -> list[Problem]:
    """Return one problem for each unknown role repository of each job variant."""
    found = []
    for job in variants(tenant):
        for name in unknown(tenant, job):
            found.append(problem_at(
                tenant, job, WARNING,
                f'job {job.name}: its role repository {name!r} is not here, and Zuul leaves such ones out silently.',
                how_to_add(name), line_in(job, name)))
    return found


def unknown(tenant: LocalTenant, job: Any) -> list[str]:
    """Return the names of role repositories of this *job* variant that the tenant does not have."""
    roles = job._get('roles') or ()
    names = [role.project_name for role in roles if getattr(role, 'project_name', None)]
    return [name for name in names if tenant.zuul.getProject(name)[1] is None]
