"""A bundle is anybody's: what is taken for one."""

from __future__ import annotations

import json
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import plugin
from tests.unit.roles.publish_replay_bundle.test_publish_replay_bundle import INVENTORY, OUTPUT
from zuul_local.errors import UserError
from zuul_local.replay import bundle

A, B = 'a' * 40, 'b' * 40
ROLE: Any = plugin('publish-replay-bundle', 'action', 'publish_replay_bundle')


def document(**changed: Any) -> dict[str, Any]:
    return {
        'version': 1,
        'build': {'uuid': 'b1', 'job': 'tox', 'pipeline': 'check', 'branch': 'main', 'ref': 'refs/changes/1/1/1',
                  'commit_id': B},
        'project': 'example.org/a', 'ansible_version': '11', 'projects': {'example.org/a': {'commit': A}},
        'playbooks': [{'project': 'example.org/a', 'commit': A}, {'project': None, 'commit': None}],
        'nodes': [{'name': 'one', 'label': 'debian-bookworm'}], 'variables': {'colour': 'blue'}, 'hidden': ['token'],
        'tools': [{'node': 'one', 'name': 'tox', 'version': '4', 'source': 'cache', 'digest': 'd' * 16}],
        'failures': [{'host': 'one', 'playbook': 'p.yaml', 'task': 'Run tox', 'said': ['x\n', 7]}], **changed}


class TestParse(unittest.TestCase):
    def test_what_the_role_writes(self) -> None:
        made = ROLE.bundle(INVENTORY, {'tools': [{'name': 'tox', 'node': ''}]}, OUTPUT)
        found = bundle.parse(json.loads(json.dumps(made)), 'here')
        self.assertEqual((found.job, found.branch, found.project), ('tox', 'main', 'example.org/a'))
        self.assertEqual(found.commits, {'example.org/a': 'c' * 40})
        self.assertEqual(found.sources, {'example.org/a': 'c' * 40})
        self.assertEqual(found.hidden, ('api_token', 'db_password', 'mirror'))
        self.assertEqual([key[2] for key in found.failures], ['Run tox'])

    def test_a_good_one(self) -> None:
        found = bundle.parse(document(), 'here')
        self.assertEqual(found.failures, {('one', 'p.yaml', 'Run tox'): ('x ',)})
        self.assertEqual(found.nodes, {'one': 'debian-bookworm'})
        self.assertEqual(found.change, B)

    def test_whatever_is_wrong_is_refused(self) -> None:
        build = document()['build']
        for changed, part in (
                ({'build': 7}, 'build is 7: not a mapping'), ({'build': {}}, 'build.job is null: not a printable text'),
                ({'build': {**build, 'job': 'a\nb'}}, 'build.job is "a\\nb"'),
                ({'build': {**build, 'branch': '--upload-pack=x'}}, 'build.branch is "--upload-pack=x": not a branch'),
                ({'build': {**build, 'branch': 'a b'}}, 'not a branch'),
                ({'build': {**build, 'ref': '-x'}}, 'build.ref'),
                ({'build': {**build, 'commit_id': 'HEAD'}}, 'build.commit_id is "HEAD": not a commit'),
                ({'project': '../../etc'}, 'project is "../../etc": not a canonical'),
                ({'project': None}, 'project is null'),
                ({'project': 'example.org/b'}, 'the tested one, example.org/b, is not among them'),
                ({'projects': {'example.org/a': {'commit': '--help'}}},
                 'projects: example.org/a is "--help": not a commit'),
                ({'projects': {'x/../y': {'commit': A}}}, 'projects is "x/../y"'), ({'projects': []}, 'projects is []'),
                ({'nodes': [7]}, 'nodes is 7: not a list of mappings'), ({'nodes': {}}, 'nodes is {}: not a list'),
                ({'variables': {'a b': 1}}, 'variables is "a b": not the name'),
                ({'tools': [{'version': 1}]}, 'tools.version'),
                ({'hidden': ['a\x1b[0m']}, 'hidden is "a\\u001b[0m"'),
                ({'failures': [{'task': 'x' * 3000}]}, 'failures.task'),
                ({'playbooks': [{'project': 'x', 'commit': A}]}, 'playbooks is "x"')):
            with self.subTest(changed=str(changed)[:80]), self.assertRaises(UserError) as caught:
                bundle.parse(document(**changed), 'here')
            self.assertIn(part, caught.exception.message)
            self.assertTrue(caught.exception.message.startswith('here is no bundle that can be replayed:\n'))

    def test_all_problems_in_one_message(self) -> None:
        with self.assertRaises(UserError) as caught:
            bundle.parse(document(project=1, nodes=1, tools=1), 'here')
        self.assertEqual(len(caught.exception.message.splitlines()), 4)


class TestRead(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def test_a_file_and_its_folder(self) -> None:
        (self.folder / 'replay.json').write_text(json.dumps(document()))
        self.assertEqual(bundle.read(self.folder), bundle.read(self.folder / 'replay.json'))

    def test_what_is_none(self) -> None:
        path = self.folder / 'x'
        os.mkfifo(self.folder / 'pipe')
        for where, content, part in (
                (self.folder, None, 'No such file'), (self.folder / 'pipe', None, 'no plain file'),
                (path, b'{', 'not JSON'),
                (path, b'\xff', 'not JSON'), (path, b'[' * 200_000, 'not JSON'), (path, b'[]', 'no replay bundle'),
                (path, b'{}', 'no replay bundle'), (path, b'{"version": 2}', 'a bundle of version 2'),
                (path, b'{"version": 1' + b'0' * 5000 + b'}', 'not JSON'),
                (path, b' ' * (bundle.MAX_BYTES + 1), 'larger than')):
            if content is not None:
                path.write_bytes(content)
            with self.subTest(content=str(content)[:30]), self.assertRaisesRegex(UserError, part):
                bundle.read(where)


if __name__ == '__main__':
    unittest.main()
