#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Collect the reports of tests that a job left, and sum up what they and the data of coverage say."""
from __future__ import annotations

DOCUMENTATION = r'''
module: fetch_test_reports
short_description: Collect JUnit XML, and sum up tests and coverage
description:
  - Looks for files by their names in a folder and below, not in hidden ones. Links are not followed, and what git
    tracks was not made by the job.
  - A report that cannot be read is told, and fails nothing.
options:
  folder: {description: The folder that the tests ran in., type: str, required: true}
  junit: {description: Names of JUnit XML with wildcards., type: list, elements: str, default: []}
  coverage: {description: Names of data of coverage with wildcards., type: list, elements: str, default: []}
  dest: {description: The target folder., type: path, required: true}
  fresh: {description: Whether the target is emptied first., type: bool, default: false}
  prefix: {description: What the addresses of the artifacts begin with., type: str, default: ''}
  timeout: {description: Seconds that it may take., type: int, default: 60}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Collect reports
  fetch_test_reports:
    folder: /home/zuul/src/example.com/project
    junit: ["*junit*.xml"]
    coverage: [coverage.xml]
    dest: /home/zuul/zuul-output/logs
'''
RETURN = r'''
files: {description: Names of the files in the target folder., type: list, elements: str, returned: success}
artifacts: {description: The same as artifacts of a build., type: list, elements: dict, returned: success}
tests: {description: What the reports of tests come to., type: dict, returned: success}
coverage: {description: What the data of coverage says., type: dict, returned: success}
problems: {description: What could not be had and why., type: list, elements: str, returned: success}
ansible_facts:
  description: C(fetch_test_reports_problems), the same as C(problems).
  type: dict
  returned: success
'''

import fnmatch
import json
import math
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple
from xml.parsers import expat

from ansible.module_utils.basic import AnsibleModule

FOLDER, SUMMARY = 'test-reports', 'test-reports/summary.json'
MAX_REPORTS, MAX_BYTES, MAX_DEPTH, MAX_ENTRIES = 20, 32 << 20, 4, 50000
_PIECE = 1 << 16
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
_PLAIN = re.compile(r'[\w.+-]{1,120}(?:/[\w.+-]{1,120}){0,8}', re.ASCII)
COUNTED = ('tests', 'failures', 'errors', 'skipped')


class NoReport(ValueError):
    """It is something else than a report, or a broken one."""


def names(folder: str, patterns: Sequence[str]) -> Iterator[str]:
    """Return plain files below *folder* with such names, relative to it, those of upper folders first."""
    left = MAX_ENTRIES
    todo = ['']
    while todo:
        parent = todo.pop(0)
        try:
            entries = sorted(os.scandir(os.path.join(folder, parent)), key=lambda entry: entry.name)
        except OSError:
            continue
        left -= len(entries)
        if left < 0:
            return
        for entry in entries:
            path = os.path.join(parent, entry.name)
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith('.') and entry.name != 'node_modules' and path.count('/') < MAX_DEPTH:
                    todo.append(path)
            elif entry.is_file(follow_symlinks=False) and any(
                    fnmatch.fnmatchcase(entry.name, pattern) for pattern in patterns):
                yield path


