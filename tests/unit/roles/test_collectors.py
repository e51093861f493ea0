# SPDX-License-Identifier: Apache-2.0
"""Roles that collect from nodes where no module can run: Ansible itself runs them, with a Python that says why."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import zuul.ansible

from tests.unit.roles import ROLES

COLLECTORS = ('collect-container-logs', 'collect-journal', 'stage-output', 'fetch-coverage-output',
              'fetch-sphinx-tarball', 'fetch-subunit-output', 'fetch-test-reports', 'fetch-tox-output')


class TestBrokenNode(unittest.TestCase):
    def test_it_is_told_and_fails_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            (folder / 'python').write_text(
                '#!/bin/sh\nprintf "Traceback\\nOSError: No space left on device\\n\\n" >&2\nexit 1\n')
            (folder / 'python').chmod(0o755)
            # Zuul's own action, which would write where the build's results go; nothing is there to be told.
            (folder / 'action').mkdir()
            (folder / 'action' / 'zuul_return.py').symlink_to(
                Path(zuul.ansible.__file__).parent / 'base' / 'action' / 'zuul_return.py')
            (folder / 'inventory.json').write_text(json.dumps({'all': {
                'hosts': {'node': {'ansible_connection': 'local', 'ansible_python_interpreter': f'{folder}/python'}},
                'vars': {'ansible_user_dir': scratch, 'zuul_copy_output': {'/etc/hostname': 'logs'},
                         'zuul': {'project': {'src_dir': 'src', 'short_name': 'p'}, 'executor': {
                             'inventory_file': f'{folder}/inventory.json', 'work_root': scratch,
                             'log_root': f'{scratch}/logs'}}}}}))
            copy = {'ansible.builtin.copy': {'content': '{{ ansible_facts | to_json }}', 'dest': f'{folder}/facts'},
                    'delegate_to': 'localhost'}
            (folder / 'play.json').write_text(json.dumps([{'hosts': 'all', 'gather_facts': False, 'tasks': [
                *({'ansible.builtin.include_role': {'name': role}} for role in COLLECTORS), copy]}]))
            done = subprocess.run(
                [Path(sys.executable).parent / 'ansible-playbook', '-i', 'inventory.json', 'play.json'], cwd=folder,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False,
                env={'PATH': os.environ['PATH'], 'HOME': scratch, 'LC_ALL': 'C.UTF-8',
                     'ANSIBLE_ROLES_PATH': str(ROLES), 'ANSIBLE_ACTION_PLUGINS': f'{folder}/action'})
            self.assertEqual(done.returncode, 0, done.stdout.decode())
            facts = json.loads((folder / 'facts').read_text())
        for role in COLLECTORS:
            with self.subTest(role=role):
                self.assertEqual(facts[role.replace('-', '_') + '_problems'], ['OSError: No space left on device'])
