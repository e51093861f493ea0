"""The tenant of the library runs its tests of itself on its own changes; other tenants never see them."""

from __future__ import annotations

from tests.e2e.stack import LIBRARY_PROJECT, NODES, TENANTS
from tests.e2e.support import StackTest

MAIN, OWN = TENANTS
JOB = 'self-test-ensure-output-dirs'
ROLE = 'roles/ensure-output-dirs/README.rst'
# As part of the change: of all tests that it would run, one. Zuul takes it from the change, or there is no such job.
PROJECT = f'- project:\n    check:\n      jobs: [{JOB}]\n'


class TestLibrary(StackTest):

    def test_its_tests_of_itself_belong_to_its_own_tenant(self) -> None:
        jobs = {tenant: {job['name'] for job in self.zuul.get(f'tenant/{tenant}/jobs')} for tenant in TENANTS}
        self.assertIn(JOB, jobs[OWN])
        self.assertNotIn(JOB, jobs[MAIN])
        self.assertEqual(set(), jobs[MAIN] - jobs[OWN])
        self.assertIn('tox-py311', jobs[MAIN])

    def test_configuration_has_no_errors(self) -> None:
        for tenant in TENANTS:
            with self.subTest(tenant):
                self.assertEqual([], self.zuul.get(f'tenant/{tenant}/config-errors'))

    def test_a_change_of_a_role_is_tried_on_every_label(self) -> None:
        clone = self.clone(LIBRARY_PROJECT)
        text = (clone.folder / ROLE).read_text()
        change = clone.propose('Say more of a role', {ROLE: f'{text}\nMore.\n', 'zuul-tests.d/project.yaml': PROJECT})
        self.assertEqual(1, self.wait_for_vote(change, 1, -1))
        build = self.build_behind(self.result(change))
        self.assertEqual(('SUCCESS', JOB), (build['result'], build['job_name']))
        self.assertEqual([], self.builds(change, MAIN))
        labels = {node['label'] for node in build['nodeset_nodes']} if 'nodeset_nodes' in build else set(NODES)
        self.assertEqual(set(NODES), labels)
