"""What projects have written for zuul-jobs loads with this library in its place, and every job of theirs freezes."""

from __future__ import annotations

import re
import unittest
from collections.abc import Iterator
from typing import Any

import yaml

from tests.unit.consumers import support
from zuul_local import paths
from zuul_local.errors import UserError
from zuul_local.tenant.freeze import Frozen, freeze, freeze_graph
from zuul_local.tenant.load import LIBRARY_NAME

# What a project stanza says beside the pipelines.
KEYS = {'name', 'description', 'default-branch', 'merge-mode', 'queue', 'templates', 'vars'}

# What a job of the corpus must say somewhere.
FORMS = (
    'abstract', 'allowed-projects', 'ansible-version', 'attempts', 'branches', 'cleanup-run', 'dependencies',
    'extra-vars', 'files', 'final', 'group-vars', 'host-vars', 'intermediate', 'irrelevant-files', 'nodeset',
    'override-checkout', 'parent', 'post-review', 'post-run', 'post-timeout', 'pre-run', 'protected', 'provides',
    'required-projects', 'requires', 'roles', 'run', 'secrets', 'semaphores', 'tags', 'timeout', 'vars', 'voting')


def defined(name: str) -> list[str]:
    """Return the jobs that project *name* defines and that can run."""
    return sorted({body['name'] for kind, body in support.configuration(name)
                   if kind == 'job' and not body.get('abstract')})


def attached(name: str) -> Iterator[str]:
    """Yield each job that project *name* runs itself."""
    for kind, body in support.configuration(name):
        if kind == 'project' and not body.get('name', '').startswith('^'):
            for pipeline in body.keys() - KEYS:
                for job in body[pipeline]['jobs']:
                    yield job if isinstance(job, str) else next(iter(job))


def frozen(name: str, job: str, **arguments: Any) -> tuple[str, Frozen]:
    """Freeze *job* for a change to project *name*; return the branch on which it runs, too."""
    for branch in support.BRANCHES:
        try:
            graph = freeze_graph(support.at(name, branch), job, **arguments)
        except UserError as error:
            if 'does not apply to branch' not in str(error) or branch == support.BRANCHES[-1]:
                raise
        else:
            return branch, graph.frozen(next(one for one in graph.jobs if one.name == job))
    raise AssertionError('no branch')


def playbooks(job: Any) -> list[tuple[str, str]]:
    """Return (project, path) of every playbook of a frozen job."""
    return [(one['connection'] + '/' + one['project'], one['path'])
            for part in (job.pre_run, job.run, job.post_run, job.cleanup_run) for one in part]


class TestLoading(unittest.TestCase):

    def test_there_are_thirty_projects_or_more(self) -> None:
        self.assertGreaterEqual(len(support.names()), 30)

    def test_zuul_finds_nothing_wrong(self) -> None:
        problems = support.tenant().problems
        self.assertEqual([], [str(problem) for problem in problems if problem.severity == 'error'])
        # what projects are advised to write in another way, and still works
        self.assertEqual([], [str(problem) for problem in problems
                              if 'cleanup-run' not in problem.message and 'RE2' not in problem.message])

    def test_every_form_of_configuration_is_there(self) -> None:
        seen: set[str] = set()
        for name in support.names():
            for kind, body in support.configuration(name):
                seen |= {f'{kind} {key}' for key in body}
        self.assertLessEqual({f'job {key}' for key in FORMS} | {
            'nodeset groups', 'pragma implied-branches', 'project queue', 'project templates', 'project vars',
            'project-template check', 'queue per-branch', 'secret data', 'semaphore max'}, seen)


class TestFreezing(unittest.TestCase):

    def test_every_job_that_a_project_defines(self) -> None:
        count = 0
        for name in support.names():
            for job in defined(name):
                with self.subTest(project=name, job=job):
                    frozen(name, job)
                    count += 1
        self.assertGreater(count, 50)

    def test_every_job_that_a_project_runs_with_what_it_depends_on(self) -> None:
        count = 0
        for name in support.names():
            for job in sorted(set(attached(name))):
                with self.subTest(project=name, job=job):
                    frozen(name, job, dependencies=True)
                    count += 1
        self.assertGreater(count, 90)

    def test_every_job_of_zuul_jobs_can_be_inherited_from(self) -> None:
        layout = support.tenant().layout
        for job in support.table()['jobs']:
            with self.subTest(job=job):
                self.assertIn(job, layout.jobs)
                self.assertFalse(layout.jobs[job][0].final)
                self.assertFalse(layout.jobs[job][0].protected)
                if not layout.jobs[job][0].abstract:
                    freeze(support.at('smallest', 'master'), job)

    def test_every_playbook_of_the_library_is_there(self) -> None:
        seen = set()
        for name in support.names():
            for job in {*defined(name), *attached(name)} - {'noop'} - support.later('jobs'):
                seen |= {path for project, path in playbooks(frozen(name, job)[1].job) if project == LIBRARY_NAME}
        self.assertEqual([], sorted(path for path in seen if not (paths.LIBRARY / path).is_file()))
        self.assertIn('playbooks/tox/run.yaml', seen)


class TestTemplates(unittest.TestCase):

    def test_every_job_of_every_template(self) -> None:
        stanzas = [stanza for file in sorted((paths.LIBRARY / 'zuul.d').glob('*.yaml'))
                   for stanza in yaml.safe_load(file.read_text())]
        templates = [stanza['project-template'] for stanza in stanzas if 'project-template' in stanza]
        self.assertGreater(len(templates), 5)
        for template in templates:
            for pipeline in template.keys() - KEYS:
                for job in template[pipeline]['jobs']:
                    job = job if isinstance(job, str) else next(iter(job))
                    with self.subTest(template=template['name'], job=job):
                        freeze(support.at('smallest', 'master'), job)

    def test_what_a_project_says_counts_more(self) -> None:
        for job, voting in (('tox-py311', True), ('tox-py314', False)):
            with self.subTest(job=job):
                build = frozen('templated', job)[1]
                self.assertEqual(('check', voting), (build.pipeline, build.job.voting))

    def test_a_project_with_templates_alone(self) -> None:
        self.assertEqual('check', frozen('templated-nox', 'nox-py312')[1].pipeline)


