from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import yaml

from zuul_local.paths import LIBRARY

loader = importlib.machinery.SourceFileLoader('toolchain_bump', str(LIBRARY / 'requirements' / 'toolchain-bump'))
spec = importlib.util.spec_from_loader('toolchain_bump', loader)
assert spec
bump = importlib.util.module_from_spec(spec)
loader.exec_module(bump)

OLD = 'helper==1 \\\n    --hash=sha256:a\ntox==4.1 ; python_version < "3.9" \\\n    --hash=sha256:b\ntox==4.2\n'


class TestChanges(unittest.TestCase):
    def test_a_line_for_each_project_the_tool_first(self) -> None:
        for new, expected in (
                (OLD, []),
                (OLD.replace('tox==4.2', 'tox==4.3'), ['tox 4.2 -> 4.3']),
                (OLD.replace('tox==4.2', 'tox==4.3').replace('helper==1', 'helper==2'),
                 ['tox 4.2 -> 4.3', 'helper 1 -> 2']),
                (OLD + 'more==1\n', ['more (new) -> 1']),
                (OLD.replace('helper==1 \\\n    --hash=sha256:a\n', ''), ['helper 1 -> (gone)']),
                (OLD.replace('sha256:a', 'sha256:c'), ['files were added to a version, or markers changed'])):
            with self.subTest(new=new):
                self.assertEqual(bump.changes('tox', OLD, new), expected)

    def test_the_note_is_one(self) -> None:
        text = bump.note({'tox': ['tox 4.2 -> 4.3', 'helper 1 -> 2'], 'nox': ['nox 1 -> 2']})
        self.assertEqual(list(yaml.safe_load(text)), ['upgrade'])
        self.assertIn('    * tox: tox 4.2 -> 4.3\n      helper 1 -> 2\n    * nox: nox 1 -> 2\n', text)


    def test_a_lock_of_npm(self) -> None:
        old, new = (json.dumps({'packages': {'': {'dependencies': {'lint': own}}, 'node_modules/lint': {'version': own},
                                             'node_modules/@a/b': {'version': '1'},
                                             'node_modules/lint/node_modules/@a/b': {'version': nested}}})
                    for own, nested in (('1.0', '2'), ('1.1', '3')))
        self.assertEqual(bump.versions(old), {'lint': ('1.0',), '@a/b': ('1', '2')})
        self.assertEqual(bump.changes('lint', old, new), ['lint 1.0 -> 1.1', '@a/b 2 -> 3'])


class TestLocks(unittest.TestCase):
    def test_what_is_derived_from_the_lock_of_pip_is_in_step(self) -> None:
        self.assertEqual((bump.PIP / 'pip.txt').read_text(), (bump.TOOLCHAIN / 'pip.txt').read_text(),
                         'copy it: requirements/toolchain-bump does')

    def test_every_lock_is_read(self) -> None:
        for tool, text in bump.read().items():
            self.assertIn({'zuul-cloner': 'pyyaml'}.get(tool, tool), bump.versions(text))
            self.assertEqual(text, bump.place(tool).read_text())

    def test_what_npm_installs_is_put_back_as_it_was(self) -> None:
        tool, lock = 'markdownlint-cli', {'packages': {'': {'dependencies': {'markdownlint-cli': '2.0'}}}}
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            (folder / 'package.json').write_text('{"name": "x", "dependencies": {"markdownlint-cli": "1.0"}}')
            with mock.patch.dict(bump.NPM, {tool: folder}):
                bump.write({tool: json.dumps(lock)})
                self.assertEqual(bump.read()[tool], json.dumps(lock))
            self.assertEqual(json.loads((folder / 'package.json').read_text()),
                             {'name': 'x', 'dependencies': {tool: '2.0'}})

    def test_no_tool_has_two_locks(self) -> None:
        names = [path.stem for folder in bump.FOLDERS for path in folder.glob('*.txt')]
        self.assertEqual(sorted(bump.read()), sorted([*names, *bump.NPM]))
        self.assertLessEqual({'glean', 'tox', 'zuul-cloner'}, set(names))


if __name__ == '__main__':
    unittest.main()
