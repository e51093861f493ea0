"""Labels: what a job can name."""

import tempfile
import textwrap
import unittest
from pathlib import Path

from zuul_local.nodes import labels

TEXT = textwrap.dedent('''\
    - {name: one, kind: real, suite: first, platform: Debian, release: first, pythons: ['3.11'],
       python_path: /usr/bin/python3}
    - {name: two, default: true, kind: contract, suite: second, platform: EL, release: '9', pythons: ['3.12', '3.13'],
       python_path: /opt/python}
''')


class Labels(unittest.TestCase):
    def setUp(self) -> None:
        with tempfile.NamedTemporaryFile('w', suffix='.yaml') as file:
            file.write(TEXT)
            file.flush()
            self.labels = labels.load_labels(Path(file.name))

    def test_each_has_an_offline_variant_of_the_same_image(self) -> None:
        self.assertEqual(['one', 'one-offline', 'two', 'two-offline'], list(self.labels))
        offline = self.labels['two-offline']
        self.assertTrue(offline.offline)
        self.assertFalse(self.labels['two'].offline)
        self.assertEqual('two', offline.image)
        self.assertEqual(('3.12', '3.13'), offline.pythons)
        self.assertEqual(('EL', '9'), (offline.platform, offline.release))

    def test_people_are_told_which_is_no_real_system(self) -> None:
        self.assertEqual(['one', 'one-offline', 'two, contract', 'two-offline, contract'],
                         [label.described for label in self.labels.values()])

    def test_the_default_is_never_offline(self) -> None:
        self.assertEqual('two', labels.default_label(self.labels).name)

    def test_labels_that_have_a_python(self) -> None:
        for version, expected in (
            ('3.13', ['two', 'two-offline']), ('3.11', ['one', 'one-offline']), ('3.1', []), ('', []),
            ('3', ['one', 'one-offline', 'two', 'two-offline']),
        ):
            with self.subTest(version):
                self.assertEqual(expected, [label.name for label in labels.with_python(version, self.labels)])


class OurOwn(unittest.TestCase):
    def test_they_load_and_exactly_one_is_the_default(self) -> None:
        found = labels.load_labels()
        self.assertEqual(['debian-bookworm'], [label.name for label in found.values() if label.default])
        self.assertLessEqual({label.kind for label in found.values()}, {'real', 'contract', 'untried'})
        for label in found.values():
            self.assertTrue(all(isinstance(version, str) for version in (*label.pythons, label.release)), label)
            if label.kind == 'real':
                self.assertEqual(('Debian', label.suite), (label.platform, label.release))
            self.assertEqual(bool(label.base), not label.suite, label)      # one of them, never both
            self.assertEqual(label.kind != 'untried', label.tried)
            self.assertLessEqual({label.architecture}, {'', 'aarch64'})
