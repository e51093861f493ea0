"""The verbs that only read the configuration, from the command line on."""

import contextlib
import io
import json
import os

from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local import cli

FILES = {
    '.zuul.yaml': '''
- job:
    name: mine
    parent: tox-py311
    description: |
      Does this. And more.
    vars:
      mine: yes
- project-template:
    name: shared
    gate:
      jobs: [tox-py311]
- project:
    templates: [shared]
    check:
      jobs: [mine]
''',
}


class CommandCase(ScratchCase):
    def call(self, *words, files=None, project=None):
        """Return exit code, standard output and standard error of ``zuul-local`` with *words*."""
        project = project or self.repository('thing', files or FILES)
        out, err = io.StringIO(), io.StringIO()
        before = os.getcwd()
        os.chdir(project)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = cli.main(words)
        finally:
            os.chdir(before)
        self.assertNotIn('Traceback', out.getvalue() + err.getvalue())
        return code, out.getvalue(), err.getvalue()


class TestCheck(CommandCase):
    def test_nothing_wrong_in_the_project(self):
        code, out, err = self.call('check')
        self.assertEqual((0, ''), (code, out))
        self.assertRegex(err, r'local/thing on branch main: \d+ jobs, 0 errors, 0 warnings\n$')

    def test_problems_elsewhere_are_counted_only(self):
        other = self.repository('other', {'zuul.yaml': '- job: {name: theirs, parent: nobody}\n'})
        code, out, err = self.call('check', '--with', f'example.org/other={other}')
        self.assertEqual((0, ''), (code, out))
        self.assertIn('example.org/other: 1 error, 0 warnings, '
                      f'to be seen with: zuul-local check --project {other}', err)

    def test_errors(self):
        code, out, err = self.call('check', files={'.zuul.yaml': '- job: {name: a, parent: tox-py3111}\n'})
        self.assertEqual(2, code)
        self.assertIn('.zuul.yaml:1: error: job a: Job tox-py3111 not defined.\n    Nearest: tox-py311', out)
        self.assertRegex(err, r'\d+ jobs, \d+ errors?, \d+ warnings?\n$')

    def test_json(self):
        code, out, _ = self.call('check', '--json', files={'.zuul.yaml': '- job: [\n'})
        facts = json.loads(out)
        self.assertEqual((2, 'local/thing', 'main'), (code, facts['project'], facts['branch']))
        [problem] = facts['problems']
        self.assertEqual((2, 'error'), (problem['line'], problem['severity']))


class TestList(CommandCase):
    def test_jobs_of_the_project_first(self):
        code, out, _ = self.call('list')
        mine, _, others = out.partition('Other jobs:')
        self.assertEqual(0, code)
        self.assertRegex(mine, r'mine +tox-py311 +check +\.zuul\.yaml:1 +Does this\.\n')
        self.assertRegex(mine, r'tox-py311 +tox +gate ')
        self.assertRegex(others, r'unittests \(abstract\) +base ')
        self.assertNotIn('tox-py311 ', others)

    def test_all_as_json(self):
        facts = json.loads(self.call('list', 'all', '--json')[1])
        self.assertEqual(['mine', 'tox-py311'], [one['name'] for one in facts['jobs']][:2])
        self.assertIn({'gate': ['tox-py311']}, [one['pipelines'] for one in facts['templates']])
        self.assertIn('debian-bookworm', [one['name'] for one in facts['labels']])

    def test_labels_and_templates(self):
        files = {**FILES, 'zuul-local.yaml': 'labels: {ubuntu-focal: debian-trixie}'}
        project = self.repository('labelled', files)
        self.assertRegex(self.call('list', 'labels', project=project)[1],
                         r'ubuntu-focal +Debian trixie +Python 3\.13 +real +stands for debian-trixie')
        self.assertRegex(self.call('list', 'templates', project=project)[1], r'shared +\.zuul\.yaml:8 +gate: tox-py311')


class TestShow(CommandCase):
    def test_text(self):
        code, out, _ = self.call('show', 'mine')
        self.assertEqual(0, code)
        self.assertIn('mine: local/thing, branch main, as attached to check\n', out)
        self.assertRegex(out, r'  mine: true +job mine +\.zuul\.yaml:7\n')
        self.assertRegex(out, r'  tox_envlist: py311 +job tox-py311 +\S+/zuul\.d/\S+\.yaml:\d+\n')
        self.assertRegex(out, r'  run +playbooks/tox/run\.yaml +opendev\.org/zuul/zuul-jobs +untrusted +job tox ')
        self.assertRegex(out, r'  timeout: \d+ s +job base-minimal ')

    def test_json(self):
        facts = json.loads(self.call('show', 'mine', '--json')[1])
        self.assertEqual(['job base-minimal', 'job base', 'job unittests', 'job tox', 'job tox-py311', 'job mine'],
                         [one['from'] for one in facts['variants']][:6])
        [mine] = [one for one in facts['variables']['vars'] if one['name'] == 'mine']
        self.assertEqual((True, 'job mine', 7), (mine['value'], mine['from'], mine['line']))
        self.assertEqual([{'name': 'debian-bookworm', 'label': 'debian-bookworm'}], facts['nodes'])

    def test_a_secret_is_named_never_shown(self):
        code, out, _ = self.call('show', 'uses-secret', '--json', files={'.zuul.yaml': '''
- secret:
    name: password
    data: {user: me, token: hunter2}
- job:
    name: uses-secret
    secrets: [{name: credentials, secret: password}]
    run: run.yaml
'''})
        self.assertEqual((0, ['credentials']), (code, json.loads(out)['secrets']))
        self.assertNotIn('hunter2', out)


class TestBadInput(CommandCase):
    def test_one_clear_message(self):
        for words, files, expected in (
                (('show', 'mien'), FILES, "zuul-local: no job is called 'mien'. Nearest: mine."),
                (('show', 'unittests'), FILES, 'job unittests: Job unittests is abstract'),
                (('show', 'a'), {'.zuul.yaml': '- job: {name: a, parent: nobody, run: a.yaml}\n'},
                 '.zuul.yaml:1: '),
                (('show', 'a'), {'.zuul.yaml': '- job:\n  - [\n'}, '.zuul.yaml:3: error: not YAML: '),
                (('list', '--with', 'example.org/a=/'), FILES, 'example.org/a: /: not in a git repository'),
                (('list', '--with', 'nova'), FILES, "--with 'nova': not of the form NAME=DIR."),
                (('check', '--project', 'nowhere'), FILES, 'nowhere: no such folder.')):
            with self.subTest(words=words):
                self.folder = self.folder / 'next'
                code, out, err = self.call(*words, files=files)
                self.assertEqual((2, ''), (code, out))
                self.assertIn(expected, err)

    def test_states_of_the_repository(self):
        project = self.repository('empty', {'a': ''}, commit=False)
        code, _, err = self.call('list', project=project)
        self.assertEqual((2, True), (code, 'the repository has no commit yet' in err))
        project = self.repository('detached')
        self.git(project, 'checkout', '-q', '--detach')
        code, _, err = self.call('list', project=project)
        self.assertEqual((2, True), (code, 'detached HEAD' in err))
        self.assertEqual(0, self.call('list', '--base-ref', 'main', project=project)[0])
