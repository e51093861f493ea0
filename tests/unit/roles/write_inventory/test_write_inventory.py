# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleUndefinedVariable

from tests.unit.roles import ROLES, plugin

action = plugin('write-inventory', 'action', 'write_inventory')
NONE = action.Secrets(set(), set())
HOST: dict[str, Any] = {
    'ansible_host': '192.0.2.1', 'ansible_port': 22, 'ansible_password': 'hush', 'groups': {'all': ['a']},
    'ansible_facts': {'x': 1}, 'ansible_distribution': 'Debian', 'inventory_hostname': 'a', 'pypi': {'user': 'me'},
    'nodepool': {'public_ipv4': None, 'private_ipv4': '192.0.2.1', 'api_key': 'hush', 'slot': 1.5, 'ok': True}}


class Lazy(dict[str, Any]):
    """Variables as Ansible hands them over: some are found to have no value when they are looked at."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if value == 'undefined':
            raise AnsibleUndefinedVariable('nothing')
        return value


def wishes(**changes: Any) -> Any:
    return action.Wishes(None, [], {}, {})._replace(**changes)


def written(hostvars: dict[str, Any], secrets: Any = NONE, **changes: Any) -> tuple[dict[str, Any], list[str]]:
    text, left_out = action.inventory(list(hostvars), hostvars, wishes(**changes), secrets)
    return yaml.safe_load(text)['all']['hosts'], left_out


class TestInventory(unittest.TestCase):
    def test_what_is_asked_for(self) -> None:
        everything = {'ansible_host': '192.0.2.1', 'ansible_port': 22, 'ansible_distribution': 'Debian',
                      'pypi': {'user': 'me'},
                      'nodepool': {'public_ipv4': None, 'private_ipv4': '192.0.2.1', 'slot': 1.5, 'ok': True}}
        for changes, expected in (
                ({}, everything),
                ({'exclude': ['nodepool', 'pypi', 'ansible_distribution']},
                 {'ansible_host': '192.0.2.1', 'ansible_port': 22}),
                ({'include': []}, {}),
                ({'include': ['ansible_port', 'nobody_has_it']}, {'ansible_port': 22}),
                ({'include': ['ansible_port'], 'exclude': ['ansible_port']}, {}),
                ({'include': [], 'additional': {'v4': 'nodepool.public_ipv4', 'me': 'pypi.user', 'h': 'ansible_host'}},
                 {'v4': None, 'me': 'me', 'h': '192.0.2.1'}),
                ({'include': [], 'per_host': {'a': {'x': [1, {'y': 'z'}]}}}, {'x': [1, {'y': 'z'}]}),
                ({'include': ['inventory_hostname']}, {'inventory_hostname': 'a'})):
            with self.subTest(changes=changes):
                self.assertEqual(written({'a': HOST}, **changes)[0], {'a': expected})
        self.assertEqual(written({'a': HOST})[1], ['ansible_password'])
        self.assertEqual(written({'a': HOST, 'b': {'x': 1}}, include=['x'])[0], {'a': {}, 'b': {'x': 1}})

    def test_secrets_of_the_playbook(self) -> None:
        secrets = action.secrets_of('pypi: {user: somebody, password: !unsafe hushhush, pin: 7}\nplain: top-secret\n')
        self.assertEqual(secrets, action.Secrets({'pypi', 'plain'}, {'hushhush', 'top-secret'}))
        hostvars = {'a': {**HOST, 'plain': 'x', 'url': 'see hushhush', 'deep': [{'y': ('hushhush',)}],
                          'who': 'somebody'}}
        hosts, left_out = written(hostvars, secrets)
        self.assertNotIn('hush', str(hosts))
        self.assertEqual(left_out, ['ansible_password', 'deep', 'plain', 'pypi', 'url'])
        self.assertEqual(hosts['a']['who'], 'somebody')
        with self.assertRaisesRegex(action.Refused, "'url' of host 'a' cannot be written: there is a secret of this"):
            written(hostvars, secrets, include=['url'])
        with self.assertRaisesRegex(action.Refused, "'u' of host 'a' cannot be written: there is a secret of this"):
            written(hostvars, secrets, additional={'u': 'url'})
        self.assertEqual(action.secrets_of(''), NONE)

    def test_what_has_no_value(self) -> None:
        hostvars = {'a': Lazy(x='undefined', y=1)}
        self.assertEqual(written(hostvars), ({'a': {'y': 1}}, ['x']))
        with self.assertRaisesRegex(action.Refused, "problem:\n  - variable 'x' of host 'a' cannot be written: it has"):
            written(hostvars, include=['x', 'y'])
        for path in ('nodepool.there_is_none', 'ansible_host.x', 'none', ''):
            with self.subTest(path=path), self.assertRaisesRegex(action.Refused, f"there is no variable '{path}'"):
                written({'a': HOST}, additional={'v': path})

    def test_what_is_no_plain_text(self) -> None:
        class Marked(str):
            """As Ansible's own kinds of text."""

            def __str__(self) -> str:
                return self

        text, _ = action.inventory(['a'], {'a': {
            Marked('m'): Marked('it'), 't': ('x', {1}), 'j': '{{ lookup("pipe", "id") }}', 'b': '{% raw %}', 'c': '{#',
            'n': {Marked('k'): Marked('{{')}, 'e': '\x1b\n', 'o': object}}, wishes(), NONE)
        self.assertNotIn('\x1b', text)
        self.assertNotIn('python', text)
        self.assertEqual(text.count('!unsafe'), 4)
        self.assertIn('k: !unsafe', text)
        with self.assertRaises(yaml.YAMLError):
            yaml.safe_load(text)


