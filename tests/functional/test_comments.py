"""Comments on lines of a change, through Zuul's own check of them."""

from __future__ import annotations

from tests.functional.support import RunnerTest

JOB = '''\
- job:
    name: demo
    parent: base
    nodeset: {nodes: []}
    roles:
      - zuul: opendev.org/zuul/zuul-jobs
    run: playbooks/run.yaml
'''
PLAY = '''\
- hosts: localhost
  tasks:
    - name: Say what linters said
      ansible.builtin.include_role: {name: return-file-comments}
      vars:
        return_file_comments_output: |
          ./code.py:2:1: E999 "{{ '{{ 7 * 7 }}' }}" is odd
          code.py:99:1: E999 beyond the end
          /etc/passwd:1:1: E999 elsewhere
          /home/zuul/{{ zuul.project.src_dir }}/code.py:1: error: no type
'''


class TestComments(RunnerTest):
    def test_what_zuul_takes(self) -> None:
        folder = self.make_project({'.zuul.yaml': JOB, 'playbooks/run.yaml': PLAY, 'code.py': 'one\ntwo\n'})
        output = self.zuul_local('run', 'demo', folder=folder)
        self.assertIn('Comments on lines of the change: 2. Left out: 2 elsewhere', output)
        self.assertNotIn('validation error in file comments', output)
        self.assertEqual(self.facts(folder)['data']['zuul']['file_comments'], {'code.py': [
            {'line': 2, 'level': 'error', 'message': 'E999 "{{ 7 * 7 }}" is odd'},
            {'line': 1, 'level': 'error', 'message': 'error: no type'}]})
        self.assertEqual(self.facts(folder)['warnings'], [])
