"""The examples of the roles' documentation, run as they stand, on one node and for one small project."""

from __future__ import annotations

import datetime
import re
import textwrap
from collections.abc import Collection
from pathlib import Path, PurePath

from tests.functional.support import LIBRARY, RunnerTest
from zuul_local.selftest import changed
from zuul_local.testing import selftests

EXAMPLE = re.compile(r'^\.\. code-block:: yaml\n\n((?: +.*\n|\n)+)', re.MULTILINE)
#: what an example takes for granted, role by role
BEFORE = {
    'ensure-stestr': '''\
- hosts: all
  tasks:
    - ansible.builtin.include_role:
        name: ensure-stestr
      vars:
        ensure_stestr_version: "<4.2"
    - name: Have a run that could be asked for
      ansible.builtin.command:
        cmd: "{{ ansible_user_dir }}/.local/stestr/bin/stestr run"
        chdir: "{{ zuul.project.src_dir }}"
      environment:
        PYTHON: "{{ ansible_user_dir }}/.local/stestr/bin/python"
''',
    'convert-diskimage': '''\
- hosts: all
  tasks:
    - ansible.builtin.include_role:
        name: ensure-dib
    - name: Have an image that could be one of a node
      ansible.builtin.command:
        cmd: sh -c "mkdir -p dib-images && qemu-img create -f qcow2 dib-images/debian-bookworm.qcow2 1M"
        creates: dib-images/debian-bookworm.qcow2
''',
    'add-sshkey': '''\
- hosts: localhost
  tasks:
    - name: Have a key that could be a secret of the job
      ansible.builtin.command:
        cmd: ssh-keygen -q -t ed25519 -N '' -f {{ zuul.executor.work_root }}/example_key
    - ansible.builtin.set_fact:
        publishing_key:
          fqdn: docs.example.org
          ssh_private_key: "{{ lookup('ansible.builtin.file', zuul.executor.work_root ~ '/example_key') }}"
          ssh_known_hosts: >-
            docs.example.org {{ lookup('ansible.builtin.file', zuul.executor.work_root ~ '/example_key.pub') }}
        cacheable: true
''',
    'fetch-promised-output': '''\
- hosts: all
  tasks:
    - name: Have a report that could be promised
      ansible.builtin.command:
        cmd: mkdir -p src/example.com/project/build/report
    - ansible.builtin.copy:
        content: All is well.
        dest: src/example.com/project/build/report/index.html
''',
    'ensure-twine': '''\
- hosts: all
  tasks:
    - ansible.builtin.include_role:
        name: ensure-pyproject-build
    - name: Have a distribution that could be checked
      ansible.builtin.command:
        cmd: "{{ ensure_pyproject_build_executable }} --sdist"
        chdir: "{{ zuul.project.src_dir }}"
''',
}
#: examples that one node in a container cannot take as they stand, and why; the roles' self-tests try them
ELSEWHERE = {
    'build-diskimage': 'a container has no loop devices, and the elements are of another repository',
    'configure-mirrors': 'nobody answers at mirror.example.com',
    'enable-fips': 'Debian has no FIPS mode, so the role refuses it',
    'ensure-package-repositories': 'nobody answers at packages.example.com',
    **dict.fromkeys(('ensure-etcd', 'ensure-mariadb', 'ensure-postgresql', 'ensure-rabbitmq', 'ensure-zookeeper'),
                    'it takes long for what the examples of ensure-memcached and ensure-redis show, too'),
    'post-reboot-tasks': 'a container that starts again is gone',
    'python-siblings': 'it takes a second project, and an environment that depends on it',
    'publish-artifacts-to-fileserver': 'it takes a server and a secret; tests/publish has one',
    'upload-git-mirror': 'it takes a git server and a secret',
    'upload-pypi': 'it takes an index and a secret; tests/publish has both',
    **dict.fromkeys(('upload-logs', 'upload-logs-azure', 'upload-logs-base', 'upload-logs-failover', 'upload-logs-gcs',
                     'upload-logs-ibm', 'upload-logs-s3', 'upload-logs-swift'),
                    'it takes a server and a secret; tests/publish has one'),
    **dict.fromkeys(('upload-image-base', 'upload-image-s3', 'upload-image-swift'),
                    'it takes a store and a secret; tests/publish has both'),
}
PROJECT = {
    'README.rst': 'Example\n=======\n',
    'example.py': '',
    'tests/__init__.py': '',
    'tests/test_example.py': 'import unittest\n\n\nclass Test(unittest.TestCase):\n    def test(self):\n        pass\n',
    'pyproject.toml': '''\
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"
[project]
name = "example"
version = "1.0"
description = "An example"
readme = "README.rst"
requires-python = ">=3.8"
[tool.setuptools]
py-modules = ["example"]
''',
    'uv.lock': '''\
version = 1
requires-python = ">=3.8"

[[package]]
name = "example"
version = "1.0"
source = { editable = "." }
''',
    'tox.ini': '[tox]\nenvlist = py311\n[testenv]\nskip_install = true\ncommands = python -m unittest\n',
    'noxfile.py': 'import nox\n\n\n@nox.session\ndef tests(session):\n    session.run("python", "-m", "unittest")\n',
    '.stestr.conf': '[DEFAULT]\ntest_path=./tests\n',
    '.pre-commit-config.yaml': '''\
repos:
  - repo: local
    hooks:
      - {id: compiles, name: Python can read it, language: system, entry: python3 -m py_compile, types: [python]}
''',
    'bindep.txt': 'bash [test]\n',
    'constraints.txt': 'packaging<26\n',
    'doc/source/conf.py': 'project = "Example"\n',
    'doc/source/index.rst': 'Example\n=======\n',
    'releasenotes/notes/first-0123456789abcdef.yaml': 'features:\n  - It is there.\n',
    'releasenotes/source/conf.py': 'project = "Example"\nextensions = ["reno.sphinxext"]\n',
    'releasenotes/source/index.rst': 'Example\n=======\n\n.. release-notes::\n',
    'tools/test-setup.sh': '#!/bin/sh\ntest "$DATABASE" = postgresql\n',
}


