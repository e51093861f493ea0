# SPDX-License-Identifier: Apache-2.0
"""What is refused, and the files of what is not."""
from __future__ import annotations

import unittest
from typing import Any

from tests.unit.roles import module_utils

request: Any = module_utils('ensure_package_repositories_request')

LINE = 'deb https://x.example.com/apt bookworm main'
KEY = {'url': 'https://x.example.com/key', 'fingerprint': '0123 4567 89ab cdef 0123 4567 89AB CDEF 0123 4567'}


class TestManager(unittest.TestCase):
    def test_cases(self) -> None:
        for release, manager in (
                ('ID=debian\n', 'apt'), ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'apt'),
                ('ID="rocky"\nID_LIKE="rhel fedora"\n', 'dnf'),
                ('ID=fedora', 'dnf'), ('ID=arch\n', ''), ('', '')):
            with self.subTest(release=release):
                self.assertEqual(request.manager_of(release), manager)


class TestProblems(unittest.TestCase):
    def test_accepted(self) -> None:
        for manager, keys, entries in (
                ('apt', [KEY], [{'repo': LINE}]), ('apt', [], [{'repo': LINE, 'filename': 'x.list'}]),
                ('apt', [{'data': 'k'}], [{'repo': LINE},
                {'repo': 'deb-src [arch=amd64,arm64 by-hash=no] http://x:80/ ./'}]),
                ('apt', [], [{'repo': 'deb [trusted=yes] file:/opt/x ./\n'}]), ('apt', [], []),
                ('apt', [{'url': 'file:///k', 'sha256': 'A' * 64}], [{'repo': LINE}]),
                ('dnf', [KEY], [{'name': 'x', 'baseurl': 'https://x/$releasever/$basearch/'}]),
                ('dnf', [], [{'name': 'x:y', 'baseurl': ['https://a', 'file:///b'], 'enabled': 0, 'gpgcheck': 'no',
                              'priority': 9}])):
            with self.subTest(manager=manager, entries=entries):
                self.assertEqual(request.problems(keys, entries, manager, 'Debian'), [])

    def test_keys(self) -> None:
        for key, words in (
                ({}, ['has neither url nor data']),
                ({'url': 'https://x', 'data': 'k', 'sha256': '0' * 64}, ['both url and data']),
                ({'url': 'https://x'}, ['Give the sha256 of the file or the fingerprint of the key too']),
                ({'url': 'https://u:secret@x', 'sha256': '0' * 64},
                ["repositories_keys[0].url is 'https://***@x': not a URL"]),
                ({'url': 'ftp://x', 'sha256': '0' * 63}, ['.url is', ".sha256 is '" + '0' * 63]),
                ({'data': 'k', 'fingerprint': ['89ABCDEF', '0' * 40]},
                [".fingerprint is '89ABCDEF': not the 40 or 64"]),
                ({'data': 'k', 'id': 'x'},
                ["repositories_keys[0] has 'id': known are url, data, sha256, fingerprint."]),
                ('k', ["repositories_keys[0] is 'k': not a mapping"])):
            with self.subTest(key=key):
                self.found(words, request.problems([key], [{'repo': LINE}], 'apt', 'Debian'))

    def test_lines(self) -> None:
        for line, words in (
                ('', "repositories_list[0].repo is '': not a source of apt. Write e.g. 'deb"),
                ('ppa:a/b', 'not a source of apt'),
                (LINE + '\ndeb http://evil ./', 'not a source of apt'), (LINE + ' # x', 'not a source of apt'),
                ('deb https://x bookworm', "has the suite 'bookworm' and the components ''"),
                ('deb https://x ./ main', "has the suite './' and the components 'main'"),
                ('deb ftp://x bookworm main', '.repo is '),
                ('deb https://u:secret@x bookworm main', "is 'https://***@x': not"),
                ('deb [x=y] https://x ./', "has the option 'x=y': known are arch"),
                ('deb [arch] https://x ./', "option 'arch'"),
                ('deb [arch=$(x)] https://x ./', "option 'arch=$(x)'")):
            with self.subTest(line=line):
                self.found([words], request.problems([], [{'repo': line}], 'apt', 'Debian'))
        self.found(['say in one place who signs it'],
                   request.problems([KEY], [{'repo': 'deb [signed-by=/k] https://x ./'}], 'apt', 'Debian'))
        for name in ('../x', 'a/b', '.x', 'a b', 'a\nb', '', '-x'):
            with self.subTest(name=name):
                self.found([f'repositories_list[0].filename is {name!r}: not the name of a file'],
                           request.problems([], [{'repo': LINE, 'filename': name}], 'apt', 'Debian'))

    def test_sections(self) -> None:
        good = {'name': 'x', 'baseurl': 'https://x'}
        for change, words in (
                ({'name': 'x]\n[y'}, "repositories_list[0].name is 'x]\\n[y': not the name of a repository"),
                ({'name': 'main'}, 'main'),
                ({'baseurl': ''}, 'has no baseurl, metalink or mirrorlist'),
                ({'baseurl': 'x'}, ".baseurl is 'x': not a URL"),
                ({'mirrorlist': 'https://x\ngpgcheck=0'}, ".mirrorlist is 'gpgcheck=0': not a URL"),
                ({'enabled': 'perhaps'}, ".enabled is 'perhaps': write true or false"),
                ({'priority': '1\nx'}, 'priority'),
                ({'description': 'a\nb'}, ".description is 'a\\nb': not one line"),
                ({'file': '../x'}, ".file is '../x'"),
                ({'gpgkey': 'https://x'}, "has 'gpgkey': known are name, description")):
            with self.subTest(change=change):
                self.found([words], request.problems([], [{**good, **change}], 'dnf', 'Rocky'))

    def test_all_at_once(self) -> None:
        self.found(["the system is 'Arch'"], request.problems([], [], '', 'Arch'))
        self.found(['.url is', 'repositories_keys has keys, and repositories_list is empty'],
                   request.problems([{'url': 'https://x'}], [], 'apt', 'Debian'))
        self.found(["has 'name'", ".repo is ''"], request.problems([], [{'name': 'x'}], 'apt', 'Debian'))

    def found(self, words: list[str], problems: list[str]) -> None:
        self.assertEqual(len(words), len(problems), problems)
        for word, problem in zip(words, problems, strict=True):
            self.assertIn(word, problem)
            self.assertNotIn('secret', problem)


