#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Say which logs of a build are too large, and whether there are too many."""
from __future__ import annotations

DOCUMENTATION = r'''
module: limit_log_files
short_description: Say which logs are too large, and whether there are too many
description:
  - Counts the plain files below a folder and compares their sizes with rules. Changes nothing, and follows no link.
options:
  folder: {description: The folder., type: path, required: true}
  limit: {description: How many files it may have. 0 for any number., type: int, required: true}
  rules:
    description: Each a regular expression for paths, blanks, and the size that such a file may have.
    type: list
    elements: str
    required: true
  fail: {description: Whether to fail when it has more., type: bool, required: true}
  timeout: {description: Seconds it may take., type: int, required: true}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Look at the logs
  limit_log_files:
    folder: "{{ zuul.executor.log_root }}"
    limit: 2000
    rules: ['.*job-output.json$ 500m']
    fail: false
    timeout: 60
'''
RETURN = r'''
files: {description: Files that were counted., type: int, returned: success}
problems: {description: What is beyond a limit., type: list, elements: str, returned: success}
warning: {description: The same in one text for the author of a change., type: str, returned: success}
'''

import contextlib
import os
import re
import signal
import stat
from typing import Any, Dict, Iterator, List, NamedTuple, Pattern, Tuple

from ansible.module_utils.basic import AnsibleModule

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST = 500
_TOLD = 5
_LONGEST = 200
_RULE = re.compile(r'(?P<pattern>\S.*?)[ \t]+(?P<size>\d{1,15})(?P<unit>[kKmMgG]?)[bB]?')
_UNITS = {'': 1, 'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30}
# An escaped letter that means nothing is that letter, as in other dialects.
_NEEDLESS = re.compile(r'(\\\\)|\\([ceg-mo-qyzC-PR-VXYE])')


class Refused(Exception):
    """It cannot be done. The message says why and what to do."""


class TooLate(Exception):
    """The time is over."""


class Rule(NamedTuple):
    """Files whose path begins with a match of *pattern* may have *size* bytes. *text* is how that was written."""

    pattern: Pattern[str]
    size: int
    text: str


def rule(text: str) -> Rule:
    """Return what a rule says.

    :raises ValueError: it makes no sense; the message says why.
    """
    found = _RULE.fullmatch(text.strip())
    if not found:
        raise ValueError("write a regular expression, a blank and a size, such as '.*job-output.json$ 500k'")
    pattern = _NEEDLESS.sub(lambda match: match.group(1) or match.group(2), found.group('pattern'))
    try:
        return Rule(re.compile(pattern), int(found.group('size')) * _UNITS[found.group('unit').lower()], text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError('%s; write a regular expression of Python' % error) from error


def check(params: Dict[str, Any]) -> List[Rule]:
    """Return the rules.

    :raises Refused: something makes no sense; the message has all that does not.
    """
    problems, rules = [], []
    if params['limit'] < 0:
        problems.append('limit_log_files_file_limit is %d: it must be 0, for any number, or more' % params['limit'])
    if params['timeout'] < 1:
        problems.append('limit_log_files_timeout is %d: it must be at least 1' % params['timeout'])
    for text in params['rules']:
        try:
            rules.append(rule(text))
        except ValueError as error:
            problems.append("limit_log_files_file_rules has '%s': %s" % (text, error))
    if problems:
        raise Refused('cannot continue, %d problem%s:\n%s' % (
            len(problems), 's' if len(problems) > 1 else '', '\n'.join('  - ' + line for line in problems)))
    return rules


def sizes(folder: int, above: str = '', depth: int = 0) -> Iterator[Tuple[str, int]]:
    """Yield (path, bytes) of every plain file, through no link. What vanishes is left out."""
    for name in sorted(os.listdir(folder)):
        with contextlib.suppress(OSError):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                yield above + name, status.st_size
            elif stat.S_ISDIR(status.st_mode) and depth < _DEEPEST:
                inside = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    yield from sizes(inside, above + name + '/', depth + 1)
                finally:
                    os.close(inside)


def judged(rules: List[Rule], path: str, size: int) -> str:
    """Return what is wrong with a file, '' when nothing is. Pure."""
    for one in rules:
        if size > one.size and one.pattern.match(path):
            shown = ascii(path)[1:-1]
            shown = shown if len(shown) <= _LONGEST else '…' + shown[-_LONGEST:]
            return '%s has %d bytes, more than %d (%s)' % (shown, size, one.size, one.text)
    return ''


def warning(problems: List[str]) -> str:
    """Return one text of all *problems*, short enough for a comment on a change."""
    more = ['and %d more' % (len(problems) - _TOLD)] if len(problems) > _TOLD else []
    return 'The logs are beyond their limits: %s' % '; '.join(problems[:_TOLD] + more) if problems else ''


def look(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: it cannot be done.
    """
    rules = check(params)
    files, problems = 0, []
    try:
        folder = os.open(params['folder'], _FOLDER)
    except FileNotFoundError:       # a build that ended early has none
        folder = -1
    except OSError as error:
        raise Refused("cannot continue: limit_log_files_log_dir is '%s': %s. It must be a folder, and no link" % (
            params['folder'], error.strerror)) from error
    before = signal.signal(signal.SIGALRM, _late)
    signal.setitimer(signal.ITIMER_REAL, params['timeout'])
    try:
        for path, size in sizes(folder) if folder >= 0 else ():
            files += 1
            wrong = judged(rules, path, size)
            if wrong:
                problems.append(wrong)
    except TooLate:
        problems.append('not all were looked at in time (limit_log_files_timeout)')
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if folder >= 0:
            os.close(folder)
    if 0 < params['limit'] < files:
        problems.insert(0, 'there are %d files, more than %d' % (files, params['limit']))
    return {'changed': False, 'files': files, 'problems': problems[:1000], 'warning': warning(problems)}


def _late(number: int, frame: Any) -> None:
    raise TooLate


def main() -> None:
    """Run as a module."""
    number = {'type': 'int', 'required': True}
    module = AnsibleModule(argument_spec={
        'folder': {'type': 'path', 'required': True}, 'limit': number, 'timeout': number,
        'rules': {'type': 'list', 'elements': 'str', 'required': True}, 'fail': {'type': 'bool', 'required': True}},
        supports_check_mode=True)
    try:
        result = look(module.params)
    except Refused as error:
        module.fail_json(msg='limit-log-files: %s' % error)
    if result['warning'] and module.params['fail']:
        module.fail_json(msg='limit-log-files: %s. Leave less behind, or raise limit_log_files_file_limit or the size '
                             'in limit_log_files_file_rules.' % result['warning'], **result)
    module.exit_json(**result)


if __name__ == '__main__':
    main()
