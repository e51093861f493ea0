# SPDX-License-Identifier: Apache-2.0
"""Versions, version specifiers and environment markers (PEP 440, PEP 508) for a Python that has nothing but itself."""
from __future__ import annotations

import os
import platform
import re
import sys
from typing import NamedTuple

_VERSION = re.compile(
    r'v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)'
    r'(?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|rc|c)[-_.]?(?P<pre_number>\d+)?)?'
    r'(?P<post>-(?P<post_implicit>\d+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>\d+)?)?'
    r'(?P<dev>[-_.]?dev[-_.]?(?P<dev_number>\d+)?)?'
    r'(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?')
_SPECIFIER = re.compile(r'(===|==|~=|!=|<=|>=|<|>)\s*([^\s,;()]+)')
_PRE = {'alpha': 'a', 'beta': 'b', 'c': 'rc', 'pre': 'rc', 'preview': 'rc'}
_AFTER_ALL = float('inf')


class InvalidVersion(ValueError):
    """The text is not a version of PEP 440."""


class InvalidSpecifier(ValueError):
    """The text is not a version specifier of PEP 440."""


class InvalidMarker(ValueError):
    """The text is not an environment marker of PEP 508."""


class Version(NamedTuple):
    """A version taken apart; compare two with :meth:`key`."""

    epoch: int
    release: tuple[int, ...]
    pre: tuple[str, int] | None
    post: int | None
    dev: int | None
    local: tuple[str, ...]

    def key(self, local: bool = True) -> tuple:
        """What the order of versions is made of; without *local*, its local part counts for nothing."""
        release = self.release
        while len(release) > 1 and release[-1] == 0:
            release = release[:-1]
        if self.pre is not None:
            pre: tuple = (0, *self.pre)
        else:
            pre = (-1,) if self.post is None and self.dev is not None else (1,)
        parts = tuple((1, int(p), '') if p.isdigit() else (0, 0, p) for p in self.local) if local else ()
        return (self.epoch, release, pre, -1 if self.post is None else self.post,
                _AFTER_ALL if self.dev is None else self.dev, parts)

    def starts_with(self, prefix: Version) -> bool:
        """Tell whether the release begins with that of *prefix*, missing figures counting as zero."""
        padded = self.release + (0,) * (len(prefix.release) - len(self.release))
        return self.epoch == prefix.epoch and padded[:len(prefix.release)] == prefix.release


def version(text: str) -> Version:
    """Take a version apart; raise InvalidVersion where it is none."""
    found = _VERSION.fullmatch(text.strip().lower())
    if found is None:
        raise InvalidVersion(text)
    pre = found.group('pre')
    post = None
    if found.group('post'):
        post = int(found.group('post_implicit') or found.group('post_number') or 0)
    return Version(
        int(found.group('epoch') or 0),
        tuple(int(part) for part in found.group('release').split('.')),
        (_PRE.get(pre, pre), int(found.group('pre_number') or 0)) if pre else None,
        post,
        int(found.group('dev_number') or 0) if found.group('dev') else None,
        tuple(re.split(r'[-_.]', found.group('local'))) if found.group('local') else ())


def specifiers(text: str) -> list[tuple[str, str]]:
    """Split ``'>=4,<5'`` into operators and versions; nothing in, nothing out. Raises InvalidSpecifier."""
    result = []
    for part in text.split(',') if text.strip() else []:
        found = _SPECIFIER.fullmatch(part.strip())
        if found is None:
            raise InvalidSpecifier(text)
        operator, wanted = found.groups()
        if operator != '===':
            wildcard = operator in ('==', '!=') and wanted.endswith('.*')
            try:
                parsed = version(wanted[:-2] if wildcard else wanted)
            except InvalidVersion:
                raise InvalidSpecifier(text) from None
            plain = parsed.pre is None and parsed.post is None and parsed.dev is None and not parsed.local
            if (wildcard and not plain) or (operator == '~=' and len(parsed.release) < 2):
                raise InvalidSpecifier(text)
            if parsed.local and operator not in ('==', '!='):
                raise InvalidSpecifier(text)
        result.append((operator, wanted))
    return result


