"""YAML files as the other checks read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml


class Unreadable(Exception):
    """A file that is no YAML; the message has its name and, where known, the line."""


class _Loader(yaml.SafeLoader):
    """Takes Zuul's tags (``!encrypted/…``, ``!inherit``, ``!override``, …) for the values behind them."""


def _behind(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)  # type: ignore[arg-type]


_Loader.add_multi_constructor('!', _behind)


def read(root: Path, path: Path) -> Any:
    """Return the content of *path*, None when it is empty.

    :raises Unreadable: it is no YAML; the message names it as seen from *root*.
    """
    try:
        return yaml.load(path.read_text(encoding='utf-8'), _Loader)
    except yaml.MarkedYAMLError as error:
        line = f':{error.problem_mark.line + 1}' if error.problem_mark else ''
        raise Unreadable(f'{path.relative_to(root)}{line}: no YAML: {error.problem}') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Unreadable(f'{path.relative_to(root)}: no YAML: {error}') from error


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, at any depth of *value*."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), inner
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping, at any depth of *value*."""
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from mappings(inner)
    if isinstance(value, dict):
        yield value


def objects(root: Path, folder: str, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield file name and content of each object of *kind* (``job``, …) in the configuration folder *folder*.

    :raises Unreadable: one of the files is no YAML.
    """
    for path in sorted((root / folder).glob('**/*.yaml')):
        for item in read(root, path) or []:
            if isinstance(item, dict) and isinstance(item.get(kind), dict):
                yield str(path.relative_to(root)), item[kind]


def as_list(value: Any) -> list[Any]:
    """Return *value* as the list that Zuul makes of it."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
