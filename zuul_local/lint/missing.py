"""Zuul's own errors, with the way out where a name is missing because its repository is not here."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping

from zuul_local.lint import labels, owners
from zuul_local.lint.configuration import line_in, problem_at, stanzas
from zuul_local.nodes.labels import load_labels
from zuul_local.tenant.load import LocalTenant
from zuul_local.tenant.problem import ERROR, WARNING, Problem

_NOT_DEFINED = re.compile(r'Job (\S+) not defined')
_MISSING = (
    ('templates', re.compile(r'The project template "([^"]+)" was not found')),
    ('nodesets', re.compile(r'The nodeset "([^"]+)" was not found')),
    ('jobs', _NOT_DEFINED),
)
_PROJECTS = re.compile(r'The projects? ((?:"[^"]+"(?:, )?)+) w(?:as|ere) not found\.')


def problems(tenant: LocalTenant) -> list[Problem]:
    """Return what Zuul's loader found wrong, with hints."""
    layout = tenant.layout
    names = {'templates': layout.project_templates, 'nodesets': layout.nodesets, 'jobs': layout.jobs}
    found = list(dict.fromkeys([*tenant.problems, *_of_stanzas(tenant)]))
    broken = {match[1]: problem for problem in found if (match := re.match(r'job (\S+): ', problem.message))}
    return [of_broken(problem, broken) or explained(problem, names, tenant.settings.labels) for problem in found]


def _of_stanzas(tenant: LocalTenant) -> Iterator[Problem]:
    """Yield, in Zuul's words, all templates and jobs that a stanza misses: Zuul stops at the first one."""
    for stanza in stanzas(tenant):
        what = f'{"project-template" if stanza.is_template else "project"} {stanza.name}'
        for name in stanza.templates:
            if not tenant.layout.project_templates.get(name):
                yield problem_at(tenant, stanza, ERROR, f'{what}: The project template "{name}" was not found.',
                                 line=line_in(stanza, name))
        for pipeline in stanza.pipelines.values():
            for name in pipeline.job_list.jobs:
                if name not in tenant.layout.jobs:
                    yield problem_at(tenant, stanza, ERROR, f'{what}: Job {name} not defined.',
                                     line=line_in(stanza, name))


def of_broken(problem: Problem, broken: Mapping[str, Problem]) -> Problem | None:
    """Return *problem* with a hint if it misses a job that is there but could not be loaded, None otherwise.

    :param broken: job -> what is wrong with its definition.
    """
    match = _NOT_DEFINED.search(problem.message)
    cause = broken.get(match.group(1).rstrip('.')) if match else None
    if cause is None or cause is problem:
        return None
    return dataclasses.replace(problem, hint=f'Its definition could not be loaded: {cause.path}:{cause.line}')


def explained(problem: Problem, names: dict[str, Iterable[str]], mapped: Mapping[str, str]) -> Problem:
    """Return *problem* with a hint, if it says that something is missing.

    :param names: for each kind of thing the names that the tenant has.
    :param mapped: label or nodeset of another site -> label to use for it.
    """
    projects = _PROJECTS.search(problem.message)
    if projects:
        missing = re.findall(r'"([^"]+)"', projects.group(1))
        text = f'{problem.message[:projects.start()]}{projects.group(0)}'
        return dataclasses.replace(problem, message=text, hint='\n'.join(map(owners.how_to_add, missing)))
    for kind, pattern in _MISSING:
        match = pattern.search(problem.message)
        if match:
            name = match.group(1).rstrip('.')
            if kind == 'nodesets' and name in mapped:
                hint = f'One node with label {mapped[name]} stands in for it.'
                return dataclasses.replace(problem, severity=WARNING, hint=hint)
            near = difflib.get_close_matches(name, list(names[kind]), n=3, cutoff=0.8)
            hint = f'Nearest: {", ".join(near)}.\n' if near else ''
            hint += owners.hint(kind, name)
            if kind == 'nodesets':
                hint += '\n' + labels.hint(name, list(load_labels()))
            return dataclasses.replace(problem, hint=hint)
    return problem
