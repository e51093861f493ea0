#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Look at a constraints file before an installer silently makes nothing of it."""
from __future__ import annotations

DOCUMENTATION = r"""
module: find_constraints
short_description: Look at a constraints file
description:
  - Fails where the file is not there, cannot be read, or constrains nothing. Changes nothing.
options:
  path: {description: Absolute path of the file., type: path, required: true}
  said: {description: How the job names it., type: str, default: ''}
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
"""

import os
from typing import Any


class Refused(Exception):
    """The file is of no use; the text is for people."""


def look(path: str, said: str) -> dict[str, Any]:
    """Return the task's result. Raises Refused."""
    name = said or path
    try:
        with open(path, encoding='utf-8', errors='replace') as stream:
            lines = [line.strip() for line in stream]
    except IsADirectoryError:
        raise Refused(f"constraints_file is '{name}': {path} is a folder. Name a file.") from None
    except OSError as error:
        raise Refused(f"constraints_file is '{name}': {path}: {error.strerror}. "
                      'Name a file below zuul_work_dir, an absolute path or an address, or leave it unset.') from None
    count = sum(1 for line in lines if line and not line.startswith('#'))
    if count == 0:
        raise Refused(f"constraints_file is '{name}': {path} has {os.path.getsize(path)} bytes and constrains nothing. "
                      'Repair what makes it, or leave it unset.')
    return {'changed': False, 'path': path, 'constraints': count}


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(argument_spec={'path': {'type': 'path', 'required': True}, 'said': {'type': 'str',
                                                                                               'default': ''}},
                           supports_check_mode=True)
    try:
        module.exit_json(**look(module.params['path'], module.params['said']))
    except Refused as error:
        module.fail_json(msg=f'find-constraints: cannot continue, 1 problem:\n  - {error}')


if __name__ == '__main__':
    main()
