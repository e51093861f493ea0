# SPDX-License-Identifier: Apache-2.0
"""The executor's half: a key, and the agent that holds it."""
from __future__ import annotations

import os
import re
import unittest
from typing import Any
from unittest import mock

from tests.unit.roles import library
from tests.unit.roles.add_build_sshkey import AgentTest

make: Any = library('add-build-sshkey', 'add_build_sshkey_make')


class TestCheck(unittest.TestCase):
    def test_allowed(self) -> None:
        for algorithm, size, name in (('rsa', 3072, 'id_rsa'), ('rsa', 2048, 'build.key'), ('ecdsa', 521, 'id_ecdsa'),
                                      ('ed25519', 1, 'id_ed25519')):
            with self.subTest(algorithm=algorithm, size=size):
                make.check(algorithm, size, name, '/nonexistent/key', '/nonexistent')

    def test_refused(self) -> None:
        for algorithm, size, name, said in (
                ('dsa', 1024, 'id_dsa', "zuul_ssh_key_algorithm is 'dsa': not one of ecdsa, ed25519, rsa"),
                ('rsa', 1024, 'id_rsa', 'zuul_ssh_key_size is 1024: an rsa key has 2048 to 16384 bits'),
                ('ecdsa', 3072, 'id', 'zuul_ssh_key_size is 3072: an ecdsa key has 256, 384, 521 bits'),
                ('rsa', 3072, '../id', "zuul_ssh_key_dest is '../id'"), ('rsa', 3072, '', "zuul_ssh_key_dest is ''"),
                ('rsa', 3072, 'authorized_keys', "zuul_ssh_key_dest is 'authorized_keys'"),
                ('rsa', 3072, 'rc', "zuul_ssh_key_dest is 'rc'"), ('rsa', 3072, 'environment', "is 'environment'"),
                ('rsa', 3072, '-f', "zuul_ssh_key_dest is '-f'"), ('rsa', 3072, 'a b', "zuul_ssh_key_dest is 'a b'")):
            with self.subTest(said), self.assertRaisesRegex(make.Refused, re.escape(said)):
                make.check(algorithm, size, name, '/nonexistent/key', '/nonexistent')

    def test_all_at_once(self) -> None:
        with self.assertRaisesRegex(make.Refused, '3 problems'):
            make.check('dsa', 1, '/', '/etc/key', '/nonexistent')

    def test_outside_of_the_build(self) -> None:
        for path in ('/etc/ssh/key', '/no/such/../etc/key', '/no/such-one/key', 'key', '/key'):
            with self.subTest(path), self.assertRaisesRegex(make.Refused, 'not inside of'):
                make.check('rsa', 3072, 'id', path, '/no/such')


class TestAgentListing(unittest.TestCase):
    def test_cases(self) -> None:
        for listing, inside in (('The agent has no identities.\n', False), ('ssh-rsa AAA here\n', True),
                                ('ssh-rsa BBB x\n', False), ('ssh-rsa BBB x\nssh-rsa AAA\n', True), ('', False)):
            with self.subTest(listing=listing):
                self.assertEqual(make.in_agent('ssh-rsa AAA elsewhere', listing), inside)


class TestProvide(AgentTest):
    def setUp(self) -> None:
        super().setUp()
        self.params = {'path': str(self.root / 'key'), 'algorithm': 'ed25519', 'size': 3072, 'name': 'id',
                       'mark': 'zuul-build-sshkey-1', 'root': str(self.root)}

    def test_a_key_is_made_once(self) -> None:
        first = make.provide(self.params)
        self.assertTrue(first['changed'])
        self.assertEqual(self.comments(), ['zuul-build-sshkey-1'])
        self.assertEqual(first['public_key'].split()[2], 'zuul-build-sshkey-1')
        self.assertEqual((self.root / 'key').stat().st_mode & 0o777, 0o600)
        self.assertEqual(sorted(path.name for path in self.root.iterdir()), ['agent', 'key', 'key.pub'])
        self.assertEqual(make.provide(self.params), dict(first, changed=False))

    def test_a_key_that_was_brought_gets_its_public_half(self) -> None:
        path = self.keygen('key', 'somebody')
        (self.root / 'key.pub').unlink()
        result = make.provide(self.params)
        self.assertEqual((self.root / 'key.pub').read_text(), result['public_key'] + '\n')
        self.assertEqual(self.comments(), ['somebody'])
        self.assertTrue(path.exists())

    def test_a_key_of_another_kind(self) -> None:
        make.provide(self.params)
        with self.assertRaisesRegex(make.Refused, "is 'rsa', but '.*' holds an ssh-ed25519 key"):
            make.provide(dict(self.params, algorithm='rsa'))

    def test_a_link_is_not_followed(self) -> None:
        other = self.keygen('other', 'x')
        (self.root / 'key').symlink_to(other)
        with self.assertRaisesRegex(make.Refused, 'not a regular file. Links are not followed'):
            make.provide(self.params)

    def test_a_key_with_a_passphrase_does_not_ask(self) -> None:
        self.keygen('key', 'x', '-N', 'passphrase')
        with self.assertRaisesRegex(make.Refused, 'ssh-keygen: exit code 255'):
            make.provide(self.params)

    def test_no_agent(self) -> None:
        with mock.patch.dict(os.environ, SSH_AUTH_SOCK='/nonexistent'), \
                self.assertRaisesRegex(make.Refused, 'ssh-add: exit code 2: .*SSH_AUTH_SOCK names it'):
            make.provide(self.params)

    def test_no_folder(self) -> None:
        with self.assertRaises(OSError):
            make.provide(dict(self.params, path=str(self.root / 'none/key')))
