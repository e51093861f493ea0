# SPDX-License-Identifier: Apache-2.0
"""What linters, type checkers, test runners and Sphinx say on a terminal, as findings."""
from __future__ import annotations

import re
from typing import Iterator, List, Match, NamedTuple, Optional, Sequence, Tuple

MAX_LINE = 2000     # characters; a longer one is nobody's message
MAX_QUOTED = 15     # lines of a failure that are told

_ANSI = re.compile(r'\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])')
_BANNER = re.compile(r'=+ (?P<name>[^=].*?) =+$')
_ENDED = re.compile(r'(?:=+ )?(?:no tests ran|'
                    r'\d+ (?:passed|failed|errors?|skipped|deselected|xfailed|xpassed|warnings?)\b).* in \d+\.\d+s')
_TEST = re.compile(r'_{3,} (?P<name>\S.*?) _{3,}$')
_CAPTURED = re.compile(r'-{3,} ?Captured ')
_PLACE = re.compile(r'(?P<path>[^\s:][^:]*):(?P<line>\d{1,9}):(?: (?P<rest>.*))?$')
_FRAME = re.compile(r'\s*File "(?P<path>[^"]+)", line (?P<line>\d{1,9})(?:, in |$)')
_UNITTEST = re.compile(r'(?:FAIL|ERROR): (?P<name>.+)$')
_ID = re.compile(r'(?P<method>\w+) \((?P<place>[\w.]+)\)')
_STESTR = re.compile(r'\{\d+\} (?P<name>\S+) \[\d+\.\d+s\] \.\.\. FAILED$')
# What tests print stands above what their runner says, down from where tox or nox say that they start it. What a
# command said that passed is nothing to tell.
_RAN = re.compile(r'Ran:? \d+ tests? in |\{\d+\} \S+ \[\d+\.\d+s\] \.\.\. ')
_COMMAND = re.compile(r'\S+: (?:\d+ [A-Z] )?(?:commands(?:_pre|_post)?\[\d+\]> |OK\b)'
                      r'|\S+ run-test: commands\[\d+\] \| |nox > ')
_FAILED = re.compile(r'\S+: (?:\d+ [A-Z] )?exit -?[1-9]|ERROR: InvocationError '
                     r'|nox > Command .* failed with exit code ')
_RULE = re.compile(r'(?:={70}|-{70})$')

_LINE = re.compile(r'(?P<path>[^\s:][^:]*):(?P<line>\d{1,9}):(?:\d{1,9}:)? ?(?P<message>[^\s\d].*)$')
_SPHINX = re.compile(r'(?P<path>[^\s:][^:]*):(?:docstring of (?P<object>[^\s:]+):)?(?:(?P<line>\d{1,9}):)? '
                     r'(?P<level>WARNING|ERROR|SEVERE|CRITICAL): (?P<message>\S.*)$')
_ARROW = re.compile(r'\s*--> (?P<path>[^\s:][^:]*):(?P<line>\d{1,9}):\d{1,9}$')
_INDENTED = re.compile(r'\s+(?P<line>\d{1,9}):\d{1,9}\s+(?P<level>error|warning)\s+(?P<message>\S.*)$')
_SHELL = re.compile(r'In (?P<path>\S.*) line (?P<line>\d{1,9}):$')
_CARET = re.compile(r'\s*\^-*\^? (?P<message>SC\d+ \((?P<level>error|warning|info|style)\): \S.*)$')
_ISSUE = re.compile(r'>> Issue: (?P<message>\S.*)$')
_LOCATION = re.compile(r'\s+Location: (?P<path>[^\s:][^:]*):(?P<line>\d{1,9})(?::\d{1,9})?$')
# What a workflow of GitHub takes for an annotation; ruff and yamllint write it.
_ANNOTATION = re.compile(r'::(?P<level>error|warning|notice) (?P<about>.{1,1000}?)::(?P<message>\S.*)$')
_AGAIN = re.compile(r'(?:[^\s:][^:]*:)?\d{1,9}:\d{1,9}:? (?=\S)')      # the place, once more in the message
_OUTCOME = re.compile(r'(?:FAILED|ERROR) (?P<path>[^\s:][^:]*?\.\w{1,10})(?:::(?P<test>\S.*?))?'
                      r'(?: - (?P<message>.*))?$')
