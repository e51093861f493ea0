# SPDX-License-Identifier: Apache-2.0
"""The node's end of fetch-output: runs there, knows nothing but Python's standard library.

It walks a tree without following links and sends its folders and plain files.
"""
from __future__ import annotations

import json
import os
import stat
import sys
from typing import IO, Any, Dict, Iterator, List, Sequence, Tuple

READY = b'zuul-stdlib agent ready\n'
_CHUNK = 1 << 18


def dump(value: Any) -> bytes:
    """Return *value* as one line of JSON. Names that are not UTF-8 survive."""
    return json.dumps(value).encode('ascii') + b'\n'


def walk(root: str, problems: List[str]) -> Iterator[Tuple[str, os.stat_result]]:
    """Yield (path below *root*, status) of all folders and plain files, each folder before what is in it.

    :param problems: gets a line for everything else and for what cannot be read.
    """
    waiting = ['']
    while waiting:
        folder = waiting.pop()
        try:
            names = sorted(os.listdir(os.path.join(root, folder)))
        except OSError as error:
            problems.append('%s: %s' % (folder or '.', error.strerror))
            continue
        for name in names:
            path = os.path.join(folder, name)
            try:
                status = os.lstat(os.path.join(root, path))
            except OSError as error:
                problems.append('%s: %s' % (path, error.strerror))
                continue
            if stat.S_ISDIR(status.st_mode):
                waiting.append(path)
                yield path, status
            elif stat.S_ISREG(status.st_mode):
                yield path, status
            else:
                problems.append('%s: %s, left there' % (path, kind(status.st_mode)))


def kind(mode: int) -> str:
    """Return what a file of this mode is called."""
    names = ((stat.S_ISLNK, 'a link'), (stat.S_ISFIFO, 'a pipe'), (stat.S_ISSOCK, 'a socket'))
    return next((name for test, name in names if test(mode)), 'a device')


def send_file(path: str, out: IO[bytes]) -> str:
    """Send a file's content in chunks, each after its length; a length of 0 ends it. Return what went wrong."""
    problem = ''
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, 'rb') as file:
            left = os.fstat(handle).st_size
            # A log that is still written grows while it is read: only what was there at first.
            while left > 0:
                data = file.read(min(_CHUNK, left))
                if not data:
                    break
                out.write(b'%d\n' % len(data))
                out.write(data)
                left -= len(data)
    except OSError as error:
        problem = error.strerror or str(error)
    out.write(b'0\n')
    return problem


def serve(stream: IO[bytes], out: IO[bytes]) -> None:
    """Answer one request: ``root`` and ``parts``, the folders below it to send."""
    request: Dict[str, Any] = json.loads(stream.readline())
    parts: Sequence[str] = request['parts']
    problems: List[str] = []
    for part in parts:
        root = os.path.join(os.path.expanduser(request['root']), part)
        if not os.path.lexists(root):
            continue
        if os.path.islink(root):
            problems.append('%s: a link, left there' % part)
            continue
        found: List[str] = []
        for path, status in walk(root, found):
            folder = stat.S_ISDIR(status.st_mode)
            out.write(dump({'part': part, 'path': path, 'folder': folder,
                            'mode': stat.S_IMODE(status.st_mode), 'mtime': status.st_mtime}))
            if not folder:
                problem = send_file(os.path.join(root, path), out)
                if problem:
                    found.append('%s: %s' % (path, problem))
        problems += ['%s/%s' % (part, line) for line in found]
    out.write(dump({'end': True, 'problems': problems}))
    out.flush()


if __name__ == '__main__':
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    serve(sys.stdin.buffer, sys.stdout.buffer)
