import time
import unittest


class TestResults(unittest.TestCase):
    def test_one_and_one(self):
        self.assertEqual(1 + 1, 2)

    def test_what_fails(self):
        self.assertEqual('<script>alert(1)</script>', 'ü')

    @unittest.skip('no <b>network</b>')
    def test_what_is_skipped(self):
        pass


class TestSlow(unittest.TestCase):
    def test_a_quick_one(self):
        self.assertEqual(1 + 1, 2)

    def test_one_that_hangs(self):
        time.sleep(20)
