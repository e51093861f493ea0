#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Turn what tools say of the files of a change into comments that Zuul takes."""
from __future__ import annotations

DOCUMENTATION = r"""
module: return_file_comments
short_description: Turn the output of tools into file comments
description:
  - Runs on the executor. Nothing that a tool said makes it fail; only what the caller says wrongly does.
options:
  outputs:
    description:
      - What tools said, each with C(texts), C(reports) with C(name) and C(text), the C(work_dir) in which they ran, and
        C(problems) of getting it.
    type: list
    elements: dict
    required: true
  formats: {description: What to look for., type: list, elements: str, required: true}
  repository: {description: Clone of the project on the executor., type: path, required: true}
  src_dir: {description: Folder of the project on nodes., type: str, required: true}
  ref: {description: Reference of the change., type: str, default: ''}
  commit: {description: Commit of the change., type: str, default: ''}
  returned: {description: File with what the build has returned to Zuul., type: path, default: ''}
  most: {description: Most comments of a build., type: raw, required: true}
  max_length: {description: Most characters of a comment., type: raw, required: true}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Find the lines
  return_file_comments:
    outputs:
      - texts: ["a.py:1:1: F401 unused"]
        work_dir: src/example.org/project
        problems: []
    formats: [lines]
    repository: /work/src/example.org/project
    src_dir: src/example.org/project
    most: 50
    max_length: 1000
  delegate_to: localhost
"""
RETURN = r"""
comments: {description: As Zuul wants them., type: dict, returned: success}
lines: {description: What was found and what was left out, for the log., type: list, elements: str, returned: success}
"""

import json
import os
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Set, Tuple

from ansible.module_utils import return_file_comments_data as data
from ansible.module_utils import return_file_comments_repository as repository
from ansible.module_utils import return_file_comments_text as text

MAX_TEXT = 4 * 1024 * 1024          # characters of one output that are looked at, from its end
MAX_RETURNED = 64 * 1024 * 1024     # bytes of what the build has returned
MAX_FOUND = 20000
MAX_LINE = 10 ** 7                  # of files that are too large to count
FORMATS = ('data', 'lines', 'pytest', 'unittest')
_ORDER = ('error', 'warning', 'info')
_HIDDEN = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]')
_ADDRESS = re.compile(r'\b0x[0-9a-f]{6,16}\b')      # of objects, other ones on each node
_NAMED = re.compile(r'\b[A-Z]{1,5}\d{2,5}\b|\[[a-z]+(?:-[a-z]+)*\]')      # codes of linters
MASK = '********'


class Refused(Exception):
    """The caller asked for what is not to be had."""


class Comment(NamedTuple):
    """One that Zuul takes.

    :ivar written: whether a tool wrote it for machines: then it is not told a second time as that tool printed it.
    """

    path: str
    line: int
    level: str
    message: str
    written: bool = False


class Returned(NamedTuple):
    """What the build has returned before: how many comments, which, and the texts that must not be shown."""

    number: int
    known: Set[Tuple[str, int, str]]
    secrets: List[str]


def check(formats: Sequence[str], most: Any, max_length: Any) -> Tuple[int, int]:
    """Return the two limits as numbers.

    :raises Refused: with all that is wrong.
    """
    problems = []
    odd = [one for one in formats if one not in FORMATS]
    if odd or not formats:
        problems.append('return_file_comments_formats is %s: not one or more of %s.'
                        % (json.dumps(list(formats)), ', '.join(FORMATS)))
    limits = []
    for name, value, lowest, highest in (('max', most, 1, 1000), ('max_length', max_length, 80, 10000)):
        if isinstance(value, bool) or not re.fullmatch(r'\d{1,9}', str(value)) or not lowest <= int(value) <= highest:
            problems.append("return_file_comments_%s is '%s': no number from %d to %d."
                            % (name, value, lowest, highest))
        else:
            limits.append(int(value))
    if problems:
        raise Refused('return-file-comments: cannot continue, %d problem%s:\n  - %s' % (
            len(problems), '' if len(problems) == 1 else 's', '\n  - '.join(problems)))
    return limits[0], limits[1]