class TestFiles(unittest.TestCase):
    def test_apt(self) -> None:
        found = request.wanted([
            {'repo': 'deb  [arch=amd64,arm64 trusted=yes] https://x.example.com:8/apt/ bookworm main  extra'},
            {'repo': 'deb-src https://x.example.com:8/apt/ bookworm main'},
            {'repo': 'deb https://x.example.com:8/apt bookworm-updates main'},
            {'repo': 'deb https://x.example.com:8/apt bookworm-updates main'},
            {'repo': 'deb http://y ./', 'filename': 'why.list'}], 'apt', ['/k-1.asc', '/k-2.gpg'])
        keys = 'Signed-By: /k-1.asc /k-2.gpg\n'
        folder = '/etc/apt/sources.list.d'
        self.assertEqual(found, {
            f'{folder}/x-example-com-8-apt.sources': request.MARK + (
                'Types: deb\nURIs: https://x.example.com:8/apt/\nSuites: bookworm\nComponents: main extra\n'
                f'Architectures: amd64 arm64\nTrusted: yes\n{keys}\n'
                f'Types: deb-src\nURIs: https://x.example.com:8/apt/\nSuites: bookworm\nComponents: main\n{keys}\n'
                f'Types: deb\nURIs: https://x.example.com:8/apt\nSuites: bookworm-updates\nComponents: main\n{keys}'),
            f'{folder}/why.sources': request.MARK + f'Types: deb\nURIs: http://y\nSuites: ./\n{keys}'})

    def test_dnf(self) -> None:
        found = request.wanted([
            {'name': 'a', 'baseurl': ['https://x', 'https://y'], 'description': 'A tool'},
            {'name': 'b', 'metalink': 'https://x', 'enabled': False, 'gpgcheck': 'no', 'priority': 5, 'file': 'a'},
        ], 'dnf', ['/k-1'])
        self.assertEqual(found, {'/etc/yum.repos.d/a.repo': request.MARK + (
            '[a]\nname=A tool\nbaseurl=https://x https://y\nenabled=1\ngpgcheck=1\ngpgkey=file:///k-1\n\n'
            '[b]\nname=b\nmetalink=https://x\nenabled=0\ngpgcheck=0\npriority=5\ngpgkey=file:///k-1\n')})


if __name__ == '__main__':
    unittest.main()
