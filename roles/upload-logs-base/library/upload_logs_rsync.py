#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Send a folder of the executor to another host with rsync, without what leads out of it."""
from __future__ import annotations

DOCUMENTATION = r'''
module: upload_logs_rsync
short_description: Send a folder of the executor to another host
description:
  - Runs on the executor. Takes the plain files of a folder, never through a link, and sends them with C(rsync) over ssh
    to a folder of a host; what is there already is not sent again, and nothing is removed there.
  - What could not be sent is in the result; it fails only where nothing was.
options:
  request:
    description: What to send, and where to.
    type: dict
    required: true
    suboptions:
      role: {description: The role that asks for it; its name is in messages., type: str, required: true}
      source: {description: The folder., type: path, required: true}
      scratch: {description: Folder on the same disk for what is made on the way., type: path, required: true}
      root: {description: Folder on the host. It has to be there., type: str, required: true}
      path: {description: Folder in it that is made., type: str, default: ''}
      live: {description: Files that are still written to., type: list, elements: str, default: []}
      pack: {description: Whether these are packed with gzip., type: bool, default: false}
      timeout: {description: Seconds it may take., type: int, required: true}
      host: {description: The host., type: str, required: true}
      port: {description: Its port for ssh., type: str, default: ''}
      user: {description: The user there., type: str, default: ''}
      ssh_executable: {description: The ssh to use., type: str, default: ssh}
      ssh_args: {description: Its options., type: str, default: ''}
      private_key_file: {description: The key to use., type: str, default: ''}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Send logs
  upload_logs_rsync:
    request:
      role: upload-logs
      source: "{{ zuul.executor.log_root }}"
      scratch: "{{ zuul.executor.work_root }}"
      root: /srv/static/logs
      path: 45/12345/1/check/unit/0123456
      timeout: 300
      host: logs.example.org
'''
RETURN = r'''
files: {description: Files that are there now., type: int, returned: success}
sent: {description: The names of the first thousand that were sent., type: list, elements: str, returned: success}
problems: {description: What is not there; a line each., type: list, elements: str, returned: success}
'''

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from typing import Any, Callable, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.upload_logs_snapshot import take
from ansible.module_utils.upload_logs_tree import Tree

ATTEMPTS = 4
#: exit codes of rsync that may be others the next time: no connection, no answer, a broken one
_TROUBLE = (5, 10, 12, 30, 35, 255)
#: some files could not be sent, the others were
_PARTLY = (23, 24)
_SILENCE = 60           # seconds without a byte after which rsync gives up
_SAID = 1 << 16
_MOST = 1000
_LINES = 20
_ROOT = re.compile(r'/[A-Za-z0-9._/+@-]*')
_HOST = re.compile(r'[A-Za-z0-9._:%\[\]-]+')


class Refused(Exception):
    """Nothing was sent. The message says why and what to do."""


def check(request: Dict[str, Any]) -> None:
    """Refuse what makes no sense.

    :raises Refused: with all reasons.
    """
    problems = []
    if not _ROOT.fullmatch(request['root']):
        problems.append("the folder on the host is %r: it must be an absolute path of letters, digits and '._/+@-'"
                        % request['root'])
    if request['path'] and any(name.startswith('.') or not name.isprintable() or not name
                               for name in request['path'].split('/')):
        problems.append("the path is %r: it must be names with '/' between them, none of which begins with a dot"
                        % request['path'])
    if not _HOST.fullmatch(request['host']) or request['host'].startswith('-'):
        problems.append('the host is %r: it must be a name or an address' % request['host'])
    if request['timeout'] < 1:
        problems.append('the timeout is %d: it must be at least 1' % request['timeout'])
    for name in ('source', 'scratch'):
        if os.path.islink(request[name]) or not os.path.isdir(request[name]):
            problems.append("the %s is '%s': it must be a folder, and no link" % (name, request[name]))
    if problems:
        raise Refused('nothing was published, %d problem%s:\n%s' % (
            len(problems), 's' if len(problems) > 1 else '', '\n'.join('  - ' + line for line in problems)))


def command(request: Dict[str, Any], tree: str) -> Tuple[str, ...]:
    """Return the argv that sends the folder *tree*."""
    ssh = [request['ssh_executable'], '-o', 'ControlPath=none', '-o', 'BatchMode=yes',
           *shlex.split(request['ssh_args'])]
    for option, value in (('-p', request['port']), ('-l', request['user']), ('-i', request['private_key_file'])):
        if value:
            ssh += [option, value]
    host = '[%s]' % request['host'] if ':' in request['host'] and '[' not in request['host'] else request['host']
    return ('rsync', '--recursive', '--times', '--omit-dir-times', '--chmod=D0755,F0644', '--out-format=%n',
            '--partial-dir=.rsync-partial', '--timeout=%d' % _SILENCE, '--rsh', ' '.join(map(quoted, ssh)), '--',
            tree.rstrip('/') + '/', '%s:%s/' % (host, request['root'].rstrip('/')))


