"""Host packages: the bindep subset agrees with bindep, and nothing is installed that was not asked for."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import unittest
from unittest import mock

from zuul_local.environment import host
from zuul_local.errors import UserError
from zuul_local.paths import LIBRARY

BINDEP = (LIBRARY / 'bindep.txt').read_text()


class ParseTest(unittest.TestCase):
    def test_rules(self) -> None:
        cases = (
            ('', ()),
            ('# only a comment\n\n', ()),
            ('git', (host.Rule('git', ()),)),
            ('g++ [platform:dpkg test]  # why', (host.Rule('g++', ('platform:dpkg', 'test')),)),
        )
        for text, expected in cases:
            with self.subTest(text):
                self.assertEqual(expected, host.parse(text))

    def test_what_it_does_not_know_is_refused(self) -> None:
        for line in ('git >=2', 'git [!platform:rpm]', 'git [(a b)]', 'git [a', '[a]'):
            with self.subTest(line), self.assertRaisesRegex(ValueError, 'line 2'):
                host.parse(f'\n{line}\n')

    def test_wanted(self) -> None:
        rules = host.parse('any\nx [runner]\ny [platform:dpkg]\nz [platform:rpm runner]\nw [platform:dpkg a runner]\n')
        cases = (
            (('runner',), 'dpkg', ('any', 'w', 'x', 'y')),
            (('runner',), 'rpm', ('any', 'x', 'z')),
            ((), 'dpkg', ('any', 'y')),
        )
        for profiles, platform, expected in cases:
            with self.subTest(profiles=profiles, platform=platform):
                self.assertEqual(expected, host.wanted(rules, profiles, platform))

    @unittest.skipUnless(importlib.util.find_spec('bindep'), 'bindep is in the environment of the tests only')
    def test_same_as_bindep(self) -> None:
        from bindep.depends import Depends  # type: ignore[import-untyped]
        rules = Depends(BINDEP)
        for profiles in (('runner',), ('runner', 'rootless'), ('rootless',), ('e2e',), ('other',)):
            for platform in ('dpkg', 'rpm'):
                with self.subTest(profiles=profiles, platform=platform):
                    active = rules.active_rules([*profiles, f'platform:{platform}'])
                    self.assertEqual(tuple(sorted(rule[0] for rule in active)),
                                     host.wanted(host.parse(BINDEP), profiles, platform))


class AnswersTest(unittest.TestCase):
    def test_installed(self) -> None:
        answer = 'git installed\nrsync config-files\npodman not-installed\nhalf half-installed\n'
        self.assertEqual(frozenset({'git'}), host.installed(answer))

    def test_downloads(self) -> None:
        answer = ("'http://deb/x_1.deb' x_1.deb 1000 SHA256:aa\nReading lists\n"
                  "'http://deb/y%2b_1.deb' y_1.deb 24 \n")
        self.assertEqual((2, 1024), host.downloads(answer))
        self.assertEqual((0, 0), host.downloads(''))

    def test_missing_programs(self) -> None:
        found = {'git': '/usr/bin/git', 'bwrap': None}
        self.assertEqual(('bubblewrap',), host.missing_programs(('bubblewrap', 'git', 'netavark'), found.get))


class ProvideTest(unittest.TestCase):
    def refused(
        self, *, apt: bool = True, sudo: bool = False, root: bool = False, may_install: bool = True,
    ) -> UserError:
        have = {'dpkg-query', 'apt-get'} if apt else set()
        have |= {'sudo'} if sudo else set()
        which = mock.patch.object(host.shutil, 'which', lambda name: f'/bin/{name}' if name in have else None)
        installs = mock.patch.object(host, 'install', side_effect=AssertionError('installed'))
        with which, installs, self.assertRaises(UserError) as caught:
            host.provide(('podman', 'rsync'), may_install=may_install, root=root, environ={}, say=print)
        return caught.exception

    def test_refusals_name_packages_and_command(self) -> None:
        cases = (
            (self.refused(apt=False), 'no apt', 'package manager'),
            (self.refused(), 'no sudo', 'root run: apt-get install --yes --no-install-recommends podman'),
            (self.refused(sudo=True, may_install=False), 'lacks', '/bin/sudo env DEBIAN_FRONTEND=noninteractive'),
            (self.refused(root=True, may_install=False), 'lacks', 'apt-get install --yes --no-install-recommends pod'),
        )
        for error, message, hint in cases:
            with self.subTest(message):
                self.assertIn('podman, rsync', error.message)
                self.assertIn(message, error.message)
                self.assertIn(hint, error.hint)

    def test_lacking_asks_for_rootless_packages_only_without_root(self) -> None:
        with mock.patch.object(host, 'has_apt', return_value=True), mock.patch.object(host, 'run') as run:
            run.return_value.stdout = 'podman installed\n'
            with contextlib.redirect_stderr(io.StringIO()):
                root = host.lacking(BINDEP, host.profiles(root=True), os.environ)
                user = host.lacking(BINDEP, host.profiles(root=False), os.environ)
        self.assertNotIn('podman', root)
        self.assertIn('bubblewrap', root)
        self.assertEqual({'dbus-user-session', 'slirp4netns', 'uidmap'}, set(user) - set(root))
