#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Read the reports that tools wrote on a node."""
from __future__ import annotations

DOCUMENTATION = r"""
module: return_file_comments_read
short_description: Read reports of tools
description:
  - Reads the ends of files of a folder. What is not there, no plain file, or too much, is left out and told.
options:
  folder: {description: Folder that names are relative to., type: path, required: true}
  files: {description: Names of the files., type: list, elements: str, required: true}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Read what the linter wrote
  return_file_comments_read:
    folder: src/example.org/project
    files: [ruff.json]
"""
RETURN = r"""
texts: {description: What is in them., type: list, elements: str, returned: success}
problems: {description: What could not be read, and why., type: list, elements: str, returned: success}
"""

import os
import stat
from typing import Any, Dict, List, Sequence

MAX_FILES, MAX_BYTES = 20, 2 * 1024 * 1024


def read_all(folder: str, names: Sequence[str]) -> Dict[str, Any]:
    """Return the result of the task."""
    texts: List[str] = []
    problems = ['%s: left out, more than %d files' % (name, MAX_FILES) for name in names[MAX_FILES:MAX_FILES + 1]]
    for name in names[:MAX_FILES]:
        try:
            texts.append(read(os.path.join(folder, name)))
        except (OSError, ValueError) as error:
            problems.append('%s: %s' % (name, getattr(error, 'strerror', None) or error))
    return {'changed': False, 'texts': texts, 'problems': problems}


def read(path: str) -> str:
    """Return the text of a file.

    :raises OSError: it cannot be read.
    :raises ValueError: it is no plain file, or larger than what is read: half a report is none.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, 'rb') as stream:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError('no plain file')
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError('larger than %d bytes' % MAX_BYTES)
    return data.decode('utf-8', 'replace')


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'folder': {'type': 'path', 'required': True},
        'files': {'type': 'list', 'elements': 'str', 'required': True}})
    module.exit_json(**read_all(module.params['folder'], module.params['files']))


if __name__ == '__main__':
    main()
