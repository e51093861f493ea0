# SPDX-License-Identifier: Apache-2.0
"""Where secrets lie in a stream of bytes. Each is covered by as many stars, so that nothing around it moves."""
from __future__ import annotations

import base64
import bisect
import html
import json
import re
import urllib.parse
from typing import Callable, Iterator, List, Pattern, Sequence, Set, Tuple

Span = Tuple[int, int]
CHUNK = 1 << 20
#: no match is longer
OVERLAP = 1 << 16
SHORTEST = 4
# Shorter ones are found everywhere in what is encoded.
_SHORTEST_BASE64 = 8
_LINE = 8
_KEY = 1 << 15

#: (what a match has in it, the pattern; its group 1, or else all of it, is the secret)
_TOKENS: Tuple[Tuple[Tuple[bytes, ...], bytes], ...] = (
    ((b'ghp_', b'gho_', b'ghu_', b'ghs_', b'ghr_'), rb'gh[pousr]_[A-Za-z0-9]{36,255}'),
    ((b'github_pat_',), rb'github_pat_[A-Za-z0-9_]{22,255}'),
    ((b'glpat-',), rb'glpat-[A-Za-z0-9_-]{20,255}'),
    ((b'AKIA', b'ASIA'), rb'A[KS]IA[A-Z0-9]{16}'),
    ((b'xox',), rb'xox[abeprs]-[A-Za-z0-9-]{10,255}'),
    ((b'pypi-AgE',), rb'pypi-AgE[A-Za-z0-9_-]{50,2000}'),
    ((b'npm_',), rb'npm_[A-Za-z0-9]{36}'),
    ((b'dckr_pat_',), rb'dckr_pat_[A-Za-z0-9_-]{20,255}'),
    ((b'AIza',), rb'AIza[A-Za-z0-9_-]{35}'),
    ((b'hvs.',), rb'hvs\.[A-Za-z0-9_-]{24,500}'),
    ((b'gAAAAA',), rb'gAAAAA[A-Za-z0-9_-]{80,8000}={0,2}'),
    ((b'.eyJ',), rb'\.(eyJ[A-Za-z0-9_-]{10,16000}\.[A-Za-z0-9_-]{10,4000})'),
    ((b'uthorization',), rb'uthorization[\\"\']{0,4} {0,8}[:=] {0,8}[\\"\']{0,4}(?:[Bb]asic|[Bb]earer|[Tt]oken) {1,8}'
                         rb'([A-Za-z0-9+/=._~-]{8,8000})'),
    ((b'://',), rb'://[^\s/:@"\'<>\\]{0,255}:([^\s/@"\'<>\\]{1,500})@'),
)
_BEGIN = re.compile(rb'-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----')
_END = re.compile(rb'-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----')
# An escape of JSON is not part of what follows it.
_BODY = re.compile(rb'\\[nrt]|([A-Za-z0-9+/=]{12,})')
_LINE_OF_KEY = re.compile(rb'\\[nrt]|([A-Za-z0-9+/=]{40,4000})')
_GAP = 200
# What a log or JSON puts where it breaks a line, with what Zuul writes in front of the next.
_END_OF_LINE = (rb'(?:\r?\n|(?:\\{1,4}r)?\\{1,4}n)'
                rb'(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \| (?:[\w.-]{1,64} \| )?)?')
_BREAK, _INDENTED = re.compile(rb'(?:%s)+' % _END_OF_LINE), re.compile(rb'(?:%s[ \t]{0,80})+' % _END_OF_LINE)
# Shorter ones are found by chance where lines meet.
_SHORTEST_BROKEN = 8


def forms(secret: str) -> Set[bytes]:
    """Return how *secret* may be written: as it is, in JSON, in a page, in a URL, in base64 as part of anything.

    Of several lines, each long enough is a secret as well: logs write something in front of lines.
    """
    found: Set[bytes] = set()
    for text in {secret, secret.strip(), *(line.strip() for line in secret.splitlines() if len(line.strip()) >= _LINE)}:
        data = text.encode('utf-8', 'surrogateescape')
        if len(data) < SHORTEST:
            continue
        quoted = {urllib.parse.quote(data, safe) for safe in ('', '/')} | {urllib.parse.quote_plus(data)}
        quoted |= {re.sub('%..', lambda match: match.group().lower(), one) for one in quoted}
        printable = data.decode('utf-8', 'replace')
        written = {json.dumps(printable)[1:-1], json.dumps(printable, ensure_ascii=False)[1:-1], html.escape(printable)}
        found.update({data}, (one.encode() for one in quoted | written),
                     (one for one in _base64(data) if len(one) >= _SHORTEST_BASE64))
    return {form[:OVERLAP] for form in found}


def _base64(data: bytes) -> Iterator[bytes]:
    """Yield what of *data* is the same wherever in an encoded text it starts."""
    for before in range(3):
        encoded = base64.b64encode(b'\0' * before + data)
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        yield encoded[first:last]
        yield encoded[first:last].translate(bytes.maketrans(b'+/', b'-_'))


def _places(data: bytes, form: bytes, limit: int) -> List[Span]:
    """Return where *form* lies; where it lies over itself, as one."""
    found: List[Span] = []
    at = data.find(form)
    while 0 <= at < limit:
        if found and at < found[-1][1]:
            found[-1] = (found[-1][0], at + len(form))
        else:
            found.append((at, at + len(form)))
        at = data.find(form, at + 1)
    return found


