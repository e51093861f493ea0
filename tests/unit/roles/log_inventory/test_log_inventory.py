# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect
import unittest

import yaml

from tests.unit.roles import plugin

action = plugin('log-inventory', 'action', 'log_inventory')
KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----'


class TestMasking(unittest.TestCase):
    def test_names(self) -> None:
        for name in ('ansible_password', 'ansible_ssh_pass', 'ansible_become_pass', 'become_password', 'PASSWORD',
                     'dbPassword', 'ansible_ssh_private_key_file', 'private-key', 'privateKey', 'api_key', 'apikey',
                     'secret', 'my.secrets', 'GITHUB_TOKEN', 'token', 'docker_credentials', 'aws_secret_access_key',
                     'ssh_key', 'auth', 'key passphrase', 'password_hash', 'afs_creds'):
            with self.subTest(name=name):
                self.assertTrue(action.is_secret(name))
        for name in ('compass', 'passed', 'bypass_checks', 'tokenize', 'secretary', 'public_key', 'key', 'author',
                     'ssh_key_name', 'secret_exposure', 'zuul_ssh_key_algorithm', 'password_length', 'passes',
                     'keyboard', 'host_keys', '1'):
            with self.subTest(name=name):
                self.assertFalse(action.is_secret(name))

    def test_values(self) -> None:
        for value, expected in (
                ({'a_password': 'x'}, {'a_password': action.MASK}),
                ({'a_password': None, 'b_token': True, 'c_secret': ''},
                 {'a_password': None, 'b_token': True, 'c_secret': ''}),
                ({'pin_token': 1234}, {'pin_token': action.MASK}),
                ({'secrets': {'user': 'me', 'list': ['x', {'y': 'z'}]}},
                 {'secrets': {'user': action.MASK, 'list': [action.MASK, {'y': action.MASK}]}}),
                ({'hosts': [{'ansible_password': 'x', 'ansible_host': 'h'}]},
                 {'hosts': [{'ansible_password': action.MASK, 'ansible_host': 'h'}]}),
                (f'a {KEY} b', f'a {action.MASK} b'),
                ('-----BEGIN RSA PRIVATE KEY-----\ncut', action.MASK),
                ('-----BEGIN PUBLIC KEY-----\nabc', '-----BEGIN PUBLIC KEY-----\nabc'),
                ('https://me:it@example.org/x?y=a:b@c', f'https://{action.MASK}@example.org/x?y=a:b@c'),
                ('https://me@example.org/', 'https://me@example.org/'),
                ('https://example.org:80/a@b', 'https://example.org:80/a@b'),
                (7, 7), (None, None)):
            with self.subTest(value=value):
                self.assertEqual(action.masked(value), expected)

    def test_an_inventory(self) -> None:
        text = ('all:\n  hosts:\n    a: {ansible_ssh_pass: hush, n: !unsafe "{{ x }}\\e[31m", v: !vault "abc"}\n'
                '  vars:\n    zuul: {build: "12345", date: 2024-01-01}\n    list: !x [1, {b_token: hush}]\n')
        told = action.without_secrets(text)
        self.assertNotIn('hush', told)
        self.assertNotRegex(told, '[\x00-\x09\x0b-\x1f\x7f-\U0010ffff]')
        read = yaml.safe_load(told)
        self.assertEqual(read['all']['hosts']['a']['n'], '{{ x }}\x1b[31m')
        self.assertEqual(read['all']['vars']['zuul']['build'], '12345')
        for broken in ('a: [', 'a: b: c', '\x00', '!!python/object/apply:os.system ["id"]'):
            with self.subTest(broken=broken), self.assertRaises(yaml.YAMLError):
                action.without_secrets(broken)

    def test_writing_is_that_of_validate_host(self) -> None:
        self.assertEqual(inspect.getsource(action.write_below),
                         inspect.getsource(plugin('validate-host', 'action', 'validate_host').write_below))


if __name__ == '__main__':
    unittest.main()