def _satisfies_one(candidate: Version, text: str, operator: str, wanted: str) -> bool:
    if operator == '===':
        return text.strip().lower() == wanted.lower()
    if wanted.endswith('.*'):
        return candidate.starts_with(version(wanted[:-2])) == (operator == '==')
    limit = version(wanted)
    have, want = candidate.key(local=False), limit.key(local=False)
    if operator in ('==', '!='):
        same = candidate.key() == limit.key() if limit.local else have == want
        return same == (operator == '==')
    if operator == '~=':
        return have >= want and candidate.starts_with(limit._replace(release=limit.release[:-1]))
    if operator == '>=':
        return have >= want
    if operator == '<=':
        return have <= want
    same_release = candidate._replace(pre=None, post=None, dev=None).key(local=False) == \
        limit._replace(pre=None, post=None, dev=None).key(local=False)
    if operator == '<':   # "<4" does not mean 4.0rc1
        early = candidate.pre is not None or candidate.dev is not None
        return have < want and not (early and same_release and limit.pre is None and limit.dev is None)
    return have > want and not (candidate.post is not None and same_release and limit.post is None)


def satisfies(candidate: str, request: str) -> bool:
    """Tell whether version *candidate* meets every specifier of *request*.

    Early releases count, as they do for pip once they are installed. A candidate that is no version meets only
    an empty request. Raises InvalidSpecifier.
    """
    wanted = specifiers(request)
    try:
        parsed = version(candidate)
    except InvalidVersion:
        return not wanted
    return all(_satisfies_one(parsed, candidate, operator, text) for operator, text in wanted)


def marker_environment() -> dict[str, str]:
    """What markers are compared with: this interpreter, on this system."""
    return {
        'implementation_name': sys.implementation.name,
        'implementation_version': platform.python_version(),
        'os_name': os.name,
        'platform_machine': platform.machine(),
        'platform_python_implementation': platform.python_implementation(),
        'platform_release': platform.release(),
        'platform_system': platform.system(),
        'platform_version': platform.version(),
        'python_full_version': platform.python_version(),
        'python_version': '.'.join(platform.python_version_tuple()[:2]),
        'sys_platform': sys.platform,
        'extra': '',
    }


_TOKEN = re.compile(r'\s*(?:(?P<op>===|==|~=|!=|<=|>=|<|>|not\s+in\b|in\b)|(?P<word>and\b|or\b|[()])'
                    r'|"(?P<double>[^"]*)"|\'(?P<single>[^\']*)\'|(?P<name>[a-z_]+))')


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    text = text.strip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise InvalidMarker(text)
        kind = found.lastgroup or ''
        tokens.append(('value' if kind in ('double', 'single') else kind, ' '.join(found.group(kind).split())
                       if kind == 'op' else found.group(kind)))
        position = found.end()
    return tokens


def _compare(left: str, operator: str, right: str) -> bool:
    if operator == 'in':
        return left in right
    if operator == 'not in':
        return left not in right
    try:
        specifiers(operator + right)
        version(left)
    except (InvalidSpecifier, InvalidVersion):
        compared = {'==': left == right, '!=': left != right, '<': left < right, '>': left > right,
                    '<=': left <= right, '>=': left >= right}
        if operator not in compared:
            raise InvalidMarker(f'{left!r} {operator} {right!r}') from None
        return compared[operator]
    return satisfies(left, operator + right)


def applies(marker: str, environment: dict[str, str]) -> bool:
    """Tell whether *marker* holds in *environment*; an empty one always does. Raises InvalidMarker."""
    tokens = _tokens(marker)
    if not tokens:
        return True

    def take(*wanted: str) -> str:
        if not tokens or tokens[0][0] not in wanted:
            raise InvalidMarker(marker)
        return tokens.pop(0)[1]

    def operand() -> str:
        kind = tokens[0][0] if tokens else ''
        text = take('value', 'name')
        if kind == 'value':
            return text
        if text not in environment:
            raise InvalidMarker(marker)
        return environment[text]

    def term() -> bool:
        if tokens and tokens[0] == ('word', '('):
            tokens.pop(0)
            inside = either()
            if take('word') != ')':
                raise InvalidMarker(marker)
            return inside
        left = operand()
        operator = take('op')
        return _compare(left, operator, operand())

    def both() -> bool:
        result = term()
        while tokens and tokens[0] == ('word', 'and'):
            tokens.pop(0)
            result = term() and result
        return result

    def either() -> bool:
        result = both()
        while tokens and tokens[0] == ('word', 'or'):
            tokens.pop(0)
            result = both() or result
        return result

    outcome = either()
    if tokens:
        raise InvalidMarker(marker)
    return outcome
