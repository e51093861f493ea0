#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Make the folders that a job leaves its results in."""
from __future__ import annotations

DOCUMENTATION = r'''
module: ensure_output_dirs
short_description: Make the folders that a job leaves its results in
description:
  - Makes C(logs), C(artifacts) and C(docs) below one folder, and that folder. What is there stays as it is.
options:
  path: {description: 'The folder, an absolute path or one that begins with ~.', type: str, required: true}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Make the folders
  ensure_output_dirs:
    path: /home/zuul/zuul-output
'''
RETURN = r'''
created: {description: Folders that were made., type: list, elements: str, returned: success}
'''

import os
from typing import List

from ansible.module_utils.basic import AnsibleModule

FOLDERS = ('logs', 'artifacts', 'docs')


class Refused(Exception):
    """The folders cannot be made. The message has all reasons."""


def missing(path: str) -> List[str]:
    """Return the folders below *path* that are not there yet. A ``~`` is the user's home, as for fetch-output.

    :raises Refused: something else lies where one should be, or *path* is not absolute.
    """
    given, path = path, os.path.expanduser(path)
    if not path.startswith('/'):
        raise Refused("ensure-output-dirs: zuul_output_dir is '%s': not an absolute path. "
                      "Write for example '/home/zuul/zuul-output'." % given)
    wanted = [os.path.join(path, name) for name in FOLDERS]
    blocked = [one for one in [path, *wanted] if os.path.lexists(one) and not os.path.isdir(one)]
    if blocked:
        raise Refused('ensure-output-dirs: %s: no folder. Remove it, or choose another zuul_output_dir.'
                      % ', '.join("'%s'" % one for one in blocked))
    return [one for one in wanted if not os.path.isdir(one)]


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={'path': {'type': 'str', 'required': True}}, supports_check_mode=True)
    try:
        created = missing(module.params['path'])
        if not module.check_mode:
            for folder in created:
                os.makedirs(folder, exist_ok=True)
        module.exit_json(changed=bool(created), created=created)
    except Refused as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="ensure-output-dirs: zuul_output_dir is '%s': %s." % (module.params['path'], error))


if __name__ == '__main__':
    main()
