# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

from tests.unit.roles import library

role = library('ensure-system-packages', 'ensure_system_packages')
DEBIAN = 'PRETTY_NAME="Debian 12"\nID=debian\n'
FEDORA = 'PRETTY_NAME="Fedora 42"\nID=fedora\n'
SUSE = 'ID=opensuse-leap\nID_LIKE="suse"\n'
PARAMS = {'names': ['hello'], 'sources': ['index', 'archive'], 'archive': '/nonexistent', 'install': True,
          'lock_timeout': 0, 'reported_as': 'a-role', 'start_services': True}
Answer = tuple[int, str, str]


class Node:
    """A node whose programs answer what a table says; each entry is (word of the command, answer), used up in order."""

    def __init__(self, *answers: tuple[str, Answer]) -> None:
        self.answers = list(answers)
        self.calls: list[list[str]] = []

    def __call__(self, argv: Sequence[str], timeout: int) -> Answer:
        self.calls.append(list(argv))
        for number, (word, _) in enumerate(self.answers):
            if word in argv:
                return self.answers.pop(number)[1]
        raise AssertionError(f'nobody expected {argv}')

    def ran(self, word: str) -> int:
        return sum(word in call for call in self.calls)


def dpkg(*names: str) -> tuple[str, Answer]:
    return 'dpkg-query', (0, ''.join(f'{name}\tamd64\tinstalled\tok\t1\t\n' for name in names), '')


def policy(*names: str) -> tuple[str, Answer]:
    return 'policy', (0, ''.join(f'{name}:\n  Candidate: 1\n' for name in names), '')


