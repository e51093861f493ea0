# SPDX-License-Identifier: Apache-2.0
"""Copy, rename and compress what a job leaves, in one pass.

The module runs this as the user, and where that one may not read, once more through sudo as a program of its own; so it
knows nothing but Python's standard library. Folders are entered by descriptor and never through a link.
"""
from __future__ import annotations

import gzip
import json
import os
import signal
import stat
import struct
import sys
import time
from contextlib import contextmanager, suppress
from typing import IO, Any, Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

PARTS = ('logs', 'artifacts', 'docs')
# Names that say that compressing again gains nothing.
PACKED = ('.gz', '.tgz', '.bz2', '.xz', '.zst', '.zip', '.whl', '.png', '.jpg', '.jpeg')
MAX_DEPTH = 256
MAX_PROBLEMS = 200
_NEW = '.stage-output.new'
_CHUNK = 1 << 20
_NAME_BYTES = 255
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_ENTER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY


class TooLate(Exception):
    """The time is over."""


class LeftOut(Exception):
    """Something is not staged. The message says why."""


class Source(NamedTuple):
    """Something that exists and is to be staged: its path, the part that it goes to, and its name there.

    :ivar placed: whether the name was asked for; it may be a path then, and empty for what is in the folder.
    """

    path: str
    part: str
    name: str
    is_file: bool
    placed: bool = False


def printable(text: str) -> str:
    """Return *text* with everything escaped that is not a character one can see."""
    return ''.join(char if char.isprintable() else char.encode('unicode_escape').decode('ascii') for char in text)


def text_name(name: str, extensions: Sequence[str]) -> str:
    """Return the name under which web servers show a file as text: ``x.conf`` is ``x_conf.txt``."""
    root, dot, extension = name.rpartition('.')
    return '%s_%s.txt' % (root, extension) if dot and extension in extensions else name


def settle(names: Mapping[str, bool], extensions: Sequence[str], compress: bool) -> Dict[str, Tuple[str, bool]]:
    """Return name -> (target name, whether it is compressed); no two have the same target.

    :param names: of one folder, each with whether it is a file. One whose new name is another's or too long stays as it
        is.
    """
    taken = set(names)
    targets = {}
    for name, is_file in names.items():
        target = text_name(name, extensions) if is_file else name
        packed = is_file and compress and not target.lower().endswith(PACKED)
        target += '.gz' if packed else ''
        if target != name and (target in taken or len(os.fsencode(target)) > _NAME_BYTES):
            target, packed = name, False
        taken.add(target)
        targets[name] = (target, packed)
    return targets


def visible(path: str) -> str:
    """Return the name that a source gets: web servers do not list what begins with a dot."""
    name = os.path.basename(path)
    return '_' + name if name.startswith('.') else name


def names_of(paths: Sequence[str]) -> Dict[str, str]:
    """Return path -> name, each name once: the first path has its own name, others the whole path in one word."""
    names: Dict[str, str] = {}
    taken = set()
    for path in sorted(paths):
        name = visible(path)
        if name in taken:
            name = path.strip('/').replace('/', '_')
        while name in taken:
            name += '_'
        taken.add(name)
        names[path] = name
    return names


