import re

from zuul import model

from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local import paths
from zuul_local.errors import UserError
from zuul_local.tenant import provenance
from zuul_local.tenant.load import load_tenant
from zuul_local.tenant.provenance import PHASES, VARIABLES, leaves

CONFIGURATION = '''
- job:
    name: parent
    timeout: 60
    attempts: 2
    vars:
      deep:
        kept: 1
        changed: 1
        gone: {x: 1}
      plain: parent
      whole: {a: 1}
    host-vars:
      node:
        hv: 1
    required-projects: [local/thing]
    pre-run: [a.yaml, b.yaml]
    run: run.yaml

- job:
    name: child
    parent: parent
    timeout: 30
    nodeset: debian-trixie
    vars:
      deep:
        changed: 2
        gone: text
        added: [1, 2]
    extra-vars: {e: 1}
    pre-run: c.yaml
    post-run: d.yaml

- job:
    name: override
    parent: parent
    vars: !override
      fresh: 1

- project-template:
    name: shared
    vars:
      from_template: 1
      both: template
      same: 1
    check:
      jobs: [parent]

- project:
    vars:
      from_project: 1
      both: project
      same: 1
      plain: project
    templates: [shared]
    check:
      jobs:
        - child:
            vars:
              plain: stanza
'''


class TestProvenance(ScratchCase):
    def traced(self, name):
        self.frozen, self.made = provenance.trace(self.tenant({'.zuul.yaml': CONFIGURATION}), name)
        lines = ['', *CONFIGURATION.strip('\n').splitlines()]
        return {'.'.join(path): (setting.value, setting.origin.what, lines[setting.origin.line].strip())
                for path, setting in self.made.variables['variables'].items()
                if setting.origin.path.endswith('thing/.zuul.yaml')}

    def test_merged_variables(self):
        self.assertEqual({
            'deep.kept': (1, 'job parent', 'kept: 1'),
            'deep.changed': (2, 'job child', 'changed: 2'),
            'deep.gone': ('text', 'job child', 'gone: text'),
            'deep.added': ([1, 2], 'job child', 'added: [1, 2]'),
            'plain': ('stanza', 'job child as the project has it', 'plain: stanza'),
            'whole.a': (1, 'job parent', 'whole: {a: 1}'),
            'from_template': (1, 'project-template shared', 'from_template: 1'),
            'from_project': (1, 'project local/thing', 'from_project: 1'),
            'same': (1, 'project local/thing', 'same: 1'),
            'both': ('project', 'project local/thing', 'both: project'),
        }, self.traced('child'))

    def test_overridden_variables(self):
        self.assertEqual({'fresh': (1, 'job override', 'fresh: 1')}, self.traced('override'))

    def test_other_parts(self):
        self.traced('child')
        what = {name: origin.what for name, origin in self.made.plain.items()}
        self.assertEqual(('job child', 'job parent', 'job child'), (what['timeout'], what['attempts'], what['nodeset']))
        self.assertEqual({'local/thing': 'job parent'}, {name: one.what for name, one in self.made.required.items()})
        self.assertEqual(['job parent', 'job parent', 'job child'],
                         [one.what for one in self.made.playbooks['pre_run'] if one.path.endswith('.zuul.yaml')])
        self.assertEqual(['job base-minimal', 'job base', 'job parent', 'job child', 'job child as the project has it',
                          'command line'], [one.what for one in self.made.steps])

    def test_zuul_is_left_as_it_was(self):
        before = (model.Job.setBase, model.Job.applyVariant, model.Job.updateProjectVariables)
        with self.assertRaises(UserError):
            self.traced('nothing')
        self.assertEqual(before, (model.Job.setBase, model.Job.applyVariant, model.Job.updateProjectVariables))

    def test_every_job_of_the_library(self):
        tenant = load_tenant(paths.LIBRARY, base_ref='main')
        frozen_jobs = 0
        for name in sorted(set(tenant.layout.jobs) - {'noop'}):
            try:
                frozen, made = provenance.trace(tenant, name)
            except UserError as error:
                self.assertRegex(error.message, 'is abstract|does not specify a run playbook')
                continue
            frozen_jobs += 1
            with self.subTest(name):
                for kind in VARIABLES:
                    told = {path: setting.value for path, setting in made.variables[kind].items()}
                    self.assertEqual(leaves(getattr(frozen.job, kind)), told)
                    self.assertTrue(all(setting.origin.line for setting in made.variables[kind].values()))
                for phase in PHASES:
                    self.assertEqual(len(getattr(frozen.job, phase) or ()), len(made.playbooks[phase]))
                    self.assertTrue(all(origin.line for origin in made.playbooks[phase]))
                self.assertEqual([re.sub(r'<Job (\S+).*', r'\1', one) for one in frozen.job.inheritance_path],
                                 [one.what.split()[1] if one.line else name for one in made.steps])
        self.assertGreaterEqual(frozen_jobs, 8)
