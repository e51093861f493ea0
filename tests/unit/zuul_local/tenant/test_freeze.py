from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local.errors import UserError
from zuul_local.tenant.freeze import freeze

JOBS = '''
- job:
    name: parent
    vars: {a: {b: 1, c: 1}, d: 1}
    run: run.yaml

- job:
    name: child
    parent: parent
    vars: {a: {b: 2}}

- job:
    name: nothing-to-run

- job:
    name: elsewhere
    branches: stable
    run: run.yaml

- job:
    name: other-site
    nodeset: ubuntu-jammy
    run: run.yaml

- job:
    name: other-label
    nodeset: {nodes: [{name: controller, label: ubuntu-noble}]}
    run: run.yaml

- job:
    name: frame
    abstract: true

- job:
    name: framed
    parent: frame
    run: run.yaml

- job:
    name: last
    final: true
    dependencies: [child, no-such-job]
    run: run.yaml

- job:
    name: orphan
    parent: nobody
    run: run.yaml
'''
STANZA = '''
- project:
    vars: {p: 1, d: 2}
    templates: [not-here]
    check:
      jobs:
        - last
        - child:
            vars: {d: 3}
            dependencies: [last]
'''


class FreezeCase(ScratchCase):
    def frozen(self, name, files=None, **arguments):
        return freeze(self.tenant(files or {'.zuul.yaml': JOBS}), name, **arguments)

    def refused(self, name, files=None, **arguments):
        with self.assertRaises(UserError) as caught:
            self.frozen(name, files, **arguments)
        return caught.exception


class TestFreeze(FreezeCase):
    def test_a_job_that_no_pipeline_runs(self):
        frozen = self.frozen('child')
        self.assertEqual('', frozen.pipeline)
        self.assertEqual({'a': {'b': 2, 'c': 1}, 'd': 1}, self.own(frozen))
        self.assertEqual(['run.yaml'], [one['path'] for one in frozen.job.run])
        self.assertEqual('local/thing', frozen.params['zuul']['project']['canonical_name'])

    def test_as_the_project_has_it_although_a_template_is_missing(self):
        frozen = self.frozen('child', {'zuul.d/a.yaml': JOBS, 'zuul.d/b.yaml': STANZA})
        self.assertEqual('check', frozen.pipeline)
        self.assertEqual({'a': {'b': 2, 'c': 1}, 'd': 3, 'p': 1}, self.own(frozen))

    def test_a_final_job_with_dependencies(self):
        for stanza, pipeline in ((STANZA, 'check'), ('', '')):
            self.folder = self.folder / (pipeline or 'none')
            frozen = self.frozen('last', {'zuul.d/a.yaml': JOBS, 'zuul.d/b.yaml': stanza})
            self.assertEqual((pipeline, []), (frozen.pipeline, frozen.params['zuul']['child_jobs']))

    def test_variables_of_the_command_line_win(self):
        frozen = self.frozen('child', {'zuul.d/a.yaml': JOBS, 'zuul.d/b.yaml': STANZA}, variables={'d': 4})
        self.assertEqual({'a': {'b': 2, 'c': 1}, 'd': 4, 'p': 1}, self.own(frozen))

    def test_labels(self):
        cases = (('other-label', {'ubuntu-noble': 'x'}, [('controller', 'x')]),
                 ('other-label', {'*': 'x'}, [('controller', 'x')]),
                 ('other-label', {'other': 'x'}, [('controller', 'ubuntu-noble')]),
                 ('other-site', {'ubuntu-jammy': 'x'}, [('ubuntu-jammy', 'x')]),
                 ('other-site', {'*': 'x'}, [('ubuntu-jammy', 'x')]))
        tenant = self.tenant({'.zuul.yaml': JOBS})
        for name, labels, expected in cases:
            with self.subTest(name=name, labels=labels):
                tenant.layout.nodesets.pop('ubuntu-jammy', None)
                nodes = freeze(tenant, name, labels=labels).job.nodeset.getNodes()
                self.assertEqual(expected, [(node.name[0], node.label) for node in nodes])

    def own(self, frozen):
        return {name: value for name, value in frozen.job.variables.items() if len(name) == 1}


class TestRefused(FreezeCase):
    def test_unknown_job_with_the_nearest(self):
        error = self.refused('chidl')
        self.assertIn("no job is called 'chidl'. Nearest: child", error.message)
        self.assertEqual('zuul-local list', error.hint)

    def test_unknown_job_whose_file_is_not_yaml(self):
        error = self.refused('mine', {'.zuul.yaml': '- job: [\n'})
        self.assertIn('.zuul.yaml:2: error: not YAML', error.message)

    def test_a_job_that_could_not_be_loaded(self):
        text = '- job:\n    name: bad\n    requires-projects: [a]\n- job: {name: b, x: 1}\n'
        error = self.refused('bad', {'.zuul.yaml': text})
        self.assertRegex(error.message, r'^job bad could not be loaded:\n\S+\.yaml:3: error: job bad: requires-proj')
        self.assertEqual(2, len(error.message.splitlines()))
        self.assertEqual('zuul-local check', error.hint)

    def test_unknown_parent(self):
        error = self.refused('orphan')
        self.assertIn('nobody', error.message)
        self.assertIn('.zuul.yaml:', error.message)

    def test_abstract_with_file_line_and_children(self):
        error = self.refused('frame')
        self.assertRegex(error.message, r'thing/\.zuul\.yaml:29: job frame: Job frame is abstract')
        self.assertEqual('Jobs that inherit from it: framed.', error.hint)

    def test_nothing_to_run(self):
        message = self.refused('nothing-to-run').message
        self.assertRegex(message, r'\.zuul\.yaml:\d+: job nothing-to-run: .*run playbook')

    def test_missing_nodeset(self):
        error = self.refused('other-site')
        self.assertIn('The nodeset "ubuntu-jammy" was not found', error.message)
        self.assertIn('--label', error.hint)

    def test_another_branch(self):
        error = self.refused('elsewhere')
        self.assertIn("does not apply to branch 'main'", error.message)
        self.assertIn('--base-ref', error.hint)
