"""Small git repositories for tests."""

from __future__ import annotations

import os
import subprocess
import tempfile
import textwrap
import unittest
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

from zuul_local.tenant.load import LocalTenant, load_tenant

CLEAN = {'GIT_CONFIG_GLOBAL': os.devnull, 'GIT_CONFIG_SYSTEM': os.devnull, 'GIT_AUTHOR_NAME': 'Test',
         'GIT_AUTHOR_EMAIL': 'test@localhost', 'GIT_COMMITTER_NAME': 'Test', 'GIT_COMMITTER_EMAIL': 'test@localhost'}


class ScratchCase(unittest.TestCase):
    """A test with a folder of its own, in which git knows nothing of the user's settings."""

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix='zuul-local-test-')
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        patch = mock.patch.dict(os.environ, CLEAN)
        patch.start()
        self.addCleanup(patch.stop)

    def git(self, folder: Path, *words: str) -> None:
        subprocess.run(('git', '-C', folder, *words), check=True, capture_output=True)

    def write(self, folder: Path, files: Mapping[str, str]) -> None:
        """Write *files*, by path; text that begins with a newline loses that and its common indentation."""
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text[1:]) if text[:1] == '\n' else text, encoding='utf-8')

    def repository(self, name: str, files: Mapping[str, str] | None = None, *, commit: bool = True) -> Path:
        """Return the folder of a new repository with *files*, on branch main."""
        folder = self.folder / name
        folder.mkdir(parents=True)
        self.git(folder, 'init', '-q', '-b', 'main')
        self.write(folder, files or {})
        if commit:
            self.git(folder, 'add', '-A')
            self.git(folder, 'commit', '-q', '--allow-empty', '-m', 'Begin')
        return folder

    def tenant(self, files: Mapping[str, str], **arguments: object) -> LocalTenant:
        """Return the tenant of a project called local/thing that holds *files*."""
        return load_tenant(self.repository('thing', files), **arguments)   # type: ignore[arg-type]
