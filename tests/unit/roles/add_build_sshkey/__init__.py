# SPDX-License-Identifier: Apache-2.0
"""An agent, and keys that look like some."""
from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock


def material(name: str, kind: str = 'ssh-ed25519') -> str:
    """The base64 part of a public key that is made of *name*."""
    return base64.b64encode(len(kind).to_bytes(4, 'big') + kind.encode() + name.encode()).decode()


def line(name: str, comment: str = '') -> str:
    """A public key."""
    return f'ssh-ed25519 {material(name)} {comment}'.strip()


class AgentTest(unittest.TestCase):
    """Each test has an agent and an empty folder of its own."""

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        if not shutil.which('ssh-agent'):
            self.skipTest('no ssh here')
        socket = self.root / 'agent'
        agent = subprocess.Popen(['ssh-agent', '-D', '-a', str(socket)], stdout=subprocess.DEVNULL)
        self.addCleanup(agent.wait)
        self.addCleanup(agent.terminate)
        patch = mock.patch.dict(os.environ, SSH_AUTH_SOCK=str(socket))
        patch.start()
        self.addCleanup(patch.stop)
        while not socket.exists():
            time.sleep(0.01)

    def comments(self) -> list[str]:
        """What the agent calls its keys."""
        done = subprocess.run(['ssh-add', '-L'], capture_output=True, text=True)
        return [words.split(None, 2)[2].strip() for words in done.stdout.splitlines()] if not done.returncode else []

    def keygen(self, name: str, comment: str, *options: str) -> Path:
        """Make a key."""
        path = self.root / name
        argv = ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, *options, '-f', str(path)]
        subprocess.run(argv, check=True)
        return path
