"""Ansible environments that are made on demand: once, and again when one was left half made."""

from __future__ import annotations

import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from zuul.lib.ansible import AnsibleManager

from zuul_local.environment import Environment, ansibles
from zuul_local.tenant.load import DEFAULT_ANSIBLE


class TestEnsure(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = Path(folder.name) / 'env/0123456789abcdef'
        (root / 'ansible').mkdir(parents=True)
        self.here = Environment(root, root / 'ansible')
        self.made: list[tuple[str, Path]] = []

        def make(tool: object, python: Path, venv: Path, version: str, held: int) -> None:
            self.made.append((version, venv))
            (venv / 'bin').mkdir(parents=True, exist_ok=True)
            if not (venv / 'bin/python').exists():
                (venv / 'bin/python').symlink_to(sys.executable)

        for patch in (mock.patch.object(ansibles.recipe, 'make_ansible', make),
                      mock.patch.object(ansibles.recipe, 'installer', mock.Mock()),
                      mock.patch.object(sys, 'stderr', io.StringIO())):
            patch.start()
            self.addCleanup(patch.stop)

    def test_once(self) -> None:
        for _ in range(2):
            ansibles.ensure(self.here, '9')
        self.assertEqual([('9', self.here.ansible_root / '9')], self.made)
        ansibles.ensure(self.here, '11')
        self.assertEqual(['9', '11'], [version for version, _ in self.made])

    def test_one_that_was_left_half_made(self) -> None:
        with mock.patch.object(ansibles.recipe, 'write_ready', side_effect=KeyboardInterrupt), \
                self.assertRaises(KeyboardInterrupt):
            ansibles.ensure(self.here, '9')
        ansibles.ensure(self.here, '9')
        self.assertEqual(2, len(self.made))

    def test_there_are_those_that_zuul_runs(self) -> None:
        self.assertEqual({version for version, _ in AnsibleManager().getSupportedVersions()}, set(ansibles.versions()))
        self.assertIn(DEFAULT_ANSIBLE, ansibles.versions())
