#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Collect the last run of test repositories and show it as a page and as XML."""
from __future__ import annotations

DOCUMENTATION = r'''
module: fetch_subunit_output
short_description: Collect the last run of test repositories, as a stream, a page and JUnit XML
description:
  - Reads the repository files of stestr (C(.stestr)) and testr (C(.testrepository)), and files with a stream, itself;
    no other program has to be there. Both versions of subunit are read, and version 2 is written.
  - Of a run that did not come to its end, what there is of it counts.
options:
  work_dirs:
    description: Folders that tests ran in. The first may be without results, the others were promised to have some.
    type: list
    elements: str
    required: true
  streams: {description: Files with a stream each., type: list, elements: str, default: []}
  dest: {description: The target folder., type: path, required: true}
  fresh: {description: Whether the target is emptied first., type: bool, default: false}
  prefix: {description: What the addresses of the artifacts begin with., type: str, default: ''}
  nothing:
    description: What is to be done when no test ran.
    type: str
    default: note
    choices: [ignore, note, fail]
  timeout: {description: Seconds that it may take., type: int, default: 120}
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
artifacts: {description: The same as artifacts of a build., type: list, elements: dict, returned: success}
counts: {description: Number of tests for each outcome., type: dict, returned: success}
ran: {description: How many tests were run., type: int, returned: success}
untested:
  description: Whether tests were meant to be run and none was, and that is not to be ignored.
  type: bool
  returned: success
problems: {description: What could not be had and why., type: list, elements: str, returned: success}
ansible_facts:
  description: C(fetch_subunit_output_problems), the same as C(problems).
  type: dict
  returned: success
'''

import filecmp
import os
import re
import shutil
import signal
import stat
import tempfile
import time
from typing import IO, Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.fetch_subunit_output_events import Reader
from ansible.module_utils.fetch_subunit_output_reports import counted, junit, page, to_file
from ansible.module_utils.fetch_subunit_output_tests import Tests

REPOSITORIES = ('.stestr', '.testrepository')
STREAM, PAGE, XML = 'testrepository.subunit', 'testr_results.html', 'testr_results.xml'
ARTIFACTS = {PAGE: ('Unit Test Report', 'unit_test_report'), STREAM: ('Subunit results', 'testrepository_subunit'),
             XML: ('Unit test results as JUnit XML', 'junit_xml')}
_NO_TIME = 'there was no time to read all of it (fetch_subunit_output_timeout)'
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW


class Run(NamedTuple):
    """A file with a stream, and whether its run has not come to an end."""

    path: str
    partial: bool


class TooLate(OSError):
    """The time is over."""


def opened(path: str) -> IO[bytes]:
    """Open a plain file, and nothing that could lead elsewhere or wait for a writer.

    :raises OSError: it is none.
    """
    file = open(os.open(path, _READ), 'rb')  # noqa: SIM115
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError('no plain file')


def last_run(repository: str) -> Optional[Run]:
    """Return the last run of a test repository, None when it has none.

    A run has the name ``tmp…`` until its end.

    :raises ValueError: the repository's counter is no number.
    :raises OSError: the repository cannot be read.
    """
    try:
        names = os.listdir(repository)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        with opened(os.path.join(repository, 'next-stream')) as counter:
            whole = os.path.join(repository, str(int(counter.read(100)) - 1))
    except FileNotFoundError:
        whole = ''
    complete = whole if whole and os.path.isfile(whole) else None
    begun = [os.path.join(repository, name) for name in names if re.fullmatch(r'tmp[a-z0-9_]{8}', name)]
    begun = [path for path in begun if stat.S_ISREG(os.lstat(path).st_mode) and os.lstat(path).st_size]
    newest = max(begun, key=os.path.getmtime, default=None)
    if newest and (complete is None or os.path.getmtime(newest) > os.path.getmtime(complete)):
        return Run(newest, True)
    return Run(complete, False) if complete else None


def runs(folders: Sequence[str], files: Sequence[str]) -> Tuple[List[Run], List[str], bool]:
    """Return the last runs of all test repositories in *folders*, then *files*; what is wrong with others; and whether
    somewhere a run should have been."""
    found: List[Run] = []
    problems: List[str] = []
    promised = bool(files) or len(folders) > 1
    for place, folder in enumerate(dict.fromkeys(folders)):
        before = len(found), len(problems)
        for name in REPOSITORIES:
            repository = os.path.join(folder, name)
            try:
                run = last_run(repository)
            except (ValueError, OSError) as error:
                problems.append('%s: %s' % (repository, error))
                continue
            if run:
                found.append(run)
            elif os.path.isdir(repository):
                promised = True
                problems.append('%s: no run of tests was recorded there' % repository)
        if place and before == (len(found), len(problems)):
            problems.append('%s: no results there (fetch_subunit_output_additional_dirs)' % folder)
    found += [Run(path, False) for path in dict.fromkeys(files)]
    return found, problems, promised or bool(found)


