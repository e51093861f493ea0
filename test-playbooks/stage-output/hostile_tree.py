#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A folder as the worst job would leave it, and the look at what a collector made of it.

    hostile_tree.py make TREE OUTSIDE [--empty N] [--sparse BYTES] [--deep N] [--devices]
    hostile_tree.py swap TREE OUTSIDE SECONDS [--background]
    hostile_tree.py check TREE OUTSIDE [--empty N] [--lacks LABEL …]

``make`` fills TREE, and OUTSIDE with what nobody may read or change; give OUTSIDE a name that begins like TREE's.
``swap`` exchanges a hundred folders and a hundred files for links to OUTSIDE, and back, as often as it can.
``check`` prints a line for all that is wrong with TREE afterwards, and exits with 1 if there is any: what is no plain
file or folder, what came from outside, what is lost. A file is known by what it says, because its name may have been
made harmless.

Every folder of test playbooks that uses this file has its own copy, because an executor checks out no more than that
folder; a unit test keeps the copies the same. It runs on nodes: Python 3.8, nothing but the standard library.
"""
from __future__ import annotations

import argparse
import os
import socket
import stat
import sys
import time
from typing import Callable, Dict, Iterator, List, Tuple

CANARY = b'canary: nobody outside may sing this\n'
NAMES: Dict[str, bytes] = {
    'newline': b'new\nline', 'escape': b'\x1b[2Jclear', 'markup': b'<script>alert(1)<', 'entity': b'a&lt;b',
    'shell': b'$(touch x)', 'quotes': b'it\'s "quoted"', 'dash': b'-rf', 'latin': b'caf\xe9', 'umlaut': 'ü☃'.encode(),
    'hidden': b'.hidden', 'space': b' ', 'long': b'x' * 255, 'backslash': b'a\\b', 'percent': b'new%0Aline',
    'bidi': 'a\u202egpj.exe'.encode(), 'server': b'.htaccess',
}
PAIRS = 100
KINDS = ((stat.S_ISLNK, 'a link'), (stat.S_ISFIFO, 'a pipe'), (stat.S_ISSOCK, 'a socket'),
         (stat.S_ISCHR, 'a device'), (stat.S_ISBLK, 'a device'))


def good(label: str) -> bytes:
    """Return what the file *label* says."""
    return b'good: %s\n' % label.encode()


def write(path: bytes, data: bytes) -> None:
    """Make a file, and the folders that it lies in."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(data)


def make(tree: bytes, outside: bytes, empty: int, sparse: int, deep: int, devices: bool) -> None:
    """Fill both folders."""
    key = os.path.join(outside, b'key')
    write(key, CANARY)
    write(os.path.join(outside, b'sub', b'key'), CANARY)
    write(os.path.join(tree, b'plain', b'good.log'), good('plain'))
    for label, name in NAMES.items():
        write(os.path.join(tree, b'names', name), good(label))
    write(os.path.join(tree, b'folder\n<b>', b'inside'), good('folder'))
    make_links(tree, outside)
    os.makedirs(os.path.join(tree, b'hard'))
    os.link(key, os.path.join(tree, b'hard', b'outside'))
    write(os.path.join(tree, b'hard', b'one'), good('hard'))
    os.link(os.path.join(tree, b'hard', b'one'), os.path.join(tree, b'hard', b'two'))
    make_kinds(os.path.join(tree, b'kinds'), devices)
    modes = os.path.join(tree, b'modes')
    write(os.path.join(modes, b'setuid'), good('setuid'))
    os.chmod(os.path.join(modes, b'setuid'), 0o6777)
    write(os.path.join(tree, b'many', b'good'), good('many'))
    for number in range(empty):
        os.close(os.open(os.path.join(tree, b'many', b'%06d' % number), os.O_WRONLY | os.O_CREAT, 0o644))
    write(os.path.join(tree, b'sparse', b'after'), good('sparse'))
    if sparse:
        with open(os.path.join(tree, b'sparse', b'a-huge-one'), 'wb') as file:
            file.truncate(sparse)
    make_deep(tree, deep)


def make_links(tree: bytes, outside: bytes) -> None:
    """Links of every sort, among them those that a comparison of prefixes lets pass; and what ``swap`` swaps."""
    links = os.path.join(tree, b'links')
    write(os.path.join(links, b'good'), good('links'))
    for name, target in ((b'absolute', b'/etc/passwd'), (b'folder', outside), (b'file', os.path.join(outside, b'key')),
                         (b'relative', os.path.join(os.path.relpath(outside, links), b'key')), (b'loop', b'pool'),
                         (b'pool', b'loop'), (b'self', b'.'), (b'up', b'..'), (b'nowhere', b'/nowhere'),
                         (b'x.html', os.path.join(outside, b'key'))):
        os.symlink(target, os.path.join(links, name))
    for number in range(PAIRS):
        swap = os.path.join(tree, b'swap', b'%03d' % number)
        write(os.path.join(swap, b'folder', b'key'), good('swapped folder'))
        write(os.path.join(swap, b'file'), good('swapped file'))


