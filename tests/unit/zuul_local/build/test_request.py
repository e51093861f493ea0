from __future__ import annotations

from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local.build.request import Request, choose_nodes, freeze_jobs
from zuul_local.errors import UserError

JOBS = '''
    - job:
        name: thing
        run: run.yaml
        nodeset:
          nodes:
            - {name: one, label: debian-bookworm}
            - {name: two, label: debian-trixie}
            - {name: three, label: debian-trixie-offline}
          groups:
            - {name: all-of-them, nodes: [one, two]}
            - {name: first, nodes: [one]}
'''


class TestOnly(ScratchCase):
    def nodes(self, *only: str) -> tuple[list[str], dict[str, list[str]]]:
        tenant = self.tenant({'.zuul.yaml': JOBS, 'run.yaml': '[]'})
        request = Request(job='thing', project=tenant.project.path, run_id='1', only=only)
        graph = freeze_jobs(tenant, request)
        [frozen] = [graph.frozen(job) for job in graph.jobs]
        wanted = choose_nodes(tenant, frozen, request)
        self.assertEqual(wanted, choose_nodes(tenant, frozen, request))
        self.assertEqual([node.name[0] for node in frozen.job.nodeset.getNodes()], [name for name, _ in wanted])
        return [name for name, _ in wanted], {group.name: group.nodes for group in frozen.job.nodeset.getGroups()}

    def test_all_of_them_without_it(self) -> None:
        self.assertEqual(self.nodes()[0], ['one', 'two', 'three'])

    def test_a_label_and_its_offline_form_stay(self) -> None:
        self.assertEqual(self.nodes('debian-trixie'), (['two', 'three'], {'all-of-them': ['two'], 'first': []}))

    def test_a_job_without_it_is_refused_with_its_labels(self) -> None:
        with self.assertRaises(UserError) as caught:
            self.nodes('debian-bookworm-offline')
        self.assertEqual(caught.exception.message,
                         'job thing has no node with the label debian-bookworm-offline; its labels: debian-bookworm, '
                         'debian-trixie, debian-trixie-offline.')

    def test_a_label_that_is_not_ours_is_refused(self) -> None:
        with self.assertRaisesRegex(UserError, "^--only 'moon' is not a label of ours: debian-bookworm, "):
            self.nodes('moon')
