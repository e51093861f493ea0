# SPDX-License-Identifier: Apache-2.0
"""The executor's half: a key, and the agent that holds it."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library

make: Any = library('add-build-sshkey', 'add_build_sshkey_make')


class TestCheck(unittest.TestCase):
    def test_allowed(self) -> None:
        for algorithm, size, name in (('rsa', 3072, 'id_rsa'), ('rsa', 2048, 'build.key'), ('ecdsa', 521, 'id_ecdsa'),
                                      ('ed25519', 1, 'id_ed25519')):
            with self.subTest(algorithm=algorithm, size=size):
                make.check(algorithm, size, name)

    def test_refused(self) -> None:
        for algorithm, size, name, said in (
                ('dsa', 1024, 'id_dsa', "zuul_ssh_key_algorithm is 'dsa': not one of ecdsa, ed25519, rsa"),
                ('rsa', 1024, 'id_rsa', 'zuul_ssh_key_size is 1024: an rsa key has 2048 to 16384 bits'),
                ('ecdsa', 3072, 'id', 'zuul_ssh_key_size is 3072: an ecdsa key has 256, 384, 521 bits'),
                ('rsa', 3072, '../id', "zuul_ssh_key_dest is '../id'"), ('rsa', 3072, '', "zuul_ssh_key_dest is ''"),
                ('rsa', 3072, 'authorized_keys', "zuul_ssh_key_dest is 'authorized_keys'"),
                ('rsa', 3072, '-f', "zuul_ssh_key_dest is '-f'"), ('rsa', 3072, 'a b', "zuul_ssh_key_dest is 'a b'")):
            with self.subTest(said), self.assertRaisesRegex(make.Refused, re.escape(said)):
                make.check(algorithm, size, name)

    def test_all_at_once(self) -> None:
        with self.assertRaisesRegex(make.Refused, '2 problems'):
            make.check('dsa', 1, '/')


class TestAgentListing(unittest.TestCase):
    def test_cases(self) -> None:
        empty = 'The agent has no identities.\n'
        for listing, inside, others in ((empty, False, False), ('ssh-rsa AAA here\n', True, False),
                                        ('ssh-rsa BBB x\n', False, True), ('ssh-rsa BBB x\nssh-rsa AAA\n', True, True),
                                        ('', False, False)):
            with self.subTest(listing=listing):
                self.assertEqual(make.in_agent('ssh-rsa AAA elsewhere', listing), inside)
                self.assertEqual(make.others_in_agent('ssh-rsa AAA elsewhere', listing), others)


class TestProvide(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        if not shutil.which('ssh-agent'):
            self.skipTest('no ssh here')
        socket = self.root / 'agent'
        agent = subprocess.Popen(['ssh-agent', '-D', '-a', str(socket)], stdout=subprocess.DEVNULL)
        self.addCleanup(agent.wait)
        self.addCleanup(agent.terminate)
        patch = mock.patch.dict(os.environ, SSH_AUTH_SOCK=str(socket))
        patch.start()
        self.addCleanup(patch.stop)
        while not socket.exists():
            pass
        self.params = {'path': str(self.root / 'key'), 'algorithm': 'ed25519', 'size': 3072, 'name': 'id',
                       'only_key': False}

    def listed(self) -> str:
        return subprocess.run(['ssh-add', '-L'], capture_output=True, text=True).stdout

    def test_a_key_is_made_once(self) -> None:
        first = make.provide(self.params)
        self.assertTrue(first['changed'])
        self.assertIn(make.body(first['public_key']), self.listed())
        self.assertEqual((self.root / 'key').stat().st_mode & 0o777, 0o600)
        self.assertEqual(sorted(path.name for path in self.root.iterdir()), ['agent', 'key', 'key.pub'])
        self.assertEqual(make.provide(self.params), dict(first, changed=False))

    def test_the_agent_forgets_all_others(self) -> None:
        other = str(self.root / 'other')
        make.provide(dict(self.params, path=other))
        mine = make.provide(self.params)
        self.assertEqual(len(self.listed().splitlines()), 2)
        self.assertTrue(make.provide(dict(self.params, only_key=True))['changed'])
        self.assertEqual(make.body(self.listed()), make.body(mine['public_key']))
        self.assertFalse(make.provide(dict(self.params, only_key=True))['changed'])

    def test_a_key_of_another_kind(self) -> None:
        make.provide(self.params)
        with self.assertRaisesRegex(make.Refused, "is 'rsa', but '.*' holds an ssh-ed25519 key"):
            make.provide(dict(self.params, algorithm='rsa'))

    def test_no_agent(self) -> None:
        with mock.patch.dict(os.environ, SSH_AUTH_SOCK='/nonexistent'), \
                self.assertRaisesRegex(make.Refused, 'ssh-add: exit code 2: .*SSH_AUTH_SOCK names it'):
            make.provide(self.params)

    def test_no_folder(self) -> None:
        with self.assertRaises(OSError):
            make.provide(dict(self.params, path='/nonexistent/key'))
