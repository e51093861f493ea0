"""What is claimed of samples, and what is not."""

from __future__ import annotations

import unittest

from bench import table
from bench.sample import Run, Sample


def runs(*seconds: float, modules: int = 1, processor: float = 1.0) -> tuple[Run, ...]:
    return tuple(Run(one, modules, processor) for one in seconds)


class TestRatio(unittest.TestCase):
    def test_it_is_claimed_only_when_it_is_steady(self) -> None:
        for expected, a, b in (
            ('4.0x', (1.0, 1.05, 0.95), (4.0, 4.2, 4.1, 3.9)),
            ('(4.0x)', (1.0,), (4.0,)),
            ('(4.0x)', (1.0, 1.0), (4.0,)),
            ('2.0 to 5.0x', (1.0, 1.5, 2.0), (4.0, 5.0)),
            ('1.5 to 4.0x', (1.0, 1.0), (1.5, 4.0)),
            ('-', (), (4.0,)),
            ('-', (1.0,), ()),
        ):
            with self.subTest(a=a, b=b):
                self.assertEqual(expected, table.ratio(a, b))

    def test_middle_shows_the_spread_of_more_than_one(self) -> None:
        self.assertEqual('2.00 (1.00 to 9.00)', table.middle([9.0, 1.0, 2.0]))
        self.assertEqual('2.50', table.middle([2.5]))


class TestAgainst(unittest.TestCase):
    def test_verdicts(self) -> None:
        for expected, taken, figures in (
            ('', runs(1), {}),
            ('', (), {'seconds': 8, 'at_least': 4}),
            ('8 s, 5 modules: 4.0x', runs(2), {'seconds': 8, 'modules': 5}),
            ('8 s: 4.0x, target 4x met', runs(2, 2, 1), {'seconds': 8, 'at_least': 4}),
            ('8 s: 4.0x, target 4x undecided', runs(2, 1, 2.1), {'seconds': 8, 'at_least': 4}),
            ('8 s: 2.0x, target 4x missed', runs(4, 3, 5), {'seconds': 8, 'at_least': 4}),
            ('8 s: 8.0x, at most 1 module missed', runs(1, modules=2), {'seconds': 8, 'modules_at_most': 1}),
            ('8 s: 8.0x, cpu 3 s: at most 1.50 s met', runs(1), {'seconds': 8, 'cpu': 3, 'cpu_share': 0.5}),
        ):
            with self.subTest(expected=expected):
                self.assertEqual(expected, table.against(taken, figures))


class TestTable(unittest.TestCase):
    def test_a_row_for_each_run(self) -> None:
        samples = [Sample(Run(1.0, 2, 0.5), Run(0.5, 1, 0.25)), Sample(Run(1.1, 2, 0.7), Run(0.5, 1, 0.25))]
        others = [Sample(Run(4.2, 3, 1.0), Run(1.5, 3, 1.0)), Sample(Run(4.2, 4, 1.0), Run(1.5, 3, 1.0))]
        found = table.rows('case', 'bare', samples, others)
        shown = table.lines(found, {'case': {'bare': {'first': {'seconds': 2.1, 'at_least': 3}}}})
        self.assertEqual(
            ['bare', 'first', '2', '1.05 (1.00 to 1.10)', '2', '0.60', '4.20 (4.20 to 4.20)', '3 to 4', '1.00', '4.0x',
             '2.1 s: 2.0x, target 3x missed'], [word.strip() for word in shown[1].split('  ') if word.strip()])
        self.assertEqual('3.0x', shown[2].split()[-1])
        self.assertEqual({'case': 'case', 'state': 'bare', 'run': 'second'},
                         {key: found[1].as_dict()[key] for key in ('case', 'state', 'run')})

    def test_a_side_that_could_not_be_timed_has_dashes(self) -> None:
        rows = table.rows('case', 'bare', [Sample(Run(1.0, 2, 0.5), Run(0.5, 1, 0.25))], [])
        self.assertEqual(['bare', 'first', '1,', '0', '1.00', '2', '0.50', '-', '-', '-', '-'],
                         table.lines(rows, {})[1].split())
        self.assertEqual([], table.lines(table.rows('case', 'bare', [], []), {}))
