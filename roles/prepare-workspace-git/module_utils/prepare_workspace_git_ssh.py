# SPDX-License-Identifier: Apache-2.0
"""One ssh session to a node, with a Python program at its other end.

The roles prepare-workspace-git and fetch-output each carry this file, because a role has to work when it is copied
alone; a unit test keeps the two the same.
"""
from __future__ import annotations

import hashlib
import os
import resource
import shlex
import subprocess
import tempfile
import time
from typing import IO, Any, Dict, Tuple

# The first line that the program at the other end prints. What a login script says before it is skipped.
READY = b'zuul-stdlib agent ready\n'
_GREETING_LINES, _GREETING_BYTES = 1000, 1 << 16
_STDERR_BYTES = 4000
# What the node may fill of our disk with complaints. ssh itself writes no files.
_STDERR_MOST = 16 << 20
# What ssh itself exits with, and how long is waited each time before it is called again, in seconds.
_SSH_FAILED, _WAITS = 255, (1, 2)
_CONNECT_SECONDS = 30
_LOADER = ('import sys; i = sys.stdin.buffer; '
           'exec(compile(i.read(int(i.readline())), "agent", "exec"))')

SPEC: Dict[str, Dict[str, Any]] = {
    'host': {'type': 'str', 'required': True},
    'port': {'type': 'str', 'default': ''},
    'user': {'type': 'str', 'default': ''},
    'python': {'type': 'str', 'default': 'python3'},
    'ssh_executable': {'type': 'str', 'default': 'ssh'},
    'ssh_args': {'type': 'str', 'default': ''},
    'control_dir': {'type': 'str', 'default': ''},
    'private_key_file': {'type': 'str', 'default': ''},
}


class NodeError(Exception):
    """The node could not be reached, or its end of the session failed."""


class NotReached(NodeError):
    """ssh had no connection to the node, so nothing ran there."""


def control_path(directory: str, host: str, port: str, user: str) -> str:
    """Return the path of the control socket that Ansible's own connection to the node has."""
    name = '%s-%s-%s' % (host, port or None, user or None)
    return os.path.join(directory, hashlib.sha1(name.encode()).hexdigest()[:10])


def ssh_command(node: Dict[str, Any]) -> Tuple[str, ...]:
    """Return the argv of a session; *node* has the keys of ``SPEC``.

    Ansible's connection is used when it is there, and never started: a master that we started would hold our pipes.

    :raises NodeError: a quote in the arguments of ssh is left open.
    """
    try:
        words = shlex.split(node['ssh_args'])
    except ValueError as error:
        raise NodeError("the arguments of ssh are '%s': %s. Look at ansible_ssh_common_args and ansible_ssh_extra_args."
                        % (node['ssh_args'].strip(), error)) from error
    argv = [node['ssh_executable'], *words, '-o', 'ControlMaster=no', '-o', 'BatchMode=yes',
            '-o', 'ConnectTimeout=%d' % _CONNECT_SECONDS]
    if node['control_dir']:
        path = control_path(node['control_dir'], node['host'], node['port'], node['user'])
        argv[1:1] = ['-o', 'ControlPath=' + path.replace('%', '%%'), '-o', 'ControlMaster=no']
    for option, value in (('-p', node['port']), ('-l', node['user']), ('-i', node['private_key_file'])):
        if value:
            argv += [option, value]
    remote = 'exec %s -c %s' % (shlex.quote(node['python']), shlex.quote(_LOADER))
    return (*argv, '--', node['host'], remote)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (_STDERR_MOST, _STDERR_MOST))


class Session:
    """A running program on the node. ``write`` goes to its stdin, ``reader`` comes from its stdout.

    :param argv: see :func:`ssh_command`.
    """

    def __init__(self, argv: Tuple[str, ...]) -> None:
        self._greeted = False
        # A file and not a pipe: an ssh master in the background may hold it open for minutes.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr,
                env=dict(os.environ, LC_ALL='C'), preexec_fn=_limit)
        except OSError as error:
            self._stderr.close()
            raise NodeError('cannot start %s: %s' % (argv[0], error)) from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self.reader: IO[bytes] = self._process.stdout

    def start(self, program: str) -> None:
        """Send the *program*, source code that prints ``READY`` first.

        :raises NodeError: the other end is gone.
        """
        source = program.encode()
        self.write(b'%d\n%s' % (len(source), source))

    def write(self, data: bytes) -> None:
        """Send *data*; it leaves with the next :meth:`flush` at the latest.

        :raises NodeError: the other end is gone.
        """
        try:
            self._stdin.write(data)
        except OSError:
            self.fail(self._lost())

    def flush(self) -> None:
        """Send what was written.

        :raises NodeError: the other end is gone.
        """
        try:
            self._stdin.flush()
        except OSError:
            self.fail(self._lost())

    def greet(self) -> None:
        """Wait until the program runs.

        :raises NodeError: it does not.
        """
        self.flush()
        for _ in range(_GREETING_LINES):
            line = self.reader.readline(_GREETING_BYTES)
            if line.endswith(READY):  # what was said last may have had no newline
                self._greeted = True
                return
            if not line:
                break
        self.fail(self._lost())

    def _lost(self) -> str:
        return 'the connection was lost' if self._greeted else 'no Python program could be started on it'

    def fail(self, what: str) -> None:
        """End the session.

        :raises NotReached: ssh failed before the program ran.
        :raises NodeError: otherwise always. Both with *what* and the end of what ssh and the program said.
        """
        code = self._end()
        kind = NodeError if self._greeted or code != _SSH_FAILED else NotReached
        self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - _STDERR_BYTES))
        said = self._stderr.read().decode('utf-8', 'replace').strip()
        self._stderr.close()
        raise kind('%s (exit code %s)%s' % (what, code, ': ' + said if said else ''))

    def close(self) -> int:
        """End the session, after 10 s by force, if it has not ended. Return the exit code of ssh."""
        code = self._end()
        self._stderr.close()
        return code

    def _end(self) -> int:
        for pipe in (self._stdin, self.reader):
            try:
                pipe.close()
            except OSError:
                pass
        try:
            return self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def connect(node: Dict[str, Any], program: str, request: bytes) -> Session:
    """Start *program* on *node* and send it *request*; return the session when it runs.

    A server that is busy refuses connections for a moment, so ssh is called three times, as Zuul lets Ansible do.

    :param node: has the keys of ``SPEC``.
    :param program: source code that prints ``READY`` first.
    :raises NodeError: it does not run.
    """
    argv, waits = ssh_command(node), list(_WAITS)
    while True:
        session = Session(argv)
        try:
            session.start(program)
            session.write(request)
            session.greet()
            return session
        except BaseException as error:
            session.close()
            if not waits or not isinstance(error, NotReached):
                raise
        time.sleep(waits.pop(0))
