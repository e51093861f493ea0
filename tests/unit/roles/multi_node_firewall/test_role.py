# SPDX-License-Identifier: Apache-2.0
"""Which systems are refused, and when."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.unit.roles import ROLES

PLAY = [{'hosts': 'all', 'gather_facts': False, 'tasks': [
    {'ansible.builtin.set_fact': {'os_family': 'Unheard', 'cacheable': True}},
    {'ansible.builtin.include_role': {'name': 'multi-node-firewall'}}]}]


class TestUnknownSystem(unittest.TestCase):
    def test_it_is_refused_before_anything_changes(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / 'play.yaml').write_text(json.dumps(PLAY))
            # No module runs there: whatever the role did on the node before would fail with another message.
            (Path(name) / 'node').write_text(f'a ansible_connection=local ansible_python_interpreter={name}/none\n')
            done = subprocess.run(
                [str(Path(sys.executable).with_name('ansible-playbook')), '-i', f'{name}/node', f'{name}/play.yaml'],
                capture_output=True, text=True, timeout=120, check=False,
                env={**os.environ, 'ANSIBLE_ROLES_PATH': str(ROLES), 'ANSIBLE_HOME': name, 'HOME': name})
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("persistent-firewall: the system is of the family 'Unheard'", done.stdout)
