#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Collect the last run of stestr and testr repositories as one subunit stream, and as a page."""
from __future__ import annotations

DOCUMENTATION = r'''
module: fetch_subunit_output
short_description: Collect the last run of test repositories as one subunit stream
description:
  - Reads the repository files of stestr (C(.stestr)) and testr (C(.testrepository)) itself; neither has to be there.
  - The page is made by C(subunit2html) from the tox environments of the folder, C(/usr/stestr-env) or the PATH.
    Without it, there is the stream only.
options:
  work_dirs: {description: Folders that tests ran in., type: list, elements: str, required: true}
  dest: {description: The target folder., type: path, required: true}
  fresh: {description: Whether the target is emptied first., type: bool, default: false}
  timeout: {description: Seconds that the page may take., type: int, default: 120}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Collect results
  fetch_subunit_output:
    work_dirs: [/home/zuul/src/example.com/project]
    dest: /home/zuul/zuul-output/logs
'''
RETURN = r'''
files: {description: Names of the files in the target folder., type: list, elements: str, returned: success}
problems: {description: What could not be had and why., type: list, elements: str, returned: success}
ansible_facts:
  description: C(fetch_subunit_output_problems), the same as C(problems).
  type: dict
  returned: success
'''

import glob
import os
import shutil
import subprocess
import tempfile
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule

REPOSITORIES = ('.stestr', '.testrepository')
STREAM = 'testrepository.subunit'
PAGE = 'testr_results.html'


def last_run(repository: str) -> Optional[str]:
    """Return the path of the newest stream of a test repository, None when it has none.

    :raises ValueError: its counter is no number.
    """
    try:
        with open(os.path.join(repository, 'next-stream'), encoding='ascii') as counter:
            newest = int(counter.read()) - 1
    except FileNotFoundError:
        return None
    path = os.path.join(repository, str(newest))
    return path if newest >= 0 and os.path.isfile(path) else None


def streams(folders: Sequence[str]) -> Tuple[List[str], List[str]]:
    """Return the newest streams of all test repositories in *folders*, and what is wrong with others."""
    found, problems = [], []
    for folder in dict.fromkeys(folders):
        for name in REPOSITORIES:
            repository = os.path.join(folder, name)
            try:
                path = last_run(repository)
            except (ValueError, OSError) as error:
                problems.append('%s: %s' % (repository, error))
                continue
            if path:
                found.append(path)
    return found, problems


def converters(folders: Sequence[str]) -> List[str]:
    """Return where ``subunit2html`` may be, in the order of preference."""
    inside = [path for folder in folders for path in sorted(glob.glob(
        os.path.join(glob.escape(folder), '.tox', '*', 'bin', 'subunit2html')))]
    return [*inside, '/usr/stestr-env/bin/subunit2html', shutil.which('subunit2html') or '']


def replace(path: str, content: bytes) -> bool:
    """Put *content* at *path* in one step. Return False when it is there already."""
    try:
        with open(path, 'rb') as old:
            if old.read() == content:
                return False
    except FileNotFoundError:
        pass
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, new = tempfile.mkstemp(prefix='.new-', dir=os.path.dirname(path))
    with open(handle, 'wb') as file:
        os.fchmod(handle, 0o644)
        file.write(content)
    os.replace(new, path)
    return True


def convert(tool: str, stream: str, timeout: int) -> bytes:
    """Return the page that *tool* makes of a stream.

    :raises OSError: it failed or took too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        page = os.path.join(folder, PAGE)
        try:
            done = subprocess.run([tool, stream, page], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=timeout, env=dict(os.environ, LC_ALL='C.UTF-8'))
        except subprocess.TimeoutExpired as error:
            raise OSError('%s: not done after %d seconds' % (tool, timeout)) from error
        # Some versions leave with 1 when a test failed.
        if not os.path.isfile(page):
            raise OSError('%s: exit code %d: %s' % (
                tool, done.returncode, done.stdout.decode('utf-8', 'replace').strip()[-1000:]))
        with open(page, 'rb') as file:
            return file.read()


def collect(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result."""
    dest = params['dest']
    if params['fresh']:
        shutil.rmtree(dest, ignore_errors=True)
    # as for commands, relative to the folder of the connection's user: with become, ~ is another's
    folders = [os.path.abspath(os.path.expanduser(folder)) for folder in params['work_dirs']]
    found, problems = streams(folders)
    files: List[str] = []
    changed = False
    if found:
        content = b''
        for path in found:
            with open(path, 'rb') as stream:
                content += stream.read()
        changed = replace(os.path.join(dest, STREAM), content)
        files.append(STREAM)
        tool = next((path for path in converters(folders) if path and os.access(path, os.X_OK)), None)
        page = os.path.join(dest, PAGE)
        if tool and (changed or not os.path.exists(page)):
            try:
                changed = replace(page, convert(tool, os.path.join(dest, STREAM), params['timeout'])) or changed
            except OSError as error:
                problems.append(str(error))
        if os.path.isfile(page):
            files.append(PAGE)
    return {'changed': changed, 'files': files, 'problems': problems}


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'work_dirs': {'type': 'list', 'elements': 'str', 'required': True},
        'dest': {'type': 'path', 'required': True},
        'fresh': {'type': 'bool', 'default': False},
        'timeout': {'type': 'int', 'default': 120},
    })
    try:
        result = collect(module.params)
    except OSError as error:
        result = {'changed': False, 'files': [], 'problems': [str(error)]}
    module.exit_json(ansible_facts={'fetch_subunit_output_problems': result['problems']}, **result)


if __name__ == '__main__':
    main()