def tracked(folder: str, paths: Sequence[str]) -> List[str]:
    """Return which of *paths* git tracks: those the job has not made. No one where that is not known."""
    command = ['git', '-c', 'safe.directory=*', '-c', 'core.fsmonitor=false', '-C', folder, '--literal-pathspecs',
               'ls-files', '-z', '--', *paths]
    try:
        done = subprocess.run(command, check=False, timeout=20, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [os.fsdecode(path) for path in done.stdout.split(b'\0') if path] if done.returncode == 0 else []


def read(path: str) -> bytes:
    """Return what is in a plain file.

    :raises OSError: it cannot be read.
    :raises NoReport: it is no plain file, or a large one.
    """
    with open(os.open(path, _READ), 'rb') as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise NoReport('no plain file')
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise NoReport('larger than %d MiB' % (MAX_BYTES >> 20))
    return data


def number(value: Any) -> float:
    """Return a number that is finite and not below 0; 0 for all else."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return found if math.isfinite(found) and 0 <= found < 1e15 else 0.0


def parse(data: bytes, start: Any, end: Any = None) -> None:
    """Call *start* and *end* for each element of XML. What declares entities is refused: they may grow without bounds.

    :raises NoReport: it is no XML.
    """
    def refuse(*_: Any) -> None:
        raise NoReport('it declares entities')
    parser = expat.ParserCreate()
    parser.EntityDeclHandler, parser.StartElementHandler, parser.EndElementHandler = refuse, start, end
    try:
        for at in range(0, len(data), _PIECE):
            parser.Parse(data[at:at + _PIECE], False)
        parser.Parse(b'', True)
    except expat.ExpatError as error:
        raise NoReport('broken XML: %s' % error) from None


def junit(data: bytes) -> Dict[str, Any]:
    """Return what a report of tests comes to.

    :raises NoReport: it is none.
    """
    counts: Dict[str, Any] = {**dict.fromkeys(COUNTED, 0), 'seconds': 0.0}
    top: List[str] = []
    outcome: List[str] = []

    def start(name: str, attributes: Dict[str, str]) -> None:
        if not top:
            top.append(name)
            if name not in ('testsuite', 'testsuites'):
                raise NoReport('no report of tests')
        if name == 'testcase':
            counts['tests'] += 1
            counts['seconds'] += number(attributes.get('time'))
            outcome.clear()
        elif name in ('failure', 'error', 'skipped') and not outcome:
            outcome.append(name)
            counts[{'failure': 'failures', 'error': 'errors'}.get(name, name)] += 1

    parse(data, start)
    counts['seconds'] = round(counts['seconds'], 3)
    return counts


def coverage(data: bytes) -> Dict[str, Any]:
    """Return how much of the lines was covered, as the XML or JSON of coverage says.

    :raises NoReport: it does not say that.
    """
    if data.lstrip()[:1] == b'{':
        try:
            totals = json.loads(data)['totals']
            covered, lines = number(totals['covered_lines']), number(totals['num_statements'])
            percent = number(totals['percent_covered'])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise NoReport('no data of coverage') from None
    else:
        found: List[Dict[str, str]] = []

        def start(name: str, attributes: Dict[str, str]) -> None:
            if not found:
                if name != 'coverage' or 'line-rate' not in attributes:
                    raise NoReport('no data of coverage')
                found.append(attributes)

        parse(data, start)
        covered, lines = number(found[0].get('lines-covered')), number(found[0].get('lines-valid'))
        percent = 100 * number(found[0]['line-rate'])
    return {'percent': round(min(percent, 100.0), 2), 'covered_lines': int(covered), 'lines': int(lines)}


def put(path: str, data: bytes) -> bool:
    """Write a file in one step. Return False when it is there already.

    :raises OSError: it cannot be written.
    """
    try:
        if read(path) == data:
            return False
    except (OSError, NoReport):
        pass
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, new = tempfile.mkstemp(prefix='.new-', dir=os.path.dirname(path))
    try:
        with open(handle, 'wb') as stream:
            stream.write(data)
            os.fchmod(handle, 0o644)
        os.replace(new, path)
    finally:
        if os.path.lexists(new):
            os.unlink(new)
    return True


def artifacts(reports: Sequence[Tuple[str, Dict[str, Any]]], covered: Optional[Dict[str, Any]],
              prefix: str) -> List[Dict[str, Any]]:
    """Return what Zuul is told.

    :param reports: path in the target folder, and what it comes to.
    """
    told = [{'name': 'JUnit XML ' + path[len(FOLDER) + 1:], 'url': prefix + path,
             'metadata': {'type': 'junit_xml', **counts}} for path, counts in reports]
    if covered:
        told.append({'name': 'Coverage summary', 'url': prefix + SUMMARY,
                     'metadata': {'type': 'coverage_summary', **covered}})
    return told


def collect(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises OSError: the reports cannot be written.
    """
    until = time.monotonic() + params['timeout']
    if params['fresh']:
        shutil.rmtree(params['dest'], ignore_errors=True)
    folder = os.path.abspath(os.path.expanduser(params['folder']))
    met = list(names(folder, [*params['junit'], *params['coverage']]))
    own = set(tracked(folder, met[:500])) if met else set()
    reports: List[Tuple[str, Dict[str, Any]]] = []
    covered: Optional[Dict[str, Any]] = None
    problems: List[str] = []
    changed = False
    for path in (one for one in met[:500] if one not in own):
        if time.monotonic() > until:
            problems.append('there was no time to read all reports (fetch_test_reports_timeout)')
            break
        wanted = any(fnmatch.fnmatchcase(os.path.basename(path), pattern) for pattern in params['junit'])
        try:
            if not wanted:
                covered = covered or coverage(read(os.path.join(folder, path)))
                continue
            if not _PLAIN.fullmatch(path):
                raise NoReport('its name cannot be that of a page')
            data = read(os.path.join(folder, path))
            counts = junit(data)
        except (OSError, NoReport) as error:
            problems.append('%s: %s' % (path, getattr(error, 'strerror', None) or error))
            continue
        if len(reports) == MAX_REPORTS:
            problems.append('%s: left out, more than %d reports' % (path, MAX_REPORTS))
            break
        changed |= put(os.path.join(params['dest'], FOLDER, path), data)
        reports.append((FOLDER + '/' + path, counts))
    tests = {key: round(sum(counts[key] for _, counts in reports), 3) for key in (*COUNTED, 'seconds') if reports}
    written = [path for path, _ in reports]
    if reports or covered:
        summary = {'tests': tests, 'coverage': covered or {}, 'reports': dict(reports)}
        changed |= put(os.path.join(params['dest'], SUMMARY), json.dumps(summary, indent=1, sort_keys=True).encode())
        written.append(SUMMARY)
    return {'changed': changed, 'files': written, 'tests': tests, 'coverage': covered or {}, 'problems': problems,
            'artifacts': artifacts(reports, covered, params['prefix'])}


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'folder': {'type': 'str', 'required': True},
        'junit': {'type': 'list', 'elements': 'str', 'default': []},
        'coverage': {'type': 'list', 'elements': 'str', 'default': []},
        'dest': {'type': 'path', 'required': True},
        'fresh': {'type': 'bool', 'default': False},
        'prefix': {'type': 'str', 'default': ''},
        'timeout': {'type': 'int', 'default': 60},
    })
    try:
        result = collect(module.params)
    except OSError as error:
        result = {'changed': False, 'files': [], 'artifacts': [], 'tests': {}, 'coverage': {}, 'problems': [str(error)]}
    module.exit_json(ansible_facts={'fetch_test_reports_problems': result['problems']}, **result)


if __name__ == '__main__':
    main()
