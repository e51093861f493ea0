#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Look for a version of Python on the node, and for the distribution packages that would bring it."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_python
short_description: Look for a version of Python
description:
  - Tells whether C(python<version>) runs on the node, else which distribution packages bring it. Installs nothing.
options:
  version: {description: For example 3.11; nothing is looked for when empty., type: str, default: ''}
  is_number: {description: The version was written as a number., type: bool, default: false}
  use_pyenv: {description: Refused when true., type: bool, default: false}
  use_stow: {description: Refused when true., type: bool, default: false}
  family: {description: Ansible's name of the OS family., type: str, required: true}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Look for Python 3.11
  ensure_python:
    version: "3.11"
    family: "{{ ansible_facts.os_family }}"
  register: found
"""
RETURN = r"""
executable: {description: Path of that Python; empty when it is not there yet., type: str, returned: success}
packages: {description: Packages that bring it., type: list, elements: str, returned: success}
"""

import glob
import os
import re
import shutil
from typing import Any, Callable, List, Tuple

_VERSION = re.compile(r'[23](\.\d+)?t?')
_HAS = re.compile(r'python(\d+\.\d+t?)')
Run = Callable[[List[str]], Tuple[int, str, str]]


class Refused(Exception):
    """The request cannot be met; the text is for people."""


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the parameters."""
    found = []
    if params['version'] and not _VERSION.fullmatch(params['version']):
        found.append(f"python_version is '{params['version']}': not a version of Python. Write e.g. '3.11'.")
    for key in ('pyenv', 'stow'):
        if params[f'use_{key}']:
            found.append(f'python_use_{key} is true: {key} is not supported, Python comes from the distribution. '
                         f'Leave it unset.')
    return found


def understood(version: str, is_number: bool) -> str:
    """A remark on a version that YAML may have shortened, or nothing."""
    if is_number and re.fullmatch(r'3\.[1-9]', version):
        return f"; python_version is the number {version}, write '{version}0' in quotes if that was meant"
    return ''


def versions(folders: list[str]) -> list[str]:
    """Versions of Python whose commands lie in *folders*, oldest first."""
    found = set()
    for folder in folders:
        for path in glob.glob(os.path.join(glob.escape(folder), 'python*')):
            match = _HAS.fullmatch(os.path.basename(path))
            if match and os.access(path, os.X_OK):
                found.add(match.group(1))
    return sorted(found, key=lambda text: ([int(part) for part in text.rstrip('t').split('.')], text))


def distribution_has(packages: list[str], policy: str) -> bool:
    """Read ``apt-cache policy``: whether every package has something to install."""
    offered = re.findall(r'^(\S+):\n(?:.*\n)*?  Candidate: (\S+)$', policy, re.MULTILINE)
    return {name for name, candidate in offered if candidate != '(none)'} >= set(packages)


def look(params: dict[str, Any], run: Run) -> dict[str, Any]:
    """Return the task's result. Raises Refused."""
    found = problems(params)
    if found:
        raise Refused('\n  - '.join(found))
    result: dict[str, Any] = {'changed': False, 'executable': '', 'packages': []}
    version = params['version']
    if not version:
        return result
    path = shutil.which(f'python{version}')
    if path:
        code, out, err = run([path, '-c', 'print(1)'])
        if code != 0:
            raise Refused(f'{path} does not run: {(err or out).strip()}')
        result['executable'] = path
        return result
    if params['family'] == 'Debian':
        packages = [f'python{version}', f'python{version}-venv', f'python{version}-dev']
        code, out, err = run(['apt-cache', 'policy', *packages])
        if code == 0 and distribution_has(packages, out):
            result['packages'] = packages
            return result
    has = ', '.join(versions(os.environ.get('PATH', '').split(os.pathsep))) or 'none'
    raise Refused(f"python_version is '{version}': the node has no python{version} and its distribution has no package "
                  f"of it (the node has: {has}){understood(version, params['is_number'])}. "
                  'Use a label that has it, or another version.')


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'version': {'type': 'str', 'default': ''},
            'is_number': {'type': 'bool', 'default': False},
            'use_pyenv': {'type': 'bool', 'default': False},
            'use_stow': {'type': 'bool', 'default': False},
            'family': {'type': 'str', 'required': True},
        },
        supports_check_mode=True)

    def run(argv: list[str]) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', '60', 'env', 'LC_ALL=C', *argv])
    try:
        module.exit_json(**look(module.params, run))
    except Refused as error:
        module.fail_json(msg=f'ensure-python: cannot continue:\n  - {error}')


if __name__ == '__main__':
    main()
