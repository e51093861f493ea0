from __future__ import annotations

import unittest
from types import ModuleType

from tests.unit.zuul_local.lint.library import library
from zuul_local import lint, paths
from zuul_local.lint import library as checks
from zuul_local.lint.library import docs, jobs, roles, selftest_jobs, selftests, starters
from zuul_local.tenant.load import load_tenant

README = 'roles/do-thing/README.rst'
SPEC = 'roles/do-thing/meta/argument_specs.yaml'
DEFAULTS = 'roles/do-thing/defaults/main.yaml'
JOBS = 'zuul.d/jobs.yaml'
TESTS = 'test-playbooks/do-thing/absent.yaml'
NEVER_AGAIN = ('test-playbooks/do-thing/: no task whose name says "again" calls the role a second time, to show that '
               'nothing changes; write one, or give the reason in test-playbooks/do-thing/not-applicable.yaml as '
               '"again: REASON"')
REASONS = 'test-playbooks/do-thing/not-applicable.yaml'
MORE = 'test-playbooks/do-more'
OWN = 'zuul-tests.d/roles.yaml'
LABELS = 'node/labels.yaml'
META = 'roles/do-thing/meta/main.yaml'
STARTERS = '''
pythons: ['3.10']
runners:
  - {mark: a, template: 'all-py{oldest}', per_python: 'thing-py{version}', per_environment: {docs: thing}, job: thing}
more:
  - {mark: b, template: more-things}
'''

