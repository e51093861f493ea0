from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
from pathlib import Path

from zuul_local import paths, process

PROJECT = {
    'try/__init__.py': '',
    'try/test_it.py': '''
        import os
        import unittest

        class TestIt(unittest.TestCase):
            def test_good(self):
                pass

            def test_bad(self):
                self.assertEqual(1, 2, 'as it should not be')

            def test_error(self):
                raise KeyError('lost')

            @unittest.expectedFailure
            def test_known(self):
                self.fail()

            @unittest.expectedFailure
            def test_surprise(self):
                pass

            @unittest.skip('no moon tonight')
            def test_skipped(self):
                pass

            def test_with_parts(self):
                for number in range(3):
                    with self.subTest(number=number):
                        self.assertLess(number, 2)

        class TestSetUp(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                raise OSError('no ground')

            def test_never_run(self):
                pass
    ''',
}


class TestWatch(unittest.TestCase):
    """stestr and subunit themselves, on a project of every kind of test."""

    def run_project(self, files: dict[str, str], quiet: str = '1',
                    seconds: int = 60) -> tuple[int, dict[str, tuple[str, str]], str]:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = Path(folder, 'project', name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(textwrap.dedent(text))
            result = Path(folder, 'cases.json')
            stestr = str(Path(sys.executable).with_name('stestr'))
            done = process.run(
                (sys.executable, '-m', 'zuul_local.testing.watch', f'{folder}/project', str(result),
                 str(seconds), quiet, stestr, '--test-path', 'try', '--top-dir', '.', 'run', '--subunit',
                 '--concurrency', '2'),
                env={**os.environ, 'PYTHONPATH': str(paths.LIBRARY)}, check=False)
            cases = json.loads(result.read_text())
        return done.returncode, {c['name'].rpartition('.')[2]: (c['status'], c['detail']) for c in cases}, done.stderr

    def test_every_kind_of_test(self) -> None:
        code, cases, said = self.run_project(PROJECT)
        self.assertNotEqual(code, 0)
        self.assertEqual({name: status for name, (status, _) in cases.items()}, {
            'test_good': 'passed', 'test_known': 'passed', 'test_skipped': 'skipped',
            'test_bad': 'failed', 'test_error': 'failed', 'test_surprise': 'failed', 'test_with_parts': 'failed',
            'TestSetUp)': 'failed'})
        self.assertEqual(cases['test_skipped'][1], 'no moon tonight')
        for text in ('as it should not be', "KeyError: 'lost'", 'no ground', '2 not less than 2',
                     'marked as an expected failure'):
            self.assertIn(text, said)
        self.assertNotIn('test_good', said)

    def test_each_test_is_told_when_not_quiet(self) -> None:
        good = {name: text.split('            def test_bad')[0] for name, text in PROJECT.items()}
        code, cases, said = self.run_project(good, quiet='0')
        self.assertEqual((code, len(cases)), (0, 1))
        self.assertRegex(said, r'^  passed +\d\.\d s  try\.test_it\.TestIt\.test_good\n$')

    def test_a_test_file_that_cannot_be_imported_is_a_failure(self) -> None:
        code, cases, said = self.run_project({**PROJECT, 'try/test_it.py': 'import nowhere_to_be_found\n'})
        self.assertNotEqual(code, 0)
        self.assertEqual({status for status, _ in cases.values()}, {'failed'})
        self.assertIn('nowhere_to_be_found', said)

    def test_a_process_that_dies_is_a_failure(self) -> None:
        text = PROJECT['try/test_it.py'].replace("raise KeyError('lost')", 'os._exit(9)')
        code, cases, _ = self.run_project({**PROJECT, 'try/test_it.py': text})
        self.assertNotEqual(code, 0)
        self.assertEqual(cases['test_error'][0], 'failed')

    def test_a_test_that_hangs_is_ended_and_named(self) -> None:
        text = PROJECT['try/test_it.py'].replace("raise KeyError('lost')", '__import__("time").sleep(600)')
        code, cases, _ = self.run_project({**PROJECT, 'try/test_it.py': text}, seconds=5)
        self.assertNotEqual(code, 0)
        self.assertEqual(cases['test_error'][0], 'failed')
        self.assertIn('It never ended', cases['test_error'][1])
        self.assertIn('-9', cases['stestr'][1])


class TestEnd(unittest.TestCase):
    """The verb's own chain of processes: what ends it from outside ends stestr and the tests, too."""

    TESTS = """
        import os
        import time
        import unittest

        class TestIt(unittest.TestCase):
            def test_long(self):
                self.addCleanup(open('cleaned', 'w').close)
                with open('running', 'w') as mark:
                    mark.write(str(os.getpid()))
                time.sleep(600)
    """

    def test_termination(self) -> None:
        for number, ignored in ((signal.SIGTERM, False), (signal.SIGHUP, False), (signal.SIGTERM, True)):
            with self.subTest(number.name, ignored=ignored), tempfile.TemporaryDirectory() as folder:
                project = Path(folder)
                (project / 'try').mkdir()
                (project / 'try/__init__.py').touch()
                (project / 'try/test_it.py').write_text(textwrap.dedent(self.TESTS))
                stestr = str(Path(sys.executable).with_name('stestr'))
                watch = (sys.executable, '-m', 'zuul_local.testing.watch', folder, f'{folder}/cases.json', '60', '1',
                         stestr, '--test-path', 'try', '--top-dir', '.', 'run', '--subunit', '--concurrency', '1')
                verb = f'from zuul_local import process; process.heed_termination(); process.show({watch!r})'
                # as a shell starts what is to run in the background
                ignore = 'import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); ' if ignored else ''
                started = subprocess.Popen((sys.executable, '-c', ignore + verb), cwd=folder, stderr=subprocess.DEVNULL,
                                           env={**os.environ, 'PYTHONPATH': str(paths.LIBRARY)})
                self.addCleanup(started.kill)
                worker = self.wait_for_number(project / 'running')
                started.send_signal(number)
                started.wait(30)
                self.assertFalse(Path(f'/proc/{worker}').exists())
                self.assertTrue((project / 'cleaned').exists())

    def wait_for_number(self, path: Path) -> int:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if path.exists() and path.read_text():
                return int(path.read_text())
            time.sleep(0.05)
        self.fail(f'{path} never came')
