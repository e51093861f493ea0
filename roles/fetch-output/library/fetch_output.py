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
  logs_folder: {description: Name of a folder in it that they go to., type: str, default: ''}
  artifacts:
    description: Folder on the executor for C(artifacts). Files of several nodes never replace each other.
    type: path
    required: true
  docs: {description: The same for C(docs)., type: path, required: true}
  node: {description: The node's name in the inventory., type: str, required: true}
  timeout: {description: Seconds it may take., type: int, default: 300}
  max_bytes: {description: Bytes that the node may send., type: int, default: 4294967296}
  max_file_bytes: {description: Bytes of one file., type: int, default: 1073741824}
  max_files: {description: Files and folders that the node may send., type: int, default: 200000}
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
problems:
  description: What did not arrive and why, the first thousand.
  type: list
  elements: str
  returned: always
memory: {description: The most memory that was used, in bytes., type: int, returned: always}
ansible_facts:
  description: The same problems as C(fetch_output_problems), for what lists those of all roles.
  type: dict
  returned: always
'''

import inspect
import json
import resource
import signal
from typing import IO, Any, Dict, Iterator, List

from ansible.module_utils import fetch_output_agent as agent
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.fetch_output_ssh import SPEC, NodeError, connect
from ansible.module_utils.fetch_output_store import Store, Unsafe

PARTS = ('logs', 'artifacts', 'docs')
# What Zuul writes while the job runs, where the logs of a job with one node go.
ZUULS = ('job-output.txt', 'job-output.json')
_CHUNK = 1 << 20
_HEADER = 1 << 16
_LENGTH = 16
_TOLD, _LINE = 1000, 500


class TooLate(Exception):
    """The time is over."""


class TooMuch(Exception):
    """The node sends more than it may. The message says of what."""


class Problems(List[str]):
    """What went wrong; a node that has a lot to say is cut short."""

    def tell(self, line: str) -> None:
        """Note *line*, as one that can be shown: names come from the node, and go to terminals and pages."""
        if len(self) < _TOLD:
            self.append(printable(line[:_LINE]))
        elif len(self) == _TOLD:
            self.append('and more that is not told')


def read_header(stream: IO[bytes]) -> Dict[str, Any]:
    """Return the next header of the node.

    :raises NodeError: it is none.
    """
    line = stream.readline(_HEADER)
    try:
        header = json.loads(line)
        if header.get('end') or isinstance(header.get('problem'), str) or (
                header['part'] in PARTS and isinstance(header['path'], str) and isinstance(header['mode'], int)
                and isinstance(header['mtime'], (int, float)) and isinstance(header['folder'], bool)):
            return dict(header)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        pass
    raise NodeError('it stopped sending' if not line else 'it sent something else than files')


def read_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of one file.

    :raises NodeError: the stream is not as agreed, or ends.
    """
    while True:
        line = stream.readline(_LENGTH)
        size = int(line) if line.strip().isdigit() else -1
        if size == 0:
            return
        if not 0 < size <= _CHUNK:
            raise NodeError('it stopped sending' if not line else 'it sent something else than files')
        data = stream.read(size)
        if len(data) < size:
            raise NodeError('it stopped sending')
        yield data


def receive(stream: IO[bytes], stores: Dict[str, Store], result: Dict[str, Any], max_files: int, max_bytes: int
            ) -> None:
    """Lay down everything that the node sends, and count it in *result*.

    :raises NodeError: the stream is not as agreed, or ends.
    :raises TooMuch: it brings more than allowed; what was whole before is laid down.
    """
    problems: Problems = result['problems']
    while True:
        header = read_header(stream)
        if header.get('end'):
            return
        if 'problem' in header:
            problems.tell(header['problem'])
            continue
        max_files -= 1
        if max_files < 0:
            raise TooMuch('files (fetch_output_max_files)')
        sizes: List[int] = []
        try:
            _lay_down(stream, stores[header['part']], header, sizes, max_bytes, result)
        except Unsafe as error:
            problems.tell('%s/%s: %s, left out' % (header['part'], header['path'], error))
        max_bytes -= sum(sizes)


def _lay_down(stream: IO[bytes], store: Store, header: Dict[str, Any], sizes: List[int], room: int,
              result: Dict[str, Any]) -> None:
    """Make one folder or file. *sizes* gets how much came."""
    part, path = header['part'], header['path']
    if header['folder']:
        store.folder(path)
        return
    placed = store.file(path, _measured(read_chunks(stream), sizes, room), header['mode'], header['mtime'])
    result['files'] += 1
    result['bytes'] += sum(sizes)
    if placed != path:
        result['problems'].tell('%s/%s: another node has a different one, this is %s/%s' % (part, path, part, placed))


def _measured(chunks: Iterator[bytes], sizes: List[int], room: int) -> Iterator[bytes]:
    for data in chunks:
        sizes[:] = [sum(sizes) + len(data)]
        if sizes[0] > room:
            raise TooMuch('bytes (fetch_output_max_bytes)')
        yield data


def fetch(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result. What goes wrong is in ``problems``."""
    problems = Problems()
    result: Dict[str, Any] = {'files': 0, 'bytes': 0, 'problems': problems}
    stores: Dict[str, Store] = {}
    session = None
    try:
        limits = {name: params[name] for name in ('max_files', 'max_bytes', 'max_file_bytes')}
        request = agent.dump({'root': params['source'], 'parts': PARTS, **limits})
        session = connect(params, inspect.getsource(agent), request)
        # Folders that are made only now: no empty ones when the node cannot be reached.
        stores['logs'] = Store(params['logs'], params['logs_folder'], reserved=() if params['logs_folder'] else ZUULS)
        stores['artifacts'] = Store(params['artifacts'], shared_by=params['node'])
        stores['docs'] = Store(params['docs'], shared_by=params['node'])
        try:
            receive(session.reader, stores, result, params['max_files'], params['max_bytes'])
        except NodeError as error:
            session.fail(str(error))
    except (NodeError, OSError) as error:
        problems.tell('the node %s: %s' % (params['node'], error))
    except TooLate:
        problems.tell('the node %s: not done after %d seconds (fetch_output_timeout); what arrived is kept'
                      % (params['node'], params['timeout']))
    except TooMuch as error:
        problems.tell('the node %s: it sent more than %d %s; what came before is kept' % (
            params['node'], params['max_files' if 'files' in str(error) else 'max_bytes'], error))
    finally:
        signal.alarm(0)
        if session:
            session.close()
        for store in stores.values():
            store.close()
    result['changed'] = any(store.changed for store in stores.values())
    result['memory'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
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
        SPEC, source={'type': 'str', 'required': True}, logs=path, logs_folder={'type': 'str', 'default': ''},
        artifacts=path, docs=path, node={'type': 'str', 'required': True}, timeout={'type': 'int', 'default': 300},
        max_bytes={'type': 'int', 'default': 4294967296}, max_file_bytes={'type': 'int', 'default': 1073741824},
        max_files={'type': 'int', 'default': 200000}))
    signal.signal(signal.SIGALRM, _ring)
    signal.alarm(max(1, module.params['timeout']))
    result = fetch(module.params)
    module.exit_json(ansible_facts={'fetch_output_problems': result['problems']}, **result)


if __name__ == '__main__':
    main()
