import unittest

from hello import greet


class TestGreet(unittest.TestCase):
    def test_one_person(self) -> None:
        self.assertEqual(greet(' Ada '), 'Hello, Ada!')

    def test_everybody(self) -> None:
        self.assertEqual(greet(), 'Hello, world!')
