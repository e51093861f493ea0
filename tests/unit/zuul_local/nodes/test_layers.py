"""A change of the recipe makes the layers anew that it touches, and those above."""

import tempfile
import unittest
from pathlib import Path

from zuul_local.nodes import image, layers

RECIPE = '''\
: "${NODE_STEPS:=python cache venvs packages lists archives user facts}"
helper() { true; }
step_python() {
    helper
}
step_cache() {
    python3 "$here/deal" "$NODE_TOOLCHAIN"/*.txt
}
tools() {
    lines "$here/tools.txt"
}
lists() { echo "$here/lists/$1"; }
step_venvs() { # one line of words
    tools | while read -r venv; do git fetch "$venv"; done
}
step_packages() {
    bindep -f "$here/bindep.txt"
}
step_archives() {
    lines $(lists packages.txt)
    "$here/fetch" x
    rm -rf /var/lib/apt/lists/*
}
step_user() {
    useradd zuul
}
for step in $NODE_STEPS; do "step_$step"; done
'''
FILES = {
    'Containerfile': 'FROM x', 'recipe/setup-node': RECIPE, 'recipe/deal': 'import common-words',
    'recipe/tools.txt': 't', 'recipe/common-words': '', 'recipe/bindep.txt': 'git', 'recipe/lists/packages.txt': 'a',
    'recipe/fetch': '#!',
    'toolchain/tox.txt': 'tox==1', 'recipe/nobodys': '?',
}


class Layers(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.files = {name: Path(folder.name) / name for name in FILES}
        for name, path in self.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(FILES[name])
        self.before = layers.layers(self.files)

    def changed(self) -> list[int]:
        return [number for number, (old, new) in enumerate(zip(self.before, layers.layers(self.files), strict=True), 1)
                if old != new]

    def test_each_step_is_in_one_layer_in_its_order(self) -> None:
        self.assertEqual([('python', 'cache', 'venvs'), ('packages',), ('lists', 'archives'), ('user', 'facts')],
                         [layer.steps for layer in self.before])

    def test_what_a_change_touches(self) -> None:
        cases = (
            ('recipe/tools.txt', 'u', [1]), ('toolchain/tox.txt', 'tox==2', [1]),
            ('recipe/deal', 'import common-words, os', [1]),
            ('recipe/common-words', 'x = 1', [1]),                          # read by what a step reads
            ('recipe/bindep.txt', 'git curl', [2]), ('recipe/lists/packages.txt', 'b', [3]), ('recipe/fetch', '#', [3]),
            ('recipe/setup-node', RECIPE.replace('useradd', 'useradd -m'), [4]),
            ('recipe/setup-node', RECIPE.replace('-f "$here', '-b -f "$here'), [2]),
            ('recipe/setup-node', RECIPE.replace('lines "$here/tools', 'lines -x "$here/tools'), [1]),
            ('recipe/setup-node', RECIPE.replace('$here/lists/$1', '$here/lists/./$1'), [3]),
            ('recipe/setup-node', RECIPE.replace('for step in', 'for  step in'), [1, 2, 3, 4]),
            ('recipe/setup-node', RECIPE.replace('helper() { true', 'helper() { false'), [1]),
            ('Containerfile', 'FROM y', [1, 2, 3, 4]), ('recipe/nobodys', '!', [1, 2, 3, 4]),
        )
        for name, text, expected in cases:
            with self.subTest(name, text=text[:20]):
                self.files[name].write_text(text)
                found = self.changed()
                self.files[name].write_text(FILES[name])
                self.assertEqual(expected, found)
        self.assertEqual([], self.changed())

    def test_a_program_that_can_no_longer_be_run_is_a_change(self) -> None:
        self.files['recipe/fetch'].chmod(0o755)
        self.assertEqual([3], self.changed())

    def test_a_step_that_ends_a_layer_may_be_missing(self) -> None:
        self.assertEqual([(), (), (), ('python', 'facts')], layers.grouped(('python', 'facts')))
        self.assertEqual([(), ('packages',), (), ('facts',)], layers.grouped(('packages', 'facts')))


class OurRecipe(unittest.TestCase):
    def test_every_step_is_in_a_layer_and_known_to_the_recipe(self) -> None:
        files = image.context()
        recipe = files[layers.RECIPE].read_text()
        steps = layers.step_names(recipe)
        self.assertEqual(steps, tuple(step for layer in layers.layers(files) for step in layer.steps))
        self.assertEqual({f'step_{step}' for step in steps},
                         {found[1] for found in layers.FUNCTION.finditer(recipe) if found[1].startswith('step_')})

    def test_what_changes_often_does_not_make_all_anew(self) -> None:
        files = image.context()
        before = layers.layers(files)
        with tempfile.TemporaryDirectory() as folder:
            for name, first in (('recipe/tools.txt', 1), ('toolchain/tox.txt', 1), ('recipe/bindep.txt', 2),
                                ('recipe/lists/files.txt', 3), ('recipe/lists/projects.txt', 3),
                                ('recipe/bindep-fallback.txt', 3), ('recipe/units/node-host-keys.service', 4)):
                with self.subTest(name):
                    path = Path(folder) / 'changed'
                    path.write_bytes(files[name].read_bytes() + b'# more\n')
                    after = layers.layers({**files, name: path})
                    same = [old == new for old, new in zip(before, after, strict=True)]
                    self.assertEqual(first, 1 + same.index(False))

    def test_each_layer_has_arguments_in_the_containerfile(self) -> None:
        text = (image.RECIPE / 'Containerfile').read_text()
        for number in range(1, len(layers.ENDS) + 2):
            self.assertIn(f'ARG STEPS_{number}\nARG DIGEST_{number}\nRUN ', text)
        self.assertEqual(len(layers.ENDS) + 1, text.count('\nRUN '))
