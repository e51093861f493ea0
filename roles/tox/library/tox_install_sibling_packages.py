#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Install required projects from source into those tox environments that depend on them."""
from __future__ import annotations

DOCUMENTATION = r"""
module: tox_install_sibling_packages
short_description: Install required projects into tox environments
description:
  - Looks at what is installed in each environment of the run. A required project that is among it is installed again
    from its source, so that the tests see it as it is proposed.
options:
  tox_executable: {description: tox to ask., type: str, default: tox}
  tox_config_file: {description: Configuration of tox., type: str, default: ''}
  tox_envlist: {description: Environments; those of the configuration when empty., type: str, default: ''}
  tox_package_name: {description: Name of the tested project's package; it is never a sibling., type: str, default: ''}
  tox_constraints_file: {description: Constraints for what siblings bring in., type: str, default: ''}
  project_dir: {description: Folder of the tested project., type: path, required: true}
  siblings: {description: Folders of the required projects., type: list, elements: path, required: true}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Use the library as it is proposed
  tox_install_sibling_packages:
    project_dir: src/example.org/app
    siblings: [src/example.org/library]
"""
RETURN = r"""
installed: {description: Environment to the packages installed from source., type: dict, returned: success}
not_used: {description: Packages of siblings that no environment depends on., type: list, returned: success}
no_package: {description: Siblings that are no Python project., type: list, returned: success}
"""

import ast
import configparser
import json
import os
import re
import sys
import tempfile
from typing import Any, Callable, NamedTuple, Tuple

_DISTRIBUTIONS = """
import json
from importlib.metadata import distributions
print(json.dumps(sorted({d.metadata["Name"] for d in distributions() if d.metadata["Name"]})))
"""
Run = Callable[..., Tuple[int, str, str]]


class Refused(Exception):
    """Siblings cannot be installed; the text is for people."""


class Environment(NamedTuple):
    """A tox environment: its name and its interpreter."""

    name: str
    python: str


def normal(name: str) -> str:
    """A project's name in the one spelling of PEP 503."""
    return re.sub(r'[-_.]+', '-', name).lower()


def config_argv(tox: str, config: str, envlist: str) -> list[str]:
    """The question to tox about its environments; understood by tox 3 and 4."""
    return [tox] + (['-c', config] if config else []) + (['-e', envlist] if envlist else []) + ['--showconfig']


def environments(config: str, wanted: str) -> list[Environment]:
    """Read the answer of ``tox --showconfig``; *wanted* limits it, as tox 3 shows every environment."""
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
        folder = parser.get(section, 'env_dir', fallback='') or parser.get(section, 'envdir', fallback='') or ''
        if not name or not folder or name == '.package' or (names and 'ALL' not in names and name not in names):
            continue
        found.append(Environment(name, os.path.join(folder.strip(), 'bin', 'python')))
    return found


def static_name(files: dict[str, str]) -> str | None:
    """The package name written in pyproject.toml, setup.cfg or setup.py (file name to text), or None.

    A Python before 3.11 reads no TOML, and one line is all that is wanted of it.
    """
    section = ''
    for line in files.get('pyproject.toml', '').splitlines():
        header = re.match(r'\s*\[([^\]]+)\]\s*(#.*)?$', line)
        if header:
            section = header.group(1).strip()
        found = re.match(r"""\s*name\s*=\s*(["'])(.+?)\1""", line)
        if found and section in ('project', 'tool.poetry'):
            return found.group(2)
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


def constraints_without(text: str, names: list[str]) -> str:
    """Constraints without the pins of *names*, which their sources would contradict."""
    def about(line: str) -> str:
        found = re.match(r'\s*([A-Za-z0-9][A-Za-z0-9._-]*)', line)
        return normal(found.group(1)) if found else ''
    return ''.join(line for line in text.splitlines(keepends=True) if about(line) not in names)


def read_project(folder: str) -> dict[str, str]:
    """The texts of those files of a project that may say its name."""
    texts = {}
    for name in ('pyproject.toml', 'setup.cfg', 'setup.py'):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, encoding='utf-8', errors='replace') as stream:
                texts[name] = stream.read()
    return texts


