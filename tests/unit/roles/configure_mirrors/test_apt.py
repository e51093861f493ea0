# SPDX-License-Identifier: Apache-2.0
"""apt's files of sources, before and after."""
from __future__ import annotations

import unittest
from typing import Any

from tests.unit.roles import module_utils

apt: Any = module_utils('configure_mirrors_apt')

URLS = {name: f'http://m/{name}' for name in ('debian', 'debian-security', 'ubuntu', 'ubuntu-ports')}
DEBIAN = apt.Wish('debian', 'bookworm', URLS)
UBUNTU = apt.Wish('ubuntu', 'jammy', URLS)
KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg'


class TestArchiveOf(unittest.TestCase):
    def test_cases(self) -> None:
        for wish, suite, archive in (
                (DEBIAN, 'bookworm', 'debian'), (DEBIAN, 'bookworm-updates', 'debian'), (DEBIAN, 'stable', 'debian'),
                (DEBIAN, 'bookworm-backports-sloppy', 'debian'), (DEBIAN, 'bookworm-security', 'debian-security'),
                (DEBIAN, 'bookworm/updates', 'debian-security'), (DEBIAN, 'stable-security', 'debian-security'),
                (DEBIAN, 'bookworm-pgdg', ''), (DEBIAN, 'trixie', ''), (DEBIAN, './', ''), (DEBIAN, 'bookwormx', ''),
                (UBUNTU, 'jammy', 'ubuntu'), (UBUNTU, 'jammy-security', 'ubuntu'), (UBUNTU, 'stable', ''),
                (UBUNTU, 'jammy-updates/antelope', ''), (UBUNTU, 'jammy-apps-security', ''),
                (UBUNTU._replace(ports=True), 'jammy-updates', 'ubuntu-ports'),
                (DEBIAN._replace(ports=True), 'sid', 'debian')):
            with self.subTest(wish=wish.system, suite=suite):
                self.assertEqual(apt.archive_of(wish, suite), archive)


class TestOneLine(unittest.TestCase):
    def test_cases(self) -> None:
        trusted, source = DEBIAN._replace(trusted=True), DEBIAN._replace(source=True)
        for wish, before, after, own in (
                (DEBIAN, 'deb http://deb.debian.org/debian bookworm main\n', 'deb http://m/debian bookworm main\n', 1),
                (DEBIAN, 'deb http://deb.debian.org/debian bookworm main', 'deb http://m/debian bookworm main\n', 1),
                (DEBIAN, 'deb  http://x/debian/  bookworm  main contrib # old\n',
                 'deb http://m/debian bookworm main contrib # old\n', 1),
                (DEBIAN, 'deb-src http://x/debian bookworm main\n', 'deb-src http://m/debian bookworm main\n', 1),
                (DEBIAN, 'deb http://security.debian.org/ bookworm-security main\n',
                 'deb http://m/debian-security bookworm-security main\n', 1),
                (DEBIAN, f'deb [arch=amd64 signed-by={KEYS}] http://x/debian bookworm main\n',
                 f'deb [arch=amd64 signed-by={KEYS}] http://m/debian bookworm main\n', 1),
                (DEBIAN, 'deb [trusted=yes] http://x/debian bookworm main\n', 'deb http://m/debian bookworm main\n', 1),
                (DEBIAN, 'deb [arch=amd64 allow-insecure=yes] http://x/debian bookworm main\n',
                 'deb [arch=amd64] http://m/debian bookworm main\n', 1),
                (trusted, 'deb http://x/debian bookworm main\n',
                 'deb [trusted=yes] http://m/debian bookworm main\n', 1),
                (source, 'deb http://x/debian bookworm main\n',
                 'deb http://m/debian bookworm main\ndeb-src http://m/debian bookworm main\n', 1),
                (source, 'deb http://x/debian bookworm main\ndeb-src http://x/debian bookworm main\n',
                 'deb http://m/debian bookworm main\ndeb-src http://m/debian bookworm main\n', 1 + 1),
                (DEBIAN, '# deb http://x/debian bookworm main\n\n', '# deb http://x/debian bookworm main\n\n', 0),
                (DEBIAN, 'deb http://deb.debian.org/debian sid main\n', 'deb http://m/debian sid main\n', 1)):
            with self.subTest(before=before):
                self.assertEqual(apt.one_line(before, wish), (after, own))
                own += after.count('deb-src') - before.count('deb-src')
                self.assertEqual(apt.one_line(after, wish), (after, own))

    def test_what_others_bring_stays(self) -> None:
        for line in (
                'deb https://packages.microsoft.com/debian/12/prod bookworm main\n',
                'deb https://packages.grafana.com/oss/deb stable main\n',
                'deb https://download.docker.com/linux/debian bookworm stable\n',
                'deb [signed-by=/etc/apt/keyrings/x.asc] https://x/debian bookworm main\n',
                'deb http://apt.postgresql.org/pub/repos/apt bookworm-pgdg main\n',
                'deb [trusted=yes] file:/opt/packages ./\n', 'deb cdrom:[Debian]/debian bookworm main\n',
                'deb file:/srv/debian bookworm main\n'):
            with self.subTest(line=line):
                self.assertEqual(apt.one_line(line, DEBIAN), (line, 0))
        for line in ('deb http://ppa.launchpad.net/x/y/ubuntu jammy main\n',
                     'deb https://ppa.launchpadcontent.net/x/y/ubuntu jammy main\n',
                     'deb http://x/ubuntu jammy-updates/antelope main\n'):
            with self.subTest(line=line):
                self.assertEqual(apt.one_line(line, UBUNTU), (line, 0))

    def test_an_archive_that_is_not_wanted_elsewhere_stays_and_counts(self) -> None:
        only = DEBIAN._replace(archives={'debian-security': 'http://m/s'})
        line = 'deb [trusted=yes] http://deb.debian.org/debian bookworm main\n'
        self.assertEqual(apt.one_line(line, only), (line, 1))


