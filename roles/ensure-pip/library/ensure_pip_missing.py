#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Say what the node's Python lacks for pip, virtual environments and Ansible's pip module, and what would bring it."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_pip_missing
short_description: Say what pip and venv need
description:
  - Looks for what C(python3 -m pip), C(python3 -m venv) and M(ansible.builtin.pip) need, and for interpreters of the
    operator's that lack pip. Installs nothing; refuses what cannot be done.
options:
  from_packages: {description: Distribution packages may be installed., type: bool, default: true}
  with_python2: {description: Refused when true., type: bool, default: false}
  from_upstream: {description: Whether I(interpreters) are to have pip., type: bool, default: false}
  interpreters: {description: Interpreters as paths or commands., type: list, elements: str, default: []}
  url: {description: Address of get-pip.py., type: str, required: true}
  sha256: {description: Known sha256 of a get-pip.py., type: list, elements: str, default: []}
  known: {description: Text of the list of hashes that is shipped., type: str, default: ''}
  cache: {description: A get-pip.py on the node., type: path, default: /opt/cache/files/get-pip.py}
  packages: {description: What may be missing and the package that brings it., type: dict, default: {}}
  suffixes: {description: Python versions and how package names spell them., type: dict, default: {}}
  platform: {description: Name of the platform for messages., type: str, default: ''}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Ask what the node's Python lacks
  ensure_pip_missing:
    url: https://bootstrap.pypa.io/get-pip.py
    packages: {pip: "python{suffix}-pip", venv: "python{suffix}-venv"}
  register: wanted
