# SPDX-License-Identifier: Apache-2.0
"""What test runners really print when they ran nothing, and when they ran something."""
from __future__ import annotations

import time
import unittest
from typing import Any
from unittest import mock

from tests.unit.roles import plugin

action: Any = plugin('check-tests-ran', 'action', 'check_tests_ran')

NO_UNITTEST = '\n' + '-' * 70 + '\nRan 0 tests in 0.000s\n\nOK\n'
SKIPPED_UNITTEST = 'ss\n' + '-' * 70 + '\nRan 2 tests in 0.000s\n\nOK (skipped=2)\n'
STESTR = ('======\nTotals\n======\nRan: {} tests in 0.0599 sec.\n - Passed: {}\n - Skipped: {}\n - Expected Fail: 0\n'
          ' - Unexpected Success: 0\n - Failed: 0\nSum of execute time for each test: 0.0002 sec.\n')
TOX_4 = 'py35: SKIP ⚠ in 0.4 seconds\n  py35: SKIP (0.40 seconds)\n  py36: SKIP (1.47 seconds)\n'
TOX_3 = ('SKIPPED: InterpreterNotFound: python3.5\n___________________________________ summary ____________________\n'
         'SKIPPED:  py35: InterpreterNotFound: python3.5\nSKIPPED:  py36: InterpreterNotFound: python3.6\n'
         '  congratulations :)\n')
NOX = ('nox > Running session tests-3.5\nnox > Session tests-3.5 skipped: Python interpreter 3.5 not found.\n'
       'nox > Ran 2 sessions in a second:\nnox > * skips: skipped (no reason)\n'
       'nox > * tests-3.5: skipped (Python interpreter 3.5 not found)\n')
NO_NOX = 'No sessions selected. Please select a session with -s <session name>.\n\nSessions defined in noxfile.py:\n'


def judge(*outputs: str) -> str:
    told: str = action.judge([action.summed_up(output) for output in outputs] + [{}])
    return told