def read(run: Run, tests: Tests, out: IO[bytes], until: float) -> List[str]:
    """Let *tests* learn from a run and copy it to *out* in version 2. Return what is to be said of it.

    :param until: when to stop, in seconds of the monotonic clock.
    :raises OSError: it cannot be read.
    """
    remarks = []
    with opened(run.path) as stream:
        size = os.fstat(stream.fileno()).st_size
        reader = Reader(stream)
        for count, (event, packet) in enumerate(reader.packets()):
            tests.add(event)
            out.write(packet)
            if count % 100 == 0 and time.monotonic() > until:
                remarks.append('%s: %s' % (run.path, _NO_TIME))
                break
    if run.partial or reader.cut:
        remarks.append('%s: the run was stopped before its end; this is what there is of it' % run.path)
    if reader.damage:
        remarks.append('%s: %d of %d bytes are not subunit, left out' % (run.path, reader.damage, size))
    return remarks


def replace(path: str, fill: Callable[[IO[bytes]], None]) -> bool:
    """Put what *fill* writes at *path* in one step. Return False when it is there already."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, new = tempfile.mkstemp(prefix='.new-', dir=os.path.dirname(path))
    try:
        with open(handle, 'wb') as file:
            fill(file)
            os.fchmod(handle, 0o644)
        if os.path.isfile(path) and not os.path.islink(path) and filecmp.cmp(new, path, shallow=False):
            return False
        os.replace(new, path)
        return True
    finally:
        if os.path.lexists(new):
            os.unlink(new)


def collect(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises OSError: the results cannot be written.
    """
    dest, until = params['dest'], time.monotonic() + params['timeout']
    if params['fresh']:
        shutil.rmtree(dest, ignore_errors=True)
    # as for commands, relative to the folder of the connection's user: with become, ~ is another's
    folders = [os.path.abspath(os.path.expanduser(folder)) for folder in params['work_dirs']]
    files = [os.path.join(folders[0], os.path.expanduser(path)) for path in params['streams']]
    found, problems, promised = runs(folders, files)
    tests, remarks, readable = Tests(), [], 0

    def copy(out: IO[bytes]) -> None:
        nonlocal readable
        for run in found:
            try:
                remarks.extend(read(run, tests, out, until))
                readable += 1
            except TooLate:
                remarks.append('%s: %s' % (run.path, _NO_TIME))
                readable += 1
            except OSError as error:
                problems.append('%s: %s' % (run.path, error.strerror or error))
        signal.setitimer(signal.ITIMER_REAL, 0)

    changed = False
    written: List[str] = []
    if found:
        # For what has gigabytes and no test. Again and again, because there may be several.
        signal.signal(signal.SIGALRM, _ring)
        signal.setitimer(signal.ITIMER_REAL, max(1, params['timeout']) + 1, 5)
        changed = replace(os.path.join(dest, STREAM), copy)
        tests.done()
    untested = (promised or params['nothing'] == 'fail') and not tests.ran() and params['nothing'] != 'ignore'
    if untested:
        remarks.insert(0, 'No test was run (%s).' % counted(tests))
    if readable:
        changed |= replace(os.path.join(dest, PAGE), lambda out: to_file(
            lambda write: page(tests, remarks + problems, write), out))
        changed |= replace(os.path.join(dest, XML), lambda out: to_file(lambda write: junit(tests, write), out))
        written = [STREAM, PAGE, XML]
    elif found:
        os.unlink(os.path.join(dest, STREAM))
    return {
        'changed': changed, 'files': written, 'counts': tests.counts, 'ran': tests.ran(), 'untested': untested,
        'problems': remarks + problems,
        'artifacts': [{'name': ARTIFACTS[name][0], 'url': params['prefix'] + name,
                       'metadata': {'type': ARTIFACTS[name][1]}} for name in ARTIFACTS if name in written]}


def _ring(*_: Any) -> None:
    raise TooLate


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'work_dirs': {'type': 'list', 'elements': 'str', 'required': True},
        'streams': {'type': 'list', 'elements': 'str', 'default': []},
        'dest': {'type': 'path', 'required': True},
        'fresh': {'type': 'bool', 'default': False},
        'prefix': {'type': 'str', 'default': ''},
        'nothing': {'type': 'str', 'default': 'note', 'choices': ['ignore', 'note', 'fail']},
        'timeout': {'type': 'int', 'default': 120},
    })
    try:
        result = collect(module.params)
    except OSError as error:
        result = {'changed': False, 'files': [], 'artifacts': [], 'counts': {}, 'ran': 0, 'untested': False,
                  'problems': [str(error)]}
    module.exit_json(ansible_facts={'fetch_subunit_output_problems': result['problems']}, **result)


if __name__ == '__main__':
    main()