def read_returned(path: str) -> Returned:
    """Return what the build has returned before; playbooks of a job may write this file, so it may be anything."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), 'rb') as stream:
            document = json.loads(stream.read(MAX_RETURNED))
    except (OSError, ValueError, RecursionError):
        document = {}
    parts = [part['zuul'] for part in (document.get('data'), document.get('secret_data'))
             if isinstance(part, dict) and isinstance(part.get('zuul'), dict)] if isinstance(document, dict) else []
    comments = [(path, one) for part in parts if isinstance(part.get('file_comments'), dict)
                for path, many in part['file_comments'].items() if isinstance(many, list)
                for one in many if isinstance(one, dict)]
    known = {(path, one['line'], one['message']) for path, one in comments
             if isinstance(one.get('line'), int) and isinstance(one.get('message'), str)}
    secrets = [one for part in parts if isinstance(part.get('redactions'), list) for one in part['redactions']
               if isinstance(one, str) and len(one) >= 4]
    return Returned(len(comments), known, sorted(secrets, key=len, reverse=True))


def look(output: Dict[str, Any], formats: Sequence[str]) -> Iterator[Tuple[text.Finding, bool]]:
    """Return what was found in an output of a node, and whether it was written for machines.

    A report that was only met with counts when it is one of tests, where what passed is no finding, or when the command
    that failed names it: what a command found that passed is nothing to tell.
    """
    texts = [str(said)[-MAX_TEXT:] for said in output.get('texts') or ()]
    if 'data' in formats:
        failed = '\n'.join(text.failed_commands(one) for one in texts)
        for report in output.get('reports') or ():
            said, name = str(report.get('text', ''))[-MAX_TEXT:], str(report.get('name', ''))
            if said.lstrip('\ufeff \t\r\n').startswith('<') or names(failed, name):
                yield from ((one, True) for one in data.findings(said) or ())
    for one in texts:
        written = data.findings(one) if 'data' in formats else None
        if written is None:
            yield from ((found, False) for found in text.findings(one, formats))
        else:
            yield from ((found, True) for found in written)


def names(commands: str, name: str) -> bool:
    """Whether *commands* name a file, with or without its folder."""
    return bool(name) and bool(re.search(r'(?<![^\s/=>:"\'])%s(?![^\s;"\'])' % re.escape(name), commands))


def said_before(one: Comment, others: Sequence[Comment]) -> bool:
    """Whether one of the *others* on the line says the same in other words: by its code, or in its first line."""
    def gist(message: str) -> Tuple[Set[str], str]:
        return set(_NAMED.findall(message)), message.split('\n')[0].rpartition(': ')[2].strip(' .')
    names, line = gist(one.message)
    return any(names & codes or line in first or first in line
               for codes, first in (gist(other.message) for other in others))


def message_of(found: str, secrets: Sequence[str], longest: int) -> str:
    """Return a message that can be shown: whole characters only, no more than *longest*, not empty."""
    for secret in secrets:
        found = found.replace(secret, MASK)
    found = _ADDRESS.sub('0x…', found.replace('\r\n', '\n').replace('\t', '    '))
    shown = _HIDDEN.sub('\N{REPLACEMENT CHARACTER}', found).strip()
    return (shown if len(shown) <= longest else shown[:longest - 1].rstrip() + '…') or 'no message'


def comments(params: Dict[str, Any]) -> Dict[str, Any]:
    """Return the result of the task.

    :raises Refused: the caller asked for what is not to be had.
    """
    most, longest = check(params['formats'], params['most'], params['max_length'])
    told = [str(problem) for output in params['outputs'] for problem in output.get('problems') or ()]
    lines = list(dict.fromkeys(told))
    if not any(one for output in params['outputs'] for one in (*(output.get('texts') or ()), output.get('reports'))):
        return {'changed': False, 'comments': {}, 'lines': lines}
    try:
        known = repository.files(params['repository'])
        touched = repository.changed(params['repository'], params['ref'] or '', params['commit'] or '')
        returned = read_returned(params['returned'])
        found, elsewhere = place(params, known, touched)
        counted = repository.count_lines(params['repository'], {known[one.path] for one in found})
    except repository.Unreadable as error:
        return {'changed': False, 'comments': {}, 'lines': [*lines, 'No comments: %s.' % error]}
    kept: Dict[Tuple[str, int, str], Comment] = {}
    for one in found:
        last = counted.get(known[one.path].blob, MAX_LINE)
        at = one.line - 1 if one.line == last + 1 else one.line     # where an editor shows the end of the file
        if not 1 <= at <= last:
            elsewhere += 1
            continue
        shown = message_of(one.message, returned.secrets, longest)
        if (one.path, at, shown) not in returned.known:
            kept.setdefault((one.path, at, shown), Comment(one.path, at, one.level, shown, one.written))
    exact: Dict[Tuple[str, int], List[Comment]] = {}
    for one in kept.values():
        if one.written:
            exact.setdefault((one.path, one.line), []).append(one)
    ordered = sorted((one for one in kept.values()
                      if one.written or not said_before(one, exact.get((one.path, one.line), ()))),
                     key=lambda one: _ORDER.index(one.level))
    chosen = ordered[:max(most - returned.number, 0)]
    lines.append('Comments on lines of the change: %d. Left out: %d elsewhere, %d beyond the %d that a build may have.'
                 % (len(chosen), elsewhere, len(ordered) - len(chosen), most))
    result: Dict[str, List[Dict[str, Any]]] = {}
    for one in chosen:
        result.setdefault(one.path, []).append({'line': one.line, 'level': one.level, 'message': one.message})
    return {'changed': False, 'comments': result, 'lines': lines}


def place(params: Dict[str, Any], known: Dict[str, repository.File],
          touched: Any) -> Tuple[List[Comment], int]:
    """Return the findings by their file in the repository, and how many are of none that may have comments.

    :param touched: the files that may have comments; None for all.
    """
    found: List[Comment] = []
    elsewhere = 0
    for output in params['outputs']:
        for one, written in look(output, params['formats']):
            if len(found) + elsewhere >= MAX_FOUND:
                return found, elsewhere
            places = ((repository.resolve(path, str(output.get('work_dir') or ''), params['src_dir'], known), line)
                      for path, line in one.places)
            path, line = next((at for at in places if at[0]), ('', 0))
            if path and (touched is None or path in touched):
                if one.inside and known[path].size <= repository.MAX_COUNTED:
                    line = repository.line_of(repository.content(params['repository'], known[path].blob), one.inside)
                found.append(Comment(path, line, one.level, one.message, written))
            else:
                elsewhere += 1
    return found, elsewhere


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'outputs': {'type': 'list', 'elements': 'dict', 'required': True},
        'formats': {'type': 'list', 'elements': 'str', 'required': True},
        'repository': {'type': 'path', 'required': True},
        'src_dir': {'type': 'str', 'required': True},
        'ref': {'type': 'str', 'default': ''},
        'commit': {'type': 'str', 'default': ''},
        'returned': {'type': 'path', 'default': ''},
        'most': {'type': 'raw', 'required': True},
        'max_length': {'type': 'raw', 'required': True}})
    try:
        module.exit_json(**comments(module.params))
    except Refused as error:
        module.fail_json(msg=str(error))


if __name__ == '__main__':
    main()
