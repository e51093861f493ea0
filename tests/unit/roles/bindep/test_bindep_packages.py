# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tests.unit.roles import library

bindep = library('bindep', 'bindep_packages')


class TestLists(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / 'a project').mkdir()

    def find(self, file: str, fallback: str) -> str:
        found = bindep.find_list(str(self.root / 'a project'), file, fallback and str(self.root / fallback))
        return os.path.relpath(found, self.root) if found else ''

    def test_which_list_is_read(self) -> None:
        for files, file, fallback, expected in (
                ((), '', '', ''),
                (('a project/bindep.txt',), '', '', 'a project/bindep.txt'),
                (('a project/other-requirements.txt',), '', '', 'a project/other-requirements.txt'),
                (('a project/bindep.txt', 'a project/other-requirements.txt'), '', '', 'a project/bindep.txt'),
                (('list',), '', 'list', 'list'),
                (('a project/bindep.txt', 'list'), '', 'list', 'a project/bindep.txt'),
                (('a project/bindep.txt', 'a project/x.txt'), 'x.txt', '', 'a project/x.txt'),
                (('list',), str(self.root / 'list'), '', 'list')):
            with self.subTest(files=files, file=file, fallback=fallback):
                for name in files:
                    (self.root / name).write_text('')
                self.assertEqual(self.find(file, fallback), expected)
                for name in files:
                    (self.root / name).unlink()

    def test_a_link_to_a_list_is_one(self) -> None:
        (self.root / 'list').write_text('')
        (self.root / 'a project/bindep.txt').symlink_to('../list')
        self.assertEqual(self.find('', ''), 'a project/bindep.txt')

    def test_what_was_asked_for_must_exist(self) -> None:
        for file, fallback, expected in (('x.txt', '', "bindep_file is 'x.txt'"),
                                         ('', 'none', "bindep_fallback is '.*/none'")):
            with self.subTest(expected=expected), self.assertRaisesRegex(bindep.Refused, expected):
                self.find(file, fallback)
        with self.assertRaisesRegex(bindep.Refused, "bindep_dir is '/nonexistent': there is no such folder"):
            bindep.find_list('/nonexistent', '', '')

    def test_a_list_that_is_none_is_told(self) -> None:
        path = self.root / 'a project/bindep.txt'
        path.symlink_to('nowhere')
        with self.assertRaisesRegex(bindep.Refused, 'bindep.txt is a link to nothing'):
            self.find('', '')
        path.unlink()
        path.mkdir()
        with self.assertRaisesRegex(bindep.Refused, 'bindep.txt is not a file'):
            self.find('', '')


class TestCommand(unittest.TestCase):
    def test_places(self) -> None:
        for have, wanted, expected in (({}, '', ''), ({'bindep': '/usr/bin/bindep'}, '', '/usr/bin/bindep'),
                                       ({'/usr/bindep-env/bin/bindep': '/usr/bindep-env/bin/bindep'}, '',
                                        '/usr/bindep-env/bin/bindep'),
                                       ({'bindep': '/usr/bin/bindep', '/my/bindep': '/my/bindep'}, '/my/bindep',
                                        '/my/bindep')):
            with self.subTest(have=have, wanted=wanted):
                self.assertEqual(bindep.find_command(wanted, have.get), expected)

    def test_a_set_command_must_exist(self) -> None:
        with self.assertRaisesRegex(bindep.Refused, "bindep_command is '/none'"):
            bindep.find_command('/none', {'bindep': '/usr/bin/bindep'}.get)

    def test_profiles(self) -> None:
        self.assertEqual(bindep.profiles_of('compile  test'), ['compile', 'test'])
        self.assertEqual(bindep.profiles_of('platform:dpkg'), ['platform:dpkg'])
        for text in ('--help', 'test -f', "it's", 'compile,test', "['compile', 'test']"):
            with self.subTest(text=text), self.assertRaises(bindep.Refused):
                bindep.profiles_of(text)


