#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Keep the logs of all containers of a node."""
from __future__ import annotations

DOCUMENTATION = r'''
module: collect_container_logs
short_description: Keep the logs of all containers
description:
  - Asks docker or podman for all containers, those that have ended too, and writes what each has said to a file of its
    name. Where the user may not ask, it is done through C(sudo); of podman, root's containers go to a folder C(root).
  - No such command is no problem. What cannot be had is listed in C(problems); it is no failure.
options:
  command: {description: Name or path of docker or podman., type: str, required: true}
  dest: {description: The target folder., type: str, required: true}
  timeout: {description: Seconds it may take., type: int, default: 60}
  max_bytes: {description: Bytes of each log. The end is kept., type: int, default: 134217728}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Keep the logs of all containers
  collect_container_logs:
    command: podman
    dest: /home/zuul/zuul-output/logs/podman
'''
RETURN = r'''
files: {description: Names of the files in the target folder., type: list, elements: str, returned: always}
problems: {description: What could not be had and why., type: list, elements: str, returned: always}
ansible_facts:
  description: C(collect_container_logs_problems), the same as C(problems).
  type: dict
  returned: always
'''

import os
import re
import shutil
import time
from typing import Any, Dict, List, Mapping, NamedTuple

from ansible.module_utils import collect_container_logs_stream as stream
from ansible.module_utils.basic import AnsibleModule

# What root's podman leaves; without it, asking as root would only make it.
ROOTS_PODMAN = ('/var/lib/containers', '/run/containers')
_LIST_BYTES = 1 << 22


class Refused(Exception):
    """The command does not say which containers there are. The message has what it says."""


class Asked(NamedTuple):
    """Whose containers are asked for: as root or not, and the folder for their logs below the target."""

    as_root: bool
    folder: str


def names_of(listing: str) -> Dict[str, str]:
    """Return id -> file name, each name once, from lines of ``<id> <name>[,<name>…]``."""
    files: Dict[str, str] = {}
    for line in listing.splitlines():
        found = re.match(r'([0-9a-f]{12,64})(?: |\Z)([^,]*)', line)
        if not found:
            continue
        name = re.sub(r'[^\w.+@-]', '_', found[2].strip(), flags=re.ASCII)[:150]
        name = re.sub(r'^[.-]', '_', name) or found[1][:12]
        if name in files.values():
            name += '-' + found[1][:12]
        files[found[1]] = name
    return {identity: name + '.txt' for identity, name in files.items()}


class Collector:
    """One call of the module."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._until = time.monotonic() + max(1, params['timeout'])
        self._command: str = params['command']
        self._is_podman = os.path.basename(self._command) == 'podman'
        self._dest = os.path.abspath(os.path.expanduser(params['dest']))
        self.changed = False
        self.files: List[str] = []
        self.problems: List[str] = []

    def _left(self) -> float:
        return max(0.5, self._until - time.monotonic())

    def run(self) -> None:
        """Collect everything. What goes wrong is in :attr:`problems`.

        docker has one service for all; podman has containers of the user's and of root's.
        """
        if not shutil.which(self._command):
            return
        user = Asked(os.geteuid() == 0, '')
        refusals = [self._all(user)]
        both = self._is_podman and any(os.path.isdir(path) for path in ROOTS_PODMAN)
        if not user.as_root and (both or refusals[0]) and stream.may_be_root():
            again = self._all(Asked(True, 'root' if both else ''))
            refusals = [*refusals, again] if both else [again]
        self.problems += filter(None, refusals)

    def _all(self, asked: Asked) -> str:
        """Collect the logs of one's containers. Return why that cannot be, '' when it can."""
        try:
            containers = self._containers(asked)
        except (Refused, TimeoutError, OSError) as error:
            return '%s: the containers of %s are not known: %s' % (
                self._command, 'root' if asked.as_root else 'the user', str(error) or 'no answer')
        for number, (identity, name) in enumerate(containers.items()):
            # A fair share, so that one that hangs takes nothing from the others.
            self._log(asked, identity, name, self._left() / (len(containers) - number))
        return ''

    def _argv(self, asked: Asked, seconds: float, *args: str) -> List[str]:
        argv = [shutil.which(self._command) or self._command, *args]
        return stream.as_root(argv, seconds) if asked.as_root else argv

    def _containers(self, asked: Asked) -> Dict[str, str]:
        """Return id -> file name.

        :raises Refused: the command fails.
        :raises TimeoutError: it does not answer; the rest of the time is not spent on it.
        """
        listing = bytearray()

        def take(data: bytes) -> None:
            listing.extend(data)
            if len(listing) > _LIST_BYTES:
                raise Refused('its list is longer than %d bytes' % _LIST_BYTES)

        seconds = self._left() / 2
        argv = self._argv(asked, seconds, 'ps', '--all', '--no-trunc', '--format', '{{.ID}} {{.Names}}')
        code, said = stream.follow(argv, seconds, take)
        if code:
            raise Refused('exit code %d: %s' % (code, said))
        return names_of(listing.decode('utf-8', 'replace'))

    def _log(self, asked: Asked, identity: str, name: str, seconds: float) -> None:
        folder = os.path.join(self._dest, asked.folder) if asked.folder else self._dest
        path = os.path.join(asked.folder, name)
        tail = None
        try:
            stream.make_folder(folder)
            tail = stream.Tail(folder, self._params['max_bytes'])
            try:
                argv = self._argv(asked, seconds, 'logs', identity)
                code, _ = stream.follow(argv, seconds, tail.write, together=True)
                if code:
                    self.problems.append('%s: %s logs: exit code %d' % (path, self._command, code))
            except TimeoutError:
                self.problems.append('%s: not done after %.1f of %d seconds (collect_container_logs_timeout); what was '
                                     'read until then is kept' % (path, seconds, self._params['timeout']))
            if tail.lost:
                self.problems.append('%s: longer than %d bytes (collect_container_logs_max_bytes); %d bytes at its '
                                     'beginning are left out' % (path, self._params['max_bytes'], tail.lost))
            self.changed = tail.keep(name) or self.changed
            self.files.append(path)
        except OSError as error:
            self.problems.append('%s: %s' % (path, error))
        finally:
            if tail is not None:
                tail.close()


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'command': {'type': 'str', 'required': True},
        'dest': {'type': 'str', 'required': True},
        'timeout': {'type': 'int', 'default': 60},
        'max_bytes': {'type': 'int', 'default': 134217728},
    })
    work = Collector(module.params)
    try:
        work.run()
    except OSError as error:
        work.problems.append('%s: %s' % (module.params['command'], error))
    problems = [stream.printable(line) for line in work.problems]
    module.exit_json(changed=work.changed, files=work.files, problems=problems,
                     ansible_facts={'collect_container_logs_problems': problems})


if __name__ == '__main__':
    main()
