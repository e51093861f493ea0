"""What a part of the tests came to, and how parts are summed up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

PASSED = 'passed'
FAILED = 'failed'
SKIPPED = 'skipped'


@dataclass(frozen=True)
class Case:
    """One test, or one linter.

    :param status: PASSED, FAILED or SKIPPED.
    :param detail: what a failing one said, or why it was skipped.
    """

    name: str
    status: str
    seconds: float = 0.0
    detail: str = ''


@dataclass(frozen=True)
class Part:
    """A part of the tests with all its cases; *allowed* seconds are None where the budget has no figure."""

    name: str
    cases: tuple[Case, ...]
    seconds: float
    allowed: float | None = None

    def count(self, status: str) -> int:
        return sum(case.status == status for case in self.cases)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def judged(name: str, cases: Iterable[Case], seconds: float, budget: Mapping[str, float]) -> Part:
    """Return the part *name*, with a failure for each thing that must not pass silently.

    These are: no test at all, a skipped one without a reason, and more *seconds* than the *budget* allows.
    """
    seen = [_with_reason(case) for case in cases]
    if not seen:
        seen.append(Case(f'{name}: tests', FAILED, detail=f'{name} ran no test at all.'))
    allowed = budget.get(name)
    if allowed is not None and seconds > allowed:
        detail = f'{name} took {seconds:.1f} s, its budget in tests/budget.yaml is {allowed:g} s.'
        seen.append(Case(f'{name}: budget', FAILED, detail=detail))
    return Part(name, tuple(seen), round(seconds, 3), allowed)


def _with_reason(case: Case) -> Case:
    if case.status == SKIPPED and not case.detail.strip():
        return Case(case.name, FAILED, case.seconds, 'It was skipped without a reason.')
    return case


def last_line(parts: Iterable[Part]) -> str:
    """Return the sum of all parts as the one line that other programs read."""
    all_parts = tuple(parts)
    return ', '.join(f'{sum(part.count(status) for part in all_parts)} {status}'
                     for status in (PASSED, FAILED, SKIPPED))


def line_of(case: Case) -> str:
    """Return *case* as the line, with what it said below, that a person reads."""
    line = f'  {case.status:<7} {case.seconds:6.1f} s  {case.name}'
    if not case.detail:
        return line
    return line + ''.join(f'\n    {text}' for text in case.detail.splitlines())