class TestAsk(unittest.TestCase):
    def ask(self, wanted: list[str] | None, *answers: tuple[int, str, str], there: str = '/b', have: str = '',
            **changes: object) -> tuple[dict, list[list[str]]]:
        calls: list[list[str]] = []
        waiting = list(answers)

        def run(argv: list[str]) -> tuple[int, str, str]:
            calls.append(argv)
            return waiting.pop(0)
        params = {'command': '', 'file': '', 'fallback': '', 'directory': 'p', 'profiles': 'test',
                  'must_be_satisfied': False}
        with mock.patch.object(bindep, 'find_list', lambda *_: 'p/bindep.txt'), \
                mock.patch.object(bindep, 'find_command', lambda wish: there), \
                mock.patch.object(bindep, 'read', lambda path: b''), \
                mock.patch.object(bindep, 'installed', lambda run: set(have.split())), \
                mock.patch.object(bindep, 'plain', lambda data, profiles: wanted):
            return bindep.ask({**params, **changes}, run), calls

    def test_a_plain_list_needs_no_bindep(self) -> None:
        for wanted, have, expected in (([], '', []), (['a', 'b'], 'a b', []), (['a', 'b'], 'b', ['a'])):
            with self.subTest(wanted=wanted):
                result, calls = self.ask(wanted, have=have, there='')
                self.assertEqual((result['missing'], result['needs_bindep'], calls), (expected, False, []))

    def test_bindep_is_asked(self) -> None:
        for wanted, changes in ((None, {}), (['x'], {'command': '/b'})):
            for answer, have, expected in (
                    ((0, '', ''), '', []), ((1, 'Missing packages:\n    gcc g++\n', ''), '', ['gcc', 'g++']),
                    # it does not know of packages that are provided by others
                    ((1, 'Missing packages:\n    gcc libfoo-dev\n', ''), 'libfoo-dev', ['gcc'])):
                with self.subTest(answer=answer):
                    result, calls = self.ask(wanted, answer, have=have, **changes)
                    self.assertEqual(result['missing'], expected)
                    self.assertEqual(calls, [['/b', '--file=p/bindep.txt', 'test']])

    def test_failures_have_the_words_of_bindep(self) -> None:
        bad = 'Bad versions of installed packages:\n    git version 2 does not match >=99\n'
        for answer, expected in (
                ((2, '', 'Requirements parsing error: bad [[['), 'cannot be read; bindep says:\nRequirements parsing'),
                ((1, bad, ''), 'is not satisfied; bindep says:\nBad versions of installed packages:\n    git version'),
                ((1, 'Missing packages:\n    a\n' + bad, ''), 'bindep says:\nMissing packages:\n    a\nBad versions'),
                ((1, '', 'Error reading file p/bindep.txt.'), 'cannot be read; bindep says:\nError reading file'),
                ((1, '', 'Traceback (most recent call last):\n  x\nException: Unknown package manager.'),
                 'bindep says:\nException: Unknown package manager'),
                ((0, 'usage: something', ''), 'cannot be read; bindep says:\nusage: something'),
                ((127, '', ''), 'nothing, exit code 127')):
            with self.subTest(answer=answer), self.assertRaises(bindep.Refused) as caught:
                self.ask(None, answer)
            self.assertIn(expected, str(caught.exception))

    def test_still_missing(self) -> None:
        with self.assertRaisesRegex(bindep.Refused, 'these packages are still missing: a'):
            self.ask(['a'], must_be_satisfied=True)

    def test_no_bindep_on_the_node(self) -> None:
        self.assertTrue(self.ask(None, there='')[0]['needs_bindep'])


class TestPlain(unittest.TestCase):
    def test_what_is_no_text_is_not_plain(self) -> None:
        self.assertIsNone(bindep.plain(b'# \xff\nbash\n', []))

    def test_a_file_that_cannot_be_read(self) -> None:
        with self.assertRaisesRegex(bindep.Refused, '/nonexistent cannot be read: No such file'):
            bindep.read('/nonexistent')


if __name__ == '__main__':
    unittest.main()
