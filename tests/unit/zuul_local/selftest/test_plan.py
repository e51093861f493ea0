from __future__ import annotations

import dataclasses
import unittest

from tests.unit.zuul_local.scratch import ScratchCase
from tests.unit.zuul_local.selftest.builds import ONE, build
from zuul_local.errors import UserError
from zuul_local.nodes.labels import load_labels
from zuul_local.selftest import plan

BOOKWORM, TRIXIE = 'debian-bookworm', 'debian-trixie'
LABELS = load_labels()
EVERY = (
    build('self-test-a', 'a/absent', 'a/present', labels=(LABELS[BOOKWORM], LABELS[TRIXIE])),
    build('self-test-a-offline', 'a/offline', labels=(LABELS[f'{BOOKWORM}-offline'],)),
    build('self-test-b', 'b/absent', labels=(LABELS[TRIXIE],)),
    build('self-test-all', 'a/absent', 'b/absent', labels=(LABELS[BOOKWORM],), public=True),
)


class TestJobs(ScratchCase):
    def test_jobs_whose_playbooks_are_behaviours(self) -> None:
        tenant = self.tenant({'.zuul.yaml': f'''
            - job: {{name: frame, abstract: true, run: test-playbooks/thing/absent.yaml}}
            - job: {{name: other, run: playbooks/run.yaml}}
            - job: {{name: mixed, run: [playbooks/run.yaml, test-playbooks/thing/absent.yaml]}}
            - job:
                name: tries-thing
                run: [test-playbooks/thing/absent.yaml, test-playbooks/more/bad-input.yaml]
                nodeset: {{nodes: [{{name: one, label: {BOOKWORM}}}, {{name: two, label: {TRIXIE}-offline}}]}}
            '''})
        found = plan.all_builds(tenant)
        self.assertEqual([one.job for one in found], ['tries-thing'])
        self.assertEqual(found[0].roles, ('thing', 'more'))
        self.assertEqual(found[0].behaviours[1],
                         plan.Behaviour('more', 'bad-input', 'test-playbooks/more/bad-input.yaml'))
        self.assertEqual([(name, label.name) for name, label in found[0].nodes],
                         [('one', BOOKWORM), ('two', f'{TRIXIE}-offline')])
        self.assertTrue(found[0].public)
        self.assertEqual(found[0].timeout, 1800)

    def test_a_label_that_is_not_ours_is_refused(self) -> None:
        tenant = self.tenant({'.zuul.yaml': '''
            - job:
                name: tries-thing
                run: test-playbooks/thing/absent.yaml
                nodeset: {nodes: [{name: one, label: moon}]}
            '''})
        with self.assertRaisesRegex(UserError, "^job tries-thing asks for label 'moon', which is not one of ours: "):
            plan.all_builds(tenant)


class TestChoice(unittest.TestCase):
    def test_by_role_or_job(self) -> None:
        table: tuple[tuple[list[str], list[str]], ...] = (
            (['a'], ['self-test-a', 'self-test-a-offline']),
            (['b', 'self-test-a'], ['self-test-a', 'self-test-b']),
            (['self-test-all'], ['self-test-all']),
        )
        for names, expected in table:
            with self.subTest(names=names):
                self.assertEqual([one.job for one in plan.named(EVERY, names)], expected)

    def test_an_unknown_name_is_refused_with_the_nearest(self) -> None:
        with self.assertRaises(UserError) as caught:
            plan.named(EVERY, ['b', 'self-test-c'])
        self.assertEqual(caught.exception.message,
                         "no self-test is for 'self-test-c': neither a role nor one of its jobs.")
        self.assertIn('self-test-a', caught.exception.hint)

    def test_by_label(self) -> None:
        builds, without = plan.on_labels(EVERY[:3], [BOOKWORM])
        self.assertEqual([(one.job, [label.name for _, label in one.nodes]) for one in builds],
                         [('self-test-a', [BOOKWORM]), ('self-test-a-offline', [f'{BOOKWORM}-offline'])])
        self.assertEqual(without, ['b'])
        self.assertEqual(plan.arguments(builds[0]), ['self-test-a', '--only', BOOKWORM])

    def test_only_the_offline_form(self) -> None:
        builds, without = plan.on_labels(EVERY[:2], [f'{BOOKWORM}-offline'])
        self.assertEqual(([one.job for one in builds], without), (['self-test-a-offline'], []))

    def test_an_unknown_label_is_refused(self) -> None:
        with self.assertRaisesRegex(UserError, "^--label 'moon' is not a label of ours: debian"):
            plan.on_labels(EVERY, [BOOKWORM, 'moon'])

    def test_another_label_for_all_nodes(self) -> None:
        moved = EVERY[0].on_label(ONE)
        self.assertEqual({label for _, label in moved.nodes}, {ONE})
        self.assertEqual(plan.arguments(moved), ['self-test-a', '--label', 'one'])

    def test_the_longest_first(self) -> None:
        every = [*EVERY, dataclasses.replace(EVERY[2], job='slow', timeout=9)]
        self.assertEqual([one.job for one in plan.longest_first(every)],
                         ['slow', 'self-test-a', 'self-test-all', 'self-test-a-offline', 'self-test-b'])

    def test_the_labels_in_their_own_order(self) -> None:
        self.assertEqual([label.name for label in plan.labels_of(reversed(EVERY))],
                         [BOOKWORM, f'{BOOKWORM}-offline', TRIXIE])