"""
RETURN = r"""
missing: {description: What the node's Python lacks., type: list, elements: str, returned: success}
packages: {description: Packages that bring it., type: list, elements: str, returned: success}
own: {description: Interpreters to fill that the user may write to., type: list, elements: str, returned: success}
root: {description: Interpreters to fill that only root may write to., type: list, elements: str, returned: success}
virtualenv_command: {description: What makes virtual environments., type: str, returned: success}
"""

import os
import shutil
import sys
from typing import Any

from ansible.module_utils import ensure_pip_script as scripts
from ansible.module_utils.ensure_pip_interpreters import (
    Interpreter,
    Refused,
    Run,
    is_writable,
    look_at,
    owner,
    refusal,
    without_credentials,
)

_FOR_VENV = {'venv', 'ensurepip'}


def same(one: Interpreter, other: Interpreter) -> bool:
    """Whether two paths lead to one interpreter; that of a virtual environment is another than its base."""
    return one.prefix == other.prefix and os.path.realpath(one.path) == os.path.realpath(other.path)


def package_names(missing: list[str], version: str, is_default: bool, params: dict[str, Any]) -> list[str]:
    """The packages that bring what is *missing* in Python *version*.

    :param is_default: it is what the distribution calls python3.
    """
    suffix = params['suffixes'].get(version) or ('3' if is_default else version)
    return sorted({params['packages'][what].format(suffix=suffix, nodot=version.replace('.', '')) for what in missing})


def served(own: Interpreter, run: Run) -> list[Interpreter]:
    """The node's Python, and what ``python3`` starts when that is another one."""
    if not shutil.which('python3'):
        return [own]
    common = look_at('python3', run)
    # Ansible needs nothing in the second one
    common = common._replace(missing=tuple(what for what in common.missing if what in {'pip', *_FOR_VENV}))
    return [own] if same(own, common) or common.too_old else [own, common]


def from_distribution(interpreter: Interpreter, filled: list[Interpreter], params: dict[str, Any],
                      run: Run) -> list[str]:
    """The packages that *interpreter* wants. Raises Refused where there can be none."""
    missing = [what for what in interpreter.missing if what != 'pip' or not any(same(interpreter, other)
                                                                               for other in filled)]
    # who wants upstream's alone is served by the interpreters that were named
    if not missing or (params['from_upstream'] and not params['from_packages']):
        return []
    lacks = f"{interpreter.path} lacks {', '.join(missing)}"
    if not owner(interpreter, run):
        raise Refused(f"{lacks}, and it is no Python of the distribution, whose packages could bring it. Provide pip "
                      f"with ensure_pip_from_upstream and ensure_pip_from_upstream_interpreters: "
                      f"['{interpreter.path}'], anything else with that pip.")
    if not params['from_packages']:
        raise Refused(f'{lacks}, and ensure_pip_from_packages is false. '
                      'Set it to true, or use a node that has them.')
    if not params['packages']:
        raise Refused(f"{lacks}, and the packages of the platform '{params['platform']}' are not known here. "
                      'Install them before this role runs.')
    default = os.path.realpath('/usr/bin/python3') == os.path.realpath(interpreter.path)
    return package_names(missing, interpreter.version, default, params)


def to_fill(params: dict[str, Any], run: Run) -> list[Interpreter]:
    """The interpreters that lack a pip that works. Raises Refused for all that must not have one from here."""
    problems: list[str] = []
    lacking: list[Interpreter] = []
    for name in params['interpreters']:
        try:
            interpreter = look_at(name, run)
        except Refused as error:
            problems.extend(f'ensure_pip_from_upstream_interpreters: {text}' for text in error.problems)
            continue
        if interpreter.too_old:
            problems.append(f"ensure_pip_from_upstream_interpreters: '{name}' is Python {interpreter.version}, and pip "
                            'is provided for 3.8 and later. Leave it out.')
            continue
        if 'pip' not in interpreter.missing and run([interpreter.path, '-I', '-m', 'pip', '--version'])[0] == 0:
            continue
        whose = owner(interpreter, run)
        if whose:
            problems.append(
                f"ensure_pip_from_upstream_interpreters: '{name}' lacks pip, and pip never writes to a Python of the "
                f"system ({whose}). Use the distribution's pip (ensure_pip_from_packages: true without "
                'ensure_pip_from_upstream), a virtual environment, which has its own pip, or another interpreter.')
        elif not any(same(interpreter, other) for other in lacking):
            lacking.append(interpreter)
    if problems:
        raise Refused(*problems)
    return lacking


def upstream(params: dict[str, Any], run: Run) -> list[Interpreter]:
    """The interpreters to fill, when what fills them is in order. Raises Refused."""
    if not params['from_upstream']:
        return []
    if not params['interpreters']:
        raise Refused('ensure_pip_from_upstream_interpreters is empty: name at least one interpreter, '
                      'or leave ensure_pip_from_upstream unset.')
    known = scripts.wanted(params['url'], params['sha256'], params['known'])
    lacking = to_fill(params, run)
    if lacking and not known.is_upstream and not scripts.cached(params['cache'], known)[0]:
        scripts.fetch(known)
    return lacking


def ask(params: dict[str, Any], run: Run, python: str = sys.executable) -> dict[str, Any]:
    """Return the task's result. Raises Refused with all that is wrong."""
    problems: list[str] = []
    packages: set[str] = set()
    filled: list[Interpreter] = []
    if params['with_python2']:
        problems.append('ensure_pip_from_packages_with_python2 is true: pip is provided for Python 3 only. '
                        'Leave it unset.')
    try:
        filled = upstream(params, run)
    except Refused as error:
        problems.extend(error.problems)
    interpreters = served(look_at(python, run), run)
    for interpreter in interpreters:
        try:
            packages.update(from_distribution(interpreter, filled, params, run))
        except Refused as error:
            problems.extend(error.problems)
    own = interpreters[0]
    if _FOR_VENV & set(own.missing) and not packages and not problems:
        problems.append(f'{own.path} lacks {", ".join(own.missing)}, and ensure_pip_from_packages is false: '
                        'virtual environments cannot be made. Set it to true, or use a node that has them.')
    if problems:
        raise Refused(*problems)
    command = 'python3' if len(interpreters) == 1 and shutil.which('python3') else own.path
    writable = [is_writable(interpreter) for interpreter in filled]
    return {'changed': False, 'missing': list(own.missing), 'packages': sorted(packages),
            'own': [interpreter.path for interpreter, yes in zip(filled, writable) if yes],
            'root': [interpreter.path for interpreter, yes in zip(filled, writable) if not yes],
            'virtualenv_command': f'{command} -m venv'}


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'from_packages': {'type': 'bool', 'default': True},
            'with_python2': {'type': 'bool', 'default': False},
            'from_upstream': {'type': 'bool', 'default': False},
            'interpreters': {'type': 'list', 'elements': 'str', 'default': []},
            'url': {'type': 'str', 'required': True},
            'sha256': {'type': 'list', 'elements': 'str', 'default': [], 'no_log': False},
            'known': {'type': 'str', 'default': ''},
            'cache': {'type': 'path', 'default': '/opt/cache/files/get-pip.py'},
            'packages': {'type': 'dict', 'default': {}},
            'suffixes': {'type': 'dict', 'default': {}},
            'platform': {'type': 'str', 'default': ''},
        },
        supports_check_mode=True)
    if without_credentials(module.params['url']) != module.params['url']:
        module.no_log_values.add(module.params['url'])

    def run(argv: list[str]) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', '60', 'env', 'LC_ALL=C', *argv])
    try:
        module.exit_json(**ask(module.params, run))
    except Refused as error:
        module.fail_json(msg=refusal(error.problems))


if __name__ == '__main__':
    main()
