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
START = 360             # seconds after which no further build begins: a change of the image asks for all there are


def run(root: Path, seconds: float) -> list[Case]:
    """Run those of the library in *root*, and print what ends and what is left out for lack of time.

    :param seconds: the longest that it may take; builds that are unfinished then are stopped, and count as failed.
    """
    every = plan.all_builds(load_tenant(root))
    base = changed.recent(root, COMMITS)
    touched = (changed.touched(root, changed.files_since(root, base)) if base else
               changed.Touched({}, everything='all that there is'))
    builds = chosen(every, touched, datetime.datetime.now(datetime.UTC).date().toordinal())
    for line in touched.told(base or 'the first commit'):
        print(f'  {line}', file=sys.stderr, flush=True)
    labels = plan.labels_of(builds)
    provide_images(labels, lambda line: print(f'  {line}', file=sys.stderr, flush=True))
    return cases(run_all(builds, SIDE_BY_SIDE, report.Printer(sys.stderr, builds), seconds=seconds,
                         start=START))


def chosen(every: Iterable[plan.Build], touched: changed.Touched, day: int) -> list[plan.Build]:
    """Return the public jobs on one label, then the builds of the roles that were *touched*, then of the others those
    whose turn it is on *day*. Each day begins with another role, so that lack of time never hits the same ones.
    """
    every = list(every)
    own, public = [one for one in every if not one.public], [one for one in every if one.public]
    asked = {role for build in changed.builds(own, touched) for role in build.roles}
    others = sorted({role for build in own for role in build.roles} - asked)
    turn = set(due(others, day))
    return [*plan.longest_first(build.on_label(default_label()) for build in public),
            *_from(day, [build for build in own if asked.intersection(build.roles)]),
            *_from(day, [build for build in own if not asked.intersection(build.roles)
                         and turn.intersection(build.roles)])]


def due(roles: Iterable[str], day: int) -> list[str]:
    """Return those of *roles* whose turn it is on *day*."""
    return [role for number, role in enumerate(roles) if number % PARTS == day % PARTS]


def _from(day: int, builds: list[plan.Build]) -> list[plan.Build]:
    first = day % len(builds) if builds else 0
    return builds[first:] + builds[:first]


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
