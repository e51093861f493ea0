"""The lists of the recipe: what they name is there."""

from __future__ import annotations

import re
import subprocess
import unittest

from tests.unit.node import program
from zuul_local.nodes.image import RECIPE, TOOLCHAIN, context

FOLDER = RECIPE / 'recipe'
SETUP = (FOLDER / 'setup-node').read_text()
facts = program('recipe/write-facts')


class Recipe(unittest.TestCase):
    def test_every_step_is_there(self) -> None:
        default = re.search(r'NODE_STEPS:=([a-z ]+)', SETUP)
        assert default
        self.assertEqual(sorted(default[1].split()), sorted(re.findall(r'^step_([a-z]+)\(\)', SETUP, re.M)))
        self.assertEqual(['facts', 'clean'], default[1].split()[-2:])

    def test_a_shell_can_read_it(self) -> None:
        for name in ('setup-node', 'config-drive', 'grow-root', 'locks/lock'):
            with self.subTest(name):
                subprocess.run(['sh', '-n', FOLDER / name], check=True)
                self.assertTrue((FOLDER / name).stat().st_mode & 0o100)

    def test_every_file_it_uses_is_in_the_context(self) -> None:
        used = {f'recipe/{name}' for name in re.findall(r'\$here/([a-z-]+(?:\.txt)?)"', SETUP)} \
            | {f'recipe/units/{name}' for name in re.findall(r'unit (node-[a-z-]+\.service)', SETUP)}
        self.assertGreater(len(used), 10)
        folders = {path.rpartition('/')[0] for path in context()}
        self.assertEqual(set(), used - set(context()) - folders)

    def test_every_tool_has_one_lock(self) -> None:
        lines = (FOLDER / 'tools.txt').read_text().splitlines()
        rows = [line.split() for line in lines if not line.startswith('#')]
        for venv, lock, profile, commands in rows:
            with self.subTest(venv):
                places = (TOOLCHAIN / f'{lock}.txt', FOLDER / f'locks/{lock}.txt')
                found = [path for path in places if path.exists()]
                self.assertEqual(1, len(found))
                self.assertIn('--hash=sha256:', found[0].read_text())
                self.assertIn(profile, ('node', 'vm'))
                self.assertTrue(all(commands.split(',')))
        self.assertNotIn('glean-env', facts.read_tools(FOLDER / 'tools.txt', ['node']))
        self.assertIn('glean-env', facts.read_tools(FOLDER / 'tools.txt', ['node', 'vm']))
