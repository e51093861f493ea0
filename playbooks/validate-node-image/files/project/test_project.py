"""What a project's tests need of a node at least."""
import pathlib
import sys
import tempfile
import unittest


class TestNode(unittest.TestCase):
    def test_it_runs_in_an_environment_of_its_own(self):
        self.assertNotEqual(sys.prefix, sys.base_prefix)

    def test_modules_that_a_thin_python_lacks(self):
        for name in ('bz2', 'ctypes', 'lzma', 'sqlite3', 'ssl', 'zlib'):
            with self.subTest(name=name):
                __import__(name)

    def test_files_have_names_in_any_language(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, 'Grüße').write_text('ß', encoding='utf-8')
            self.assertEqual([path.name for path in pathlib.Path(folder).iterdir()], ['Grüße'])
