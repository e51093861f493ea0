from __future__ import annotations

import unittest

from tests.unit.zuul_local.lint.library import library
from zuul_local import lint, paths
from zuul_local.lint import library as checks
from zuul_local.lint.library import docs, jobs, roles, selftests
from zuul_local.tenant.load import load_tenant

README = 'roles/do-thing/README.rst'
SPEC = 'roles/do-thing/meta/argument_specs.yaml'
DEFAULTS = 'roles/do-thing/defaults/main.yaml'
JOBS = 'zuul.d/jobs.yaml'
TESTS = 'test-playbooks/do-thing/absent.yaml'

FAULTS = (
    # what is spoilt, and all that is then said
    (roles, {README: None}, [f'{README}: missing']),
    (roles, {SPEC: None}, [f'{SPEC}: missing']),
    (roles, {'roles/do-thing/tasks/main.yaml': None}, ['roles/do-thing/tasks/main.yaml: missing']),
    (roles, {'roles/do-thing/meta/main.yaml': None}, ['roles/do-thing/meta/main.yaml: missing']),
    (roles, {'roles/do-thing/meta/main.yaml': ('versions: [bookworm]', 'versions: []')},
     ['roles/do-thing/meta/main.yaml: galaxy_info.platforms must list the tested platforms, with name and versions']),
    (roles, {'roles/do-thing/meta/main.yaml': 'galaxy_info: {}'},
     ['roles/do-thing/meta/main.yaml: galaxy_info.platforms must list the tested platforms, with name and versions']),
    (roles, {SPEC: 'a: b: c'}, [f'{SPEC}:1: no YAML: mapping values are not allowed here']),
    (roles, {README: ('Differences to', 'Unlike')}, [f'{README}: nothing about "Differences"']),
    (roles, {README: ('Differences to', 'What **Differences** to')}, [f'{README}: nothing about "Differences"']),
    (roles, {README: ('.. code-block:: yaml', '.. code-block:: text')},
     [f'{README}: no example, as ".. code-block:: yaml"']),
    (roles, {README: (':default: 3', ':default: 4')},
     [f'{README}:19: do_thing_often has default 4, defaults/main.yaml has 3']),
    (roles, {README: (":default: ''", ':default:')},
     [f"{README}:34: do_thing_suffix has default , defaults/main.yaml has ''"]),
    (roles, {README: ('   :default: 3\n', '')},
     [f'{README}:19: do_thing_often has no default, defaults/main.yaml has 3']),
    (roles, {README: (':default: {{ zuul.project.name }}', ':default: x')},
     [f"{README}:13: do_thing_name has default x, defaults/main.yaml has '{{{{ zuul.project.name }}}}'"]),
    (roles, {README: ('do_thing_token\n   :type: str', 'do_thing_token\n   :type: str\n   :default: x')},
     [f'{README}:37: do_thing_token has default x, defaults/main.yaml has none']),
    (roles, {README: (':type: int', ':type: str')},
     [f'{README}:19: do_thing_often has type str, meta/argument_specs.yaml has int']),
    (roles, {README: ('do_thing_often', 'do_thing_offen')},
     [f'{README}: do_thing_often is missing, meta/argument_specs.yaml has it',
      f'{README}:19: do_thing_offen is no variable in meta/argument_specs.yaml']),
    (roles, {README: ('do_thing_token', 'do_thing_suffix')},
     [f'{README}: do_thing_token is missing, meta/argument_specs.yaml has it',
      f'{README}:34: do_thing_suffix is told more than once',
      f'{README}:37: do_thing_suffix is told more than once',
      f"{README}:37: do_thing_suffix has no default, defaults/main.yaml has ''"]),
    (roles, {SPEC: ('default: 3', "default: '3'")},
     [f"{SPEC}: do_thing_often has default '3', defaults/main.yaml has 3"]),
    (roles, {SPEC: ('default: 3, ', '')}, [f'{SPEC}: do_thing_often has no default, defaults/main.yaml has 3']),
    (roles, {SPEC: ('type: int, ', '')},
     [f'{SPEC}: do_thing_often has no type',
      f'{README}:19: do_thing_often has type int, meta/argument_specs.yaml has str']),
    (roles, {SPEC: (', description: How often.', '')}, [f'{SPEC}: do_thing_often has no description']),
    (roles, {SPEC: ('required: true', 'default: x')},
     [f"{SPEC}: do_thing_token has default 'x', which Ansible never applies: write it to defaults/main.yaml too"]),
    (roles, {SPEC: ('default: 3', 'default: 3, required: true')},
     [f'{SPEC}: do_thing_often is required although defaults/main.yaml has it']),
    (roles, {DEFAULTS: ('do_thing_often: 3\n', 'do_thing_often: 3\ndo_thing_else: 1\n')},
     [f'{SPEC}: do_thing_else is missing, defaults/main.yaml has it']),
    (jobs, {JOBS: ('do_thing_often', 'do_thing_offen')},
     [f'{JOBS}: job thing: variable do_thing_offen is read by no role and no playbook']),
    (jobs, {JOBS: ('vars: {', 'group-vars: {all: {group_thing: 1}}\n    host-vars: {one: {host_thing: 1}}\n'
                   '    vars: {')},
     [f'{JOBS}: job thing: variable group_thing is read by no role and no playbook',
      f'{JOBS}: job thing: variable host_thing is read by no role and no playbook']),
    (jobs, {'playbooks/thing/run.yaml': ('thing_wanted | default(true)', "my.thing and things == 'thing_wanted'")},
     [f'{JOBS}: job thing: variable thing_wanted is read by no role and no playbook']),
    (jobs, {JOBS: '- job: ['}, [f"{JOBS}:1: no YAML: expected the node content, but found '<stream end>'"]),
    (jobs, {JOBS: ('{name: things}', '{name: things, check: {jobs: [other, thing: {vars: {do_thing_offen: 1}}]}}')},
     [f'{JOBS}: job thing: variable do_thing_offen is read by no role and no playbook']),
    (jobs, {'config-project/zuul.d/jobs.yaml': '- job: {name: base, vars: {site_thing: 1}}'},
     ['config-project/zuul.d/jobs.yaml: job base: variable site_thing is read by no role and no playbook']),
    (selftests, {TESTS: None}, ['test-playbooks/do-thing/: no playbook tries the role do-thing']),
    (selftests, {TESTS: ('name: do-thing', 'name: other')},
     ['test-playbooks/do-thing/: none of the playbooks includes the role do-thing']),
    (selftests, {'zuul-tests.d/roles.yaml': ('name: self-test-do-thing', 'name: self-test-thing')},
     ['zuul-tests.d/: no job self-test-do-thing']),
    (selftests, {'test-playbooks/do-thing/offline.yaml': '[]'},
     ['test-playbooks/do-thing/offline.yaml: no job in zuul-tests.d runs it']),
    (selftests, {'test-playbooks/gone/absent.yaml': '[]'}, ['test-playbooks/gone/: there is no role gone']),
    (docs, {'doc/source/reference/roles.rst': None},
     ['doc/source/reference/roles.rst: no ".. zuul:autorole:: do-thing"']),
    (docs, {'doc/source/reference/jobs.rst': ('autojob:: thing', 'autojob:: thin')},
     ['doc/source/reference/jobs.rst: no ".. zuul:autojob:: thing"',
      'doc/source/reference/jobs.rst: there is no job thin']),
    (docs, {'doc/source/reference/jobs.rst': '.. zuul:autojob:: thing\n.. zuul:autojob:: thing\n'},
     ['doc/source/reference/jobs.rst: job thing is listed more than once']),
)


class TestThisLibrary(unittest.TestCase):
    def test_nothing_is_wrong_with_it(self) -> None:
        tenant = load_tenant(paths.LIBRARY, base_ref='main')
        found = [str(problem) for problem in lint.all_problems(tenant)] + checks.problems(paths.LIBRARY)
        if found:
            self.fail('\n' + '\n'.join(found))


class TestFaults(unittest.TestCase):
    maxDiff = None

    def test_a_library_without_fault_is_clean(self) -> None:
        with library({}) as root:
            self.assertEqual(checks.problems(root), [])

    def test_each_fault_is_named(self) -> None:
        for check, spoilt, expected in FAULTS:
            with self.subTest(expected=expected[0]), library(spoilt) as root:
                self.assertEqual(sorted(check.problems(root)), sorted(expected))
