#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Say which distribution packages the node's Python lacks for pip, virtual environments and Ansible's pip module."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_pip_missing
short_description: Say which distribution packages pip and venv need
description:
  - Looks for what C(python3 -m pip), C(python3 -m venv) and M(ansible.builtin.pip) need. Installs nothing.
options:
  from_packages: {description: Distribution packages may be installed., type: bool, default: true}
  with_python2: {description: Refused when true., type: bool, default: false}
  from_upstream: {description: Refused when true., type: bool, default: false}
  family: {description: Ansible's name of the OS family., type: str, required: true}
  python: {description: The Python that is meant., type: str, default: python3}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Ask what the node's Python lacks
  ensure_pip_missing:
    family: "{{ ansible_facts.os_family }}"
  register: wanted
"""
RETURN = r"""
missing: {description: What Python lacks., type: list, elements: str, returned: success}
packages: {description: Packages that bring it., type: list, elements: str, returned: success}
"""

import json
from typing import Any, Callable, List, Tuple

#: OS family -> what may be missing -> the package that brings it
PACKAGES = {
    'Debian': {'pip': 'python3-pip', 'venv': 'python3-venv', 'ensurepip': 'python3-venv',
               'packaging or setuptools': 'python3-packaging'},
}
_ASK = """
import importlib.util, json
def has(name):
    return importlib.util.find_spec(name) is not None
wanted = {'pip': has('pip'), 'venv': has('venv'), 'ensurepip': has('ensurepip'),
          'packaging or setuptools': has('packaging') or has('setuptools')}
print(json.dumps([name for name in wanted if not wanted[name]]))
"""
Run = Callable[[List[str]], Tuple[int, str, str]]


class Refused(Exception):
    """The request cannot be met; the text is for people."""


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the parameters."""
    found = []
    if params['from_upstream']:
        found.append("ensure_pip_from_upstream is true: a system's Python is written to by its distribution only "
                     '(PEP 668). Leave it unset, and install into a virtual environment, which has its own pip.')
    if params['with_python2']:
        found.append('ensure_pip_from_packages_with_python2 is true: pip is provided for Python 3 only. '
                     'Leave it unset.')
    return found


def decide(missing: list[str], params: dict[str, Any]) -> list[str]:
    """The packages that bring what is missing. Raises Refused where they are not known or not wanted."""
    if not missing:
        return []
    if not params['from_packages']:
        raise Refused(f"{params['python']} lacks {', '.join(missing)}, and ensure_pip_from_packages is false. "
                      'Set it to true, or use a node that has them.')
    known = PACKAGES.get(params['family'])
    if known is None:
        raise Refused(f"{params['python']} lacks {', '.join(missing)}, and the packages of the OS family "
                      f"'{params['family']}' are not known here (known: {', '.join(sorted(PACKAGES))}). "
                      'Install them before this role runs.')
    return sorted({known[name] for name in missing})


def ask(params: dict[str, Any], run: Run) -> dict[str, Any]:
    """Return the task's result. Raises Refused."""
    found = problems(params)
    if found:
        raise Refused('\n  - '.join(found))
    code, out, err = run([params['python'], '-I', '-c', _ASK])
    if code != 0:
        raise Refused(f"{params['python']} does not run: {(err or out).strip()}")
    missing = json.loads(out)
    return {'changed': False, 'missing': missing, 'packages': decide(missing, params)}


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'from_packages': {'type': 'bool', 'default': True},
            'with_python2': {'type': 'bool', 'default': False},
            'from_upstream': {'type': 'bool', 'default': False},
            'family': {'type': 'str', 'required': True},
            'python': {'type': 'str', 'default': 'python3'},
        },
        supports_check_mode=True)

    def run(argv: list[str]) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', '60', *argv])
    try:
        module.exit_json(**ask(module.params, run))
    except Refused as error:
        module.fail_json(msg=f'ensure-pip: cannot continue:\n  - {error}')


if __name__ == '__main__':
    main()
