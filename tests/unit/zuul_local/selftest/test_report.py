from __future__ import annotations

import io
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.unit.zuul_local.selftest.builds import ONE, STAND_IN, build, cell
from zuul_local.selftest import report
from zuul_local.selftest.cell import FAILED, NOT_RUN, SKIPPED, WHOLE

LABELS = (ONE, STAND_IN)
CELLS = (
    cell('b-role', 'absent', ONE, seconds=1.24),
    cell('b-role', 'present', ONE, seconds=2.0),
    cell('b-role', 'absent', STAND_IN, FAILED, 3.0, 'Break <it>', 'bro\x07ken', '& gone'),
    cell('b-role', 'present', STAND_IN, NOT_RUN, 0.0, '', 'the build ended at b-role absent'),
    cell('a', 'absent', ONE, SKIPPED, 0.0, '', 'left alone'),
)


class TestLines(unittest.TestCase):
    def test_what_is_printed_while_they_run(self) -> None:
        out = io.StringIO()
        one = build('self-test-b-role', 'b-role/absent', 'b-role/present')
        printer = report.Printer(out, [one])
        printer.started(one, 3, 9)
        for each in (*CELLS[:4], CELLS[3]):
            printer.cell(each)
        printer.cell(cell('b-role', WHOLE, None, FAILED, 0.0, '', 'it never began'))
        printer.logs(one, '/builds/1')
        self.assertEqual(out.getvalue(), '''\
begin    self-test-b-role, 3 of 9, on one, stand-in
ok       b-role  absent   one                    1.2 s
ok       b-role  present  one                    2.0 s
FAILED   b-role  absent   stand-in (contract)    3.0 s
         task: Break <it>
         broken
         & gone
not run  b-role  present  stand-in (contract)
         the build ended at b-role absent
not run  b-role  present  stand-in (contract)
FAILED   b-role  (build)
         it never began
logs     self-test-b-role: /builds/1/index.html
''')

    def test_the_table(self) -> None:
        self.assertEqual(report.table(CELLS, LABELS), [
            'role    one      stand-in (contract)',
            'a       skipped  -',
            'b-role  3.2      FAILED'])

    def test_a_build_that_failed_as_a_whole_fails_all_its_labels(self) -> None:
        cells = (cell('a', WHOLE, None, FAILED), cell('a', 'absent', ONE, NOT_RUN))
        self.assertEqual(report.by_role(cells, LABELS), [('a', [FAILED, '-'])])

    def test_the_sum(self) -> None:
        self.assertEqual(report.last_line(CELLS, 2, 61.5, 2),
                         '2 passed, 1 failed, 2 skipped: 2 builds in 62 s, up to 2 at a time')


class TestMachines(unittest.TestCase):
    def test_plain_data(self) -> None:
        facts = report.facts(CELLS, 61.55, ['c'])
        self.assertEqual([facts[key] for key in ('passed', 'failed', 'skipped', 'without-such-a-node')],
                         [2, 1, 2, ['c']])
        self.assertEqual(facts['behaviours'][2], {
            'job': 'self-test-b-role', 'role': 'b-role', 'behaviour': 'absent', 'label': 'stand-in', 'kind': 'contract',
            'status': FAILED, 'seconds': 3.0, 'task': 'Break <it>', 'said': ['bro\x07ken', '& gone']})

    def test_junit(self) -> None:
        top = ElementTree.fromstring(report.junit(CELLS, 61.5))
        self.assertEqual({**top.attrib}, {'tests': '5', 'failures': '1', 'skipped': '2', 'time': '61.50'})
        self.assertEqual([(suite.get('name'), suite.get('tests')) for suite in top], [('a', '1'), ('b-role', '4')])
        failure = top[1][2][0]
        self.assertEqual((top[1][2].get('name'), top[1][2].get('classname')),
                         ('absent on stand-in (contract)', 'self-test-b-role.b-role'))
        self.assertEqual((failure.tag, failure.get('message'), failure.text),
                         ('failure', 'Break <it>', 'bro\ufffdken\n& gone'))
        self.assertEqual(top[0][0][0].get('message'), 'skipped: left alone')


class TestPage(unittest.TestCase):
    def page(self, labels: tuple[report.Label, ...]) -> str:
        return report.page(CELLS, labels, date='2026-01-02', machine='2 × Fast', seconds=61.5, builds=2, side_by_side=2)

    def test_it_has_the_table_the_date_and_the_machine(self) -> None:
        text = self.page(LABELS)
        self.assertIn('run on 2026-01-02 in 62 s,\n2 builds, up to 2 at a time, on 2 × Fast.', text)
        self.assertIn('   * - Role\n     - one\n     - stand-in (contract)\n   * - a\n     - skipped\n     - -\n', text)
        self.assertIn('Labels marked *contract*', text)

    def test_it_is_silent_about_contract_labels_where_there_are_none(self) -> None:
        self.assertNotIn('contract', self.page((ONE,)))

    def test_the_machine_in_the_words_of_its_kernel(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (('cpu', 'model name\t: Fast\nflags\t: x\nmodel name\t: Fast\n'),
                               ('memory', 'MemTotal:       25165824 kB\n'), ('release', 'PRETTY_NAME="Some 1"\n'),
                               ('none', '')):
                Path(folder, name).write_text(text)
            names = [Path(folder, name) for name in ('cpu', 'memory', 'release')]
            self.assertEqual(report.machine(*names), '2 × Fast, 24 GiB, Some 1')
            self.assertEqual(report.machine(*[Path(folder, 'none')] * 3), 'a machine')
