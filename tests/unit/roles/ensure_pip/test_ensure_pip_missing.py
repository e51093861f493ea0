# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import subprocess
import sys
import unittest

from tests.unit.roles import library

pip = library('ensure-pip', 'ensure_pip_missing')
PARAMS = {'from_packages': True, 'with_python2': False, 'from_upstream': False, 'family': 'Debian', 'python': 'python3'}


class TestEnsurePip(unittest.TestCase):
    def test_packages(self) -> None:
        for missing, expected in (([], []), (['pip'], ['python3-pip']), (['venv', 'ensurepip'], ['python3-venv']),
                                  (['pip', 'packaging or setuptools'], ['python3-packaging', 'python3-pip'])):
            with self.subTest(missing=missing):
                self.assertEqual(pip.decide(missing, PARAMS), expected)

    def test_refusals(self) -> None:
        for changes, expected in (({'from_packages': False}, 'lacks pip, and ensure_pip_from_packages is false'),
                                  ({'family': 'Suse'}, "OS family 'Suse' are not known")):
            with self.subTest(changes=changes), self.assertRaisesRegex(pip.Refused, expected):
                pip.decide(['pip'], {**PARAMS, **changes})
        # nothing missing: nothing to know about the platform
        self.assertEqual(pip.decide([], {**PARAMS, 'family': 'Suse'}), [])

    def test_what_is_not_provided_is_told_at_once(self) -> None:
        with self.assertRaises(pip.Refused) as caught:
            pip.ask({**PARAMS, 'from_upstream': True, 'with_python2': True}, lambda argv: (0, '[]', ''))
        self.assertIn('ensure_pip_from_upstream is true', str(caught.exception))
        self.assertIn('ensure_pip_from_packages_with_python2 is true', str(caught.exception))

    def test_answers(self) -> None:
        result = pip.ask(PARAMS, lambda argv: (0, '["pip"]', ''))
        self.assertEqual(result, {'changed': False, 'missing': ['pip'], 'packages': ['python3-pip']})
        with self.assertRaisesRegex(pip.Refused, 'does not run: no such file'):
            pip.ask(PARAMS, lambda argv: (127, '', 'no such file'))

    def test_the_question_can_be_answered(self) -> None:
        def run(argv: list[str]) -> tuple[int, str, str]:
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
            return done.returncode, done.stdout, done.stderr
        code, out, err = run([sys.executable, '-I', '-c', pip._ASK])
        self.assertEqual((code, err), (0, ''))
        self.assertLessEqual(set(json.loads(out)), set(pip.PACKAGES['Debian']))


if __name__ == '__main__':
    unittest.main()
