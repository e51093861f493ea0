from __future__ import annotations

import unittest

from tests.unit.zuul_local.selftest.builds import ONE, STAND_IN, build, cell
from zuul_local.nodes.labels import default_label
from zuul_local.selftest import cell as cells
from zuul_local.selftest.changed import Touched
from zuul_local.testing import selftests
from zuul_local.testing.outcome import FAILED, PASSED, SKIPPED, Case

EVERY = [*(build(f'self-test-{role}', f'{role}/absent') for role in 'abcdefg'),
         build('self-test-b-offline', 'b/offline'),
         build('self-test-few', 'a/absent', public=True), build('self-test-many', 'a/absent', 'b/absent', public=True)]


class TestChosen(unittest.TestCase):
    def roles(self, touched: Touched, day: int) -> list[set[str]]:
        found = selftests.chosen(EVERY, touched, day)
        public = {one.job: one.label for one in found if one.public}
        self.assertEqual(public, dict.fromkeys(('self-test-many', 'self-test-few'), default_label().name))
        self.assertEqual(len({one.job for one in found}), len(found))
        return [set(one.roles) for one in found if not one.public]

    def test_a_third_has_its_turn_each_day_and_all_have_it_in_three(self) -> None:
        days = [set().union(*self.roles(Touched({}), day)) for day in range(700_000, 700_003)]
        self.assertEqual(sorted(len(day) for day in days), [2, 2, 3])
        self.assertEqual(set().union(*days), set('abcdefg'))

    def test_what_was_touched_runs_every_day(self) -> None:
        for day in range(3):
            self.assertIn({'b'}, self.roles(Touched({'b': 'x'}), day))
            self.assertEqual(set().union(*self.roles(Touched({}, everything='x'), day)), set('abcdefg'))

    def test_a_role_comes_with_all_its_jobs(self) -> None:
        jobs = [one.job for one in selftests.chosen(EVERY, Touched({'b': 'x'}), 0)]
        self.assertIn('self-test-b', jobs)
        self.assertIn('self-test-b-offline', jobs)


class TestCases(unittest.TestCase):
    def test_each_behaviour_and_label_is_a_test(self) -> None:
        table = (
            (cell('a', 'absent', ONE, seconds=2.5), Case('self-test-a: a absent on one', PASSED, 2.5)),
            (cell('a', 'absent', STAND_IN, cells.FAILED, 1.0, 'Break it', 'broken'),
             Case('self-test-a: a absent on stand-in (contract)', FAILED, 1.0, 'Break it\nbroken')),
            (cell('a', cells.WHOLE, None, cells.FAILED, 0.0, '', 'no node'),
             Case('self-test-a: a (build)', FAILED, 0.0, 'no node')),
            (cell('a', 'present', ONE, cells.NOT_RUN, 0.0, '', 'the build ended'),
             Case('self-test-a: a present on one', SKIPPED, 0.0, 'the build ended')),
            (cell('a', 'present', ONE, cells.SKIPPED, 0.0, '', 'left alone'),
             Case('self-test-a: a present on one', SKIPPED, 0.0, 'left alone')),
        )
        self.assertEqual(selftests.cases(one for one, _ in table), [case for _, case in table])
