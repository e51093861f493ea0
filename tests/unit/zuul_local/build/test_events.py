from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from zuul_local.build.events import Events, node_seconds, playbook_event

TEXT = '''\
2026-01-01 10:00:00.000000 | RUN START: [untrusted : example.org/lib/one.yaml@main]
2026-01-01 10:00:01.000000 | TASK [First]
2026-01-01 10:00:09.000000 | two | ok
2026-01-01 10:00:10.000000 | PLAY RECAP
2026-01-01 10:01:00.000000 | POST-RUN START: [untrusted : example.org/lib/two.yaml@main]
2026-01-01 10:01:01.000000 | PLAY [Try it]
2026-01-01 10:01:02.000000 | TASK [Do it]
2026-01-01 10:01:02.500000 | one | ok
2026-01-01 10:01:03.000000 | two | output
2026-01-01 10:01:04.000000 | two | changed
2026-01-01 10:01:04.100000 |
2026-01-01 10:01:05.000000 | RUNNING HANDLER [Once more]
2026-01-01 10:01:05.250000 | one -> localhost | ok
continued | without a time
2026-01-01 10:01:06.000000 | PLAY RECAP
2026-01-01 10:01:07.000000 | one | ok: 2 changed: 0
'''


def tasks(*results: tuple[str, dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{'tasks': [{'task': {'name': name}, 'hosts': hosts} for name, hosts in results]}]


class TestSeconds(unittest.TestCase):
    def test_each_node_has_its_own_and_no_other_playbook_counts(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'text')
            path.write_text(TEXT)
            self.assertEqual(node_seconds(path), {'one': 0.75, 'two': 2.0})


class TestEvent(unittest.TestCase):
    def test_what_each_node_came_to(self) -> None:
        rescued, broken = {'failed': True, 'msg': 'first'}, {'failed': True, 'msg': 'last\x07'}
        event = playbook_event({
            'playbook': 'example.org/lib/one.yaml', 'phase': 'run',
            'plays': tasks(('Try', {'good': rescued, 'bad': rescued}), ('Break\x07', {'good': {}, 'bad': broken}),
                           ('Reach', {'gone': {'unreachable': True, 'msg': 'no route'}})),
            'stats': {'good': {'ok': 1, 'rescued': 1}, 'bad': {'failures': 1, 'ok': 1}, 'gone': {'unreachable': 1},
                      'idle': {'skipped': 3}},
        }, {'good': 1.234})
        self.assertEqual((event['playbook'], event['phase']), ('example.org/lib/one.yaml', 'run'))
        self.assertEqual(event['nodes'], {
            'good': {'passed': True, 'ran': True, 'seconds': 1.23, 'task': '', 'said': [], 'changed': []},
            'bad': {'passed': False, 'ran': True, 'seconds': 0.0, 'task': 'Break', 'said': ['last'], 'changed': []},
            'gone': {'passed': False, 'ran': True, 'seconds': 0.0, 'task': 'Reach', 'said': ['no route'],
                     'changed': []},
            'idle': {'passed': True, 'ran': False, 'seconds': 0.0, 'task': '', 'said': [], 'changed': []}})


    def test_what_a_second_call_changed(self) -> None:
        done: tuple[tuple[str, str, bool], ...] = (
            ('Provide it', '', False), ('Install', 'one', True), ('Provide it again', '', False),
            ('Look', 'one', False), ('Install', 'one', True), ('Link', 'two', True), ('Use it', '', True),
            ('Install', 'one', True), ('Take it away again', '', True), ('Look', 'one', False))
        plays = [{'tasks': [{'task': {'name': name}, 'hosts': {'node': {'changed': changed}},
                             **({'role': {'name': role}} if role else {})} for name, role, changed in done]}]
        event = playbook_event({'plays': plays, 'stats': {'node': {'ok': 1}, 'other': {'ok': 1}}}, {})
        self.assertEqual({name: node['changed'] for name, node in event['nodes'].items()},
                         {'node': ['one : Install', 'two : Link'], 'other': []})


class TestFile(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.logs = Path(folder.name)
        self.file = self.logs / 'events'

    def test_each_playbook_is_told_once(self) -> None:
        events = Events(self.file)
        events.playbook_ended(self.logs)        # Zuul has written nothing yet
        (self.logs / 'job-output.txt').write_text(TEXT)
        for playbooks in (['a'], ['a'], ['a', 'b', 'c']):
            (self.logs / 'job-output.json').write_text(json.dumps([{'playbook': name} for name in playbooks]))
            events.playbook_ended(self.logs)
        told = [json.loads(line)['playbook'] for line in self.file.read_text().splitlines()]
        self.assertEqual(told, ['a', 'b', 'c'])

    def test_nobody_has_to_know(self) -> None:
        Events(None).playbook_ended(self.logs / 'nowhere')
        self.assertEqual(list(self.logs.iterdir()), [])
