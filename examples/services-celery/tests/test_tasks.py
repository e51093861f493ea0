import subprocess
import sys
import unittest

from tasks import add, fail


class TestTasks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        argv = [sys.executable, '-m', 'celery', '--app=tasks', 'worker', '--pool=solo', '--loglevel=warning']
        worker = subprocess.Popen(argv)
        cls.addClassCleanup(worker.wait, 30)
        cls.addClassCleanup(worker.terminate)

    def test_results(self):
        waiting = [add.delay(number, 1) for number in range(20)]
        self.assertEqual([one.get(timeout=30) for one in waiting], list(range(1, 21)))

    def test_failures(self):
        with self.assertRaisesRegex(ValueError, 'no'):
            fail.delay().get(timeout=30)
