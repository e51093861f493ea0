"""Every role is tried: it has test playbooks that use it, and a job of ours that runs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zuul_local.lint.library import files, jobs, roles

_INCLUDES = tuple(f'{prefix}{verb}_role' for prefix in ('', 'ansible.builtin.') for verb in ('include', 'import'))


def problems(root: Path) -> list[str]:
    """Return which roles of the library in *root* are not tried, and which test playbooks nothing runs."""
    try:
        return list(_problems(root))
    except files.Unreadable as error:
        return [str(error)]


def used_roles(playbook: Any) -> set[str]:
    """Return the roles that a playbook includes, at any depth."""
    used = set()
    for key, value in files.walk(playbook):
        if key in _INCLUDES and isinstance(value, dict):
            used.add(str(value.get('name')))
        elif key == 'roles':
            used.update(str(one.get('role') or one.get('name')) if isinstance(one, dict) else str(one)
                        for one in files.as_list(value))
    return used


def _problems(root: Path) -> Iterator[str]:
    tests = {job['name']: job for _, job in files.objects(root, 'zuul-tests.d', 'job') if 'name' in job}
    run = {playbook for job in tests.values() for playbook in jobs.playbooks(job)}
    names = roles.role_names(root)
    for role in names:
        found = sorted((root / 'test-playbooks' / role).glob('*.yaml'))
        if not found:
            yield f'test-playbooks/{role}/: no playbook tries the role {role}'
        elif not any(role in used_roles(files.read(root, path)) for path in found):
            yield f'test-playbooks/{role}/: none of the playbooks includes the role {role}'
        if f'self-test-{role}' not in tests:
            yield f'zuul-tests.d/: no job self-test-{role}'
        for path in found:
            if str(path.relative_to(root)) not in run:
                yield f'{path.relative_to(root)}: no job in zuul-tests.d runs it'
    for folder in sorted(path.name for path in (root / 'test-playbooks').glob('*') if path.is_dir()):
        if folder not in names and any((root / 'test-playbooks' / folder).glob('*.yaml')):
            yield f'test-playbooks/{folder}/: there is no role {folder}'
