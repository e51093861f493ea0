# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import unittest
from types import SimpleNamespace
from typing import Any

from tests.unit.roles import plugin

action: Any = plugin('fetch-promised-output', 'action', 'fetch_promised_output')

ROOTS = {'logs': '/w/logs', 'artifacts': '/w/artifacts', 'docs': '/w/docs'}


class TestPlace(unittest.TestCase):
    def test_folders_of_the_executor(self) -> None:
        for dest, expected in (
                ('/w/logs', ('logs', '')), ('/w/logs/', ('logs', '')), ('/w//docs/.', ('docs', '')),
                ('/w/artifacts/a/b/', ('artifacts', 'a/b/')), ('/w', None), ('/w/logs-private', None),
                ('/w/logs/../x', None), ('/etc', None), ('', None), ('logs', None),
                ('/w/logs/../docs/x', ('docs', 'x/'))):
            with self.subTest(dest):
                self.assertEqual(action.place(dest, ROOTS), expected)

    def test_names(self) -> None:
        sources = [{'path': 'a/b/'}, {'path': 'c', 'name': ''}, {'path': 'd', 'name': 'e/f'},
                   {'path': 'g', 'part': 'docs'}, {'path': 'dist/*.whl', 'pattern': True}]
        self.assertEqual([(one['part'], one.get('name')) for one in action.placed(sources, 'logs', '')], [
            ('logs', 'b'), ('logs', ''), ('logs', 'e/f'), ('docs', None), ('logs', '*.whl')])
        self.assertEqual([one.get('name') for one in action.placed(sources, 'logs', 'x/')], [
            'x/b', 'x', 'x/e/f', None, 'x/*.whl'])
        self.assertEqual(sources[0], {'path': 'a/b/'})

    def test_what_is_refused(self) -> None:
        self.assertEqual(action.refused('fetch-a', 'note', '/w/logs', ROOTS), '')
        self.assertEqual(action.refused('fetch-a', 'Fail', '/etc', ROOTS), (
            'fetch-a: cannot continue, 2 problems:\n'
            "  - fetch_a_nothing is 'Fail': it is none of ignore, note, fail. Write one of these.\n"
            "  - zuul_executor_dest is '/etc': results go to /w/logs, /w/artifacts, /w/docs, or below. "
            'Write one of these, or leave it out.'))


class TestRun(unittest.TestCase):
    """The plugin as Ansible calls it."""

    def run_action(self, found: dict[str, Any], **given: Any) -> dict[str, Any]:
        task = SimpleNamespace(async_val=False, check_mode=False, args={
            'role': 'fetch-a', 'sources': [{'path': 'p'}, {'path': 'q'}], 'nothing': 'note', 'dest': '/w/logs/x',
            'roots': ROOTS, 'ended': True,
            'artifacts': [{'source': 'p', 'name': 'P', 'url': 'p/', 'type': 't'}], **given})
        module = action.ActionModule.__new__(action.ActionModule)
        module._task, module._supports_check_mode, module._supports_async = task, True, False
        module._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), has_pipelining=True)
        module._cleanup_remote_tmp = False
        hostvars = {host: {'ansible_facts': facts} for host, facts in found.items()}
        result: dict[str, Any] = module.run(task_vars={
            'ansible_play_hosts_all': list(found), 'groups': {'all': list(found)}, 'hostvars': hostvars})
        return result

    def test_artifacts(self) -> None:
        result = self.run_action({'one': {'stage_output_found': ['p', 'q']}})
        self.assertEqual(result['artifacts'], [{'name': 'P', 'url': 'x/p/', 'metadata': {'type': 't'}}])
        self.assertEqual(result['ansible_facts'], {'fetch_a_nothing_problems': []})

    def test_several_nodes(self) -> None:
        result = self.run_action({
            'one': {}, 'two': {'stage_output_found': ['p']}, 'three': {'stage_output_found': ['q']}})
        self.assertEqual([one['url'] for one in result['artifacts']], ['two/x/p/'])
        self.assertFalse(result['nothing'])

    def test_nothing(self) -> None:
        told = ['nothing was collected: there is no p, no q']
        for nothing, expected in (('note', told), ('fail', told), ('ignore', [])):
            with self.subTest(nothing):
                result = self.run_action({'one': {}, 'two': {'stage_output_found': []}}, nothing=nothing)
                self.assertEqual((result['nothing'], result['told']), (bool(expected), expected))

    def test_what_does_not_lie_among_the_logs_is_no_artifact(self) -> None:
        result = self.run_action({'one': {'stage_output_found': ['p']}}, dest='/w/docs')
        self.assertEqual((result['artifacts'], result['nothing']), ([], False))

    def test_a_refusal(self) -> None:
        self.assertTrue(self.run_action({'one': {}}, nothing='x', ended=False)['failed'])


if __name__ == '__main__':
    unittest.main()
