#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Publish a build's logs in an object store, or in the next one that works."""
from __future__ import annotations

DOCUMENTATION = r'''
module: upload_logs
short_description: Publish a build's logs in an object store
description:
  - Runs on the executor. Sends every plain file of a folder to the first of I(targets) that takes them, several at
    a time and each as often as it takes; what is there already with the same content is not sent again. Links are never
    followed.
  - It does not fail. What went wrong is in the result, with stars in the place of secrets, so that the task
    can have C(no_log) and its reader the reason.
options:
  source: {description: Folder with the logs., type: path, required: true}
  path: {description: Where they go., type: str, required: true}
  scratch: {description: Folder for files that are packed before they are sent., type: path, required: true}
  targets:
    description:
      - Each has I(target), the name of a role, and I(args), the parameters of that role by their names.
    type: raw
    required: true
  workers: {description: Files that are sent at a time., type: int, required: true}
  timeout: {description: Seconds it may take., type: int, required: true}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Publish
  upload_logs:
    source: "{{ zuul.executor.log_root }}"
    path: "{{ zuul_log_path }}"
    scratch: "{{ zuul.executor.work_root }}"
    targets:
      - target: upload-logs-s3
        args: {zuul_log_bucket: logs}
    workers: 8
    timeout: 600
  no_log: true
'''
RETURN = r'''
log_url: {description: URL of the logs; C('') where nothing was published., type: str, returned: always}
target: {description: The one that took them; C('') where none did., type: str, returned: always}
refused: {description: Why none took them., type: str, returned: always}
files: {description: Files that were sent., type: int, returned: always}
kept: {description: Files that were there already., type: int, returned: always}
missing: {description: Files that are not there., type: int, returned: always}
problems: {description: What went wrong nevertheless; a line each., type: list, elements: str, returned: always}
seconds: {description: How long it took., type: float, returned: always}
memory: {description: The most memory that was used, in bytes., type: int, returned: always}
'''

import os
import resource
import time
from typing import Any, Dict, List, NamedTuple, Tuple

from ansible.module_utils import (
    upload_logs_azure,
    upload_logs_gcs,
    upload_logs_ibm,
    upload_logs_s3,
    upload_logs_swift,
)
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.module_utils.upload_logs_engine import Outcome, Plan, Refused, publish
from ansible.module_utils.upload_logs_store import covered, place, problems_of_path
from ansible.module_utils.upload_logs_tree import Tree

#: role -> (what it needs, what it is)
STORES: Dict[str, Tuple[Any, Any]] = {
    'upload-logs-azure': (upload_logs_azure, upload_logs_azure.Azure),
    'upload-logs-gcs': (upload_logs_gcs, upload_logs_gcs.Gcs),
    'upload-logs-ibm': (upload_logs_ibm, upload_logs_ibm.Ibm),
    'upload-logs-s3': (upload_logs_s3, upload_logs_s3.S3),
    'upload-logs-swift': (upload_logs_swift, upload_logs_swift.Swift),
}
_PREFIX = 'upload-logs-'
_KINDS = {bool: 'true or false', int: 'a whole number, 0 or more', str: 'a text', dict: 'a mapping'}


class Target(NamedTuple):
    """One place for logs: the role of its kind, and all of its parameters."""

    role: str
    args: Dict[str, Any]


def read(params: Dict[str, Any]) -> List[Target]:
    """Return the targets with the defaults of what is not given.

    :raises Refused: something makes no sense; the message has all that does not.
    """
    problems: List[str] = []
    targets: List[Target] = []
    if not isinstance(params['targets'], list) or not params['targets']:
        problems.append('zuul_log_targets must be a list with at least one target')
    else:
        for number, one in enumerate(params['targets'], 1):
            before = 'target %d: ' % number if len(params['targets']) > 1 else ''
            found: List[str] = []
            target = _target(one, found)
            if target:
                targets.append(target)
                found += STORES[target.role][0].problems(target.args)
                found += problems_of_path(params['path'], target.args['zuul_log_partition'])
            problems += [before + line for line in found]
    caller = targets[0].role.replace('-', '_') if len(targets) == 1 else 'upload_logs_failover'
    problems += ['%s_%s is %d: it must be at least 1' % (caller, name, params[name])
                 for name in ('timeout', 'workers') if params[name] < 1]
    problems += ["%s_%s is '%s': it must be a folder, and no link" % (caller, name, params[name])
                 for name in ('source', 'scratch') if os.path.islink(params[name]) or not os.path.isdir(params[name])]
    if problems:
        raise Refused('%d problem%s:\n%s' % (len(problems), 's' if len(problems) > 1 else '',
                                             '\n'.join('  - ' + line for line in dict.fromkeys(problems))))
    return targets


