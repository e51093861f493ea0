"""What is said of two builds."""

from __future__ import annotations

import dataclasses
import unittest
from typing import Any

from tests.unit.zuul_local.replay.test_bundle import A, B, document
from zuul_local.replay import difference
from zuul_local.replay.bundle import Bundle, parse

FAILED = ('one', 'p.yaml', 'Run tox')


def bundle(**changed: Any) -> Bundle:
    return dataclasses.replace(parse(document(), 'here'), **changed)


class TestToSet(unittest.TestCase):
    def test_cases(self) -> None:
        for original, now, taken, told in (
                ({'a': 1}, {'a': 1}, {}, 0), ({'a': 1}, {'a': 2}, {'a': 1}, 0), ({'a': [1]}, {}, {'a': [1]}, 0),
                ({'a': 'x'}, {'a': '{{ b }}'}, {}, 0), ({}, {'a': 1}, {}, 0),
                ({'a': "{{ lookup('pipe', 'id') }}"}, {}, {}, 1), ({'a': [{'b': '{% x %}'}]}, {'a': 1}, {}, 1),
                ({'a': {'{{ x }}': 1}}, {}, {}, 1), ({'a': '{# x #}'}, {}, {}, 1), ({'a': '{ {'}, {}, {'a': '{ {'}, 0),
                ({'ansible_connection': 'local'}, {}, {}, 1), ({'zuul_site_x': 1}, {}, {}, 1),
                ({'zuul': {}}, {}, {}, 1),
                ({'nodepool': 1}, {}, {}, 1), ({'zuulish': 1}, {}, {'zuulish': 1}, 0)):
            with self.subTest(original=original):
                found, lines = difference.to_set(original, now)
                self.assertEqual((found, len(lines)), (taken, told))


class TestDifferences(unittest.TestCase):
    def test_none(self) -> None:
        self.assertEqual(difference.differences(bundle(hidden=()), bundle()), [])

    def test_each(self) -> None:
        again = bundle(commits={'example.org/a': B}, sources={}, ansible_version='9', nodes={'one': 'debian-trixie'},
                       variables={'colour': 'red' * 50},
                       tools={('one', 'tox'): {'version': '5', 'source': 'index', 'digest': '', 'python': ''}})
        self.assertEqual(difference.differences(bundle(), again), [
            f'commit of example.org/a: {A[:12]}, now {B[:12]}', f'playbooks of example.org/a: {A[:12]}, now none',
            'Ansible: 11, now 9', 'label of node one: debian-bookworm, now debian-trixie',
            'tool tox of one: 4 from cache, wheels dddddddddddd, now 5 from index',
            'variable colour: blue, now ' + ('red' * 50)[:59] + '…',
            'variable token: not in the bundle, because it is secret or too large'])


class TestVerdict(unittest.TestCase):
    def test_cases(self) -> None:
        other = ('one', 'p.yaml', 'Run nox')
        for original, result, again, expected in (
                (bundle(), 'SUCCESS', None, ['It passes here; the original failed.']),
                (bundle(), 'RETRY', None, [
                    'It ended with RETRY and left no bundle to compare: the job ends before, or does not inherit from, '
                    'a base that publishes one.']),
                (bundle(), 'FAILURE', bundle(), ["The same task fails: 'Run tox' on one, and says the same."]),
                (bundle(failures={FAILED: ('a took 0.3s at 0x12ab', 'gone')}), 'FAILURE',
                 bundle(failures={FAILED: ('a took 17.25s at 0xffee', 'new')}),
                 ["The same task fails: 'Run tox' on one, and says something else.", '  - gone', '  + new']),
                (bundle(), 'FAILURE', bundle(failures={other: ()}),
                 ["Another failure: the original failed in 'Run tox' on one; here it is 'Run nox' on one."]),
                (bundle(failures={FAILED: (), other: ()}), 'FAILURE', bundle(failures={FAILED: ()}),
                 ["The same task fails: 'Run tox' on one, and says the same.",
                  "Failed in the original alone: 'Run nox' on one."]),
                (bundle(failures={}), 'TIMED_OUT', bundle(failures={}),
                 ['It ended with TIMED_OUT; the bundle does not tell which task of the original failed.'])):
            with self.subTest(expected=expected):
                self.assertEqual(difference.verdict(original, result, again), expected)


if __name__ == '__main__':
    unittest.main()
