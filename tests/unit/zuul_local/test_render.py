import unittest
from pathlib import Path

from zuul_local import render

VALUES = [
    ('text', 'text'), ('two words', 'two words'), ('', '""'), (' a', '" a"'), ('1', '"1"'), ('true', '"true"'),
    ('null', '"null"'), ('3.10', '"3.10"'), ('[a', '"[a"'), ('a\nb', '"a\\nb"'), ('ä', 'ä'), (1, '1'), (True, 'true'),
    (None, 'null'), ([1, 'a'], '[1, "a"]'), ({}, '{}'), ({'a': [None]}, '{"a": [null]}'),
    ('x' * 300, 'x' * 200 + '… (300 characters)'),
]


class TestValue(unittest.TestCase):
    def test_values(self):
        for thing, expected in VALUES:
            with self.subTest(thing):
                self.assertEqual(expected, render.value(thing))


class TestPlace(unittest.TestCase):
    def test_places(self):
        for path, line, expected in (
                ('/a/b/c.yaml', 3, 'c.yaml:3'), ('/a/bc/c.yaml', 3, '/a/bc/c.yaml:3'), ('/a/b/c.yaml', 0, 'c.yaml'),
                ('', 0, ''), ('example.org/a: zuul.yaml', 2, 'example.org/a: zuul.yaml:2')):
            with self.subTest(path):
                self.assertEqual(expected, render.place(path, line, Path('/a/b')))


class TestTable(unittest.TestCase):
    def test_columns(self):
        self.assertEqual(['  a    bb  c', '  ddd  e'], render.table([('a', 'bb', 'c'), ('ddd', 'e', '')]))
        self.assertEqual([], render.table([]))
