# SPDX-License-Identifier: Apache-2.0
"""Tell from what commands printed whether test runners ran any test."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ansible.plugins.action import ActionBase

NOTHING = ('ignore', 'note', 'fail')
MAX_NAMES, MAX_SAID = 5, 3      # of environments and of runs that are told
_ANSI = re.compile(r'\x1b\[[0-?]*[ -/]*[@-~]')
# unittest, nose and trial say how many, skipped ones included, and then how that went
_UNITTEST = re.compile(r'^(?P<said>Ran (?P<number>\d{1,9}) tests? in [\d.]{1,20}s)[^\n]*'
                       r'(?:\n{1,3}(?:OK|PASSED|FAILED|NO TESTS RAN)\b(?P<how>[^\n]{0,200}))?', re.M)
_STESTR = re.compile(r'^(?P<said>Ran: (?P<number>\d{1,9}) tests? in [\d.]{1,20} sec)[^\n]*'
                     r'(?P<how>(?:\n - [^\n]{0,100}){0,8})', re.M)
_SKIPPED = re.compile(r'(?:\bskip(?:ped|s)=| - Skipped: )(\d{1,9})')
_PYTEST = re.compile(r'^(?:=+ )?(?P<said>(?:no tests ran|\d{1,9} (?:passed|failed|errors?|skipped|deselected|xfailed|'
                     r'xpassed|warnings?)\b)[^\n]{0,200}?) in \d+\.\d+s\b', re.M)
_PYTEST_RAN = re.compile(r'\b(\d{1,9}) (?:passed|failed|errors?|xfailed|xpassed)\b')
_NAME = r'(?P<name>[\w.:(), -]{1,80})'
# tox 4 and 3, nox
_SKIPPED_ENVIRONMENTS = (
    ('tox', re.compile(rf'^  {_NAME}: SKIP \(', re.M)),
    ('tox', re.compile(r'^SKIPPED:  (?P<name>[\w.-]{1,80}): ', re.M)),
    ('nox', re.compile(rf'^nox > \* {_NAME}: skipped\b', re.M)),
    ('nox', re.compile(rf'^nox > Session {_NAME} (?:was )?skipped\b', re.M)),
)
_DONE_ENVIRONMENT = re.compile(rf'^(?:  {_NAME}: (?:OK \(|FAIL |commands (?:succeeded|failed)|ignored failed command)'
                               r'|nox > (?:Session .* was successful|\* .*: success\b))', re.M)
_NONE_CHOSEN = re.compile(r'^(?:nox > )?(?P<said>No sessions selected)\.', re.M)


class Run(NamedTuple):
    """What one run of a test runner says: how many tests ran, in its own words."""

    ran: int
    said: str


def runs(text: str) -> List[Run]:
    """Return the runs of test runners that *text* tells of."""
    found = []
    for pattern in (_UNITTEST, _STESTR):
        for match in pattern.finditer(text):
            skipped = _SKIPPED.search(match['how'] or '')
            left_out = int(skipped[1]) if skipped else 0
            found.append(Run(max(0, int(match['number']) - left_out),
                             match['said'] + (', %d skipped' % left_out if left_out else '')))
    for match in _PYTEST.finditer(text):
        found.append(Run(sum(map(int, _PYTEST_RAN.findall(match['said']))), match['said']))
    return found


def left_out(text: str) -> str:
    """Return how tox or nox say that they did nothing at all, '' when they do not."""
    if _DONE_ENVIRONMENT.search(text):
        return ''
    for tool, pattern in _SKIPPED_ENVIRONMENTS:
        names = list(dict.fromkeys(match['name'] for match in pattern.finditer(text)))
        if names:
            more = ', …' if len(names) > MAX_NAMES else ''
            return '%s skipped %s' % (tool, ', '.join(names[:MAX_NAMES]) + more)
    none = _NONE_CHOSEN.search(text)
    return 'nox says: %s' % none['said'] if none else ''


def summed_up(output: str) -> Dict[str, Any]:
    """Return what the commands of a node say of tests: how many ran, in whose words, and what was left out altogether.

    :param output: what they printed.
    """
    text = _ANSI.sub('', output.replace('\r\n', '\n'))
    found = runs(text)
    return {'ran': sum(run.ran for run in found), 'said': list(dict.fromkeys(run.said for run in found))[:MAX_SAID],
            'left_out': '' if found else left_out(text), 'silent': not text.strip()}


def judge(nodes: Sequence[Mapping[str, Any]]) -> str:
    """Return what is to be told of commands that passed, '' when a test was run or nobody said that none was.

    :param nodes: what the commands of each node come to; nothing of those that had none.
    """
    spoke = [node for node in nodes if node and not node['silent']]
    if any(node['ran'] for node in spoke):
        return ''
    said = list(dict.fromkeys(line for node in spoke for line in node['said']))[:MAX_SAID]
    if said:
        return 'No test was run: %s.' % '; '.join(said)
    unused = [node['left_out'] for node in spoke]
    return 'No test was run: %s.' % unused[0] if unused and all(unused) else ''


class ActionModule(ActionBase):
    """Runs on the executor, whatever the host of the task is: it needs no connection."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        super().run(tmp, task_vars)
        _, args = self.validate_argument_spec({
            'output': {'type': 'str'},
            'nodes': {'type': 'list', 'elements': 'dict', 'default': []},
            'nothing': {'type': 'str', 'required': True},
            'variable': {'type': 'str', 'required': True},
        })
        if args['nothing'] not in NOTHING:
            return {'failed': True, 'msg': (
                "check-tests-ran: cannot continue, 1 problem:\n  - %s is '%s': it is none of %s. Write one of these."
                % (args['variable'], args['nothing'], ', '.join(NOTHING)))}
        if args['output'] is not None:
            return {'changed': False, **(summed_up(args['output']) if args['nothing'] != 'ignore' else summed_up(''))}
        told = judge(args['nodes']) if args['nothing'] != 'ignore' else ''
        return {'changed': False, 'told': told,
                'ansible_facts': {'check_tests_ran_told': [told] if told else []}}
