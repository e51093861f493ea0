# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import unittest
from typing import Any

from tests.unit.roles import plugin

job_header = plugin('emit-job-header', 'filter', 'emit_job_header')
PROJECT = {'canonical_name': 'opendev.org/zuul/zuul'}
BUILD: dict[str, Any] = {
    'job': 'tox', 'pipeline': 'check', 'tenant': 't', 'build': 'b1', 'buildset': 's1', 'project': PROJECT, 'items': [],
    'executor': {'hostname': 'ze01'}, 'ansible_version': '11', 'attempts': 1, 'max_attempts': 3, 'event_id': None,
    'ref': 'refs/heads/main', 'change_url': 'https://git.example/x'}
CHANGE = {**BUILD, 'branch': 'main', 'change': '12', 'patchset': '3', 'change_url': 'https://review.example/12',
          'change_message': 'Do it\n\nBecause.\n', 'topic': 'things', 'commit_id': 'abc'}
OTHER = {'project': {'canonical_name': 'opendev.org/other'}, 'change': '11', 'patchset': '1', 'branch': 'main',
         'change_url': 'https://review.example/11'}


def told(zuul: dict[str, Any]) -> list[str]:
    return str(job_header.header(zuul, {}, [])).split('\n')


class TestBuild(unittest.TestCase):
    def test_a_change(self) -> None:
        zuul = {**CHANGE, 'items': [OTHER, CHANGE], 'buildset_refs': [CHANGE, OTHER], 'voting': False}
        self.assertEqual(told(zuul), [
            '# Job', 'Job: tox', 'Voting: no', 'Attempt: 1 of 3', 'Tenant: t', 'Pipeline: check',
            'Project: opendev.org/zuul/zuul', 'Branch: main', 'Triggered by: 12,3 https://review.example/12',
            'Subject: Do it', 'Topic: things', 'Commit: abc',
            'Tested with: opendev.org/other 11,1 https://review.example/11', 'Build: b1', 'Buildset: s1',
            'Executor: ze01', 'Ansible version: 11'])

    def test_what_is_no_change(self) -> None:
        for zuul, expected in (
                ({**BUILD, 'branch': 'main', 'oldrev': 'a' * 40, 'newrev': 'b' * 40},
                 ['Branch: main', 'Ref: refs/heads/main', 'Triggered by: https://git.example/x',
                  'Moved: aaaaaaaaaaaa to bbbbbbbbbbbb']),
                ({**BUILD, 'tag': '1.0', 'newrev': 'b' * 40, 'ref': 'refs/tags/1.0'},
                 ['Tag: 1.0', 'Ref: refs/tags/1.0', 'Triggered by: https://git.example/x']),
                ({**BUILD, 'branch': 'main', 'change_url': None}, ['Branch: main', 'Ref: refs/heads/main'])):
            with self.subTest(zuul=zuul):
                lines = [line for line in told(zuul) if line.split(':')[0] in (
                    'Branch', 'Tag', 'Ref', 'Triggered by', 'Moved', 'Commit', 'Subject')]
                self.assertEqual(lines, expected)
        self.assertEqual(told({}), ['# Job'])

    def test_many_items(self) -> None:
        items = [{**OTHER, 'change': str(number)} for number in range(70)]
        lines = [line for line in told({**CHANGE, 'items': items}) if line.startswith('Tested with')]
        self.assertEqual((len(lines), lines[-1]), (51, 'Tested with: 20 more'))
        periodic = {'project': PROJECT, 'branch': 'main'}
        self.assertNotIn('Tested with', str(told({**BUILD, 'branch': 'main', 'items': [periodic, periodic]})))


class TestNodes(unittest.TestCase):
    def test_several(self) -> None:
        hostvars = {
            'one': {'nodepool': {'label': 'l', 'provider': 'p', 'region': 'r', 'az': None, 'interface_ip': '::1'},
                    'ansible_facts': {'distribution': 'Debian', 'distribution_version': '12.1',
                                      'architecture': 'x86_64', 'nodename': 'n1'}, 'ansible_user': 'zuul'},
            'two\n': {'ansible_host': '192.0.2.1'}}
        self.assertEqual(job_header.header({}, hostvars, ['one', 'two\n'], 'https://l/').split('\n'), [
            '# Job', 'Logs, when it is done: https://l/', '',
            '# Node one', 'Label: l', 'Provider: p', 'Region: r', 'Interface IP: ::1', 'User: zuul', 'Host name: n1',
            'System: Debian 12.1 x86_64', '', r'# Node two\n', 'Interface IP: 192.0.2.1'])


class TestHostile(unittest.TestCase):
    def test_what_is_shown(self) -> None:
        for value, expected in (
                ('a\nPLAY [x]', r'a\nPLAY [x]'), ('\x1b[31m', r'\x1b[31m'), ('\r', r'\r'), ('\x9b2J', r'\x9b2J'),
                ('\u202eabc', r'\u202eabc'), ('\u2028', r'\u2028'), ('\x00', r'\x00'), ('\ud800', r'\ud800'),
                ('<script>', '<script>'), ('ü', 'ü'), ('{{ 1 }}', '{{ 1 }}'),
                ('x' * 301, 'x' * 300 + '[cut]'), (7, '7')):
            with self.subTest(value=value):
                self.assertEqual(job_header.show(value), expected)

    def test_every_value_stays_in_its_line(self) -> None:
        good = told({**CHANGE, 'items': [OTHER]})
        bad: dict[str, Any] = {key: f'{value}\r\n\x1b[2J' if isinstance(value, str) else value
                               for key, value in CHANGE.items()}
        lines = told({**bad, 'items': [{**OTHER, 'change_url': '\n\n', 'project': {'canonical_name': '\n'}}]})
        self.assertEqual([line.split(':')[0] for line in lines], [line.split(':')[0] for line in good])
        self.assertTrue('\n'.join(lines).replace('\n', '').isprintable())


if __name__ == '__main__':
    unittest.main()
