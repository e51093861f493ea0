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
from zuul_local.tenant.load import LIBRARY_NAME, load_tenant
from zuul_local.tenant.problem import ERROR, Problem


def check(args: argparse.Namespace) -> int:
    """Load the configuration of the project in ``args.project`` and print its problems; USAGE when one is an error."""
    tenant = load_tenant(Path(args.project), base_ref=args.base_ref, given=args.with_)
    problems = lint.all_problems(tenant)
    if tenant.project.path == paths.LIBRARY:
        problems += [_library_problem(one) for one in library.problems(paths.LIBRARY)]
    errors = sum(problem.severity == ERROR for problem in problems)
    if args.json:
        print(json.dumps({
            'project': tenant.project.canonical_name, 'branch': tenant.project.branch, 'errors': errors,
            'warnings': len(problems) - errors, 'problems': [dataclasses.asdict(problem) for problem in problems],
        }, indent=2))
    else:
        for problem in problems:
            print(text(problem))
        print(f'{tenant.project.canonical_name} on branch {tenant.project.branch}: {len(tenant.layout.jobs)} jobs, '
              f'{_count(errors, "error")}, {_count(len(problems) - errors, "warning")}', file=sys.stderr)
    return USAGE if errors else SUCCESS


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


def _count(number: int, what: str) -> str:
    return f'{number} {what}' + ('' if number == 1 else 's')
