"""zuul-local test: everything that is run before a change is merged."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from zuul_local import environment, paths, process
from zuul_local.environment.tools import test_tools
from zuul_local.errors import FAILURE, SUCCESS, UserError
from zuul_local.testing.outcome import FAILED, SKIPPED, Case, Part, judged, last_line
from zuul_local.testing.parts import PARTS
from zuul_local.testing.tools import Tools, site_packages

PATIENCE = 3
"""A part that takes so many times what its budget allows is ended."""
WITH_NODES = ('functional', 'e2e', 'self-test')
"""Parts that wait for nodes half of the time. The others run beside them, when these leave a processor idle."""
IDLE = ('nice', '-n', '10')


def test(args: argparse.Namespace) -> int:
    """Run the parts in args.names (all when empty), print what happened, and sum it up in the last line.

    :raises UserError: there is no such part.
    """
    names = wanted(args.names)
    process.heed_termination()
    tools = provide()
    budget = yaml.safe_load((paths.LIBRARY / 'tests' / 'budget.yaml').read_text(encoding='utf-8'))
    first, aside = lanes(names)
    with run_aside(aside) as parts_aside:
        own = [run(name, tools, budget) for name in first]
    parts = own + parts_aside
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


def lanes(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the parts to run one after another, and those to run one after another beside them."""
    first = [name for name in names if name in WITH_NODES]
    return (first, [name for name in names if name not in WITH_NODES]) if first else (list(names), [])


@contextlib.contextmanager
def run_aside(names: Sequence[str]) -> Iterator[list[Part]]:
    """Run the parts *names* in a process of their own; the list that is given is filled at the end."""
    found: list[Part] = []
    if not names:
        yield found
        return
    with tempfile.TemporaryDirectory(prefix='zuul-local-test-') as folder:
        said = Path(folder, 'parts.json')
        with process.beside((*IDLE, str(paths.LIBRARY / 'zuul-local'), 'test', *names, '--json'), stdout=said):
            yield found
        found += read_parts(said.read_text(encoding='utf-8'), names)


def read_parts(text: str, names: Sequence[str]) -> list[Part]:
    """Return the parts *names* of what ``--json`` printed; one that is not there has failed."""
    try:
        told = {part['name']: part for part in json.loads(text)}
    except ValueError:
        told = {}
    lost = 'It did not run to its end; see what was printed above.'
    return [Part(**{**told[name], 'cases': tuple(Case(**case) for case in told[name]['cases'])}) if name in told else
            Part(name, (Case(name, FAILED, detail=lost),), 0) for name in names]


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