def examples() -> dict[str, str]:
    """Return {role: the first example of its README}: first what is for a fresh node, last what takes rights away."""
    found = {}
    for readme in sorted((LIBRARY / 'roles').glob('*/README.rst'), key=lambda path: (
            path.parent.name == 'revoke-sudo', path.parent.name != 'node-facts', path)):
        match = EXAMPLE.search(readme.read_text(encoding='utf-8'))
        if match:
            found[readme.parent.name] = textwrap.dedent(match.group(1)).strip() + '\n'
    return found


def wanted(roles: Collection[str]) -> list[str]:
    """Return those whose turn it is today, as with self-tests, and those that were changed lately."""
    base = changed.recent(LIBRARY, selftests.COMMITS)
    parts = [PurePath(name).parts for name in changed.files_since(LIBRARY, base)] if base else []
    lately = {below[0] for top, *below in parts if top == 'roles'}
    lately.update(selftests.due(roles, datetime.datetime.now(datetime.UTC).date().toordinal()))
    return [role for role in roles if role in lately]


class TestExamples(RunnerTest):
    def test_every_role_has_one(self) -> None:
        plays = examples()
        self.assertEqual([], sorted(path.name for path in (LIBRARY / 'roles').iterdir() if path.name not in plays))
        self.assertLessEqual(set(ELSEWHERE), set(plays))

    def test_those_that_are_due_work(self) -> None:
        plays = examples()
        files = {f'playbooks/{role}.yaml': text for role, text in plays.items()}
        files.update({f'playbooks/before-{role}.yaml': text for role, text in BEFORE.items()})
        run = [f'playbooks/{name}.yaml' for role in wanted(plays) if role not in ELSEWHERE
               for name in ([f'before-{role}'] if role in BEFORE else []) + [role]]
        folder = self.make_project({'.zuul.yaml': '- job:\n    name: examples\n    parent: base\n    run:\n' + ''.join(
            f'      - {path}\n' for path in run), **PROJECT, **files}, commit=False)
        Path(folder, 'tools/test-setup.sh').chmod(0o755)
        self.git(folder, 'add', '--all')
        self.git(folder, 'commit', '-q', '-m', 'First')
        output = self.zuul_local('run', 'examples', folder=folder, longest=1200)
        self.assertIn('SUCCESS   examples', output)
        for path in run:
            self.assertIn(f'/{path}@main', output)
