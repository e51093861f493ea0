"""The tools of the tests: where they are, and the environment that they are given. All argv are built here, purely."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zuul_local.environment.services import Services

STORES = 'ZLOCAL_PUBLISH'
"""Variable that leads the tests in tests/publish to the environment with servers and libraries of object stores."""
MODULES = 'ZLOCAL_PUBLISH_MODULES'
"""Variable that leads them to a folder ``node_modules`` with such servers."""
ROLES = ('.', 'config-project', 'bench/baseline')
"""Where folders of roles lie; a linter takes the first role of a name."""
CODE = {
    'library': 'ANSIBLE_LIBRARY',
    'module_utils': 'ANSIBLE_MODULE_UTILS',
    'action_plugins': 'ANSIBLE_ACTION_PLUGINS',
    'filter_plugins': 'ANSIBLE_FILTER_PLUGINS',
}
"""Folder of a role with Python files -> the variable that leads Ansible to it."""


@dataclass(frozen=True)
class Tools:
    """What is needed to run the tests of a library.

    :param venv: virtual environment of the locked test tools, Zuul as a library among them.
    :param collections: site-packages with the Ansible collections that the executor has.
    """

    venv: Path
    collections: Path

    def program(self, name: str) -> str:
        return str(self.venv / 'bin' / name)


def site_packages(venv: Path) -> Path:
    """Return the site-packages of *venv*.

    :raises StopIteration: it is no virtual environment.
    """
    return next(iter(sorted((venv / 'lib').glob('python3*/site-packages'))))


def plain_environment(root: Path, base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of tests: *base* and the library, so that they see what a user would."""
    return {**base, 'PYTHONPATH': str(root)}


def environment(tools: Tools, root: Path, base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of the other tools: they need to find roles, modules and collections."""
    folders = {kind: sorted(map(str, root.glob(f'roles/*/{kind}'))) for kind in CODE}
    return {
        **plain_environment(root, base),
        'ANSIBLE_COLLECTIONS_PATH': str(tools.collections),
        'ANSIBLE_HOME': str(root / '.ansible'),
        'ANSIBLE_LOCALHOST_WARNING': 'false',
        'ANSIBLE_ROLES_PATH': os.pathsep.join(str(root / name / 'roles') for name in ROLES),
        'MYPYPATH': os.pathsep.join(sorted(path for paths in folders.values() for path in paths)),
        'NO_COLOR': '1',
        'PATH': os.pathsep.join((str(tools.venv / 'bin'), base.get('PATH', os.defpath))),
        **{variable: os.pathsep.join(folders[kind]) for kind, variable in CODE.items()},
    }


def linters(tools: Tools, root: Path) -> dict[str, tuple[str, ...]]:
    """Return the command of each linter by its name, the slow ones first."""
    modules = sorted(str(path.relative_to(root)) for kind in CODE for path in root.glob(f'roles/*/{kind}/*.py'))
    return {
        'ansible-lint': (tools.program('ansible-lint'), '--offline', '--nocolor', '-q'),
        'mypy': (tools.program('mypy'), 'zuul_local', 'bench', 'tests', *modules),
        'check': (str(root / 'zuul-local'), 'check'),
        'yamllint': (tools.program('yamllint'), '--strict', '-f', 'parsable', '.'),
        'ruff': (tools.program('ruff'), 'check', '--output-format', 'concise', '.'),
        'docutils': (tools.program('docutils'), '--strict', 'README.rst', os.devnull),
        'reno': (tools.program('reno'), '--quiet', 'lint'),
    }


def stestr(tools: Tools, part: str, processes: int) -> tuple[str, ...]:
    """Return the stestr command that runs tests/*part* in so many *processes*."""
    return (tools.program('stestr'), '--test-path', f'tests/{part}', '--top-dir', '.', 'run', '--subunit',
            '--concurrency', str(processes))


def stack(tools: Tools, root: Path, needed: Services) -> tuple[str, ...]:
    """Return the words before a command that is run beside a whole Zuul."""
    return (tools.program('python'), '-m', 'tests.e2e', '--zuul', str(needed.venv), '--jars', str(needed.jars),
            '--keep', str(root / '.zuul-local/e2e'), '--')


def sphinx(tools: Tools) -> tuple[str, ...]:
    """Return the command that builds the documentation anew (-E: the parsed jobs would come from the last build)."""
    return (tools.program('sphinx-build'), '-E', '-W', '--keep-going', '-q', '-b', 'html',
            '-d', 'doc/build/doctrees', 'doc/source', 'doc/build/html')
