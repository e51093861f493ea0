from __future__ import annotations

import os
import unittest
from typing import Any

from tests.unit.zuul_local.selftest.builds import ONE, STAND_IN, build
from zuul_local.selftest import watch
from zuul_local.selftest.cell import FAILED, NOT_RUN, OK, SKIPPED, WHOLE, Cell

BUILD = build('job', 'a/absent', 'a/present', 'b/absent')
GOOD = {'passed': True, 'ran': True, 'seconds': 1.5, 'task': '', 'said': [], 'changed': []}
IDLE = {**GOOD, 'ran': False, 'seconds': 0.0}
BAD = {'passed': False, 'ran': True, 'seconds': 2.5, 'task': 'Break it', 'said': ['broken', 'twice'],
       'changed': ['a : Install']}


def event(path: str, nodes: dict[str, Any], phase: str = 'run') -> dict[str, Any]:
    return {'playbook': f'example.org/library/{path}', 'phase': phase, 'nodes': nodes}


class TestCells(unittest.TestCase):
    def test_each_node_has_one(self) -> None:
        nodes = {'node-one': GOOD, 'node-stand-in': BAD}
        self.assertEqual(list(watch.cells_of(BUILD, event('test-playbooks/b/absent.yaml', nodes))), [
            Cell('job', 'b', 'absent', ONE, OK, 1.5),
            Cell('job', 'b', 'absent', STAND_IN, FAILED, 2.5, 'Break it', ('broken', 'twice'))])

    def test_other_playbooks_have_none(self) -> None:
        for other in (event('test-playbooks/b/absent.yaml', {'node-one': GOOD}, 'pre'),
                      event('playbooks/base/post.yaml', {'node-one': GOOD}, 'run')):
            self.assertEqual(list(watch.cells_of(BUILD, other)), [])

    def test_plays_on_the_executor_count_for_every_node(self) -> None:
        table: tuple[tuple[dict[str, Any], list[tuple[str, str]]], ...] = (
            ({'localhost': GOOD}, [(OK, ''), (OK, '')]),
            ({'localhost': BAD}, [(FAILED, 'Break it')] * 2),
            ({'localhost': BAD, 'node-one': GOOD, 'node-stand-in': GOOD}, [(FAILED, 'Break it')] * 2),
            ({'localhost': GOOD, 'node-one': BAD, 'node-stand-in': GOOD}, [(FAILED, 'Break it'), (OK, '')]),
            ({'localhost': IDLE, 'node-one': GOOD}, [(OK, ''), (FAILED, '')]),
        )
        for nodes, expected in table:
            with self.subTest(nodes=nodes):
                found = watch.cells_of(BUILD, event('test-playbooks/b/absent.yaml', nodes))
                self.assertEqual([(cell.status, cell.task) for cell in found], expected)

    def test_a_second_call_changes_nothing(self) -> None:
        nodes = {'node-one': {**GOOD, 'changed': ['a : Install', 'a : Link']}, 'node-stand-in': BAD}
        found = watch.cells_of(BUILD, event('test-playbooks/a/absent.yaml', nodes))
        self.assertEqual([(cell.status, cell.task, cell.said) for cell in found], [
            (FAILED, 'a : Install', (watch.CHANGED,)), (FAILED, 'Break it', ('broken', 'twice'))])

    def test_a_node_that_was_left_alone_is_skipped_by_public_jobs_only(self) -> None:
        for public, status in ((True, SKIPPED), (False, FAILED)):
            one = build('job', 'a/absent', public=public)
            found = list(watch.cells_of(one, event('test-playbooks/a/absent.yaml', {'node-one': IDLE})))
            self.assertEqual([(cell.status, cell.said) for cell in found], [(status, (watch.LEFT_ALONE,))] * 2)


class TestRest(unittest.TestCase):
    def rest(self, seen: list[Cell], code: int, why: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        return [(cell.role, cell.behaviour, cell.label_name, cell.status, cell.said)
                for cell in watch.rest_of(BUILD, seen, code, why)]

    def cells(self, *playbooks: str, last: str = OK) -> list[Cell]:
        return [Cell('job', *os.path.split(one), label, last if one == playbooks[-1] else OK)
                for one in playbooks for label in (ONE, STAND_IN)]

    def test_all_is_there(self) -> None:
        self.assertEqual(self.rest(self.cells('a/absent', 'a/present', 'b/absent'), 0), [])

    def test_what_stands_behind_a_failure_was_not_run(self) -> None:
        said = ('the build ended at a present',)
        self.assertEqual(self.rest(self.cells('a/absent', 'a/present', last=FAILED), 1),
                         [('b', 'absent', 'one', NOT_RUN, said), ('b', 'absent', 'stand-in', NOT_RUN, said)])

    def test_a_build_that_never_began_has_failed(self) -> None:
        found = self.rest([], 2, ('zuul-local: no such label',))
        self.assertEqual(found[0], ('a', WHOLE, '', FAILED, ('zuul-local: no such label',)))
        self.assertEqual({line[3:] for line in found[1:]}, {(NOT_RUN, (f'the build ended at a {WHOLE}',))})
        self.assertEqual(len(found), 7)

    def test_so_has_one_that_failed_after_all_behaviours(self) -> None:
        self.assertEqual(self.rest(self.cells('a/absent', 'a/present', 'b/absent'), 1, ('Zuul: POST_FAILURE',)),
                         [('b', WHOLE, '', FAILED, ('Zuul: POST_FAILURE',))])

    def test_and_one_that_says_success_without_having_run_them(self) -> None:
        self.assertEqual(self.rest(self.cells('a/absent', 'a/present'), 0)[0],
                         ('b', WHOLE, '', FAILED, ('It ended with exit code 0.',)))
