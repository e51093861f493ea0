# SPDX-License-Identifier: Apache-2.0
"""What is refused, in which words."""
from __future__ import annotations

import unittest
from typing import Any

from tests.unit.roles import module_utils

request: Any = module_utils('configure_mirrors_request')

DEBIAN = 'ID=debian\nVERSION_CODENAME=bookworm\n'
NOTHING: dict[str, Any] = {
    'mirror_fqdn': '', 'scheme': 'https', 'archives': {},
    'extra_repos': False, 'apt_trusted': False, 'apt_source': False,
    'pypi_fqdn': '', 'pypi_mirror': '', 'wheel_mirror': '', 'pypi_trusted': False, 'uv_index': '', 'npm_registry': '',
    'cargo_registry': '', 'go_proxy': '', 'restore': False}


class TestProblems(unittest.TestCase):
    def test_accepted(self) -> None:
        for params in (
                {}, {'mirror_fqdn': 'mirror.example.com'}, {'mirror_fqdn': 'm:8080'},
                {'mirror_fqdn': '[2001:db8::1]:80'},
                {'mirror_fqdn': '10.0.0.1'}, {'mirror_fqdn': 'mirror_1.dc_2.example'},
                {'archives': {'debian': 'https://m/pub/debian/'}},
                {'pypi_mirror': 'https://m/pypi/simple'},
                {'pypi_mirror': 'http://127.0.0.1:8/simple', 'scheme': 'http'},
                {'pypi_mirror': 'http://[::1]:8/simple'},
                {'pypi_mirror': 'http://m/s', 'pypi_trusted': True},
                {'npm_registry': 'http://m/npm/'}, {'cargo_registry': 'sparse+https://m/c/'},
                {'cargo_registry': 'https://m/git/index'}, {'go_proxy': 'https://m/go,direct'}, {'go_proxy': 'off'},
                {'go_proxy': 'https://a|https://b'}):
            with self.subTest(params=params):
                self.assertEqual(request.problems({**NOTHING, **params}, DEBIAN), [])

    def test_refused(self) -> None:
        for params, words in (
                ({'mirror_fqdn': 'm/'}, ["mirror_fqdn is 'm/': not the name of a host"]),
                ({'mirror_fqdn': 'https://m'}, ["mirror_fqdn is 'https://m': not the name of a host"]),
                ({'mirror_fqdn': 'm\ndeb http://x'}, ["mirror_fqdn is 'm\\ndeb http://x'"]),
                ({'mirror_fqdn': 'm\n'}, ["mirror_fqdn is 'm\\n'"]), ({'mirror_fqdn': 'u@m'}, ["mirror_fqdn is 'u@m'"]),
                ({'mirror_fqdn': 'a b', 'pypi_fqdn': 'a b', 'pypi_mirror': 'https://a b/pypi',
                  'uv_index': 'https://a b/pypi'}, ["mirror_fqdn is 'a b'"]),
                ({'pypi_fqdn': 'a/b', 'pypi_mirror': 'https://a/b/pypi', 'uv_index': 'https://a/b/pypi'},
                 ["pypi_fqdn is 'a/b'"]),
                ({'scheme': 'ftp'}, ["http_or_https is 'ftp': allowed are 'http' and 'https'"]),
                ({'archives': {'arch': 'https://m'}}, ["configure_mirrors_archives has 'arch': known are debian,"]),
                ({'archives': {'debian': 'https://m x'}},
                 ["configure_mirrors_archives.debian is 'https://m x': not a URL"]),
                ({'archives': {'debian': 7}}, ["configure_mirrors_archives.debian is '7': not a URL"]),
                ({'pypi_mirror': 'https://u:secret@m/x'},
                 ["pypi_mirror is 'https://***@m/x': not a URL of http or https, or one"]),
                ({'pypi_mirror': 'https://m/x\n[install]'}, ["pypi_mirror is 'https://m/x\\n[install]'"]),
                ({'pypi_mirror': 'https://m/x"'}, ["pypi_mirror is 'https://m/x\"'"]),
                ({'pypi_mirror': 'http://m/x', 'uv_index': 'http://m/x'},
                 ["pypi_mirror is 'http://m/x': what comes over http is not verified"]),
                ({'pypi_mirror': 'http://localhost.m/x'}, ['what comes over http is not verified']),
                ({'wheel_mirror': 'http://m/x', 'uv_index': 'http://m/y'},
                 ["wheel_mirror is 'http://m/x': what", "configure_mirrors_uv_index is 'http://m/y': what"]),
                ({'npm_registry': 'm/npm'}, ["configure_mirrors_npm_registry is 'm/npm': not a URL"]),
                ({'cargo_registry': 'sparse+https://m/c'}, ["configure_mirrors_cargo_registry is 'sparse+https://m/c'"]),
                ({'go_proxy': 'https://m, direct'}, ["configure_mirrors_go_proxy is 'https://m, direct'"]),
                ({'go_proxy': 'https://m\nGOFLAGS=-x'}, ['configure_mirrors_go_proxy is'])):
            with self.subTest(params=params):
                found = request.problems({**NOTHING, **params}, DEBIAN)
                self.assertEqual(len(found), len(words), found)
                for problem, start in zip(found, words, strict=True):
                    self.assertIn(start, problem)
                self.assertNotIn('secret', ''.join(found))

    def test_systems(self) -> None:
        for release, words in (
                ('ID=arch\n', "the system is 'arch'"), ('', "the system is ''"),
                ('ID=debian\n', "the system is 'debian', and /etc/os-release does not name its release"),
                ('ID="opensuse-leap"\n', 'known: almalinux, centos, debian, fedora, rocky, ubuntu')):
            with self.subTest(release=release):
                self.assertIn(words, request.problems({**NOTHING, 'mirror_fqdn': 'm'}, release)[0])
                self.assertEqual(request.problems({**NOTHING, 'pypi_mirror': 'https://m'}, release), [])
        for release in ('ID="rocky"\n', "ID='fedora'\n", 'ID=ubuntu\nVERSION_CODENAME=jammy\n'):
            self.assertEqual(request.problems({**NOTHING, 'mirror_fqdn': 'm'}, release), [])

    def test_archives(self) -> None:
        found = request.archives({**NOTHING, 'mirror_fqdn': 'm', 'archives': {'debian': 'http://d/'}})
        self.assertEqual((found['debian'], found['debian-security'], found['centos-stream']),
                         ('http://d', 'https://m/debian-security', 'https://m/centos-stream'))
        self.assertEqual(request.archives(NOTHING), {})


if __name__ == '__main__':
    unittest.main()
