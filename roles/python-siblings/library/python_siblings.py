#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Install required projects from source into those environments of tox or nox that depend on them."""
from __future__ import annotations

DOCUMENTATION = r"""
module: python_siblings
short_description: Install required projects into environments of tox or nox
description:
  - Looks at what is installed in each environment of the run. A required project that is among it is installed again
    from its source, so that the tests see it as it is proposed.
  - With I(expected) it installs nothing, and fails where an environment has them from somewhere else.
options:
  runner: {description: C(tox) or C(nox)., type: str, default: tox, choices: [tox, nox]}
  executable: {description: Command or path of tox or nox., type: str, required: true}
  config_file: {description: Configuration of tox., type: str, default: ''}
  envlist: {description: Environments of tox; those of the configuration when empty., type: str, default: ''}
  arguments: {description: Further arguments of the run., type: str, default: ''}
  output: {description: What C(nox --install-only) said., type: str, default: ''}
  package_name: {description: Name of the tested project's package; it is never a sibling., type: str, default: ''}
  constraints: {description: Path or address of constraints for what siblings bring in., type: str, default: ''}
  editable: {description: Whether they are installed in place., type: bool, default: false}
  project_dir: {description: Folder of the tested project., type: path, required: true}
  siblings: {description: Folders of the required projects., type: list, elements: path, default: []}
  expected: {description: What a call before has returned as C(sources)., type: dict, default: {}}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Use the library as it is proposed
  python_siblings:
    executable: tox
    project_dir: src/example.org/app
    siblings: [src/example.org/library]
"""
RETURN = r"""
installed: {description: Environment to the packages installed from source., type: dict, returned: success}
sources:
  description:
    - Interpreter of an environment to its siblings and their folders. The folder is empty where nothing tells what a
      sibling was installed from.
  type: dict
  returned: success
not_used: {description: Packages of siblings that no environment depends on., type: list, returned: success}
no_package: {description: Siblings that are no Python project., type: list, returned: success}
arguments: {description: Arguments that run the tests in these environments., type: list, returned: success}
"""

import json
import os
import shlex
import sys
from typing import Any

from ansible.module_utils import python_siblings_install as installing
from ansible.module_utils import python_siblings_names as names_of
from ansible.module_utils.python_siblings_environments import (
    Distribution,
    Environment,
    Refused,
    Run,
    distributions,
    environments,
    kept,
    nox_again,
    tox_again,
)

_PIP_SETTINGS = ('PIP_CONSTRAINT', 'UV_CONSTRAINT')


def package_name(folder: str, python: str, run: Run) -> str | None:
    """The name of the package that *folder* holds; None where it is no Python project. Raises Refused."""
    if not os.path.isdir(folder):
        raise Refused(f'{folder}: the required project is not on the node')
    texts = names_of.read_project(folder)
    name = names_of.static_name(texts)
    if name is None and 'setup.py' in texts:
        name = asked_name(folder, python, run)
    return names_of.normal(name) if name else None


def asked_name(folder: str, python: str, run: Run) -> str:
    """The name that only running ``setup.py`` tells, by itself or in a place that pip makes for it. Raises Refused."""
    code, out, err = run([python, 'setup.py', '--name'], cwd=folder)
    if code == 0 and out.strip():
        return str(out.strip().splitlines()[-1])
    wheel = installing.bundled_pip()
    pip = [sys.executable, os.path.join(wheel, 'pip')] if wheel else [python, '-m', 'pip']
    code, out, worse = run([*pip, 'install', '--quiet', '--no-deps', '--dry-run', '--target', '/nonexistent',
                            '--no-input', '--report', '-', folder], cwd=folder)
    try:
        return str(json.loads(out)['install'][0]['metadata']['name'])
    except (ValueError, LookupError, TypeError):
        words = '\n'.join((err.strip() + '\n' + worse.strip()).strip().splitlines()[-15:])
        raise Refused(f'{folder}: setup.py does not tell the name of the package. Write it as text into setup.py, '
                      f'setup.cfg or pyproject.toml. It said:\n{words}') from None


def folders_of(params: dict[str, Any], project: str, python: str, run: Run) -> tuple[dict[str, str], list[str]]:
    """The siblings' folders by package name, without the tested project, and those that hold none. Raises Refused."""
    tested = {names_of.normal(params['package_name'] or names_of.static_name(names_of.read_project(project)) or ' ')}
    folders: dict[str, str] = {}
    no_package, problems = [], []
    for folder in params['siblings']:
        try:
            name = package_name(os.path.abspath(folder), python, run)
        except Refused as error:
            problems.append(str(error))
            continue
        if name is None:
            no_package.append(folder)
        elif name not in tested:
            folders.setdefault(name, os.path.abspath(folder))
    if problems:
        raise Refused('\n  - '.join(problems))
    return folders, no_package


def all_constraints(params: dict[str, Any], settings: dict[str, str]) -> str:
    """The text of all constraints: those of the job, and those that pip's and uv's *settings* name. Raises Refused."""
    places = [params['constraints']] + [place for name in _PIP_SETTINGS for place in settings.get(name, '').split()]
    return '\n'.join(installing.read_constraints(place).rstrip('\n') for place in dict.fromkeys(places) if place)