def _over_lines(data: bytes, forms: Sequence[bytes], limit: int, between: Pattern[bytes]) -> Iterator[Span]:
    """Yield the parts of what lies in several lines and makes one of *forms* when these are put together."""
    parts: List[bytes] = []
    at, length = 0, 0
    data_at: List[int] = []
    joined_at: List[int] = []
    for start, end in [*(match.span() for match in between.finditer(data)), (len(data), len(data))]:
        parts.append(data[at:start])
        data_at.append(at)
        joined_at.append(length)
        at, length = end, length + start - at
    joined = b''.join(parts)
    for form in forms if len(parts) > 1 else ():
        for start, end in _places(joined, form, length):
            line = bisect.bisect(joined_at, start) - 1
            if data_at[line] + start - joined_at[line] >= limit:
                break
            if end <= joined_at[line] + len(parts[line]):
                continue        # in one line, and found there
            while start < end:
                stop = min(end, joined_at[line] + len(parts[line]))
                if stop > start:
                    yield data_at[line] + start - joined_at[line], data_at[line] + stop - joined_at[line]
                start, line = stop, line + 1


class Masker:
    """Finds secrets.

    :param secrets: values that are known.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._literals = sorted({form for secret in secrets for form in forms(secret)})
        self._long = [form for form in self._literals if len(form) >= _SHORTEST_BROKEN]
        self._blank = [form for form in self._long if b' ' in form or b'\t' in form]
        self._tokens = [(anchors, re.compile(pattern)) for anchors, pattern in _TOKENS]
        self.too_short = sum(len(secret.encode('utf-8', 'surrogateescape')) < SHORTEST for secret in secrets)

    def spans(self, data: bytes, limit: int, literal_only: bool = False) -> List[Span]:
        """Return where secrets lie that begin before *limit*, in order and apart from each other."""
        found: List[Span] = []
        for form in self._literals:
            found += _places(data, form, limit)
        if self._long:
            found += _over_lines(data, self._long, limit, _INDENTED)
        if self._blank:     # which may be mistaken for an indentation
            found += _over_lines(data, self._blank, limit, _BREAK)
        if not literal_only:
            for anchors, pattern in self._tokens:
                if any(anchor in data for anchor in anchors):
                    found += (match.span(pattern.groups) for match in pattern.finditer(data) if match.start() < limit)
            if b'PRIVATE KEY' in data:
                found += _keys(data, limit)
        return merged(found)


def _keys(data: bytes, limit: int) -> Iterator[Span]:
    """Yield where the bodies of private keys lie, whatever a log or JSON put between their lines."""
    done = 0
    ends = [match.start() for match in _END.finditer(data)]
    for begin in _BEGIN.finditer(data, 0, min(len(data), limit + 100)):
        if not done <= begin.start() < limit:
            continue
        at = bisect.bisect(ends, begin.end())
        if at < len(ends) and ends[at] < begin.end() + _KEY:
            done = ends[at]
            yield from (body.span(1) for body in _BODY.finditer(data, begin.end(), done) if body.group(1))
        else:
            yield from _cut_off(data, begin.end())


def _cut_off(data: bytes, start: int) -> Iterator[Span]:
    """Yield the lines that follow each other and look like those of a key, where its end is missing."""
    at = gap = start
    while at < start + _KEY:
        line = _LINE_OF_KEY.search(data, at, gap + _GAP + 40)
        if not line:
            return
        if line.group(1):
            whole = _LINE_OF_KEY.match(data, line.start())
            gap = whole.end() if whole else line.end()
            yield line.start(), gap
        at = max(gap, line.end())


def merged(spans: Sequence[Span]) -> List[Span]:
    """Return *spans* in order, those that touch as one."""
    result: List[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        elif end > start:
            result.append((start, end))
    return result


def covered(data: bytes, spans: Sequence[Span]) -> bytes:
    """Return *data* with stars for all but the ends of lines at *spans*, as far as they reach."""
    changed = bytearray(data)
    for start, end in spans:
        changed[start:end] = re.sub(rb'[^\r\n]', b'*', changed[start:end])
    return bytes(changed)


def masked(read: Callable[[int], bytes], masker: Masker, literal_only: bool = False
           ) -> Iterator[Tuple[bytes, bool, int]]:
    """Yield a stream in pieces, masked: (piece, whether it changed, how many secrets begin in it).

    Nothing is missed where two pieces meet.

    :param read: returns at most so many bytes, none at the end.
    """
    window = b''
    carried: List[Span] = []
    while True:
        while len(window) < CHUNK + OVERLAP:
            data = read(CHUNK + OVERLAP - len(window))
            if not data:
                break
            window += data
        if not window:
            return
        limit = len(window) if len(window) < CHUNK + OVERLAP else CHUNK
        found = masker.spans(window, limit, literal_only)
        spans = merged([*found, *carried])
        piece = window[:limit]
        new = covered(window, spans)[:limit] if spans else piece
        yield new, new != piece, len(found)
        carried = [(max(0, start - limit), end - limit) for start, end in spans if end > limit]
        window = window[limit:]
