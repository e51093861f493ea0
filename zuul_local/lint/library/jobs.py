"""Jobs of a library: the variables that they set are read by something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zuul_local.lint.library import files, roles

FOLDERS = ('zuul.d', 'zuul-tests.d', 'config-project/zuul.d')
PLAYBOOKS = ('playbooks', 'test-playbooks', 'config-project/playbooks')
PHASES = ('pre-run', 'run', 'post-run', 'cleanup-run')
_CONDITIONS = ('when', 'until', 'changed_when', 'failed_when', 'that', 'var')
_STRINGS = re.compile(r"""'[^']*'|"[^"]*\"""")
_NAMES = re.compile(r'(?<![\w.])[A-Za-z_]\w*')


def problems(root: Path) -> list[str]:
    """Return what is wrong with the jobs of the library in *root*, one line each."""
    try:
        return list(_problems(root))
    except files.Unreadable as error:
        return [str(error)]


def job_names(root: Path, folder: str) -> list[str]:
    """Return the jobs that *folder* defines, each once.

    :raises files.Unreadable: one of its files is no YAML.
    """
    return sorted({job['name'] for _, job in files.objects(root, folder, 'job') if 'name' in job})


def playbooks(job: dict[str, Any]) -> list[str]:
    """Return the playbooks of *job* in the order of their phases."""
    entries = [entry for phase in PHASES for entry in files.as_list(job.get(phase))]
    return [entry['name'] if isinstance(entry, dict) else str(entry) for entry in entries]


def expressions(value: Any) -> Iterator[str]:
    """Yield what Ansible evaluates in a playbook: conditions, and what stands in double braces."""
    for key, inner in files.walk(value):
        for text in files.as_list(inner):
            if not isinstance(text, str):
                continue
            if key in _CONDITIONS:
                yield text
            yield from re.findall(r'{{(.*?)}}', text, re.DOTALL)


def variables(root: Path) -> set[str]:
    """Return the names that a job can set to an effect: the roles' variables and what defaults and playbooks read.

    :raises files.Unreadable: a playbook or a declaration is no YAML.
    """
    known = {name for role in roles.role_names(root) for name in roles.options(root, role)}
    for pattern in ('roles/*/defaults/*.yaml', *(f'{folder}/**/*.yaml' for folder in PLAYBOOKS)):
        for path in sorted(root.glob(pattern)):
            for text in expressions(files.read(root, path)):
                known.update(_NAMES.findall(_STRINGS.sub('', text)))
    return known


def variants(root: Path, folder: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield file, name and attributes of each job in *folder*, and of each use of a job in a project or template.

    :raises files.Unreadable: one of the files is no YAML.
    """
    for where, job in files.objects(root, folder, 'job'):
        yield where, str(job.get('name', '?')), job
    for kind in ('project', 'project-template'):
        for where, project in files.objects(root, folder, kind):
            pipelines = [value for value in project.values() if isinstance(value, dict)]
            for entry in (entry for pipeline in pipelines for entry in files.as_list(pipeline.get('jobs'))):
                if isinstance(entry, dict):
                    yield from ((where, str(name), job) for name, job in entry.items() if isinstance(job, dict))


def _problems(root: Path) -> Iterator[str]:
    known = variables(root)
    for folder in FOLDERS:
        for where, name, job in variants(root, folder):
            given = {**(job.get('vars') or {}), **(job.get('extra-vars') or {})}
            for group in (job.get('host-vars') or {}, job.get('group-vars') or {}):
                given.update({key: value for inner in group.values() for key, value in (inner or {}).items()})
            for variable in sorted(set(given) - known):
                yield f'{where}: job {name}: variable {variable} is read by no role and no playbook'
