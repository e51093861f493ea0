"""Who owns what is told by process number and start time."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from zuul_local.nodes import owner


class Owner(unittest.TestCase):
    def test_this_process_lives(self) -> None:
        self.assertTrue(owner.alive(owner.me()))

    def test_the_same_number_with_another_start_is_somebody_else(self) -> None:
        self.assertFalse(owner.alive(f'{os.getpid()}:1'))

    def test_words_that_name_no_process(self) -> None:
        for words in ('', ':', f'{os.getpid()}', f'{os.getpid()}:', 'x:1', '-1:1', '99999999:1'):
            with self.subTest(words):
                self.assertFalse(owner.alive(words))

    def test_a_dead_one_that_nobody_waited_for_is_dead(self) -> None:
        child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
        name = owner.of(child.pid)
        self.assertTrue(owner.alive(name))
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self.assertFalse(owner.alive(name))
        child.communicate()

    def test_a_folder_is_claimed(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual('', owner.claimed(Path(folder)))
            owner.claim(Path(folder))
            self.assertTrue(owner.alive(owner.claimed(Path(folder))))
