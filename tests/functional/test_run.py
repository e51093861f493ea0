"""What a person sees of builds on real nodes that end as they should."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.functional.support import JOB, PLAY, ZUUL_LOCAL, RunnerTest

TWO_NODES = '''\
    nodeset:
      nodes:
        - name: one
          label: debian-bookworm
        - name: two
          label: debian-bookworm
'''


class TestBuilds(RunnerTest):

    def test_example_project_with_the_tox_job(self) -> None:
        folder = self.make_example()
        output = self.zuul_local('run', 'tox-py311', folder=folder)
        self.assertRegex(output, r'Ran 2 tests')
        self.assertRegex(output, r'SUCCESS   tox-py311')
        self.assertIn('index.html', output)
        self.assertIn('Ran 2 tests', self.published(folder, 'job-output.txt').read_text())
        self.assertEqual('SUCCESS', self.facts(folder)['result'])
        self.assertTrue(json.loads(self.published(folder, 'job-output.json').read_text()))
        self.assertEqual('', self.git(folder, 'status', '--porcelain'), '.zuul-local shows up in git')

    def test_uncommitted_work_is_tested_and_the_repository_left_alone(self) -> None:
        folder = self.make_project()
        self.write(folder, {
            'playbooks/run.yaml': PLAY.replace('echo hello from the node',
                                               "sh -c 'cd src/local/demo && git log --format=%s && cat new/file'"),
            'new/file': 'brand new\n',
        })
        head = self.git(folder, 'rev-parse', 'HEAD')
        status = self.git(folder, 'status', '--porcelain')
        output = self.zuul_local('run', 'demo', folder=folder)
        self.assertIn('brand new', output)
        self.assertRegex(output, r'Uncommitted work\n.*First')
        self.assertEqual(head, self.git(folder, 'rev-parse', 'HEAD'))
        self.assertEqual(status, self.git(folder, 'status', '--porcelain'))

    def test_history_of_a_shallow_clone_can_be_read_on_the_node(self) -> None:
        whole = self.make_project({'.zuul.yaml': JOB, 'playbooks/run.yaml': PLAY.replace(
            'echo hello from the node', 'git -C src/local/shallow log --format=%s')}, name='whole')
        self.git(whole, 'commit', '-q', '--allow-empty', '-m', 'Second')
        folder = self.top / 'shallow'
        self.git(self.top, 'clone', '-q', '--depth', '1', f'file://{whole}', str(folder))
        self.git(folder, 'remote', 'remove', 'origin')
        output = self.zuul_local('run', 'demo', folder=folder)
        self.assertIn('| Second', output)
        self.assertNotIn('| First', output)

    def test_output_streams_line_by_line(self) -> None:
        folder = self.make_project({'.zuul.yaml': JOB, 'playbooks/run.yaml': PLAY.replace(
            'echo hello from the node', "sh -c 'echo begin; sleep 6; echo end'")})
        process = self.start('run', 'demo', folder=folder)
        seen = self.read_until(process, '| begin')
        self.assertNotIn('| end', seen)
        self.assertIn('| end', self.finish(process, 0))

    def test_three_nodes_see_each_other(self) -> None:
        job = JOB.replace('    run:', TWO_NODES + '''\
        - name: three
          label: debian-trixie
      groups:
        - name: pair
          nodes: [one, two]
    run:''')
        play = '''\
- hosts: all
  gather_facts: false
  tasks:
    - name: Reach every node
      ansible.builtin.command: >-
        ssh -o StrictHostKeyChecking=no zuul@{{ hostvars[item].nodepool.private_ipv4 }} cat /etc/os-release
      loop: [one, two, three]
      register: reached
    - name: The third one is Debian 13
      ansible.builtin.assert:
        that: "'trixie' in reached.results[2].stdout"
- hosts: pair
  gather_facts: false
  tasks:
    - name: Only the pair
      ansible.builtin.command: echo in the pair
'''
        folder = self.make_project({'.zuul.yaml': job, 'playbooks/run.yaml': play})
        output = self.zuul_local('run', 'demo', folder=folder)
        self.assertRegex(output, r'two \| in the pair')
        self.assertNotRegex(output, r'three \| in the pair')

    def test_nodes_of_a_multinode_job_reach_each_other_by_name_as_root_too(self) -> None:
        job = JOB.replace('parent: base', 'parent: multinode').replace('    run:', TWO_NODES + '''\
    vars:
      multinode_bridge: false
    run:''')
        play = '''\
- hosts: all
  gather_facts: false
  tasks:
    - name: Reach every node
      ansible.builtin.command: ssh -o BatchMode=yes {{ item }} id -un
      loop: [one, two]
    - name: Reach every node as root
      become: true
      ansible.builtin.command: ssh -o BatchMode=yes {{ item }} id -un
      loop: [one, two]
'''
        folder = self.make_project({'.zuul.yaml': job, 'playbooks/run.yaml': play})
        output = self.zuul_local('run', 'demo', folder=folder)
        self.assertEqual(4, output.count(' | zuul\n'), output)
        self.assertEqual(4, output.count(' | root\n'), output)

    def test_offline_node_has_no_way_out(self) -> None:
        look = """\
