# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library

module: Any = library('ensure-output-dirs', 'ensure_output_dirs')


class TestMissing(unittest.TestCase):
    def test_cases(self) -> None:
        for there, expected in (((), ['logs', 'artifacts', 'docs']), (('logs',), ['artifacts', 'docs']),
                                (('logs', 'artifacts', 'docs', 'more'), [])):
            with self.subTest(there=there), tempfile.TemporaryDirectory() as folder:
                for name in there:
                    Path(folder, name).mkdir()
                self.assertEqual([Path(path).name for path in module.missing(folder)], expected)

    def test_below_the_users_home(self) -> None:
        with mock.patch.dict(os.environ, HOME='/nonexistent/home'):
            self.assertEqual(module.missing('~/out'),
                             [f'/nonexistent/home/out/{name}' for name in ('logs', 'artifacts', 'docs')])

    def test_refused(self) -> None:
        with self.assertRaisesRegex(module.Refused, "zuul_output_dir is 'out': not an absolute path"):
            module.missing('out')
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, 'logs').write_text('')
            Path(folder, 'docs').symlink_to('/nonexistent')
            with self.assertRaisesRegex(module.Refused, f"'{folder}/logs', '{folder}/docs': no folder"):
                module.missing(folder)
