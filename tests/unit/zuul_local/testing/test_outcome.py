from __future__ import annotations

import unittest

from zuul_local.testing.outcome import FAILED, PASSED, SKIPPED, Case, Part, judged, last_line, line_of

GOOD = Case('good', PASSED)


class TestJudged(unittest.TestCase):
    def test_what_must_not_pass_silently(self) -> None:
        table: tuple[tuple[list[Case], float, dict[str, float], list[str]], ...] = (
            # cases, seconds, budget, the failures' messages
            ([GOOD], 1, {'unit': 1}, []),
            ([GOOD], 1, {}, []),
            ([GOOD], 1.26, {'unit': 1}, ['unit took 1.3 s, its budget in tests/budget.yaml is 1 s.']),
            ([], 0, {'unit': 1}, ['unit ran no test at all.']),
            ([GOOD, Case('s', SKIPPED, detail='no root here')], 0, {}, []),
            ([GOOD, Case('s', SKIPPED, detail=' ')], 0, {}, ['It was skipped without a reason.']),
        )
        for cases, seconds, budget, failures in table:
            with self.subTest(failures=failures):
                part = judged('unit', cases, seconds, budget)
                self.assertEqual([case.detail for case in part.cases if case.status == FAILED], failures)

    def test_the_figures_are_kept(self) -> None:
        part = judged('unit', [GOOD], 2.5, {'unit': 9})
        self.assertEqual(part, Part('unit', (GOOD,), 2.5, 9))
        self.assertEqual(part.as_dict()['cases'][0]['name'], 'good')


class TestText(unittest.TestCase):
    def test_the_last_line_sums_up_all_parts(self) -> None:
        parts = [Part('a', (GOOD, Case('s', SKIPPED)), 1), Part('b', (GOOD, Case('f', FAILED)), 1)]
        self.assertEqual(last_line(parts), '2 passed, 1 failed, 1 skipped')
        self.assertEqual(last_line([]), '0 passed, 0 failed, 0 skipped')

    def test_a_failure_shows_what_it_said(self) -> None:
        self.assertEqual(line_of(Case('x', FAILED, 1.24, 'one\ntwo')), '  failed     1.2 s  x\n    one\n    two')
        self.assertEqual(line_of(GOOD), '  passed     0.0 s  good')
