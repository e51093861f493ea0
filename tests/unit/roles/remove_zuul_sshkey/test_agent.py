# SPDX-License-Identifier: Apache-2.0
"""Which keys an agent forgets, and that it does."""
from __future__ import annotations

import os
import subprocess
import unittest
from typing import Any
from unittest import mock

from tests.unit.roles import library
from tests.unit.roles.add_build_sshkey import AgentTest, line, material

agent: Any = library('remove-zuul-sshkey', 'remove_zuul_sshkey')


class TestChosen(unittest.TestCase):
    def test_cases(self) -> None:
        keys = agent.keys_in('\n'.join((
            line('site', '/var/lib/zuul/ssh/id'), line('project', '(stdin)'),
            line('secret', '(stdin) add-sshkey a.example'), line('build', 'zuul-build-sshkey-1'), line('bare'),
            line('fake', 'x (stdin)'))))
        for keep, forget, gone in (
                ([], None, [key.comment for key in keys]),
                (['zuul-build-sshkey-1', '(stdin)*'], None, ['/var/lib/zuul/ssh/id', '', 'x (stdin)']),
                ([material('build')], [], []), ([], [''], []), ([], ['(stdin)'], ['(stdin)']),
                ([], [material('bare')], ['']),
                ([], ['(stdin) add-sshkey*'], ['(stdin) add-sshkey a.example'])):
            with self.subTest(keep=keep, forget=forget):
                self.assertEqual([key.comment for key in agent.chosen(keys, keep, forget)], gone)

    def test_no_keys(self) -> None:
        self.assertEqual(agent.keys_in('The agent has no identities.\n'), [])


class TestAgent(AgentTest):
    def setUp(self) -> None:
        super().setUp()
        for name in ('one', 'two'):
            subprocess.run(['ssh-add', '-q', str(self.keygen(name, f'called {name}'))], check=True)

    def test_it_forgets(self) -> None:
        agent.forget_keys(agent.chosen(agent.listed(), ['called two'], None))
        self.assertEqual(self.comments(), ['called two'])
        agent.forget_keys(agent.chosen(agent.listed(), [], None))
        self.assertEqual(self.comments(), [])
        agent.forget_keys([])

    def test_a_key_that_stays_is_told(self) -> None:
        keys = agent.listed()
        with mock.patch.object(agent, 'run', side_effect=['', '\n'.join(key.line for key in keys)]), \
                self.assertRaisesRegex(agent.Refused, 'the agent still has called one'):
            agent.forget_keys(keys[:1])

    def test_a_file_names_a_key(self) -> None:
        self.assertEqual(agent.material_of(str(self.root / 'one.pub')), [agent.listed()[0].material])
        (self.root / 'link').symlink_to(self.root / 'one.pub')
        for path in ('link', 'none'):
            self.assertEqual(agent.material_of(str(self.root / path)), [])

    def test_no_agent(self) -> None:
        with mock.patch.dict(os.environ, SSH_AUTH_SOCK='/nonexistent'), \
                self.assertRaisesRegex(agent.Refused, 'ssh-add: exit code 2: .*SSH_AUTH_SOCK names it'):
            agent.listed()
