#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Copy the logs of tox environments into one folder."""
from __future__ import annotations

DOCUMENTATION = r'''
module: fetch_tox_output
short_description: Copy the logs of tox environments into one folder
description:
  - Copies C(.tox/ENVIRONMENT/log) to C(ENVIRONMENT) below the target. Only folders and plain files; links stay where
    they are.
options:
  work_dir: {description: The folder that tox ran in., type: str, required: true}
  envlist: {description: The wanted environments as tox takes them; empty for all., type: raw, default: ''}
  dest: {description: The target folder., type: path, required: true}
  fresh: {description: Whether the target is emptied first., type: bool, default: false}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Copy logs
  fetch_tox_output:
    work_dir: /home/zuul/src/example.com/project
    dest: /home/zuul/zuul-output/logs/tox
'''
RETURN = r'''
environments: {description: Those that had logs., type: list, elements: str, returned: success}
written: {description: Number of files that were copied., type: int, returned: success}
problems: {description: What could not be copied and why., type: list, elements: str, returned: success}
ansible_facts:
  description: C(fetch_tox_output_problems), the same as C(problems).
  type: dict
  returned: success
'''

import filecmp
import os
import re
import shutil
import stat
from typing import Any, Dict, Iterator, List, Tuple

from ansible.module_utils.basic import AnsibleModule


def wanted(envlist: Any, found: List[str]) -> List[str]:
    """Return those of the environments *found* whose logs are asked for.

    What tox has to expand (``py3{11,12}``) or names none of them (``ALL``) means all.
    """
    names = envlist if isinstance(envlist, list) else re.split(r'[\s,]+', str(envlist))
    names = [str(name).strip() for name in names if str(name).strip()]
    if not names or not set(names) <= set(found):
        return found
    return [name for name in found if name in names]


def environments(tox_dir: str) -> List[str]:
    """Return the names of the environments that have a log folder, links left out."""
    try:
        names = sorted(os.listdir(tox_dir))
    except (FileNotFoundError, NotADirectoryError):
        return []
    paths = [(name, os.path.join(tox_dir, name)) for name in names]
    return [name for name, path in paths
            if not os.path.islink(path) and os.path.isdir(os.path.join(path, 'log'))
            and not os.path.islink(os.path.join(path, 'log'))]


def files(folder: str) -> Iterator[Tuple[str, str]]:
    """Yield (path below *folder*, full path) of its plain files, without following links."""
    for here, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(here, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                yield os.path.relpath(path, folder), path


def copy(source: str, target: str) -> None:
    """Copy a file with its time; whoever wrote it, the copy can be read and removed."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(source, target, follow_symlinks=False)
    status = os.lstat(source)
    os.utime(target, (status.st_atime, status.st_mtime))


def collect(params: Dict[str, Any], dry: bool) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :param dry: only look.
    """
    # as for commands, relative to the folder of the connection's user: with become, ~ is another's
    tox_dir = os.path.join(os.path.abspath(os.path.expanduser(params['work_dir'])), '.tox')
    dest = params['dest']
    if params['fresh'] and not dry:
        shutil.rmtree(dest, ignore_errors=True)
    written, problems = 0, []
    chosen = wanted(params['envlist'], environments(tox_dir))
    for name in chosen:
        for path, source in files(os.path.join(tox_dir, name, 'log')):
            target = os.path.join(dest, name, path)
            try:
                if os.path.isfile(target) and filecmp.cmp(source, target, shallow=False):
                    continue
                if not dry:
                    copy(source, target)
                written += 1
            except OSError as error:
                problems.append('%s/%s: %s' % (name, path, error))
    return {'changed': bool(written), 'environments': chosen, 'written': written, 'problems': problems}


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'work_dir': {'type': 'str', 'required': True},
        'envlist': {'type': 'raw', 'default': ''},
        'dest': {'type': 'path', 'required': True},
        'fresh': {'type': 'bool', 'default': False},
    })
    result = collect(module.params, module.check_mode)
    module.exit_json(ansible_facts={'fetch_tox_output_problems': result['problems']}, **result)


if __name__ == '__main__':
    main()
