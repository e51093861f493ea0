#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Stage what a job left anywhere on a node where it is collected from."""
from __future__ import annotations

DOCUMENTATION = r'''
module: stage_output
short_description: Stage logs, artifacts and docs where they are collected from
description:
  - Copies, renames and compresses in one pass, as the user of the connection; where that one may not read or write,
    once more through C(sudo), when that works without a password.
  - Links inside folders, devices, pipes and sockets are left out. What cannot be staged is listed in C(problems); it is
    no failure.
options:
  sources:
    description: What to stage. C(key) is a path, C(value) one of C(logs), C(artifacts), C(docs), or empty for nothing.
    type: list
    elements: dict
    required: true
  more:
    description:
      - More sources. C(path) as above, C(part) one of C(logs), C(artifacts), C(docs). C(name) is a path below the part
        that the source gets; when it is empty, what is in the folder comes without the folder.
        With C(pattern), each C(*) in the path stands for any characters but C(/), and in C(name) for what these were;
        links do not count. C(only) names what the first C(*) is to stand for; when one of them is not there, all count.
    type: list
    elements: dict
    default: []
  fact: {description: Name of the fact that gets the problems., type: str, default: stage_output_problems}
  stage_dir:
    description: The folder that gets C(logs), C(artifacts) and C(docs).
    type: str
    required: true
  extensions:
    description: Extensions of logs that become text. A list, or a dictionary whose values say whether the key counts.
    type: raw
  compress: {description: Whether logs are compressed., type: bool, default: false}
  timeout: {description: Seconds it may take., type: int, default: 300}
  max_bytes: {description: Bytes that are staged at most., type: int, default: 4294967296}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Stage a log
  stage_output:
    sources: [{key: /var/log/syslog, value: logs}]
    stage_dir: /home/zuul/zuul-output
'''
RETURN = r'''
files: {description: Number of files that were copied., type: int, returned: always}
bytes: {description: Their size before compression., type: int, returned: always}
missing: {description: Sources that are not there., type: list, elements: str, returned: always}
found:
  description: Those of C(more), by the path as it was given, of which at least one file is staged.
  type: list
  elements: str
  returned: always
problems: {description: What was not staged and why., type: list, elements: str, returned: always}
ansible_facts:
  description: C(stage_output_found), as C(found), and C(stage_output_problems), or what C(fact) says, as C(problems).
  type: dict
  returned: always
'''

import getpass
import glob
import inspect
import json
import os
import re
import subprocess
import sys
import time
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ansible.module_utils import stage_output_copy as copy
from ansible.module_utils.basic import AnsibleModule

_LONGER = 10     # seconds that root's process has more than it knows of
_LOADER = 'import sys; i = sys.stdin.buffer; exec(compile(i.read(int(i.readline())), "stage_output_copy", "exec"))'


def wanted(sources: Sequence[Mapping[str, Any]]) -> Tuple[Dict[str, str], List[str]]:
    """Return path -> part of what is to be staged, and what is wrong with others."""
    parts: Dict[str, str] = {}
    problems = []
    for source in sources:
        path, part = source.get('key'), source.get('value')
        if not part:
            continue
        if part not in copy.PARTS:
            problems.append("zuul_copy_output: '%s' is to go to '%s', which is none of %s. Write one of these, or null "
                            "to leave it out." % (path, part, ', '.join(copy.PARTS)))
            continue
        full = os.path.normpath(os.path.join(os.path.expanduser('~'), os.path.expanduser(str(path))))
        if not path or '\0' in str(path) or full.strip('/') == '':
            problems.append("zuul_copy_output: '%s' is not the path of a file or a folder." % path)
        elif parts.setdefault(full, str(part)) != part:
            problems.append("zuul_copy_output: '%s' is to go to '%s' and to '%s'; it goes to the first."
                            % (full, parts[full], part))
    return parts, problems


class More:
    """Sources that have a name of their own or come from a pattern.

    :ivar parts: path -> part of each.
    :ivar names: path -> name below the part, for those that have one.
    :ivar problems: what is wrong with others.
    """

    def __init__(self, sources: Sequence[Mapping[str, Any]]) -> None:
        self.parts: Dict[str, str] = {}
        self.names: Dict[str, str] = {}
        self.problems: List[str] = []
        self._given: Dict[str, List[str]] = {}
        for source in sources:
            path, part, name = str(source.get('path') or ''), source.get('part'), source.get('name')
            full = os.path.normpath(os.path.join(os.path.expanduser('~'), os.path.expanduser(path)))
            wrong = ('its part is none of %s' % ', '.join(copy.PARTS) if part not in copy.PARTS
                     else 'it is not the path of a file or a folder' if not path or '\0' in path or not full.strip('/')
                     else 'its name leads elsewhere' if name and not below(str(name)) else '')
            if wrong:
                self.problems.append("'%s': %s, left out" % (path, wrong))
                continue
            found = matches(full, name, source.get('only') or ()) if source.get('pattern') else {full: name}
            self._given.setdefault(path, []).extend(found)
            for one, own in found.items():
                self.parts[one] = str(part)
                if own is not None:
                    self.names[one] = str(own)

    def found(self, staged: Sequence[str]) -> List[str]:
        """Return the sources, as they were given, of which something was *staged*."""
        return [path for path, full in self._given.items() if set(full) & set(staged)]


