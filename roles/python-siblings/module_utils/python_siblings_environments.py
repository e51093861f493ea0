# SPDX-License-Identifier: Apache-2.0
"""Which environments a run of tox or nox uses, and which arguments would make it throw them away."""
from __future__ import annotations

import configparser
import json
import os
import re
from typing import Any, Callable, NamedTuple, Tuple
from urllib.parse import unquote, urlsplit

Run = Callable[..., Tuple[int, str, str]]

#: written for any Python, as environments may be of any
_DISTRIBUTIONS = """
import json, os
found = {}
try:
    from importlib.metadata import distributions
except ImportError:
    import pkg_resources
    for one in pkg_resources.working_set:
        found.setdefault(one.project_name, [one.version, one.location, None])
else:
    for one in distributions():
        name = one.metadata["Name"]
        if name and name not in found:
            address = json.loads(one.read_text("direct_url.json") or "{}").get("url")
            found[name] = [one.version, os.path.realpath(str(one.locate_file(""))), address]
print(json.dumps(found))
"""
_COLOURS = re.compile(r'\x1b\[[0-9;]*m')
_MADE = re.compile(r'nox > (?:Creating virtual environment \([^)]*\) using .+? in (?P<made>.+)'
                   r'|[Rr]e-?using existing virtual environment at (?P<there>.+?)\.?)\s*')
_THROW_AWAY = {'tox': {'-r', '--recreate'},
               'nox': {'-N', '--no-reuse-existing-virtualenvs', '--reuse-venv=no', '--reuse-venv=never', '-r', '-R',
                       '--reuse-existing-virtualenvs', '--reuse-venv=yes', '--reuse-venv=always', '--no-install'}}
_NEW_NOX = (2024, 3, 2)
#: the runner of tox-uv that follows uv.lock
_LOCKED = 'uv-venv-lock-runner'


class Refused(Exception):
    """Siblings cannot be used; the text is for people."""


class Environment(NamedTuple):
    """An environment: its name, its interpreter, and whether each run makes it what a lock describes."""

    name: str
    python: str
    locked: bool = False


class Distribution(NamedTuple):
    """An installed package: where its modules lie, and what it was installed from where that is known."""

    version: str
    location: str
    source: str

    def is_from(self, folder: str) -> bool:
        """Whether it comes from the sources in *folder*."""
        return os.path.realpath(folder) in (self.source, self.location) or self.location.startswith(
            os.path.realpath(folder) + os.sep)


def before_posargs(arguments: list[str]) -> list[str]:
    """The arguments that are tox's or nox's own."""
    return arguments[:arguments.index('--')] if '--' in arguments else arguments


def kept(arguments: list[str], runner: str) -> list[str]:
    """*arguments* without those that say whether environments are made anew, which would lose what is in them."""
    own = before_posargs(arguments)
    left = [word for number, word in enumerate(own) if word not in _THROW_AWAY[runner] and not (
        runner == 'nox' and (word == '--reuse-venv' or (number and own[number - 1] == '--reuse-venv')))]
    return left + arguments[len(own):]


def tox_argv(tox: str, config: str, envlist: str, arguments: list[str]) -> list[str]:
    """The question to tox about its environments; understood by tox 3 and 4."""
    others = [word for word in kept(before_posargs(arguments), 'tox')
              if not re.fullmatch(r'-[vq]+|--verbose|--quiet|-n|--notest', word)]
    return ([tox] + (['-c', config] if config else []) + (['-e', envlist] if envlist else []) + ['--showconfig']
            + others)


def of_tox(config: str, wanted: str) -> list[Environment]:
    """Read the answer of ``tox --showconfig``; *wanted* limits that of tox 3, which shows every environment."""
    lines = config.splitlines()
    start = next((number for number, line in enumerate(lines) if re.match(r'\[testenv:', line)), None)
    if start is None:
        return []
    parser = configparser.RawConfigParser(strict=False, delimiters=('=',), comment_prefixes=('#',), allow_no_value=True)
    parser.read_string('\n'.join(lines[start:]))
    names = [name for name in re.split(r'[\s,]+', wanted) if name]
    found = []
    for section in parser.sections():
        name = section[len('testenv:'):] if section.startswith('testenv:') else ''
        old = parser.get(section, 'envdir', fallback='') or ''
        folder = (parser.get(section, 'env_dir', fallback='') or old).strip()
        if not name or not folder or name.startswith('.package'):
            continue
        if old and names and 'ALL' not in names and name not in names:
            continue
        found.append(Environment(name, os.path.join(folder, 'bin', 'python'),
                                 parser.get(section, 'runner', fallback='') == _LOCKED))
    return found


def of_nox(output: str, project: str) -> list[Environment]:
    """The environments that nox says to have made or used again; relative ones are below *project*."""
    found = []
    for line in _COLOURS.sub('', output).splitlines():
        match = _MADE.fullmatch(line)
        folder = match and (match.group('made') or match.group('there'))
        if folder:
            path = os.path.join(project, os.path.expanduser(folder))
            found.append(Environment(os.path.basename(folder), os.path.join(path, 'bin', 'python')))
    return list(dict.fromkeys(found))


def tox_again(arguments: list[str], used: list[Environment]) -> list[str]:
    """What makes tox leave the environments *used* as they are, where it would make them what a lock describes.

    tox-uv is told by TOX_SKIP_UV_SYNC, which a tox that brings it in first does not refuse. Its command ``run`` alone
    heeds that, which has no parallel environments; the check after the run tells the rest.
    """
    told = any(re.match('-p|--parallel', word) or word in ('run', 'r', 'run-parallel', 'p')
               for word in before_posargs(arguments))
    return ['run'] if any(env.locked for env in used) and not told else []


def nox_again(version: str) -> list[str]:
    """What makes a nox of *version* run its sessions in the environments that are there, without installing."""
    numbers = tuple(int(part) for part in re.findall(r'\d+', version)[:3])
    return ['--reuse-venv=always' if numbers >= _NEW_NOX else '-r', '--no-install']


def environments(params: dict[str, Any], arguments: list[str], project: str, run: Run) -> list[Environment]:
    """The environments of the run that are there. Raises Refused."""
    if params['runner'] == 'nox':
        found = of_nox(params['output'], project)
    else:
        argv = tox_argv(params['executable'], params['config_file'], params['envlist'], arguments)
        code, out, err = run(argv, cwd=project)
        if code != 0:
            raise Refused(f'tox does not tell its configuration: {(err or out).strip()[-1000:]}')
        found = of_tox(out, params['envlist'])
    return [env for env in found if os.path.exists(env.python)]


def distributions(env: Environment, run: Run) -> dict[str, Distribution]:
    """What is installed in *env*, by its normal name. Raises Refused."""
    code, out, err = run([env.python, '-Es', '-c', _DISTRIBUTIONS], cwd='/')
    if code != 0:
        raise Refused(f'{env.python} does not tell what is installed: {err.strip()[-500:]}')
    found = {}
    for name, (version, location, address) in json.loads(out.splitlines()[-1]).items():
        parts = urlsplit(address or '')
        source = os.path.realpath(unquote(parts.path)) if parts.scheme == 'file' else ''
        found[re.sub(r'[-_.]+', '-', name).lower()] = Distribution(version, location, source)
    return found