def install(params: dict[str, Any], run: Run, check_mode: bool, settings: dict[str, str]) -> dict[str, Any]:
    """Return the task's result. Raises Refused, with the problems of all environments."""
    project = os.path.abspath(params['project_dir'])
    arguments = shlex.split(params['arguments'])
    again: list[str] = []
    if params['runner'] == 'nox':
        code, out, err = run([params['executable'], '--version'], cwd=project)
        if code != 0:
            raise Refused(f'nox does not tell its version: {(err or out).strip()[-1000:]}')
        again = nox_again(out + err)
    envs = environments(params, arguments, project, run)
    folders, no_package = folders_of(params, project, envs[0].python if envs else sys.executable, run)
    constraints = all_constraints(params, settings) if folders and envs else ''
    siblings = installing.Siblings(folders, constraints, params['editable'])
    uv, wheel = installing.find_uv(params['executable'], envs), installing.bundled_pip()
    installed: dict[str, list[str]] = {}
    sources: dict[str, dict[str, str]] = {}
    problems = []
    for env in envs:
        try:
            there = distributions(env, run)
            names = sorted(set(there).intersection(folders))
            if names and not check_mode:
                names, there = use(env, installing.tool_for(env, there, uv, wheel), siblings, names, run)
            if names:
                installed[env.name] = names
                sources[env.python] = {name: folders[name] if there[name].is_from(folders[name]) else ''
                                       for name in names}
        except Refused as error:
            problems.append(f'environment {env.name}: {error}')
    if problems:
        raise Refused('\n  - '.join(problems))
    used = {name for names in installed.values() for name in names}
    if params['runner'] == 'tox':
        again = tox_again(arguments, [env for env in envs if env.name in installed])
    return {'changed': bool(installed), 'installed': installed, 'sources': sources, 'no_package': no_package,
            'not_used': sorted(set(folders) - used), 'arguments': again + kept(arguments, params['runner'])}


def use(env: Environment, tool: installing.Tool, siblings: installing.Siblings, names: list[str],
        run: Run) -> tuple[list[str], dict[str, Distribution]]:
    """Install *names* and what siblings they bring in; return these, and all that is in *env* then. Raises Refused."""
    folders = siblings.folders
    installing.install_into(env, tool, siblings, names, run)
    there = distributions(env, run)
    brought = sorted(set(there).intersection(folders))
    if brought != names and not tool.addresses:    # it came from the index, as it had no way to ask for its source
        installing.install_into(env, tool, siblings, brought, run)
        there = distributions(env, run)
    # what an old pip installed tells no source
    if any(there[name].source for name in names):
        for name in brought:
            if not there[name].is_from(folders[name]):
                raise Refused(f'{name} {there[name].version} was not installed from {folders[name]}')
    return brought, there


def check(params: dict[str, Any], run: Run) -> dict[str, Any]:
    """Prove that environments still have what a call before installed. Raises Refused."""
    problems = []
    for python, siblings in params['expected'].items():
        there = distributions(Environment('', python), run) if os.path.exists(python) else {}
        for name, folder in siblings.items():
            found = there.get(name)
            # what an old pip installed tells no source, neither before nor now
            if found is None or (folder and not found.is_from(folder)):
                version = f'version {found.version} from somewhere else' if found else 'none'
                problems.append(
                    f'{os.path.dirname(os.path.dirname(python))}: the tests ran with {version} of {name} and not with '
                    f"{folder or 'its source'}: {params['runner']} installed anew. Have it keep its environments, or "
                    f"set {params['runner']}_install_siblings to false.")
    if problems:
        raise Refused('\n  - '.join(problems))
    return {'changed': False, 'installed': {}, 'sources': params['expected'], 'no_package': [], 'not_used': [],
            'arguments': []}


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'runner': {'type': 'str', 'default': 'tox', 'choices': ['tox', 'nox']},
            'executable': {'type': 'str', 'required': True},
            'config_file': {'type': 'str', 'default': ''},
            'envlist': {'type': 'str', 'default': ''},
            'arguments': {'type': 'str', 'default': ''},
            'output': {'type': 'str', 'default': ''},
            'package_name': {'type': 'str', 'default': ''},
            'constraints': {'type': 'str', 'default': ''},
            'editable': {'type': 'bool', 'default': False},
            'project_dir': {'type': 'path', 'required': True},
            'siblings': {'type': 'list', 'elements': 'path', 'default': []},
            'expected': {'type': 'dict', 'default': {}},
        },
        supports_check_mode=True)
    settings = {name: os.environ.pop(name) for name in _PIP_SETTINGS if name in os.environ}
    params = dict(module.params)
    # the result repeats the parameters
    module.params['output'] = f"{len(params['output'])} characters"

    def run(argv: list[str], cwd: str) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', '1800', *argv], cwd=cwd)
    try:
        module.exit_json(**(check(params, run) if params['expected']
                            else install(params, run, module.check_mode, settings)))
    except (Refused, OSError, ValueError) as error:
        module.fail_json(msg=f"{params['runner']}: the required projects cannot be used as they are proposed:\n"
                             f'  - {error}')


if __name__ == '__main__':
    main()
