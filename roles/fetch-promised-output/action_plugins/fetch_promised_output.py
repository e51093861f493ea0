# SPDX-License-Identifier: Apache-2.0
"""Say where promised results go, and, when all nodes were asked, what there is of them."""
from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible.plugins.action import ActionBase

NOTHING = ('ignore', 'note', 'fail')
FOUND = 'stage_output_found'


def place(dest: str, roots: Mapping[str, str]) -> Optional[Tuple[str, str]]:
    """Return the part (``logs`` and so on) that a folder of the executor is of, and its path below that.

    :param roots: part -> its folder.
    :return: None for a folder that results are not taken to.
    """
    given = os.path.normpath(dest)
    for part, root in roots.items():
        below = os.path.relpath(given, os.path.normpath(root))
        if below == '.':
            return part, ''
        if os.path.isabs(given) and below.split('/')[0] != '..':
            return part, below + '/'
    return None


def refused(role: str, nothing: str, dest: str, roots: Mapping[str, str]) -> str:
    """Return what is wrong with the options, empty when nothing is."""
    problems = []
    if nothing not in NOTHING:
        problems.append("%s_nothing is '%s': it is none of %s. Write one of these."
                        % (role.replace('-', '_'), nothing, ', '.join(NOTHING)))
    if place(dest, roots) is None:
        name = 'fetch_promised_output_dest' if role == 'fetch-promised-output' else 'zuul_executor_dest'
        problems.append("%s is '%s': results go to %s, or below. Write one of these, or leave it out."
                        % (name, dest, ', '.join(roots.values())))
    if not problems:
        return ''
    count = '1 problem' if len(problems) == 1 else '%d problems' % len(problems)
    return '%s: cannot continue, %s:\n%s' % (role, count, '\n'.join('  - ' + one for one in problems))


def placed(sources: Sequence[Mapping[str, Any]], part: str, folder: str) -> List[Dict[str, Any]]:
    """Return the sources with part and name; one that has a part of its own stays as it is."""
    done: List[Dict[str, Any]] = []
    for source in sources:
        one = dict(source)
        if 'part' not in one:
            one['part'] = part
            name = one.get('name', os.path.basename(os.path.normpath(str(one['path']))))
            one['name'] = (folder + name).rstrip('/')
        done.append(one)
    return done


def artifacts(
    wanted: Sequence[Mapping[str, Any]], found: Mapping[str, Sequence[str]], folder: str, several: bool,
) -> List[Dict[str, Any]]:
    """Return the artifacts of a build: those whose source was found, for each host in its order.

    :param found: host -> paths of sources.
    :param several: whether the build has several nodes: each has a folder of its own among the logs then.
    """
    return [{'name': one['name'], 'url': (host + '/' if several else '') + folder + one['url'],
             'metadata': {'type': one['type']}}
            for host, paths in found.items() for one in wanted if one['source'] in paths]


def lines(text: Sequence[Mapping[str, Any]]) -> List[str]:
    """Return what a reader is told when nothing was found."""
    return ['nothing was collected: there is no %s' % ', no '.join(str(source['path']) for source in text)]


class ActionModule(ActionBase):
    """Runs on the executor, whatever the host of the task is: it needs no connection."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        super().run(tmp, task_vars)
        _, args = self.validate_argument_spec({
            'role': {'type': 'str', 'required': True},
            'sources': {'type': 'list', 'elements': 'dict', 'required': True},
            'nothing': {'type': 'str', 'required': True},
            'dest': {'type': 'str', 'required': True},
            'roots': {'type': 'dict', 'required': True},
            'artifacts': {'type': 'list', 'elements': 'dict', 'default': []},
            'ended': {'type': 'bool', 'default': False},
        })
        wrong = refused(args['role'], args['nothing'], args['dest'], args['roots'])
        if wrong:
            return {'failed': True, 'msg': wrong}
        part, folder = place(args['dest'], args['roots']) or ('', '')
        if not args['ended']:
            return {'changed': False, 'sources': placed(args['sources'], part, folder)}
        known = task_vars or {}
        hosts = known['ansible_play_hosts_all']
        found = {host: (known['hostvars'][host].get('ansible_facts') or {}).get(FOUND) or [] for host in hosts}
        missing = not any(found.values()) and args['nothing'] != 'ignore'
        told = lines(args['sources']) if missing else []
        several = len(known['groups']['all']) > 1
        shown = artifacts(args['artifacts'], found, folder, several) if part == 'logs' else []
        return {'changed': False, 'artifacts': shown, 'nothing': missing,
                'ansible_facts': {args['role'].replace('-', '_') + '_nothing_problems': told}, 'told': told}
