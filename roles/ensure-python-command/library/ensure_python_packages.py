#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Install packages, requirement files and a project into a virtual environment that a job shares."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_python_packages
short_description: Install Python packages into a virtual environment
description:
  - Makes the environment, with pip in it, where it is not there yet, and installs all that is asked for in one step.
  - What the lock knows comes with its hashes from the wheel cache, else from the index. Everything else comes from the
    index, or from the wheel cache where no index answers.
options:
  venv_path: {description: Path of the environment., type: path, required: true}
  python: {description: Python that makes the environment., type: str, default: python3}
  packages: {description: Requirements as of PEP 508., type: list, elements: str, default: []}
  requirements: {description: Requirement files., type: list, elements: path, default: []}
  constraints: {description: Path or address of a constraints file., type: str, default: ''}
  project: {description: Folder of a project to install; none when empty., type: path}
  locks: {description: Texts of requirement files with hashes, by project., type: dict, default: {}}
  installer_locks: {description: Text of such a file that names pip., type: str, default: ''}
  wheel_cache: {description: Folder of wheels on the node., type: path, default: /opt/cache/wheels}
  role: {description: Name of the role for messages., type: str, default: ensure-python-command}
  timeout: {description: Seconds that one step may take., type: int, default: 1200}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Have sphinx beside what the documentation needs
  ensure_python_packages:
    venv_path: /home/zuul/.venv
    packages: [sphinx]
    requirements: [/home/zuul/src/example.org/project/doc/requirements.txt]
"""
RETURN = r"""
source: {description: "C(cache), C(index), or C(present) when all was there.", type: str, returned: success}
installed: {description: Versions of the named packages., type: dict, returned: success}
"""

import os
import re
import shutil
from hashlib import sha256
from typing import Any, Iterator, NamedTuple

from ansible.module_utils import ensure_python_command_environment as environments
from ansible.module_utils import ensure_python_command_index as package_index
from ansible.module_utils import ensure_python_command_installers as installers
from ansible.module_utils import ensure_python_command_lock as locks
from ansible.module_utils import ensure_python_command_pep440 as pep440
from ansible.module_utils.ensure_python_command_image import Run
from ansible.module_utils.ensure_python_command_install import fetched_pip
from ansible.module_utils.ensure_python_command_request import Refused, Request, refusal
from ansible.module_utils.ensure_python_command_run import bounded

#: a requirement of PEP 508 that names a project of an index: no address, no option
_REQUIREMENT = re.compile(r'(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?P<extras>\[[A-Za-z0-9._,\s-]*\])?'
                          r'\s*\(?(?P<specifiers>[^;@\s()][^;@()]*)?\)?\s*(?:;.*)?')
_ADDRESS = re.compile(r'(https?|file)://\S+')
_ASK = r"""
import sys
from importlib.metadata import PackageNotFoundError, version
print('.'.join(map(str, sys.version_info[:2])))
for name in sys.argv[1:]:
    try:
        print(name, version(name))
    except PackageNotFoundError:
        pass
