# SPDX-License-Identifier: Apache-2.0
"""What is asked for makes sense, and the roles ask for all there is."""
from __future__ import annotations

import tempfile
import unittest
from typing import Any

import yaml

from tests.unit.roles import ROLES, library, module_utils

module: Any = library('upload-logs-base', 'upload_logs')
store: Any = module_utils('upload_logs_store')


class TestRoles(unittest.TestCase):
    def test_each_passes_all_there_is(self) -> None:
        for role, (kind, _) in module.STORES.items():
            with self.subTest(role=role):
                folder = ROLES / role
                defaults = yaml.safe_load((folder / 'defaults/main.yaml').read_text())
                task = yaml.safe_load((folder / 'tasks/main.yaml').read_text())[0]
                passed = task['vars']['upload_logs_base_targets'][0]
                self.assertEqual(passed['target'], role)
                self.assertEqual(passed['args'], {name: f'{{{{ {name} }}}}' for name in passed['args']})
                self.assertEqual(set(passed['args']), set(kind.ARGS))
                for name, value in kind.ARGS.items():
                    if '{{' not in str(defaults[name]):
                        self.assertEqual(defaults[name], value, name)


class TestRead(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def read(self, targets: Any, **other: Any) -> Any:
        return module.read({'source': self.folder, 'scratch': self.folder, 'path': 'ab/cd', 'targets': targets,
                            'workers': 1, 'timeout': 1, **other})

    def test_what_is_not_given_has_its_default(self) -> None:
        one, two = self.read([{'target': 's3', 'args': {'zuul_log_bucket': 'logs', 'zuul_log_partition': 'yes',
                                                        'zuul_log_delete_after': '86400'}},
                              {'target': 'upload-logs-swift', 'args': {'zuul_log_cloud_config': {'auth': {}}}}])
        self.assertEqual((one.role, two.role), ('upload-logs-s3', 'upload-logs-swift'))
        self.assertEqual((one.args['zuul_log_partition'], one.args['zuul_log_delete_after']), (True, 86400))
        self.assertEqual((two.args['zuul_log_container'], two.args['zuul_log_delete_after']), ('logs', 15552000))

    def test_what_makes_no_sense(self) -> None:
        good = {'target': 's3', 'args': {'zuul_log_bucket': 'logs'}}
        for targets, other, why in (
                ([], {}, 'at least one'), ('s3', {}, 'at least one'), (['s3'], {}, 'must have "target"'),
                ([{'target': 's3', 'args': []}], {}, 'must have "target"'),
                ([{'target': 'nfs'}], {}, "target is 'nfs'"),
                ([{'target': 's3', 'args': {'bucket': 'x'}}], {}, 'bucket is no parameter'),
                ([{'target': 's3', 'args': {'zuul_log_bucket': ['x']}}], {}, 'must be a text'),
                ([{'target': 's3', 'args': {'zuul_log_bucket': 'x', 'zuul_log_partition': 'perhaps'}}], {},
                 'true or false'),
                ([{'target': 'swift', 'args': {'zuul_log_cloud_config': 'x'}}], {}, 'must be a mapping'),
                ([good], {'path': '../x'}, 'zuul_log_path'), ([good], {'path': ''}, 'zuul_log_path'),
                ([good], {'timeout': 0}, 'upload_logs_s3_timeout is 0'),
                ([good, good], {'workers': 0}, 'upload_logs_failover_workers is 0'),
                ([good], {'source': '/nowhere'}, "upload_logs_s3_source is '/nowhere'")):
            with self.subTest(why=why), self.assertRaisesRegex(module.Refused, why):
                self.read(targets, **other)

    def test_no_secret_is_told(self) -> None:
        with self.assertRaises(module.Refused) as caught:
            self.read([{'target': 's3', 'args': {'zuul_log_aws_secret_key': ['hush'], 'zuul_log_bucket': ''}}])
        self.assertNotIn('hush', str(caught.exception))


class TestPlaces(unittest.TestCase):
    def test_places(self) -> None:
        for container, path, partition, between, expected in (
                ('logs', '45/12345/x', False, '-', ('logs', '45/12345/x')),
                ('logs', '45/12345/x', True, '_', ('logs_45', '12345/x')),
                ('logs', 'Periodic_x/12345', True, '-', ('logs-periodic-x', '12345')),
                ('logs', '__/12345', True, '-', ('logs-0', '12345'))):
            self.assertEqual(tuple(store.place(container, path, partition, between)), expected)

    def test_urls(self) -> None:
        self.assertEqual(store.Place('logs', 'a/ü b').url('https://h/x/'), 'https://h/x/a/%C3%BC%20b/')
        for value, fine in (('', True), ('https://h', True), ('http://h:80/x', True), ('ftp://h', False), ('h', False),
                            ('https://', False), ('https://[', False)):
            self.assertEqual(store.problems_of_url('x', value) == [], fine, value)

    def test_secrets_are_covered(self) -> None:
        for text, expected in (('said a/b+c=', 'said ********'), ('said a%2Fb%2Bc%3D', 'said ********'), ('ab', 'ab')):
            self.assertEqual(store.covered(text, ['a/b+c=', 'ab', '', None]), expected)

    def test_a_library_that_is_not_there(self) -> None:
        with self.assertRaisesRegex(store.Refused, "upload-logs-x needs the Python package 'no-such'"):
            store.vendor('upload-logs-x', 'no_such_module', 'no-such')
