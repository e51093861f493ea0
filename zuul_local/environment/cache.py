"""Environments in the cache: a folder each, named ``[FAMILY-]<16 hex digits of what it is made of>``.

Scripts carry the absolute path of their environment, so it is built in place. The mark READY comes last: a folder
without it is rubbish.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEPT = 3
NAME = re.compile(r'(?P<family>(?:[a-z0-9-]+-)?)[0-9a-f]{16}')


def say(line: str) -> None:
    """Print a line for the person in front of it. stdout belongs to the verb."""
    print(f'zuul-local: {line}', file=sys.stderr, flush=True)


@contextmanager
def step(name: str, size: str, expected: str) -> Iterator[None]:
    """Announce a step with its size and the time it takes, and tell the seconds that it took."""
    say(f'{name} ({size}, about {expected}) …')
    start = time.monotonic()
    yield
    say(f'{name}: {time.monotonic() - start:.1f} s')


def is_complete(folder: Path, program: str) -> bool:
    """Return whether an environment was finished, and the Python that *program* in it leads to is still there."""
    return (folder / 'READY').exists() and os.access(folder / program, os.X_OK)


@contextmanager
def alone(folder: Path) -> Iterator[int]:
    """Hold the lock of the environment *folder*, after waiting for another process that has it.

    Yields the file descriptor of the lock. An installer that inherits it goes on holding the lock when we are killed,
    so that nobody builds in the same place while it still writes.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f'{folder.name}.lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f'another zuul-local is preparing {folder}; waiting for it')
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def surplus(used: dict[str, float], newest: str, kept: int = KEPT) -> list[str]:
    """Return which environments of the family of *newest* to remove, given when each was used last."""
    family = _family(newest)
    others = [name for name in used if name != newest and family is not None and _family(name) == family]
    return sorted(others, key=lambda name: used[name], reverse=True)[kept - 1:]


def _family(name: str) -> str | None:
    found = NAME.fullmatch(name)
    return found['family'] if found else None


def prune(newest: Path) -> None:
    """Remove environments of the same family beyond the :data:`KEPT` used last, but none that is just being made."""
    used = {}
    for path in newest.parent.iterdir():
        if path.is_dir():
            mark = path / 'used'
            used[path.name] = mark.stat().st_mtime if mark.exists() else 0.0
    for name in surplus(used, newest.name):
        with newest.with_name(f'{name}.lock').open('w') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            say(f'removing the environment {name}, not used for long')
            shutil.rmtree(newest.with_name(name), ignore_errors=True)
