"""Inputs in the forms that projects use: numbers for texts, lists for words, names that are spelt in another way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

from zuul_local import paths

ROLES = paths.LIBRARY / 'roles'
# role, variables, and what it says about them
REFUSED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ('ensure-tox', {'ensure_tox_version': 3.28},
     "ensure_tox_version is '3.28': not a PEP 440 specifier. Write '==3.28', or leave it empty."),
    ('ensure-nox', {'ensure_nox_version': ['<2024']},
     "ensure_nox_version is '['<2024']': not a PEP 440 specifier. Write e.g. '<5' or"),
    ('ensure-python', {'python_version': 3.1},
     "python_version is the number 3.1, write '3.10' in quotes if that was meant"),
)
# what bindep is asked for
PROFILES: tuple[tuple[Any, list[str]], ...] = (
    (['compile doc', 'test'], ['compile', 'doc', 'test']),
    (39, ['39']),
    ([], []),
)
# role, what a project sets, and the variable that the role reads
SPELLINGS = (
    ('upload-logs-s3', 'zuul_log_aws_idc_role_arn', 'zuul_log_aws_oidc_role_arn', 'arn:aws:iam::1:role/x'),
    ('convert-diskimage', 'convert_diskimage_target_image_formats', 'convert_diskimage_target_formats', ['vhd']),
)


def told(name: str, value: str) -> dict[str, Any]:
    """Return the task that keeps *value* as the result of case *name*."""
    return {'name': name, 'ansible.builtin.set_fact': {'said': f'{{{{ said | combine({{"{name}": value}}) }}}}'},
            'vars': {'value': value}}


def played(folder: Path) -> dict[str, Any]:
    """Play all cases on this machine, in check mode; return what came of each."""
    bindep = folder / 'bindep'
    bindep.write_text(f'#!/bin/sh\nshift\nprintf "%s\\n" "$@" > {folder}/asked\n')
    bindep.chmod(0o755)
    (folder / 'src').mkdir()
    (folder / 'src' / 'bindep.txt').write_text('nothing [never]\n')
    tasks: list[dict[str, Any]] = []
    for number, (role, variables, _) in enumerate(REFUSED):
        include = {'ansible.builtin.include_role': {'name': role}, 'vars': variables}
        tasks.append({'block': [include], 'rescue': [told(f'refused {number}', '{{ ansible_failed_result.msg }}')]})
    for number, (value, _) in enumerate(PROFILES):
        tasks += [
            {'ansible.builtin.include_role': {'name': 'bindep'},
             'vars': {'bindep_profile': value, 'bindep_command': str(bindep), 'bindep_dir': f'{folder}/src'}},
            {'ansible.builtin.command': f'cat {folder}/asked', 'register': 'asked', 'check_mode': False},
            told(f'profiles {number}', '{{ asked.stdout_lines }}'),
        ]
    for number, (role, given, read, value) in enumerate(SPELLINGS):
        tasks += [{'ansible.builtin.set_fact': {given: value}},
                  {'ansible.builtin.include_vars': f'{ROLES}/{role}/defaults/main.yaml'},
                  told(f'spellings {number}', f'{{{{ {read} }}}}')]
    tasks.append({'ansible.builtin.copy': {'content': '{{ said | to_json }}', 'dest': f'{folder}/said'},
                  'check_mode': False})
    (folder / 'play.yaml').write_text(json.dumps([{'hosts': 'all', 'tasks': tasks, 'vars': {
        'ansible_user_dir': str(folder), 'said': {}, 'zuul': {'project': {'src_dir': 'src'}}}}]))
    (folder / 'node').write_text(f'a ansible_connection=local ansible_python_interpreter={sys.executable}\n')
    done = subprocess.run(
        [Path(sys.executable).with_name('ansible-playbook'), '--check', '-i', folder / 'node', folder / 'play.yaml'],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, 'ANSIBLE_ROLES_PATH': str(ROLES), 'ANSIBLE_HOME': str(folder), 'HOME': str(folder),
             'ANSIBLE_GATHERING': 'smart'})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads((folder / 'said').read_text())


class TestInputs(unittest.TestCase):

    found: dict[str, Any]

    @classmethod
    def setUpClass(cls) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            cls.found = played(Path(scratch))

    def test_what_is_no_text_is_refused_with_what_to_write(self) -> None:
        for number, (role, variables, says) in enumerate(REFUSED):
            with self.subTest(role=role, variables=variables):
                self.assertIn(says, self.found[f'refused {number}'])

    def test_profiles_of_bindep_are_words_or_a_list(self) -> None:
        for number, (value, profiles) in enumerate(PROFILES):
            with self.subTest(value=value):
                self.assertEqual(profiles, [word for word in self.found[f'profiles {number}'] if word])

    def test_other_spellings_are_read(self) -> None:
        for number, (role, given, _, value) in enumerate(SPELLINGS):
            with self.subTest(role=role, given=given):
                self.assertEqual(value, self.found[f'spellings {number}'])
