# SPDX-License-Identifier: Apache-2.0
"""A private key on its way to the agent."""
from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library
from tests.unit.roles.add_build_sshkey import AgentTest

add: Any = library('add-sshkey', 'add_sshkey')


class TestProvide(AgentTest):
    def setUp(self) -> None:
        super().setUp()
        self.scratch = Path(tempfile.mkdtemp(dir=self.root))
        patch = mock.patch.object(tempfile, 'tempdir', str(self.scratch))
        patch.start()
        self.addCleanup(patch.stop)
        self.addCleanup(lambda: self.assertEqual(list(self.scratch.glob('*')), []))

    def test_every_format_gets_the_name(self) -> None:
        formats = ('-t', 'ed25519'), ('-t', 'rsa', '-m', 'PEM'), ('-t', 'ecdsa', '-m', 'PKCS8')
        for number, options in enumerate(formats):
            with self.subTest(options):
                key = self.keygen(f'key{number}', 'own comment', *options).read_text()
                self.assertTrue(add.provide(key, f'called {number}')['changed'])
                self.assertEqual(self.comments()[-1], f'called {number}')
                self.assertFalse(add.provide(key.replace('\n', '\r\n'), f'called {number}')['changed'])

    def test_another_name_replaces_the_first(self) -> None:
        key = self.keygen('key', 'x').read_text()
        add.provide(key, 'one')
        self.assertTrue(add.provide(key, 'two')['changed'])
        self.assertEqual(self.comments(), ['two'])

    def test_the_private_half_is_in_no_argument(self) -> None:
        key = self.keygen('key', 'x').read_text()
        with mock.patch.object(subprocess, 'run', wraps=subprocess.run) as run:
            add.provide(key, 'one')
        words = ' '.join(str(call) for call in run.call_args_list)
        self.assertFalse([line for line in key.splitlines()[1:-1] if line in words])

    def test_refused_without_a_word_of_it(self) -> None:
        locked = self.keygen('key', 'x', '-N', 'passphrase').read_text()
        for key in ('', 'SECRET', locked,
                    '-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET\n-----END OPENSSH PRIVATE KEY-----'):
            with self.subTest(key[:50]), self.assertRaisesRegex(
                    add.Refused, 'ssh_key.ssh_private_key is no private key that ssh can use') as caught:
                add.provide(key, 'one')
            self.assertFalse([line for line in key.splitlines() if line and line in str(caught.exception)])

    def test_no_agent(self) -> None:
        key = self.keygen('key', 'x').read_text()
        with mock.patch.dict(os.environ, SSH_AUTH_SOCK='/nonexistent'), \
                self.assertRaisesRegex(add.Refused, 'ssh-add: exit code 2: .*SSH_AUTH_SOCK names it'):
            add.provide(key, 'one')
