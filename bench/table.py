"""From samples to lines for people: medians, ratios that are claimed only when they are steady, targets."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.sample import RUNS, Run, Sample
from zuul_local import render

STEADY = 0.15           # spread of the seconds, as a share of the median, up to which a ratio of medians is claimed
LEGEND = f"""\
seconds: end of the last task minus start of the first, median (least to most); modules: module runs on the node;
cpu: processor seconds on the executor; B/A: of medians; with one sample in brackets; as the range that is possible
where the seconds of a side differ by more than {STEADY:.0%}. Last column: A against figures of another implementation,
which were measured elsewhere and are given in bench/reference.yaml, nothing that was measured in this run."""
HEADER = ('state', 'run', 'samples', 'A seconds', 'modules', 'cpu', 'B seconds', 'modules', 'cpu', 'B/A',
          'A and the figures given for another machine')

Reference = Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]
"""case -> state -> run -> figure -> value"""


@dataclass(frozen=True)
class Row:
    """The samples of one run of a case from one state; a side that could not be timed has none."""

    case: str
    state: str
    run: str
    a: tuple[Run, ...]
    b: tuple[Run, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def rows(case: str, state: str, a: Sequence[Sample], b: Sequence[Sample]) -> list[Row]:
    """Return a row for the first run and one for the second."""
    return [Row(case, state, run, *(tuple(getattr(one, run) for one in side) for side in (a, b))) for run in RUNS]


def load_reference(path: Path) -> Reference:
    found: Reference = yaml.safe_load(path.read_text(encoding='utf-8'))
    return found


def lines(found: Sequence[Row], reference: Reference) -> list[str]:
    """Return the table of *found*; nothing when no side has a sample."""
    shown = [(row.state, row.run, samples(row), *side(row.a), *side(row.b), ratio(seconds(row.a), seconds(row.b)),
              against(row.a, reference.get(row.case, {}).get(row.state, {}).get(row.run, {})))
             for row in found if row.a or row.b]
    return render.table([HEADER, *shown]) if shown else []


def seconds(runs: Sequence[Run]) -> list[float]:
    return [run.seconds for run in runs]


def samples(row: Row) -> str:
    return str(len(row.a)) if len(row.a) == len(row.b) else f'{len(row.a)}, {len(row.b)}'


def side(runs: Sequence[Run]) -> tuple[str, str, str]:
    """Return seconds, module runs and processor seconds of one side."""
    if not runs:
        return '-', '-', '-'
    modules = sorted({run.modules for run in runs})
    return (middle(seconds(runs)), ' to '.join(dict.fromkeys(map(str, (modules[0], modules[-1])))),
            f'{statistics.median(run.processor for run in runs):.2f}')


def middle(values: Sequence[float]) -> str:
    """Return the median with the least and the most."""
    spread = f' ({min(values):.2f} to {max(values):.2f})' if len(values) > 1 else ''
    return f'{statistics.median(values):.2f}{spread}'


def steady(values: Sequence[float]) -> bool:
    return max(values) - min(values) <= STEADY * statistics.median(values)


def ratio(a: Sequence[float], b: Sequence[float]) -> str:
    """Return how many times longer B takes, as far as the samples can tell."""
    if not a or not b or not min(a):
        return '-'
    if not (steady(a) and steady(b)):
        return f'{min(b) / max(a):.1f} to {max(b) / min(a):.1f}x'
    told = f'{statistics.median(b) / statistics.median(a):.1f}x'
    return told if min(len(a), len(b)) > 1 else f'({told})'


def against(runs: Sequence[Run], figures: Mapping[str, float]) -> str:
    """Return how *runs* compare with the figures given for another machine; nothing where there are none."""
    if not runs or not figures:
        return ''
    taken = seconds(runs)
    given = f'{figures["seconds"]:g} s' + (f', {figures["modules"]} modules' if 'modules' in figures else '')
    told = [f'{given}: {figures["seconds"] / statistics.median(taken):.1f}x']
    if 'at_least' in figures:
        most = figures['seconds'] / figures['at_least']
        told.append(f'target {figures["at_least"]:g}x {verdict(taken, most)}')
    if 'modules_at_most' in figures:
        most = figures['modules_at_most']
        told.append(f'at most {most} module{"s" * (most != 1)} {verdict([run.modules for run in runs], most)}')
    if 'cpu' in figures:
        most = figures['cpu'] * figures['cpu_share']
        told.append(f'cpu {figures["cpu"]:g} s: at most {most:.2f} s {verdict([run.processor for run in runs], most)}')
    return ', '.join(told)


def verdict(values: Sequence[float], most: float) -> str:
    """Return whether *values* stay below *most*: all, none, or some of them."""
    if max(values) <= most:
        return 'met'
    return 'missed' if min(values) > most else 'undecided'