_CODE = re.compile(r'\[?(?P<word>[A-Za-z]+)(?: error)?(?P<digits>\d*)')
# Python says these of whatever runs, also of what passes.
_RUNTIME = re.compile(r'\w*Warning: ')

LEVELS = {
    'error': 'error', 'fatal': 'error', 'severe': 'error', 'critical': 'error', 'high': 'error', 'blocker': 'error',
    'major': 'error', 'warning': 'warning', 'medium': 'warning', 'minor': 'warning', 'low': 'warning', 'note': 'info',
    'notice': 'info',
    'info': 'info', 'style': 'info', 'convention': 'info', 'refactor': 'info', 'none': 'info',
}
_CODES = {'E': 'error', 'F': 'error', 'W': 'warning', 'C': 'info', 'R': 'info', 'I': 'info'}


class Finding(NamedTuple):
    """What a tool found.

    :ivar places: paths as the tool wrote them, each with a line from 1; the first that is of the repository counts.
    :ivar level: error, warning or info.
    :ivar inside: classes and function that it is about, where only that is known; its place has line 1 then.
    """

    places: Tuple[Tuple[str, int], ...]
    level: str
    message: str
    inside: Tuple[str, ...] = ()


def clean(text: str) -> List[str]:
    """Return the lines of what a tool said, without colours; each that is too long is empty."""
    return [line if len(line) <= MAX_LINE else ''
            for line in (_ANSI.sub('', raw[:2 * MAX_LINE]).rstrip() for raw in text.replace('\r\n', '\n').split('\n'))]


def findings(text: str, formats: Sequence[str]) -> Iterator[Finding]:
    """Return what *text* says.

    :param formats: of ``pytest``, ``unittest`` and ``lines``, those that are looked for. What a test printed is the
        business of none of them, as far as it can be told from what its runner says.
    """
    lines = clean(text)
    rest: List[str] = []
    title = ''      # the test that a report of stestr is about stands above it
    begin = at = 0
    runner = False
    while at < len(lines):
        banner = _BANNER.match(lines[at])
        if banner and banner['name'] in ('test session starts', 'FAILURES', 'ERRORS', 'short test summary info'):
            end = _end(lines, at + 1)
            if 'pytest' in formats:
                yield from pytest(lines[at:end])
            del rest[begin:]
            at = end
        elif lines[at] == 'Captured traceback:' and at + 1 < len(lines) and lines[at + 1].startswith('~~~'):
            end = _after(lines, at + 2)
            if 'unittest' in formats:
                yield from traceback([line[4:] for line in lines[at + 2:end]], title)
            at = end
        elif lines[at].startswith('Captured ') and at + 1 < len(lines) and lines[at + 1].startswith('~~~'):
            at = _after(lines, at + 2)
        elif _RULE.match(lines[at]) and at + 2 < len(lines) and (test := _UNITTEST.match(lines[at + 1])):
            end = at + 2
            while end < len(lines) and not _RULE.match(lines[end]):     # a docstring may stand between
                end += 1
            told = end = end + 1
            while end < len(lines) and not _RULE.match(lines[end]):
                end += 1
            if 'unittest' in formats:
                yield from traceback(_before_output(lines[told:end]), _id(test['name']))
            at = end
        else:
            if at and lines[at] == '-' * max(len(lines[at - 1]), 3):
                title = lines[at - 1]
            elif test := _STESTR.match(lines[at]):
                title = test['name']
            failed, started = _FAILED.match(lines[at]), _COMMAND.match(lines[at])
            if (started and runner and not failed) or _RAN.match(lines[at]) or _passed(lines[at]):
                del rest[begin:]
            if failed or started:
                begin, runner = len(rest), True
            rest.append(lines[at])
            at += 1
    if 'lines' in formats:
        yield from linters(rest)


