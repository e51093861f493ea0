# SPDX-License-Identifier: Apache-2.0
"""Read the plain kind of bindep's lists: names and profiles without versions, on Debian and Ubuntu.

bindep takes most of a second to read a list. What is not surely plain is left to it: :func:`wanted` returns None.
"""
from __future__ import annotations

import re
from typing import NamedTuple

#: the oldest release that bindep treats like those of today
SYSTEMS = {'debian': 11, 'ubuntu': 20}
_PROFILE = r'!?[a-z0-9:.-]+'
_GROUP = rf'\( *{_PROFILE}(?: +{_PROFILE})* *\)'
_LINE = re.compile(rf'(?P<name>[A-Za-z0-9/][A-Za-z0-9./_+-]+)(?: +\[(?P<selector> *(?:{_GROUP}|{_PROFILE})'
                   rf'(?: +(?:{_GROUP}|{_PROFILE}))* *)?\])?(?: *#.*)?')
_EMPTY = re.compile(r' *(?:#.*)?')


class Rule(NamedTuple):
    """One line: a package, and on what it depends: (wanted, profile), or several of them that must all be true."""

    name: str
    alone: tuple[tuple[bool, str], ...]
    together: tuple[tuple[tuple[bool, str], ...], ...]


def profiles_of(release: str) -> frozenset[str]:
    """bindep's profiles of the platform that os-release(5) describes; empty where they are not surely known."""
    lines = (line.partition('=') for line in release.splitlines())
    pairs = {key: value.strip('"\'').lower() for key, _, value in lines}
    system, number, codename = (pairs.get(key, '') for key in ('ID', 'VERSION_ID', 'VERSION_CODENAME'))
    if system not in SYSTEMS or not re.fullmatch(r'[0-9]+(\.[0-9]+)?', number) or not re.fullmatch(r'[a-z]+', codename):
        return frozenset()
    parts = number.split('.')
    if int(parts[0]) < SYSTEMS[system]:
        return frozenset()
    numbers = ('.'.join(parts[:length + 1]) for length in range(len(parts)))
    atoms = ('dpkg', 'base-py3', system, f'{system}-{codename}', *(f'{system}-{one}' for one in numbers))
    return frozenset(f'platform:{atom}' for atom in atoms)


def _profiles(text: str) -> tuple[tuple[bool, str], ...]:
    return tuple((not word.startswith('!'), word.lstrip('!')) for word in text.split())


def rules(text: str) -> list[Rule] | None:
    """Read a list; None where a line is not plain."""
    if '\r' in text:    # the end of a line to bindep
        return None
    found = []
    for line in text.split('\n'):
        if _EMPTY.fullmatch(line):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        selector = match['selector'] or ''
        groups = tuple(_profiles(group) for group in re.findall(r'\(([^)]*)\)', selector))
        found.append(Rule(match['name'], _profiles(re.sub(r'\([^)]*\)', ' ', selector)), groups))
    return found


def applies(rule: Rule, profiles: frozenset[str]) -> bool:
    """Whether *rule* counts. What is said of platforms and what is said of other profiles must both allow it."""
    platform = [item for item in rule.alone if item[1].startswith('platform:')]
    other = [item for item in rule.alone if not item[1].startswith('platform:')]

    def allows(items: list[tuple[bool, str]], groups: tuple[tuple[tuple[bool, str], ...], ...]) -> bool:
        if any(not wanted and name in profiles for wanted, name in items):
            return False
        demands = [name in profiles for wanted, name in items if wanted]
        demands += [all(wanted == (name in profiles) for wanted, name in group) for group in groups]
        return any(demands) or not demands
    return allows(platform, ()) and allows(other, rule.together)


def wanted(text: str, profiles: list[str], release: str) -> list[str] | None:
    """The packages that a list names for *profiles* on a system, sorted; None where only bindep can tell."""
    platform, found = profiles_of(release), rules(text)
    if not platform or found is None:
        return None
    have = platform | set(profiles or ['default'])
    return sorted({rule.name for rule in found if applies(rule, have)})


def installed(out: str) -> set[str]:
    """The names that dpkg's lines (name, state and what it provides, between tabs) say are there."""
    have = set()
    for line in out.splitlines():
        name, state, provides = line.split('\t')
        if state == 'installed':
            have.add(name)
            have.update(part.split()[0] for part in provides.split(',') if part.strip())
    return have
