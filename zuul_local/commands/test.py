"""zuul-local test: everything that is run before a change is merged."""

from __future__ import annotations

import argparse
import json
import sys
import time

import yaml

from zuul_local import environment, paths, process
from zuul_local.environment.tools import test_tools
from zuul_local.errors import FAILURE, SUCCESS, UserError
from zuul_local.testing.outcome import FAILED, SKIPPED, Part, judged, last_line
from zuul_local.testing.parts import PARTS
from zuul_local.testing.tools import Tools, site_packages

PATIENCE = 3
"""A part that takes so many times what its budget allows is ended."""


def test(args: argparse.Namespace) -> int:
    """Run the parts in args.names (all when empty), print what happened, and sum it up in the last line.

    :raises UserError: there is no such part.
    """
    names = wanted(args.names)
    process.heed_termination()
    tools = provide()
    budget = yaml.safe_load((paths.LIBRARY / 'tests' / 'budget.yaml').read_text(encoding='utf-8'))
    parts = [run(name, tools, budget) for name in names]
    for case in (case for part in parts for case in part.cases if case.status == SKIPPED):
        print(f'skipped: {case.name}: {case.detail}', file=sys.stderr)
    for case in (case for part in parts for case in part.cases if case.status == FAILED):
        print(f'failed: {case.name}', file=sys.stderr)
    print(json.dumps([part.as_dict() for part in parts], indent=2) if args.json else last_line(parts))
    return FAILURE if any(part.count(FAILED) for part in parts) else SUCCESS


def wanted(names: list[str]) -> list[str]:
    """Return the parts to run, each once, in their own order.

    :raises UserError: one of *names* is no part.
    """
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        raise UserError(f'There is no part {", ".join(unknown)} of the tests.', f'The parts are {", ".join(PARTS)}.')
    return [name for name in PARTS if name in names or not names]


def provide() -> Tools:
    """Return the tools, installed from their lock when they are not there yet."""
    collections = site_packages(environment.current().ansible_root / '11')
    return Tools(test_tools(), collections)


def run(name: str, tools: Tools, budget: dict[str, float]) -> Part:
    """Run one part, and print its figures."""
    print(f'{name} …', file=sys.stderr, flush=True)
    begun = time.monotonic()
    cases = PARTS[name](tools, paths.LIBRARY, PATIENCE * budget[name])
    part = judged(name, cases, time.monotonic() - begun, budget)
    for case in part.cases[len(cases):]:
        print(f'  {case.name}: {case.detail}', file=sys.stderr)
    allowed = '' if part.allowed is None else f' of {part.allowed:g} s allowed'
    print(f'{name}: {last_line([part])} in {part.seconds:.1f} s{allowed}', file=sys.stderr, flush=True)
    return part
