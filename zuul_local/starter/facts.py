"""What a project's own files say about how it is tested. Nothing here does I/O."""

from __future__ import annotations

import ast
import configparser
import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: what is read of a project, below its folder
FILES = ('tox.ini', 'tox.toml', 'noxfile.py', 'pyproject.toml', 'setup.cfg', 'setup.py', 'pytest.ini', 'Makefile',
         'uv.lock', '.pre-commit-config.yaml', 'doc/source/conf.py', 'requirements.txt', 'test-requirements.txt',
         'requirements-dev.txt', 'dev-requirements.txt')
#: whose names alone tell something
FOLDERS = ('releasenotes/notes', 'tests', 'test')
_CLASSIFIER = re.compile(r'Programming Language :: Python :: (3\.\d+)\b')
_LOWEST = re.compile(r'(>=?|~=|==)\s*(3\.\d+)')
_PY = re.compile(r'py(?:thon)?(3)\.?(\d+)')
_PYTEST = re.compile(r'\s*pytest\s*(?:$|[\[<>=!~;(@ ])', re.IGNORECASE)


class Unreadable(Exception):
    """A file that says nothing because it cannot be read; the text has its name and the reason."""


@dataclass(frozen=True)
class Facts:
    """:ivar marks: what there is, mark -> where it is seen, in words.

    :ivar environments: names of environments or sessions that the project's runner has.
    :ivar pythons: the Pythons that the project names, oldest first, each with a dot; empty when it names none.
    :ivar oldest: the oldest Python that the project allows; empty when it does not say.
    :ivar pythons_from: where these are said, in words.
    :ivar pytest: what brings pytest: ``group``, ``extra`` or ``requirements``, and the name of it.
    """

    marks: Mapping[str, str] = field(default_factory=dict)
    environments: frozenset[str] = frozenset()
    pythons: tuple[str, ...] = ()
    oldest: str = ''
    pythons_from: str = ''
    pytest: tuple[str, str] = ('', '')


def look(files: Mapping[str, str], folders: Sequence[str] = ()) -> Facts:
    """Return what *files* (path -> text) and the names of *folders* say.

    :raises Unreadable: one of them is not what its name says.
    """
    pyproject = _toml(files, 'pyproject.toml')
    setup = _ini(files, 'setup.cfg')
    marks: dict[str, str] = {}
    environments: set[str] = set()
    for where, text_or_table in _tox(files, pyproject, setup):
        marks['tox'] = where
        environments |= set(text_or_table)
        break
    if 'noxfile.py' in files:
        marks['nox'] = 'noxfile.py'
        environments |= set() if 'tox' in marks else _sessions(files['noxfile.py'])
    if 'uv.lock' in files:
        marks['uv'] = 'uv.lock'
    if _at(pyproject, 'tool', 'hatch', 'envs'):
        marks['hatch'] = 'pyproject.toml'
    pytest = _pytest(files, pyproject, setup)
    if pytest != ('', ''):
        marks['pytest'] = f'the {pytest[0]} {pytest[1]} brings it' if pytest[0] != 'requirements' else \
            f'{pytest[1]} names it'
    elif 'pytest.ini' in files or _at(pyproject, 'tool', 'pytest') or setup.has_section('tool:pytest'):
        marks['pytest'] = 'it has settings here'
    if re.search(r'^test\s*:(?!=)', files.get('Makefile', ''), re.MULTILINE):
        marks['make'] = 'Makefile'
    tests = [folder for folder in ('tests', 'test') if folder in folders]
    packaged = 'build-system' in pyproject or 'setup.py' in files
    if tests and (packaged or pyproject):
        marks['unittest'] = tests[0]
    if '.pre-commit-config.yaml' in files:
        marks['pre_commit'] = '.pre-commit-config.yaml'
    if 'doc/source/conf.py' in files and 'docs' not in environments:
        marks['documentation'] = 'doc/source/conf.py'
    if 'releasenotes/notes' in folders:
        marks['release_notes'] = 'releasenotes/notes'
    if packaged:
        marks['package'] = 'pyproject.toml' if 'build-system' in pyproject else 'setup.py'
    pythons, oldest, where = _pythons(environments, marks.get('tox') or marks.get('nox', ''), pyproject, setup)
    return Facts(marks, frozenset(environments), pythons, oldest, where, pytest)


def expand(envlist: str) -> list[str]:
    """Return the names that an ``envlist`` of tox stands for: ``py{310,311}-x, docs`` are three."""
    names: list[str] = []
    for item in re.split(r'[,\n]+(?![^{]*})', envlist):
        parts = [part[1:-1].split(',') if part.startswith('{') else [part]
                 for part in re.findall(r'{[^}]*}|[^{}]+', item.strip())]
        parts = [[name.strip() for choice in part for name in _range(choice.strip())] for part in parts]
        names += [name for name in (''.join(words) for words in itertools.product(*parts)) if name]
    return list(dict.fromkeys(names))


