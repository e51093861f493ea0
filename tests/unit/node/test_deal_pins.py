"""Pins of many locks, dealt to files that are downloaded side by side."""

import unittest
from collections import Counter

from tests.unit.node import program
from zuul_local.nodes.image import TOOLCHAIN

deal_pins = program('recipe/deal-pins')

LOCK = '''\
# a remark
one==1.0 ; python_full_version < '3.9' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
one==2.0 ; python_full_version >= '3.9' \\
    --hash=sha256:cc
two==3 \\
    --hash=sha256:dd
    # via one
'''


class Pins(unittest.TestCase):
    def test_all_versions_of_a_name_stay_together(self) -> None:
        pins = deal_pins.pins(LOCK)
        self.assertEqual(['one', 'two'], list(pins))
        self.assertEqual(LOCK.removeprefix('# a remark\n'), ''.join(pins.values()))


class Deal(unittest.TestCase):
    def test_deal(self) -> None:
        for name, locks, files, expected in (
            ('in turn', [{'a': '1', 'b': '1', 'c': '1'}], 2, [{'a': '1', 'c': '1'}, {'b': '1'}]),
            ('the same pin once', [{'a': '1'}, {'a': '1', 'b': '1'}], 2, [{'a': '1'}, {'b': '1'}]),
            ('two versions apart', [{'a': '1', 'b': '1'}, {'a': '2'}], 2, [{'a': '1'}, {'b': '1', 'a': '2'}]),
            ('a file more', [{'a': '1'}, {'a': '2'}], 1, [{'a': '1'}, {'a': '2'}]),
        ):
            with self.subTest(name):
                self.assertEqual(expected, deal_pins.deal(locks, files))

    def test_nothing_of_the_toolchain_is_lost(self) -> None:
        locks = [deal_pins.pins(path.read_text()) for path in sorted(TOOLCHAIN.glob('*.txt'))]
        dealt = Counter(pin for hand in deal_pins.deal(locks, 4) for pin in hand.items())
        self.assertEqual({pin for lock in locks for pin in lock.items()}, set(dealt))
        self.assertEqual({1}, set(dealt.values()))
        text = ''.join(path.read_text() for path in TOOLCHAIN.glob('*.txt'))
        self.assertEqual({line for line in text.splitlines() if '==' in line and not line.startswith('#')},
                         {line for lines in (pin[1] for pin in dealt) for line in lines.splitlines() if '==' in line})