def package_name(folder: str, python: str, run: Run) -> str | None:
    """The name of the package that *folder* holds; None where it is no Python project. Raises Refused."""
    if not os.path.isdir(folder):
        raise Refused(f'{folder}: the required project is not on the node')
    texts = read_project(folder)
    name = static_name(texts)
    if name is None and 'setup.py' in texts:
        code, out, err = run([python, 'setup.py', '--name'], cwd=folder)
        if code != 0 or not out.strip():
            raise Refused(f'{folder}: setup.py does not tell the name of the package: {err.strip()[-500:]}')
        name = out.strip().splitlines()[-1]
    return normal(name) if name else None


def install(params: dict[str, Any], run: Run, check_mode: bool) -> dict[str, Any]:
    """Return the task's result. Raises Refused."""
    project = os.path.abspath(params['project_dir'])
    question = config_argv(params['tox_executable'], params['tox_config_file'], params['tox_envlist'])
    code, out, err = run(question, cwd=project)
    if code != 0:
        raise Refused(f'tox does not tell its configuration: {(err or out).strip()[-1000:]}')
    envs = [env for env in environments(out, params['tox_envlist']) if os.path.exists(env.python)]
    folders: dict[str, str] = {}
    no_package = []
    for folder in params['siblings']:
        name = package_name(os.path.abspath(folder), envs[0].python if envs else sys.executable, run)
        if name is None:
            no_package.append(folder)
        elif name != normal(params['tox_package_name'] or ' '):
            folders[name] = os.path.abspath(folder)
    installed: dict[str, list[str]] = {}
    for env in envs:
        code, out, err = run([env.python, '-c', _DISTRIBUTIONS], cwd=project)
        if code != 0:
            raise Refused(f'{env.name}: its Python does not tell what is installed: {err.strip()[-500:]}')
        present = {normal(name) for name in json.loads(out.splitlines()[-1])}
        names = sorted(present.intersection(folders))
        if not names:
            continue
        installed[env.name] = names
        if not check_mode:
            install_into(env, [folders[name] for name in names], names, params['tox_constraints_file'], run)
    used = {name for names in installed.values() for name in names}
    return {'changed': bool(installed), 'installed': installed, 'no_package': no_package,
            'not_used': sorted(set(folders) - used)}


def install_into(env: Environment, folders: list[str], names: list[str], constraints: str, run: Run) -> None:
    """Install *folders* with the environment's own pip. Raises Refused with pip's words."""
    argv = [env.python, '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input']
    limited = ''
    try:
        if constraints:
            with open(constraints, encoding='utf-8') as stream:
                text = constraints_without(stream.read(), names)
            with tempfile.NamedTemporaryFile('w', suffix='.txt', delete=False, encoding='utf-8') as temporary:
                temporary.write(text)
            limited = temporary.name
            argv += ['--constraint', limited]
        code, out, err = run(argv + folders, cwd=os.path.dirname(folders[0]))
        if code != 0:
            raise Refused(f"{env.name}: pip cannot install {', '.join(folders)}:\n{(err or out).strip()[-2000:]}")
    finally:
        if limited:
            os.unlink(limited)


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'tox_executable': {'type': 'str', 'default': 'tox'},
            'tox_config_file': {'type': 'str', 'default': ''},
            'tox_envlist': {'type': 'str', 'default': ''},
            'tox_package_name': {'type': 'str', 'default': ''},
            'tox_constraints_file': {'type': 'str', 'default': ''},
            'project_dir': {'type': 'path', 'required': True},
            'siblings': {'type': 'list', 'elements': 'path', 'required': True},
        },
        supports_check_mode=True)

    def run(argv: list[str], cwd: str) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', '1800', *argv], cwd=cwd)
    try:
        module.exit_json(**install(module.params, run, module.check_mode))
    except (Refused, OSError) as error:
        module.fail_json(msg=f'tox: cannot install the required projects: {error}')


if __name__ == '__main__':
    main()
