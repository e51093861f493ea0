"""What a project says never decides what the playbooks with trust run, make safe or publish."""

from __future__ import annotations

import json

import yaml

from tests.functional.support import LIBRARY, RunnerTest

#: what a job may say about Ansible itself (Zuul refuses some other names), each naming a program of the project
ANSIBLE = {
    'ansible_become': True,
    'ansible_become_user': 'nobody',
    'ansible_become_exe': '{program}',
    'ansible_sudo_exe': '{program}',
    'ansible_ssh_executable': '{program}',
    'ansible_sftp_executable': '{program}',
    'ansible_scp_executable': '{program}',
    'ansible_ssh_args': "-o ProxyCommand='{program} %h'",
    'ansible_ssh_common_args': "-o ProxyCommand='{program} %h'",
    'ansible_ssh_extra_args': "-o ProxyCommand='{program} %h'",
    'ansible_ssh_pkcs11_provider': '{program}',
}
PROGRAM = '''\
#!/bin/sh
# Tells when it was run, and by whom.
{ echo "$0 $*"; tr '\\0' ' ' < /proc/$PPID/cmdline; echo; } >> {folder}/was-run
exit 1
'''
PLAY = '''\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Leave a link
      ansible.builtin.file:
        src: /etc/passwd
        dest: "{{ zuul.executor.log_root }}/link"
        state: link
      vars: {ansible_become: false}
    - name: Say everything otherwise
      ansible.builtin.set_fact:
'''


class TestTrust(RunnerTest):
    def test_no_variable_and_no_fact_of_a_project_has_an_effect(self) -> None:
        program = self.top / 'program'
        said: dict[str, object] = {name: value.format(program=program) if isinstance(value, str) else value
                                   for name, value in ANSIBLE.items()}
        poison = {**self.parameters(), **said}
        job = [{'job': {'name': 'demo', 'parent': 'base', 'run': 'playbooks/run.yaml', 'vars': poison}},
               {'project': {'check': {'jobs': ['demo']}}}]
        folder = self.make_project({
            '.zuul.yaml': yaml.safe_dump(job),
            'playbooks/run.yaml': PLAY + ''.join(f'        {name}: {json.dumps(value)}\n' for name, value in {
                **poison, 'cacheable': True}.items())})
        self.write(self.top, {'program': PROGRAM.replace('{folder}', str(self.top))})
        program.chmod(0o755)
        self.top.chmod(0o777)
        output = self.zuul_local('run', 'demo', folder=folder)
        self.assertIn('SUCCESS', output)
        self.assertFalse((self.top / 'was-run').exists())
        record = json.loads(self.published(folder, 'sanitize-output.json').read_text())
        self.assertEqual(record['dropped']['first'], [{'path': 'link', 'why': 'a link'}])

    def parameters(self) -> dict[str, object]:
        """Every parameter of the roles that run beside secrets, with a value that would do harm."""
        harm = {'path': '/', 'str': '{{ lookup("file", "/etc/passwd") }}', 'list': ['link'], 'int': 1, 'bool': True}
        found = {}
        for role in (LIBRARY / 'config-project/roles.list').read_text().split('\n'):
            if role and not role.startswith('#'):
                spec = yaml.safe_load((LIBRARY / 'roles' / role / 'meta/argument_specs.yaml').read_text())
                for name, option in (spec['argument_specs']['main'].get('options') or {}).items():
                    found[name] = harm[option['type']]
        return found
