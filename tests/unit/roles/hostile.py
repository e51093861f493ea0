# SPDX-License-Identifier: Apache-2.0
"""The worst output that a job can leave, for the tests of whatever collects it."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path

from tests.unit.roles import ROLES

# A program that is started straight from here is charged with our own memory, too, see getrusage(2).
OWN_MEMORY = ('sh', '-c', '"$@"; exit "$?"', 'sh')
PROGRAMS = sorted(ROLES.parent.glob('test-playbooks/*/hostile_tree.py'))


class HostileTest(unittest.TestCase):
    """A folder ``self.tree``, and one beside it that must stay as it is."""

    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.tree, self.outside = self.base / 'logs', self.base / 'logs-private'

    def program(self, what: str, tree: Path, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, str(PROGRAMS[0]), what, str(tree), str(self.outside), *arguments)

    def make(self, *arguments: str) -> None:
        devices = ['--devices'] if os.geteuid() == 0 else []
        subprocess.run(self.program('make', self.tree, *devices, *arguments), check=True)

    def swap(self, seconds: int) -> None:
        """Swap files and folders for links while the test goes on."""
        self._swapping = subprocess.Popen(self.program('swap', self.tree, str(seconds)))
        self.addCleanup(self.stop_swapping)

    def stop_swapping(self) -> None:
        self._swapping.kill()
        self._swapping.wait()

    def wrong(self, tree: Path, *, lacks: Sequence[str] = (), empty: int = 0) -> list[str]:
        """What is wrong with what was made of it."""
        done = subprocess.run(self.program('check', tree, '--empty', str(empty), '--lacks', *lacks),
                              check=False, stdout=subprocess.PIPE, text=True)
        return done.stdout.splitlines() if done.returncode else []
