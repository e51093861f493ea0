# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import unittest
from typing import Any

from tests.unit.roles import plugin

help_ = plugin('emit-failure-help', 'filter', 'emit_failure_help')
ZUUL: dict[str, Any] = {'tenant': 'main', 'pipeline': 'check', 'job': 'tox-py311', 'branch': 'master',
                        'ref': 'refs/changes/34/1234/5', 'project': {'canonical_name': 'example.org/thing'}}


class TestHelp(unittest.TestCase):
    def test_login(self) -> None:
        for known, expected in (
                ({'ansible_host': '10.0.0.1', 'ansible_port': 22, 'ansible_user': 'zuul'}, 'ssh zuul@10.0.0.1'),
                ({'ansible_host': 'fd00::1', 'ansible_port': 2222, 'ansible_user': 'me'}, 'ssh -p 2222 me@fd00::1'),
                ({}, 'ssh zuul@node'),
                ({'ansible_host': '$(x)', 'ansible_user': '-o x'}, "ssh '-o x@$(x)'"),
                ({'ansible_port': '22 -o ProxyCommand=x'}, "ssh -p '22 -o ProxyCommand=x' zuul@node")):
            with self.subTest(known=known):
                self.assertEqual(expected, help_.login(known, 'node'))

    def test_again(self) -> None:
        for change, expected in (
                ({}, ['git fetch origin refs/changes/34/1234/5', 'git checkout FETCH_HEAD',
                      'zuul-local run tox-py311 --base-ref master']),
                ({'branch': None, 'ref': 'refs/tags/1.0'},
                 ['git fetch origin refs/tags/1.0', 'git checkout FETCH_HEAD', 'zuul-local run tox-py311']),
                ({'branch': '$(touch x)', 'ref': 'a;b\n\x1b', 'job': "it's"},
                 ["git fetch origin 'a;b\\n\\x1b'", 'git checkout FETCH_HEAD',
                  "zuul-local run 'it'\"'\"'s' --base-ref '$(touch x)'"]),
                ({'tenant': 'local', 'pipeline': 'local'},
                 ['zuul-local run tox-py311 --keep', 'zuul-local node list'])):
            with self.subTest(change=change):
                self.assertEqual(expected, help_.again({**ZUUL, **change}))

    def test_replay(self) -> None:
        for change, expected in (
                ({}, 'zuul-local replay replay.json'),
                ({'tenant': 'local', 'pipeline': 'local', 'build': 'b1'}, 'zuul-local replay .zuul-local/builds/b1'),
                ({'tenant': 'local', 'pipeline': 'local', 'build': '$(x)'},
                 "zuul-local replay '.zuul-local/builds/$(x)'")):
            with self.subTest(change=change):
                self.assertEqual(expected, help_.replay({**ZUUL, **change}))

    def test_lines(self) -> None:
        self.assertEqual(
            ['To look at its nodes, if they are held:', '  ssh zuul@10.0.0.1    # one', '  ssh zuul@two    # two',
             'To run the job on your own machine, in a clone of example.org/thing:',
             *('  ' + line for line in help_.again(ZUUL)),
             'To run this very build again, with replay.json from its logs:', '  zuul-local replay replay.json'],
            help_.failure_help(ZUUL, {'one': {'ansible_host': '10.0.0.1'}, 'two': {}}, ['one', 'two']))
        self.assertEqual(6, len(help_.failure_help(ZUUL, {}, [])))
