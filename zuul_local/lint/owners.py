"""Which repository would bring a name that the tenant lacks, and how to add it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import yaml

from zuul_local.tenant.settings import FILE


@functools.cache
def known() -> Mapping[str, Mapping[str, str]]:
    """Return the table of well-known names: kind ('templates', 'jobs', 'nodesets') -> name or prefix -> project."""
    table: Mapping[str, Mapping[str, str]] = yaml.safe_load(Path(__file__).with_name('owners.yaml').read_text('utf-8'))
    return table


def owner(kind: str, name: str) -> str:
    """Return the canonical name of the project that is known to bring *name*, '' when none is."""
    for pattern, project in known()[kind].items():
        if name == pattern or (pattern.endswith('*') and name.startswith(pattern[:-1])):
            return project
    return ''


def how_to_add(project: str) -> str:
    """Say how the repository *project* (canonical name, name, or '' if nobody knows which) gets into the tenant."""
    if not project:
        return ('Add the repository that defines it: --with HOST/NAME=DIR, or once for all in '
                f'{FILE}:\nprojects: {{HOST/NAME: DIR}}')
    canonical = project if '.' in project.partition('/')[0] else f'opendev.org/{project}'
    folder = f'../{canonical.rpartition("/")[2]}'
    return (f'Add a clone of it: --with {canonical}={folder}, or once for all in '
            f'{FILE}:\nprojects: {{{canonical}: {folder}}}')


def hint(kind: str, name: str) -> str:
    """Say which repository brings *name*, as far as that is known, and how to add it."""
    project = owner(kind, name)
    return (f'It is known to come from {project}.\n' if project else '') + how_to_add(project)
