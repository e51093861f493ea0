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
  patterns:
    description: Names that reports have, with wildcards; looked for in the folder and below, where C(since) is given.
    type: list
    elements: str
    default: []
  since:
    description: Time on the node, as a command reports its start. What was written before is no report of it.
    type: str
    default: ''
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
reports:
  description: What patterns found, each with C(name) and C(text).
  type: list
  elements: dict
  returned: success
problems: {description: What could not be read, and why., type: list, elements: str, returned: success}
"""

import fnmatch
import os
import stat
from datetime import datetime
from typing import Any, Dict, Iterator, List, Sequence

MAX_FILES, MAX_BYTES = 20, 2 * 1024 * 1024
MAX_DEPTH, MAX_ENTRIES = 4, 20000       # of folders that are looked at for reports


def met(folder: str, patterns: Sequence[str], since: float) -> Iterator[str]:
    """Return files below *folder* with such names that were written since then; no hidden folders, no links."""
    left = MAX_ENTRIES
    for parent, folders, files in os.walk(folder):
        depth = os.path.relpath(parent, folder).count(os.sep) + (parent != folder)
        folders[:] = sorted(name for name in folders if not name.startswith('.')) if depth < MAX_DEPTH else []
        left -= len(folders) + len(files)
        if left < 0:
            return
        for name in sorted(files):
            path = os.path.join(parent, name)
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
                about = os.lstat(path)
                if stat.S_ISREG(about.st_mode) and about.st_mtime >= since:
                    yield path


def reports(folder: str, patterns: Sequence[str], since: str, known: Sequence[str]) -> List[Dict[str, str]]:
    """Return the reports that are met with, without those in *known*. One that cannot be read is none."""
    try:
        begun = datetime.fromisoformat(since).timestamp() - 1
    except (ValueError, OverflowError):
        return []
    found: List[Dict[str, str]] = []
    for path in met(folder, patterns, begun):
        if len(found) == MAX_FILES:
            break
        if not any(os.path.realpath(path) == os.path.realpath(os.path.join(folder, name)) for name in known):
            try:
                found.append({'name': os.path.basename(path), 'text': read(path, os.O_NOFOLLOW)})
            except (OSError, ValueError):
                continue
    return found


def read_all(folder: str, names: Sequence[str]) -> Dict[str, Any]:
    """Return the result of the task, without reports."""
    texts: List[str] = []
    problems = ['%s: left out, more than %d files' % (name, MAX_FILES) for name in names[MAX_FILES:MAX_FILES + 1]]
    for name in names[:MAX_FILES]:
        try:
            texts.append(read(os.path.join(folder, name)))
        except (OSError, ValueError) as error:
            problems.append('%s: %s' % (name, getattr(error, 'strerror', None) or error))
    return {'changed': False, 'texts': texts, 'problems': problems}


def read(path: str, flags: int = 0) -> str:
    """Return the text of a file.

    :raises OSError: it cannot be read.
    :raises ValueError: it is no plain file, or larger than what is read: half a report is none.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | flags)
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
        'files': {'type': 'list', 'elements': 'str', 'required': True},
        'patterns': {'type': 'list', 'elements': 'str', 'default': []},
        'since': {'type': 'str', 'default': ''}})
    given = module.params
    module.exit_json(reports=reports(given['folder'], given['patterns'], given['since'], given['files']),
                     **read_all(given['folder'], given['files']))


if __name__ == '__main__':
    main()
