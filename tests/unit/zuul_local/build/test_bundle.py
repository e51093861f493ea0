import os
import tempfile
import unittest
from pathlib import Path

from zuul_local.build import bundle
from zuul_local.errors import UserError


class TestBundle(unittest.TestCase):

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = Path(scratch.name)
        self.logs = self.top / 'work/logs'
        self.logs.mkdir(parents=True)

    def publish(self, name='0001'):
        folder = bundle.open_folder(self.top)
        bundle.publish(self.top / 'work', folder / name, {'job': 'a<b', 'result': 'SUCCESS'})
        return folder / name

    def test_files_are_copied_and_listed(self):
        (self.logs / 'deep').mkdir()
        (self.logs / 'deep/it\'s a "log" & 100%.txt').write_text('x')
        published = self.publish()
        self.assertEqual('x', (published / 'deep/it\'s a "log" & 100%.txt').read_text())
        page = (published / 'index.html').read_text()
        self.assertIn('href="./deep/it%27s%20a%20%22log%22%20%26%20100%25.txt"', page)
        self.assertIn('a&lt;b: SUCCESS', page)

    def test_artifacts_and_docs_are_copied_beside_the_logs(self):
        for name in ('artifacts/dist', 'docs', 'src'):
            (self.top / 'work' / name).mkdir(parents=True)
            (self.top / 'work' / name / 'file').write_text(name)
        published = self.publish()
        self.assertEqual('artifacts/dist', (published / 'artifacts/dist/file').read_text())
        self.assertEqual('docs', (published / 'docs/file').read_text())
        self.assertFalse((published / 'src').exists())

    def test_names_that_are_taken_are_left_out_and_listed(self):
        for name in ('logs/index.html/page', 'logs/artifacts', 'logs/docs/same', 'docs/same', 'artifacts/file'):
            (self.top / 'work' / name).parent.mkdir(parents=True, exist_ok=True)
            (self.top / 'work' / name).write_text(name)
        page = (self.publish() / 'index.html').read_text()
        for name in ('logs/index.html/page', 'docs/same', 'artifacts/file'):
            self.assertIn(name, page)

    def test_nothing_but_plain_files_is_copied(self):
        secret = self.top / 'secret'
        secret.write_text('secret')
        (self.logs / 'link').symlink_to(secret)
        (self.logs / 'folder').symlink_to(self.top)
        os.mkfifo(self.logs / 'fifo')
        (self.logs / 'plain').write_text('x')
        published = self.publish()
        self.assertEqual(['index.html', 'plain', 'zuul-local.json'], sorted(path.name for path in published.iterdir()))

    def test_names_that_are_not_text(self):
        with open(os.fsencode(self.logs) + b'/\xff<script>\n', 'w'):
            pass
        page = (self.publish() / 'index.html').read_text()
        self.assertNotIn('<script>', page)
        self.assertIn('%FF%3Cscript%3E%0A', page)

    def test_latest_is_switched(self):
        self.publish('0001')
        published = self.publish('0002')
        self.assertEqual(published.resolve(), (published.parent / 'latest').resolve())

    def test_a_build_that_is_removed_takes_its_link_along(self):
        first, second = self.publish('0001'), self.publish('0002')
        bundle.remove(first)
        self.assertEqual(second.resolve(), (second.parent / 'latest').resolve())
        bundle.remove(second)
        self.assertEqual([], list(second.parent.iterdir()))

    def test_folder_is_ignored_by_git(self):
        bundle.open_folder(self.top)
        self.assertEqual('*\n', (self.top / '.zuul-local/.gitignore').read_text())

    def test_a_link_in_place_of_the_folder_is_refused(self):
        (self.top / 'elsewhere').mkdir()
        (self.top / '.zuul-local').symlink_to('elsewhere')
        with self.assertRaisesRegex(UserError, 'not a folder'):
            bundle.open_folder(self.top)
        self.assertEqual([], list((self.top / 'elsewhere').iterdir()))

    def test_what_stands_in_place_of_the_last_build_is_refused(self):
        (self.top / '.zuul-local/builds/latest').mkdir(parents=True)
        with self.assertRaisesRegex(UserError, 'latest is not a link'):
            bundle.open_folder(self.top)

    def test_a_project_that_cannot_be_written(self):
        with self.assertRaisesRegex(UserError, 'results are written to .*: No such file'):
            bundle.open_folder(self.top / 'nowhere')

    def test_a_link_in_place_of_the_ignore_file_is_not_followed(self):
        (self.top / '.zuul-local').mkdir()
        (self.top / '.zuul-local/.gitignore').symlink_to(self.top / 'elsewhere')
        bundle.open_folder(self.top)
        self.assertFalse((self.top / 'elsewhere').exists())
