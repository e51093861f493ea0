"""What several checks look at: the job variants of a layout, and where each was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zuul_local.tenant.load import LocalTenant
from zuul_local.tenant.problem import Problem, line_with

PHASES = ('pre_run', 'run', 'post_run', 'cleanup_run')


def variants(tenant: LocalTenant) -> Iterator[Any]:
    """Yield every job variant of the layout that a file of this machine defines, those in project stanzas included."""
    for found in tenant.layout.jobs.values():
        yield from (job for job in found if lies_here(tenant, job))
    for stanza in stanzas(tenant):
        for pipeline in stanza.pipelines.values():
            for found in pipeline.job_list.jobs.values():
                yield from (job for job in found if lies_here(tenant, job))


def stanzas(tenant: LocalTenant) -> Iterator[Any]:
    """Yield every project stanza and project template that a file of this machine defines."""
    for configs in tenant.layout.project_configs.values():
        yield from (config for config in configs if lies_here(tenant, config))
    for templates in tenant.layout.project_templates.values():
        yield from (template for template in templates if lies_here(tenant, template))


def lies_here(tenant: LocalTenant, thing: Any) -> bool:
    """Tell whether a configuration object was written in a file of this machine."""
    context = thing.source_context
    return bool(context and context.project_canonical_name in tenant.projects)


def problem_at(tenant: LocalTenant, thing: Any, severity: str, message: str, hint: str = '', line: int = 0) -> Problem:
    """Return a problem of the stanza that made *thing*."""
    context, mark = thing.source_context, thing.start_mark
    return Problem(context.project_canonical_name, tenant.locate(context), line or (mark.line + 1 if mark else 0),
                   severity, message, hint)


def line_in(thing: Any, text: str) -> int:
    """Return the line of *thing*'s stanza that shows *text* as a word, 0 when none does."""
    mark = thing.start_mark
    line = line_with(text, mark.snippet) if mark else 0
    return int(mark.line) + line if line else 0
