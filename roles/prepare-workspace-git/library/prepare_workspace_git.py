#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Put the executor's repositories on a node, over one ssh session."""
from __future__ import annotations

DOCUMENTATION = r'''
module: prepare_workspace_git
short_description: Put the executor's git repositories on a node
description:
  - Runs on the executor. One ssh session to the node carries all repositories; it rides on Ansible's own connection.
  - The node says what it has, from an earlier run or from its cache. Only what is missing is sent.
  - Every repository ends with the executor's branches, tags and remote branches, with the wanted branch or commit
    checked out and nothing else in its working tree.
  - A cache or a workspace that is damaged is left aside or made anew, and C(notes) says so.
options:
  projects:
    description: The projects, each with C(canonical_name), C(src_dir), C(checkout) and C(commit).
    type: list
    elements: dict
    required: true
  source: {description: Folder on the executor that the C(src_dir) are below., type: path, required: true}
  root: {description: Folder on the node that the C(src_dir) are below., type: str, required: true}
  cached_repos_root: {description: Folder of repositories on the node; empty for none., type: str, default: ''}
  quiet: {description: Return sums in place of one entry a project., type: bool, default: false}
  connection: {description: Ansible's connection to the node., type: str, default: ssh}
  host: {description: Address of the node., type: str, required: true}
  port: {description: Port of the node's ssh server., type: str, default: ''}
  user: {description: User on the node., type: str, default: ''}
  python: {description: Python on the node., type: str, default: python3}
  ssh_executable: {description: The ssh client., type: str, default: ssh}
  ssh_args: {description: Arguments of ssh., type: str, default: ''}
  control_dir: {description: Folder of Ansible's control sockets., type: str, default: ''}
  private_key_file: {description: Key file for ssh., type: str, default: ''}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Put the repositories on the node
  delegate_to: localhost
  prepare_workspace_git:
    projects: "{{ zuul.projects.values() }}"
    source: "{{ zuul.executor.work_root }}"
    root: /home/zuul
    host: "{{ ansible_host }}"
'''
RETURN = r'''
projects:
  description: For each project its name, commit, what it was made from, the bytes sent, and whether it changed.
  type: list
  elements: dict
  returned: success, unless quiet
count: {description: Number of projects., type: int, returned: success}
bytes: {description: Bytes sent to the node., type: int, returned: success}
notes: {description: What was left aside and why., type: list, elements: str, returned: success}
'''

import collections
import inspect
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, Deque, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from ansible.module_utils import prepare_workspace_git_agent as agent
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.prepare_workspace_git_ssh import SPEC, NodeError, Session, connect

# Packs that are made ahead while one is sent.
_AHEAD = 3
_CHUNK = 1 << 18
# Zuul's marks on what it merged: of no use on a node.
_PRIVATE = 'refs/zuul/'
# Ansible's ways to a node that has an ssh server.
_BY_SSH = ('ssh', 'smart', 'paramiko', 'paramiko_ssh', 'libssh')
_ORIGIN = ('remote.origin.url', 'remote.origin.fetch')


class Refused(Exception):
    """The wish cannot be met as it is written. The message has all reasons."""


def check(projects: Sequence[Dict[str, Any]], root: str, source: str, connection: str) -> None:
    """Look at everything before anything is touched.

    :raises Refused: with one line a problem.
    """
    problems = []
    if connection.rpartition('.')[2] not in _BY_SSH:
        problems.append("ansible_connection is '%s': this role reaches nodes by ssh alone. Leave the node out of its "
                        'play.' % connection)
    if not root.startswith(('/', '~')):
        problems.append("zuul_workspace_root is '%s': not an absolute path. Write for example '/home/zuul'." % root)
    seen: Dict[str, str] = {}
    for project in projects:
        name = project.get('canonical_name') or '?'
        missing = [key for key in ('canonical_name', 'src_dir', 'commit') if not project.get(key)]
        if missing:
            problems.append("zuul.projects['%s'] has no %s. Zuul sets it; look for a playbook that replaces 'zuul'."
                            % (name, ', '.join(missing)))
            continue
        where = os.path.normpath(project['src_dir'])
        if os.path.isabs(where) or where.split('/')[0] in ('..', '.'):
            problems.append("src_dir of %s is '%s': not a folder below the workspace." % (name, project['src_dir']))
        elif not os.path.isdir(os.path.join(source, where, '.git')):
            problems.append("%s has no git repository at '%s' on the executor." % (name, os.path.join(source, where)))
        elif where in seen:
            problems.append("src_dir '%s' belongs to %s and to %s." % (where, seen[where], name))
        seen[where] = name
    if problems:
        raise Refused('prepare-workspace-git: cannot continue, %d problem%s:\n%s' % (
            len(problems), '' if len(problems) == 1 else 's', '\n'.join('  - ' + one for one in problems)))


