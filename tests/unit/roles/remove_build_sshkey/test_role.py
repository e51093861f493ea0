# SPDX-License-Identifier: Apache-2.0
"""What the role does when the nodes fail."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.unit.roles import ROLES
from tests.unit.roles.add_build_sshkey import AgentTest

PLAY = [{'hosts': 'all', 'gather_facts': False, 'tasks': [
    {'ansible.builtin.include_role': {'name': 'remove-build-sshkey'}}]}]


class TestNodesThatFail(AgentTest):
    def test_agent_and_executor_forget_the_key_all_the_same(self) -> None:
        work = self.root / 'work'
        work.mkdir()
        key = self.keygen('work/1_id_rsa', 'zuul-build-sshkey-1')
        subprocess.run(['ssh-add', '-q', str(key)], check=True)
        (self.root / 'play.yaml').write_text(json.dumps(PLAY))
        # No module runs there, as on a node whose Python the job took away.
        (self.root / 'nodes').write_text(''.join(
            f'{name} ansible_connection=local ansible_python_interpreter={self.root}/none\n' for name in 'ab'))
        zuul = {'zuul': {'build': '1', 'executor': {'work_root': str(work)}}}
        done = subprocess.run(
            [str(Path(sys.executable).with_name('ansible-playbook')), '-i', str(self.root / 'nodes'),
             '-e', json.dumps(zuul), str(self.root / 'play.yaml')], capture_output=True, text=True, timeout=120,
            check=False, env={**os.environ, 'ANSIBLE_ROLES_PATH': str(ROLES), 'ANSIBLE_HOME': str(self.root),
                              'HOME': str(self.root)})
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual(self.comments(), [], done.stdout)
        self.assertEqual(list(work.iterdir()), [], done.stdout)
