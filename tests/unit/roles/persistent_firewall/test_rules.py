# SPDX-License-Identifier: Apache-2.0
"""Rules as they are saved."""
from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

firewall: Any = library('persistent-firewall', 'persistent_firewall')


class TestRules(unittest.TestCase):
    def test_what_changes_by_itself_is_left_out(self) -> None:
        one = ('# on Monday\n*filter\n:INPUT DROP [1:22]\n:mine - [0:0]\n'
               '-A INPUT -m comment --comment "a [1:2]" -j mine\nCOMMIT\n#\n')
        two = one.replace('Monday', 'Tuesday').replace('[1:22]', '[333:4]')
        self.assertEqual(firewall.rules(one), firewall.rules(two))
        self.assertEqual(firewall.rules(one), '*filter\n:INPUT DROP [0:0]\n:mine - [0:0]\n'
                         '-A INPUT -m comment --comment "a [1:2]" -j mine\nCOMMIT\n')
        self.assertEqual(firewall.rules(''), '')


class TestRead(unittest.TestCase):
    def test_cases(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'rules')
            self.assertEqual(firewall.read(str(path)), '')
            path.symlink_to('/etc/hosts')
            with self.assertRaisesRegex(firewall.Refused, 'Links are not followed'):
                firewall.read(str(path))