class Stage:
    """One pass over all sources.

    :param request: ``sources`` (path -> part), ``names`` (path -> name below the part, for some), ``stage_dir``,
        ``extensions``, ``compress``, ``max_bytes``, ``seconds``.
    :ivar denied: whether something could not be had because of the user's rights.
    :ivar found: the sources of which at least one file is staged.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._request = request
        self._until = time.monotonic() + request['seconds']
        self._room: int = request['max_bytes']
        self._own: List[Tuple[int, int]] = []
        self.changed = self.denied = False
        self.files = self.bytes = self._more = 0
        self.problems: List[str] = []
        self.missing: List[str] = []
        self.found: List[str] = []
        self._seen = 0

    def result(self) -> Dict[str, Any]:
        """Return what was done."""
        more = ['and %d more' % self._more] if self._more else []
        return {'changed': self.changed, 'files': self.files, 'bytes': self.bytes, 'denied': self.denied,
                'missing': [printable(path) for path in self.missing], 'found': self.found,
                'problems': [printable(line) for line in self.problems + more]}

    def run(self) -> None:
        """Stage everything. What goes wrong is in :attr:`problems`."""
        root = self._request['stage_dir']
        try:
            found = self._found()
            for part in PARTS:
                sources = [source for source in found if source.part == part]
                with self._telling(os.path.join(root, part)):
                    if sources:
                        make_folder(root)
                        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
                        try:
                            with suppress(FileNotFoundError):       # of a run that was killed
                                os.unlink(_NEW, dir_fd=self._root)
                            self._part(part, sources)
                        finally:
                            os.close(self._root)
        except TooLate:
            self._problem('not done after %d seconds (stage_output_timeout); what was staged until then is kept'
                          % self._request['seconds'])

    def _problem(self, line: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(line)
        else:
            self._more += 1

    @contextmanager
    def _telling(self, where: str) -> Iterator[None]:
        """Go on after what cannot be staged."""
        try:
            yield
        except OSError as error:
            self.denied = self.denied or isinstance(error, PermissionError)
            self._problem('%s: %s' % (where, error.strerror or error))
        except LeftOut as error:
            self._problem('%s: %s' % (where, error))

    def _found(self) -> List[Source]:
        """Return the sources that are there. Their names do not depend on what the user may look at."""
        parts: Mapping[str, str] = self._request['sources']
        wanted: Mapping[str, str] = self._request.get('names', {})
        modes: Dict[str, int] = {}
        hidden: List[str] = []
        for path in parts:
            with self._telling(path):
                try:
                    modes[path] = os.stat(path).st_mode
                except (FileNotFoundError, NotADirectoryError):
                    self.missing.append(path)
                except OSError:
                    hidden.append(path)
                    raise
        found = []
        for part in PARTS:
            here = [path for path in [*modes, *hidden] if parts[path] == part]
            names = names_of([path for path in here if path not in wanted])
            names.update((path, wanted[path]) for path in here if path in wanted)
            for path, name in names.items():
                if path in hidden:
                    continue
                with self._telling(path):
                    if not stat.S_ISREG(modes[path]) and not stat.S_ISDIR(modes[path]):
                        raise LeftOut('%s, left out' % kind(modes[path]))
                    found.append(Source(path, part, name, stat.S_ISREG(modes[path]), path in wanted))
                    if path not in wanted and name != visible(path):
                        self._problem('%s: another one has that name, this is %s/%s' % (path, part, name))
        return found

    def _part(self, part: str, sources: Sequence[Source]) -> None:
        folder = self._enter(part, self._root)
        try:
            self._own.append(identity(os.fstat(folder)))
            targets = settle({source.name: source.is_file for source in sources if not source.placed},
                             *self._renaming(part))
            for source in sources:
                seen = self._seen
                with self._telling(source.path):
                    inner = self._way(source.name, folder) if source.placed else os.dup(folder)
                    try:
                        target, packed = ((source.name.rpartition('/')[2], False) if source.placed
                                          else targets[source.name])
                        self._source(source, inner, target, packed)
                    finally:
                        os.close(inner)
                if self._seen > seen:
                    self.found.append(source.path)
        finally:
            os.close(folder)

    def _source(self, source: Source, folder: int, target: str, packed: bool) -> None:
        # Named by the job itself, so a link is followed here and nowhere else.
        handle = os.open(os.path.realpath(source.path), _READ)
        try:
            if source.is_file:
                self._file(handle, folder, target or os.path.basename(source.path), packed)
            else:
                self._folder(handle, folder, target, source.path, source.part)
        finally:
            os.close(handle)

    def _way(self, name: str, above: int) -> int:
        """Return a descriptor of the folder that *name* is to be in, made where it is missing."""
        here = os.dup(above)
        for step in name.split('/')[:-1]:
            try:
                deeper = self._enter(step, here)
            finally:
                os.close(here)
            here = deeper
        return here

    def _renaming(self, part: str) -> Tuple[Sequence[str], bool]:
        """Only logs are renamed and compressed: artifacts and docs have names that others rely on."""
        return (self._request['extensions'], self._request['compress']) if part == 'logs' else ((), False)

    def _enter(self, name: str, folder: int) -> int:
        """Return a descriptor of the folder *name*, made where it is missing, never through a link."""
        try:
            os.mkdir(name, dir_fd=folder)
        except FileExistsError:
            return os.open(name, _ENTER, dir_fd=folder)
        self.changed = True
        handle = os.open(name, _ENTER, dir_fd=folder)
        os.fchmod(handle, 0o755)
        self._hand_over(handle)
        return handle

    def _hand_over(self, handle: int) -> None:
        """As root, give something new to whom the stage folder belongs."""
        if os.geteuid() == 0:
            owner = os.fstat(self._root)
            os.fchown(handle, owner.st_uid, owner.st_gid)

    def _folder(self, source: int, above: int, target: str, where: str, part: str, depth: int = 0) -> None:
        """Stage what is in a folder, as far as it can be had."""
        if identity(os.fstat(source)) in self._own:
            raise LeftOut('what was staged already, left out')
        if depth >= MAX_DEPTH:
            raise LeftOut('more than %d folders deep, left out' % MAX_DEPTH)
        modes = {}
        for name in sorted(os.listdir(source)):
            with self._telling(os.path.join(where, name)):
                modes[name] = os.stat(name, dir_fd=source, follow_symlinks=False).st_mode
        wanted = {name: stat.S_ISREG(mode) for name, mode in modes.items() if stat.S_ISREG(mode) or stat.S_ISDIR(mode)}
        targets = settle(wanted, *self._renaming(part))
        folder = self._enter(target, above) if target else os.dup(above)
        try:
            for name, mode in modes.items():
                path = os.path.join(where, name)
                with self._telling(path):
                    if name not in wanted:
                        raise LeftOut('%s, left out' % kind(mode))
                    handle = os.open(name, _READ if wanted[name] else _ENTER, dir_fd=source)
                    try:
                        if wanted[name]:
                            self._file(handle, folder, *targets[name])
                        else:
                            self._folder(handle, folder, targets[name][0], path, part, depth + 1)
                    finally:
                        os.close(handle)
        finally:
            os.close(folder)

    def _file(self, source: int, folder: int, target: str, packed: bool) -> None:
        """Stage a file whole or not at all."""
        self._in_time()
        status = os.fstat(source)
        if not stat.S_ISREG(status.st_mode):
            raise LeftOut('%s, left out' % kind(status.st_mode))
        if is_copy(folder, target, status, packed):
            self._seen += 1
            return
        if status.st_size > self._room:
            raise LeftOut('%d bytes, left out: more than stage_output_max_bytes leaves room for (%d of %d)' % (
                status.st_size, self._room, self._request['max_bytes']))
        handle = os.open(_NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=self._root)
        try:
            with open(handle, 'wb') as new:
                size = self._fill(source, new, status, packed)
                os.fchmod(handle, 0o755 if status.st_mode & stat.S_IXUSR and not packed else 0o644)
                self._hand_over(handle)
                os.utime(handle, ns=(status.st_mtime_ns, status.st_mtime_ns))
            os.replace(_NEW, target, src_dir_fd=self._root, dst_dir_fd=folder)
        except BaseException:
            os.unlink(_NEW, dir_fd=self._root)
            raise
        self.changed = True
        self._seen += 1
        self.files += 1
        self.bytes += size
        self._room -= size

    def _fill(self, source: int, new: IO[bytes], status: os.stat_result, packed: bool) -> int:
        """Write the content of *source* to *new*. Return its size, which is at most that at the start.

        A log may grow while it is read. The files of /proc have no size, but content.
        """
        left = size = status.st_size or min(_CHUNK, self._room)
        out: IO[bytes] = new
        if packed:
            seconds = min(max(int(status.st_mtime), 0), 0xffffffff)
            out = gzip.GzipFile('', 'wb', 6, new, seconds)  # type: ignore[assignment]
        while left > 0:
            self._in_time()
            data = os.read(source, min(_CHUNK, left))
            if not data:
                break
            out.write(data)
            left -= len(data)
        if packed:
            out.close()
        new.flush()
        return size - left

    def _in_time(self) -> None:
        if time.monotonic() > self._until:
            raise TooLate


def is_copy(folder: int, name: str, source: os.stat_result, packed: bool) -> bool:
    """Whether a file is there already, as far as time and size tell."""
    try:
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(there.st_mode) or there.st_mtime_ns != source.st_mtime_ns:
            return False
        if not packed:
            return there.st_size == source.st_size
        with open(os.open(name, _READ, dir_fd=folder), 'rb') as file:
            file.seek(-4, os.SEEK_END)   # where gzip has the size, modulo 2**32
            return file.read() == struct.pack('<I', source.st_size & 0xffffffff)
    except OSError:
        return False


def make_folder(path: str) -> None:
    """Make a folder and those above it; what root makes belongs to the owner of the one above."""
    if not os.path.isdir(path):
        above = os.path.dirname(path)
        make_folder(above)
        os.mkdir(path, 0o755)
        if os.geteuid() == 0:
            owner = os.stat(above)
            os.chown(path, owner.st_uid, owner.st_gid)


def identity(status: os.stat_result) -> Tuple[int, int]:
    """Return what tells a folder from all others."""
    return status.st_dev, status.st_ino


def kind(mode: int) -> str:
    """Return what a file of this mode is called."""
    names = ((stat.S_ISLNK, 'a link'), (stat.S_ISFIFO, 'a pipe'), (stat.S_ISSOCK, 'a socket'))
    return next((name for test, name in names if test(mode)), 'a device')


def _ring(*_: Any) -> None:
    raise TooLate


def stage(request: Mapping[str, Any]) -> Dict[str, Any]:
    """Do what *request* says (see :class:`Stage`) and return the outcome."""
    signal.signal(signal.SIGALRM, _ring)    # for what hangs in one call
    signal.alarm(int(request['seconds']) + 1)
    work = Stage(request)
    work.run()
    signal.alarm(0)
    return work.result()


if __name__ == '__main__':
    sys.stdout.write(json.dumps(stage(json.loads(sys.stdin.readline()))))
