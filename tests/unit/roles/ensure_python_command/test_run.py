# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import unittest

from tests.unit.roles import module_utils

runs = module_utils('ensure_python_command_run')


class TestRun(unittest.TestCase):
    def test_commands_are_bounded_and_alone(self) -> None:
        seen = []

        def run(argv: list[str], environ_update: dict[str, str], handle_exceptions: bool) -> tuple[int, str, str]:
            seen.append(argv)
            self.assertEqual(environ_update, {'LC_ALL': 'C.UTF-8', 'PIP_USER': '0', 'UV_DEFAULT_INDEX': 'x'})
            return 124, '', 'x'
        code, _, err = runs.bounded(run)(['pip', 'install'], timeout=7, environment={'UV_DEFAULT_INDEX': 'x'})
        self.assertEqual((code, err), (124, 'x\nstopped after 7 s'))
        self.assertEqual(seen[0][:3], ['timeout', '--kill-after=5', '7'])
        self.assertIn('--unset=PIP_TARGET', seen[0])
        self.assertEqual(seen[0][-2:], ['pip', 'install'])


if __name__ == '__main__':
    unittest.main()
