import unittest
from pathlib import Path

from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local import lint
from zuul_local.lint import owners
from zuul_local.tenant.freeze import freeze
from zuul_local.tenant.load import load_tenant

GOOD = {
    'zuul.d/a.yaml': '''
- job:
    name: mine
    pre-run: playbooks/pre.yaml
    run: playbooks/run.yaml
    roles:
      - zuul: zuul/zuul-jobs
- project:
    check:
      jobs: [mine]
''',
    'playbooks/pre.yaml': '- hosts: all\n  roles: [own]\n',
    'playbooks/run.yaml': '- hosts: all\n  roles: [bindep, {role: beside}]\n  tasks: [include_tasks: deep/more.yaml]\n',
    'playbooks/deep/more.yaml': '- import_role: {name: beside}\n- import_role: {name: deeper}\n',
    'playbooks/deep/roles/deeper/tasks/main.yaml': '[]',
    'playbooks/roles/beside/tasks/main.yaml': '[]',
    'roles/own/tasks/main.yaml': '[]',
}


def spoilt(old, new):
    return GOOD['zuul.d/a.yaml'].replace(old, new)


# what is changed in GOOD (None removes a file): file:line: severity: start of the message | part of the hint
CASES = [
    ('missing playbook', {'playbooks/pre.yaml': None}, [
        "zuul.d/a.yaml:3: error: job mine: the pre-run playbook 'playbooks/pre.yaml' does not exist | "
        'Write the playbook']),
    ('misspelt playbook', {'zuul.d/a.yaml': spoilt('playbooks/run', 'playbooks/runn')}, [
        "zuul.d/a.yaml:4: error: job mine: the run playbook 'playbooks/runn.yaml' | Nearest: playbooks/run.yaml"]),
    ('playbook of a project stanza', {'zuul.d/a.yaml': spoilt('[mine]', '[mine: {post-run: no.yaml}]')}, [
        "zuul.d/a.yaml:9: error: job mine: the post-run playbook 'no.yaml' does not exist |"]),
    ('missing role', {'playbooks/run.yaml': '- hosts: all\n  roles:\n    - bindepp\n'}, [
        "playbooks/run.yaml:3: error: role 'bindepp' is in no role repository that | Nearest: bindep, "]),
    ('missing role under a condition', {'playbooks/run.yaml': '''
- hosts: all
  tasks:
    - include_role: {name: nowhere}
      when: x
'''}, ["playbooks/run.yaml:3: warning: role 'nowhere' is in no role repository that | Looked in local/thing"]),
    ('playbook that is not YAML', {'playbooks/run.yaml': '- hosts: [\n'}, [
        'playbooks/run.yaml:2: error: not YAML: |']),
    ('unknown role repository', {'zuul.d/a.yaml': spoilt('zuul/zuul-jobs', 'openstack/other'),
                                 'playbooks/run.yaml': '- hosts: all\n  roles: [theirs]\n'}, [
        "playbooks/run.yaml:2: error: role 'theirs' is in no role | names openstack/other, which is not here",
        "zuul.d/a.yaml:6: warning: job mine: its role repository 'openstack/other' is not here | "
        '--with opendev.org/openstack/other=../other']),
    ('unknown pipeline', {'zuul.d/a.yaml': spoilt('check:', 'chekc:')}, [
        "zuul.d/a.yaml:8: warning: pipeline 'chekc' is not known here | Nearest: check."]),
    ('copies of roles that run with trust', {'roles.list': 'start-zuul-console\nnowhere\n',
                                             'roles/start-zuul-console/tasks/main.yaml': '[]'}, [
        "roles.list:0: error: the library has no role 'nowhere'. | Remove it from the list",
        "roles/start-zuul-console:0: error: this copy of the role 'start-zuul-console' is not what the library | "
        'zuul-local init --config-project /']),
    ('label of another site', {'zuul.d/x.yaml': '''
- nodeset:
    name: theirs
    nodes:
      - {name: a, label: ubuntu-focal}
      - {name: b, label: debian-trixie}
- job:
    name: other
    nodeset:
      nodes:
        - name: c
          label: ubuntu-jammy
    run: playbooks/run.yaml
'''}, ["zuul.d/x.yaml:4: warning: nodeset theirs: label 'ubuntu-focal' is not one that | --label debian-bookworm",
       "zuul.d/x.yaml:11: warning: job other: label 'ubuntu-jammy' is not one that | labels: {ubuntu-jammy: debian"]),
    ('label that the settings map', {
        'zuul-local.yaml': 'labels: {ubuntu-focal: debian-trixie, ubuntu-jammy: debian-trixie}',
        'zuul.d/x.yaml': '''
- nodeset:
    name: theirs
    nodes: [{name: a, label: ubuntu-focal}]
- job:
    name: other
    nodeset: ubuntu-jammy
    run: playbooks/run.yaml
'''}, ['zuul.d/x.yaml:6: warning: job other: The nodeset "ubuntu-jammy" was not found. | debian-trixie stands in']),
    ('missing nodeset', {'zuul.d/a.yaml': spoilt('    run:', '    nodeset: ubuntu-jammy\n    run:')}, [
        'zuul.d/a.yaml:4: error: job mine: The nodeset "ubuntu-jammy" was not found. | opendev.org/opendev/base-jobs']),
    ('missing template', {
        'zuul.d/a.yaml': spoilt('    ch', '    templates:\n      - openstack-python3-jobs\n      - other\n    ch')}, [
        'zuul.d/a.yaml:9: error: project local/thing: The project template "openstack-python3-jobs" was not found. | '
        '--with opendev.org/openstack/openstack-zuul-jobs=../openstack-zuul-jobs',
        'zuul.d/a.yaml:10: error: project local/thing: The project template "other" was not found. | HOST/NAME=DIR']),
    ('missing jobs', {'zuul.d/a.yaml': spoilt('[mine]', '[mine, devstack, other]')}, [
        'zuul.d/a.yaml:9: error: project local/thing: Job devstack not defined. | opendev.org/openstack/devstack',
        'zuul.d/a.yaml:9: error: project local/thing: Job other not defined. |']),
    ('missing parent', {'zuul.d/a.yaml': spoilt('    run:', '    parent: tox-py3111\n    run:')}, [
        'zuul.d/a.yaml:4: error: job mine: Job tox-py3111 not defined. | Nearest: tox-py311,']),
    ('missing project', {
        'zuul.d/a.yaml': spoilt('    run:', '    required-projects: [openstack/nova, a/b]\n    run:')}, [
        'zuul.d/a.yaml:4: error: job mine: The projects "openstack/nova", "a/b" were not found. | '
        '--with opendev.org/openstack/nova=../nova',
        'zuul.d/a.yaml:10: error: project local/thing: Job mine not defined. | Its definition could not be loaded: ']),
]


