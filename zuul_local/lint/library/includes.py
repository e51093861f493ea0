"""Which roles a role, a playbook or a task file brings in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zuul_local.lint.library import files, roles

_INCLUDES = tuple(f'{prefix}{verb}_role' for prefix in ('', 'ansible.builtin.') for verb in ('include', 'import'))


def used_roles(content: Any) -> set[str]:
    """Return the roles that a playbook or a list of tasks includes, at any depth."""
    used = set()
    for key, value in files.walk(content):
        if key in _INCLUDES and isinstance(value, dict):
            used.add(str(value.get('name')))
        elif key == 'roles':
            used.update(_name(one) for one in files.as_list(value))
    return used


def of_roles(root: Path) -> dict[str, set[str]]:
    """Return each role of the library in *root* with those that it brings in by itself.

    :raises files.Unreadable: a file of a role is no YAML.
    """
    names = roles.role_names(root)
    return {name: set(_of_role(root, name)) & set(names) - {name} for name in names}


def _of_role(root: Path, role: str) -> Iterator[str]:
    folder = root / 'roles' / role
    meta = folder / 'meta' / 'main.yaml'
    for one in files.as_list((files.read(root, meta) or {}).get('dependencies') if meta.exists() else None):
        yield _name(one)
    for kind in ('tasks', 'handlers'):
        for path in sorted((folder / kind).glob('**/*.yaml')):
            yield from used_roles(files.read(root, path))


def with_all(graph: dict[str, set[str]], role: str) -> set[str]:
    """Return *role*, what it brings in, what that brings in, and so on."""
    found: set[str] = set()
    waiting = [role]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph.get(name, ())
    return found


def users(graph: dict[str, set[str]], role: str) -> set[str]:
    """Return *role* and every role that brings it in, at any distance."""
    return {name for name in graph if role in with_all(graph, name)} | {role}


def _name(entry: Any) -> str:
    return str(entry.get('role') or entry.get('name')) if isinstance(entry, dict) else str(entry)