def make_kinds(folder: bytes, devices: bool) -> None:
    """What is neither a file nor a folder, each able to hang its reader."""
    write(os.path.join(folder, b'good'), good('kinds'))
    os.mkfifo(os.path.join(folder, b'pipe'))
    here = os.getcwd()
    os.chdir(folder)        # the path of a socket is at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as plug:
            plug.bind('socket')
    finally:
        os.chdir(here)
    if devices:
        os.mknod(os.path.join(folder, b'zero'), stat.S_IFCHR | 0o666, os.makedev(1, 5))
        os.mknod(os.path.join(folder, b'block'), stat.S_IFBLK | 0o666, os.makedev(7, 0))


def make_deep(tree: bytes, deep: int) -> None:
    """A file below *deep* folders."""
    folder = os.open(tree, os.O_RDONLY)
    for _ in range(deep):
        os.mkdir(b'd', dir_fd=folder)
        deeper = os.open(b'd', os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    file = os.open(b'good', os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=folder)
    os.write(file, good('deep'))
    os.close(file)
    os.close(folder)


def swap(tree: bytes, outside: bytes, seconds: float) -> None:
    """Turn all pairs to links and back, over and over, until the time is over."""
    folder = os.open(os.path.join(tree, b'swap'), os.O_RDONLY)
    there = [(b'%03d/%s' % (number, name), os.path.join(outside, target)) for number in range(PAIRS)
             for name, target in ((b'folder', b''), (b'file', b'key'))]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, target in there:
            attempt(os.rename, name, name + b'-real', src_dir_fd=folder, dst_dir_fd=folder)
            attempt(os.symlink, target, name, dir_fd=folder)
        for name, _ in there:
            attempt(os.unlink, name, dir_fd=folder)
            attempt(os.rename, name + b'-real', name, src_dir_fd=folder, dst_dir_fd=folder)
    os.close(folder)


def attempt(call: Callable[..., None], *arguments: bytes, **options: int) -> None:
    """Do it, or not: whoever collects may have been here."""
    try:
        call(*arguments, **options)
    except OSError:
        pass


def go_on_alone() -> None:
    """Let the caller go, and work on in the background."""
    if os.fork():
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)


def entries(tree: bytes) -> Iterator[Tuple[bytes, int, os.stat_result]]:
    """Yield (path, descriptor of the folder, status) of all that is in *tree*, however deep."""
    stack = [(b'', os.open(tree, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW))]
    while stack:
        path, folder = stack.pop()
        for text in os.listdir(folder):
            name = os.fsencode(text)
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            yield os.path.join(path, name), folder, status
            if stat.S_ISDIR(status.st_mode):
                stack.append((os.path.join(path, name), os.open(
                    name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)))
        os.close(folder)


def check(tree: bytes, outside: bytes, empty: int, lacks: List[str]) -> List[str]:
    """Return what is wrong."""
    problems, said, nothing = [], set(), 0
    for path, folder, status in entries(tree):
        what = next((name for test, name in KINDS if test(status.st_mode)), '')
        if what:
            problems.append('%r is %s' % (path, what))
        elif stat.S_ISREG(status.st_mode):
            nothing += status.st_size == 0
            if status.st_size > 1 << 20:
                continue
            file = os.open(os.path.basename(path), os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
            data = os.read(file, 1 << 20)
            os.close(file)
            said.add(data)
            if CANARY in data or data.startswith(b'root:'):
                problems.append('%r came from outside' % path)
    labels = ['plain', 'folder', 'links', 'hard', 'kinds', 'setuid', 'many', 'sparse', 'deep', 'swapped file',
              'swapped folder', *NAMES]
    problems += ['the good file %r is lost' % label for label in labels
                 if label not in lacks and good(label) not in said]
    problems += ['%r is not known to lack' % label for label in lacks if label not in labels]
    if nothing < empty:
        problems.append('%d empty files of %d' % (nothing, empty))
    there = {path: status for path, _, status in entries(outside)}
    if sorted(there) != [b'key', b'sub', b'sub/key'] or there[b'key'].st_mode & 0o7777 != 0o644:
        problems.append('outside is not as it was: %r' % sorted(there))
    for name in (b'key', b'sub/key'):
        with open(os.path.join(outside, name), 'rb') as stream:
            if stream.read() != CANARY:
                problems.append('%r outside was changed' % name)
    return problems


def main() -> int:
    """Run as a program."""
    os.umask(0o022)
    parser = argparse.ArgumentParser()
    parser.add_argument('what', choices=('make', 'swap', 'check'))
    parser.add_argument('tree', type=os.fsencode)
    parser.add_argument('outside', type=os.fsencode)
    parser.add_argument('seconds', type=float, nargs='?', default=60)
    parser.add_argument('--empty', type=int, default=1000)
    parser.add_argument('--sparse', type=int, default=10 << 30)
    parser.add_argument('--deep', type=int, default=200)
    parser.add_argument('--background', action='store_true')
    parser.add_argument('--devices', action='store_true')
    parser.add_argument('--lacks', nargs='*', default=[])
    asked = parser.parse_args()
    if asked.what == 'make':
        make(asked.tree, asked.outside, asked.empty, asked.sparse, asked.deep, asked.devices)
    elif asked.what == 'swap':
        if asked.background:
            go_on_alone()
        swap(asked.tree, asked.outside, asked.seconds)
    else:
        problems = check(asked.tree, asked.outside, asked.empty, asked.lacks)
        print('\n'.join(problems[:1000]) or 'as it should be')
        return 1 if problems else 0
    return 0


if __name__ == '__main__':
    sys.exit(main())
