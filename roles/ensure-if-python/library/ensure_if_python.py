#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Tell what of a project pip could install."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_if_python
short_description: Tell what of a project pip could install
description:
  - Reads the names, and where needed the tables, of a project's files. Changes nothing.
options:
  folder: {description: The project., type: path, required: true}
  must_be_python: {description: Fail where nothing can be installed., type: bool, default: false}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Look whether the project is one for Python
  ensure_if_python:
    folder: /home/zuul/src/example.org/project
"""
RETURN = r"""
project: {description: The folder if it can be installed; else empty., type: str, returned: success}
requirements: {description: Its requirements files., type: list, elements: str, returned: success}
"""

import os
import re
from typing import Any

#: file -> what it has to hold to be more than a configuration of tools
BUILDS = {
    'setup.py': r'',
    'setup.cfg': r'(?m)^\[metadata\]',
    'pyproject.toml': r'(?m)^\s*\[\s*(build-system|project|tool\.poetry)\s*\]',
}
REQUIREMENTS = ('requirements.txt',)
_BIGGEST = 1 << 20


def look(folder: str) -> dict[str, Any]:
    """Return the task's result."""
    project = any(_has(os.path.join(folder, name), pattern) for name, pattern in BUILDS.items())
    paths = [os.path.join(folder, name) for name in REQUIREMENTS]
    return {'changed': False, 'project': folder if project else '',
            'requirements': [path for path in paths if os.path.isfile(path)]}


def _has(path: str, pattern: str) -> bool:
    if not os.path.isfile(path):
        return False
    with open(path, encoding='utf-8', errors='replace') as stream:
        return re.search(pattern, stream.read(_BIGGEST)) is not None


def problem(folder: str, found: dict[str, Any], must_be_python: bool) -> str:
    """Why the role cannot go on, or an empty text."""
    if must_be_python and not found['project'] and not found['requirements']:
        return (f"error_on_failure is true, and {folder} is no project for Python: it has none of "
                f"{', '.join([*BUILDS, *REQUIREMENTS])} that pip could install. Leave it unset for any project.")
    return ''


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(argument_spec={'folder': {'type': 'path', 'required': True},
                                          'must_be_python': {'type': 'bool', 'default': False}},
                                          supports_check_mode=True)
    folder = module.params['folder']
    try:
        found = look(folder) if os.path.isdir(folder) else {}
    except OSError as error:
        module.fail_json(msg=f'ensure-if-python: cannot look at {folder}: {error}')
    why = problem(folder, found, module.params['must_be_python']) if found else (
        f'zuul_work_dir: there is no folder {folder} on the node. Name the folder of the project.')
    if why:
        module.fail_json(msg=f'ensure-if-python: cannot continue, 1 problem:\n  - {why}')
    module.exit_json(**found)


if __name__ == '__main__':
    main()
