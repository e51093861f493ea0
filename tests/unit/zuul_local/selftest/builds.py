"""Builds and cells to try things with."""

from __future__ import annotations

from zuul_local.nodes.labels import Label
from zuul_local.selftest.cell import OK, Cell
from zuul_local.selftest.plan import Build, behaviour

ONE = Label('one', 'first', 'Debian', 'first', ('3.11',), '/usr/bin/python3', 'real')
STAND_IN = Label('stand-in', 'first', 'EL', '9', ('3.11',), '/usr/bin/python3', 'contract')


def build(job: str, *playbooks: str, labels: tuple[Label, ...] = (ONE, STAND_IN), public: bool = False) -> Build:
    """Return a build whose playbooks are given as ``ROLE/NAME``, with a node called after each label."""
    return Build(job, tuple(behaviour(f'test-playbooks/{one}.yaml') for one in playbooks),
                 tuple((f'node-{label.name}', label) for label in labels), public)


def cell(role: str, name: str, label: Label | None = ONE, status: str = OK, seconds: float = 1.0, task: str = '',
         *said: str) -> Cell:
    return Cell(f'self-test-{role}', role, name, label, status, seconds, task, said)
