"""Roles: what is told about a variable at three places must be the same, and nothing that a role needs is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from zuul_local.lint.library import files

NEEDED = ('README.rst', 'meta/argument_specs.yaml', 'meta/main.yaml', 'tasks/main.yaml')
NONE = object()

_ROLEVAR = re.compile(r'^(?P<indent> *)\.\. zuul:rolevar:: *(?P<name>\S+) *$')
_OPTION = re.compile(r'^ +:(?P<key>[a-z]+):(?: +(?P<value>.*?))? *$')


def problems(root: Path) -> list[str]:
    """Return what is wrong with the roles of the library in *root*, one line each."""
    found: list[str] = []
    for role in role_names(root):
        try:
            found += _role(root, role)
        except files.Unreadable as error:
            found.append(str(error))
    return found


def role_names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / 'roles').glob('*') if path.is_dir() and path.name != '__pycache__')


def options(root: Path, role: str) -> dict[str, dict[str, Any]]:
    """Return the declared variables of *role*, those of all its entry points.

    :raises files.Unreadable: the declaration is no YAML.
    """
    path = root / 'roles' / role / 'meta' / 'argument_specs.yaml'
    spec = files.read(root, path) if path.exists() else None
    entries = ((spec or {}).get('argument_specs') or {}).values()
    return {name: option for entry in entries for name, option in ((entry or {}).get('options') or {}).items()}


def rolevars(readme: str) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Yield line number, name and options of each variable that a README tells; members of a variable are left out."""
    lines = readme.splitlines()
    for number, line in enumerate(lines):
        match = _ROLEVAR.match(line)
        if not match or match['indent']:
            continue
        told = {}
        for below in lines[number + 1:]:
            option = _OPTION.match(below)
            if not option:
                break
            told[option['key']] = option['value'] or ''
        yield number + 1, match['name'], told


def _role(root: Path, role: str) -> Iterator[str]:
    folder = root / 'roles' / role
    missing = [name for name in NEEDED if not (folder / name).exists()]
    yield from (f'roles/{role}/{name}: missing' for name in missing)
    if 'meta/argument_specs.yaml' in missing:
        return
    declared = options(root, role)
    path = folder / 'defaults' / 'main.yaml'
    defaults = (files.read(root, path) if path.exists() else None) or {}
    yield from _defaults(role, declared, defaults)
    if 'README.rst' not in missing:
        yield from _readme(role, (folder / 'README.rst').read_text(encoding='utf-8'), declared, defaults)
    if 'meta/main.yaml' not in missing:
        meta = files.read(root, folder / 'meta' / 'main.yaml') or {}
        platforms = (meta.get('galaxy_info') or {}).get('platforms') or []
        tested = [one for one in platforms if isinstance(one, dict) and one.get('name') and one.get('versions')]
        if not platforms or tested != platforms:
            yield (f'roles/{role}/meta/main.yaml: galaxy_info.platforms must list the tested platforms, '
                   'with name and versions')


def _defaults(role: str, declared: dict[str, dict[str, Any]], defaults: dict[str, Any]) -> Iterator[str]:
    where = f'roles/{role}/meta/argument_specs.yaml'
    for name in sorted(set(defaults) - set(declared)):
        yield f'{where}: {name} is missing, defaults/main.yaml has it'
    for name, option in sorted(declared.items()):
        for key in ('type', 'description'):
            if not option.get(key):
                yield f'{where}: {name} has no {key}'
        wanted, seen = defaults.get(name, NONE), option.get('default', NONE)
        if seen is not NONE and wanted is NONE:
            yield (f'{where}: {name} has default {seen!r}, which Ansible never applies: '
                   'write it to defaults/main.yaml too')
        elif wanted is not NONE and not _same(wanted, seen):
            told = 'no default' if seen is NONE else f'default {seen!r}'
            yield f'{where}: {name} has {told}, defaults/main.yaml has {wanted!r}'
        if wanted is not NONE and option.get('required'):
            yield f'{where}: {name} is required although defaults/main.yaml has it'


def _readme(role: str, text: str, declared: dict[str, dict[str, Any]], defaults: dict[str, Any]) -> Iterator[str]:
    where = f'roles/{role}/README.rst'
    titles = re.findall(r'^(\S.*)\n[-=~]{3,}$|^\*\*(.+?)\*\*', text, re.MULTILINE)
    if not any(title.startswith('Differences') for pair in titles for title in pair):
        yield f'{where}: nothing about "Differences"'
    if '.. code-block:: yaml' not in text:
        yield f'{where}: no example, as ".. code-block:: yaml"'
    told = list(rolevars(text))
    names = [name for _, name, _ in told]
    for name in sorted(set(declared) - set(names)):
        yield f'{where}: {name} is missing, meta/argument_specs.yaml has it'
    for number, name, given in told:
        if names.count(name) > 1:
            yield f'{where}:{number}: {name} is told more than once'
        if name not in declared:
            yield f'{where}:{number}: {name} is no variable in meta/argument_specs.yaml'
            continue
        kind = declared[name].get('type', 'str')
        if given.get('type', kind) != kind:
            yield f'{where}:{number}: {name} has type {given["type"]}, meta/argument_specs.yaml has {kind}'
        wanted = defaults.get(name, NONE)
        if not told_right(wanted, given.get('default')):
            seen = f'default {given["default"]}' if 'default' in given else 'no default'
            right = 'none' if wanted is NONE else repr(wanted)
            yield f'{where}:{number}: {name} has {seen}, defaults/main.yaml has {right}'


def told_right(wanted: Any, text: str | None) -> bool:
    """Tell whether *text*, a README's ``:default:`` or None without one, stands for the value *wanted*.

    A value that a private variable of the role decides (``{{ __… }}``) may be told in words.
    """
    if wanted is NONE:
        return text is None
    if isinstance(wanted, str) and re.search(r'{{.*\b__\w', wanted):
        return True
    if text is None:
        return False
    if isinstance(wanted, str) and wanted and text == wanted:
        return True
    try:
        return _same(yaml.safe_load(text), wanted)
    except yaml.YAMLError:
        return False


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
