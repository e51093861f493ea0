"""Programs of the stack: children of this process, each with a folder of its own below one work folder."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zuul_local.nodes.keeper import MARK
from zuul_local.process import TAIL_LINES

LOG = 'log'
POLL = 0.1              # seconds between two questions whether a service is ready


class Trouble(Exception):
    """The stack, or a part of it, did not come up; the message ends with what that part said last."""


@dataclass(frozen=True)
class Work:
    """Where the stack lives.

    :param folder: the work folder; its path is short, for sockets are made in it.
    :param run_id: marks every process of the stack, so that none outlives it.
    """

    folder: Path
    run_id: str

    def place(self, *names: str) -> Path:
        """Return a folder below the work folder, made when it is not there."""
        path = self.folder.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def environment(self) -> dict[str, str]:
        """Return the variables of all programs: nothing of this user's settings, and a home of their own."""
        return {'HOME': str(self.place('home')), 'LANG': 'C.UTF-8', 'PATH': os.environ.get('PATH', os.defpath),
                MARK: self.run_id}


class Service:
    """A program that runs until it is stopped.

    :param stop_signal: what tells it to end.
    """

    def __init__(self, work: Work, name: str, argv: Sequence[str | os.PathLike[str]], *,
                 env: Mapping[str, str] | None = None, stop_signal: signal.Signals = signal.SIGTERM) -> None:
        self.name = name
        self.folder = work.place(name)
        self.log = self.folder / LOG
        self.stop_signal = stop_signal
        with self.log.open('wb') as log:
            self.process = subprocess.Popen(
                [os.fspath(word) for word in argv], cwd=self.folder, env={**work.environment(), **(env or {})},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def last_words(self) -> str:
        """Return the end of what it printed."""
        return '\n'.join(self.log.read_text(encoding='utf-8', errors='replace').splitlines()[-TAIL_LINES:])

    def ask_to_stop(self) -> None:
        """Tell it to end, and return at once."""
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)

    def stop(self, seconds: float = 20) -> bool:
        """End it with all that it started; return whether it ended by itself in so many *seconds*."""
        self.ask_to_stop()
        try:
            self.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def wait_until(ready: Callable[[], Any], seconds: float, services: Sequence[Service]) -> None:
    """Wait until *ready* says so, as long as all *services* run; an OSError of it is a no.

    :raises Trouble: one of the services ended, or *seconds* were not enough.
    """
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if ready():
                return
        for service in services:
            if service.process.poll() is not None:
                raise Trouble(f'{service.name} ended with {service.process.returncode}:\n{service.last_words()}')
        if time.monotonic() > end:
            said = '\n'.join(f'{service.name} said last:\n{service.last_words()}' for service in services)
            raise Trouble(f'Not ready after {seconds:g} s. {said}')
        time.sleep(POLL)


def free_ports(number: int) -> tuple[int, ...]:
    """Return ports of the loopback address that nobody uses now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(('127.0.0.1', 0))
        return tuple(one.getsockname()[1] for one in sockets)


@contextlib.contextmanager
def stopped_after(service: Service) -> Iterator[Service]:
    """Stop *service* when the body is left."""
    try:
        yield service
    finally:
        service.stop()
