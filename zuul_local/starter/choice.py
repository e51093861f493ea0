"""What belongs into a project's first ``.zuul.yaml``, of what the library offers. Nothing here does I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zuul_local.starter.facts import Facts


@dataclass(frozen=True)
class Line:
    """A template or a job that is used.

    :ivar reason: why, in one sentence.
    :ivar variables: what the job is told.
    """

    name: str
    reason: str
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """:ivar templates: those that are used; *jobs* likewise.

    :ivar first: the job to try first.
    """

    templates: tuple[Line, ...]
    jobs: tuple[Line, ...]
    first: str


def choose(facts: Facts, starters: Mapping[str, Any]) -> Choice | None:
    """Return what fits; None when nothing in the project says how it is tested.

    :param starters: the library's list of what there is for which project.
    """
    runner = next((one for one in starters['runners'] if one['mark'] in facts.marks), None)
    more = [one for one in starters['more'] if one['mark'] in facts.marks]
    if runner is None and not [one for one in more if one['mark'] != 'package']:
        return None
    templates, jobs, first = _tests(runner, facts, starters) if runner else ([], [], '')
    for one in more:
        templates.append(Line(one['template'], one['because'].format(where=facts.marks[one['mark']])))
    return Choice(tuple(templates), tuple(jobs), first or jobs[0].name if runner else more[0]['job'])


def names(starters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every template and job that *starters* can name, as ``('template' or 'job', name)``."""
    pythons = [_short(version) for version in starters['pythons']]
    for one in [*starters['runners'], *starters['more']]:
        if 'template' in one:
            yield from (('template', name) for name in
                        dict.fromkeys(one['template'].format(oldest=version) for version in pythons))
        if 'per_python' in one:
            yield from (('job', one['per_python'].format(version=version)) for version in pythons)
        yield from (('job', name) for name in one.get('per_environment', {}).values())
        if 'job' in one:
            yield 'job', one['job']


def _tests(runner: Mapping[str, Any], facts: Facts, starters: Mapping[str, Any]) -> tuple[list[Line], list[Line], str]:
    """Return templates and jobs that run the tests with *runner*, and the job to try first."""
    where = facts.marks[runner['mark']]
    pythons = wanted(facts, starters['pythons'])
    usual = starters['usual_python'] if starters['usual_python'] in pythons else (pythons or [''])[0]
    first = runner['per_python'].format(version=_short(usual)) if 'per_python' in runner and usual else ''
    lacking = sorted(set(runner.get('template_needs', ())) - facts.environments)
    if 'template' in runner and pythons and not lacking and pythons == _from(pythons[0], starters['pythons']):
        needs = runner['template_needs']
        return [Line(runner['template'].format(oldest=_short(pythons[0])),
                     f'{where} has {", ".join(needs[:-1])} and {needs[-1]}; Python {pythons[0]} is the oldest of '
                     f'{facts.pythons_from}.')], [], first or runner.get('job', '')
    jobs = [Line(name, f'{where} has {environment}.')
            for environment, name in runner.get('per_environment', {}).items() if environment in facts.environments]
    if 'per_python' in runner:
        jobs += [Line(runner['per_python'].format(version=_short(version)),
                      f'Python {version} is one of {facts.pythons_from}.') for version in pythons]
    if 'job' in runner and ('per_python' not in runner or not jobs):
        jobs.append(Line(runner['job'], _sentence(runner, facts), dict(_variables(runner, facts))))
    return [], jobs, first


def wanted(facts: Facts, known: Sequence[str]) -> list[str]:
    """Return the Pythons of *known* to test with: those that the project names, else all that it allows."""
    if facts.pythons:
        return [version for version in known if version in facts.pythons]
    return _from(facts.oldest, known) if facts.oldest else []


def _from(oldest: str, known: Sequence[str]) -> list[str]:
    """Return *known* from *oldest* on; all of them when it is older than any."""
    return [version for version in known if int(version.split('.')[1]) >= int(oldest.split('.')[1])]


def _variables(runner: Mapping[str, Any], facts: Facts) -> Iterator[tuple[str, Any]]:
    kind, name = facts.pytest
    if 'command' in runner:
        key = 'runs_with_pytest' if 'pytest' in facts.marks and 'runs_with_pytest' in runner else 'runs'
        yield runner['command'], runner[key]
    for key, here in (('groups', 'group'), ('extras', 'extra'), ('requirements', 'requirements')):
        if key in runner and kind == here:
            yield runner[key], [name]


def _sentence(runner: Mapping[str, Any], facts: Facts) -> str:
    said = str(runner['because']).format(where=facts.marks[runner['mark']])
    if runner['mark'] != 'pytest' and any(key in runner for key in ('groups', 'extras')) and facts.pytest[1]:
        said += f' As for pytest, {facts.marks["pytest"]}.'
    return said


def _short(version: str) -> str:
    return version.replace('.', '')
