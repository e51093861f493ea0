"""Source distributions as projects: which archive, what may be in it, what a run came to."""

from __future__ import annotations

import io
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import yaml

from tests.projects import __main__ as program
from tests.projects import source
from zuul_local import paths
from zuul_local.environment.index import Link

ONE = source.Project('Some.Thing', '1.0', 'a' * 64, 'flit', '3.10', 'tox', {'install': ['.'], 'test': ['pytest']})


class TestList(unittest.TestCase):

    def test_there_are_at_least_twenty_of_all_styles(self) -> None:
        projects = source.projects().values()
        self.assertLessEqual(20, len(projects))
        said = ' '.join(one.style for one in projects)
        for style in ('pyproject only', 'setup.py only', 'pbr', 'hatch', 'flit', 'poetry', 'meson-python',
                      'uv.lock', 'nox only', 'thousands of tests'):
            with self.subTest(style=style):
                self.assertIn(style, said)

    def test_every_entry_says_what_is_needed(self) -> None:
        for project in source.projects().values():
            with self.subTest(project=project.name):
                self.assertRegex(project.sha256, r'\A[0-9a-f]{64}\Z')
                self.assertEqual({'install', 'test'}, set(project.plain))

    def test_every_job_is_there(self) -> None:
        stanzas = [stanza for file in (paths.LIBRARY / 'zuul.d').glob('*.yaml')
                   for stanza in yaml.safe_load(file.read_text())]
        jobs = {stanza['job']['name'] for stanza in stanzas if 'job' in stanza}
        self.assertEqual([], sorted({project.job for project in source.projects().values()} - jobs))

    def test_which_labels_suit(self) -> None:
        for python, suits in (('3.9', False), ('3.10', True), ('3.13', True)):
            with self.subTest(python=python):
                self.assertEqual(suits, ONE.suits(python))


class TestChoose(unittest.TestCase):

    def test_the_archive_with_the_digest(self) -> None:
        good = Link('some_thing-1.0.tar.gz', 'https://x/a', ONE.sha256)
        for others in ([], [Link('some_thing-1.0.tar.gz', 'https://x/b', 'b' * 64)],
                       [Link('some_thing-1.0.1.tar.gz', 'https://x/c', ONE.sha256)],
                       [Link('some_thing-1.0-py3-none-any.whl', 'https://x/d', ONE.sha256)]):
            with self.subTest(others=others):
                self.assertEqual(good, source.choose([*others, good], ONE))
                with self.assertRaises(LookupError):
                    source.choose(others, ONE)


class TestUnpack(unittest.TestCase):

    def unpacked(self, *members: tarfile.TarInfo) -> dict[str, str]:
        with tempfile.TemporaryDirectory() as scratch:
            archive = Path(scratch, 'a.tar.gz')
            with tarfile.open(archive, 'w:gz') as tar:
                for member in members:
                    member.size = 2 if member.isfile() else 0
                    tar.addfile(member, io.BytesIO(b'hi'))
            folder = Path(scratch, 'inner', 'out')
            source.unpack(archive, folder)
            self.assertEqual(['a.tar.gz', 'inner'], sorted(path.name for path in Path(scratch).iterdir()))
            return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob('*') if path.is_file()}

    def test_files_without_their_top_folder(self) -> None:
        self.assertEqual({'setup.py': 'hi', 'a/b.py': 'hi'},
                         self.unpacked(tarfile.TarInfo('x-1/setup.py'), tarfile.TarInfo('x-1/a/b.py')))

    def test_a_link_is_left_out(self) -> None:
        link = tarfile.TarInfo('x-1/link')
        link.type, link.linkname = tarfile.SYMTYPE, '/etc/passwd'
        self.assertEqual({'a': 'hi'}, self.unpacked(link, tarfile.TarInfo('x-1/a')))

    def test_what_leads_elsewhere_is_refused(self) -> None:
        device = tarfile.TarInfo('x-1/null')
        device.type = tarfile.CHRTYPE
        for members in ([tarfile.TarInfo('x-1/../../evil')], [tarfile.TarInfo('/evil')], [device],
                        [tarfile.TarInfo('x-1/a'), tarfile.TarInfo('y-1/a')]):
            with self.subTest(members=members), self.assertRaises(ValueError):
                self.unpacked(*members)


class TestConfiguration(unittest.TestCase):

    def test_texts_are_filled(self) -> None:
        words = {'python': '3.11', 'env': 'py311', 'src': '/src'}
        self.assertEqual({'a': 'py311-unit', 'b': ['test-3.11', 1], 'c': '{{ zuul }}'},
                         source.filled({'a': '{env}-unit', 'b': ['test-{python}', 1], 'c': '{{ zuul }}'}, words))

    def test_both_ways_are_jobs(self) -> None:
        files = source.configuration(ONE, {})
        stanzas = yaml.safe_load(files['.zuul.yaml'])
        self.assertEqual([('project-tests', 'tox'), ('plain-tests', 'base')],
                         [(one['job']['name'], one['job']['parent']) for one in stanzas if 'job' in one])
        self.assertEqual('all', yaml.safe_load(files['plain.yaml'])[0]['hosts'])


class TestResult(unittest.TestCase):

    def test_how_many_tests_ran(self) -> None:
        for output, number in (
            ('12:00 | node | ======== 12 failed, 345 passed, 3 skipped in 1.20s ========\n', 345),
            ('12:00 | node | 7 passed in 0.31s\n', 7),
            ('12:00 | node | Totals\n12:00 | node |  - Passed: 17\n', 17),
            ('12:00 | node | Ran 2621 tests in 3.1s\n', 2621),
            ('12:00 | node | nothing\n', None),
        ):
            with self.subTest(output=output):
                self.assertEqual(number, program.count(output))

    def test_a_run_that_takes_too_long_is_told_to_stop(self) -> None:
        waits = ('import time, sys\ntry:\n time.sleep(60)\nexcept KeyboardInterrupt:\n sys.stderr.write("cleaned up")\n'
                 ' sys.exit(130)')
        with mock.patch.object(program, 'LONGEST', 2):
            self.assertEqual((130, 'cleaned up'), program.finished([sys.executable, '-S', '-c', waits]))

    def test_a_table_has_a_column_for_each_label(self) -> None:
        record = {'name': 'x', 'version': '1', 'style': 'flit', 'job': 'tox', 'result': 'SUCCESS', 'tests': 3,
                  'seconds': 9}
        lines = list(program.table([{**record, 'label': 'debian-trixie'},
                                    {**record, 'label': 'debian-bookworm', 'tests': None, 'result': 'FAILURE'}]))
        self.assertEqual(['   * - x 1', '     - flit', '     - tox', '     - FAILURE: 9 s',
                          '     - SUCCESS: 3 tests, 9 s'], lines[-5:])