import socket
print('default routes:', [line for line in open('/proc/net/route') if line.split()[1] == '00000000'])
for what, attempt in (('connect', lambda: socket.create_connection(('192.0.2.1', 53), 5)),
                      ('resolve', lambda: socket.getaddrinfo('deb.debian.org', 80))):
    try:
        print(what, 'worked', attempt())
    except OSError as error:
        print(what, 'failed')
"""
        play = PLAY.replace('echo hello from the node', 'python3 src/local/demo/look.py')
        folder = self.make_project({'.zuul.yaml': JOB, 'playbooks/run.yaml': play, 'look.py': look})
        output = self.zuul_local('run', 'demo', '--offline', folder=folder)
        for expected in ('(debian-bookworm-offline)', '| default routes: []', '| connect failed', '| resolve failed'):
            self.assertIn(expected, output)

    def test_job_of_another_repository_with_a_parent_in_this_library(self) -> None:
        other = self.make_project({
            'zuul.d/jobs.yaml': '''\
- job:
    name: shared-tox
    parent: tox-py311
    vars:
      tox_envlist: special
    roles:
      - zuul: example.org/team/shared
''', 'roles/unused/tasks/main.yaml': '[]\n'}, name='shared')
        folder = self.make_project({'tox.ini': '''\
[testenv:special]
skip_install = true
commands = python -c 'print("special env ran")'
'''}, name='consumer')
        output = self.zuul_local('run', 'shared-tox', '--with', f'example.org/team/shared={other}', folder=folder)
        self.assertIn('special env ran', output)

    def test_branch_that_the_library_does_not_have(self) -> None:
        folder = self.make_project()
        self.git(folder, 'checkout', '-q', '-b', 'feature/ü#1')
        self.assertIn('branch feature/ü#1', self.zuul_local('run', 'demo', folder=folder))

    def test_variables_and_secrets_of_the_command_line(self) -> None:
        job = JOB.replace('    run:', '    vars: {word: original}\n    secrets: [login]\n    run:') + '''\
- secret:
    name: login
    data: {password: public, user: me}
'''
        play = '''\
- hosts: all
  gather_facts: false
  tasks:
    - name: Say the word
      ansible.builtin.command: "echo word is {{ word }}, password has {{ login.password | length }} characters"
    - name: Leak it
      ansible.builtin.command: "echo {{ login.password }}"
'''
        folder = self.make_project({'.zuul.yaml': job, 'playbooks/run.yaml': play})
        refusal = self.zuul_local('run', 'demo', folder=folder, code=2)
        self.assertIn('--secret login=FILE', refusal)
        (self.top / 'login.yaml').write_text('password: hunter22hunter22\nuser: me\n')
        given = ('--var', 'word=mine', '--secret', f'login={self.top}/login.yaml')
        output = self.zuul_local('run', 'demo', *given, folder=folder)
        self.assertIn('word is mine, password has 16 characters', output)
        for text in (output, *(path.read_text(errors='replace') for path in self.published(folder).rglob('*')
                               if path.is_file())):
            self.assertNotIn('hunter22hunter22', text)
        self.assertIn('Secret detected in output', output)

    def test_job_that_must_not_show_its_secret_ends(self) -> None:
        job = JOB.replace('    run:', '''\
    nodeset: {nodes: []}
    secret-exposure: fail
    secrets: [login]
    run:''') + '- secret: {name: login, data: {password: public}}\n'
        play = PLAY.replace('hosts: all', 'hosts: localhost')
        play = play.replace('echo hello from the node', 'echo {{ login.password }}')
        play += '    - name: Wait\n      ansible.builtin.command: sleep 600\n'
        folder = self.make_project({'.zuul.yaml': job, 'playbooks/run.yaml': play})
        (self.top / 'login.yaml').write_text('password: hunter22hunter22\n')
        output = self.zuul_local('run', 'demo', '--secret', f'login={self.top}/login.yaml', folder=folder, code=1)
        self.assertIn('SECRET_EXPOSURE   demo', output)

    def test_job_without_nodes_runs_in_the_sandbox(self) -> None:
        job = JOB.replace('    run:', '    nodeset: {nodes: []}\n    run:')
        play = '''\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Look around
      ansible.builtin.command: sh -c 'ls /home /root; cat {{ zuul.executor.work_root }}/src/local/demo/.zuul.yaml; env'
'''
        modules = {f'{name}.py': 'raise SystemExit("a module of the project")'
                   for name in ('argparse', 'json', 'logging', 'secrets', 'yaml', 'zuul', 'zuul_local')}
        folder = self.make_project({**modules, '.zuul.yaml': job, 'playbooks/run.yaml': play})
        output = self.zuul_local('run', 'demo', folder=folder, env={
            'MY_TOKEN': 'do-not-hand-on', 'GIT_DIR': '/nonexistent', 'GIT_INDEX_FILE': '/nonexistent',
            'ANSIBLE_CONFIG': '/nonexistent', 'ANSIBLE_STRATEGY': 'debug', 'SSH_AUTH_SOCK': '/nonexistent'})
        self.assertIn('name: demo', output)
        self.assertNotIn('a module of the project', output)
        self.assertNotIn('do-not-hand-on', output)

    def test_git_of_the_user_runs_nothing_for_the_clones(self) -> None:
        job = JOB.replace('    run:', '    nodeset: {nodes: []}\n    run:')
        folder = self.make_project({'.zuul.yaml': job, 'playbooks/run.yaml': PLAY.replace('all', 'localhost'),
                                    '.gitattributes': '*.big filter=big\n', 'data.big': 'x', 'fix': 'x'})
        self.git(folder, 'branch', 'fix')
        self.git(folder, 'update-ref', 'refs/remotes/origin/fix/1', 'HEAD')
        hooks, called = self.top / 'hooks', self.top / 'called'
        self.write(hooks, {name: f'#!/bin/sh\necho {name} >> {called}\n'
                           for name in ('post-checkout', 'post-index-change', 'reference-transaction')})
        for hook in hooks.iterdir():
            hook.chmod(0o755)
        (self.top / '.gitconfig').write_text(
            f'[core]\nhooksPath = {hooks}\n[filter "big"]\nclean = cat\nsmudge = echo smudge >> {called}; false\n'
            'required = true\n')
        cache = os.environ.get('XDG_CACHE_HOME') or str(Path.home() / '.cache')
        self.zuul_local('run', 'demo', folder=folder, env={'HOME': str(self.top), 'XDG_CACHE_HOME': cache})
        self.assertEqual([], called.read_text().splitlines() if called.exists() else [])

    def test_results_as_json(self) -> None:
        folder = self.make_project({'.zuul.yaml': JOB, 'playbooks/run.yaml': PLAY + '''\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Return a result
      zuul_return: {data: {answer: 42}}
'''})
        done = subprocess.run([ZUUL_LOCAL, 'run', 'demo', '--json'], cwd=folder, capture_output=True, text=True,
                              check=False)
        result = json.loads(done.stdout)
        self.assertEqual((0, 'SUCCESS', {'answer': 42}), (done.returncode, result['result'], result['data']))
