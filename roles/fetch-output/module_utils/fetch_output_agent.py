# SPDX-License-Identifier: Apache-2.0
"""The node's end of fetch-output: runs there, knows nothing but Python's standard library.

It walks a tree without following links, also such as are put in the place of folders meanwhile, and sends its folders
and plain files.
"""
from __future__ import annotations

import json
import os
import stat
import sys
from typing import IO, Any, Callable, Dict, Iterator, List, Tuple

READY = b'zuul-stdlib agent ready\n'
_CHUNK = 1 << 18
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_DEEPEST = 500     # each costs an open file
_TOLD, _LONGEST = 1000, 1000

#: path of a folder or file, its status, the descriptor of the folder that it is in
Found = Tuple[str, os.stat_result, int]


def dump(value: Any) -> bytes:
    """Return *value* as one line of JSON. Names that are not UTF-8 survive."""
    return json.dumps(value).encode('ascii') + b'\n'


def walk(root: str, tell: Callable[[str, str], None]) -> Iterator[Found]:
    """Yield all folders and plain files, each folder before what is in it.

    :param tell: gets path and reason for everything else and for what cannot be read.
    """
    stack: List[Tuple[int, str, List[str]]] = []
    _enter(stack, None, root, '', tell)
    try:
        while stack:
            folder, above, names = stack[-1]
            if not names:
                os.close(stack.pop()[0])
                continue
            name = names.pop()
            path = os.path.join(above, name)
            try:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except OSError as error:
                tell(path, error.strerror or str(error))
                continue
            if stat.S_ISREG(status.st_mode):
                yield path, status, folder
            elif not stat.S_ISDIR(status.st_mode):
                tell(path, kind(status.st_mode) + ', left there')
            elif len(stack) > _DEEPEST:
                tell(path, 'too deep, left there')
            elif _enter(stack, folder, name, path, tell):
                yield path, status, folder
    finally:
        for folder, _, _ in stack:
            os.close(folder)


def _enter(stack: List[Tuple[int, str, List[str]]], above: Any, name: str, path: str, tell: Callable[[str, str], None]
           ) -> bool:
    """Put a folder on the stack, last name first. Return whether that went well."""
    try:
        folder = os.open(name, _FOLDER, dir_fd=above)
        stack.append((folder, path, sorted(os.listdir(folder), reverse=True)))
    except OSError as error:
        tell(path, error.strerror or str(error))
        return False
    return True


def kind(mode: int) -> str:
    """Return what a file of this mode is called."""
    names = ((stat.S_ISLNK, 'a link'), (stat.S_ISFIFO, 'a pipe'), (stat.S_ISSOCK, 'a socket'))
    return next((name for test, name in names if test(mode)), 'a device')


def send_file(folder: int, name: str, size: int, out: IO[bytes]) -> str:
    """Send *size* bytes of a file, in chunks, each after its length; a length of 0 ends it. Return what went wrong."""
    problem = ''
    try:
        with open(os.open(name, _FILE, dir_fd=folder), 'rb') as file:
            # A log that is still written grows while it is read: only what was there at first.
            while size > 0:
                data = file.read(min(_CHUNK, size))
                if not data:
                    break
                out.write(b'%d\n' % len(data))
                out.write(data)
                size -= len(data)
    except OSError as error:
        problem = error.strerror or str(error)
    out.write(b'0\n')
    return problem


class Sender:
    """Sends what is asked for.

    :param request: ``root``; ``parts``, the folders below it; ``max_files``, ``max_bytes`` and ``max_file_bytes``: what
        is more is left there, and all that still fits is sent.
    """

    def __init__(self, request: Dict[str, Any], out: IO[bytes]) -> None:
        self._root = os.path.expanduser(request['root'])
        self._out = out
        self._files, self._bytes, self._largest = request['max_files'], request['max_bytes'], request['max_file_bytes']
        self._told = 0

    def send(self, part: str) -> None:
        """Send one of the folders."""
        root = os.path.join(self._root, part)

        def tell(path: str, why: str) -> None:
            self._told += 1
            if self._told <= _TOLD:
                self._out.write(dump({'problem': '/'.join(filter(None, (part, path)))[:_LONGEST] + ': ' + why}))

        if os.path.islink(root):
            tell('', 'a link, left there')
        elif os.path.lexists(root):
            for path, status, folder in walk(root, tell):
                self._send(part, path, status, folder, tell)

    def _send(self, part: str, path: str, status: os.stat_result, folder: int, tell: Callable[[str, str], None]
              ) -> None:
        plain = stat.S_ISREG(status.st_mode)
        size = status.st_size if plain else 0
        if not self._files:
            tell(path, 'one more than there may be files, left there')
        elif size > self._largest:
            tell(path, '%d bytes, larger than a file may be, left there' % size)
        elif size > self._bytes:
            tell(path, '%d bytes, more than may still be sent, left there' % size)
        else:
            self._files -= 1
            self._bytes -= size
            self._out.write(dump({'part': part, 'path': path, 'folder': not plain,
                                  'mode': stat.S_IMODE(status.st_mode), 'mtime': status.st_mtime}))
            problem = send_file(folder, os.path.basename(path), size, self._out) if plain else ''
            if problem:
                tell(path, problem)

    def finish(self) -> None:
        """Say that this was all."""
        if self._told > _TOLD:
            self._out.write(dump({'problem': '%d more' % (self._told - _TOLD)}))
        self._out.write(dump({'end': True}))
        self._out.flush()


def serve(stream: IO[bytes], out: IO[bytes]) -> None:
    """Answer one request, see :class:`Sender`."""
    request: Dict[str, Any] = json.loads(stream.readline())
    sender = Sender(request, out)
    for part in request['parts']:
        sender.send(part)
    sender.finish()


if __name__ == '__main__':
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    serve(sys.stdin.buffer, sys.stdout.buffer)
