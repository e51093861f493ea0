# SPDX-License-Identifier: Apache-2.0
"""What is decided of nodes that the tests cannot have."""
from __future__ import annotations

import json
import unittest
from typing import Any

from tests.unit.roles import library

role: Any = library('enable-fips', 'enable_fips')

ROCKY = role.Node('ID="rocky"\nVERSION_ID="9.5"\nPRETTY_NAME="Rocky 9"\n', False, False, True, None)
UBUNTU = ROCKY._replace(release='ID=ubuntu\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22"\n')
ATTACHED = json.dumps({'attached': True, 'services': [{'name': 'fips-updates', 'available': 'yes'},
{'name': 'fips', 'available': 'no'}]})


def of(system: str, version: str, **more: Any) -> Any:
    return ROCKY._replace(release=f'ID={system}\nVERSION_ID={version}\nPRETTY_NAME="A node"\n', **more)


class TestDecide(unittest.TestCase):
    def test_ways(self) -> None:
        setup, pro = ['fips-mode-setup', '--enable'], ['pro', 'enable', '--assume-yes', 'fips-updates']
        for node, enabled, packages, command in (
                (ROCKY, False, [], setup), (ROCKY._replace(setup=False), False, ['crypto-policies-scripts'], setup),
                (of('centos', '9'), False, [], setup), (of('rhel', '8.10'), False, [], setup),
                (of('fedora', '41'), False, [], setup),
                (ROCKY._replace(kernel=True), True, [], setup), (of('centos', '10', kernel=True), True, [], setup),
                (ROCKY._replace(kernel=True, container=True), True, [], setup),
                (UBUNTU._replace(pro=ATTACHED), False, [], pro), (UBUNTU._replace(kernel=True), True, [], pro)):
            with self.subTest(node=node):
                result = role.decide(node, 'fips-updates')
                self.assertEqual((result['enabled'], result['packages'], result['command']),
                (enabled, packages, command))
                self.assertFalse(result['changed'])

    def test_refused(self) -> None:
        other = 'it has no FIPS mode'
        gone = 'it has no fips-mode-setup any more'
        container = 'it is a container'
        for node, service, words in (
                (of('debian', '12'), 'fips-updates', [other]),
                (of('debian', '12', container=True, kernel=True), 'fips-updates', [other]),
                (of('arch', ''), 'fips-updates', [other]), (of('centos', '10'), 'fips-updates', [gone]),
                (of('fedora', '42'), 'fips-updates', [gone]), (of('fedora', 'rawhide'), 'fips-updates', [gone]),
                (ROCKY._replace(container=True), 'fips-updates', [container]),
                (of('almalinux', '10.0', container=True), 'fips-updates', [gone, container]),
                (UBUNTU, 'fips-updates', ['not attached to Ubuntu Pro']),
                (UBUNTU._replace(pro='{}'), 'fips-updates', ['not attached']),
                (UBUNTU._replace(pro='oops'), 'fips-updates', ['not attached']),
                (UBUNTU._replace(pro=ATTACHED), 'fips', ['Ubuntu Pro has no fips for it']),
                (UBUNTU._replace(pro=ATTACHED), 'fips; id', ["enable_fips_ubuntu_service is 'fips; id': allowed are"]),
                (of('debian', '12'), 'x', ['enable_fips_ubuntu_service', "the node is 'A node': it has no FIPS"])):
            with self.subTest(node=node, service=service):
                with self.assertRaises(role.Refused) as caught:
                    role.decide(node, service)
                first, *problems = str(caught.exception).split('\n  - ')
                count = '1 problem' if len(words) == 1 else f'{len(words)} problems'
                self.assertEqual(first, f'enable-fips: cannot continue, {count}:')
                for problem, word in zip(problems, words, strict=True):
                    self.assertIn(word, problem)


class TestLook(unittest.TestCase):
    def test_this_machine(self) -> None:
        node = role.look(lambda argv: (0, '{}', ''))
        self.assertIn('ID=', node.release)
        self.assertIn(node.pro, (None, '{}'))


if __name__ == '__main__':
    unittest.main()