def quoted(word: str) -> str:
    """Return *word* as rsync reads it in C(--rsh), which is not how a shell does."""
    return '"%s"' % word.replace('"', '""')


def explained(said: str) -> List[str]:
    """Return what rsync complained about, without what it says about itself."""
    lines = [line.strip() for line in said.splitlines()]
    return [line for line in lines if line and not line.startswith('rsync error: some files')]


def send(
    argv: Tuple[str, ...], end: float, pause: Callable[[float], object] = time.sleep,
) -> Tuple[List[str], List[str]]:
    """Run rsync until it has sent what it can. Return the names that it sent, and what it complained about.

    :param end: time, of the monotonic clock, at which it is ended.
    :raises Refused: it could not send anything.
    """
    sent: Dict[str, None] = {}
    for attempt in range(ATTEMPTS):
        code, names, said = _run(argv, end)
        sent.update(dict.fromkeys(name for name in names if not name.endswith('/')))
        if code == 0:
            return list(sent), []
        if code in _PARTLY:
            return list(sent), explained(said)
        seconds = 2 ** attempt
        if code not in _TROUBLE or attempt + 1 == ATTEMPTS or time.monotonic() + seconds > end:
            break
        pause(seconds)
    why = 'not done in time' if code is None else 'rsync ended with %d' % code
    raise Refused('not everything was published: %s%s%s' % (
        why, ': ' + ' / '.join(explained(said)[-5:]) if said.strip() else '',
        '; %d files had been sent' % len(sent) if sent else ''))


def _run(argv: Tuple[str, ...], end: float) -> Tuple[Any, List[str], str]:
    # Files and not pipes: an ssh in the background may hold them open.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=error, check=False,
                                  env=dict(os.environ, LC_ALL='C'), timeout=max(0.1, end - time.monotonic()))
            code: Any = done.returncode
        except subprocess.TimeoutExpired:
            code = None
        except OSError as problem:
            raise Refused('nothing was published: cannot start rsync on the executor: %s'
                          % problem.strerror) from problem
        texts = []
        for file in (out, error):
            file.seek(0)
            texts.append(file.read(16 * _SAID if file is out else _SAID).decode('utf-8', 'replace'))
        return code, texts[0].splitlines(), texts[1]


def publish(request: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: nothing was sent, or not everything.
    """
    end = time.monotonic() + request['timeout']
    check(request)
    os.umask(0o022)
    work = tempfile.mkdtemp(prefix='.publish-', dir=request['scratch'])
    try:
        inside = os.path.join(work, 'tree', request['path'])
        os.makedirs(inside)
        with Tree(request['source']) as tree:
            made = take(tree, inside, live=request['live'], pack=request['pack'])
        sent, said = send(command(request, os.path.join(work, 'tree')), end)
    except OSError as error:
        raise Refused('nothing was published: %s%s' % (
            error.strerror, ' (%s)' % error.filename if error.filename else '')) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    problems = ['%s: %s' % one for one in made.problems] + said
    if len(problems) > _LINES:
        problems[_LINES:] = ['%d more like these' % (len(problems) - _LINES)]
    return {'changed': bool(sent), 'files': made.files, 'sent': sent[:_MOST], 'problems': problems}


def main() -> None:
    """Run as a module."""
    text: Dict[str, Any] = {'type': 'str', 'default': ''}
    required, path = {'type': 'str', 'required': True}, {'type': 'path', 'required': True}
    module = AnsibleModule(argument_spec={'request': {'type': 'dict', 'required': True, 'options': {
        'role': required, 'source': path, 'scratch': path, 'root': required, 'path': text, 'host': required,
        'live': {'type': 'list', 'elements': 'str', 'default': []}, 'pack': {'type': 'bool', 'default': False},
        'timeout': {'type': 'int', 'required': True}, 'port': text, 'user': text, 'ssh_args': text,
        'ssh_executable': {'type': 'str', 'default': 'ssh'}, 'private_key_file': text}}})
    try:
        module.exit_json(**publish(module.params['request']))
    except Refused as error:
        module.fail_json(msg='%s: %s' % (module.params['request']['role'], error))


if __name__ == '__main__':
    main()
