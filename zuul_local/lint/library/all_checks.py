"""All checks of a library together."""

from __future__ import annotations

from pathlib import Path

from zuul_local.lint.library import docs, jobs, roles, selftests

CHECKS = (roles.problems, jobs.problems, selftests.problems, docs.problems)


def problems(root: Path) -> list[str]:
    """Return what is wrong with the library in *root*, one line each, as ``FILE[:LINE]: WHAT``."""
    return [problem for check in CHECKS for problem in check(root)]
