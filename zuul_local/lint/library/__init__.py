"""What a library of jobs and roles promises beyond what Zuul asks: its parts tell the same story. One check a module.

Nothing here needs a tenant or Zuul: a check reads files below a root and returns one line for each problem.
"""

from __future__ import annotations

from pathlib import Path

from zuul_local.lint.library import docs, jobs, roles, selftest_jobs, selftests, starters

CHECKS = (roles.problems, jobs.problems, selftests.problems, selftest_jobs.problems, docs.problems,
          starters.problems)


def problems(root: Path) -> list[str]:
    """Return what is wrong with the library in *root*, one line each, as ``FILE[:LINE]: WHAT``."""
    return list(dict.fromkeys(problem for check in CHECKS for problem in check(root)))
