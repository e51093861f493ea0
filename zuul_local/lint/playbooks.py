"""Playbooks that a job names and its repository does not have: Zuul finds out when the job runs."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from zuul_local.lint.configuration import PHASES, line_in, problem_at, variants
from zuul_local.tenant.load import LocalTenant
from zuul_local.tenant.problem import ERROR, Problem

SKIPPED = ('node_modules', 'roles')


def problems(tenant: LocalTenant) -> list[Problem]:
    """Return one problem for each playbook of each job variant whose file does not exist."""
    return [problem for _, problem in absent(tenant)]


def absent(tenant: LocalTenant) -> Iterator[tuple[tuple[str, str], Problem]]:
    """Yield (canonical project name, path) of each playbook that does not exist, and the problem at its stanza."""
    for job in variants(tenant):
        for phase in PHASES:
            for playbook in job._get(phase) or ():
                if not playbook.source_context or playbook.source_context.project_canonical_name not in tenant.projects:
                    continue
                project = playbook.source_context.project_canonical_name
                root = tenant.projects[project].path
                if not stands(root, playbook.path):
                    yield (project, playbook.path), problem_at(
                        tenant, job, ERROR, f'job {job.name}: the {phase.replace("_", "-")} playbook {playbook.path!r} '
                        'does not exist; paths start at the repository.',
                        hint(root, playbook.path), line_in(job, playbook.path))


def stands(root: Path, path: str) -> bool:
    """Return whether there is a file *path* in the repository in *root*, and not outside of it."""
    file = (root / path).resolve()
    return file.is_file() and file.is_relative_to(root.resolve())


def hint(root: Path, path: str) -> str:
    """Return the playbooks of the repository in *root* whose paths are most like *path*."""
    near = difflib.get_close_matches(path, playbooks_of(root), n=3, cutoff=0.9)
    return f'Nearest: {", ".join(near)}.' if near else f'Write the playbook {root / path}, or correct the path.'


def playbooks_of(root: Path) -> list[str]:
    """Return the YAML files below *root*, without those of roles and hidden folders, relative to it."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith('.') and name not in SKIPPED)
        found += [os.path.relpath(os.path.join(folder, name), root) for name in sorted(names)
                  if name.endswith(('.yaml', '.yml'))]
    return found
