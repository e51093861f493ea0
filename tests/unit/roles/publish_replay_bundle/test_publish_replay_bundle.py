# SPDX-License-Identifier: Apache-2.0
"""What a bundle tells of a build, and that it cannot be led astray."""
from __future__ import annotations

import inspect
import json
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import plugin

module: Any = plugin('publish-replay-bundle', 'action', 'publish_replay_bundle')
log_inventory: Any = plugin('log-inventory', 'action', 'log_inventory')
COMMIT = 'c' * 40
INVENTORY: dict[str, Any] = {'all': {
    'children': {'zuul_unreachable': {'hosts': {}}, 'workers': {'hosts': {'two': None, 'one': None}}},
    'hosts': {'one': {'ansible_host': '10.0.0.2', 'nodepool': {'label': 'debian-bookworm'}, 'colour': 'red', 'only': 1,
                      'db_password': 'x'},
              'two': {'nodepool': {'label': 'debian-trixie'}, 'colour': 'blue'}},
    'vars': {
        'colour': 'blue', 'tox_envlist': 'py311', 'api_token': 's3cret',
        'mirror': 'https://me:pw@example.org/', 'empty_token': '',
        'zuul': {
            'build': 'b1', 'job': 'tox', 'pipeline': 'check', 'tenant': 't', 'branch': 'main', 'change': '7',
            'ansible_version': '11', 'project': {'canonical_name': 'example.org/a'},
            'projects': {'example.org/a': {
                'checkout': 'main', 'commit': COMMIT, 'required': False, 'src_dir': 'x'}},
            'playbook_context': {
                'playbook_projects': {'untrusted/project_0/example.org/a': {
                    'canonical_name': 'example.org/a', 'checkout': 'main', 'commit': COMMIT}},
                'pre_playbooks': [],
                'playbooks': [{'path': 'untrusted/project_0/example.org/a/playbooks/run.yaml'}]}}}}}
OUTPUT = [
    {'phase': 'pre', 'playbook': 'trusted/project_0/x/pre.yaml', 'stats': {'one': {'failures': 0}}, 'plays': [
        {'tasks': [{'task': {'name': 'rescued'}, 'hosts': {'one': {'failed': True}}}]}]},
    {'phase': 'run',
     'playbook': '/w/untrusted/project_0/example.org/a/playbooks/run.yaml',
     'stats': {'one': {'failures': 1}}, 'plays': [{'tasks': [{'task': {'name': 'Run tox'}, 'hosts': {
         'one': {'failed': True, 'rc': 1, 'stdout': 'x\n' * 100 + 'FAILED a', 'msg': 'non-zero return code'},
         'two': {'failed': True}}}]}]}]


class TestCopies(unittest.TestCase):
    def test_secrets_are_known_as_in_the_inventory_among_the_logs(self) -> None:
        for name in ('is_secret', 'masked', '_Loader', '_behind'):
            with self.subTest(name=name):
                self.assertEqual(inspect.getsource(getattr(module, name)),
                                 inspect.getsource(getattr(log_inventory, name)))
        for name in ('_SECRET', '_KEY', '_LOGIN', 'MASK'):
            self.assertEqual(getattr(module, name), getattr(log_inventory, name))


class TestBundle(unittest.TestCase):
    def test_all_of_it(self) -> None:
        provision = {'tools': [{'name': 'tox', 'digest': 'd', 'locked': True, 'seconds': 3}, 7]}
        made = module.bundle(INVENTORY, provision, OUTPUT)
        self.assertEqual(made['variables'], {'colour': 'blue', 'tox_envlist': 'py311', 'empty_token': ''})
        self.assertEqual(made['hidden'], ['api_token', 'db_password', 'mirror'])
        self.assertEqual(made['host_variables'], {'one': {'colour': 'red', 'only': 1}})
        self.assertEqual(made['nodes'], [{'name': 'one', 'label': 'debian-bookworm'},
                                         {'name': 'two', 'label': 'debian-trixie'}])
        self.assertEqual(made['groups'], {'workers': ['one', 'two']})
        self.assertEqual(made['projects'], {'example.org/a': {'checkout': 'main', 'commit': COMMIT, 'required': False}})
        self.assertEqual(made['playbooks'], [{'phase': 'playbooks', 'path': 'playbooks/run.yaml',
                                              'project': 'example.org/a', 'checkout': 'main', 'commit': COMMIT}])
        self.assertEqual(made['tools'], [{'name': 'tox', 'digest': 'd', 'locked': True}])
        self.assertEqual(made['build']['job'], 'tox')
        [failure] = made['failures']
        self.assertEqual((failure['playbook'], failure['task'], failure['host'], failure['rc']),
                         ('example.org/a/playbooks/run.yaml', 'Run tox', 'one', 1))
        self.assertEqual(failure['said'][-2:], ['FAILED a', 'non-zero return code'])
        self.assertEqual(len(failure['said']), module.MAX_LINES)
        self.assertNotIn('s3cret', json.dumps(made))

    def test_variables_that_are_too_large(self) -> None:
        shown, hidden = module.frozen({'a': 'x' * 200_000, 'b': 'y' * 100_000, 'c': 1})
        self.assertEqual((sorted(shown), hidden), (['b', 'c'], ['a']))

    def test_garbage_beside_it(self) -> None:
        for provision, output in ((None, None), ([], {}), ({'tools': 7}, [7]), ('x', 'x'),
                                  ({'tools': [{'name': 7}]}, [{'plays': 7}]), ({}, [{'stats': []}])):
            with self.subTest(output=output):
                self.assertEqual(module.bundle(INVENTORY, provision, output)['failures'], [])

    def test_a_key_in_the_output(self) -> None:
        key = '-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----'
        self.assertEqual(module.said({'stdout': f'a\n{key}\nb'}), ['a', module.MASK, 'b'])


class TestFiles(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = Path(scratch.name, 'work')
        (self.root / 'logs').mkdir(parents=True)
        self.outside = Path(scratch.name, 'outside')
        self.outside.mkdir()

    def test_write_and_read(self) -> None:
        module.write(str(self.root), f'{self.root}/logs', '{"a": 1}')
        self.assertEqual(module.read(str(self.root), f'{self.root}/logs', module.NAME, 100), {'a': 1})
        self.assertEqual(os.listdir(self.root / 'logs'), [module.NAME])
        self.assertIsNone(module.read(str(self.root), f'{self.root}/logs', module.NAME, 3))

    def test_a_link_in_the_place_of_the_bundle_is_replaced(self) -> None:
        (self.root / 'logs' / module.NAME).symlink_to(self.outside / 'x')
        self.assertIsNone(module.read(str(self.root), f'{self.root}/logs', module.NAME, 100))
        module.write(str(self.root), f'{self.root}/logs', '{}')
        self.assertEqual(os.listdir(self.outside), [])
        self.assertFalse((self.root / 'logs' / module.NAME).is_symlink())

    def test_a_link_or_a_pipe_on_the_way(self) -> None:
        (self.root / 'link').symlink_to(self.outside)
        os.mkfifo(self.root / 'logs/job-output.json')
        with self.assertRaises(OSError):
            module.write(str(self.root), f'{self.root}/link', '{}')
        self.assertIsNone(module.read(str(self.root), f'{self.root}/logs', 'job-output.json', 100))
        for folder in (str(self.outside), f'{self.root}/../outside', 'logs', f'{self.root}-more'):
            with self.subTest(folder=folder), self.assertRaisesRegex(ValueError, 'not below'):
                module.write(str(self.root), folder, '{}')
        self.assertEqual(os.listdir(self.outside), [])


if __name__ == '__main__':
    unittest.main()