def want(repo: str, project: Dict[str, Any]) -> Dict[str, Any]:
    """Return the state that the project shall have on the node: references, commit, checkout, origin, end of history.

    :raises agent.Broken: git cannot read the repository.
    """
    refs = {name: oid for name, oid in agent.read_refs(repo).items() if not name.startswith(_PRIVATE)}
    config = agent.read_config(repo)
    config = {name: config.get(name, []) for name in _ORIGIN}
    return {'refs': refs, 'commit': project['commit'], 'checkout': project.get('checkout') or '', 'config': config,
            'shallow': agent.read_shallow(repo)}


def missing(repo: str, wanted: Dict[str, Any], haves: Sequence[str]) -> Optional[bytes]:
    """Return the input for ``git pack-objects --revs``, or None when the node has everything.

    What the node has and this repository does not know cannot help, and git would stop at it.
    """
    tips: Set[str] = set(wanted['refs'].values()) | {wanted['commit']}
    if tips <= set(haves):
        return None
    known = agent.present(repo, set(haves))
    return ''.join([tip + '\n' for tip in sorted(tips)] + ['^%s\n' % oid for oid in known]).encode('ascii')


def start_pack(repo: str, revisions: bytes) -> subprocess.Popen[bytes]:
    """Start to make a pack of *revisions*; it waits in its pipe until it is read."""
    path = agent.encode(repo)
    packer = subprocess.Popen(
        [b'git', b'--git-dir=' + path + b'/.git', b'pack-objects', b'--revs', b'--thin', b'--delta-base-offset',
         b'--stdout', b'-q'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert packer.stdin is not None
    try:
        packer.stdin.write(revisions)
        packer.stdin.close()
    except OSError:
        pass  # It says why when its output is read.
    return packer


def send_pack(packer: subprocess.Popen[bytes], session: Session) -> Tuple[int, str]:
    """Send a pack in chunks. Return its size in bytes and what went wrong."""
    sent = 0
    assert packer.stdout is not None and packer.stderr is not None
    pipe: IO[bytes] = packer.stdout
    for data in iter(lambda: pipe.read(_CHUNK), b''):
        session.write(b'%d\n' % len(data))
        session.write(data)
        sent += len(data)
    session.write(b'0\n')
    said = packer.stderr.read().decode('utf-8', 'replace').strip()
    pipe.close()
    packer.stderr.close()
    return sent, 'git pack-objects on the executor: ' + said[-2000:] if packer.wait() else ''


def _packs(repos: Sequence[str], wants: Sequence[Dict[str, Any]],
           haves: Sequence[Dict[str, Any]]) -> Iterator[Optional[subprocess.Popen[bytes]]]:
    """Yield the pack of each repository, or None; a few are being made ahead."""
    ahead: Deque[Optional[subprocess.Popen[bytes]]] = collections.deque()
    for repo, wanted, have in zip(repos, wants, haves):
        revisions = None if have.get('error') else missing(repo, wanted, have['haves'])
        ahead.append(None if revisions is None else start_pack(repo, revisions))
        if len(ahead) > _AHEAD:
            yield ahead.popleft()
    yield from ahead


def push(params: Dict[str, Any], projects: Sequence[Dict[str, Any]], fresh: bool) -> List[Dict[str, Any]]:
    """Bring *projects* to the node in one session. Return one answer for each.

    :param fresh: without what the node has.
    :raises NodeError: the session failed.
    """
    request = agent.dump({
        'root': params['root'], 'fresh': fresh,
        'cache_root': '' if fresh else params['cached_repos_root'],
        'projects': [{'src_dir': one['src_dir'], 'canonical_name': one['canonical_name']} for one in projects]})
    repos = [os.path.join(params['source'], one['src_dir']) for one in projects]
    with ThreadPoolExecutor(agent.WORKERS) as pool:
        pending = pool.map(want, repos, projects)
        session = connect(params, inspect.getsource(agent), request)
        wants = list(pending)
    haves = _answer(session)
    sizes = []
    for wanted, packer in zip(wants, _packs(repos, wants, haves)):
        session.write(agent.dump(dict(wanted, pack=packer is not None)))
        sizes.append(send_pack(packer, session) if packer else (0, ''))
        session.flush()
    answers = _answer(session)
    session.close()
    results = []
    for project, have, (size, error), answer in zip(projects, haves, sizes, answers):
        result = {'canonical_name': project['canonical_name'], 'commit': project['commit'], 'source': have['source'],
                  'bytes': size, 'note': have['note'], 'changed': answer.get('changed', True)}
        if error or answer.get('error'):
            result['error'] = error or answer['error']
        results.append(result)
    return results


def _answer(session: Session) -> List[Dict[str, Any]]:
    line = session.reader.readline()
    if not line.endswith(b'\n'):
        session.fail('it stopped answering')
    answer: List[Dict[str, Any]] = json.loads(line)
    return answer


def _holds(outer: Dict[str, Any], project: Dict[str, Any]) -> bool:
    """Whether *project* is *outer* or lies below its folder, and so goes with it."""
    where, below = (os.path.normpath(one['src_dir']) + '/' for one in (outer, project))
    return below.startswith(where)


def prepare(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: wrong parameters, or a project that cannot be had.
    :raises NodeError: the node cannot be reached.
    """
    projects = params['projects']
    check(projects, params['root'], params['source'], params['connection'])
    try:
        results = push(params, projects, fresh=False) if projects else []
        failed = [project for project, result in zip(projects, results) if 'error' in result]
        again = [place for place, project in enumerate(projects) if any(_holds(one, project) for one in failed)]
        if again:
            second = push(params, [projects[place] for place in again], fresh=True)
            for place, result in zip(again, second):
                why = results[place].get('error', 'the project around it was')
                result['note'] = 'made anew, because: %s' % why
                results[place] = result
    except agent.Broken as error:
        raise Refused('prepare-workspace-git: a repository on the executor cannot be read: %s' % error) from error
    lost = [result for result in results if 'error' in result]
    if lost:
        raise Refused('prepare-workspace-git: %d of %d projects cannot be put on the node:\n%s' % (
            len(lost), len(results),
            '\n'.join('  - %s: %s' % (one['canonical_name'], one['error']) for one in lost)))
    answer = {'changed': any(one['changed'] for one in results), 'count': len(results),
              'bytes': sum(one['bytes'] for one in results),
              'notes': ['%s: %s' % (one['canonical_name'], one['note']) for one in results if one['note']]}
    if not params['quiet']:
        answer['projects'] = results
    return answer


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec=dict(
        SPEC,
        projects={'type': 'list', 'elements': 'dict', 'required': True},
        source={'type': 'path', 'required': True},
        root={'type': 'str', 'required': True},
        cached_repos_root={'type': 'str', 'default': ''},
        connection={'type': 'str', 'default': 'ssh'},
        quiet={'type': 'bool', 'default': False}))
    try:
        module.exit_json(**prepare(module.params))
    except (Refused, NodeError) as error:
        where = 'the node %s: ' % module.params['host'] if isinstance(error, NodeError) else ''
        module.fail_json(msg=where + str(error))


if __name__ == '__main__':
    main()