class LintCase(ScratchCase):
    def loaded(self, name, changes):
        files = {path: text for path, text in {**GOOD, **changes}.items() if text is not None}
        return load_tenant(self.repository(name.replace(' ', '-') + '/thing', files))

    def ours(self, tenant, problems):
        return [problem for problem in problems if problem.project == 'local/thing']


class TestAllProblems(LintCase):
    def test_nothing_wrong(self):
        tenant = self.loaded('good', {})
        self.assertEqual([], self.ours(tenant, lint.all_problems(tenant)))

    def test_cases(self):
        for name, changes, expected in CASES:
            with self.subTest(name):
                tenant = self.loaded(name, changes)
                found = self.ours(tenant, lint.all_problems(tenant))
                self.assertEqual(len(expected), len(found), found)
                for line, problem in zip(expected, found, strict=True):
                    start, _, hint = line.partition(' | ' if ' | ' in line else ' |')
                    place = Path(problem.path).relative_to(tenant.project.path)
                    told = f'{place}:{problem.line}: {problem.severity}: {problem.message}'
                    self.assertEqual(start, told[:len(start)])
                    self.assertIn(hint, problem.hint)

    def test_each_once(self):
        play = '- hosts: all\n  roles: [gone]\n'
        another = '- job: {name: another, run: playbooks/run.yaml}\n'
        tenant = self.loaded('twice', {'playbooks/run.yaml': play * 2, 'zuul.d/x.yaml': another})
        lines = [problem.line for problem in self.ours(tenant, lint.all_problems(tenant))]
        self.assertEqual([2, 4], lines)


class TestPreflight(LintCase):
    def preflight(self, changes, name='preflight'):
        tenant = self.loaded(name, changes)
        return [problem.message for problem in self.ours(tenant, lint.preflight(tenant, freeze(tenant, 'mine')))]

    def test_nothing_wrong(self):
        self.assertEqual([], self.preflight({}))

    def test_playbook_and_role(self):
        messages = self.preflight({'playbooks/pre.yaml': None, 'playbooks/run.yaml': '- hosts: all\n  roles: [gone]\n'})
        self.assertEqual(2, len(messages), messages)
        self.assertIn("role 'gone' is in no role repository that this playbook may use", messages[0])
        self.assertIn("the pre-run playbook 'playbooks/pre.yaml' does not exist", messages[1])

    def test_playbook_outside_of_its_repository(self):
        for name, path in (('absolute', '/etc/passwd'), ('relative', '../../../../../../etc/passwd')):
            with self.subTest(name):
                [message] = self.preflight({'zuul.d/x.yaml': f'- job: {{name: mine, run: {path}}}\n'}, name)
                self.assertIn(f"the run playbook '{path}' does not exist", message)

    def test_variables_files(self):
        outside, no_mapping = ['leads out of its repository.'], ['is no YAML mapping.']
        for name, path, text, expected in (
                ('absolute', '/etc/passwd', '', outside), ('relative', '../../x.yaml', '', outside),
                ('list', 'vars.yaml', '[a]\n', no_mapping), ('broken', 'vars.yaml', 'a: [', no_mapping),
                ('fine', 'vars.yaml', 'a: 1\n', [])):
            with self.subTest(name):
                changes = {'zuul.d/x.yaml': f'- job: {{name: mine, include-vars: [{path}]}}\n', 'vars.yaml': text}
                self.assertEqual(expected, [message.partition("' ")[2] for message in self.preflight(changes, name)])

    def test_only_this_job(self):
        self.assertEqual([], self.preflight({'zuul.d/x.yaml': '- job: {name: other, run: gone.yaml}\n'}))


class TestOwners(unittest.TestCase):
    def test_table(self):
        for kind, name, expected in (
                ('templates', 'openstack-python3-jobs', 'opendev.org/openstack/openstack-zuul-jobs'),
                ('templates', 'my-jobs', ''),
                ('jobs', 'devstack-minimal', 'opendev.org/openstack/devstack'),
                ('jobs', 'openstack-tox-py312', 'opendev.org/openstack/openstack-zuul-jobs'),
                ('nodesets', 'ubuntu-focal', 'opendev.org/opendev/base-jobs')):
            with self.subTest(name):
                self.assertEqual(expected, owners.owner(kind, name))

    def test_how_to_add(self):
        self.assertIn('--with example.org/a/b=../b', owners.how_to_add('example.org/a/b'))
        self.assertIn('--with opendev.org/a/b=../b', owners.how_to_add('a/b'))
        self.assertIn('--with HOST/NAME=DIR', owners.how_to_add(''))
