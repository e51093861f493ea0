# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import unittest
from typing import Any

from tests.unit.roles import module_utils

requests = module_utils('ensure_python_command_request')
REQUEST = requests.Request('tool', 'tool', '', '', '/x', ('index',), 'auto', False, False, '/c', 60)
WHEEL = b'a wheel'
LOCK = 'tool==2.0 \\\n    --hash=sha256:' + hashlib.sha256(WHEEL).hexdigest() + '\n    # via -r tool.in\n'


class TestProblems(unittest.TestCase):
    GOOD = {'name': 'tool', 'package': 'tool', 'version': '', 'venv_path': '/home/zuul/.local/tool',
            'sources': ['index'], 'installer': 'auto'}

    def test_each_names_the_value(self) -> None:
        for changes, expected in (
                ({'version': '4.x; rm -rf ~'},
                 "ensure_python_command_version is '4.x; rm -rf ~': not a PEP 440 specifier."),
                ({'name': '../x'}, "ensure_python_command_name is '../x'"),
                ({'name': ''}, "ensure_python_command_name is ''"),
                ({'package': '--index-url=x'}, "ensure_python_command_package is '--index-url=x'"),
                ({'venv_path': 'relative'}, "ensure_python_command_venv_path is 'relative'"),
                ({'venv_path': '//'}, "ensure_python_command_venv_path is '//'"),
                ({'sources': ['image', 'web']}, "ensure_python_command_sources is ['image', 'web']"),
                ({'sources': []}, 'ensure_python_command_sources is []'),
                ({'version': '4.30'}, "is '4.30': not a PEP 440 specifier. Write '==4.30', or leave it empty."),
                ({'version': 'latest'}, "is 'latest': not a PEP 440 specifier. Write e.g. '<5'"),
                ({'installer': 'conda'}, "ensure_python_command_installer is 'conda': allowed are auto, uv, pip.")):
            with self.subTest(changes=changes):
                found = requests.problems({**self.GOOD, **changes})
                self.assertEqual(len(found), 1, found)
                self.assertIn(expected, found[0])

    def test_all_in_one_message_in_the_words_of_the_caller(self) -> None:
        found = requests.problems({**self.GOOD, 'version': '4.x', 'venv_path': 'x',
                                 'reported_as': {'version': 'ensure_tox_version', 'venv_path': 'tox_venv_path'}})
        message = requests.refusal('ensure-tox', found)
        self.assertTrue(message.startswith('ensure-tox: cannot continue, 2 problems:\n  - ensure_tox_version is'))
        self.assertIn('\n  - tox_venv_path is', message)

    def test_good(self) -> None:
        self.assertEqual(requests.problems(self.GOOD), [])


class TestPlan(unittest.TestCase):
    def test_the_digest_says_what_goes_in(self) -> None:
        def digest(lock: str = LOCK, python: str = '/usr/bin/python3 3.11', **changes: Any) -> str:
            request = REQUEST._replace(**changes)
            return requests.plan(request, lock, requests.pep440.marker_environment(), python).digest
        base = digest()
        self.assertEqual(base, digest(version='>=1'))    # the same pins go in
        self.assertEqual(base, digest(lock=LOCK + 'unrelated==1 \\\n    --hash=sha256:0\n    # via -r unrelated.in\n'))
        others = [digest(lock=LOCK.replace('sha256:', 'sha256:0')), digest(python='/usr/bin/python3 3.12'),
                  digest(version='<2'), digest(lock='')]
        self.assertEqual(len({base, *others}), 5)


if __name__ == '__main__':
    unittest.main()
