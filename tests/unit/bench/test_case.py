"""The cases, and the repositories that are made of them."""

from __future__ import annotations

import json
import subprocess
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from bench import case as cases
from bench import compare, table
from zuul_local import paths
from zuul_local.errors import UserError

BENCH = paths.LIBRARY / 'bench'
PLAYS = [
    {'name': 'Two', 'roles': ['one', {'role': 'two', 'vars': {'of': 1}}],
     'vars': {'bench_states': ['bare', 'image'], 'bench_files': {'tools/list.txt': 'git\n'}}},
    {'name': 'And another', 'roles': ['one']},
]


def listed(repository: Path) -> list[str]:
    """Return what was committed to a repository."""
    command = ['git', '-C', str(repository), 'ls-tree', '-r', '--name-only', 'main']
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


class TestCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        (self.top / 'case-of-two.yaml').write_text(yaml.safe_dump(PLAYS))
        (self.top / 'roles/one/tasks').mkdir(parents=True)
        (self.top / 'roles/one/tasks/main.yaml').write_text('[]\n')
        self.case = cases.load(self.top)['case-of-two']

    def test_it_says_what_it_needs(self) -> None:
        self.assertEqual(('Two', ('one', 'two', 'one'), ('bare', 'image')),
                         (self.case.about, self.case.roles, self.case.states))
        self.assertEqual(['two'], self.case.absent_in(self.top / 'roles'))

    def jobs(self, case: cases.Case) -> list[dict[str, Any]]:
        project = case.project(self.top / case.name, self.top / 'roles')
        playbooks = sorted(f'playbooks/{name}' for name in ('case.yaml', 'prepare.yaml', case.before) if name)
        self.assertEqual(['.zuul.yaml', *playbooks, 'roles/one/tasks/main.yaml'], listed(project))
        return [entry['job'] for entry in json.loads((project / '.zuul.yaml').read_text())]

    def test_its_project_has_roles_playbooks_and_jobs(self) -> None:
        jobs = self.jobs(self.case)
        self.assertEqual([('case-of-two-bare', 'bare'), ('case-of-two-image', 'image')],
                         [(job['name'], job['vars']['bench_state']) for job in jobs])
        self.assertEqual(('base', [], ['playbooks/prepare.yaml', 'playbooks/case.yaml', 'playbooks/case.yaml']),
                         (jobs[0]['parent'], jobs[0]['required-projects'], jobs[0]['run']))

    def test_a_number_of_repositories_makes_a_case(self) -> None:
        few, more = self.numbered(bench_repositories=[1, 3], bench_parent='base-minimal')
        self.assertEqual([('many-1', 'Many: 1 repositories', 1), ('many-3', 'Many: 3 repositories', 3)],
                         [(case.name, case.about, case.repositories) for case in (few, more)])
        job = self.jobs(more)[0]
        self.assertEqual(('base-minimal', ['local/repository-2', 'local/repository-3']),
                         (job['parent'], job['required-projects']))

    def test_repositories_have_the_same_content_and_the_files_of_the_case(self) -> None:
        sources = replace(self.case, repositories=3).sources(self.top)
        self.assertEqual(['repository-1', 'repository-2', 'repository-3'], [path.name for path in sources])
        first, *others = (listed(path) for path in sources)
        self.assertEqual((cases.FILES + 1, [first, first]), (len(first), others))
        self.assertIn('tools/list.txt', first)

    def test_logs_are_written_before_each_run(self) -> None:
        job = self.jobs(self.numbered(bench_logs=[7])[0])[0]
        self.assertEqual(['prepare', 'logs', 'case', 'logs', 'case'], [Path(name).stem for name in job['run']])
        self.assertEqual(7, job['vars']['bench_count'])
        job = self.jobs(self.numbered(bench_logs=[8], bench_before='local-logs.yaml')[0])[0]
        self.assertEqual(['prepare', 'local-logs', 'case', 'local-logs', 'case'],
                         [Path(name).stem for name in job['run']])

    def numbered(self, **settings: Any) -> list[cases.Case]:
        plays = [{'name': 'Many', 'roles': ['one'], 'vars': {'bench_states': ['bare'], **settings}}]
        (self.top / 'many.yaml').write_text(yaml.safe_dump(plays))
        return cases.parse(self.top / 'many.yaml', plays)

    def test_roles_may_be_those_of_a_checkout_or_a_folder(self) -> None:
        for path in (self.top, self.top / 'roles'):
            self.assertEqual(self.top / 'roles', cases.roles_of(path))
        with self.assertRaisesRegex(UserError, 'no roles'):
            cases.roles_of(self.top / 'roles/one')

    def test_what_is_not_given_is_the_librarys_own_and_the_baseline(self) -> None:
        ours, baseline = paths.LIBRARY / 'roles', BENCH / 'baseline/roles'
        for given, expected in (
            ([], (ours, baseline)),
            ([str(self.top)], (self.top / 'roles', baseline)),
            ([str(self.top), str(paths.LIBRARY)], (self.top / 'roles', ours)),
        ):
            self.assertEqual(expected, compare.roles_folders(given), given)
        with self.assertRaisesRegex(UserError, 'there 3 times'):
            compare.roles_folders(['a', 'b', 'c'])


