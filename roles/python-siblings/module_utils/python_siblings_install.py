# SPDX-License-Identifier: Apache-2.0
"""Install sources into an environment: with its own pip, with uv, or with the pip that Python came with."""
from __future__ import annotations

import glob
import os
import re
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from typing import NamedTuple
from urllib.parse import quote

from ansible.module_utils import python_siblings_names as names_of
from ansible.module_utils.python_siblings_environments import Distribution, Environment, Refused, Run

UV_PLACES = ('/usr/uv-env/bin/uv', '~/.local/uv/bin/uv')
#: the first whose constraints may be addresses of sources
_PIP = (21, 1)
_LIMIT = 16 << 20
_SECONDS = 60
_PROCESSING = re.compile(r'^(?:Processing|Obtaining) (\S+)', re.M)
_FAILED = re.compile(r"(?:Failed building wheel for|Failed to build|Failed to build installable wheels for some "
                     r"pyproject\.toml based projects)[:\s`'\"(]+([A-Za-z0-9][A-Za-z0-9._-]*)")


class Tool(NamedTuple):
    """What installs: pip or uv, the words to call it with, and whether constraints may be addresses."""

    kind: str
    argv: tuple[str, ...]
    addresses: bool = True


class Siblings(NamedTuple):
    """What there is to install: names to folders, and how."""

    folders: dict[str, str]
    constraints: str
    editable: bool


def find_uv(executable: str, envs: list[Environment]) -> str | None:
    """The uv that tox or nox use: on PATH, beside the command *executable* or the tox that it has installed for the
    project, or at the places of the library."""
    command = os.path.realpath(shutil.which(os.path.expanduser(executable)) or executable)
    folders = dict.fromkeys(os.path.dirname(os.path.dirname(os.path.dirname(env.python))) for env in envs)
    for place in (shutil.which('uv'), os.path.join(os.path.dirname(command), 'uv'),
                  *(os.path.join(folder, '.tox', 'bin', 'uv') for folder in folders), *UV_PLACES):
        path = os.path.expanduser(place or '')
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


def bundled_pip() -> str | None:
    """The newest pip wheel that the node's Python came with."""
    folders = ['/usr/share/python-wheels']
    try:
        import ensurepip  # absent where the distribution splits Python
        folders.insert(0, os.path.join(os.path.dirname(ensurepip.__file__), '_bundled'))
    except ImportError:
        pass
    wheels = [path for folder in folders for path in glob.glob(os.path.join(folder, 'pip-*.whl'))]
    return max(wheels, key=lambda path: _version(os.path.basename(path).split('-')[1]), default=None)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r'\d+', text)[:2])


def tool_for(env: Environment, there: dict[str, Distribution], uv: str | None, wheel: str | None) -> Tool:
    """What can install into *env*, where *there* is installed. Raises Refused."""
    pip = there.get('pip')
    if pip:
        return Tool('pip', (env.python, '-m', 'pip'), _version(pip.version) >= _PIP)
    if uv:
        return Tool('uv', (uv, 'pip'))
    if wheel:
        return Tool('pip', (sys.executable, os.path.join(wheel, 'pip'), '--python', env.python))
    raise Refused('it has no pip, and the node has neither uv nor a pip of its Python. Provide uv before, with the '
                  'role ensure-uv, or install the package python3-venv.')


def argv_of(tool: Tool, env: Environment, siblings: Siblings, names: list[str], constraints: str) -> list[str]:
    """The call that installs the siblings *names* together, so that what one of them needs fits the others."""
    argv = [*tool.argv, 'install']
    if tool.kind == 'uv':
        argv += ['--python', env.python, '--no-python-downloads']
        for name in names:
            argv += ['--reinstall-package', name, '--refresh-package', name]
    else:
        argv += ['--disable-pip-version-check', '--no-input']
    if constraints:
        argv += ['--constraint', constraints]
    for name in names:
        argv += ['--editable', siblings.folders[name]] if siblings.editable else [siblings.folders[name]]
    return argv


def read_constraints(place: str) -> str:
    """The text of a constraints file, by path or address. Raises Refused."""
    try:
        if re.match(r'https?://', place):
            with urllib.request.urlopen(place, timeout=_SECONDS) as answer:
                data = answer.read(_LIMIT + 1)
            if len(data) > _LIMIT:
                raise Refused(f'the constraints {place} have more than {_LIMIT >> 20} MiB. Name a smaller file.')
            return str(data.decode('utf-8', 'replace'))
        with open(place, encoding='utf-8', errors='replace') as stream:
            return stream.read()
    except (OSError, ValueError) as error:
        raise Refused(f'the constraints {place} cannot be read: {error}. They hold for what required projects need; '
                      'name a file that is there, or an address that answers.') from error


def blamed(output: str, folders: dict[str, str], names: list[str]) -> list[str]:
    """Which of *names* an installer could not install, by what it said; all of them where it does not say."""
    failed = {names_of.normal(name) for name in _FAILED.findall(output)}
    told = [name for name in names if name in failed or f"Failed to build 'file://{quote(folders[name])}'" in output]
    if told:
        return told
    begin = output.find('error:')
    last = _PROCESSING.findall(output[:begin] if begin >= 0 else '')
    return [name for name in names if last and os.path.basename(last[-1].rstrip('/')) == os.path.basename(
        folders[name].rstrip('/'))] or names


def install_into(env: Environment, tool: Tool, siblings: Siblings, names: list[str], run: Run) -> None:
    """Install *names* from their sources into *env*; those that they bring in come from theirs. Raises Refused."""
    others = {name: path for name, path in siblings.folders.items() if name not in names}
    text = names_of.constraints_without(siblings.constraints, list(siblings.folders))
    if tool.addresses:
        text = '\n'.join(filter(None, [text.rstrip('\n'), names_of.lines_for(others)]))
    constraints = ''
    try:
        if text.strip():
            with tempfile.NamedTemporaryFile('w', suffix='.txt', delete=False, encoding='utf-8') as stream:
                constraints = stream.name
                stream.write(text.rstrip('\n') + '\n')
        code, out, err = run(argv_of(tool, env, siblings, names, constraints), cwd=siblings.folders[names[0]])
    finally:
        if constraints:
            os.unlink(constraints)
    if code != 0:
        guilty = blamed(out + '\n' + err, siblings.folders, names)
        said = '\n'.join((out.strip() + '\n' + err.strip()).strip().splitlines()[-25:])
        raise Refused(f"{tool.kind} cannot install {', '.join(siblings.folders[name] for name in guilty)}:\n{said}")
