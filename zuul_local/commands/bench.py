"""``zuul-local bench``: how long roles take."""

from __future__ import annotations

import argparse


def bench(args: argparse.Namespace) -> int:
    """Time the roles of ``args.cases`` and return the exit code; see bench/compare.py."""
    from bench import compare
    return compare.run(args)
