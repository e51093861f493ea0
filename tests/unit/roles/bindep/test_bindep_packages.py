# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import unittest
from unittest import mock

from tests.unit.roles import library

bindep = library('bindep', 'bindep_packages')


class TestLists(unittest.TestCase):
    def test_which_list_is_read(self) -> None:
        for files, file, fallback, expected in (
                (set(), '', '', ''),
                ({'p/bindep.txt'}, '', '', 'p/bindep.txt'),
                ({'p/other-requirements.txt'}, '', '', 'p/other-requirements.txt'),
                ({'p/bindep.txt', 'p/other-requirements.txt'}, '', '', 'p/bindep.txt'),
                ({'/opt/list'}, '', '/opt/list', '/opt/list'),
                ({'p/bindep.txt', '/opt/list'}, '', '/opt/list', 'p/bindep.txt'),
                ({'p/bindep.txt', 'p/x.txt'}, 'x.txt', '', 'p/x.txt'),
                ({'p/x.txt', 'x.txt'}, 'x.txt', '', 'x.txt'),
                ({'/abs'}, '/abs', '', '/abs')):
            with self.subTest(files=files, file=file, fallback=fallback):
                self.assertEqual(bindep.find_list('p', file, fallback, files.__contains__), expected)

    def test_what_was_asked_for_must_exist(self) -> None:
        for file, fallback, expected in (('x.txt', '', "bindep_file is 'x.txt'"), ('', '/opt/x',
                                                                                   "bindep_fallback is '/opt/x'")):
            with self.subTest(expected=expected), self.assertRaisesRegex(bindep.Refused, expected):
                bindep.find_list('p', file, fallback, set().__contains__)


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
    def ask(self, *answers: tuple[int, str, str], **changes: object) -> tuple[dict, list[list[str]]]:
        calls: list[list[str]] = []
        waiting = list(answers)

        def run(argv: list[str]) -> tuple[int, str, str]:
            calls.append(argv)
            return waiting.pop(0)
        params = {'command': '', 'file': '', 'fallback': '', 'directory': 'p', 'profiles': 'test',
                  'must_be_satisfied': False}
        with mock.patch.object(bindep, 'find_list', lambda *_: 'p/bindep.txt'), \
                mock.patch.object(bindep, 'find_command', lambda *_: '/b'):
            return bindep.ask({**params, **changes}, run), calls

    def test_answers(self) -> None:
        for answer, expected in (((0, '', ''), []), ((0, '\n', ''), []), ((1, 'gcc\nlibssl-dev\ng++\n', ''),
                                                                      ['gcc', 'libssl-dev', 'g++'])):
            with self.subTest(answer=answer):
                result, calls = self.ask(answer)
                self.assertEqual(result['missing'], expected)
                self.assertEqual(calls, [['/b', '--brief', '--file', 'p/bindep.txt', 'test']])

    def test_failures_have_the_words_of_bindep(self) -> None:
        for answers, changes, expected in (
                ([(2, '', ''), (2, 'Requirements parsing error: bad [[[', '')], {},
                 'cannot be read; bindep says:\nRequirements'),
                ([(1, '', ''), (1, 'Bad versions of installed packages:\n  git version 2 does not match >=99', '')], {},
                 'is not satisfied; bindep says:\nBad versions'),
                ([(1, 'Error reading file p/bindep.txt.', ''), (1, 'Error reading file p/bindep.txt.', '')], {},
                 'bindep says:\nError reading file'),
                ([(127, '', ''), (127, '', '')], {}, 'nothing, exit code 127'),
                ([(1, 'cowsay', ''), (1, 'Missing packages:\n  cowsay', '')], {'must_be_satisfied': True},
                 'is not satisfied; bindep says:\nMissing packages:\n  cowsay')):
            with self.subTest(answers=answers), self.assertRaises(bindep.Refused) as caught:
                self.ask(*answers, **changes)
            self.assertIn(expected, str(caught.exception))

    def test_no_bindep_on_the_node(self) -> None:
        params = {'command': '', 'file': '', 'fallback': '', 'directory': 'p', 'profiles': '',
                  'must_be_satisfied': False}
        for file, needs in (('p/bindep.txt', True), ('', False)):
            with self.subTest(file=file), mock.patch.object(bindep, 'find_list', lambda *_, file=file: file), \
                    mock.patch.object(bindep, 'find_command', lambda *_: ''):
                self.assertEqual(bindep.ask(params, lambda argv: (9, '', ''))['needs_bindep'], needs)


if __name__ == '__main__':
    unittest.main()
