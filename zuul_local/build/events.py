"""What has ended so far in a build, for other programs: one line of JSON for each playbook, as soon as it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from zuul_local.build.console import plain, said_by

OUTPUT, TEXT = 'job-output.json', 'job-output.txt'
_STAMPED = re.compile(r'(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) \| (?P<text>.*)')
_RESULT = re.compile(r'(?P<host>[^|\s]+)(?: -> [^|\s]+)? \| ')
_BEGINS = re.compile(r'(?:[A-Z]+-)?RUN START: \[')


class Events:
    """Appends to a file what ended; see :func:`playbook_event` for a line.

    :param path: the file; None when nobody wants to know.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._told = 0

    def playbook_ended(self, logs: Path) -> None:
        """Tell the playbooks that Zuul's output in the folder *logs* has and that were not told yet.

        Zuul writes a playbook there when it ends; one that was stopped midway never appears.
        """
        if self._path is None:
            return
        try:
            playbooks = json.loads((logs / OUTPUT).read_text(encoding='utf-8', errors='replace'))
        except (OSError, ValueError):       # before the first playbook
            return
        with self._path.open('a', encoding='utf-8') as file:
            for playbook in playbooks[self._told:]:
                file.write(json.dumps(playbook_event(playbook, node_seconds(logs / TEXT))) + '\n')
        self._told = len(playbooks)


def playbook_event(playbook: Mapping[str, Any], seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return what a playbook of job-output.json came to.

    :param seconds: node -> how long the last playbook kept it busy.
    :returns: ``playbook`` (canonical project name and path), ``phase``, and ``nodes``: name -> ``passed``, ``ran``
        (whether any task did more than be skipped), ``seconds``, ``task`` and ``said`` of the failure, and ``changed``:
        the tasks of roles that changed something in a call whose name says "again".
    """
    failed = dict(_last_failures(playbook))
    changed = list(_changed_again(playbook))
    nodes = {}
    for host, counts in (playbook.get('stats') or {}).items():
        passed = not counts.get('failures') and not counts.get('unreachable')
        task, said = ('', []) if passed else failed.get(host, ('', []))     # one that passed was rescued from its own
        nodes[plain(host)] = {
            'passed': passed, 'ran': any(counts.get(kind) for kind in ('ok', 'failures', 'unreachable', 'rescued')),
            'seconds': round(seconds.get(host, 0.0), 2), 'task': plain(task), 'said': [plain(line) for line in said],
            'changed': [plain(name) for other, name in changed if other == host]}
    return {'playbook': playbook.get('playbook') or '', 'phase': playbook.get('phase') or '', 'nodes': nodes}


def _last_failures(playbook: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, list[str]]]]:
    """Yield host, and task and words of each failed result in order; a host's last one is the one that ended it."""
    for play in playbook.get('plays') or ():
        for task in play.get('tasks') or ():
            for host, result in (task.get('hosts') or {}).items():
                if result.get('failed') or result.get('unreachable'):
                    yield host, ((task.get('task') or {}).get('name') or '', said_by(result))


def _changed_again(playbook: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield host and name of each task of a role that changed something although the playbook called the role again."""
    for play in playbook.get('plays') or ():
        again = False
        for task in play.get('tasks') or ():
            name, role = (task.get('task') or {}).get('name') or '', (task.get('role') or {}).get('name')
            if not role:
                again = 'again' in re.findall(r'\w+', name)
            elif again:
                for host, result in (task.get('hosts') or {}).items():
                    if result.get('changed'):
                        yield host, f'{role} : {name}'


def node_seconds(text: Path) -> dict[str, float]:
    """Return how long the last playbook of job-output.txt worked on each node, from the times that its lines have.

    Nodes of a build take each task side by side and wait for the slowest; what a node waited is not counted.
    """
    spent: dict[str, float] = {}
    ended: dict[str, float] = {}
    begun = 0.0

    def add_up() -> None:
        for host, end in ended.items():
            spent[host] = spent.get(host, 0.0) + end - begun
        ended.clear()

    for line in text.read_text(encoding='utf-8', errors='replace').splitlines():
        stamped = _STAMPED.match(line)
        if not stamped:
            continue
        time, words = datetime.fromisoformat(stamped['time']).timestamp(), stamped['text']
        if _BEGINS.match(words):
            spent.clear()
            ended.clear()
        elif words.startswith(('TASK [', 'RUNNING HANDLER [', 'PLAY RECAP')):
            add_up()
            begun = time
        elif begun and (result := _RESULT.match(words)):
            ended[result['host']] = time
    return spent
