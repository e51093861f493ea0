"""The one door to other programs."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

TAIL_LINES = 40


class ProcessError(Exception):
    """A program failed or did not end in time.

    :param argv: what was run.
    :param code: its exit code; None when it ran out of time or could not be started.
    :param stdout: what it printed.
    :param stderr: what it complained about.
    """

    def __init__(self, argv: Sequence[str], code: int | None, stdout: str, stderr: str) -> None:
        self.argv = tuple(argv)
        self.code = code
        self.stdout = stdout
        self.stderr = stderr
        ended = 'did not run to its end' if code is None else f'exit code {code}'
        said = '\n'.join(part for part in (_tail(stdout), _tail(stderr)) if part)
        super().__init__(f'{shlex.join(self.argv)}: {ended}' + (f'\n{said}' if said else ''))


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    stdin: str | bytes | None = None,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = 600,
    check: bool = True,
    pass_fds: Sequence[int] = (),
    encoding_errors: str = 'replace',
) -> subprocess.CompletedProcess[str]:
    """Run *argv* to its end and return its result with text output.

    The program gets a session of its own, so that a Ctrl-C in the terminal does not hit it half way.

    :param stdin: text or bytes that it reads; nothing when None.
    :param env: the whole environment, or None for this process's own.
    :param timeout: seconds.
    :param pass_fds: file descriptors that it inherits, for example a lock that must outlive us with it.
    :param encoding_errors: what to make of output that is not UTF-8; 'surrogateescape' keeps file names whole.
    :raises ProcessError: it could not be started, ran out of time, or (with *check*) failed.
    """
    words = [os.fspath(word) for word in argv]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    source: dict[str, object] = {'stdin': subprocess.DEVNULL} if data is None else {'input': data}
    try:
        done = subprocess.run(  # type: ignore[call-overload]
            words, cwd=cwd, env=env, timeout=timeout, check=False,
            capture_output=True, start_new_session=True, pass_fds=pass_fds, **source)
    except FileNotFoundError as error:
        raise ProcessError(words, None, '', str(error)) from error
    except subprocess.TimeoutExpired as error:
        said = f'{_text(error.stderr)}\nout of time after {timeout} s'
        raise ProcessError(words, None, _text(error.stdout), said) from error
    stdout = _text(done.stdout, encoding_errors)
    result = subprocess.CompletedProcess(words, done.returncode, stdout, _text(done.stderr))
    if check and done.returncode:
        raise ProcessError(words, done.returncode, result.stdout, result.stderr)
    return result


def start(
    argv: Sequence[str | os.PathLike[str]], *, stdout: Path, stderr: Path, cwd: str | Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start *argv* with its output going to files, and return at once.

    It gets a session of its own, so that a Ctrl-C in the terminal is for the caller to hand on.

    :raises ProcessError: it could not be started.
    """
    words = [os.fspath(word) for word in argv]
    try:
        with stdout.open('wb') as out, stderr.open('wb') as aside:
            return subprocess.Popen(words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=aside,
                                    start_new_session=True)
    except FileNotFoundError as error:
        raise ProcessError(words, None, '', str(error)) from error


def show(
    argv: Sequence[str | os.PathLike[str]], *, cwd: str | Path | None = None, env: Mapping[str, str] | None = None,
) -> int:
    """Run *argv* to its end with its output going where ours goes, and return its exit code.

    It stays in our session: a Ctrl-C in the terminal reaches it; what terminates us alone is passed on. Then it is
    waited for.

    :raises ProcessError: it could not be started.
    """
    words = [os.fspath(word) for word in argv]
    try:
        child = subprocess.Popen(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise ProcessError(words, None, '', str(error)) from error
    try:
        return child.wait()
    except Terminated:
        child.terminate()
        child.wait()
        raise
    except KeyboardInterrupt:
        child.wait()
        raise


class Terminated(KeyboardInterrupt):
    """A signal interrupted this process that no program beside it got."""


def heed_termination() -> None:
    """Let SIGTERM and SIGHUP interrupt this process."""
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Terminated

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _text(data: bytes | None, errors: str = 'replace') -> str:
    return (data or b'').decode('utf-8', errors)


def _tail(text: str) -> str:
    return '\n'.join(text.strip().splitlines()[-TAIL_LINES:])