class TestDeb822(unittest.TestCase):
    BEFORE = (
        '# head\n\nTypes: deb\n# a comment\nURIs: http://deb.debian.org/debian\n  http://x/debian\n# about suites\n'
        f'Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: {KEYS}\n\n\n'
        'types: deb\nuris: http://security.debian.org\nsuites: bookworm-security\ncomponents: main\n'
        f'Signed-By: {KEYS}\n')

    def test_rewritten(self) -> None:
        after, own = apt.deb822(self.BEFORE, DEBIAN)
        self.assertEqual(own, 2)
        self.assertEqual(after, (
            '# head\n\nTypes: deb\n# a comment\nURIs: http://m/debian\n# about suites\n'
            f'Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: {KEYS}\n\n\n'
            'types: deb\nURIs: http://m/debian-security\nsuites: bookworm-security\ncomponents: main\n'
            f'Signed-By: {KEYS}\n'))
        self.assertEqual(apt.deb822(after, DEBIAN), (after, 2))

    def test_trust_and_sources(self) -> None:
        after, _ = apt.deb822(self.BEFORE, DEBIAN._replace(trusted=True, source=True))
        self.assertEqual(after.count('Trusted: yes\n'), 2)
        self.assertEqual(after.count('Types: deb deb-src\n'), 2)
        self.assertEqual(apt.deb822(after, DEBIAN._replace(source=True))[0].count('Trusted'), 0)

    def test_what_stays(self) -> None:
        own = 'Types: deb\nURIs: http://x/debian\nSuites: bookworm\nComponents: main\n'
        for text in (own.replace('main', 'main stable'), own + 'Enabled: no\n',
                     own + 'Signed-By: /etc/apt/keyrings/o.gpg\n',
                     own + 'Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n x\n', own.replace('/debian', '/o'),
                     own.replace('Suites: bookworm', 'Suites: bookworm bookworm-security'), '', '\n', '# nothing\n'):
            with self.subTest(text=text):
                self.assertEqual(apt.deb822(text, DEBIAN), (text, 0))

    def test_image_of_a_cloud(self) -> None:
        mirrors = 'mirror+file:///etc/apt/mirrors/debian.list'
        text = f'Types: deb deb-src\nURIs: {mirrors}\nSuites: bookworm\nComponents: main\n'
        self.assertEqual(apt.deb822(text, DEBIAN)[0], text.replace(mirrors, 'http://m/debian'))


class TestWanted(unittest.TestCase):
    def test_files_keep_their_places(self) -> None:
        line = 'deb http://deb.debian.org/debian bookworm main\n'
        other = 'deb https://x/apt stable main\n'
        found = apt.wanted({'/etc/apt/sources.list': line, f'{apt.FOLDER}/o.list': other}, DEBIAN, KEYS)
        self.assertEqual(found, {'/etc/apt/sources.list': 'deb http://m/debian bookworm main\n',
                                 f'{apt.FOLDER}/o.list': other})

    def test_a_system_without_sources_gets_those_of_a_fresh_one(self) -> None:
        found = apt.wanted({'/etc/apt/sources.list': '# empty\n'}, DEBIAN, KEYS)
        self.assertEqual(found[f'{apt.FOLDER}/debian.sources'], (
            'Types: deb\nURIs: http://m/debian\nSuites: bookworm bookworm-updates\nComponents: main\n'
            f'Signed-By: {KEYS}\n\n'
            'Types: deb\nURIs: http://m/debian-security\nSuites: bookworm-security\nComponents: main\n'
            f'Signed-By: {KEYS}\n'))
        self.assertEqual(apt.wanted(found, DEBIAN, KEYS), found)
        found = apt.wanted({}, UBUNTU._replace(ports=True, trusted=True), '')
        self.assertEqual(found, {f'{apt.FOLDER}/ubuntu.sources': (
            'Types: deb\nURIs: http://m/ubuntu-ports\nSuites: jammy jammy-updates jammy-security\n'
            'Components: main universe\nTrusted: yes\n')})


if __name__ == '__main__':
    unittest.main()
