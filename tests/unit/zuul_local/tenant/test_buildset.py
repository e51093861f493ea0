"""Zuul's own manager over a graph of jobs, without nodes: what runs when, with what, and what does not."""

from __future__ import annotations

from typing import Any

from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local.errors import UserError
from zuul_local.tenant.buildset import BuildSet
from zuul_local.tenant.freeze import freeze, freeze_graph

JOBS = '''
- job: {name: image, run: run.yaml}
- job: {name: lint, run: run.yaml}
- job: {name: other, run: run.yaml}
- job:
    name: unit
    run: run.yaml
    dependencies: [image, {name: lint, soft: true}]
- job: {name: deploy, run: run.yaml, dependencies: [unit], attempts: 5}
- job: {name: lost, run: run.yaml, dependencies: [other]}
- job: {name: round, run: run.yaml, dependencies: [about]}
- job: {name: about, run: run.yaml, dependencies: [round]}
- project:
    check:
      jobs:
        - other
        - deploy
        - unit: {vars: {project: says}}
        - image
        - lint
        - lost: {dependencies: [never]}
'''


class BuildSetCase(ScratchCase):
    def graph(self, job: str = 'deploy', text: str = JOBS, **arguments: Any) -> Any:
        self.folder = self.folder / 'another'
        return freeze_graph(self.tenant({'.zuul.yaml': text}), job, dependencies=True, **arguments)


class TestGraph(BuildSetCase):
    def test_what_runs_and_in_which_order(self) -> None:
        cases = ((JOBS, 'deploy', ['deploy', 'unit', 'image', 'lint']), (JOBS, 'unit', ['unit', 'image', 'lint']),
                 (JOBS, 'image', ['image']),
                 (JOBS.partition('- project')[0], 'unit', ['image', 'lint', 'unit']),
                 (JOBS.replace('        - lint\n', ''), 'unit', ['unit', 'image']))
        for number, (text, job, expected) in enumerate(cases):
            with self.subTest(number):
                self.assertEqual(expected, [one.name for one in self.graph(job, text).jobs])

    def test_the_stanza_varies_jobs_that_are_depended_on(self) -> None:
        graph = self.graph(variables={'mine': 1})
        variables = {job.name: set(graph.frozen(job).job.variables) & {'mine', 'project'} for job in graph.jobs}
        self.assertEqual({'deploy': {'mine'}, 'unit': {'project'}, 'image': set(), 'lint': set()}, variables)

    def test_one_that_the_pipeline_does_not_run(self) -> None:
        cases = ((JOBS.replace('        - image\n', ''), 'unit', 'unit depends on image which was not run'),
                 (JOBS, 'lost', 'lost depends on never'), (JOBS, 'round', 'Dependency cycle'))
        for number, (text, job, expected) in enumerate(cases):
            with self.subTest(number):
                with self.assertRaises(UserError) as caught:
                    self.graph(job, text)
                self.assertIn(expected, caught.exception.message)

    def test_alone(self) -> None:
        tenant = self.tenant({'.zuul.yaml': JOBS})
        graph = freeze_graph(tenant, 'unit')
        self.assertEqual((['unit'], {'image': False, 'lint': True}), ([job.name for job in graph.jobs], graph.left_out))
        self.assertEqual([], freeze(tenant, 'unit').params['zuul']['child_jobs'])

    def test_another_ansible(self) -> None:
        graph = self.graph(ansible_version='9')
        self.assertEqual({'9'}, {graph.frozen(job).job.ansible_version for job in graph.jobs})


