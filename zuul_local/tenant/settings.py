"""The file ``zuul-local.yaml`` of a project: other repositories by name, and labels of other sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from zuul_local.errors import UserError

FILE = 'zuul-local.yaml'


@dataclass(frozen=True)
class Settings:
    """:ivar projects: canonical name -> folder; :ivar labels: label that a job asks for -> label of ours."""

    projects: Mapping[str, Path] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def load(folder: Path, given: Sequence[str] = ()) -> Settings:
    """Read *folder*'s settings and add the ``NAME=DIR`` of the command line, which win.

    :raises UserError: a file or a word that is not in the right form.
    """
    path = folder / FILE
    projects: dict[str, Path] = {}
    labels: Mapping[str, str] = {}
    if path.is_file():
        content = _parse(path)
        projects = {name: (folder / where).resolve() for name, where in _texts(path, content, 'projects').items()}
        labels = _texts(path, content, 'labels')
    for word in given:
        name, equals, where = word.partition('=')
        if not equals or not name or not where:
            raise UserError(f'--with {word!r}: not of the form NAME=DIR.',
                            '--with opendev.org/openstack/requirements=../requirements')
        projects[name] = Path(where).expanduser().absolute()
    for name in projects:
        if not name.partition('/')[2]:
            raise UserError(f'{name!r} is not a canonical project name, which is HOST/NAME.',
                            f'Write it as for example opendev.org/{name}.')
    return Settings(projects, labels)


def _parse(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, 'problem_mark', None)
        where = f'{path}:{mark.line + 1}' if mark else str(path)
        raise UserError(f'{where}: not YAML: {getattr(error, "problem", None) or error}') from error
    content = {} if content is None else content
    known = {'projects', 'labels'}
    if not isinstance(content, dict) or set(content) - known:
        unknown = sorted(map(str, set(content) - known)) if isinstance(content, dict) else type(content).__name__
        raise UserError(f'{path}: {unknown} is not known; the keys are {sorted(known)}.')
    return content


def _texts(path: Path, content: Mapping[str, Any], key: str) -> dict[str, str]:
    value = content.get(key) or {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise UserError(f'{path}: {key!r} is {value!r}; it must be a mapping of text to text.')
    return value
