# SPDX-License-Identifier: Apache-2.0
"""Small roots that are what their facts say, or are not."""
from __future__ import annotations

import json
import os
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import ROLES, imported, library, module_utils

trees: Any = module_utils('node_facts_tree')
shape: Any = module_utils('node_facts_schema')
module: Any = library('node-facts', 'node_facts')
LIBRARY = ROLES.parent
SCHEMA = json.loads((LIBRARY / 'node' / 'facts.schema.json').read_text(encoding='utf-8'))
maker: Any = imported('node_facts_make_root', LIBRARY / 'test-playbooks/node-facts/files/make_root.py')


class TestImage(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)

    def problems(self, *faults: str, expect: dict[str, Any] | None = None) -> list[str]:
        maker.make(str(self.root), faults)
        return self.again(expect)

    def again(self, expect: dict[str, Any] | None = None) -> list[str]:
        problems: list[str] = module.compare(str(self.root), SCHEMA, expect or {})[1]
        return problems

    def test_a_good_one(self) -> None:
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.again({'label': 'small', 'pythons': ['3.11']}), [])

    def test_each_fault_is_named_and_nothing_else(self) -> None:
        for fault, expected in (
                ('global-pip', ['/usr/local/bin/pip3 is there; right is: no such command on the PATH of everybody.',
                                '/usr/local/lib/python3.11/dist-packages/pip is there; right is: not for']),
                ('changed-wheel', ['/opt/cache/wheels/tox-4.30.1-py3-none-any.whl has sha256']),
                ('extra-wheel', ['/opt/cache/wheels/evil-1-py3-none-any.whl is there']),
                ('lost-file', ['/opt/cache/files/get-pip.py is not there; right is: a file with sha256']),
                ('no-venv', ['/usr/tox-env is not there; right is: a venv with tox 4.30.1.',
                             '/usr/tox-env/bin/tox is not there; right is: the command tox.']),
                ('no-command', ['/usr/tox-env/bin/tox is not there; right is: the command tox.']),
                ('other-version', ['/usr/tox-env: tox is 3.28.0; right is: 4.30.1']),
                ('host-keys', ['/etc/ssh/ssh_host_ed25519_key is there', '/etc/ssh/ssh_host_ed25519_key.pub is there']),
                ('machine-id', ['/etc/machine-id is cccccccccccccccccccccccccccccccc; right is: empty']),
                ('proxy', ['/etc/environment sets a proxy (https_proxy)', '/etc/apt/apt.conf.d/90proxy sets a proxy']),
                ('index', ['/etc/pip.conf names an index']),
                ('authority', ['/usr/local/share/ca-certificates/site.crt is there']),
                ('bundle', ['/etc/ssl/certs/ca-certificates.crt has 1 certificates of others']),
                ('history', ['/root/.bash_history has 3 bytes']),
                ('keys', ['/root/.ssh/authorized_keys has', '/home/zuul/.ssh/id_rsa is there']),
                ('resolver', ['/etc/resolv.conf has']),
                ('sudo-rule', ['/etc/sudoers.d/other says mallory ALL=(ALL) NOPASSWD:ALL; right is: nobody else']),
                ('sudo-mode', ['/etc/sudoers.d/zuul has mode 0644; right is: 0440']),
                ('package', ['package: git is not there; right is: 1:2.39.5', 'package: python3-pip 23.0 is there',
                             'package: python3-pip 23.0 is installed; right is: not installed']),
                ('python', ['/usr/bin: python is there in 3.11, 3.12; right is: 3.11']),
                ('repository', [f'/opt/git/example.org/project: HEAD is {"b" * 40}; right is: {"a" * 40}']),
                ('linked-cache', ['/opt/cache/wheels: wheels on the way is a link or no folder'])):
            with self.subTest(fault=fault):
                found = self.problems(fault)
                self.assertEqual(len(found), len(expected), found)
                for line, start in zip(found, expected, strict=True):
                    self.assertTrue(line.startswith(start), line)

    def test_what_is_expected(self) -> None:
        maker.make(str(self.root))
        self.assertEqual(self.again({'label': 'big'}),
                         ['/etc/ci-node-facts.json: label is small; right is: big, as node_facts_expect says.'])

    def test_a_cache_outside(self) -> None:
        maker.make(str(self.root))
        path = self.root / 'etc' / 'ci-node-facts.json'
        facts = json.loads(path.read_text(encoding='utf-8'))
        facts['caches']['files']['files']['../../../etc/shadow'] = 'a' * 64
        path.write_text(json.dumps(facts), encoding='utf-8')
        self.assertEqual([line.split(';')[0] for line in self.again()],
                         ['/etc/ci-node-facts.json: the name ../../../etc/shadow leads elsewhere'])
        facts['caches']['files'] = {'path': '/opt/cache/files/../../../..', 'files': {}}
        path.write_text(json.dumps(facts), encoding='utf-8')
        self.assertEqual([line.split(';')[0] for line in self.again()], ['/opt/cache/files/../../../.. has .. in it'])

    def test_files_without_an_end(self) -> None:
        maker.make(str(self.root))
        with mock.patch.object(trees, 'FILE_LIMIT', 3):
            self.assertIn('/opt/cache/files/get-pip.py is longer than 3 bytes', self.again()[0] + self.again()[1])

    def test_no_more_lines_than_can_be_read(self) -> None:
        maker.make(str(self.root))
        for number in range(300):
            (self.root / 'opt' / 'cache' / 'files' / f'{number}\x1b').touch()
        found = self.again()
        self.assertEqual(len(found), 101)
        self.assertEqual(found[-1], 'and 200 more')
        self.assertTrue(all(line.isprintable() for line in found))

    def test_heads(self) -> None:
        tree = trees.Tree(str(self.root))
        for files, expected in (
                ({}, None), ({'r/HEAD': 'b' * 40 + '\n'}, 'b' * 40), ({'r/HEAD': 'ref: refs/heads/x\n'}, ''),
                ({'r/HEAD': 'ref: refs/heads/x\n', 'r/refs/heads/x': 'c' * 40 + '\n'}, 'c' * 40),
                ({'r/.git/HEAD': 'ref: refs/heads/x\n', 'r/.git/refs/heads/x': 'd' * 40}, 'd' * 40)):
            with self.subTest(files=files):
                shutil.rmtree(self.root / 'r', ignore_errors=True)
                maker.put(str(self.root), files)
                self.assertEqual(module.head(tree, '/r'), expected)
        maker.put(str(self.root), {'r/.git/HEAD': 'ref: refs/../../../etc/shadow\n'})
        with self.assertRaises(trees.Strange):
            module.head(tree, '/r')

    def test_resolvers(self) -> None:
        for text, own in ((b'nameserver 127.0.0.1\n', True), (b'nameserver 192.0.2.1\n', False), (b'# x\n', True),
                          (b'search corp.example\n', False)):
            with self.subTest(text=text):
                self.assertEqual(module.resolver_is_own(text), own)


