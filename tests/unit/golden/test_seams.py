"""Zuul's functions that ours replace, call or rely on: a bump of Zuul that changes one of them is to be looked at."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import unittest
from pathlib import Path

import yaml

TABLE = Path(__file__).with_name('seams.yaml')


class TestSeams(unittest.TestCase):
    def test_nothing_changed(self):
        changed = []
        for file, parts in yaml.safe_load(TABLE.read_text(encoding='utf-8')).items():
            for name, (known, ours) in parts.items():
                now = digest_of(file, name)
                if now != known:
                    changed.append(f'{file}: {name} is {now}, was {known}: read it again, then {ours}')
        self.assertEqual([], changed, f'Zuul {importlib.metadata.version("zuul")} differs from the one that this was '
                         f'written for. Put the new digests into {TABLE.name} when all of these are looked at.')

    def test_a_change_is_noticed(self):
        source = 'class A:\n    x = 1\n\n    @property\n    def b(self):\n        return 1\n'
        self.assertEqual('    @property\n    def b(self):\n        return 1', part(source, 'A.b'))
        self.assertNotEqual(part(source, 'A.b'), part(source.replace('return 1', 'return 2'), 'A.b'))
        self.assertIsNone(part(source, 'A.c'))


def digest_of(file: str, name: str) -> str:
    """Return the digest of a class or function of the installed Zuul, 'gone' when there is none of that name.

    :param file: relative to the package, which need not be imported for it.
    """
    spec = importlib.util.find_spec('zuul')
    assert spec is not None and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0], file)
    text = part(path.read_text(encoding='utf-8'), name) if path.is_file() else None
    return 'gone' if text is None else digest(text)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def parsed(source: str) -> ast.Module:
    return ast.parse(source)


def part(source: str, name: str) -> str | None:
    """Return the text of the class or function *name* (Outer.inner) in *source*, decorators included."""
    body = parsed(source).body
    found: ast.AST | None = None
    for word in name.split('.'):
        found = next((node for node in body if getattr(node, 'name', None) == word), None)
        if not isinstance(found, (ast.ClassDef, ast.FunctionDef)):
            return None
        body = found.body
    assert isinstance(found, (ast.ClassDef, ast.FunctionDef))
    first = min([found.lineno, *(one.lineno for one in found.decorator_list)])
    return '\n'.join(source.splitlines()[first - 1:found.end_lineno])
