"""Variables files that lead out of their repository: the executor reads them outside of the sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from zuul_local.tenant.freeze import Frozen
from zuul_local.tenant.load import LocalTenant
from zuul_local.tenant.problem import ERROR, Problem


def of_job(tenant: LocalTenant, frozen: Frozen) -> Iterator[Problem]:
    """Yield one problem for each file of ``include-vars`` that is not a mapping in its own repository."""
    for include in frozen.job.include_vars:
        source = tenant.connections.getSource(include['connection'])
        project = source.getProject(include['project']).canonical_name
        if project not in tenant.projects:
            continue
        root = tenant.projects[project].path.resolve()
        path = root / include['name']
        said = f'job {frozen.job.name}: the variables file {include["name"]!r}'
        if not path.resolve().is_relative_to(root):
            yield Problem(project, str(path), 0, ERROR, f'{said} leads out of its repository.',
                          'Put the file itself into the repository.')
        elif path.is_file() and not _is_mapping(path.read_bytes()):
            yield Problem(project, str(path), 0, ERROR, f'{said} is no YAML mapping.', 'Write lines of NAME: VALUE.')


def _is_mapping(data: bytes) -> bool:
    try:
        return isinstance(yaml.safe_load(data), dict)
    except (yaml.YAMLError, UnicodeDecodeError):
        return False
