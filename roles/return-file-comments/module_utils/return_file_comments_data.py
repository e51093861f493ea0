# SPDX-License-Identifier: Apache-2.0
"""What tools write for machines, as findings: the JSON of linters, SARIF, Code Climate, JUnit XML."""
from __future__ import annotations

import json
from typing import Any, Iterator, List, Optional, Sequence, Tuple, Union
from urllib.parse import unquote
from xml.etree import ElementTree

from ansible.module_utils.return_file_comments_text import Finding, clean, level, pytest, traceback

_Keys = Tuple[Union[str, int], ...]
_SARIF: _Keys = ('locations', 0, 'physicalLocation')
# Where a record says it: of ruff, mypy, pylint, shellcheck, bandit, Code Climate (ansible-lint), SARIF, markdownlint.
_PATH: Sequence[_Keys] = (
    ('filename',), ('fileName',), ('file',), ('path',), ('location', 'path'), (*_SARIF, 'artifactLocation', 'uri'))
_LINE: Sequence[_Keys] = (
    ('location', 'row'), ('line',), ('line_number',), ('lineNumber',), ('location', 'lines', 'begin'),
    ('location', 'lines', 'begin', 'line'), ('location', 'positions', 'begin', 'line'),
    (*_SARIF, 'region', 'startLine'))
_MESSAGE: Sequence[_Keys] = (('message', 'text'), ('message',), ('issue_text',), ('description',),
                             ('ruleDescription',))
_NAME: Sequence[_Keys] = (('test_id',), ('message-id',), ('messageId',), ('check_name',), ('ruleId',), ('code',),
                          ('ruleNames', 0))
_DETAIL: Sequence[_Keys] = (('errorDetail',), ('errorContext',))
_LEVEL: Sequence[_Keys] = (('level',), ('type',), ('severity',), ('issue_severity',))
_MANY: Sequence[str] = ('results', 'comments', 'messages')


def findings(text: str) -> Optional[List[Finding]]:
    """Return what a document says; None where it is none."""
    head = text.lstrip('\ufeff \t\r\n')[:1]
    if head == '<':
        return junit(text)
    if head not in ('{', '['):
        return None
    documents = _load(text)
    if documents is None:
        return None
    return [found for document in documents for record in _records(document) for found in _finding(record)]


def _load(text: str) -> Optional[List[Any]]:
    """Return the JSON document, or those of the lines, that *text* is."""
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        pass
    documents = []
    for line in text.splitlines():
        try:
            documents += [json.loads(line)] if line.startswith('{') else []
        except (ValueError, RecursionError):
            continue
    return documents or None


def _records(document: Any) -> Iterator[Any]:
    if isinstance(document, list):
        yield from document
    elif isinstance(document, dict):
        for run in document['runs'] if isinstance(document.get('runs'), list) else []:
            yield from _records(run)
        inner = [document[key] for key in _MANY if isinstance(document.get(key), list)]
        for records in inner:
            yield from records
        if not inner:
            yield document


def _first(record: Any, ways: Sequence[_Keys], kind: Any) -> Any:
    """Return what *record* has at the first of the *ways* that lead to something of that kind."""
    for way in ways:
        value = record
        for key in way:
            if isinstance(key, int):
                value = value[key] if isinstance(value, list) and len(value) > key else None
            else:
                value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, kind) and not isinstance(value, bool) and value != '':
            return value
    return None


def _finding(record: Any) -> Iterator[Finding]:
    path, line = _first(record, _PATH, str), _first(record, _LINE, int)
    message, name = _first(record, _MESSAGE, str), _first(record, _NAME, (str, int))
    if path is None or line is None or message is None:
        return
    if path.startswith('file://'):
        path = unquote(path[len('file://'):])
    if isinstance(name, int):
        name = 'SC%d' % name
    said = _first(record, _LEVEL, str)
    if said in (None, 'issue'):
        said = name or ''
    if message == record.get('ruleDescription'):
        detail = _first(record, _DETAIL, str)
        message += ' [%s]' % detail if detail else ''
    yield Finding(((path, line),), level(said), '%s %s' % (name, message) if name and name not in message else message)


def junit(text: str) -> Optional[List[Finding]]:
    """Return the failures in a report of tests; None where it is none. Entities, which may grow, are refused."""
    if '<!' in text.replace('<![CDATA[', ''):
        return None
    try:
        top = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    found: List[Finding] = []
    for case in top.iter('testcase'):
        name = case.get('name') or 'test'
        for failure in [*case.findall('failure'), *case.findall('error')]:
            lines = clean(failure.text or '')
            told = list(pytest(lines, name)) or list(traceback(lines, name))
            at = case.get('line', '')
            if not told and case.get('file') and at.isdecimal() and len(at) < 9:
                told = [Finding(((case.get('file', ''), int(at) + 1),), 'error',
                                '%s: %s' % (name, failure.get('message') or 'failed'))]
            found += told
    return found
