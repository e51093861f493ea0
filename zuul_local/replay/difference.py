"""How two builds differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from zuul_local.replay.bundle import Bundle

SHOWN = 60          # characters of a value
LINES = 5           # lines of what a task said
_ODD = re.compile(r'0x[0-9a-f]+|[0-9a-f]{12,}|\d+')
# Given, such a variable would be about where a node is or what this machine is, or is Zuul's own.
_NOT_OURS = re.compile(r'ansible_|zuul(_|$)|nodepool$|groups$|hostvars$|inventory_|omit$|environment$')
_TEMPLATE = re.compile(r'{[{%#]')


def to_set(original: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the variables that the job has no longer as it had them, and what is not set of these, with the reason.

    A bundle may be anybody's, and a template runs where it is evaluated, which is this machine: none is taken from it.

    :param original: the variables of the bundle.
    :param now: those of the job as its definitions have them now; a template among these is evaluated anew.
    """
    taken: dict[str, Any] = {}
    told = []
    for name, value in sorted(original.items()):
        if name in now and (now[name] == value or _has_template(now[name])):
            continue
        if _NOT_OURS.match(name):
            told.append(f'variable {name}: not set, because it is about the site.')
        elif _has_template(value):
            told.append(f'variable {name}: not set, because it is a template. If you trust it: --var {name}=…')
        else:
            taken[name] = value
    return taken, told


def _has_template(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_template(one) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return any(_has_template(one) for one in value)
    return isinstance(value, str) and _TEMPLATE.search(value) is not None


def differences(original: Bundle, again: Bundle) -> list[str]:
    """Return in lines how the circumstances of the two builds differ, not counting how they ended."""
    return [
        *_changed('commit of', _short(original.commits), _short(again.commits)),
        *_changed('playbooks of', _short(original.sources), _short(again.sources)),
        *_changed('Ansible', {'': original.ansible_version}, {'': again.ansible_version}),
        *_changed('label of node', original.nodes, again.nodes),
        *_changed('tool', {' of '.join(filter(None, reversed(key))): _tool(one) for key, one in original.tools.items()},
                  {' of '.join(filter(None, reversed(key))): _tool(one) for key, one in again.tools.items()}),
        *_changed('variable', original.variables, again.variables),
        *(f'variable {name}: not in the bundle, because it is secret or too large' for name in original.hidden),
    ]


def _short(commits: Mapping[str, str]) -> dict[str, str]:
    return {name: commit[:12] for name, commit in commits.items()}


def _tool(told: Mapping[str, str]) -> str:
    wheels = f', wheels {told["digest"][:12]}' if told['digest'] else ''
    return f'{told["version"] or "?"} from {told["source"] or "?"}{wheels}'


def _changed(what: str, original: Mapping[str, Any], again: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in sorted({*original, *again}):
        then, now = (_shown(one[name]) if name in one else 'none' for one in (original, again))
        if (name in original) != (name in again) or original[name] != again[name]:
            lines.append(f'{what} {name}'.rstrip() + f': {then}, now {now}')
    return lines


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN - 1] + '…'


def verdict(original: Bundle, result: str, again: Bundle | None) -> list[str]:
    """Return in lines whether the build failed as the original did.

    :param result: how it ended.
    :param again: its own bundle; None where it left none.
    """
    if result == 'SUCCESS':
        return ['It passes here; the original failed.']
    if again is None:
        return [f'It ended with {result} and left no bundle to compare: '
                'the job ends before, or does not inherit from, a base that publishes one.']
    if not original.failures:
        return [f'It ended with {result}; the bundle does not tell which task of the original failed.']
    both = [key for key in original.failures if key in again.failures]
    if not both:
        here = ', '.join(f'{task!r} on {host}' for host, _, task in again.failures) or 'no task'
        there = ', '.join(f'{task!r} on {host}' for host, _, task in original.failures)
        return [f'Another failure: the original failed in {there}; here it is {here}.']
    lines = []
    for key in both:
        host, _, task = key
        gone, new = _said(original.failures[key], again.failures[key])
        same = 'and says the same' if not gone and not new else 'and says something else'
        lines += [f'The same task fails: {task!r} on {host}, {same}.', *(f'  - {line}' for line in gone),
                  *(f'  + {line}' for line in new)]
    only = [f'{task!r} on {host}' for host, _, task in original.failures if (host, _, task) not in again.failures]
    more = [f'{task!r} on {host}' for host, _, task in again.failures if (host, _, task) not in original.failures]
    return [*lines, *([f'Failed in the original alone: {", ".join(only)}.'] if only else []),
            *([f'Failed here alone: {", ".join(more)}.'] if more else [])]


def _said(original: tuple[str, ...], again: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the lines that only one of two tasks said, but for numbers, times and addresses."""
    then, now = ({_ODD.sub('0', line).strip(): line for line in said} for said in (original, again))
    return ([line for key, line in then.items() if key not in now][:LINES],
            [line for key, line in now.items() if key not in then][:LINES])