def failed_commands(text: str) -> str:
    """Return the lines in which tox or nox say which command failed."""
    return '\n'.join(line for line in clean(text) if _FAILED.match(line))


def _passed(line: str) -> bool:
    """Whether pytest says that it passed, which is all that it says when it is told to be quiet."""
    return bool(_ENDED.match(line)) and (' passed' in line or 'no tests ran' in line)


def _end(lines: Sequence[str], at: int) -> int:
    """Return where the report of pytest is over, from line *at* on."""
    while at < len(lines) and not _ENDED.match(lines[at]):
        at += 1
    return at


def _after(lines: Sequence[str], at: int) -> int:
    """Return where a block ends whose lines are indented or empty, from line *at* on."""
    while at < len(lines) and (not lines[at] or lines[at].startswith('    ')):
        at += 1
    return at


def _id(name: str) -> str:
    """Return the id of the test that unittest calls *name*: Python before 3.11 left the method out of the brackets."""
    found = _ID.match(name)
    if not found:
        return name
    method = '.' + found['method']
    return found['place'] + ('' if found['place'].endswith(method) else method) + name[found.end():]


def _before_output(lines: Sequence[str]) -> List[str]:
    for at, line in enumerate(lines):
        if line in ('Stdout:', 'Stderr:') or _RAN.match(line):
            return list(lines[:at])
    return list(lines)


def pytest(lines: Sequence[str], name: str = '') -> Iterator[Finding]:
    """Return the failures in a report of pytest, in any of its styles; of its summary, where it tells no more.

    :param name: the test that it is about, where it is the report of one.
    """
    found = list(_reports(lines, name))
    yield from found or summary(lines)


def summary(lines: Sequence[str]) -> Iterator[Finding]:
    """Return the failures that the summary of pytest lists, each at the beginning of its test."""
    begun = False
    for line in lines:
        banner = _BANNER.match(line)
        begun = banner['name'] == 'short test summary info' if banner else begun
        match = _OUTCOME.match(line) if begun else None
        if match:
            words = (match['test'] or '').partition('[')[0].split('::')
            yield Finding(((match['path'], 1),), 'error',
                          '%s: %s' % (match['test'] or match['path'], match['message'] or 'failed'),
                          tuple(word for word in words if word))


def annotation(match: Match[str]) -> Optional[Finding]:
    """Return the finding that a line for GitHub says, None when it is about no line of a file."""
    about = dict(part.partition('=')[::2] for part in match['about'].split(','))
    at = about.get('line', '')
    if not about.get('file') or not at.isdecimal() or len(at) > 9:
        return None
    said = match['message']
    for code, character in (('%0D', ''), ('%0A', '\n'), ('%3A', ':'), ('%2C', ','), ('%25', '%')):
        said = said.replace(code, character)
        about['file'] = about['file'].replace(code, character)
    return Finding(((about['file'], int(at)),), level(match['level']), _AGAIN.sub('', said, count=1))


def _reports(lines: Sequence[str], name: str = '') -> Iterator[Finding]:
    failures, printed = bool(name), False
    places: List[Tuple[str, int]] = []
    said: List[str] = []
    native: List[str] = []      # --tb=native
    ended = ''
    for line in [*lines, '= =']:
        banner, test = _BANNER.match(line), _TEST.match(line)
        if banner or test or line == '= =':
            if native:
                yield from traceback(native, name)
            elif places:
                yield _failure(places, name, said or [ended])
            places, said, native, ended, printed = [], [], [], '', False
            if test:
                name = test['name'] if failures else ''
            elif banner:
                failures, name = banner['name'] in ('FAILURES', 'ERRORS'), ''
        elif not failures or printed:
            continue
        elif _CAPTURED.match(line):
            printed = True
        elif native or line == 'Traceback (most recent call last):':
            native.append(line)
        elif line.startswith('E  '):
            said.append(line[1:].strip())
        else:
            place = _PLACE.match(line)
            told = (place['rest'] or '') if place else ''
            if place and told and not name:       # --tb=line
                yield _failure([(place['path'], int(place['line']))], '', [told])
            elif place:
                places.append((place['path'], int(place['line'])))
                ended = told if told and not told.startswith('in ') else ended


