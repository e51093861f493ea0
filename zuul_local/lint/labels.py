"""Labels of nodes that no image of ours serves."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from zuul_local.lint.configuration import lies_here, line_in, problem_at, variants
from zuul_local.nodes.labels import load_labels
from zuul_local.tenant.load import LocalTenant
from zuul_local.tenant.problem import WARNING, Problem
from zuul_local.tenant.settings import FILE


def problems(tenant: LocalTenant) -> list[Problem]:
    """Return one problem for each unknown label of each nodeset, of a job or with a name of its own."""
    ours = list(load_labels())
    known = {*ours, *tenant.settings.labels}
    return [
        problem_at(tenant, thing, WARNING, f'{what}: label {label!r} is not one that can be started here.',
                   hint(label, ours), line_in(thing, label))
        for what, thing, nodeset in _nodesets(tenant) for label in _unknown(nodeset, known)]


def hint(label: str, ours: Collection[str]) -> str:
    """Say how a job whose nodeset asks for *label* is run on one of *ours* all the same."""
    real = next(iter(ours))
    return (f'Run it on another (of {", ".join(ours)}): --label {real}, or once for all in {FILE}:\n'
            f'labels: {{{label}: {real}}}')


def _unknown(nodeset: Any, known: Collection[str]) -> list[str]:
    return sorted({node.label for node in nodeset.getNodes() if node.label and node.label not in known})


def _nodesets(tenant: LocalTenant) -> Iterator[tuple[str, Any, Any]]:
    for name, nodeset in tenant.layout.nodesets.items():
        if lies_here(tenant, nodeset):
            yield f'nodeset {name}', nodeset, nodeset
    for job in variants(tenant):
        nodeset = job._get('nodeset')
        if nodeset is not None and not isinstance(nodeset, str) and not nodeset.name:
            yield f'job {job.name}', job, nodeset
