# SPDX-License-Identifier: Apache-2.0
"""The session with the node."""
from __future__ import annotations

import itertools
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from typing import Any

from tests.unit.roles import ROLES, module_utils

ssh: Any = module_utils('prepare_workspace_git_ssh')

NODE = {'host': '192.0.2.1', 'port': '22', 'user': 'zuul', 'python': '/usr/bin/python3', 'ssh_executable': 'ssh',
        'ssh_args': '-o UserKnownHostsFile="/a b/known_hosts"', 'control_dir': '/jobdir/cp', 'private_key_file': ''}


class TestCommand(unittest.TestCase):
    def test_the_connection_of_ansible_is_used_but_never_started(self) -> None:
        argv = ssh.ssh_command(NODE)
        self.assertEqual(argv[0], 'ssh')
        # The first value that ssh reads for an option is the one that counts.
        options = [argv[place + 1] for place, word in enumerate(argv) if word == '-o']
        first: dict[str, str] = {}
        for option in options:
            first.setdefault(*option.split('=', 1))
        self.assertEqual(first['ControlMaster'], 'no')
        self.assertTrue(first['ControlPath'].startswith('/jobdir/cp/'))
        self.assertEqual(first['UserKnownHostsFile'], '/a b/known_hosts')
        self.assertEqual(argv[-3:-1], ('--', '192.0.2.1'))
        self.assertIn(('-l', 'zuul'), list(itertools.pairwise(argv)))

    def test_what_is_not_known_is_not_said(self) -> None:
        argv = ssh.ssh_command(dict(NODE, port='', user='', control_dir='', ssh_args=''))
        self.assertFalse({'-p', '-l', '-i'} & set(argv))
        self.assertFalse([word for word in argv if word.startswith('ControlPath')])

    def test_an_interpreter_with_odd_characters_is_quoted(self) -> None:
        remote = ssh.ssh_command(dict(NODE, python='/a b/$(python)'))[-1]
        self.assertTrue(remote.startswith("exec '/a b/$(python)' -c "), remote)

    def test_the_control_socket_is_the_one_of_ansible(self) -> None:
        try:
            from ansible.plugins.connection.ssh import Connection
        except ImportError:
            self.skipTest('no Ansible here')
        expected = Connection._create_control_path('192.0.2.1', 22, 'zuul') % {'directory': '/cp'}
        self.assertEqual(ssh.control_path('/cp', '192.0.2.1', '22', 'zuul'), expected)
        expected = Connection._create_control_path('node', None, None) % {'directory': '/cp'}
        self.assertEqual(ssh.control_path('/cp', 'node', '', ''), expected)


class TestSession(unittest.TestCase):
    program = f'import sys\nsys.stdout.buffer.write({ssh.READY!r})\nsys.stdout.flush()\n'

    def session(self, before: str = '', program: str = '') -> Any:
        remote = ssh.ssh_command(NODE)[-1].replace('/usr/bin/python3', sys.executable, 1)
        session = ssh.Session(('sh', '-c', before + remote))
        session.start(program or self.program)
        return session

    def test_what_a_login_script_says_is_skipped(self) -> None:
        session = self.session('echo Welcome; echo; printf Hello; ',
                               self.program + 'print(sys.stdin.readline().upper(), end="")')
        session.write(b'hello\n')
        session.greet()
        self.assertEqual(session.reader.readline(), b'HELLO\n')
        self.assertEqual(session.close(), 0)

    def test_no_program_starts(self) -> None:
        with self.assertRaisesRegex(ssh.NodeError, r'no Python program.*exit code 255\): no such user'):
            self.session('echo no such user >&2; exit 255; ').greet()

    def test_the_other_end_dies(self) -> None:
        session = self.session(program=self.program + 'sys.exit("out of memory")')
        session.greet()
        self.assertEqual(session.reader.readline(), b'')
        with self.assertRaisesRegex(ssh.NodeError, r'it stopped \(exit code 1\): out of memory'):
            session.fail('it stopped')

    def test_no_ssh(self) -> None:
        with self.assertRaisesRegex(ssh.NodeError, 'cannot start /nonexistent'):
            ssh.Session(('/nonexistent',))


class TestConnect(unittest.TestCase):
    """A script stands in for ssh: it fails as often as it is told to, and then is the node."""

    def connect(self, failures: int, code: int) -> tuple[Any, int]:
        """Return the session or what was raised, and how often ssh was called."""
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.object(ssh, '_WAITS', (0.01, 0.01)):
            program, calls = pathlib.Path(folder, 'ssh'), pathlib.Path(folder, 'calls')
            program.write_text(f'#!/bin/sh\necho >> {calls}\n'
                               f'[ $(wc -l < {calls}) -gt {failures} ] || {{ echo refused >&2; exit {code}; }}\n'
                               'while [ "$1" != -- ]; do shift; done\nexec sh -c "$3"\n')
            program.chmod(0o755)
            node = dict(NODE, ssh_executable=str(program), python=sys.executable)
            agent = TestSession.program + 'print(sys.stdin.readline().upper(), end="")'
            try:
                result = ssh.connect(node, agent, b'hello\n')
            except ssh.NodeError as error:
                result = error
            return result, len(calls.read_text())

    def test_a_server_that_refuses_for_a_moment(self) -> None:
        session, calls = self.connect(2, 255)
        self.assertEqual((session.reader.readline(), session.close(), calls), (b'HELLO\n', 0, 3))

    def test_a_server_that_goes_on_to_refuse(self) -> None:
        error, calls = self.connect(9, 255)
        self.assertEqual(calls, 3)
        self.assertIsInstance(error, ssh.NotReached)
        self.assertRegex(str(error), r'exit code 255\): refused')

    def test_a_node_without_python_is_not_asked_again(self) -> None:
        error, calls = self.connect(9, 127)
        self.assertEqual(calls, 1)
        self.assertNotIsInstance(error, ssh.NotReached)

    def test_an_open_quote(self) -> None:
        with self.assertRaisesRegex(ssh.NodeError, 'ansible_ssh_extra_args'):
            ssh.connect(dict(NODE, ssh_args="-o 'User=me"), '', b'')


class TestCopies(unittest.TestCase):
    def test_both_roles_carry_the_same_file(self) -> None:
        mine, other = (ROLES / role / 'module_utils' / f'{role.replace("-", "_")}_ssh.py'
                       for role in ('prepare-workspace-git', 'fetch-output'))
        self.assertEqual(subprocess.run(['cmp', mine, other], capture_output=True, text=True).stdout, '')
