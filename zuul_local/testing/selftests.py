"""Which self-tests a change is merged with, of so many that they do not all run each time."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from zuul_local.nodes.labels import default_label
from zuul_local.selftest import cell, changed, plan, report
from zuul_local.selftest.images import provide_images
from zuul_local.selftest.watch import run_all
from zuul_local.tenant.load import load_tenant
from zuul_local.testing.outcome import FAILED, PASSED, SKIPPED, Case

PARTS = 3               # after so many days every role has had its turn
COMMITS = 20            # how far back changes count where no release is nearer
SIDE_BY_SIDE = 2


def run(root: Path, seconds: float) -> list[Case]:
    """Run those of the library in *root* for at most so many *seconds*, and print what ends."""
    every = plan.all_builds(load_tenant(root))
    base = changed.recent(root, COMMITS)
    touched = (changed.touched(root, changed.files_since(root, base)) if base else
               changed.Touched({}, everything='all that there is'))
    builds = chosen(every, touched, datetime.datetime.now(datetime.UTC).date().toordinal())
    for line in touched.told(base or 'the first commit'):
        print(f'  {line}', file=sys.stderr, flush=True)
    labels = plan.labels_of(builds)
    provide_images(labels, lambda line: print(f'  {line}', file=sys.stderr, flush=True))
    return cases(run_all(builds, SIDE_BY_SIDE, report.Printer(sys.stderr, builds), seconds=seconds))


def chosen(every: Iterable[plan.Build], touched: changed.Touched, day: int) -> list[plan.Build]:
    """Return the builds of the roles that were *touched*, of the others those whose turn it is on *day*, and the public
    jobs on one label.
    """
    every = list(every)
    own, public = [one for one in every if not one.public], [one for one in every if one.public]
    asked = {role for build in changed.builds(own, touched) for role in build.roles}
    others = sorted({role for build in own for role in build.roles} - asked)
    asked.update(role for number, role in enumerate(others) if number % PARTS == day % PARTS)
    return plan.longest_first([*(build.on_label(default_label()) for build in public),
                               *(build for build in own if any(role in asked for role in build.roles))])


def cases(cells: Iterable[cell.Cell]) -> list[Case]:
    """Return a test for each behaviour and label."""
    return [Case(_name(one), _status(one.status), one.seconds, _detail(one)) for one in cells]


def _name(one: cell.Cell) -> str:
    where = ('on', report.label_text(one.label)) if one.label else ()
    return ' '.join((f'{one.job}:', one.role, one.behaviour, *where))


def _status(status: str) -> str:
    return {cell.OK: PASSED, cell.FAILED: FAILED}.get(status, SKIPPED)


def _detail(one: cell.Cell) -> str:
    said: Sequence[str] = () if one.status == cell.OK else one.said
    return '\n'.join((*((one.task,) if one.status == cell.FAILED and one.task else ()), *said))
