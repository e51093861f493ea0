# SPDX-License-Identifier: Apache-2.0
"""What of a secret the role takes."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.unit.roles import ROLES

PLAY = [{'hosts': 'localhost', 'gather_facts': False, 'tasks': [
    {'ansible.builtin.include_role': {'name': 'upload-git-mirror'}}]}]


class TestSecret(unittest.TestCase):
    def test_other_members_do_not_count_and_missing_ones_are_told_together(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / 'play.yaml').write_text(json.dumps(PLAY))
            given = {'git_mirror_repository': 'example/project',
                     'git_mirror_credentials': {'user': 'git', 'host': None, 'ssh_key': '-----BEGIN PRIVATE KEY-----',
                                                'note': 'SESAME'},
                     'zuul': {'project': {'src_dir': 'src/a'}, 'executor': {'work_root': name}}}
            done = subprocess.run(
                [str(Path(sys.executable).with_name('ansible-playbook')), '-e', json.dumps(given), f'{name}/play.yaml'],
                capture_output=True, text=True, timeout=120, check=False,
                env={**os.environ, 'ANSIBLE_ROLES_PATH': str(ROLES), 'ANSIBLE_HOME': name, 'HOME': name})
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        for part in ('upload-git-mirror: cannot continue, 3 problems:', 'git_mirror_credentials.host is no server',
                     'git_mirror_credentials.host_key: it is empty', 'there is no git repository at'):
            self.assertIn(part, done.stdout)
        self.assertNotIn('SESAME', done.stdout)


if __name__ == '__main__':
    unittest.main()
