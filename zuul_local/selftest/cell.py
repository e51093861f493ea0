"""What came of one behaviour on one node."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zuul_local.nodes.labels import Label

OK = 'ok'
FAILED = 'FAILED'
SKIPPED = 'skipped'
NOT_RUN = 'not run'
WHOLE = '(build)'


@dataclass(frozen=True)
class Cell:
    """:ivar behaviour: its name; WHOLE for what belongs to none of them, such as a build that never began.

    :ivar label: None for WHOLE.
    :ivar status: OK, FAILED, SKIPPED (the playbook left the node alone) or NOT_RUN (the build ended before).
    :ivar seconds: how long its playbook worked on this node.
    :ivar task: the task that failed.
    :ivar said: what it said, or why the behaviour was not run.
    """

    job: str
    role: str
    behaviour: str
    label: Label | None
    status: str
    seconds: float = 0.0
    task: str = ''
    said: tuple[str, ...] = ()

    @property
    def label_name(self) -> str:
        return self.label.name if self.label else ''


def count(cells: Iterable[Cell]) -> tuple[int, int, int]:
    """Return how many passed, failed, and were skipped or not run."""
    states = [cell.status for cell in cells]
    passed, failed = states.count(OK), states.count(FAILED)
    return passed, failed, len(states) - passed - failed
