#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Write a file that its owner alone can read."""
from __future__ import annotations

DOCUMENTATION = r'''
module: write_inventory_file
short_description: Write a file that its owner alone can read
description:
  - Writes in one step, in place of a link if there is one. A file that has the content already stays.
options:
  path: {description: The file., type: path, required: true}
  content: {description: What it will hold., type: str, required: true}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Write a file
  write_inventory_file:
    path: /home/zuul/inventory.yaml
    content: "all: {}\n"
'''
RETURN = r'''
path: {description: The file., type: str, returned: success}
'''

import os
import stat
import tempfile

from ansible.module_utils.basic import AnsibleModule


def is_there(path: str, content: bytes) -> bool:
    """Tell whether a file, and no link, has that content and is for its owner alone."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with open(handle, 'rb') as stream:
        state = os.fstat(handle)
        return stat.S_ISREG(state.st_mode) and stat.S_IMODE(state.st_mode) == 0o600 and stream.read() == content


def write(path: str, content: bytes) -> None:
    """Put *content* at *path* in one step.

    :raises OSError: that cannot be.
    """
    handle, new = tempfile.mkstemp(prefix='.inventory-', dir=os.path.dirname(path))
    try:
        with open(handle, 'wb') as stream:
            stream.write(content)
        os.rename(new, path)
    except BaseException:
        os.unlink(new)
        raise


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'path': {'type': 'path', 'required': True},
        'content': {'type': 'str', 'required': True, 'no_log': True},
    })
    path, content = os.path.abspath(module.params['path']), module.params['content'].encode('utf-8')
    try:
        changed = not is_there(path, content)
        if changed and not module.check_mode:
            write(path, content)
        module.exit_json(changed=changed, path=path)
    except OSError as error:
        module.fail_json(msg="write-inventory: write_inventory_dest is '%s': %s." % (path, error.strerror or error))


if __name__ == '__main__':
    main()