class TestWishes(unittest.TestCase):
    def test_what_is_refused(self) -> None:
        secrets = action.Secrets({'pypi'}, {'hushhush'})
        for dest, changes, expected in (
                (' ', {}, "dest is ' ': no file."),
                ('/x', {'include': ['ansible_password']}, "include_hostvars names 'ansible_password': that is"),
                ('/x', {'include': ['pypi']}, "include_hostvars names 'pypi': that is"),
                ('/x', {'additional': {'x': 'pypi.user'}}, "additional_hostvars names 'pypi.user': that is"),
                ('/x', {'additional': {'x': 'a.token'}}, "additional_hostvars names 'a.token': that is"),
                ('/x', {'per_host': {'b': {}}}, "per_host_hostvars has 'b': not a host of this build. There are a."),
                ('/x', {'per_host': {'a': {'token': 1}}}, "per_host_hostvars has 'token' for 'a': that has"),
                ('/x', {'per_host': {'a': {'x': ['hushhush']}}}, "per_host_hostvars has 'x' for 'a': that has")):
            with self.subTest(changes=changes), self.assertRaises(action.Refused) as caught:
                action.check(wishes(**changes), dest, secrets, ['a'])
            self.assertIn(f'cannot continue, 1 problem:\n  - write_inventory_{expected}', str(caught.exception))
            self.assertNotIn('hushhush', str(caught.exception))
        action.check(wishes(include=['x'], additional={'y': 'z.a'}, per_host={'a': {'x': 'y'}}), '/x', secrets, ['a'])

    def test_names_of_secrets_are_those_of_log_inventory(self) -> None:
        other = plugin('log-inventory', 'action', 'log_inventory')
        self.assertEqual(inspect.getsource(action.is_secret), inspect.getsource(other.is_secret))
        self.assertEqual(action._SECRET, other._SECRET)


class TestFailure(unittest.TestCase):
    def test_what_the_node_said(self) -> None:
        for answer, expected in (({}, 'write-inventory: the node did not answer'), ({'msg': 'why'}, 'why'),
                                 ({'msg': 'MODULE FAILURE', 'module_stderr': 'No space left\n', 'module_stdout': ''},
                                  'MODULE FAILURE\nNo space left')):
            with self.subTest(answer=answer):
                self.assertEqual(action.failure(answer), expected)


class TestPlaybook(unittest.TestCase):
    def test_secrets_beside_the_inventory(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / 'group_vars').mkdir()
            (folder / 'group_vars/all.yaml').write_text('pypi: {user: me, password: !unsafe hushhush}\n')
            (folder / 'inventory.yaml').write_text(json.dumps({'all': {'hosts': {'a': {
                'ansible_connection': 'local', 'ansible_python_interpreter': sys.executable,
                'mine': 'it is {{ pypi.password }}', 'other': '{{ pypi.user }}'}}}}))
            (folder / 'play.yaml').write_text(json.dumps([{'hosts': 'a', 'gather_facts': False, 'tasks': [{
                'ansible.builtin.include_role': {'name': 'write-inventory'},
                'vars': {'write_inventory_dest': f'{folder}/written.yaml'}}]}]))
            done = subprocess.run(
                [str(Path(sys.executable).with_name('ansible-playbook')), '-v', '-i', f'{folder}/inventory.yaml', '-e',
                 '{"zuul": {"build": "b"}}', f'{folder}/play.yaml'],
                capture_output=True, text=True, timeout=120, check=False,
                env={**os.environ, 'ANSIBLE_ROLES_PATH': str(ROLES), 'ANSIBLE_HOME': name, 'HOME': name})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn('1 host; left out: mine, pypi', done.stdout)
            text = (folder / 'written.yaml').read_text()
            self.assertNotIn('hush', text + done.stdout)
            host = yaml.safe_load(text)['all']['hosts']['a']
            self.assertEqual((host['other'], host['zuul']), ('me', {'build': 'b'}))
            self.assertFalse({'groups', 'playbook_dir', 'mine', 'pypi'} & set(host))


if __name__ == '__main__':
    unittest.main()
