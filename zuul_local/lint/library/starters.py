"""What ``zuul-local init`` may write into a first ``.zuul.yaml`` is what the library has."""

from __future__ import annotations

from pathlib import Path

from zuul_local.lint.library import files, jobs
from zuul_local.starter import choice

STARTERS = 'starters.yaml'


def problems(root: Path) -> list[str]:
    """Return the templates and jobs that the starters of the library in *root* name and that are not there."""
    if not (root / STARTERS).exists():
        return []
    try:
        there = {('job', name) for name in jobs.job_names(root, 'zuul.d')} | {
            ('template', str(one.get('name'))) for _, one in files.objects(root, 'zuul.d', 'project-template')}
        starters = files.read(root, root / STARTERS)
    except files.Unreadable as error:
        return [str(error)]
    return [f'{STARTERS}: there is no {kind} {name} in zuul.d/; write it, or name another one'
            for kind, name in dict.fromkeys(choice.names(starters)) if (kind, name) not in there]
