"""What self-tests came to: as lines while they run, as a table, as JUnit XML, and as a page of the documentation."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from zuul_local import render
from zuul_local.build.console import CONTROL
from zuul_local.nodes.labels import Label
from zuul_local.selftest.cell import FAILED, NOT_RUN, OK, SKIPPED, WHOLE, Cell, count
from zuul_local.selftest.plan import Build

NO_XML = re.compile('[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')
NONE = '-'


class Printer:
    """Prints a line for each behaviour and label, and of a failure also the task and what it said.

    :param builds: all that will run, for the widths of the columns.
    """

    def __init__(self, stream: TextIO, builds: Sequence[Build]) -> None:
        self._stream = stream
        self._reason: tuple[str, ...] = ()
        self._behaviours = [behaviour for build in builds for behaviour in build.behaviours]
        self._role = max((len(one.role) for one in self._behaviours), default=0)
        self._name = max((len(one.name) for one in self._behaviours), default=0)
        self._label = max((len(label_text(label)) for build in builds for _, label in build.nodes), default=0)

    def started(self, build: Build, number: int, total: int) -> None:
        """Tell that a build begins, as the *number*-th of *total*."""
        self.say(f'begin    {build.job}, {number} of {total}, on {", ".join(label.name for _, label in build.nodes)}')

    def cell(self, cell: Cell) -> None:
        """Tell that a behaviour ended on a node, or will not be run."""
        label = label_text(cell.label) if cell.label else ''
        self.say(f'{cell.status:<7}  {cell.role:<{self._role}}  {cell.behaviour:<{self._name}}  '
                 f'{label:<{self._label}}  ' + (f'{cell.seconds:5.1f} s' if cell.seconds else ''))
        if cell.status == FAILED and cell.task:
            self.say(f'         task: {cell.task}')
        if cell.status != OK and not (cell.status == NOT_RUN and cell.said == self._reason):
            for line in cell.said:
                self.say(f'         {line}')
        self._reason = cell.said

    def logs(self, build: Build, where: str) -> None:
        """Tell where the logs of a build with a failure are."""
        self.say(f'logs     {build.job}: {where}/index.html')

    def left_out(self, builds: Sequence[Build]) -> None:
        """Tell that *builds* will not begin any more."""
        self.say(f'left out for lack of time: {", ".join(build.job for build in builds)}')

    def say(self, line: str) -> None:
        self._stream.write(CONTROL.sub('', line).rstrip() + '\n')
        self._stream.flush()


def label_text(label: Label) -> str:
    """Return the name of *label*, and that it is a contract one: such a result never proves a distribution."""
    return label.name if label.kind == 'real' else f'{label.name} ({label.kind})'


def by_role(cells: Iterable[Cell], labels: Sequence[Label]) -> list[tuple[str, list[str]]]:
    """Return each role by name with what it came to on each of *labels*: seconds, or what is wrong."""
    cells = list(cells)
    rows = []
    for role in sorted({cell.role for cell in cells}):
        own = [cell for cell in cells if cell.role == role]
        whole = any(cell.behaviour == WHOLE for cell in own)
        rows.append((role, [_of(label, own, whole) for label in labels]))
    return rows


def _of(label: Label, cells: Sequence[Cell], whole: bool) -> str:
    here = [cell for cell in cells if cell.label == label]
    states = {cell.status for cell in here}
    if FAILED in states or (here and whole):
        return FAILED
    if NOT_RUN in states:
        return NOT_RUN
    if states == {SKIPPED}:
        return SKIPPED
    return f'{sum(cell.seconds for cell in here):.1f}' if here else NONE


def table(cells: Iterable[Cell], labels: Sequence[Label]) -> list[str]:
    """Return the lines of the summary: a row for each role, a column of seconds for each label."""
    head = ('role', *(label_text(label) for label in labels))
    return render.table([head, *((role, *columns) for role, columns in by_role(cells, labels))], indent='')


def last_line(cells: Iterable[Cell], builds: int, seconds: float, side_by_side: int) -> str:
    passed, failed, skipped = count(cells)
    return (f'{passed} passed, {failed} failed, {skipped} skipped: {builds} build{"" if builds == 1 else "s"} '
            f'in {seconds:.0f} s, up to {side_by_side} at a time')


def facts(cells: Iterable[Cell], seconds: float, unchosen: Sequence[str]) -> dict[str, Any]:
    """Return all of it as plain data; *unchosen* are the roles without a node that was asked for."""
    cells = list(cells)
    passed, failed, skipped = count(cells)
    return {'passed': passed, 'failed': failed, 'skipped': skipped, 'seconds': round(seconds, 1),
            'without-such-a-node': list(unchosen),
            'behaviours': [{
                'job': cell.job, 'role': cell.role, 'behaviour': cell.behaviour, 'label': cell.label_name,
                'kind': cell.label.kind if cell.label else '', 'status': cell.status, 'seconds': cell.seconds,
                'task': cell.task, 'said': list(cell.said)} for cell in cells]}


def junit(cells: Iterable[Cell], seconds: float) -> str:
    """Return JUnit XML: a test suite for each role, a test case for each behaviour and label."""
    cells = list(cells)
    top = ElementTree.Element('testsuites', _counts(cells, seconds))
    for role in sorted({cell.role for cell in cells}):
        own = [cell for cell in cells if cell.role == role]
        suite = ElementTree.SubElement(top, 'testsuite', {
            'name': role, **_counts(own, sum(cell.seconds for cell in own))})
        for cell in own:
            name = f'{cell.behaviour} on {label_text(cell.label)}' if cell.label else cell.behaviour
            case = ElementTree.SubElement(suite, 'testcase', {
                'classname': f'{cell.job}.{role}', 'name': name, 'time': f'{cell.seconds:.2f}'})
            said = NO_XML.sub('\N{REPLACEMENT CHARACTER}', '\n'.join(cell.said))
            if cell.status == FAILED:
                ElementTree.SubElement(case, 'failure', {
                    'message': NO_XML.sub('\N{REPLACEMENT CHARACTER}', cell.task) or WHOLE}).text = said
            elif cell.status != OK:
                ElementTree.SubElement(case, 'skipped', {'message': f'{cell.status}: {said}'})
    ElementTree.indent(top)
    return "<?xml version='1.0' encoding='utf-8'?>\n" + ElementTree.tostring(top, encoding='unicode') + '\n'


def _counts(cells: Sequence[Cell], seconds: float) -> dict[str, str]:
    passed, failed, skipped = count(cells)
    return {'tests': str(passed + failed + skipped), 'failures': str(failed), 'skipped': str(skipped),
            'time': f'{seconds:.2f}'}


PAGE = '''\
==========
Self-tests
==========

.. written by "./zuul-local self-test --all --table FILE"

What every role came to on every label, in seconds that its behaviours took there: run on {date} in {seconds:.0f} s,
{builds} builds, up to {side_by_side} at a time, on {machine}. A dash stands for a label that the role is not tried
on; why not is in ``test-playbooks/ROLE/not-applicable.yaml``.{contract}

.. list-table::
   :header-rows: 1

{rows}
'''
CONTRACT = ''' Labels marked *contract* are stand-ins: they try branches of our code, and
prove nothing about a distribution.'''


def page(cells: Iterable[Cell], labels: Sequence[Label], *, date: str, machine: str, seconds: float, builds: int,
         side_by_side: int) -> str:
    """Return the page of the documentation that shows :func:`by_role`."""
    rows = [('Role', [label_text(label) for label in labels]), *by_role(cells, labels)]
    text = '\n'.join(f'   * - {role}\n' + '\n'.join(f'     - {column}' for column in columns)
                     for role, columns in rows)
    contract = CONTRACT if any(label.kind != 'real' for label in labels) else ''
    return PAGE.format(date=date, machine=machine, seconds=seconds, builds=builds, side_by_side=side_by_side,
                       rows=text, contract=contract)


def machine(cpuinfo: Path = Path('/proc/cpuinfo'), meminfo: Path = Path('/proc/meminfo'),
            release: Path = Path('/etc/os-release')) -> str:
    """Return what this machine is, in the words of its kernel: processors, memory and system."""
    processors = re.findall(r'^model name\s*: (.*)$', cpuinfo.read_text(encoding='utf-8'), re.MULTILINE)
    kilobytes = re.search(r'^MemTotal:\s*(\d+) kB', meminfo.read_text(encoding='utf-8'), re.MULTILINE)
    system = re.search(r'^PRETTY_NAME="?(.*?)"?$', release.read_text(encoding='utf-8'), re.MULTILINE)
    memory = f', {int(kilobytes[1]) / 2**20:.0f} GiB' if kilobytes else ''
    return (f'{len(processors)} × {processors[0].strip()}' if processors else 'a machine') + memory + (
        f', {system[1]}' if system else '')