FAULTS: tuple[tuple[ModuleType, dict[str, tuple[str, str] | str | None], list[str]], ...] = (
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
    (selftests, {TESTS: None},
     ['test-playbooks/do-thing/: no playbook tries the role do-thing',
      f'{TESTS}: missing; write it: what it provides is not there; or give the reason in {REASONS} as '
      '"absent: REASON"', NEVER_AGAIN]),
    (selftests, {TESTS: ('do-thing', 'other')},
     ['test-playbooks/do-thing/: none of the playbooks includes the role do-thing', NEVER_AGAIN]),
    (selftests, {TESTS: ('it again, in vain', 'it against all odds')}, [NEVER_AGAIN]),
    (selftests, {REASONS: ('bad-input:', 'again: It is done once and for all.\nbad-input:')},
     [f'{REASONS}: again has a reason although a call again is there; remove one of them']),
    (selftests, {'test-playbooks/gone/absent.yaml': '[]'}, ['test-playbooks/gone/: there is no role gone']),
    (selftests, {REASONS: None},
     ['test-playbooks/do-thing/present.yaml: missing; write it: what it provides is there already; or give the reason '
      f'in {REASONS} as "present: REASON"',
      'test-playbooks/do-thing/bad-input.yaml: missing; write it: what it must refuse; or give the reason in '
      f'{REASONS} as "bad-input: REASON"']),
    (selftests, {REASONS: '- present'}, [f'{REASONS}: must be a mapping of behaviours to reasons']),
    (selftests, {REASONS: ('The thing is never there before.', 'later')},
     [f'{REASONS}: present has no reason; write a sentence']),
    (selftests, {REASONS: ('present', 'presence')},
     ['test-playbooks/do-thing/present.yaml: missing; write it: what it provides is there already; or give the reason '
      f'in {REASONS} as "present: REASON"', f'{REASONS}: presence is no behaviour that the role needs; remove it']),
    (selftests, {REASONS: ('bad-input:', 'absent: Nothing can be absent here.\nbad-input:')},
     [f'{REASONS}: absent has a reason although {TESTS} is there; remove one of them']),
    (selftests, {f'{MORE}/offline.yaml': None},
     [f'{MORE}/offline.yaml: missing; write it, because roles/do-more/tasks/main.yaml uses ansible.builtin.get_url; or '
      f'give the reason in {MORE}/not-applicable.yaml as "offline: REASON"']),
    (selftests, {f'{MORE}/offline.yaml': None, 'test-playbooks/do-thing/offline.yaml': '[]',
                 'roles/do-more/tasks/main.yaml': '- ansible.builtin.include_role: {name: do-thing}'},
     [f'{MORE}/offline.yaml: missing; write it, because the role do-thing, which it brings in, is tried offline; or '
      f'give the reason in {MORE}/not-applicable.yaml as "offline: REASON"']),
    (selftests, {f'{MORE}/tasks/refused.yaml': ('../files/x', '../../do-thing/x')},
     [f'{MORE}/tasks/refused.yaml: src: ../../do-thing/x lies outside of {MORE}/, and an executor checks out no more '
      'than that and roles/; copy what is needed into it']),
    (selftest_jobs, {OWN: ('name: self-test-do-thing', 'name: self-test-thing')},
     ['zuul-tests.d/: no job self-test-do-thing; write one that lists the playbooks of test-playbooks/do-thing/',
      f'{OWN}: job self-test-thing never runs; list it in the project stanza of zuul-tests.d/']),
    (selftest_jobs, {OWN: ('- self-test-do-thing\n', '- noop\n')},
     [f'{OWN}: job self-test-do-thing never runs; list it in the project stanza of zuul-tests.d/']),
    (selftest_jobs, {'test-playbooks/do-thing/odd.yaml': '[]'},
     ['test-playbooks/do-thing/odd.yaml: no job in zuul-tests.d/ runs it; list it in that of the role']),
    (selftest_jobs, {'test-playbooks/do-thing/odd.yaml': '[]', 'zuul-tests.d/odd.yaml': '''
- job: {name: odd, nodeset: all-labels, run: test-playbooks/do-thing/odd.yaml}
- project: {check: {jobs: [odd]}}
'''}, []),
    (selftest_jobs, {OWN: ('nodeset: all-offline\n', 'nodeset: all-labels\n')},
     [f'{OWN}: job self-test-do-more-offline runs {MORE}/offline.yaml on bookworm, stand-in; it belongs on labels that '
      'end in -offline',
      *(f'{LABELS}: no job in zuul-tests.d/ has a node of {label}; add one to the nodesets there'
        for label in ('bookworm-offline', 'stand-in-offline'))]),
    (selftest_jobs, {OWN: ('nodes: [{name: one, label: bookworm}, ',
                           'nodes: [{name: one, label: bookworm}, {name: off, label: bookworm-offline}, ')},
     [f'{OWN}: job self-test-do-thing runs {TESTS} on bookworm-offline; labels that end in -offline are for '
      'offline.yaml',
      *(f'{OWN}: job self-test-do-more runs {MORE}/{name}.yaml on bookworm-offline; labels that end in -offline are '
        'for offline.yaml' for name in ('absent', 'present', 'bad-input'))]),
    (selftest_jobs, {OWN: ('files: [^roles/do-thing/,', 'files: [^roles/do-things/,')},
     [f'{OWN}: job self-test-do-thing: files: ^roles/do-things/ matches no file of roles/ and test-playbooks/; remove '
      'it',
      f'{OWN}: job self-test-do-thing: files do not cover roles/do-thing/; add ^roles/do-thing/']),
    (selftest_jobs, {OWN: ('^roles/do-more/, ^roles/do-thing/, ', '^roles/do-more/, ')},
     [f'{OWN}: job {name}: files do not cover roles/do-thing/, which do-more brings in; add ^roles/do-thing/'
      for name in ('self-test-do-more', 'self-test-do-more-offline')]),
    (selftest_jobs, {OWN: ('nodeset: all-offline\n', 'nodeset: bookworm\n')},
     [f'{OWN}: job self-test-do-more-offline names no nodeset; name one of zuul-tests.d/ with all labels that the role '
      'is for',
      *(f'{LABELS}: no job in zuul-tests.d/ has a node of {label}; add one to the nodesets there'
        for label in ('bookworm-offline', 'stand-in-offline'))]),
    (selftest_jobs, {OWN: ('{name: two, label: stand-in}', ''), LABELS: ('kind: contract', 'kind: untried')}, []),
    (selftest_jobs, {OWN: ('{name: two, label: stand-in}', '')},
     [f'{LABELS}: no job in zuul-tests.d/ has a node of stand-in; add one to the nodesets there']),
    (selftest_jobs, {META: ('[bookworm]', '[bookworm, trixie]')},
     [f'{META}: Debian trixie is claimed, and job self-test-do-thing has no node of it; add one or claim less']),
    (selftest_jobs, {META: ('[bookworm]}', '[bookworm]}\n    - {name: EL, versions: [9]}')}, []),
    (selftest_jobs, {META: ('name: Debian, versions: [bookworm]', "name: EL, versions: ['9']")},
     [f'{OWN}: job self-test-do-thing tries do-thing on Debian bookworm, which {META} does not claim; add it there']),
    (selftest_jobs, {'zuul.d/jobs.yaml': ('      - test-playbooks/do-more/present.yaml\n', '')},
     [f'{MORE}/: no job in zuul.d/ runs present.yaml; list them in the public job of a family of roles']),
    (docs, {'doc/source/reference/templates.rst': ('template:: things', 'template:: thin')},
     ['doc/source/reference/templates.rst: no ".. zuul:autoproject_template:: things"',
      'doc/source/reference/templates.rst: there is no project template thin']),
    (starters, {'starters.yaml': STARTERS}, [
        'starters.yaml: there is no template all-py310 in zuul.d/; write it, or name another one',
        'starters.yaml: there is no job thing-py310 in zuul.d/; write it, or name another one',
        'starters.yaml: there is no template more-things in zuul.d/; write it, or name another one']),
    (starters, {'starters.yaml': 'a: b: c'}, ['starters.yaml:1: no YAML: mapping values are not allowed here']),
    (docs, {'doc/source/reference/roles.rst': None},
     ['doc/source/reference/roles.rst: no ".. zuul:autorole:: do-more"',
      'doc/source/reference/roles.rst: no ".. zuul:autorole:: do-thing"']),
    (docs, {'doc/source/reference/jobs.rst': ('autojob:: thing', 'autojob:: thin')},
     ['doc/source/reference/jobs.rst: no ".. zuul:autojob:: thing"',
      'doc/source/reference/jobs.rst: there is no job thin']),
    (docs, {'doc/source/reference/jobs.rst': '.. zuul:autojob:: thing\n.. zuul:autojob:: thing\n'},
     ['doc/source/reference/jobs.rst: no ".. zuul:autojob:: self-test-things"',
      'doc/source/reference/jobs.rst: job thing is listed more than once']),
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
            with self.subTest(spoilt=spoilt, expected=expected), library(spoilt) as root:
                self.assertEqual(sorted(check.problems(root)), sorted(expected))
