"""The line of one key in a configuration file: Zuul itself remembers only where a stanza starts."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml


def line_of(path: str, stanza_line: int, keys: Sequence[str]) -> int:
    """Return the line of the last of *keys*, going down from the stanza that starts at *stanza_line* of file *path*.

    Steps that the file does not show (a file that is gone, a list that is built otherwise) end the search early.

    :param keys: for example ('job', 'vars', 'tox_envlist'). In a list, a key finds the entry that has it.
    :returns: counted from 1; that of the last key found, at least *stanza_line*.
    """
    node, line = _stanza(path, stanza_line), stanza_line
    for key in keys:
        for name, value in _pairs(node):
            if name.value == key:
                node, line = value, name.start_mark.line + 1
                break
        else:
            return line
    return line


def _stanza(path: str, line: int) -> yaml.Node | None:
    document = _document(path)
    entries = document.value if isinstance(document, yaml.SequenceNode) else ()
    return next((entry for entry in entries if entry.start_mark.line + 1 == line), None)


@functools.cache
def _document(path: str) -> yaml.Node | None:
    try:
        return yaml.compose(Path(path).read_text(encoding='utf-8'), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None


def _pairs(node: yaml.Node | None) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Yield key and value nodes of a mapping or of the mappings in a list; own keys before merged ones."""
    if isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from _pairs(entry)
    elif isinstance(node, yaml.MappingNode):
        yield from ((key, value) for key, value in node.value if key.value != '<<')
        for key, value in node.value:
            if key.value == '<<':
                yield from _pairs(value)
