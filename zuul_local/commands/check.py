"""``zuul-local check``: what is wrong with the configuration."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
from pathlib import Path

from zuul_local import lint, paths, render
from zuul_local.errors import SUCCESS, USAGE
from zuul_local.lint import library
from zuul_local.tenant.load import LIBRARY_NAME, LocalTenant, load_tenant
from zuul_local.tenant.problem import ERROR, Problem


def check(args: argparse.Namespace) -> int:
    """Load the configuration of the project in ``args.project`` and print its problems; USAGE when one is an error.

    Problems of other repositories are counted only: they are not this project's to mend, and a repository without
    those that it needs has many.
    """
    tenant = load_tenant(Path(args.project), base_ref=args.base_ref, given=args.with_)
    problems = lint.all_problems(tenant)
    if tenant.project.path == paths.LIBRARY:
        problems += [_library_problem(one) for one in library.problems(paths.LIBRARY)]
    own = [problem for problem in problems if is_own(tenant, problem)]
    others = [problem for problem in problems if not is_own(tenant, problem)]
    errors = sum(problem.severity == ERROR for problem in own)
    if args.json:
        print(json.dumps({
            'project': tenant.project.canonical_name, 'branch': tenant.project.branch, 'errors': errors,
            'warnings': len(own) - errors, 'problems': [dataclasses.asdict(problem) for problem in own],
            'elsewhere': [dataclasses.asdict(problem) for problem in others],
        }, indent=2))
    else:
        for problem in own:
            print(text(problem))
        summary(tenant, own, others)
    return USAGE if errors else SUCCESS


def is_own(tenant: LocalTenant, problem: Problem) -> bool:
    """Tell whether a problem is one of the project at hand or of one in its folder, or of nobody."""
    project = tenant.projects.get(problem.project)
    return not problem.project or (project is not None and project.path.is_relative_to(tenant.project.path))


def summary(tenant: LocalTenant, own: list[Problem], others: list[Problem]) -> None:
    """Print how many problems there are, on standard error."""
    for name in sorted({problem.project for problem in others}):
        where = tenant.projects[name].path if name in tenant.projects else name
        there = [problem for problem in others if problem.project == name]
        print(f'{name}: {_counts(there)}, to be seen with: zuul-local check --project {where}', file=sys.stderr)
    print(f'{tenant.project.canonical_name} on branch {tenant.project.branch}: {len(tenant.layout.jobs)} jobs, '
          f'{_counts(own)}', file=sys.stderr)


def text(problem: Problem) -> str:
    """Return *problem* for people: the place relative to the working folder, hints indented below."""
    where = render.place(problem.path, problem.line) or problem.project
    lines = (f'{where}: {problem.severity}: {problem.message}' if where else f'{problem.severity}: {problem.message}',
             *(f'    {line}' for line in problem.hint.splitlines()))
    return '\n'.join(lines)


def _library_problem(line: str) -> Problem:
    """Return a line of the form ``FILE[:LINE]: WHAT``, the file relative to the library, as a problem."""
    match = re.fullmatch(r'([^\s:]+?)(?::(\d+))?: (.*)', line, re.DOTALL)
    if match is None:
        return Problem(LIBRARY_NAME, '', 0, ERROR, line)
    return Problem(LIBRARY_NAME, str(paths.LIBRARY / match[1]), int(match[2] or 0), ERROR, match[3])


def _counts(problems: list[Problem]) -> str:
    errors = sum(problem.severity == ERROR for problem in problems)
    return ', '.join(f'{number} {what}' + ('' if number == 1 else 's')
                     for number, what in ((errors, 'error'), (len(problems) - errors, 'warning')))
