# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import unittest

from tests.unit.roles import module_utils

managers = module_utils('ensure_system_packages_managers')


class TestPlatforms(unittest.TestCase):
    def test_manager_of_a_system(self) -> None:
        for release, expected in (
                ('ID=debian\nVERSION_ID="12"', 'apt-get'),
                ('ID=ubuntu\nID_LIKE=debian', 'apt-get'),
                ('ID=linuxmint\nID_LIKE="ubuntu debian"', 'apt-get'),
                ('ID=fedora', 'dnf'),
                ('ID="rhel"\nID_LIKE="fedora"', 'dnf'),
                ('ID="rocky"\nID_LIKE="rhel centos fedora"', 'dnf'),
                ("ID='almalinux'\nID_LIKE='rhel centos fedora'", 'dnf'),
                ('ID="ol"\nID_LIKE="fedora"', 'dnf'),
                ('ID="centos"\nID_LIKE="rhel fedora"', 'dnf'),
                ('ID="opensuse-leap"\nID_LIKE="suse opensuse"', 'zypper'),
                ('ID="sles"\nID_LIKE="suse"', 'zypper'),
                ('ID=arch', ''), ('ID=alpine', ''), ('', ''), ('no pairs here', '')):
            with self.subTest(release=release):
                self.assertEqual(managers.manager_of(release), expected)

    def test_every_manager_has_its_data(self) -> None:
        for name in set(managers.MANAGERS.values()):
            for table in (managers.INSTALL, managers.FINE, managers._NAMES):
                self.assertIn(name, table)
            self.assertIn('install', managers.INSTALL[name])


class TestNames(unittest.TestCase):
    def test_names(self) -> None:
        every = ('rsync', 'g++', 'libssl-dev', 'python3.11', 'gcc-c++', 'ImageMagick', 'rsync=3.2.7-1',
                 'zlib=1:1.2~rc1+b2', 'x_y')
        none = ('', '-y', '--help', 'bash-', 'a b', 'a;b', 'a|b', '$(id)', 'a*', 'a?', '~nhello', '?name(x)', 'a=',
                'a=-1', 'a\n', '@group', '+x', "it's", '../x', 'é')
        for manager, good, bad in (('apt-get', ('libc6:i386',),
                                    ('a/b', './x.deb', '/x.deb', 'perl(X)', 'a:', 'a:i386-')),
                                   ('dnf', ('/usr/bin/make', 'perl(Test::More)', 'tar-1.34'), ('./x.rpm',)),
                                   ('zypper', ('/usr/bin/make',), ('a-',))):
            for text in (*every, *good):
                with self.subTest(manager=manager, good=text):
                    self.assertTrue(managers.is_name(manager, text))
            for text in (*none, *bad):
                with self.subTest(manager=manager, bad=text):
                    self.assertFalse(managers.is_name(manager, text))

    def test_versions_as_each_manager_wants_them(self) -> None:
        for manager, expected in (('apt-get', 'a=1-2'), ('zypper', 'a=1-2'), ('dnf', 'a-1-2')):
            with self.subTest(manager=manager):
                self.assertEqual(managers.argument(manager, 'a=1-2'), expected)


