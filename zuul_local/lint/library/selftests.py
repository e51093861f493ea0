"""Every role is tried: its behaviours are playbooks that use it, or a reason says why there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from zuul_local.lint.library import files, includes, jobs

OWN_JOBS = 'zuul-tests.d'
PLAYBOOKS = 'test-playbooks'
REASONS = 'not-applicable.yaml'
BEHAVIOURS = {
    'absent': 'what it provides is not there',
    'present': 'what it provides is there already',
    'bad-input': 'what it must refuse',
}
OFFLINE = 'offline'
#: not a playbook but a task in one: its name has this word, and what it calls must change nothing
AGAIN = 'again'
# Ansible's modules that fetch something. A role's own module that does shows by the role being tried offline.
FETCHING = ('apt', 'apt_repository', 'dnf', 'get_url', 'package', 'pip', 'uri', 'yum', 'yum_repository', 'zypper')
# What takes a path that starts at the file it stands in.
PATHS = ('src', 'file', 'include_tasks', 'import_tasks', 'include_vars', 'vars_files', 'import_playbook', 'template')


def problems(root: Path) -> list[str]:
    """Return what is not tried of the roles of the library in *root*, and which test playbooks are of no use."""
    try:
        return list(_problems(root))
    except files.Unreadable as error:
        return [str(error)]


def behaviours(root: Path, role: str) -> list[Path]:
    """Return the playbooks of the behaviours of *role*."""
    return [path for path in sorted((root / PLAYBOOKS / role).glob('*.yaml')) if path.name != REASONS]


def _problems(root: Path) -> Iterator[str]:
    graph = includes.of_roles(root)
    for role in graph:
        found = behaviours(root, role)
        if not found:
            yield f'{PLAYBOOKS}/{role}/: no playbook tries the role {role}'
        elif not any(role in includes.used_roles(files.read(root, path)) for path in found):
            yield f'{PLAYBOOKS}/{role}/: none of the playbooks includes the role {role}'
        there = {path.stem for path in found}
        yield from _needed(root, role, graph, there | ({AGAIN} if _is_called_again(root, role) else set()))
        yield from _outside(root, role)
    run = {playbook for _, job in files.objects(root, OWN_JOBS, 'job') for playbook in jobs.playbooks(job)}
    for folder in sorted(path.name for path in (root / PLAYBOOKS).glob('*') if path.is_dir()):
        idle = [path for path in (root / PLAYBOOKS / folder).glob('*.yaml') if str(path.relative_to(root)) not in run]
        if folder not in graph and idle:    # one that a job runs tries several roles at once
            yield f'{PLAYBOOKS}/{folder}/: there is no role {folder}'


def _needed(root: Path, role: str, graph: dict[str, set[str]], there: set[str]) -> Iterator[str]:
    """Yield the behaviours that *role* lacks without a reason, and reasons that are of no use."""
    needed = {name: f'write it: {what}' for name, what in BEHAVIOURS.items()}
    fetches = why_offline(root, role, graph)
    if fetches:
        needed[OFFLINE] = f'write it, because {fetches}'
    needed[AGAIN] = ''
    where = f'{PLAYBOOKS}/{role}/{REASONS}'
    path = root / where
    reasons = (files.read(root, path) if path.exists() else None) or {}
    if not isinstance(reasons, dict):
        yield f'{where}: must be a mapping of behaviours to reasons'
        return
    for name, what in needed.items():
        if name == AGAIN and name not in there and name not in reasons:
            yield (f'{PLAYBOOKS}/{role}/: no task whose name says "{AGAIN}" calls the role a second time, to show that '
                   f'nothing changes; write one, or give the reason in {where} as "{AGAIN}: REASON"')
        elif name not in there and name not in reasons:
            yield f'{PLAYBOOKS}/{role}/{name}.yaml: missing; {what}; or give the reason in {where} as "{name}: REASON"'
    for name, reason in reasons.items():
        if not isinstance(reason, str) or len(reason.split()) < 3:
            yield f'{where}: {name} has no reason; write a sentence'
        if name in there:
            what = 'a call again' if name == AGAIN else f'{PLAYBOOKS}/{role}/{name}.yaml'
            yield f'{where}: {name} has a reason although {what} is there; remove one of them'
        elif name not in needed:
            yield f'{where}: {name} is no behaviour that the role needs; remove it'


def _is_called_again(root: Path, role: str) -> bool:
    return any(role in includes.used_roles([task]) for path in sorted((root / PLAYBOOKS / role).glob('**/*.yaml'))
               for task in files.mappings(files.read(root, path))
               if AGAIN in re.findall(r'\w+', str(task.get('name'))) and 'tasks' not in task)


def why_offline(root: Path, role: str, graph: dict[str, set[str]]) -> str:
    """Return why *role* has to be tried without a network, '' when it need not be.

    :raises files.Unreadable: a file of a role is no YAML.
    """
    for name in sorted(includes.with_all(graph, role), key=lambda name: (name != role, name)):
        for path in sorted((root / 'roles' / name).glob('tasks/**/*.yaml')):
            for key, _ in files.walk(files.read(root, path)):
                if key.removeprefix('ansible.builtin.') in FETCHING and key.startswith('ansible.builtin.'):
                    return f'{path.relative_to(root)} uses {key}'
        if name != role and (root / PLAYBOOKS / name / f'{OFFLINE}.yaml').exists():
            return f'the role {name}, which it brings in, is tried offline'
    return ''


def _outside(root: Path, role: str) -> Iterator[str]:
    """Yield the paths in test playbooks that lead out of the playbook's folder."""
    folder = PurePosixPath(PLAYBOOKS, role)
    for path in sorted((root / folder).glob('**/*.yaml')):
        here = path.relative_to(root).parent
        for key, value in files.walk(files.read(root, path)):
            for text in files.as_list(value):
                if key.rpartition('.')[2] in PATHS and _leads_out(text, PurePosixPath(here), folder):
                    yield (f'{path.relative_to(root)}: {key}: {text} lies outside of {folder}/, and an executor checks '
                           'out no more than that and roles/; copy what is needed into it')


def _leads_out(text: Any, here: PurePosixPath, folder: PurePosixPath) -> bool:
    if not isinstance(text, str) or not text.startswith('../'):
        return False
    parts = list(here.parts)
    for part in PurePosixPath(text).parts:
        if part == '..':
            del parts[-1:]
        else:
            parts.append(part)
    return not PurePosixPath(*parts).is_relative_to(folder)
