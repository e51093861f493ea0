from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from zuul_local import paths, process

PYTHON = (sys.executable, '-c')


class TestRun(unittest.TestCase):
    def test_what_it_gives_back(self) -> None:
        table: tuple[tuple[str, str | bytes | None, int, str, str], ...] = (
            ('print(open(0).read())', 'in', 0, 'in\n', ''),
            ('print(open(0).read())', b'in', 0, 'in\n', ''),
            ('print(open(0).read())', None, 0, '\n', ''),
            ('import sys; sys.stderr.write("no"); sys.exit(3)', None, 3, '', 'no'),
            (r'import sys; sys.stdout.buffer.write(b"\xff")', None, 0, '�', ''),
        )
        for code, stdin, expected, out, err in table:
            with self.subTest(code=code):
                done = process.run((*PYTHON, code), stdin=stdin, check=False)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (expected, out, err))

    def test_a_failure_says_command_code_and_what_was_printed(self) -> None:
        table = (
            ((*PYTHON, 'print("so"); raise SystemExit("why")'), 60.0, 1, ('exit code 1', 'so', 'why')),
            (('no-such-program-here', 'a b'), 60.0, None, ("no-such-program-here 'a b'", 'did not run to its end')),
            ((*PYTHON, 'import time; print("begun", flush=True); time.sleep(60)'), 0.5, None,
             ('out of time after 0.5 s', 'begun')),
        )
        for argv, seconds, code, words in table:
            with self.subTest(words=words), self.assertRaises(process.ProcessError) as caught:
                process.run(argv, timeout=seconds)
            self.assertEqual(caught.exception.code, code)
            for word in words:
                self.assertIn(word, str(caught.exception))


class TestShow(unittest.TestCase):
    def test_the_exit_code_comes_back(self) -> None:
        self.assertEqual(process.show((*PYTHON, 'raise SystemExit(7)')), 7)

    def test_a_program_that_is_not_there(self) -> None:
        with self.assertRaises(process.ProcessError):
            process.show(('no-such-program-here',))

    def test_an_interrupt_waits_for_the_program(self) -> None:
        """As in a terminal, both get the signal; the program takes longer to end than Python's own patience."""
        child = ('import time\n'
                 'try: print("begun", flush=True); time.sleep(60)\n'
                 'except KeyboardInterrupt: time.sleep(1); open("done", "w")')
        with tempfile.TemporaryDirectory() as folder:
            parent = subprocess.Popen(
                (*PYTHON, f'from zuul_local import process; process.show({(*PYTHON, child)!r})'), cwd=folder,
                env={**os.environ, 'PYTHONPATH': str(paths.LIBRARY)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True)
            with parent:
                assert parent.stdout
                parent.stdout.readline()
                begun = time.monotonic()
                os.killpg(parent.pid, signal.SIGINT)
                self.assertNotEqual(parent.wait(30), 0)
            self.assertTrue(Path(folder, 'done').exists())
            self.assertGreater(time.monotonic() - begun, 0.9)


class TestStart(unittest.TestCase):
    def test_its_output_goes_to_files_and_it_has_a_session_of_its_own(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            out, aside = Path(folder, 'out'), Path(folder, 'aside')
            code = ('import os, sys; print(os.getsid(0), os.getcwd())\n'
                    'print(sys.stdin.read(), file=sys.stderr); sys.exit(3)')
            child = process.start((*PYTHON, code), stdout=out, stderr=aside, cwd=folder)
            self.assertEqual(child.wait(60), 3)
            self.assertEqual(out.read_text(), f'{child.pid} {Path(folder).resolve()}\n')
            self.assertEqual(aside.read_text(), '\n')

    def test_a_program_that_is_not_there(self) -> None:
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(process.ProcessError, 'did not run'):
            process.start(('/nonexistent',), stdout=Path(folder, 'out'), stderr=Path(folder, 'aside'))
