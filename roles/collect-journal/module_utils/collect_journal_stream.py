# SPDX-License-Identifier: Apache-2.0
"""What a program says goes to a file: within a time, and no more of it than the end.

The roles collect-journal and collect-container-logs each carry this file, because a role has to work when it is copied
alone; a unit test keeps the two the same.
"""
from __future__ import annotations

import contextlib
import filecmp
import gzip
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from typing import IO, Any, Callable, List, Mapping, Optional, Sequence, Tuple

# So that programs say what is meant for programs.
PLAIN = {'LC_ALL': 'C', 'SYSTEMD_COLORS': '0', 'SYSTEMD_LOG_COLOR': '0', 'SYSTEMD_PAGER': '', 'TERM': 'dumb'}
_CHUNK = 1 << 18


def printable(text: str) -> str:
    """Return *text* with everything escaped that is not a character one can see."""
    return ''.join(char if char.isprintable() else char.encode('unicode_escape').decode('ascii') for char in text)


def as_root(argv: Sequence[str], seconds: float) -> List[str]:
    """Return *argv* as root's, ended by root a moment after its time: we may not."""
    if os.geteuid() == 0:
        return list(argv)
    plain = ('%s=%s' % pair for pair in PLAIN.items())    # sudo takes the environment away
    return ['sudo', '-n', '--', 'env', *plain, 'timeout', '-s', 'KILL', str(int(seconds) + 1), *argv]


def may_be_root() -> bool:
    """Whether this is root, or sudo works without a password and within seconds."""
    try:
        return os.geteuid() == 0 or follow(['sudo', '-n', 'true'], 10, lambda _: None)[0] == 0
    except OSError:
        return False


def follow(argv: Sequence[str], seconds: float, sink: Callable[[bytes], Any],
           together: bool = False) -> Tuple[int, str]:
    """Hand on what a program writes until it ends. Return its exit code and the end of what it said on stderr.

    :param together: whether stderr goes where stdout goes.
    :raises TimeoutError: it did not end in time.
    :raises OSError: it cannot be started.
    """
    until = time.monotonic() + seconds
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT if together else said, env=environment(os.environ),
                                   start_new_session=True)
        assert process.stdout is not None
        try:
            while True:
                ready, _, _ = select.select([process.stdout], [], [], max(0, until - time.monotonic()))
                if not ready:
                    raise TimeoutError
                data = os.read(process.stdout.fileno(), _CHUNK)
                if not data:
                    break
                sink(data)
                if time.monotonic() > until:
                    raise TimeoutError
            code = process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            process.stdout.close()
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):    # root's are not ours to end
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(1)
        said.seek(max(0, said.seek(0, os.SEEK_END) - 500))
        return code, said.read().decode('utf-8', 'replace').strip()


def environment(given: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment of a program whose output is read."""
    return dict(given, PATH=given.get('PATH', os.defpath), **PLAIN)


class Tail:
    """The end of what is written: all of it up to *limit* bytes, else at least half as many.

    :ivar lost: bytes that are not kept.
    """

    def __init__(self, folder: str, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._folder = folder
        self._old: Optional[IO[bytes]] = None
        self._new: IO[bytes] = self._file()
        self.lost = 0

    def _file(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._folder)

    def write(self, data: bytes) -> None:
        """Add *data*."""
        for begin in range(0, len(data), self._half):
            piece = data[begin:begin + self._half]
            if self._new.tell() + len(piece) > self._half:
                if self._old is not None:
                    self.lost += self._old.seek(0, os.SEEK_END)
                    self._old.close()
                self._old, self._new = self._new, self._file()
            self._new.write(piece)

    def __len__(self) -> int:
        return (self._old.seek(0, os.SEEK_END) if self._old else 0) + self._new.tell()

    def keep(self, name: str, packed: bool = False) -> bool:
        """Make a file *name* of it in the folder. Return False when the very same is there."""
        handle, path = tempfile.mkstemp(prefix='.collect-', dir=self._folder)
        try:
            with open(handle, 'wb') as raw, (gzip.GzipFile('', 'wb', 6, raw, 0) if packed else raw) as file:
                if self.lost:
                    file.write(b'[the %d bytes before this are left out]\n' % self.lost)
                for part in (self._old, self._new):
                    if part is not None:
                        part.seek(0)
                        shutil.copyfileobj(part, file, _CHUNK)
            target = os.path.join(self._folder, name)
            if not os.path.islink(target) and os.path.isfile(target) and filecmp.cmp(path, target, shallow=False):
                return False
            os.chmod(path, 0o644)
            os.replace(path, target)
            return True
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def close(self) -> None:
        """Drop what is not kept."""
        for part in (self._old, self._new):
            if part is not None:
                part.close()


def make_folder(path: str) -> None:
    """Make a folder and those above it; what root makes belongs to the owner of the one above.

    :raises OSError: it cannot be, or is a link.
    """
    if os.path.islink(path):
        raise OSError('%s is a link' % path)
    if not os.path.isdir(path):
        above = os.path.dirname(path)
        if not os.path.isdir(above):
            make_folder(above)
        os.mkdir(path, 0o755)
        if os.geteuid() == 0:
            owner = os.stat(above)
            os.chown(path, owner.st_uid, owner.st_gid)