class TestMeaning(unittest.TestCase):
    """What a job comes to, where a project counts on it."""

    def test_what_a_project_says_wins(self) -> None:
        for name, job, variable, value in (
            ('smallest', 'tox-py311', 'tox_envlist', 'py311'),
            ('client-library', 'cloud-tox-py312', 'tox_extra_args',
             '-vv --skip-missing-interpreters=false -- --concurrency=2'),
            ('smallest', 'tox-py311', 'python_version', '3.11'),
            ('protocol-in-python', 'tox-py312', 'tox_envlist', 'ALL'),
            ('openstack-shaped-jobs', 'cloud-tox-py312', 'python_version', 3.12),
            ('openstack-shaped-jobs', 'cloud-tox-fips', 'enable_fips', True),
            ('openstack-shaped-jobs', 'cloud-tox-fips', 'tox_envlist', 'py310'),
            ('web-framework', 'tox-py311', 'ensure_tox_version', '>=4.20'),
            ('deployment-tool', 'deployment-tool-two-nodes-upgrade', 'deployment',
             {'services': ['web', 'queue'], 'replicas': 3, 'from': '2.0'}),
            ('many-at-once', 'many-at-once-plugins', 'tox_envlist', 311),
            ('many-at-once', 'many-at-once-core', 'tox_inline_comments', False),
        ):
            with self.subTest(project=name, job=job, variable=variable):
                self.assertEqual(value, frozen(name, job)[1].job.variables[variable])

    def test_dictionaries_are_merged_into_those_of_the_library(self) -> None:
        environment = frozen('web-framework', 'web-framework-integration')[1].job.variables['tox_environment']
        self.assertEqual((True, 1), (environment['CI'], environment['NOSE_WITH_XUNIT']))

    def test_where_a_job_runs(self) -> None:
        for name, job, branch, label in (
            ('smallest', 'tox-py311', 'master', 'debian-bookworm'),
            ('library-of-parsers', 'tox-py313', 'master', 'debian-trixie'),
            ('two-branches', 'two-branches-functional', 'master', 'debian-bookworm'),
            ('two-branches', 'two-branches-old', 'stable/2.0', 'debian-bullseye'),
            ('scientific', 'scientific-arm', 'master', 'ubuntu-noble-arm64'),
        ):
            with self.subTest(project=name, job=job):
                found, build = frozen(name, job)
                self.assertEqual((branch, [label]), (found, [node.label for node in build.job.nodeset.getNodes()]))

    def test_fips_comes_before_the_rest(self) -> None:
        library = [path for project, path in playbooks(frozen('openstack-shaped-jobs', 'cloud-tox-py310')[1].job)
                   if project == LIBRARY_NAME]
        self.assertEqual(['playbooks/enable-fips/pre.yaml', 'playbooks/unittests/pre.yaml', 'playbooks/tox/pre.yaml',
                          'playbooks/tox/run.yaml', 'playbooks/tox/post.yaml', 'playbooks/unittests/post.yaml'],
                         library)

    def test_a_secret_reaches_the_playbook_of_the_library(self) -> None:
        job = frozen('mirrored-somewhere', 'mirrored-somewhere-upload')[1].job
        library = [one for one in job.run if one['project'] == 'zuul/zuul-jobs']
        self.assertEqual([['git_mirror_credentials']], [list(one['secrets']) for one in library])


class TestNames(unittest.TestCase):
    """The table of names says what is there: the list of what later waves bring is what is not, no more and no less."""

    def test_jobs(self) -> None:
        ours = {name for name, variants in support.tenant().layout.jobs.items()
                if variants[0].source_context and variants[0].source_context.project_canonical_name == LIBRARY_NAME}
        self._same('jobs', ours, 80)

    def test_roles(self) -> None:
        self._same('roles', {folder.name for folder in (paths.LIBRARY / 'roles').iterdir() if folder.is_dir()}, 201)

    def test_variables_of_playbooks(self) -> None:
        said = support.table()['playbook variables']
        self.assertEqual(6, len(said))
        for variable, state in said.items():
            with self.subTest(variable=variable):
                if state != 'not yet':
                    playbook = paths.LIBRARY / next(iter(state.values()))
                    self.assertRegex(playbook.read_text(), rf'\b{variable}\b')

    def test_a_role_that_differs_says_how_in_its_readme(self) -> None:
        for name, said in support.table()['roles'].items():
            with self.subTest(role=name):
                if said != 'not yet':
                    self.assertIn(said, ('same', 'better', 'different'))
                    readme = (paths.LIBRARY / 'roles' / name / 'README.rst').read_text()
                    differs = re.search(r'\n\*\*Differences to zuul-jobs\*\*(?!: none)', readme)
                    self.assertEqual(said != 'same', bool(differs))

    def _same(self, kind: str, ours: set[str], number: int) -> None:
        said = support.table()[kind]
        self.assertEqual(number, len(said), f'the {kind} of zuul-jobs, of which none may be left out')
        waiting = support.later(kind)
        self.assertEqual([], sorted(said.keys() - waiting - ours), f'{kind} that are said to be there')
        self.assertEqual([], sorted(waiting & ours), f'{kind} that are said to be missing: say how they compare')