class TestEnsure(unittest.TestCase):
    def setUp(self) -> None:
        for name, value in (('has_way_out', lambda: True), ('lists_are_old', lambda now: False)):
            patch = mock.patch.object(role, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        for target in ('time.sleep', 'os.utime'):
            silenced = mock.patch(f'{role.__name__}.{target}')
            silenced.start()
            self.addCleanup(silenced.stop)

    def refused(self, node: Callable[..., Answer], release: str = DEBIAN, **changes: object) -> str:
        result = role.ensure({**PARAMS, **changes}, node, release)
        self.assertFalse(result['changed'])
        return str(result['msg'])

    def test_nothing_missing_is_one_question(self) -> None:
        for release, answer in ((DEBIAN, dpkg('hello')), (FEDORA, ('rpm', (0, 'hello-1\n', ''))),
                                (SUSE, ('rpm', (0, 'hello-1\n', '')))):
            node = Node(answer)
            result = role.ensure(PARAMS, node, release)
            self.assertEqual((result['changed'], result['missing'], len(node.calls)), (False, [], 1))

    def test_asking_installs_nothing(self) -> None:
        result = role.ensure({**PARAMS, 'install': False, 'names': ['x', 'hello', 'x']}, Node(dpkg('hello')), DEBIAN)
        self.assertEqual((result['changed'], result['missing']), (False, ['x']))

    def test_check_mode_installs_nothing(self) -> None:
        result = role.ensure(PARAMS, Node(dpkg()), DEBIAN, check_mode=True)
        self.assertEqual((result['changed'], result['source']), (True, 'undecided'))

    def test_installed_from_the_index(self) -> None:
        node = Node(dpkg(), dpkg(), policy('hello'), policy('hello'), ('install', (0, '', '')), dpkg('hello'))
        result = role.ensure(PARAMS, node, DEBIAN)
        self.assertEqual((result['changed'], result['source'], node.ran('update')), (True, 'index', 0))
        for release, words in ((FEDORA, ['dnf', '--assumeyes', '--setopt=install_weak_deps=False']),
                               (SUSE, ['zypper', '--non-interactive', 'install', '--no-recommends'])):
            absent = (1, 'no package provides hello\npackage hello is not installed\n', '')
            node = Node(('rpm', absent), ('rpm', absent), ('install', (0, '', '')), ('rpm', (0, 'hello-1\n', '')))
            self.assertTrue(role.ensure(PARAMS, node, release)['changed'])
            self.assertEqual(node.calls[2][:len(words)], words)

    def test_lists_are_fetched_where_they_are_old_or_lack_a_name(self) -> None:
        for old, policies in ((True, [policy('hello')]), (False, [policy(), policy('hello')])):
            with self.subTest(old=old), mock.patch.object(role, 'lists_are_old', lambda now, old=old: old):
                node = Node(dpkg(), dpkg(), *policies, ('update', (0, '', '')), ('install', (0, '', '')), dpkg('hello'))
                self.assertTrue(role.ensure(PARAMS, node, DEBIAN)['changed'])
                self.assertEqual(node.ran('update'), 1)

    def test_the_network_is_tried_again(self) -> None:
        gone = 'W: Failed to fetch http://x  Temporary failure resolving\n'
        for way_out, tries in ((True, 3), (False, 1)):
            with self.subTest(way_out=way_out), \
                    mock.patch.object(role, 'has_way_out', lambda way_out=way_out: way_out), \
                    mock.patch.object(role, 'lists_are_old', lambda now: True):
                node = Node(dpkg(), dpkg(), *[('update', (0, '', gone))] * 3, policy(), ('install', (100, '', 'E: x')))
                said = self.refused(node)
                self.assertIn('sources that apt-get is configured for: has no hello: W: Failed to fetch', said)
                self.assertIn('\n  - archive /nonexistent: there is no such folder', said)
                self.assertEqual(node.ran('update'), tries)

    def test_old_lists_that_cannot_be_fetched_do(self) -> None:
        with mock.patch.object(role, 'lists_are_old', lambda now: True):
            node = Node(dpkg(), dpkg(), ('update', (100, '', 'E: The repository has no Release file')), policy('hello'),
                        ('install', (0, '', '')), dpkg('hello'))
            self.assertTrue(role.ensure(PARAMS, node, DEBIAN)['changed'])

    def test_what_the_mirror_no_longer_has_is_looked_for_again(self) -> None:
        gone = (100, '', 'E: Failed to fetch http://x/hello.deb  404  Not Found')
        node = Node(dpkg(), dpkg(), policy('hello'), policy('hello'), *[('install', gone)] * 3, ('update', (0, '', '')),
                    ('install', (0, '', '')), dpkg('hello'))
        self.assertTrue(role.ensure(PARAMS, node, DEBIAN)['changed'])

    def test_stopped_midway_and_wrong_bytes_end_it(self) -> None:
        for words, expected in (
                ('E: Sub-process /usr/bin/dpkg returned an error code (1)', 'stopped midway:\nE: Sub-process'),
                ('E: Failed to fetch x  Hash Sum mismatch', 'other bytes than their index says:\nE: Failed')):
            node = Node(dpkg(), dpkg(), policy('hello'), policy('hello'), ('install', (100, '', words)),
                        ('update', (0, '', '')), ('install', (100, '', words)))
            said = self.refused(node)
            self.assertIn(expected, said)
            self.assertNotIn('archive', said)

    def test_the_next_place_is_tried(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, 'Packages').write_text('')
            node = Node(dpkg(), dpkg(), policy(), ('update', (0, '', '')), policy(),
                        ('--simulate', (100, '', 'E: none')), ('update', (0, '', '')), policy('hello'),
                        ('install', (0, '', '')), dpkg('hello'))
            result = role.ensure({**PARAMS, 'archive': folder}, node, DEBIAN)
        self.assertEqual((result['source'], result['passed_over']),
                         ('archive', [{'source': 'index', 'why': 'has no hello: E: none'}]))
        update = node.calls[6]
        self.assertIn('--option=Dir::Etc::SourceList=/dev/null', update)
        self.assertTrue(any(word.startswith('--option=Dir::State::Lists=') for word in update))

    def test_done_is_proven(self) -> None:
        node = Node(dpkg(), dpkg(), policy('hello'), policy('hello'), ('install', (0, '', '')), dpkg())
        self.assertIn('apt-get says that it is done, and these are not installed: hello', self.refused(node))

    def test_refusals(self) -> None:
        for release, changes, expected in (
                ('PRETTY_NAME="Arch Linux"\nID=arch\n', {},
                 "the platform is 'Arch Linux': its package manager is not known here (known: apt-get, dnf, zypper). "
                 'Have these packages on the node before: hello'),
                ('', {}, "the platform is 'unknown'"),
                (DEBIAN, {'names': ['a b']}, "ensure_system_packages_names has 'a b'"),
                (DEBIAN, {'sources': []}, 'ensure_system_packages_sources is []'),
                (DEBIAN, {'sources': ['image']}, "ensure_system_packages_sources is ['image']"),
                (DEBIAN, {'archive': 'x'}, "ensure_system_packages_archive is 'x'"),
                (DEBIAN, {'names': ['-x'], 'sources': []}, 'a-role: cannot continue, 2 problems:')):
            with self.subTest(changes=changes):
                self.assertIn(expected, self.refused(Node(), release, **changes))

    def test_a_node_that_cannot_be_asked(self) -> None:
        self.assertIn('dpkg-query cannot say what is installed: no database',
                      self.refused(Node(('dpkg-query', (2, '', 'no database')))))
        self.assertIn('rpm cannot say', self.refused(Node(('rpm', (1, '', 'error: cannot open Packages'))), FEDORA))

    def test_what_a_killed_run_left_is_finished_first(self) -> None:
        half = ('dpkg-query', (0, 'x\tamd64\thalf-configured\tok\t1\t\n', ''))
        node = Node(half, half, ('--configure', (1, '', '')), policy('hello'), policy('hello'),
                    ('install', (0, '', '')), dpkg('hello'))
        self.assertTrue(role.ensure(PARAMS, node, DEBIAN)['changed'])
        self.assertEqual(node.ran('--configure'), 1)


class TestPersist(unittest.TestCase):
    def test_the_lock_is_waited_for(self) -> None:
        lock = (100, '', 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)')
        for timeout, expected in ((60, ('done', '')), (0, ('', lock[2]))):
            with self.subTest(timeout=timeout), mock.patch(f'{role.__name__}.time.sleep'):
                node = Node(('update', lock), ('update', (0, 'done', '')))
                self.assertEqual(role.persist(['apt-get', 'update'], (0,), node, (), timeout), expected)

    def test_a_silent_failure_has_words(self) -> None:
        self.assertEqual(role.persist(['dnf', 'install'], (0,), Node(('dnf', (3, '', ''))), (), 0)[1],
                         'dnf ended with exit code 3')


class TestNode(unittest.TestCase):
    def test_way_out(self) -> None:
        head = 'Iface\tDestination\tGateway\n'
        zeros = '0' * 32
        lone = f'{zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200'
        for route, ipv6, expected in ((head + 'eth0\t00000000\t0100000A\n', '', True),
                                      (head + 'eth0\t000A5B0A\t0\n', '', False),
                                      (head, lone + '       lo\n', False), (head, lone + '     eth0\n', True),
                                      (None, None, False)):
            with self.subTest(route=route, ipv6=ipv6), tempfile.TemporaryDirectory() as folder:
                for name, text in (('route', route), ('ipv6_route', ipv6)):
                    if text is not None:
                        Path(folder, name).write_text(text)
                self.assertEqual(role.has_way_out(folder), expected)

    def test_old_lists(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            lists, sources = Path(name, 'lists'), Path(name, 'apt/sources.list.d')
            lists.mkdir()
            sources.mkdir(parents=True)
            source = sources / 'debian.sources'
            source.touch()

            def old(now: float, made: float, edited: float) -> bool:
                os.utime(lists, (made, made))
                os.utime(source, (edited, edited))
                return bool(role.lists_are_old(now, str(lists), str(sources.parent)))
            self.assertTrue(old(1000, 1000, 0), 'there are none')
            (lists / 'deb.example.org_dists_x_main_binary-amd64_Packages.lz4').touch()
            for now, made, edited, expected in ((1000, 990, 0, False), (5000, 990, 0, True), (1000, 990, 995, True)):
                with self.subTest(now=now):
                    self.assertEqual(old(now, made, edited), expected)


if __name__ == '__main__':
    unittest.main()


class TestServicesStayDown(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.policy = Path(scratch.name, 'policy-rc.d')

    def asked(self) -> int:
        return subprocess.run([self.policy, 'x.service', 'start'], check=False).returncode

    def test_for_the_time_of_an_installation_only(self) -> None:
        with role.services_stay_down(str(self.policy)):
            self.assertEqual(self.asked(), 101)
        self.assertFalse(self.policy.exists())

    def test_what_a_killed_installation_left_forbids_nothing_and_is_replaced(self) -> None:
        gone = subprocess.Popen(['true'])
        gone.wait()
        self.policy.write_text(f'{role.POLICY}[ -d /proc/{gone.pid} ] && exit 101\nexit 0\n')
        self.policy.chmod(0o755)
        self.assertEqual(self.asked(), 0)
        with role.services_stay_down(str(self.policy)):
            self.assertEqual(self.asked(), 101)
        self.assertFalse(self.policy.exists())

    def test_a_policy_of_the_node_stays(self) -> None:
        self.policy.write_text('#!/bin/sh\nexit 104\n')
        self.policy.chmod(0o755)
        with role.services_stay_down(str(self.policy)):
            self.assertEqual(self.asked(), 104)
        self.assertEqual(self.asked(), 104)

    def test_only_when_it_is_asked_for(self) -> None:
        for start, calls in ((True, 0), (False, 1)):
            with self.subTest(start=start), mock.patch.object(role, 'services_stay_down') as down, \
                    mock.patch.object(role, 'install'), mock.patch.object(role, 'mend', return_value=[]), \
                    mock.patch.object(role, 'lacking', side_effect=[['hello'], []]):
                role.ensure({**PARAMS, 'start_services': start}, Node(), DEBIAN)
            self.assertEqual(down.call_count, calls)