def _range(choice: str) -> list[str]:
    """Return the numbers of ``310-314``; anything else as it is."""
    match = re.fullmatch(r'(\d+)-(\d+)', choice)
    if match is None or int(match[2]) - int(match[1]) not in range(100):
        return [choice]
    return [str(number) for number in range(int(match[1]), int(match[2]) + 1)]


def _toml(files: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(files.get(name, ''))
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f'{name}: no TOML: {error}') from error


def _ini(files: Mapping[str, str], name: str, text: str | None = None) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(files.get(name, '') if text is None else text)
    except configparser.Error as error:
        raise Unreadable(f'{name}: no INI file: {" ".join(str(error).split())}') from error
    return parser


def _at(table: Any, *keys: str) -> Any:
    """Return what lies at *keys* in nested tables, None where there is none."""
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _tox(files: Mapping[str, str], pyproject: dict[str, Any],
         setup: configparser.RawConfigParser) -> Iterator[tuple[str, list[str]]]:
    """Yield each configuration of tox, in its own order: where it is and the environments that it names."""
    if 'tox.ini' in files:
        yield 'tox.ini', _environments(_ini(files, 'tox.ini'), 'tox')
    if setup.has_section('tox:tox'):
        yield 'setup.cfg', _environments(setup, 'tox:tox')
    table = _at(pyproject, 'tool', 'tox')
    if isinstance(_at(table, 'legacy_tox_ini'), str):
        yield 'pyproject.toml', _environments(_ini(files, 'pyproject.toml', table['legacy_tox_ini']), 'tox')
    for where, own in (('pyproject.toml', table), ('tox.toml', _toml(files, 'tox.toml'))):
        if own:
            names = _at(own, 'env')
            yield where, _texts(_at(own, 'env_list')) + (list(names) if isinstance(names, dict) else [])


def _environments(parser: configparser.RawConfigParser, section: str) -> list[str]:
    listed = [parser.get(section, key, fallback='') for key in ('envlist', 'env_list')]
    names = expand('\n'.join(re.sub(r'#.*', '', text) for text in listed))
    for name in parser.sections():
        if name.startswith('testenv:'):
            names += expand(name.removeprefix('testenv:'))
    return names


def _sessions(text: str) -> set[str]:
    """Return the names of the sessions in a noxfile, read and not run."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise Unreadable(f'noxfile.py: no Python: {error}') from error
    names = set()
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        for mark in function.decorator_list:
            if not ast.unparse(mark).startswith(('nox.session', 'session')):
                continue
            given = [word.value.value for word in (mark.keywords if isinstance(mark, ast.Call) else ())
                     if word.arg == 'name' and isinstance(word.value, ast.Constant)]
            names.add(str(given[0]) if given else function.name)
    return names


def _pytest(files: Mapping[str, str], pyproject: dict[str, Any],
            setup: configparser.RawConfigParser) -> tuple[str, str]:
    """Return what brings pytest."""
    section = 'options.extras_require'
    extras = {name: setup.get(section, name).splitlines()
              for name in (setup.options(section) if setup.has_section(section) else ())}
    for kind, tables in (('group', _at(pyproject, 'dependency-groups')),
                         ('extra', _at(pyproject, 'project', 'optional-dependencies')), ('extra', extras)):
        for name, lines in tables.items() if isinstance(tables, dict) else ():
            if any(_PYTEST.match(line) for line in _texts(lines)):
                return kind, name
    for name, text in files.items():
        if name.endswith('.txt') and any(_PYTEST.match(line) for line in text.splitlines()):
            return 'requirements', name
    return '', ''


def _pythons(environments: set[str], source: str, pyproject: dict[str, Any],
             setup: configparser.RawConfigParser) -> tuple[tuple[str, ...], str, str]:
    """Return the Pythons that are named, the oldest that is allowed, and where that is said."""
    required = str(_at(pyproject, 'project', 'requires-python') or setup.get('options', 'python_requires', fallback='')
                   or setup.get('metadata', 'python_requires', fallback=''))
    lowest = _LOWEST.search(required)
    oldest = _next(lowest[2]) if lowest and lowest[1] == '>' else lowest[2] if lowest else ''
    listed = {f'{match[1]}.{match[2]}' for match in map(_PY.fullmatch, environments) if match}
    where = f'the environments of {source}'
    if not listed:
        texts = _texts(_at(pyproject, 'project', 'classifiers')) or [
            setup.get('metadata', key, fallback='') for key in ('classifiers', 'classifier')]
        listed, where = set(_CLASSIFIER.findall('\n'.join(texts))), 'the classifiers'
    if not listed:
        where = f'requires-python {required}' if oldest else ''
    return tuple(sorted(listed, key=_order)), oldest, where


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split('.'))


def _next(version: str) -> str:
    return f'3.{_order(version)[1] + 1}'
