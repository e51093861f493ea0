"""A build that failed, again from what it left behind."""

from __future__ import annotations

import json

from tests.functional.support import RunnerTest

JOB = '''\
- job:
    name: demo
    parent: base
    nodeset: {nodes: []}
    run: playbooks/run.yaml
    vars:
      colour: blue
      api_token: nobody-knows
'''
PLAY = '''\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Test a colour
      ansible.builtin.command: test {{ colour }} = red
'''


class TestReplay(RunnerTest):
    def test_again(self) -> None:
        folder = self.make_project({'.zuul.yaml': JOB, 'playbooks/run.yaml': PLAY})
        output = self.zuul_local('run', 'demo', folder=folder, code=1)
        original = self.published(folder)
        self.assertIn(f'zuul-local replay .zuul-local/builds/{original.name}', output)
        made = json.loads((original / 'replay.json').read_text())
        self.assertNotIn('nobody-knows', (original / 'replay.json').read_text())

        with self.subTest('the same, whatever lies in the folder now'):
            self.write(folder, {'.zuul.yaml': JOB.replace('blue', 'red'), 'playbooks/run.yaml': '[]\n'})
            self.git(folder, 'commit', '-qam', 'Later')
            self.write(folder, {'playbooks/run.yaml': 'nonsense: [\n'})
            output = self.zuul_local('replay', f'.zuul-local/builds/{original.name}', folder=folder, code=1)
            self.assertIn("The same task fails: 'Test a colour' on localhost, and says the same.", output)
            self.assertIn('variable api_token: not in the bundle', output)
            self.assertNotIn(f'commit of {made["project"]}', output)
            self.assertEqual(self.facts(folder)['result'], 'FAILURE')

        with self.subTest('with the variables of the bundle, and nothing that would run here'):
            made['variables'] = {'colour': 'red', 'ansible_connection': 'local', 'shape': "{{ lookup('pipe', 'id') }}"}
            self.write(folder, {'changed.json': json.dumps(made)})
            output = self.zuul_local('replay', 'changed.json', folder=folder)
            self.assertIn('It passes here; the original failed.', output)
            self.assertIn('set as in the original: colour\n', output)
            self.assertIn('variable shape: not set, because it is a template', output)
            self.assertIn('variable ansible_connection: not set', output)

        with self.subTest('a commit that is nowhere'):
            made['projects'][made['project']]['commit'] = 'f' * 40
            self.write(folder, {'changed.json': json.dumps(made)})
            output = self.zuul_local('replay', 'changed.json', folder=folder, code=2)
            self.assertIn('commit ffffffffffff is not in', output)

    def test_again_on_a_node(self) -> None:
        folder = self.make_project({'.zuul.yaml': JOB.replace('    nodeset: {nodes: []}\n', ''),
                                    'playbooks/run.yaml': PLAY.replace('localhost', 'all')})
        self.zuul_local('run', 'demo', folder=folder, code=1)
        bundle = str(self.published(folder))
        output = self.zuul_local('replay', bundle, folder=folder, code=1)
        self.assertIn("The same task fails: 'Test a colour' on debian-bookworm, and says the same.", output)