class TestJudge(unittest.TestCase):
    def test_nothing_ran(self) -> None:
        for said, expected in (
                (NO_UNITTEST, 'Ran 0 tests in 0.000s'), (SKIPPED_UNITTEST, 'Ran 2 tests in 0.000s, 2 skipped'),
                ('Ran 2 tests in 0.001s\n\nPASSED (skips=2)\n', 'Ran 2 tests in 0.001s, 2 skipped'),
                ('Ran 0 tests in 0.000s\n\nNO TESTS RAN\n', 'Ran 0 tests in 0.000s'),
                (STESTR.format(0, 0, 0), 'Ran: 0 tests in 0.0599 sec'),
                (STESTR.format(2, 0, 2), 'Ran: 2 tests in 0.0599 sec, 2 skipped'),
                ('============================ no tests ran in 0.02s =====\n', 'no tests ran'),
                ('============================ 2 deselected in 0.02s =====\n', '2 deselected'),
                ('\x1b[33m====== \x1b[33m\x1b[1m2 skipped\x1b[0m\x1b[33m in 0.02s\x1b[0m\x1b[33m ===', '2 skipped'),
                ('ss                 [100%]\r\n2 skipped, 1 warning in 0.03s\r\n', '2 skipped, 1 warning'),
                (TOX_4, 'tox skipped py35, py36'), (TOX_3, 'tox skipped py35, py36'),
                (NOX, 'nox skipped skips, tests-3.5'), (NO_NOX, 'nox says: No sessions selected'),
                ('py311: commands[0]> x' + NO_UNITTEST + '  py311: OK (1.2 seconds)\n', 'Ran 0 tests in 0.000s'),
                (NO_UNITTEST + STESTR.format(0, 0, 0), 'Ran 0 tests in 0.000s; Ran: 0 tests in 0.0599 sec')):
            with self.subTest(said=said[-60:]):
                self.assertEqual(judge(said), f'No test was run: {expected}.')

    def test_something_ran_or_nobody_said_that_nothing_did(self) -> None:
        for said in (
                '', 'All checks passed!\n', 'Success: no issues found in 3 source files\n',
                '  pep8: OK (1.2=setup[1.0]+cmd[0.2] seconds)\n  congratulations :)\n',
                TOX_4 + '  lint: OK (1.20=setup[1.0]+cmd[0.2] seconds)\n', TOX_3 + '  lint: commands succeeded\n',
                NOX + 'nox > * lint: success\n', 'nox > Session lint was successful in a second.\n',
                'Ran 1 test in 0.000s\n\nOK\n', 'Ran 3 tests in 0.000s\n\nOK (skipped=2)\n', STESTR.format(3, 1, 2),
                '1 passed, 4 skipped in 0.03s\n', '2 xfailed in 0.03s\n', '2 tests collected in 0.01s\n',
                NO_UNITTEST + 'Ran 5 tests in 0.1s\n\nOK\n', '2 skipped in 0.03s\n====== 1 passed in 0.03s ======\n',
                '    Ran 0 tests in 0.000s\n', 'log: no tests ran in 0.02s', 'Ran 0 tests',
                'a test printed: Ran 0 tests in 0.000s\n'):
            with self.subTest(said=said[-60:]):
                self.assertEqual(judge(said), '')

    def test_nodes(self) -> None:
        for outputs, told in (([NO_UNITTEST, 'Ran 1 test in 0.1s\n\nOK\n'], False), ([NO_UNITTEST, NO_UNITTEST], True),
                              ([NO_UNITTEST, ''], True), ([TOX_4, '  lint: OK (1 seconds)\n'], False), ([], False),
                              ([TOX_4, TOX_4], True), ([TOX_4, ''], True)):
            with self.subTest(outputs=[one[-20:] for one in outputs]):
                self.assertEqual(bool(judge(*outputs)), told)

    def test_what_is_told_is_short_and_plain(self) -> None:
        names = ''.join(f'  py{number}: SKIP (0.1 seconds)\n' for number in range(30))
        self.assertEqual(judge(names), 'No test was run: tox skipped py0, py1, py2, py3, py4, ….')
        self.assertEqual(judge('  <b>\x00: SKIP (0.1 seconds)\n'), '')

    def test_time_stays_linear(self) -> None:
        for piece in ('\x1b[', 'Ran 0 tests in 0.', '1 skipped, ', '=', '  py: ', 'nox > * a',
                      'Ran: 0 tests in 1 sec\n - ', '\n', '=+ 1 passed'):
            with self.subTest(piece=piece):
                start = time.monotonic()
                judge(piece * (4_000_000 // len(piece)))
                self.assertLess(time.monotonic() - start, 10)


class TestPlugin(unittest.TestCase):
    def run_plugin(self, **args: Any) -> Any:
        made = action.ActionModule.__new__(action.ActionModule)
        args = {'output': None, 'nodes': [], **args}
        with mock.patch.object(action.ActionBase, 'run', return_value={}), \
                mock.patch.object(made, 'validate_argument_spec', return_value=(None, args)):
            return made.run()

    def test_result(self) -> None:
        for nothing, told in (('note', True), ('fail', True), ('ignore', False)):
            with self.subTest(nothing):
                node = self.run_plugin(output=NO_UNITTEST, nothing=nothing, variable='x')
                self.assertLess(len(str(node)), 200, 'the log of the build has this, not all that was printed')
                result = self.run_plugin(nodes=[node, {}], nothing=nothing, variable='x')
                self.assertEqual(bool(result['told']), told)
                self.assertEqual(result['ansible_facts']['check_tests_ran_told'], [result['told']] if told else [])

    def test_refusal(self) -> None:
        self.assertEqual(self.run_plugin(output='', nothing='warn', variable='tox_tests_nothing'), {
            'failed': True, 'msg': 'check-tests-ran: cannot continue, 1 problem:\n'
            "  - tox_tests_nothing is 'warn': it is none of ignore, note, fail. Write one of these."})


if __name__ == '__main__':
    unittest.main()