class TestSchema(unittest.TestCase):
    def test_the_role_has_the_schema_of_the_recipe(self) -> None:
        self.assertEqual((ROLES / 'node-facts' / 'files' / 'facts.schema.json').read_bytes(),
                         (LIBRARY / 'node' / 'facts.schema.json').read_bytes())

    def test_cases(self) -> None:
        for schema, good, bad in (
                ({'type': 'string', 'minLength': 1}, 'x', ''), ({'type': 'integer', 'minimum': 0}, 0, -1),
                ({'type': 'integer'}, 1, True), ({'const': 1}, 1, 2),
                ({'const': 1}, 1, True), ({'enum': ['a']}, 'a', 'b'),
                ({'type': 'string', 'pattern': '^[0-9]$'}, '1', '1\n'),
                ({'type': 'array', 'uniqueItems': True}, ['a', 'b'], ['a', 'a']),
                ({'type': 'array', 'items': {'type': 'string'}}, ['a'], [1]),
                ({'type': 'array', 'minItems': 1}, [1], []),
                ({'type': 'object', 'required': ['a']}, {'a': 1}, {}),
                ({'type': 'object', 'properties': {'a': {'type': 'string'}}}, {'a': ''}, {'a': 1}),
                ({'type': 'object', 'additionalProperties': False}, {}, {'a': 1}),
                ({'type': 'object', 'additionalProperties': {'const': 2}}, {'a': 2}, {'a': 1}),
                ({'type': 'object', 'propertyNames': {'pattern': '^a'}}, {'a': 1}, {'b': 1}),
                ({'$ref': '#/$defs/path', 'minLength': 2, '$defs': {'path': {'type': 'string'}}}, '/x', '/')):
            with self.subTest(schema=schema):
                self.assertEqual(list(shape.misfits(good, schema, schema)), [])
                self.assertEqual(len(list(shape.misfits(bad, schema, schema))), 1)

    def test_a_word_that_is_not_known(self) -> None:
        with self.assertRaisesRegex(ValueError, 'maxLength'):
            list(shape.misfits('x', {'maxLength': 1}, {}))


class TestInput(unittest.TestCase):
    def test_all_at_once(self) -> None:
        with self.assertRaises(module.Refused) as caught:
            module.refuse('image', {'label': None, 'x\n': 1, 'pythons': [3.1]})
        self.assertEqual(str(caught.exception).splitlines()[0], 'node-facts: cannot continue, 4 problems:')
        self.assertIn("node_facts_expect has 'x\\n'", str(caught.exception))


class TestRunning(unittest.TestCase):
    def test_units(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        script = folder / 'systemctl'
        for text, expected in (('exit 0', []),
                               ('echo "a.service loaded failed failed It"', ['systemd: a.service has failed']),
                               ('echo no bus >&2; exit 1', ['systemctl list-units --failed: exit code 1: no bus'])):
            with self.subTest(text=text), mock.patch.dict(os.environ, PATH=f'{folder}:{os.environ["PATH"]}'):
                script.write_text(f'#!/bin/sh\n{text}\n', encoding='utf-8')
                script.chmod(0o755)
                found = list(module.check_units(trees.Tree('/'), {}, False))
                self.assertEqual([line.split(';')[0] for line in found], expected)
