# SPDX-License-Identifier: Apache-2.0
"""How grave the lines of a log are."""
from __future__ import annotations

import re
from typing import Dict, Iterable, Iterator, Tuple

DEBUG, INFO, WARNING, ERROR = 'd', 'i', 'w', 'e'
#: a line that says nothing of it
PLAIN = ''

_WORDS: Dict[str, str] = {
    'TRACE': DEBUG, 'DEBUG': DEBUG, 'INFO': INFO, 'NOTICE': INFO, 'AUDIT': INFO, 'WARN': WARNING, 'WARNING': WARNING,
    'ERR': ERROR, 'ERROR': ERROR, 'FAILED': ERROR, 'CRIT': ERROR, 'CRITICAL': ERROR, 'FATAL': ERROR, 'ALERT': ERROR,
    'EMERG': ERROR, 'PANIC': ERROR}
# syslog's numbers: emerg, alert, crit, err, warning, notice, info, debug
_NUMBERS = (ERROR, ERROR, ERROR, ERROR, WARNING, INFO, INFO, DEBUG)
#: what stands behind it says nothing of a line's level
_LOOKED_AT = 400
_LONGEST_RECORD = 500     # lines

# What Zuul writes in front of a line of a job's output.
_ZUUL = re.compile(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \| (?:[\w.-]{1,64} \| )?')
_DATE = (r'(?:\d{4}-\d\d-\d\d[T ]|[A-Z][a-z]{2} [ \d]\d )?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?'
         r'(?: ?(?:Z|[+-]\d\d:?\d\d))?')
_WORD = '|'.join(sorted(_WORDS, key=len, reverse=True))
# syslog and journald:  host program[pid]:  …  kernel's  [   12.345678]
_PROGRAM = r'[\w.:-]{1,64} [\w@./:\\-]{1,128}(?:\[\d{1,10}\])?: (?:\[ {0,8}\d{1,8}\.\d{6}\] )?'
_HEAD = re.compile(
    rf'(?:\[?(?P<date>{_DATE})\]? )?(?:{_PROGRAM})?(?:\[?{_DATE}\]? )?(?:\d{{1,10}} )?(?:[-|] )?'
    rf'(?:[\w.]{{1,80}} {{1,8}}[-|] )?\[?(?P<word>{_WORD})\b(?![/(=])')
_DATED = re.compile(rf'\[?{_DATE}\b')
_NUMBER = re.compile(r'&lt;(\d{1,3})&gt;')
_FIELD = re.compile(r'\b(?:level|lvl|severity)=&?"?([A-Za-z]{3,8})\b')
_JSON = re.compile(r'"PRIORITY" ?: ?"?([0-7])\b')
# pytest's verdict on a test, its E lines, and what starts a traceback
_PYTEST = re.compile(r'E {3}|\S{1,300}::\S{1,300} (?P<bad>FAILED|ERROR)\b|Traceback \(most recent call last\):')


def level(line: str) -> Tuple[str, bool]:
    """Return how grave *line* is, and whether a date says that it begins a record.

    :param line: as in a page: with ``&lt;`` for ``<``, and without what Zuul writes in front.
    """
    line = line[:_LOOKED_AT]
    head = _HEAD.match(line)
    if head:
        return _WORDS[head.group('word')], head.group('date') is not None
    dated = _DATED.match(line) is not None
    number = _NUMBER.match(line)
    if number and int(number.group(1)) < 192:
        return _NUMBERS[int(number.group(1)) % 8], True
    if line.startswith('{'):
        field = _JSON.search(line)
        if field:
            return _NUMBERS[int(field.group(1))], True
    if '=' in line:
        field = _FIELD.search(line)
        if field and field.group(1).upper() in _WORDS:
            return _WORDS[field.group(1).upper()], True
    return (ERROR if _PYTEST.match(line) else PLAIN), dated


def levels(lines: Iterable[str]) -> Iterator[str]:
    """Yield the level of each line.

    One that begins no record goes on with the one before it; in a job's output, where logs meet, if it is indented.
    """
    record, follows = PLAIN, 0
    for line in lines:
        ours = _ZUUL.match(line) if line[:1].isdigit() else None
        if ours:
            line = line[ours.end():]
        found, begins = level(line)
        if begins:
            record, follows = found, 0
        else:
            follows += 1
            if follows > _LONGEST_RECORD or (ours and not line[:1].isspace()):
                record = PLAIN
        yield found or record