class TestDpkg(unittest.TestCase):
    TEXT = ('bash\tamd64\tinstalled\tok\t5.2-1\t\n'
            'mawk\tamd64\tinstalled\tok\t1.3\tawk\n'
            'libfoo\ti386\tinstalled\tok\t1:2-3\tlibfoo-dev (= 1:2-3), bar, baz (>= 1)\n'
            'old\tamd64\tconfig-files\tok\t1\told-name\n'
            'half\tamd64\thalf-configured\tok\t1\t\n')

    def test_lacks(self) -> None:
        packages = managers.dpkg_packages(self.TEXT)
        for name, there in (('bash', True), ('awk', True), ('bash:amd64', True), ('bash:i386', False),
                            ('bash=5.2-1', True), ('bash:amd64=5.2-1', True), ('bash=5.2', False), ('libfoo-dev', True),
                            ('bar', True), ('baz', True), ('1:2-3', False), ('old', False), ('old-name', False),
                            ('half', False), ('none', False)):
            with self.subTest(name=name):
                self.assertEqual(managers.dpkg_lacks([name], packages), [] if there else [name])

    def test_order_is_kept(self) -> None:
        self.assertEqual(managers.dpkg_lacks(['z', 'bash', 'a'], managers.dpkg_packages(self.TEXT)), ['z', 'a'])

    def test_broken(self) -> None:
        for line, expected in (('a\tamd64\tinstalled\tok\t1\t', False), ('a\tamd64\tconfig-files\tok\t1\t', False),
                               ('a\tamd64\tunpacked\tok\t1\t', True),
                               ('a\tamd64\thalf-installed\tok\t1\t', True),
                               ('a\tamd64\tinstalled\treinstreq\t1\t', True),
                               ('a\tamd64\ttriggers-pending\tok\t1\t', False)):
            with self.subTest(line=line):
                self.assertEqual(managers.dpkg_is_broken(managers.dpkg_packages(line)), expected)

    def test_torn(self) -> None:
        lines = ('a\tamd64\tinstalled\treinstreq\t1\t', 'b\tall\thalf-installed\tok\t1\t',
                 'c\tamd64\tunpacked\tok\t1\t')
        self.assertEqual(managers.dpkg_torn(managers.dpkg_packages('\n'.join(lines))), ['a:amd64', 'b'])

    def test_what_apt_knows(self) -> None:
        policy = ('cowsay:\n  Installed: (none)\n  Candidate: 3\n  Version table:\n     3 500\n'
                  '        500 http://deb.debian.org/debian trixie/main amd64 Packages\n'
                  'libc6:i386:\n  Installed: (none)\n')
        self.assertEqual(managers.known(policy), {'cowsay', 'libc6:i386'})


class TestRpm(unittest.TestCase):
    def test_lacks(self) -> None:
        for out, expected in (('bash-5.1-6.el9.x86_64\n', []), ('no package provides make\nbash-5.1\n', ['make']),
                              ('package make is not installed\n', ['make']),
                              ('error: file /usr/bin/x: No such file or directory\n', ['/usr/bin/x'])):
            with self.subTest(out=out):
                self.assertEqual(managers.rpm_lacks(['bash', 'make', '/usr/bin/x'], out), expected)


class TestWords(unittest.TestCase):
    def test_words(self) -> None:
        for out, err, expected in (
                ('Reading…\n', 'E: Unable to locate package x\n', 'E: Unable to locate package x'),
                ('a\nThe following packages have unmet dependencies:\n b : Depends: c\n',
                 'E: Unable to correct problems',
                 'The following packages have unmet dependencies:\n b : Depends: c\nE: Unable to correct problems'),
                ('Waiting for x\nWaiting for x\n', 'E: lock', 'Waiting for x\nE: lock'),
                ('No match for argument: x\n', '', 'No match for argument: x'),
                ('', 'W: Failed to fetch x\nW: Some index files failed to download.\n', 'W: Failed to fetch x'),
                ('', 'E: same\nE: same\n', 'E: same')):
            with self.subTest(err=err):
                self.assertEqual(managers.words_of(out, err), expected)

    def test_kinds_of_failures(self) -> None:
        for said, network, locked, bytes_, broken in (
                ("W: Failed to fetch http://x  Temporary failure resolving 'x'", True, False, False, False),
                ('E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt-get)', False, True,
                 False, False),
                ('E: Failed to fetch file:/opt/x.deb  Hash Sum mismatch', True, False, True, False),
                ('E: Sub-process /usr/bin/dpkg returned an error code (1)', False, False, False, True),
                ('Curl error (6): Could not resolve hostname', True, False, False, False),
                ('System management is locked by the application with pid 12 (zypper).', False, True, False, False),
                ('E: Unable to locate package x', False, False, False, False)):
            with self.subTest(said=said):
                found = [bool(pattern.search(said)) for pattern in (managers.NETWORK, managers.LOCKED,
                                                                    managers.WRONG_BYTES, managers.BROKEN_OFF)]
                self.assertEqual(found, [network, locked, bytes_, broken])


if __name__ == '__main__':
    unittest.main()
