# SPDX-License-Identifier: Apache-2.0
"""The files of pip, uv, npm, cargo, Go and dnf, before and after."""
from __future__ import annotations

import configparser
import tomllib
import unittest
from typing import Any

from tests.unit.roles import module_utils

tools: Any = module_utils('configure_mirrors_tools')
rpm: Any = module_utils('configure_mirrors_rpm')

INDEX = 'https://m/simple'


class TestPip(unittest.TestCase):
    def test_cases(self) -> None:
        site = '[global]\ncert = /c\nindex-url = https://old\nextra-index-url = https://a\n    https://b\ntimeout = 9\n'
        for before, extra, trusted, after in (
                ('', '', False, f'[global]\nindex-url = {INDEX}\n'),
                ('', 'http://w:8/x', True,
                 f'[global]\ntrusted-host = m\n    w:8\nextra-index-url = http://w:8/x\nindex-url = {INDEX}\n'),
                (site, '', False, site.replace('https://old', INDEX)),
                (site, 'https://w', False,
                 site.replace('https://old', INDEX).replace('https://a\n    https://b', 'https://w')),
                ('[global]\ntrusted-host = q\n', '', True, f'[global]\nindex-url = {INDEX}\ntrusted-host = q\n    m\n'),
                ('[install]\nindex-url = x\nuser = y\n', '', False,
                 f'[global]\nindex-url = {INDEX}\n\n[install]\nuser = y\n'),
                ('# a\n[install]\nretries = 0\n[global]\n', '', False,
                 f'# a\n[install]\nretries = 0\n[global]\nindex-url = {INDEX}\n')):
            with self.subTest(before=before, extra=extra):
                found = tools.pip(before, INDEX, extra, trusted)
                self.assertEqual(found, after)
                self.assertEqual(tools.pip(found, INDEX, extra, trusted), after)
                parser = configparser.RawConfigParser()
                parser.read_string(found)
                self.assertEqual(parser['global']['index-url'], INDEX)
                self.assertEqual('trusted-host' in parser['global'], trusted)

    def test_without_an_index_of_its_own(self) -> None:
        self.assertEqual(tools.pip('[global]\nindex-url = x\n', '', 'https://w', False),
                         '[global]\nextra-index-url = https://w\nindex-url = x\n')


class TestUv(unittest.TestCase):
    def test_cases(self) -> None:
        for before, extra, trusted, wanted in (
                ('', '', False, {'index-url': INDEX}),
                ('index-url = "x"\nextra-index-url = [\n  "y",\n]\noffline = true\n', 'http://w', True,
                 {'index-url': INDEX, 'extra-index-url': ['http://w'], 'allow-insecure-host': ['m'], 'offline': True}),
                ('extra-index-url = ["y"]\n[pip]\nindex-url = "z"\n', '', False,
                 {'index-url': INDEX, 'extra-index-url': ['y'], 'pip': {}}),
                ('[[index]]\nname = "a"\nurl = "b"\n', '', False,
                 {'index-url': INDEX, 'index': [{'name': 'a', 'url': 'b'}]})):
            with self.subTest(before=before):
                found = tools.uv(before, INDEX, extra, trusted)
                self.assertEqual(tomllib.loads(found), wanted)
                self.assertEqual(tools.uv(found, INDEX, extra, trusted), found)

    def test_trust_is_not_needed_for_http(self) -> None:
        self.assertEqual(tools.uv('', 'http://m/x', '', True), 'index-url = "http://m/x"\n')

    def test_another_default_is_a_conflict(self) -> None:
        with self.assertRaisesRegex(tools.Conflict, 'uv.toml has a default index of its own'):
            tools.uv('[[index]]\nurl = "b"\ndefault = true\n', INDEX, '', False)


class TestOthers(unittest.TestCase):
    def test_lines(self) -> None:
        for make, before, after in (
                (tools.npm, '', 'registry=https://m/npm/\n'),
                (tools.npm, 'a=b\nregistry = x\n@o:registry=https://o',
                 'a=b\n@o:registry=https://o\nregistry=https://m/npm/\n'),
                (tools.go, 'GOPROXY=x\nGOFLAGS=-v\n', 'GOFLAGS=-v\nGOPROXY=https://m/npm/\n')):
            with self.subTest(before=before):
                self.assertEqual(make(before, 'https://m/npm/'), after)
                self.assertEqual(make(after, 'https://m/npm/'), after)

    def test_cargo(self) -> None:
        source = {'crates-io': {'replace-with': 'zuul-mirror'}, 'zuul-mirror': {'registry': 'sparse+https://m/c/'}}
        self.assertEqual(tomllib.loads(tools.cargo('', 'sparse+https://m/c/')), {'source': source})
        self.assertEqual(tomllib.loads(tools.cargo('[net]\noffline = true', 'sparse+https://m/c/')),
                         {'source': source, 'net': {'offline': True}})
        with self.assertRaisesRegex(tools.Conflict, 'config.toml has a source of its own'):
            tools.cargo('[source.crates-io]\nreplace-with = "x"\n', 'https://m')


class TestRepositories(unittest.TestCase):
    BEFORE = ('# c\n[baseos]\nname=B\nmirrorlist=https://x\n#baseurl=http://y\nenabled=1\ngpgcheck=1\n\n'
              '[crb]\nmetalink = https://z\nenabled=0\n\n[other]\nmirrorlist=https://o\n')

    def test_places(self) -> None:
        base = {name: f'http://m/{name}' for name in ('rocky', 'centos-stream', 'epel', 'fedora')}
        for system, extra, name, url in (
                ('rocky', False, 'baseos', 'http://m/rocky/$releasever/BaseOS/$basearch/os/'),
                ('centos', False, 'crb', 'http://m/centos-stream/$releasever-stream/CRB/$basearch/os/'),
                ('centos', False, 'extras-common',
                 'http://m/centos-stream/SIGs/$releasever-stream/extras/$basearch/extras-common/'),
                ('fedora', True, 'updates', 'http://m/fedora/updates/$releasever/Everything/$basearch/'),
                ('rocky', True, 'epel', 'http://m/epel/$releasever/Everything/$basearch/'),
                ('rocky', False, 'epel', None), ('fedora', True, 'epel', None), ('almalinux', False, 'baseos', None)):
            with self.subTest(system=system, name=name):
                self.assertEqual(rpm.places(system, base, extra).get(name), url)

    def test_rewritten(self) -> None:
        urls = {'baseos': 'http://m/b', 'crb': 'http://m/c', 'appstream': 'http://m/a'}
        after = ('# c\n[baseos]\nbaseurl = http://m/b\nname=B\n#baseurl=http://y\nenabled=1\ngpgcheck=1\n\n'
                 '[crb]\nbaseurl = http://m/c\nenabled=0\n\n[other]\nmirrorlist=https://o\n')
        self.assertEqual(rpm.wanted({'f': self.BEFORE}, urls), {'f': after})
        self.assertEqual(rpm.wanted({'f': after}, urls), {'f': after})
        self.assertEqual(rpm.sections(after), ['baseos', 'crb', 'other'])


if __name__ == '__main__':
    unittest.main()