class TestBuildSet(BuildSetCase):
    def setUp(self) -> None:
        super().setUp()
        self.builds = BuildSet(self.graph())

    def start(self, name: str) -> tuple[Any, dict[str, Any]]:
        started = self.builds.start_next()
        assert started
        build, frozen = started
        self.assertEqual(name, frozen.job.name)
        return build, frozen.params

    def run_one(self, name: str, result: str = 'SUCCESS', **data: Any) -> dict[str, Any]:
        build, params = self.start(name)
        self.builds.complete(build, result, data)
        return params

    def skipped(self) -> list[tuple[str, str]]:
        return sorted((build.job.name, build.error_detail) for build in self.builds.skipped)

    def test_data_is_handed_over(self) -> None:
        artifacts = [{'name': 'image', 'url': 'http://x/i'}]
        params = self.run_one('image', data={'a': {'b': 1}, 'zuul': {'artifacts': artifacts, 'log_url': 'x'}},
                              secret_data={'token': 'hidden'})
        self.assertEqual((['unit'], {}), (params['zuul']['child_jobs'], params['parent_data']))
        self.run_one('lint', data={'a': {'c': 2}})
        for name in ('unit', 'deploy'):
            params = self.run_one(name, data={'a': {'b': 3}})      # image comes later in the stanza
            self.assertEqual({'a': {'b': 1, 'c': 2}}, params['parent_data'])
            self.assertEqual({'token': 'hidden'}, params['secret_parent_data'])
            [artifact] = params['zuul']['artifacts']
            self.assertEqual(('image', 'http://x/i', 'image'), (artifact['name'], artifact['url'], artifact['job']))
            self.assertNotIn('hidden', str({**params, 'secret_parent_data': ''}))
        self.assertIsNone(self.builds.start_next())

    def test_failure_skips_what_depends_on_it(self) -> None:
        for result in ('FAILURE', 'TIMED_OUT', 'NODE_FAILURE', 'RETRY_LIMIT', 'RETRY'):
            with self.subTest(result):
                self.builds = BuildSet(self.graph())
                self.run_one('image', result)
                why = 'Skipped due to failed job image'
                self.assertEqual([('deploy', why), ('unit', why)], self.skipped())
                self.run_one('lint')
                self.assertIsNone(self.builds.start_next())

    def test_child_jobs(self) -> None:
        self.run_one('image', data={'zuul': {'child_jobs': []}})
        self.assertEqual(['deploy', 'unit'], [name for name, _ in self.skipped()])
        self.assertIn('child_jobs return value in job image', self.skipped()[0][1])

    def test_a_soft_dependency_that_is_skipped(self) -> None:
        text = JOBS.replace('- job: {name: lint,', '- job: {name: lint, dependencies: [image],')
        self.builds = BuildSet(self.graph(text=text))
        self.run_one('image', data={'zuul': {'child_jobs': ['unit']}})
        self.assertEqual(['lint'], [name for name, _ in self.skipped()])
        self.run_one('unit')
        self.run_one('deploy')

    def test_pause(self) -> None:
        image, _ = self.start('image')
        self.builds.pause(image, {'data': {'port': 80}})
        self.run_one('lint')
        self.assertEqual({'port': 80}, self.run_one('unit')['parent_data'])
        self.assertEqual([], self.builds.resumed)
        self.run_one('deploy')
        self.assertEqual([image], self.builds.resumed)
        self.builds.complete(image, 'SUCCESS', {})
        self.assertIsNone(self.builds.start_next())

    def test_pause_of_one_that_nothing_waits_for(self) -> None:
        self.builds = BuildSet(self.graph('image'))
        image, _ = self.start('image')
        self.builds.pause(image, {})
        self.assertEqual([image], self.builds.resumed)

    def test_attempts(self) -> None:
        self.builds = BuildSet(self.graph(), attempts=2)
        image, params = self.start('image')
        self.assertEqual((1, 2), (params['zuul']['attempts'], params['zuul']['max_attempts']))
        self.assertTrue(self.builds.may_retry(image))
        self.builds.complete(image, 'RETRY', {'data': {'a': 1}}, retry=True)
        again, params = self.start('image')
        self.assertEqual((2, 2), (params['zuul']['attempts'], params['zuul']['max_attempts']))
        self.assertFalse(self.builds.may_retry(again))
        self.builds.complete(again, 'SUCCESS', {})
        self.run_one('lint')
        self.assertEqual({}, self.run_one('unit')['parent_data'])

    def test_paused_one_that_has_to_run_again_takes_those_after_it_along(self) -> None:
        self.builds = BuildSet(self.graph(), attempts=2)
        image, _ = self.start('image')
        self.builds.pause(image, {})
        self.run_one('lint')
        self.run_one('unit')
        self.builds.complete(image, 'RETRY', {}, retry=True)
        for name in ('image', 'unit', 'deploy'):
            self.run_one(name)

    def test_attempts_of_the_job_count_for_nothing_but_itself(self) -> None:
        for name in ('image', 'lint', 'unit'):
            self.run_one(name)
        deploy, params = self.start('deploy')
        self.assertEqual((1, 5), (params['zuul']['attempts'], params['zuul']['max_attempts']))
        self.assertFalse(self.builds.may_retry(deploy))