def below(name: str) -> bool:
    """Whether a name is a path that does not lead out of its folder."""
    return not any(step in ('', '.', '..') for step in name.split('/')) and name.isprintable()


def filled(name: str, stars: Sequence[str]) -> str:
    """Return *name* with the first ``*`` being the first of *stars*, and so on."""
    pieces = name.split('*')
    return ''.join(piece + star for piece, star in zip(pieces, [*stars, *[''] * len(pieces)]))


def matches(pattern: str, name: Any, only: Sequence[str] = ()) -> Dict[str, Any]:
    """Return path -> name of what a pattern matches: a ``*`` in *name* is what that in *pattern* stands for.

    :param only: what the first ``*`` may stand for. It does not count when one of these is not there.
    """
    fixed = os.path.dirname(pattern[:pattern.find('*')] if '*' in pattern else pattern)
    kept = re.compile('([^/]*)'.join(re.escape(piece) for piece in pattern.split('*')))
    found: Dict[str, Tuple[str, ...]] = {}
    for path in sorted(glob.glob(glob.escape(pattern).replace('[*]', '*'))):
        stars = kept.fullmatch(path)
        # What the job names may be a link, what is found may not.
        if stars and os.path.realpath(path) == os.path.realpath(fixed) + path[len(fixed):]:
            found[path] = stars.groups()
    if only and set(only) <= {stars[0] for stars in found.values() if stars}:
        found = {path: stars for path, stars in found.items() if stars and stars[0] in only}
    return {path: None if name is None else filled(str(name), stars) for path, stars in found.items()}


def extensions(given: Any) -> List[str]:
    """Return the extensions, without dots, that a dictionary, a list or nothing names."""
    named = [name for name, counts in given.items() if counts] if isinstance(given, dict) else given or []
    return [str(name).lstrip('.') for name in ([named] if isinstance(named, str) else named)]


def through_sudo(request: Mapping[str, Any]) -> Dict[str, Any]:
    """Stage as root.

    :raises OSError: that is not to be had.
    """
    source = inspect.getsource(copy).encode()
    given = b'%d\n%s%s\n' % (len(source), source, json.dumps(request).encode())
    argv = ['sudo', '-n', '--', sys.executable, '-I', '-c', _LOADER]
    # In a `with`, the end of sudo would be waited for, however long it takes: root's process is not ours to kill.
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, said = process.communicate(given, request['seconds'] + _LONGER)
    except subprocess.TimeoutExpired:
        raise OSError('sudo does not end') from None
    finally:
        # Root's process ends by itself when it writes.
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    if process.returncode:
        raise OSError('sudo: %s' % said.decode('utf-8', 'replace').strip()[-500:])
    return dict(json.loads(out))


def stage(params: Mapping[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result."""
    sources, problems = wanted(params['sources'])
    more = More(params['more'])
    problems += more.problems
    stage_dir = os.path.abspath(os.path.expanduser(params['stage_dir']))
    request: Dict[str, Any] = {
        'sources': {**sources, **more.parts}, 'names': more.names, 'stage_dir': stage_dir,
        'extensions': extensions(params['extensions']),
        'compress': params['compress'], 'max_bytes': params['max_bytes'], 'seconds': max(1, params['timeout'])}
    begin = time.monotonic()
    result = copy.stage(request)
    if result.pop('denied') and os.geteuid() != 0:
        left = {'seconds': max(1, request['seconds'] - int(time.monotonic() - begin)),
                'max_bytes': request['max_bytes'] - result['bytes']}
        try:
            again = through_sudo(dict(request, **left))
            again.pop('denied')
            again['changed'] = again['changed'] or result['changed']
            for count in ('files', 'bytes'):
                again[count] += result[count]
            result = again
        except (OSError, ValueError) as error:
            result['problems'].append('what %s may not read is left out: %s' % (getpass.getuser(), error))
    result['problems'] = [copy.printable(line) for line in problems] + result['problems']
    result['found'] = more.found(result['found'])
    facts = {params['fact']: result['problems'], 'stage_output_found': result['found']}
    return dict(result, ansible_facts=facts)


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'sources': {'type': 'list', 'elements': 'dict', 'required': True},
        'more': {'type': 'list', 'elements': 'dict', 'default': []},
        'fact': {'type': 'str', 'default': 'stage_output_problems'},
        'stage_dir': {'type': 'str', 'required': True},
        'extensions': {'type': 'raw'},
        'compress': {'type': 'bool', 'default': False},
        'timeout': {'type': 'int', 'default': 300},
        'max_bytes': {'type': 'int', 'default': 4294967296},
    })
    module.exit_json(**stage(module.params))


if __name__ == '__main__':
    main()
