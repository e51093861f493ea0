# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import unittest
from typing import Any

from ansible.errors import AnsibleFilterError

from tests.unit.roles import plugin

path = plugin('set-zuul-log-path-fact', 'filter', 'set_zuul_log_path_fact')
SHA = '0123456789abcdef0123456789abcdef01234567'
BUILD: dict[str, Any] = {
    'build': 'f3db8fb511124aa4bc4b510dee2a317e', 'pipeline': 'check', 'job': 'tox-py311',
    'project': {'canonical_name': 'opendev.org/zuul/zuul'}, 'ref': 'refs/heads/master'}
CHANGE = {**BUILD, 'change': '12345', 'patchset': '6', 'branch': 'master'}


class TestPath(unittest.TestCase):
    def test_builds_of_all_kinds(self) -> None:
        for zuul, expected in (
                (CHANGE, '45/12345/6/check/tox-py311/f3db8fb'),
                ({**CHANGE, 'change': '7'}, '7/7/6/check/tox-py311/f3db8fb'),
                ({**CHANGE, 'change': 7, 'patchset': SHA}, f'7/7/{SHA}/check/tox-py311/f3db8fb'),
                ({**CHANGE, 'newrev': SHA}, '45/12345/6/check/tox-py311/f3db8fb'),
                ({**BUILD, 'newrev': SHA, 'branch': 'master'}, f'01/{SHA}/check/tox-py311/f3db8fb'),
                ({**BUILD, 'newrev': SHA, 'tag': '1.0'}, f'01/{SHA}/check/tox-py311/f3db8fb'),
                ({**BUILD, 'branch': 'stable/2024.1'}, 'check/opendev.org/zuul/zuul/stable/2024.1/tox-py311/f3db8fb'),
                ({**BUILD, 'tag': '1.0'}, 'check/opendev.org/zuul/zuul/1.0/tox-py311/f3db8fb'),
                ({**BUILD, 'branch': None}, 'check/opendev.org/zuul/zuul/refs/heads/master/tox-py311/f3db8fb')):
            with self.subTest(zuul=zuul):
                self.assertEqual(path.log_path(zuul), expected)

    def test_names_that_lead_elsewhere(self) -> None:
        for name in ('../../etc', '..', '.', '', '/etc/passwd', '.htaccess', 'a/../b', 'a b', 'a\n', '#?%2e%2e', 'ü',
                     '\x1b[31m', '<script>', '//', 'x' * 1000, '{{ 1 }}', '..\\..', '\ud800'):
            for zuul in ({**CHANGE, 'job': name}, {**CHANGE, 'pipeline': name}, {**CHANGE, 'patchset': name},
                         {**CHANGE, 'change': name}, {**BUILD, 'newrev': name}, {**BUILD, 'branch': name},
                         {**BUILD, 'tag': name}, {**BUILD, 'branch': name, 'project': {'canonical_name': name}}):
                with self.subTest(zuul=zuul):
                    told = path.log_path(zuul)
                    self.assertTrue(re.fullmatch(r'([A-Za-z0-9_~-][A-Za-z0-9._~-]*)(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+',
                                                 told), told)
                    self.assertLessEqual(len(told), path.LONGEST)
                    self.assertIn('f3db8fb', told)

    def test_what_is_no_build(self) -> None:
        for zuul in ({}, None, 'text', {**BUILD, 'project': {}}, {**CHANGE, 'build': None}):
            with self.subTest(zuul=zuul), self.assertRaisesRegex(AnsibleFilterError, 'the variable zuul is not'):
                path.log_path(zuul)


if __name__ == '__main__':
    unittest.main()
