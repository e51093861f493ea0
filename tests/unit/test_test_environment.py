# SPDX-License-Identifier: Apache-2.0
"""The pages about test nodes are what their generator makes."""
from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import imported
from zuul_local import paths
from zuul_local.nodes.labels import load_labels

generator: Any = imported('test_environment', paths.LIBRARY / 'doc' / 'test_environment.py')
FACTS = {
    'schema': 1, 'label': 'small', 'built': '2024-01-01T00:00:00Z', 'architecture': 'x86_64', 'profiles': ['node'],
    'os': {'id': 'debian', 'version': '12', 'codename': 'bookworm'}, 'pythons': ['3.11'],
    'tools': {'tox-env': {'tox': '4.30.1', 'pluggy': '1.6.0'}}, 'commands': {'tox': '/usr/tox-env/bin/tox'},
    'packages': {'git': '1:2.39.5', 'libc6': '2.36', 'gcc': '12.2'}, 'missing': {'files': ['a.img: HTTP 404']},
    'bytes': {'total': 824000000, '/usr/tox-env': 12000000, '/opt/cache/wheels': 900},
    'caches': {
        'wheels': {'path': '/opt/cache/wheels', 'files': {'tox-4.30.1-py3-none-any.whl': 'a' * 64}},
        'files': {'path': '/opt/cache/files', 'files': {}}, 'packages': {'path': '/opt/cache/packages', 'files': {}},
        'repositories': {'path': '/opt/git', 'heads': {'example.org/project': 'a' * 40}},
    },
}


class TestPages(unittest.TestCase):
    def test_pages_are_what_the_generator_makes(self) -> None:
        kinds = generator.label_kinds((paths.LIBRARY / 'node' / 'labels.yaml').read_text(encoding='utf-8'))
        made = generator.pages(generator.PAGES, kinds)
        there = {generator.PAGES.with_suffix('.rst'), *generator.PAGES.glob('*.rst')}
        self.assertEqual(set(made), there)
        for path, text in made.items():
            with self.subTest(path=path.name):
                self.assertEqual(path.read_text(encoding='utf-8'), text, 'run doc/test_environment.py')

    def test_every_page_is_about_a_label(self) -> None:
        labels = load_labels()
        kept = sorted(path.stem for path in generator.PAGES.glob('*.json'))
        self.assertTrue(kept)
        self.assertEqual([name for name in kept if name not in labels], [])

    def test_kinds_are_those_of_the_labels(self) -> None:
        kinds = generator.label_kinds((paths.LIBRARY / 'node' / 'labels.yaml').read_text(encoding='utf-8'))
        labels = load_labels()
        self.assertIn('contract', kinds.values())
        for name, kind in kinds.items():
            self.assertEqual(labels[name].kind, kind)

    def test_a_page(self) -> None:
        text = generator.page(generator.trimmed(FACTS, ['git', 'gcc', 'nowhere']), 'contract')
        for line in ('A stand-in that tests branches of our code. It says nothing about a distribution.',
                     'debian 12 (bookworm) on x86_64, 824 MB, with 3 packages; the image was made',
                     '   * - ``/usr/tox-env``\n     - tox 4.30.1\n     - 12 MB',
                     '   * - tox\n     - ``/usr/tox-env/bin/tox``',
                     '   * - nox\n     - no\n     - :zuul:role:`ensure-nox`',
                     '   * - a C compiler\n     - package 12.2',
                     'brings: ``example.org/project``.', 'files lacked: ``a.img: HTTP 404``',
                     '   * - git\n     - 1:2.39.5',
                     '   * - ``/opt/cache/wheels``\n     - 1\n     - 1 kB'):
            with self.subTest(line=line):
                self.assertIn(line, text)
        self.assertNotIn('libc6', text)
        self.assertNotIn('stand-in', generator.page(generator.trimmed(FACTS, []), 'real'))

    def test_what_is_kept_is_small_and_enough(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name, 'test-environment')
            folder.mkdir()
            (folder / 'small.json').write_text(json.dumps(generator.trimmed(FACTS, ['git'])), encoding='utf-8')
            made = generator.pages(folder, {})
            self.assertEqual({path.name for path in made}, {'small.rst', 'test-environment.rst'})
            self.assertIn('   test-environment/small\n', made[folder.with_suffix('.rst')])
            self.assertNotIn('a' * 64, (folder / 'small.json').read_text(encoding='utf-8'))
