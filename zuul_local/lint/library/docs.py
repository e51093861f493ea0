"""The documentation lists every role, every public job and every template, and none that is gone."""

from __future__ import annotations

import re
from pathlib import Path

from zuul_local.lint.library import files, jobs, roles

PAGES = {'role': 'doc/source/reference/roles.rst', 'job': 'doc/source/reference/jobs.rst',
         'project_template': 'doc/source/reference/templates.rst'}


def problems(root: Path) -> list[str]:
    """Return what the pages of the library in *root* lack, and what they list too much."""
    try:
        there = {'role': roles.role_names(root), 'job': jobs.job_names(root, 'zuul.d'), 'project_template': [
            str(one.get('name')) for _, one in files.objects(root, 'zuul.d', 'project-template')]}
    except files.Unreadable as error:
        return [str(error)]
    found = []
    for kind, page in PAGES.items():
        path = root / page
        text = path.read_text(encoding='utf-8') if path.exists() else ''
        listed = re.findall(rf'^\.\. zuul:auto{kind}:: *(\S+)', text, re.MULTILINE)
        found += [f'{page}: no ".. zuul:auto{kind}:: {name}"' for name in there[kind] if name not in listed]
        what = kind.replace('_', ' ')
        found += [f'{page}: there is no {what} {name}' for name in sorted(set(listed) - set(there[kind]))]
        found += [f'{page}: {what} {name} is listed more than once'
                  for name in sorted(set(listed)) if listed.count(name) > 1]
    return found
