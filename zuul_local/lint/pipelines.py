"""Pipelines that a project stanza names and the tenant does not have: Zuul skips their jobs without a word."""

from __future__ import annotations

import difflib

from zuul_local.lint.configuration import line_in, problem_at, stanzas
from zuul_local.tenant.load import LocalTenant
from zuul_local.tenant.problem import WARNING, Problem


def problems(tenant: LocalTenant) -> list[Problem]:
    """Return one problem for each unknown pipeline of each project stanza and template."""
    known = list(tenant.layout.pipeline_managers)
    found = []
    for stanza in stanzas(tenant):
        for name in stanza.pipelines:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                found.append(problem_at(
                    tenant, stanza, WARNING,
                    f'pipeline {name!r} is not known here, and Zuul skips jobs of such pipelines silently.',
                    (f'Nearest: {near[0]}.\n' if near else '') + f'This tenant has {", ".join(sorted(known))}.\n'
                    'A pipeline that only your Zuul has is fine: its jobs can be run here all the same.',
                    line_in(stanza, name)))
    return found
