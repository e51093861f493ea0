from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local.lint.role_names import BadFile, roles_used

PLAYBOOK = '''
- import_playbook: more.yaml
- hosts: all
  vars: {secret: !vault x}
  roles:
    - plain
    - role: by-role
      when: something
    - {name: by-name, tags: [a]}
    - "{{ computed }}"
    - ../path/to/role
    - company.collection.role
    - geerlingguy.docker
  pre_tasks:
    - include_role:
        name: included
    - ansible.builtin.include_role: name=short tasks_from=main
    - include_role: {name: conditional}
      when: something
    - import_role: {name: imported}
      when: something
  tasks:
    - block:
        - include_role: {name: in-block}
          loop: [1]
      rescue:
        - include_role: {name: in-rescue}
      when: something
    - include_tasks: tasks/extra.yaml
    - ansible.builtin.import_tasks: "{{ computed }}.yaml"
    - ansible.builtin.command: include_role name=not-one
    - include_role:
      args:
        name: in-args
  handlers:
    - name: Handle
      include_role: {name: in-handler}
- hosts: all
  collections: [company.collection]
  roles: [from-a-collection]
'''
FILES = {
    'playbooks/run.yaml': PLAYBOOK,
    'playbooks/more.yaml': '''
- import_playbook: run.yaml
- hosts: all
  roles: [in-imported-playbook]
''',
    'playbooks/tasks/extra.yaml': '- include_role: {name: in-task-file}\n',
}
EXPECTED = {
    'in-imported-playbook': True, 'plain': True, 'by-role': True, 'by-name': True, 'geerlingguy.docker': True,
    'included': True, 'short': True, 'conditional': False, 'imported': True, 'in-block': False, 'in-rescue': False,
    'in-task-file': True, 'in-args': True, 'in-handler': True,
}


class TestRolesUsed(ScratchCase):
    def test_every_literal_name(self):
        self.write(self.folder, FILES)
        uses = roles_used(self.folder / 'playbooks/run.yaml', self.folder)
        self.assertEqual(EXPECTED, {use.name: use.certain for use in uses})
        for use in uses:
            self.assertIn(use.name, use.path.read_text().splitlines()[use.line - 1])

    def test_nothing_to_find(self):
        for text in ('', 'just text', '{a: b}', '- hosts: all\n  roles: {}\n', '- [1]\n'):
            with self.subTest(text):
                self.write(self.folder, {'run.yaml': text})
                self.assertEqual([], roles_used(self.folder / 'run.yaml', self.folder))

    def test_not_yaml(self):
        self.write(self.folder, {'run.yaml': '- hosts: all\n  roles: [\n'})
        with self.assertRaises(BadFile) as caught:
            roles_used(self.folder / 'run.yaml', self.folder)
        self.assertEqual(self.folder / 'run.yaml', caught.exception.path)
        self.assertTrue(caught.exception.line)

    def test_files_outside_are_left_alone(self):
        self.write(self.folder, {'repo/run.yaml': '- import_playbook: ../other.yaml\n',
                                 'other.yaml': '- hosts: all\n  roles: [a]\n'})
        self.assertEqual([], roles_used(self.folder / 'repo/run.yaml', self.folder / 'repo'))
