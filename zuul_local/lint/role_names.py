"""The roles that a playbook names as literal text: in plays, tasks, and the playbooks and task files they take in.

Only what cannot be anything else is followed: names with expressions, paths and names in collections are for Ansible.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

_LITERAL = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_.-]*')
_TASK_LISTS = ('pre_tasks', 'tasks', 'post_tasks', 'handlers', 'block', 'rescue', 'always')
_BUILTIN = ('ansible.builtin.', 'ansible.legacy.', '')
_ROLE_ACTIONS = {f'{prefix}{name}' for prefix in _BUILTIN for name in ('import_role', 'include_role')}
_FILE_ACTIONS = {f'{prefix}{name}' for prefix in _BUILTIN
                 for name in ('import_playbook', 'import_tasks', 'include_tasks')}


@dataclass(frozen=True)
class Use:
    """A role that a file names.

    :ivar path: the file.
    :ivar line: line of the name, counted from 1.
    :ivar certain: whether the role is wanted whatever happens; a condition may spare an included one.
    """

    path: Path
    line: int
    name: str
    certain: bool


class BadFile(Exception):
    """A file that is not YAML; *line* is 0 when not known."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.line = line


def roles_used(path: Path, root: Path) -> list[Use]:
    """Return the roles that the playbook *path* of the repository *root* names.

    :raises BadFile: it, or a file that it takes in, is not YAML.
    """
    seen: set[Path] = set()
    return list(_in_file(path, root.resolve(), seen))


def _in_file(path: Path, root: Path, seen: set[Path]) -> Iterator[Use]:
    path = path.resolve()
    if path in seen or not path.is_relative_to(root) or not path.is_file():
        return
    seen.add(path)
    try:
        node = yaml.compose(path.read_text(encoding='utf-8'), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, 'problem_mark', None)
        raise BadFile(path, mark.line + 1 if mark else 0, getattr(error, 'problem', None) or str(error)) from error
    except UnicodeDecodeError as error:
        raise BadFile(path, 0, f'not UTF-8 at byte {error.start}') from error
    for use in _in_list(node, False):
        if isinstance(use, Use):
            yield Use(path, use.line, use.name, use.certain)
        else:
            yield from _in_file(path.parent / use, root, seen)


def _in_list(node: yaml.Node | None, conditional: bool) -> Iterator[Use | str]:
    """Yield the roles, and as text the files, that a list of plays or tasks names."""
    for entry in node.value if isinstance(node, yaml.SequenceNode) else ():
        if isinstance(entry, yaml.MappingNode):
            yield from _in_entry({key.value: value for key, value in entry.value}, conditional)


def _in_entry(entry: dict[str, yaml.Node], conditional: bool) -> Iterator[Use | str]:
    if 'collections' in entry:      # any bare name may be one of theirs
        return
    conditional = conditional or 'when' in entry
    for key, value in entry.items():
        if key == 'roles' and isinstance(value, yaml.SequenceNode):
            for role in value.value:
                yield from _use(_argument(role, 'role') or _argument(role, 'name') or role, True)
        elif key in _TASK_LISTS:
            yield from _in_list(value, conditional)
        elif key in _ROLE_ACTIONS:
            name = _argument(value, 'name') or _argument(value, 'role') or _argument(entry.get('args'), 'name')
            yield from _use(name, key.endswith('import_role') or not conditional)
        elif key in _FILE_ACTIONS:
            file = _argument(value, 'file') or value
            if isinstance(file, yaml.ScalarNode) and '{{' not in file.value and '=' not in file.value:
                yield file.value


def _argument(node: yaml.Node | None, name: str) -> yaml.Node | None:
    """Return the value of *name* in a mapping, or in text of the form ``name=value``."""
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == name), None)
    if isinstance(node, yaml.ScalarNode):
        match = re.search(rf'(?:^|\s){name}=(\S+)', node.value)
        if match:
            return yaml.ScalarNode(node.tag, match.group(1).strip('\'"'), node.start_mark, node.end_mark)
    return None


def _use(node: yaml.Node | None, certain: bool) -> Iterator[Use]:
    if isinstance(node, yaml.ScalarNode) and _LITERAL.fullmatch(node.value) and node.value.count('.') < 2:
        yield Use(Path(), node.start_mark.line + 1, node.value, certain)