def traceback(lines: Sequence[str], name: str) -> Iterator[Finding]:
    """Return the finding of a Python traceback, if it is one: at its innermost place in the repository."""
    frames = [(at, frame) for at, frame in ((at, _FRAME.match(line)) for at, line in enumerate(lines)) if frame]
    if not frames:
        return
    below = [line for line in lines[frames[-1][0] + 1:] if line]
    said = below
    while said and said[0].startswith(' '):
        said = said[1:]
    if said is below and len(below) > 1:        # stestr shows source at the margin
        said = below[1:]
    yield _failure([(frame['path'], int(frame['line'])) for _, frame in frames], name, said)


def _failure(places: Sequence[Tuple[str, int]], name: str, said: Sequence[str]) -> Finding:
    more = ['…'] if len(said) > MAX_QUOTED else []
    told = '\n'.join([*said[:MAX_QUOTED], *more]).strip() or 'failed here'
    return Finding(tuple(reversed(places)), 'error', '%s: %s' % (name, told) if name else told)


def linters(lines: Sequence[str]) -> Iterator[Finding]:
    """Return what stands in the lines of compilers, linters, type checkers and Sphinx."""
    last: Optional[Finding] = None
    heading = ''                                    # the line above, or what bandit said
    shell: Optional[Tuple[str, int]] = None         # where shellcheck is
    for line in lines:
        found: Optional[Finding] = None
        if match := _SPHINX.match(line):
            about = 'In the docstring of %s: ' % match['object'] if match['object'] else ''
            at = 1 if about else int(match['line'] or 1)
            found = Finding(((match['path'], at),), level(match['level']), about + match['message'],
                            _in_module(match['path'], match['object']) if about else ())
        elif match := _ANNOTATION.match(line):
            found = annotation(match)
        elif match := _ARROW.match(line):
            found = Finding(_at(match), level(heading), heading) if heading else None
        elif match := _LINE.match(line):
            said = match['message']
            if said.startswith('note: '):
                if last and last.places == _at(match):
                    last = last._replace(message='%s\n%s' % (last.message, said))
            elif not _RUNTIME.match(said):
                found = Finding(_at(match), level(said), said)
        elif heading and (match := _INDENTED.match(line)):
            found = Finding(((heading, int(match['line'])),), match['level'], match['message'])
        elif match := _SHELL.match(line):
            shell = _at(match)[0]
        elif shell and (match := _CARET.match(line)):
            found = Finding((shell,), level(match['level']), match['message'])
        elif heading and (match := _LOCATION.match(line)):
            found = Finding(_at(match), 'warning', heading)
        elif match := _ISSUE.match(line):
            heading = match['message']
        elif line and not line.startswith(' '):
            heading = line
        if found:
            if last:
                yield last
            last = found
    if last:
        yield last


def _in_module(path: str, name: str) -> Tuple[str, ...]:
    """Return the classes and the function of a dotted name, without the module that *path* is."""
    parts = name.split('.')
    module = re.sub(r'(?:/__init__)?\.\w+$', '', path)
    for number in range(len(parts), 0, -1):
        if ('/' + module).endswith('/' + '/'.join(parts[:number])):
            return tuple(parts[number:])
    return ()


def _at(match: Match[str]) -> Tuple[Tuple[str, int], ...]:
    return ((match['path'], int(match['line'])),)


def level(text: str) -> str:
    """Return the level that the first word or code of *text* stands for."""
    match = _CODE.match(text)
    if not match:
        return 'warning'
    word = match['word']
    if match['digits']:
        return _CODES.get(word, 'warning')
    return LEVELS.get(word.lower(), 'warning')
