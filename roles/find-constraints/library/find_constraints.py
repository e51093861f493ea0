#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Look at a constraints file before an installer silently makes nothing of it."""
from __future__ import annotations

DOCUMENTATION = r"""
module: find_constraints
short_description: Look at a constraints file
description:
  - Fails where the file is not there or cannot be read, and, when that is asked for, where it constrains nothing.
    Changes nothing.
options:
  path: {description: Absolute path of the file., type: path, required: true}
  said: {description: How the job names it., type: str, default: ''}
  variable:
    description: The variable that names it.
    type: str
    default: constraints_file
    choices: [constraints_file, nox_constraints_file, tox_constraints_file]
  role: {description: The role that messages name., type: str, default: find-constraints}
  nothing:
    description: What is to be done when the file constrains nothing. One of C(ignore), C(note), C(fail).
    type: str
    default: fail
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Look at the constraints file
  find_constraints:
    path: /home/zuul/src/example.org/requirements/upper-constraints.txt
"""
RETURN = r"""
path: {description: The file., type: str, returned: success}
constraints: {description: Number of lines that constrain something., type: int, returned: success}
ansible_facts:
  description: C(find_constraints_problems), a line when the file constrains nothing and that is to be noted.
  type: dict
  returned: success
"""

import os
from typing import Any


class Refused(Exception):
    """The file is of no use; the text is for people."""


NOTHING = ('ignore', 'note', 'fail')
#: variable that names a file -> the one that says what is done when it constrains nothing
OPTIONS = {'constraints_file': 'find_constraints_nothing', 'nox_constraints_file': 'nox_constraints_nothing',
           'tox_constraints_file': 'tox_constraints_nothing'}


def look(path: str, said: str, nothing: str = 'fail', variable: str = 'constraints_file') -> dict[str, Any]:
    """Return the task's result. Raises Refused.

    :param nothing: what is to be done when the file constrains nothing: one of ``NOTHING``.
    :param variable: the variable that names the file.
    """
    name = said or path
    if nothing not in NOTHING:
        raise Refused(f"{OPTIONS[variable]} is '{nothing}': it is none of {', '.join(NOTHING)}. Write one of these.")
    try:
        with open(path, encoding='utf-8', errors='replace') as stream:
            count = sum(1 for line in stream if line.strip() and not line.strip().startswith('#'))
    except IsADirectoryError:
        raise Refused(f"{variable} is '{name}': {path} is a folder. Name a file.") from None
    except OSError as error:
        raise Refused(f"{variable} is '{name}': {path}: {error.strerror}. "
                      'Name a file below zuul_work_dir, an absolute path or an address, or leave it unset.') from None
    empty = f"{variable} is '{name}': {path} has {os.path.getsize(path)} bytes and constrains nothing"
    if count == 0 and nothing == 'fail':
        raise Refused(f'{empty}. Repair what makes it, or leave it unset.')
    problems = [empty] if count == 0 and nothing == 'note' else []
    return {'changed': False, 'path': path, 'constraints': count,
            'ansible_facts': {'find_constraints_problems': problems}}


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'path': {'type': 'path', 'required': True},
        'said': {'type': 'str', 'default': ''},
        'variable': {'type': 'str', 'default': 'constraints_file', 'choices': list(OPTIONS)},
        'role': {'type': 'str', 'default': 'find-constraints'},
        'nothing': {'type': 'str', 'default': 'fail'},
    })
    given = module.params
    try:
        module.exit_json(**look(given['path'], given['said'], given['nothing'], given['variable']))
    except Refused as error:
        module.fail_json(msg=f"{given['role']}: cannot continue, 1 problem:\n  - {error}")


if __name__ == '__main__':
    main()
