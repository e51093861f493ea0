# SPDX-License-Identifier: Apache-2.0
"""Where the roles that keep a session beside Ansible's connection go."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.unit.roles import ROLES


class TestNodeByItsName(unittest.TestCase):
    def destination(self, role: str) -> str:
        """Return where *role* sends ssh for a node that the inventory has no address of."""
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            ssh = root / 'ssh'
            ssh.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {name}/asked\nexit 255\n')
            ssh.chmod(0o755)
            (root / 'play.yaml').write_text(json.dumps([{'hosts': 'all', 'gather_facts': False, 'tasks': [
                {'ansible.builtin.include_role': {'name': role}}]}]))
            subprocess.run(['git', 'init', '-q', str(root / 'src/a')], check=True)
            (root / 'logs').mkdir()
            project = {'canonical_name': 'a', 'src_dir': 'src/a', 'commit': '1' * 40, 'checkout': 'main'}
            given = {'ansible_user_dir': '/home/zuul', 'ansible_ssh_executable': str(ssh), 'zuul_output_dir': '/none',
                     'zuul': {'build': '1', 'projects': {'a': project},
                              'executor': {'work_root': name, 'log_root': f'{name}/logs'}}}
            done = subprocess.run(
                [str(Path(sys.executable).with_name('ansible-playbook')), '-i', 'node.invalid,', '-e',
                 json.dumps(given), f'{name}/play.yaml'], capture_output=True, text=True, timeout=120, check=False,
                env={**os.environ, 'ANSIBLE_ROLES_PATH': str(ROLES), 'ANSIBLE_HOME': name, 'HOME': name})
            self.assertTrue((root / 'asked').exists(), done.stdout + done.stderr)
            words = (root / 'asked').read_text().splitlines()
            return words[words.index('--') + 1]

    def test_it_is_the_node_and_not_the_executor(self) -> None:
        for role in ('prepare-workspace-git', 'fetch-output'):
            with self.subTest(role):
                self.assertEqual(self.destination(role), 'node.invalid')


if __name__ == '__main__':
    unittest.main()