"""


class Wanted(NamedTuple):
    """What has to be in the environment, validated."""

    venv: str
    python: str
    packages: tuple[str, ...]
    requirements: tuple[str, ...]
    constraints: str
    project: str

    @property
    def names(self) -> list[str]:
        """The projects that are named."""
        return [found.group('name') for found in map(_REQUIREMENT.fullmatch, self.packages) if found]


def problems(params: dict[str, Any]) -> list[str]:
    """All that is wrong with the parameters; each says value, rule and remedy."""
    found = []
    for package in params['packages']:
        match = _REQUIREMENT.fullmatch(package.strip())
        try:
            pep440.specifiers((match.group('specifiers') or '') if match else 'x')
        except pep440.InvalidSpecifier:
            found.append(f"the package '{package}' is no requirement of PEP 508 without an address. "
                         "Write e.g. 'sphinx', 'sphinx<8' or 'sphinx[test]>=7'; put others in a requirements file.")
    for path in params['requirements']:
        if not os.path.isfile(path):
            found.append(f"the requirements file '{path}' is not there. Name one that is.")
    constraints = params['constraints']
    if constraints and not _ADDRESS.fullmatch(constraints) and not os.path.isfile(constraints):
        found.append(f"the constraints file '{constraints}' is neither an address nor a file on the node. "
                     'Name one that is there, or leave it unset.')
    venv = params['venv_path']
    if not os.path.isabs(venv):
        found.append(f"the virtual environment '{venv}' is not an absolute path. "
                     f"Write e.g. '{os.path.expanduser('~')}/.venv'.")
    elif os.path.lexists(venv) and os.listdir(venv if os.path.isdir(venv) else os.path.dirname(venv)) \
            and not os.path.isfile(os.path.join(venv, 'pyvenv.cfg')):
        found.append(f"'{venv}' is there and no virtual environment. Remove it, or choose another path.")
    if shutil.which(params['python']) is None:
        found.append(f"the Python '{params['python']}' is not on the node. Name one that is, e.g. 'python3'.")
    return found


def state(venv: str) -> str:
    """A digest of what is installed in *venv*; of nothing where there is none."""
    total = sha256()
    for top, folders, files in sorted(os.walk(os.path.join(venv, 'lib'))):
        folders[:] = [folder for folder in folders if folder != '__pycache__']
        if top.endswith('.dist-info'):
            for name in ('METADATA', 'direct_url.json'):
                if name in files:
                    total.update(os.fsencode(top) + locks.sha256(os.path.join(top, name)).encode())
    return total.hexdigest()


def inside(venv: str, names: list[str], run: Run) -> tuple[str, dict[str, str]] | None:
    """The Python version of *venv* and the versions of the projects *names* in it; None where it does not run."""
    python = os.path.join(venv, 'bin', 'python')
    if not os.path.exists(python):
        return None
    code, out, _ = run([python, '-I', '-c', _ASK, *names], timeout=60)
    lines = out.splitlines()
    return (lines[0], dict(line.split(' ', 1) for line in lines[1:])) if code == 0 and lines else None


def satisfied(wanted: Wanted, there: dict[str, str]) -> bool:
    """Tell whether the named packages are all there; files and projects cannot be told without an installer."""
    if wanted.requirements or wanted.project:
        return False
    for match in map(_REQUIREMENT.fullmatch, wanted.packages):
        if match is None or match.group('extras'):
            return False
        version = there.get(match.group('name'))
        if version is None or not pep440.satisfies(version, match.group('specifiers') or ''):
            return False
    return True


def locked_lines(wanted: Wanted, texts: dict[str, str], environment: dict[str, str]) -> list[locks.Pin]:
    """The pins of the one package that is asked for, if a lock knows it and nothing else has a say; else none."""
    if wanted.requirements or wanted.project or wanted.constraints or len(wanted.packages) != 1:
        return []
    match = _REQUIREMENT.fullmatch(wanted.packages[0])
    name = locks.normal(match.group('name')) if match and not match.group('extras') else ''
    pins = locks.needed(locks.read(texts.get(name, '')), name, environment) or []
    own = next((pin for pin in pins if pin.name == name), None)
    specifiers = (match.group('specifiers') or '') if match else ''
    return pins if own and pep440.satisfies(own.version, specifiers) else []


def make(wanted: Wanted, request: Request, pins: list[locks.Pin], run: Run) -> None:
    """Make the environment with pip in it. Raises Refused and leaves none."""
    parent = os.path.dirname(wanted.venv)
    pip = installers.find_pip(request, pins)
    try:
        if pip is None:
            pip = fetched_pip(pins, package_index.of_node(), parent)
        steps = [[wanted.python, '-m', 'venv', '--clear', '--without-pip', wanted.venv],
                 [os.path.join(wanted.venv, 'bin', 'python'), os.path.join(pip.path, 'pip'), 'install', '--quiet',
                  '--isolated', '--disable-pip-version-check', '--no-index', '--no-deps', pip.path]]
        for argv in steps:
            code, out, err = run(argv, timeout=request.timeout)
            if code != 0:
                raise Refused(environments.words_of(err, out))
    except Refused as error:
        shutil.rmtree(wanted.venv, ignore_errors=True)
        raise Refused(f'{wanted.venv} cannot be made: {error}') from error
    finally:
        installers.clear(parent)


def argv_of(wanted: Wanted, installer: installers.Installer, words: list[str], cached: str,
            no_index: bool) -> list[str]:
    """The call that installs *words*; *cached* is the folder of wheels when no index is to be asked."""
    python = os.path.join(wanted.venv, 'bin', 'python')
    if installer.kind == 'uv':
        argv = [installer.path, 'pip', 'install', '--python', python, '--no-config', '--no-cache', '--quiet',
                '--no-python-downloads'] + (['--offline'] if cached else [])
    else:
        argv = [python, '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--quiet']
    if cached:
        argv += ['--no-index', '--find-links', cached]
    elif no_index and installer.kind == 'uv':
        argv.append('--no-index')
    return argv + words


def words(wanted: Wanted) -> list[str]:
    """What an installer is told to install."""
    found = [package.strip() for package in wanted.packages]
    for path in wanted.requirements:
        found += ['--requirement', path]
    if wanted.project:
        found.append(wanted.project)
    if wanted.constraints:
        found = ['--constraint', wanted.constraints, *found]
    return found


def places(wanted: Wanted, request: Request, pins: list[locks.Pin], site: package_index.Site, tried: list[str],
           run: Run) -> Iterator[tuple[str, str, list[str]]]:
    """Where it may come from, best first: source, folder of wheels (empty for the index), and what to install.

    Why others are passed over is told in *tried*; the index is asked only where the cache did not do. Raises Refused.
    """
    told = words(wanted)
    if pins:
        lines = os.path.join(wanted.venv, 'locked-requirements.txt')
        with open(lines, 'w', encoding='utf-8') as stream:
            stream.write('\n'.join(pin.line() for pin in pins) + '\n')
        told = ['--require-hashes', '--no-deps', '--only-binary', ':all:', '--requirement', lines]
        missing, wrong = locks.check_cache(pins, request.wheel_cache)
        if wrong:
            raise Refused(locks.other_bytes(wrong))
        if missing:
            tried.append(f'cache {request.wheel_cache}: {locks.lacking(missing)}')
        else:
            yield 'cache', request.wheel_cache, told
    why = package_index.unreachable(site, run)
    if not why:
        yield 'index', '', told
        return
    tried.append(f'index {site}: {why}')
    if not pins and os.path.isdir(request.wheel_cache):
        yield 'cache', request.wheel_cache, told
    elif not pins:
        tried.append(f'cache {request.wheel_cache}: not there')


def fill(wanted: Wanted, request: Request, pins: list[locks.Pin], run: Run) -> str:
    """Install what is wanted and return the source. Raises Refused with every place that was tried."""
    tried: list[str] = []
    site = package_index.of_node()
    # uv keeps projects and requirement files apart from what pip accepts in them: those are pip's
    uv = installers.find_uv(run) if pins or not (wanted.project or wanted.requirements) else None
    pip = installers.Installer('pip', '', '')
    able = [uv, pip] if uv else [pip]
    for source, cached, told in places(wanted, request, pins, site, tried, run):
        for installer in able:
            settings = environments.uv_environment(site) if installer.kind == 'uv' and not cached else {}
            code, out, err = run(argv_of(wanted, installer, told, cached, site.no_index), timeout=request.timeout,
                                 environment=settings)
            if code == 0:
                return source
            tried.append(f'{source} {cached or site}: ' + (environments.words_of(err, out) or f'exit code {code}'))
    raise Refused('\n'.join(['cannot install ' + ' '.join(words(wanted)), 'Tried:'] + [f'  - {one}' for one in tried]))


def ensure(params: dict[str, Any], run: Run, check_mode: bool) -> dict[str, Any]:
    """Return the task's result. Raises Refused."""
    found = problems(params)
    if found:
        raise Refused(refusal(params['role'], found))
    wanted = Wanted(os.path.normpath(params['venv_path']), shutil.which(params['python']) or params['python'],
                    tuple(params['packages']), tuple(params['requirements']), params['constraints'],
                    params['project'] or '')
    request = Request('', '', '', '', wanted.venv, ('cache', 'index'), 'auto', False, False, params['wheel_cache'],
                      params['timeout'])
    environment = pep440.marker_environment()
    there = inside(wanted.venv, wanted.names, run)
    if there and satisfied(wanted, there[1]):
        return {'changed': False, 'source': 'present', 'installed': there[1]}
    if check_mode:
        return {'changed': True, 'source': 'undecided', 'installed': {}}
    before = state(wanted.venv)
    try:
        if there is None:
            make(wanted, request, locks.applicable(params['installer_locks'], environment), run)
            there = inside(wanted.venv, [], run)
        # a lock is read for the Python of the environment, which need not be that of this module
        version = there[0] if there else environment['python_version']
        source = fill(wanted, request, locked_lines(wanted, params['locks'], {
            **environment, 'python_version': version, 'python_full_version': f'{version}.0'}), run)
    except Refused as error:
        raise Refused(f"{params['role']}: {error}") from error
    after = inside(wanted.venv, wanted.names, run)
    return {'changed': state(wanted.venv) != before, 'source': source, 'installed': after[1] if after else {}}


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'venv_path': {'type': 'path', 'required': True},
            'python': {'type': 'str', 'default': 'python3'},
            'packages': {'type': 'list', 'elements': 'str', 'default': []},
            'requirements': {'type': 'list', 'elements': 'path', 'default': []},
            'constraints': {'type': 'str', 'default': ''},
            'project': {'type': 'path'},
            'locks': {'type': 'dict', 'default': {}},
            'installer_locks': {'type': 'str', 'default': ''},
            'wheel_cache': {'type': 'path', 'default': '/opt/cache/wheels'},
            'role': {'type': 'str', 'default': 'ensure-python-command'},
            'timeout': {'type': 'int', 'default': 1200},
        },
        supports_check_mode=True)
    params = dict(module.params)
    # the result repeats the parameters: a log needs to know which locks those were, not their texts
    module.params['locks'] = {name: sha256(text.encode()).hexdigest() for name, text in params['locks'].items()}
    module.params['installer_locks'] = sha256(params['installer_locks'].encode()).hexdigest()
    try:
        module.exit_json(**ensure(params, bounded(module.run_command), module.check_mode))
    except Refused as error:
        module.fail_json(msg=str(error))
    except (OSError, locks.InvalidLock, pep440.InvalidMarker) as error:
        module.fail_json(msg=f"{params['role']}: {error}")


if __name__ == '__main__':
    main()
