"""The logs of real containers, as the role collect-container-logs keeps them.

A node runs podman only when it is privileged, so that the role's self-test has a stand-in for it; here is the real one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library
from zuul_local.nodes import image, labels
from zuul_local.nodes.podman import Podman, find_podman
from zuul_local.nodes.site import discover

module: Any = library('collect-container-logs', 'collect_container_logs')
LONGEST = 120           # seconds for podman


class TestPodman(unittest.TestCase):
    podman: Podman
    image: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.podman = find_podman()
        label = labels.load_labels()['debian-bookworm']
        cls.image = image.ensure_image(cls.podman, label, discover(os.environ), lambda _: None)

    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.run_id = os.urandom(4).hex()

    def container(self, name: str, script: str) -> str:
        """Start a container and return its full name."""
        name = f'zuul-local-test-{self.run_id}-{name}'
        self.addCleanup(self.podman.run, 'rm', '--force', '--ignore', '--time', '0', name)
        self.podman.run('run', '--detach', '--network', 'none', '--log-driver', 'k8s-file', *self.podman.ulimits,
                        '--name', name, '--entrypoint', 'sh', self.image, '-c', script, timeout=LONGEST)
        return name

    def collect(self) -> Any:
        work = module.Collector({'command': 'podman', 'dest': str(self.base / 'podman'), 'timeout': LONGEST,
                                 'max_bytes': 10000})
        work.run()
        return work

    def log(self, name: str) -> str:
        return (self.base / 'podman' / f'{name}.txt').read_text()

    def test_logs_are_kept(self) -> None:
        ended = self.container('ended', 'echo out; echo err >&2; exit 3')
        runs = self.container('runs.1_2', 'echo "\033[2Jbegin $(id -u)"; exec sleep 300')
        long = self.container('long', 'seq 100000')
        self.podman.run('wait', ended, long, timeout=LONGEST)
        work = self.collect()
        self.assertEqual(self.log(ended), 'out\nerr\n')
        self.assertEqual(self.log(runs), '\033[2Jbegin 0\n')
        self.assertRegex(self.log(long), r'^\[the \d+ bytes before this are left out\]\n(?s:.*)\n99999\n100000\n$')
        own = [line for line in work.problems if self.run_id in line]
        self.assertEqual(len(own), 1)
        self.assertRegex(own[0], 'long.txt: longer than 10000 bytes')

    def test_a_container_that_never_ran(self) -> None:
        name = f'zuul-local-test-{self.run_id}-never'
        self.addCleanup(self.podman.run, 'rm', '--force', '--ignore', name)
        self.podman.run('create', '--network', 'none', *self.podman.ulimits, '--name', name, self.image)
        self.collect()
        self.assertEqual(self.log(name), '')
