#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Bring a node's results to the executor, over one ssh session."""
from __future__ import annotations

DOCUMENTATION = r'''
module: fetch_output
short_description: Bring a node's results to the executor
description:
  - Runs on the executor. The node is taken for hostile; links, devices, pipes, sockets and names with control
    characters are left there, and nothing is written outside of the target folders.
  - Whatever cannot be fetched is listed in C(problems); it is no failure.
options:
  source: {description: Folder on the node., type: str, required: true}
  logs: {description: Folder on the executor for C(logs)., type: path, required: true}
  artifacts:
    description: Folder on the executor for C(artifacts). Files of several nodes never replace each other.
    type: path
    required: true
  docs: {description: The same for C(docs)., type: path, required: true}
  node: {description: The node's name in the inventory., type: str, required: true}
  timeout: {description: Seconds it may take., type: int, default: 300}
  max_bytes: {description: Bytes that the node may send., type: int, default: 4294967296}
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
- name: Fetch results
  delegate_to: localhost
  fetch_output:
    source: /home/zuul/zuul-output
    logs: "{{ zuul.executor.log_root }}"
    artifacts: "{{ zuul.executor.work_root }}/artifacts"
    docs: "{{ zuul.executor.work_root }}/docs"
    node: "{{ inventory_hostname }}"
    host: "{{ ansible_host }}"
'''
RETURN = r'''
files: {description: Number of files that arrived., type: int, returned: always}
bytes: {description: Their size., type: int, returned: always}
problems: {description: What did not arrive and why., type: list, elements: str, returned: always}
ansible_facts:
  description: The same problems as C(fetch_output_problems), for what lists those of all roles.
  type: dict
  returned: always
'''

import inspect
import json
import os
import signal
from typing import IO, Any, Dict, Iterator, List

from ansible.module_utils import fetch_output_agent as agent
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.fetch_output_ssh import SPEC, NodeError, Session, ssh_command
from ansible.module_utils.fetch_output_store import Store, Unsafe

PARTS = ('logs', 'artifacts', 'docs')
# What Zuul writes while the job runs, where the logs of a job with one node go.
ZUULS = ('job-output.txt', 'job-output.json')
_CHUNK = 1 << 20
_HEADER = 1 << 16


class TooLate(Exception):
    """The time is over."""


class TooMuch(Exception):
    """The node sends more than it may."""


def read_header(stream: IO[bytes]) -> Dict[str, Any]:
    """Return the next header of the node.

    :raises NodeError: it is none.
    """
    line = stream.readline(_HEADER)
    try:
        header = json.loads(line)
        if header.get('end') or (
                header['part'] in PARTS and isinstance(header['path'], str) and isinstance(header['mode'], int)
                and isinstance(header['mtime'], (int, float)) and isinstance(header['folder'], bool)):
            return dict(header)
    except (ValueError, KeyError, AttributeError, TypeError):
        pass
    raise NodeError('it stopped sending' if not line else 'it sent something else than files')


def read_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of one file.

    :raises NodeError: the stream is not as agreed, or ends.
    """
    while True:
        line = stream.readline(_HEADER)
        size = int(line) if line.strip().isdigit() else -1
        if size == 0:
            return
        if not 0 < size <= _CHUNK:
            raise NodeError('it stopped sending' if not line else 'it sent something else than files')
        data = stream.read(size)
        if len(data) < size:
            raise NodeError('it stopped sending')
        yield data


def receive(stream: IO[bytes], stores: Dict[str, Store], result: Dict[str, Any], max_bytes: int) -> None:
    """Lay down everything that the node sends, and count it in *result*.

    :raises NodeError: the stream is not as agreed, or ends.
    :raises TooMuch: it brings more than *max_bytes*; what was whole before is laid down.
    """
    problems: List[str] = result['problems']
    room = max_bytes
    while True:
        header = read_header(stream)
        if header.get('end'):
            problems += [str(line) for line in header.get('problems') or []]
            return
        store, path = stores[header['part']], header['path']
        name = '%s/%s' % (header['part'], path)
        try:
            if header['folder']:
                store.folder(path)
                continue
            sizes: List[int] = []
            chunks = _measured(read_chunks(stream), sizes, room)
            try:
                placed = store.file(path, chunks, header['mode'], header['mtime'])
            finally:
                room -= sum(sizes)
            result['files'] += 1
            result['bytes'] += sum(sizes)
            if placed != path:
                problems.append('%s: another node has a different one, this is %s/%s' % (name, header['part'], placed))
        except Unsafe as error:
            problems.append('%s: %s, left out' % (name, error))


def _measured(chunks: Iterator[bytes], sizes: List[int], room: int) -> Iterator[bytes]:
    for data in chunks:
        sizes.append(len(data))
        room -= len(data)
        if room < 0:
            raise TooMuch
        yield data


def fetch(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result. What goes wrong is in ``problems``."""
    result: Dict[str, Any] = {'files': 0, 'bytes': 0, 'problems': []}
    stores: Dict[str, Store] = {}
    try:
        session = Session(ssh_command(params), inspect.getsource(agent))
        session.write(agent.dump({'root': params['source'], 'parts': PARTS}))
        session.greet()
        # Folders that are made only now: no empty ones when the node cannot be reached.
        written = [name for name in ZUULS if os.path.exists(os.path.join(params['logs'], name))]
        stores.update(logs=Store(params['logs'], reserved=written),
                      artifacts=Store(params['artifacts'], params['node']),
                      docs=Store(params['docs'], params['node']))
        try:
            receive(session.reader, stores, result, params['max_bytes'])
        except NodeError as error:
            session.fail(str(error))
        session.close()
    except (NodeError, OSError) as error:
        result['problems'].append('the node %s: %s' % (params['node'], error))
    except TooLate:
        result['problems'].append('the node %s: not done after %d seconds (fetch_output_timeout); what arrived is kept'
                                  % (params['node'], params['timeout']))
    except TooMuch:
        result['problems'].append('the node %s: it sent more than %d bytes (fetch_output_max_bytes); what came before '
                                  'is kept' % (params['node'], params['max_bytes']))
    result['changed'] = any(store.changed for store in stores.values())
    for store in stores.values():
        store.close()
    # Names come from the node, and go to terminals and pages.
    result['problems'] = [printable(line) for line in result['problems']]
    return result


def printable(text: str) -> str:
    """Return *text* with everything escaped that is not a character one can see."""
    return ''.join(char if char.isprintable() else char.encode('unicode_escape').decode('ascii') for char in text)


def _ring(*_: Any) -> None:
    raise TooLate


def main() -> None:
    """Run as a module."""
    path = {'type': 'path', 'required': True}
    module = AnsibleModule(argument_spec=dict(
        SPEC, source={'type': 'str', 'required': True}, logs=path, artifacts=path, docs=path,
        node={'type': 'str', 'required': True}, timeout={'type': 'int', 'default': 300},
        max_bytes={'type': 'int', 'default': 4294967296}))
    signal.signal(signal.SIGALRM, _ring)
    signal.alarm(max(1, module.params['timeout']))
    result = fetch(module.params)
    signal.alarm(0)
    module.exit_json(ansible_facts={'fetch_output_problems': result['problems']}, **result)


if __name__ == '__main__':
    main()
