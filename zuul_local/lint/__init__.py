"""What Zuul's loader does not catch: one check a module."""

from __future__ import annotations

from collections.abc import Iterable

from zuul_local.lint import include_vars, labels, missing, pipelines, playbooks, repositories, trusted, used_roles
from zuul_local.tenant.freeze import Frozen
from zuul_local.tenant.load import LocalTenant
from zuul_local.tenant.problem import Problem

CHECKS = (missing.problems, playbooks.problems, used_roles.problems, repositories.problems, pipelines.problems,
          labels.problems, trusted.problems)


def all_problems(tenant: LocalTenant) -> list[Problem]:
    """Return what is wrong in the tenant: Zuul's own findings and ours, by file and line, each once."""
    return _tidy(problem for check in CHECKS for problem in check(tenant))


def preflight(tenant: LocalTenant, frozen: Frozen) -> list[Problem]:
    """Return what would make this one job fail before its own work starts: a file or role that is not there."""
    found = list(include_vars.of_job(tenant, frozen))
    for phase in playbooks.PHASES:
        for playbook in getattr(frozen.job, phase) or ():
            project = _canonical(tenant, playbook)
            if project not in tenant.projects:
                continue
            if not playbooks.stands(tenant.projects[project].path, playbook['path']):
                found += [problem for key, problem in playbooks.absent(tenant) if key == (project, playbook['path'])]
                continue
            roles = [(role['project_canonical_name'], role['target_name']) for role in playbook['roles']]
            found += used_roles.of_playbook(tenant, frozen.job.name, project, playbook['path'], roles, ())
    return _tidy(found)


def _canonical(tenant: LocalTenant, playbook: dict[str, str]) -> str:
    project = tenant.connections.getSource(playbook['connection']).getProject(playbook['project'])
    return str(project.canonical_name)


def _tidy(problems: Iterable[Problem]) -> list[Problem]:
    first: dict[tuple[str, int, str], Problem] = {}
    for one in problems:    # several jobs may run the same playbook
        first.setdefault((one.path, one.line, one.message), one)
    return [first[key] for key in sorted(first)]
