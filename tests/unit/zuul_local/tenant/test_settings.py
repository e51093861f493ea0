from pathlib import Path

from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local.errors import UserError
from zuul_local.tenant.settings import FILE, load

WRONG_FILES = [
    ('projects: [', f'{FILE}:1: not YAML'),
    ('other: {}', "['other'] is not known"),
    ('- a', 'list is not known'),
    ('projects: [a]', "'projects' is ['a']; it must be a mapping"),
    ('labels: {a: 1}', "'labels' is {'a': 1}; it must be a mapping"),
    ('projects: {nova: ../nova}', "'nova' is not a canonical project name"),
]
WRONG_WORDS = [
    ('opendev.org/a/b', 'not of the form NAME=DIR'),
    ('=dir', 'not of the form NAME=DIR'),
    ('name=', 'not of the form NAME=DIR'),
    ('nova=../nova', 'not a canonical project name'),
]


class TestSettings(ScratchCase):
    def test_nothing(self):
        settings = load(self.folder)
        self.assertEqual(({}, {}), (settings.projects, settings.labels))
        self.write(self.folder, {FILE: ''})
        self.assertEqual({}, load(self.folder).projects)

    def test_file_and_words(self):
        self.write(self.folder, {FILE: '''
            projects: {example.org/a: ../a, example.org/b: /srv/b}
            labels: {ubuntu-jammy: debian-bookworm}
            '''})
        settings = load(self.folder, ['example.org/b=/elsewhere', 'example.org/c=/c'])
        self.assertEqual({'example.org/a': self.folder.parent / 'a', 'example.org/b': Path('/elsewhere'),
                          'example.org/c': Path('/c')}, settings.projects)
        self.assertEqual({'ubuntu-jammy': 'debian-bookworm'}, settings.labels)

    def test_wrong_files(self):
        for text, expected in WRONG_FILES:
            with self.subTest(text):
                self.write(self.folder, {FILE: text})
                with self.assertRaises(UserError) as caught:
                    load(self.folder)
                self.assertIn(expected, caught.exception.message)

    def test_wrong_words(self):
        for word, expected in WRONG_WORDS:
            with self.subTest(word), self.assertRaises(UserError) as caught:
                load(self.folder, [word])
            self.assertIn(expected, caught.exception.message)
