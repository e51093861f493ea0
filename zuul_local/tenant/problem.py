"""One thing that is wrong in the configuration, and how Zuul's own words for it become one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zuul import model

ERROR = 'error'
WARNING = 'warning'


@dataclass(frozen=True, order=True)
class Problem:
    """What Zuul or a check has to say about the configuration.

    :ivar project: canonical name; '' when it is nobody's.
    :ivar path: file, absolute when it lies on this machine; '' when there is none.
    :ivar line: line that it is about, or the first line of the stanza, counted from 1; 0 when there is none.
    :ivar severity: 'error' or 'warning'.
    """

    project: str
    path: str
    line: int
    severity: str
    message: str
    hint: str = ''

    def __str__(self) -> str:
        where = ':'.join(str(part) for part in (self.path or self.project, self.line) if part)
        said = ': '.join(part for part in (where, self.severity, self.message) if part)
        return said + ''.join(f'\n    {text}' for text in self.hint.splitlines())


def from_zuul(error: Any, path: str) -> Problem:
    """Return what Zuul's ConfigurationError *error* says, for the file *path* ('' for none)."""
    context, mark = error.key.context, error.key.mark
    said = str(error.short_error or error.error).strip()
    message, line = describe(said, error.error or '', mark.snippet if mark else '', mark.line + 1 if mark else 0)
    if not line and path:
        line = _line_showing(message.rpartition('; seen: ')[2], path)
    return Problem(
        project=context.project_canonical_name if context else '',
        path=path,
        line=line,
        severity=WARNING if error.severity == model.SEVERITY_WARNING else ERROR,
        message=message)


def describe(said: str, whole: str, snippet: str, first_line: int) -> tuple[str, int]:
    """Return Zuul's message as one paragraph, and the line that it is about.

    :param said: the short text of the error.
    :param whole: the long text, which names stanza and line.
    :param snippet: source text of the stanza, '' when not known.
    :param first_line: line of the file at which *snippet* starts, counted from 1; 0 when not known.
    """
    lines = [int(number) for number in re.findall(r'in "[^"\n]*", line (\d+)', whole)]
    line = lines[-1] if lines else first_line
    if re.search(r'^ *in "[^"\n]*", line \d+, column \d+', said, re.MULTILINE):
        return _yaml_message(said), line
    stanza = re.search(r'The problem appears in the (?:"(.*?)" attribute\s+of the )?"?(.+?)"? ([\w-]+) stanza:', whole)
    prefix = f'{stanza.group(3)} {stanza.group(2)}: ' if stanza and stanza.group(2) != 'following' else ''
    voluptuous = re.fullmatch(r'(.*?) ?(?:for dictionary value )?@ data((?:\[.+?\])+)(.*)', said, re.DOTALL)
    if voluptuous:
        keys = re.findall(r"\['?(.*?)'?\]", voluptuous.group(2))
        text = f'{_schema_words(voluptuous.group(1), keys)}{voluptuous.group(3)}'
        return f'{prefix}{text}', _line_of(keys, snippet, first_line) or line
    line = _line_naming(said, snippet, first_line) or line
    head, _, around = said.partition('The incorrect values are around:')
    text = ' '.join(head.split('\n\n')[0].split())
    # An example follows, or advice to ask an administrator, whom this tenant has not.
    text = re.sub(r',? for example:$|\. All projects referenced within a Zuul configuration .*$', '', text).rstrip('.')
    shown = next(iter(around.split('\n\n')[-1].strip().splitlines()), '') if around else ''
    return prefix + text + (f'; seen: {shown}' if shown else '.' if ' ' in text else ''), line


def _line_naming(said: str, snippet: str, first_line: int) -> int:
    """Return the line of the stanza that has a name which Zuul's message tells, 0 when none has."""
    names = [*re.findall(r'"([^"\n]+)"', said), *re.findall(r'^Job (\S+) not defined', said)]
    for name in names if first_line else ():
        line = line_with(name, snippet)
        if line:
            return first_line + line - 1
    return 0


def line_with(name: str, text: str) -> int:
    """Return the first line of *text*, counted from 1, that has *name* as a word outside of a comment; 0 when none."""
    word = re.compile(rf'(?<![\w./-]){re.escape(name)}(?![\w./-])')
    return next((number for number, line in enumerate(text.splitlines(), 1) if word.search(line.partition('#')[0])), 0)


def _line_showing(text: str, path: str) -> int:
    """Return the first line of the file that has *text*, 0 when none does; Zuul gives no line for some mistakes."""
    try:
        lines = Path(path).read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    return next((number for number, line in enumerate(lines, 1) if text in line), 0)


def _schema_words(text: str, keys: Sequence[str]) -> str:
    where = ' → '.join(keys)
    if text == 'extra keys not allowed':
        return f'{where}: there is no such key here, or not with such a value'
    if text == 'required key not provided':
        return f'{where}: this key is missing'
    return f'{where}: {text}'


def _line_of(keys: Sequence[str], snippet: str, first_line: int) -> int:
    """Return the line of the last of *keys* that the text of the stanza shows, 0 when it shows none."""
    found, start, lines = 0, 0, snippet.splitlines()
    for key in keys:
        for number in range(start, len(lines)):
            if re.match(rf'[\s\-{{"\']*{re.escape(key)}["\']?\s*:', lines[number]):
                found, start = first_line + number, number
                break
    return found if first_line else 0


def _yaml_message(said: str) -> str:
    """Return PyYAML's two-part message (context, problem) as one sentence."""
    parts = [line.strip() for line in said.splitlines() if line.strip()]
    words = [part for part in parts if not re.match(r'in "[^"]*", line', part)]
    marks = [int(part.rsplit('line ', 1)[1].split(',')[0]) for part in parts if re.match(r'in "[^"]*", line', part)]
    if len(words) < 2:
        return f'not YAML: {words[0] if words else said}.'
    since = f', which starts in line {marks[0]}' if len(marks) > 1 else ''
    return f'not YAML: {words[-1]} ({words[0]}{since}).'