def _target(one: Any, problems: List[str]) -> Any:
    if not isinstance(one, dict) or set(one) - {'target', 'args'} or not isinstance(one.get('args', {}), dict):
        problems.append('a target must have "target", the name of a role, and "args", its parameters')
        return None
    role = str(one.get('target', ''))
    role = role if role.startswith(_PREFIX) else _PREFIX + role
    if role not in STORES:
        problems.append('target is %r: there are %s' % (one.get('target'), ', '.join(sorted(STORES))))
        return None
    known = STORES[role][0].ARGS
    args = dict(known)
    for name, value in one.get('args', {}).items():
        if name not in known:
            problems.append('%s is no parameter of %s: there are %s' % (name, role, ', '.join(sorted(known))))
            continue
        try:
            args[name] = _converted(value, known[name])
        except (TypeError, ValueError):
            problems.append('%s is %s: it must be %s' % (
                name, repr(value) if isinstance(known[name], (bool, int)) else 'something else',
                _KINDS[type(known[name])]))
    return Target(role, args)


def _converted(value: Any, like: Any) -> Any:
    if value is None:
        return like
    if isinstance(like, bool):
        return boolean(value)
    if isinstance(like, int):
        number = int(value)
        if number < 0 or isinstance(value, bool):
            raise ValueError
        return number
    if isinstance(value, (dict, list)) != isinstance(like, dict) or isinstance(value, list):
        raise TypeError
    return value if isinstance(like, dict) else str(value)


def send(target: Target, params: Dict[str, Any], seconds: float) -> Tuple[str, Outcome]:
    """Publish at one target, and return the URL of the logs and what became of them.

    :raises Refused: nothing was published there.
    """
    kind, make = STORES[target.role]
    where = place(kind.container(target.args), params['path'], target.args['zuul_log_partition'], kind.BETWEEN)
    plan = Plan(params['scratch'], params['workers'], target.args['zuul_log_create_indexes'], seconds)
    with Tree(params['source']) as tree:
        store = make(target.args, where, plan)
        outcome = publish(tree, store, plan)
        return store.base, outcome


def upload(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result."""
    begun = time.monotonic()
    result: Dict[str, Any] = {'changed': False, 'log_url': '', 'target': '', 'refused': '', 'files': 0, 'kept': 0,
                              'missing': 0, 'problems': []}
    secrets: List[Any] = []
    refusals: List[str] = []
    try:
        targets = read(params)
        for number, target in enumerate(targets):
            secrets += STORES[target.role][0].secrets(target.args)
            left = params['timeout'] - (time.monotonic() - begun)
            try:
                # The last target has all the time that is left, those before it an equal share.
                url, outcome = send(target, params, max(1.0, left / (len(targets) - number)))
            except Refused as error:
                refusals.append(_line(target.role, error))
                continue
            except Exception as error:      # a vendor's library may raise anything; the next target may do
                refusals.append(_line(target.role, '%s: %s' % (type(error).__name__, error)))
                continue
            result.update(log_url=url, target=target.role, files=outcome.published, kept=outcome.kept,
                          missing=outcome.failed, changed=outcome.published > 0)
            result['problems'] = refusals + told(outcome)
            break
        else:
            result['refused'] = '\n'.join(refusals)
    except Refused as error:
        result['refused'] = 'nothing was published, %s' % error
    result['problems'] = [covered(line, secrets) for line in result['problems']]
    result['refused'] = covered(result['refused'], secrets)
    result['seconds'] = round(time.monotonic() - begun, 3)
    result['memory'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return result


def _line(role: str, error: Any) -> str:
    return 'nothing was published by %s: %s' % (role, error)


def told(outcome: Outcome) -> List[str]:
    """Return a line for each file that was not published, and what else a reader should know."""
    lines = ['%s: %s' % one for one in outcome.problems]
    if outcome.failed > len(outcome.problems):
        lines.append('%d more files were not published%s' % (
            outcome.failed - len(outcome.problems), outcome.gave_up and ': ' + outcome.gave_up))
    return lines


def main() -> None:
    """Run as a module."""
    path, number = {'type': 'path', 'required': True}, {'type': 'int', 'required': True}
    module = AnsibleModule(argument_spec={
        'source': path, 'path': {'type': 'str', 'required': True}, 'scratch': path,
        'targets': {'type': 'raw', 'required': True}, 'workers': number, 'timeout': number})
    module.exit_json(**upload(module.params))


if __name__ == '__main__':
    main()
