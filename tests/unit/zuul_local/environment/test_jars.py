"""Jars: what is fetched is compared with the lock, file by file, before anybody uses it."""

from __future__ import annotations

import hashlib
import tempfile
import unittest
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

from zuul_local.environment import jars
from zuul_local.environment.recipe import REQUIREMENTS
from zuul_local.errors import UserError
from zuul_local.process import ProcessError

LOCK = REQUIREMENTS / 'e2e-jars'
GOOD, OTHER = b'good', b'other'
DIGEST = hashlib.sha256(GOOD).hexdigest()


class JarsTest(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = Path(scratch.name)

    def fetch(self, files: dict[str, bytes]) -> Path:
        """Ask for the one jar of a lock from a Maven that brings *files*."""
        lock = self.top / 'lock'
        lock.mkdir()
        (lock / 'pom.xml').write_text('<project/>')
        (lock / 'sha256').write_text(f'{DIGEST}  a-1.jar\n')

        def maven(argv: tuple[str, ...], **kwargs: object) -> None:
            folder = Path(argv[-1].partition('=')[2])
            folder.mkdir()
            for name, data in files.items():
                (folder / name).write_bytes(data)

        with mock.patch.object(jars, 'run', side_effect=maven) as run:
            first = jars.ensure(lock, self.top / 'cache')
            self.assertEqual(first, jars.ensure(lock, self.top / 'cache'))
        self.assertEqual(1, run.call_count)
        return first

    def test_what_the_lock_says_is_kept(self) -> None:
        self.assertEqual(['a-1.jar'], [path.name for path in self.fetch({'a-1.jar': GOOD}).iterdir()])

    def test_anything_else_is_refused_and_nothing_kept(self) -> None:
        cases: tuple[tuple[dict[str, bytes], str], ...] = (
            ({'a-1.jar': OTHER}, 'a-1.jar'), ({}, 'a-1.jar'), ({'a-1.jar': GOOD, 'b-1.jar': OTHER}, 'b-1.jar'))
        for files, named in cases:
            with self.subTest(files), tempfile.TemporaryDirectory() as top:
                self.top = Path(top)
                with self.assertRaisesRegex(UserError, f'^{named}: not what the lock says'):
                    self.fetch(files)
                self.assertEqual([], [path for path in (self.top / 'cache').iterdir() if len(path.name) == 16])

    def test_a_repository_out_of_reach_is_told_with_its_own_words(self) -> None:
        failed = ProcessError(('mvn',), 1, 'Could not transfer artifact', '')
        with mock.patch.object(jars, 'run', side_effect=failed), \
                self.assertRaisesRegex(UserError, 'Could not transfer artifact'):
            jars.ensure(LOCK, self.top)

    def test_the_lock_has_a_digest_for_each_jar(self) -> None:
        space = {'m': 'http://maven.apache.org/POM/4.0.0'}
        pom = ElementTree.parse(LOCK / 'pom.xml')
        versions = {f'${{{entry.tag.partition("}")[2]}}}': entry.text for entry in pom.findall('m:properties/*', space)}
        named = {f'{one.findtext("m:artifactId", "", space)}-{versions[one.findtext("m:version", "", space)]}.jar'
                 for one in pom.findall('m:dependencies/m:dependency', space)}
        digests = jars.wanted((LOCK / 'sha256').read_text())
        self.assertEqual(named, set(digests))
        for digest in digests.values():
            self.assertRegex(digest, '^[0-9a-f]{64}$')
