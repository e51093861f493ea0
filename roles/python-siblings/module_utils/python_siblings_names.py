# SPDX-License-Identifier: Apache-2.0
"""What a folder of sources is called as a Python package, and constraints files that would contradict sources."""
from __future__ import annotations

import ast
import configparser
import os
import re
from typing import Any
from urllib.parse import quote

try:
    import tomllib
except ImportError:  # before Python 3.11
    tomllib = None  # type: ignore[assignment]

_NAME = re.compile(r'\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)')
#: where a name stands in pyproject.toml: PEP 621, Poetry, Flit, each before the next
_TABLES = (('project', 'name'), ('tool.poetry', 'name'), ('tool.flit.metadata', 'dist-name'),
           ('tool.flit.metadata', 'module'))


def normal(name: str) -> str:
    """A project's name in the one spelling of PEP 503."""
    return re.sub(r'[-_.]+', '-', name).lower()


def name_in_pyproject(text: str) -> str | None:
    """The name that pyproject.toml gives, or None.

    A Python before 3.11 reads no TOML; then lines are looked at, and one line is all that is wanted.
    """
    try:
        data: Any = tomllib.loads(text) if tomllib else tables_of_lines(text)
    except ValueError:
        return None
    for table, key in _TABLES:
        found = data
        for part in table.split('.'):
            found = found.get(part) if isinstance(found, dict) else None
        name = found.get(key) if isinstance(found, dict) else None
        if isinstance(name, str) and name:
            return name
    return None


def tables_of_lines(text: str) -> dict[str, Any]:
    """The plain strings of a TOML text by their tables."""
    tables: dict[str, Any] = {}
    table = tables
    for line in text.splitlines():
        header = re.match(r'\s*\[([^\[\]]+)\]\s*(#.*)?$', line)
        if header:
            table = tables
            for part in header.group(1).split('.'):
                table = table.setdefault(part.strip(), {})
        found = re.match(r"""\s*([\w-]+)\s*=\s*(["'])(.*?)\2""", line)
        if found and not line.lstrip().startswith('['):
            table[found.group(1)] = found.group(3)
    return tables


def static_name(files: dict[str, str]) -> str | None:
    """The package name written in pyproject.toml, setup.cfg or setup.py (file name to text), or None."""
    name = name_in_pyproject(files.get('pyproject.toml', ''))
    if name:
        return name
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(files.get('setup.cfg', ''))
        name = parser.get('metadata', 'name').strip()
    except configparser.Error:
        name = ''
    return name or name_in_call(files.get('setup.py', ''))


def name_in_call(script: str) -> str | None:
    """The name that a setup script gives to ``setup()`` as plain text, or None.

    To run the script takes setuptools, which environments since Python 3.12 do not have.
    """
    try:
        nodes = list(ast.walk(ast.parse(script)))
    except (SyntaxError, ValueError):
        return None
    for node in nodes:
        if isinstance(node, ast.Call) and getattr(node.func, 'attr', getattr(node.func, 'id', '')) == 'setup':
            for keyword in node.keywords:
                if keyword.arg == 'name' and isinstance(keyword.value, ast.Constant):
                    return str(keyword.value.value)
    return None


def read_project(folder: str) -> dict[str, str]:
    """The texts of those files of a project that may say its name."""
    texts = {}
    for name in ('pyproject.toml', 'setup.cfg', 'setup.py'):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, encoding='utf-8', errors='replace') as stream:
                texts[name] = stream.read()
    return texts


def constraints_without(text: str, names: list[str]) -> str:
    """Constraints without those of *names*, which their sources would contradict; a backslash continues a line."""
    kept = []
    for line in re.findall(r'(?:[^\n]*\\\n)*[^\n]*\n?', text):
        found = _NAME.match(line)
        if not found or normal(found.group(1)) not in names:
            kept.append(line)
    return ''.join(kept)


def lines_for(folders: dict[str, str]) -> str:
    """Constraints that make an installer take each of *folders* (name to path) when something asks for its name."""
    return ''.join(f'{name} @ file://{quote(path)}\n' for name, path in sorted(folders.items()))