class TestChosen(unittest.TestCase):
    KNOWN = {name: cases.parse(Path(f'{name}.yaml'), [{'name': name, 'roles': [], 'vars': {'bench_states': states}}])[0]
             for name, states in (('one', ['bare']), ('two', ['bare', 'cache']))}

    def test_cases_and_states(self) -> None:
        for expected, names, states in (
            ([('one', 'bare'), ('two', 'bare', 'cache')], [], []),
            ([('two', 'bare', 'cache')], ['two'], []),
            ([('two', 'cache')], [], ['cache']),
            ([('two', 'bare'), ('one', 'bare')], ['two', 'one'], ['bare']),
        ):
            with self.subTest(names=names, states=states):
                found = compare.chosen(self.KNOWN, names, states)
                self.assertEqual(expected, [(case.name, *case.states) for case in found])

    def test_refusals(self) -> None:
        for expected, names, states in (
            ('There is no case three, four.', ['three', 'one', 'four'], []),
            ('--state cache: no state that one starts from.', ['one', 'two'], ['cache']),
            ('--state nothing: no state that one, two starts from.', [], ['nothing']),
        ):
            with self.subTest(names=names, states=states), self.assertRaises(UserError) as refused:
                compare.chosen(self.KNOWN, names, states)
            self.assertEqual(expected, refused.exception.message)


class TestOurs(unittest.TestCase):
    """The cases, the baseline, the preparation and the reference belong together."""

    def test_the_baseline_has_the_roles_of_every_case(self) -> None:
        for case in cases.load(BENCH / 'cases').values():
            self.assertEqual([], case.absent_in(BENCH / 'baseline/roles'), case.name)

    def test_every_state_is_one_that_the_preparation_explains(self) -> None:
        told = (BENCH / 'prepare.yaml').read_text()
        for case in cases.load(BENCH / 'cases').values():
            for state in case.states:
                self.assertRegex(told, rf'(?m)^#   {state} ', case.name)

    def test_the_reference_is_about_cases_and_states_that_are_there(self) -> None:
        known = cases.load(BENCH / 'cases')
        for name, states in table.load_reference(BENCH / 'reference.yaml').items():
            self.assertLessEqual(states.keys(), set(known[name].states), name)
            for runs in states.values():
                self.assertLessEqual(runs.keys(), set(table.RUNS), name)
                for figures in runs.values():
                    self.assertLessEqual(figures.keys(), {'seconds', 'modules', 'at_least', 'modules_at_most', 'cpu',
                                                          'cpu_share'}, name)
