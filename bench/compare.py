"""Cases with two folders of roles, on fresh nodes, in turn."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench import case as cases
from bench import machine, sample, table
from bench.case import Case
from zuul_local import render
from zuul_local.errors import FAILURE, SUCCESS, UserError

HERE = Path(__file__).resolve().parent
DEFAULT_ROLES = (HERE.parent / 'roles', HERE / 'baseline')
SIDES = ('A', 'B')


def run(args: argparse.Namespace) -> int:
    """Take the samples that *args* ask for and print them, a case at a time; return the exit code.

    :raises UserError: no such case or state, or a folder without roles.
    """
    known = cases.load(HERE / 'cases')
    if args.list:
        print('\n'.join(render.table([(case.name, ', '.join(case.states), case.about) for case in known.values()], '')))
        return SUCCESS
    wanted = chosen(known, args.cases, args.state)
    if args.times < 1:
        raise UserError(f'--times {args.times}: at least one sample is taken.')
    folders = roles_folders(args.roles)
    reference = table.load_reference(HERE / 'reference.yaml')
    stream = sys.stderr if args.json else sys.stdout
    for side, folder in zip(SIDES, folders, strict=True):
        print(f'{side}: {folder}', file=stream)
    print(f'{machine.described()}; label {args.label}; {args.times} samples, each on a node of its own\n{table.LEGEND}',
          file=stream, flush=True)
    taken, troubles = [], []
    for case in wanted:
        rows, trouble = take(case, folders, args)
        taken += rows
        troubles += trouble
        print('\n' + '\n'.join((f'{case.name}: {case.about}', *table.lines(rows, reference), *trouble)), file=stream,
              flush=True)
    if args.json:
        print(json.dumps([row.as_dict() for row in taken], indent=2))
    return FAILURE if any(': failed' in trouble for trouble in troubles) else SUCCESS


def chosen(known: Mapping[str, Case], names: Sequence[str], states: Sequence[str]) -> list[Case]:
    """Return the cases called *names*, from *states* only; all of what is left empty.

    :raises UserError: a case that is not *known*, or none of its states is among *states*.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(f'There is no case {", ".join(unknown)}.', f'The cases are: {", ".join(known)}.')
    found = [replace(case, states=tuple(state for state in case.states if state in (states or case.states)))
             for case in (known[name] for name in names or known)]
    without = [case.name for case in found if not case.states]
    if without and (names or len(without) == len(found)):
        raise UserError(f'--state {", ".join(states)}: no state that {", ".join(without)} starts from.',
                        'zuul-local bench --list')
    return [case for case in found if case.states]


def roles_folders(given: Sequence[str]) -> tuple[Path, Path]:
    """Return the folders of A and B: those that are *given*, else the library's own and the baseline.

    :raises UserError: more than two, or one that has no roles.
    """
    if len(given) > len(SIDES):
        raise UserError(f'--roles is there {len(given)} times: at most {len(SIDES)} folders are compared.')
    first, second = (*(Path(path).expanduser().resolve() for path in given), *DEFAULT_ROLES[len(given):])
    return cases.roles_of(first), cases.roles_of(second)


def take(case: Case, folders: Sequence[Path], args: argparse.Namespace) -> tuple[list[table.Row], list[str]]:
    """Return the rows of *case*, and in words what could not be timed.

    A and B take turns and each goes first as often as the other, so that a machine that drifts treats both alike.
    """
    trouble = [f'  {side}: absent in {folder}: {", ".join(absent)}' for side, folder in zip(SIDES, folders, strict=True)
               if (absent := case.absent_in(folder))]
    able = {side: folder for side, folder in zip(SIDES, folders, strict=True) if not case.absent_in(folder)}
    rows = []
    with tempfile.TemporaryDirectory(prefix='zuul-local-bench-') as scratch:
        projects = {side: case.project(Path(scratch, side), folder) for side, folder in able.items()}
        sources = case.sources(Path(scratch))
        for state in case.states:
            samples: dict[str, list[sample.Sample]] = {side: [] for side in SIDES}
            turns = [side for turn in range(args.times) for side in sorted(projects, reverse=bool(turn % 2))]
            for number, side in enumerate(turns, 1):
                if side not in projects:
                    continue
                machine.wait_until_quiet(args.load)
                begun = time.monotonic()
                try:
                    samples[side].append(sample.take(projects[side], sources, case.job(state), args.label))
                except sample.Failed as error:
                    trouble.append(f'  {side}: {state}: failed: {error}')
                    projects.pop(side)
                    continue
                print(f'{case.name} {state} {side} {number}/{len(turns)}: {time.monotonic() - begun:.0f} s',
                      file=sys.stderr, flush=True)
            rows += table.rows(case.name, state, samples['A'], samples['B'])
    return rows, trouble
