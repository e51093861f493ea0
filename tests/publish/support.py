"""A role is called by Ansible as Zuul's executor has it; what it says and returns is looked at."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import yaml
import zuul.ansible

ROOT = Path(__file__).resolve().parents[2]
VENV, MODULES = 'ZLOCAL_PUBLISH', 'ZLOCAL_PUBLISH_MODULES'
SECONDS = 300
BUILD = {
    'pipeline': 'check', 'job': 'unit', 'build': '0123456789abcdef0123456789abcdef', 'change': '12345', 'patchset': '2',
    'project': {'canonical_name': 'example.org/thing', 'src_dir': 'src/example.org/thing'}, 'branch': 'main',
    'ref': 'refs/changes/45/12345/2',
}
PATH = '45/12345/2/check/unit/0123456'


@dataclass(frozen=True)
class Called:
    """What a role came to.

    :param zuul: what Zuul is told: ``log_url``, ``warnings``.
    :param said: all that is printed, and what Zuul's page shows besides.
    """

    failed: bool
    zuul: Mapping[str, Any]
    said: str


class PublishTest(unittest.TestCase):
    """Has a work root like that of a build, with logs in it."""

    def setUp(self) -> None:
        self.venv, self.modules = Path(os.environ[VENV]), Path(os.environ[MODULES])
        self.top = Path(tempfile.mkdtemp(prefix='zuul-local-publish-'))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.work = self.top / 'work'
        self.logs = self.work / 'logs'
        self.logs.mkdir(parents=True)
        # What an executor puts there.
        shutil.copytree(Path(zuul.ansible.__file__).parent, self.top / 'plugins/zuul/ansible')
        (self.top / 'plugins/zuul/__init__.py').touch()

    def some_logs(self) -> None:
        """Leave what every build leaves, and some of what only bad ones do."""
        (self.logs / 'job-output.txt').write_text('2026-01-01 | line\n' * 500)
        (self.logs / 'job-output.json').write_text('[]')
        (self.logs / 'deep/er').mkdir(parents=True)
        (self.logs / 'deep/er/<b>ü &#?%.log').write_text('odd')
        (self.logs / 'deep/packed.txt.gz').write_bytes(subprocess.run(
            ('gzip', '-nc'), input=b'packed', stdout=subprocess.PIPE, check=True).stdout)
        (self.logs / 'binary').write_bytes(b'\0\1')
        (self.logs / 'link').symlink_to('/etc/passwd')
        os.mkfifo(self.logs / 'pipe')

    def call(self, role: str, variables: Mapping[str, Any], job: Mapping[str, Any] | None = None,
             environ: Mapping[str, str] | None = None, seconds: int = SECONDS, tasks: str = 'main') -> Called:
        """Call a role with *variables* as ``include_role`` passes them, below variables of the *job*."""
        return self.play([{'hosts': 'localhost', 'gather_facts': False, 'tasks': [
            {'name': 'Call it', 'ansible.builtin.include_role': {'name': role, 'tasks_from': tasks},
             'vars': dict(variables)}]}], job, environ, seconds)

    def play(self, play: Sequence[Mapping[str, Any]], job: Mapping[str, Any] | None = None,
             environ: Mapping[str, str] | None = None, seconds: int = SECONDS) -> Called:
        """Run a playbook with variables of the *job*."""
        (self.top / 'play.yaml').write_text(yaml.safe_dump(play))
        results = self.work / 'results.json'     # where zuul_return looks for it
        results.write_text('')
        executor = {'work_root': str(self.work), 'log_root': str(self.logs),
                    'result_data_file': str(results)}
        inventory = {'all': {'hosts': {'localhost': {'ansible_connection': 'local'}},
                             'vars': {'zuul': {**BUILD, 'executor': executor}, **(job or {})}}}
        (self.top / 'inventory.yaml').write_text(yaml.safe_dump(inventory))
        done = subprocess.run(
            (self.venv / 'bin/ansible-playbook', '-vv', '-i', self.top / 'inventory.yaml', self.top / 'play.yaml',
             '-e', json.dumps({'zuul_success': True})),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=seconds, cwd=self.top,
            env={**os.environ, **self._ansible(), **(environ or {})})
        returned = results.read_text()
        return Called(done.returncode != 0, json.loads(returned)['data']['zuul'] if returned else {}, done.stdout)

    def _ansible(self) -> dict[str, str]:
        plugins = self.top / 'plugins'
        return {'ANSIBLE_ROLES_PATH': str(ROOT / 'roles'), 'ANSIBLE_HOME': str(self.top / 'ansible'),
                'ANSIBLE_ACTION_PLUGINS': str(plugins / 'zuul/ansible/11/action'), 'PYTHONPATH': str(plugins),
                'ANSIBLE_LOCALHOST_WARNING': 'false', 'ANSIBLE_INVENTORY_UNPARSED_WARNING': 'false',
                'ZUUL_JOBDIR': str(self.top), 'no_proxy': '127.0.0.1', 'NO_COLOR': '1'}

    def get(self, url: str) -> tuple[int, Message, bytes]:
        """Return status, headers and content of a page as a stranger gets it."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def assert_went_well(self, called: Called) -> None:
        self.assertFalse(called.failed, called.said)
