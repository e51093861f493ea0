"""The facts of a node: a real run on a made-up system, and what their schema takes and refuses."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]

from zuul_local.nodes.image import RECIPE

SCHEMA = json.loads((RECIPE / 'facts.schema.json').read_text())
TOOLS = '''\
# venv      lock    profile  commands
bindep-env  bindep  node     bindep
glean-env   glean   vm       glean
tox-env     tox     node     tox,not-there
'''
STATUS = '''\
Package: git
Status: install ok installed
Version: 1:2.39.5-0+deb12u2
Architecture: amd64

Package: gone
Status: deinstall ok config-files
Version: 1
Architecture: amd64
'''
FAKE_DPKG = '''#!/bin/sh
case "$1" in --admindir=*/var/lib/dpkg) ;; *) exit 3 ;; esac
test -e "${1#--admindir=}/status" || exit 4
echo 'installed git 1:2.39.5-0+deb12u2'
echo 'config-files gone 1'
'''


def write(path: Path, text: str = '', mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


class Facts(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.root = root = self.scratch / 'root'
        write(self.scratch / 'bin/dpkg-query', FAKE_DPKG, 0o755)
        write(self.scratch / 'tools.txt', TOOLS)
        write(root / 'etc/os-release', 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n')
        write(root / 'var/lib/dpkg/status', STATUS)
        for name in ('python3.11', 'python3.9', 'python3.11-config'):
            write(root / 'usr/bin' / name)
        for venv, name, folder in (('bindep-env', 'bindep', 'bindep-2.14.0'), ('tox-env', 'tox', 'Py_Project.Api-1.9'),
                                   ('glean-env', 'glean', 'glean-1.25.1')):
            write(root / 'usr' / venv / 'bin' / name, '#!/bin/sh\n', 0o755)
            write(root / 'usr' / venv / f'lib/python3.11/site-packages/{folder}.dist-info/METADATA')
        write(root / 'opt/cache/wheels/tox-1.whl', 'wheel')
        write(root / 'opt/cache/files/get-pip.py', 'print()')
        (root / 'opt/cache/files/elsewhere').symlink_to('/etc/passwd')
        write(root / 'var/lib/ci-node/missing/files.txt', 'etcd: HTTP 404\n')
        write(root / 'var/lib/ci-node/missing/packages.txt')
        git = ['git', '-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'init.defaultBranch=master']
        for words in (['init', '-q', '--bare', 'opt/git/example.org/empty'], ['init', '-q', 'opt/git/example.org/one']):
            subprocess.run([*git, *words], cwd=root, check=True)
        one = root / 'opt/git/example.org/one'
        subprocess.run([*git, 'commit', '-q', '--allow-empty', '-m', 'one'], cwd=one, check=True)
        self.head = subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=one, check=True, text=True,
                                   stdout=subprocess.PIPE).stdout.strip()

    def facts(self, profiles: str = 'node') -> dict[str, Any]:
        out = self.scratch / 'facts.json'
        subprocess.run([sys.executable, RECIPE / 'recipe/write-facts', '--label', 'try', '--profiles', profiles,
                        '--tools', self.scratch / 'tools.txt', '--out', out, '--root', self.root], check=True,
                       env={**os.environ, 'PATH': f'{self.scratch}/bin:{os.environ["PATH"]}'})
        facts: dict[str, Any] = json.loads(out.read_text())
        jsonschema.validate(facts, SCHEMA)
        return facts

    def test_they_say_what_is_there(self) -> None:
        facts = self.facts()
        for key, expected in (
                ('label', 'try'), ('profiles', ['node']), ('pythons', ['3.9', '3.11']),
                ('os', {'id': 'debian', 'version': '12', 'codename': 'bookworm'}),
                ('packages', {'git': '1:2.39.5-0+deb12u2'}),
                ('tools', {'bindep-env': {'bindep': '2.14.0'}, 'tox-env': {'py-project-api': '1.9'}}),
                ('commands', {'bindep': '/usr/bindep-env/bin/bindep', 'tox': '/usr/tox-env/bin/tox'}),
                ('missing', {'files': ['etcd: HTTP 404']})):
            with self.subTest(key):
                self.assertEqual(expected, facts[key])
        self.assertEqual({
            'wheels': {'path': '/opt/cache/wheels', 'files': {'tox-1.whl': hashlib.sha256(b'wheel').hexdigest()}},
            'files': {'path': '/opt/cache/files', 'files': {'get-pip.py': hashlib.sha256(b'print()').hexdigest()}},
            'packages': {'path': '/opt/cache/packages', 'files': {}},
            'repositories': {'path': '/opt/git', 'heads': {'example.org/empty': '', 'example.org/one': self.head}},
        }, facts['caches'])

    def test_a_machine_has_more_tools(self) -> None:
        self.assertEqual({'glean': '1.25.1'}, self.facts('node vm')['tools']['glean-env'])

    def test_disk_space_is_told_by_parts_and_a_hard_link_counts_once(self) -> None:
        before = self.facts()['bytes']
        write(self.root / 'opt/cache/files/large', 'x' * 100_000)
        os.link(self.root / 'opt/cache/files/large', self.root / 'opt/cache/files/same')
        write(self.root / 'proc/kcore', 'x' * 100_000)
        after = self.facts()['bytes']
        grown = after['/opt/cache/files'] - before['/opt/cache/files']
        self.assertTrue(100_000 <= grown < 150_000, grown)
        self.assertEqual(grown, after['total'] - before['total'])
        self.assertLessEqual(sum(after.values()) - after['total'], after['total'])

    def test_the_schema_refuses(self) -> None:
        facts = self.facts()
        for key, value in (
                ('schema', 2), ('label', ''), ('built', 'yesterday'), ('os', {'id': 'debian'}), ('profiles', []),
                ('profiles', ['laptop']), ('pythons', ['2.7']), ('tools', {'tox': {'tox': '4'}}),
                ('tools', {'tox-env': {}}),
                ('commands', {'tox': '/usr/bin/tox'}), ('packages', {}), ('missing', {'heads': ['one']}),
                ('missing', {'files': ['']}), ('bytes', {'/opt': 1}), ('bytes', {'total': -1}), ('unknown', 1),
                ('caches', {name: facts['caches'][name] for name in ('wheels', 'files', 'packages')})):
            with self.subTest(key=key, value=value), self.assertRaises(jsonschema.ValidationError):
                jsonschema.validate({**facts, key: value}, SCHEMA)
        for path, name, value in (('wheels', 'one', 'abc'), ('repositories', 'one', 'abc')):
            changed = copy.deepcopy(facts)
            changed['caches'][path]['heads' if path == 'repositories' else 'files'][name] = value
            with self.subTest(path), self.assertRaises(jsonschema.ValidationError):
                jsonschema.validate(changed, SCHEMA)
