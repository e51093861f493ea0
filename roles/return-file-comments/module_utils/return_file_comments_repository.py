# SPDX-License-Identifier: Apache-2.0
"""What is in the repository under test, as its clone on the executor says."""
from __future__ import annotations

import functools
import os
import posixpath
import re
import subprocess
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Set

MAX_COUNTED = 4 * 1024 * 1024       # bytes of a file whose lines are counted
SECONDS = 60
# A playbook may have written into the clone: nothing is fetched for it, and what belongs to another user is read, too.
GIT = ('git', '-c', 'safe.directory=*', '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null')
ENVIRONMENT = {'LC_ALL': 'C', 'GIT_ALLOW_PROTOCOL': 'none', 'GIT_NO_LAZY_FETCH': '1', 'GIT_TERMINAL_PROMPT': '0',
               'GIT_CONFIG_GLOBAL': os.devnull, 'GIT_CONFIG_NOSYSTEM': '1'}


SOURCES = ('src/', '', 'lib/')      # where the sources of a module lie in a repository


class Unreadable(Exception):
    """There is no repository where one was expected, or git cannot read it."""


class File(NamedTuple):
    """A file of the repository: the id of its content, and its size in bytes."""

    blob: str
    size: int


def git(folder: str, *words: str, stdin: bytes = b'') -> bytes:
    """Return what git prints.

    :raises Unreadable: it failed.
    """
    try:
        done = subprocess.run([*GIT, '-C', folder, *words], input=stdin, check=False, timeout=SECONDS,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **ENVIRONMENT})
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreadable(str(error)) from None
    if done.returncode:
        raise Unreadable(done.stderr.decode('utf-8', 'replace').strip()[:300] or 'git failed')
    return done.stdout


def files(folder: str) -> Dict[str, File]:
    """Return the plain files of the commit that is checked out, by path; no links, no submodules.

    :raises Unreadable: there is no such repository.
    """
    if not os.path.isdir(os.path.join(folder, '.git')):
        raise Unreadable('%s is no clone of a repository' % folder)
    return parse_tree(git(folder, 'ls-tree', '-r', '-z', '-l', 'HEAD'))


def parse_tree(listed: bytes) -> Dict[str, File]:
    """Return the files that ``git ls-tree -r -z -l`` lists. Names that are not printable text can have no comments."""
    found = {}
    for entry in listed.split(b'\0'):
        about, tab, name = entry.partition(b'\t')
        words = about.split()
        if not tab or len(words) != 4 or not words[0].startswith(b'100') or not words[3].isdigit():
            continue
        try:
            path = name.decode('utf-8')
        except UnicodeDecodeError:
            continue
        if path.isprintable():
            found[path] = File(words[2].decode('ascii'), int(words[3]))
    return found


def changed(folder: str, ref: str, commit: str) -> Optional[Set[str]]:
    """Return the files that the change touches, None where it cannot be known here.

    A change of Gerrit is one commit. A pull request is known by the merge that Zuul made of it. Zuul takes away
    comments on other files, too, but puts a warning on the change for each.
    """
    if not commit:
        return None
    try:
        if ref.startswith('refs/changes/'):
            between = [commit + '^', commit]
        else:
            parents = git(folder, 'rev-list', '--parents', '-n', '1', 'HEAD').decode('ascii').split()[1:]
            if len(parents) != 2 or parents[1] != commit:
                return None
            between = [parents[0], 'HEAD']
        listed = git(folder, 'diff-tree', '-r', '-z', '--name-only', '--no-ext-diff', '--no-textconv',
                     '--end-of-options', *between)
    except Unreadable:
        return None
    return {name.decode('utf-8', 'replace') for name in listed.split(b'\0') if name}


def count_lines(folder: str, wanted: Iterable[File]) -> Dict[str, int]:
    """Return how many lines files have, by the id of their content, without those that are too large to look."""
    blobs = sorted({one.blob for one in wanted if one.size <= MAX_COUNTED})
    counted = {}
    for blob in blobs:
        said = content(folder, blob)
        counted[blob] = max(said.count(b'\n') + (not said.endswith(b'\n')), 1)
    return counted


@functools.lru_cache(maxsize=4)
def content(folder: str, blob: str) -> bytes:
    """Return what is in a file.

    :raises Unreadable: git cannot read it.
    """
    return git(folder, 'cat-file', 'blob', blob)


def line_of(module: bytes, names: Sequence[str]) -> int:
    """Return where the innermost of nested classes and functions begins in a module of Python, 1 if it is not there."""
    at = 0
    lines = module.decode('utf-8', 'replace').split('\n')
    for name in names:
        begins = re.compile(r'\s*(?:class|def|async def) %s\b' % re.escape(name))
        found = next((number for number in range(at, len(lines)) if begins.match(lines[number])), None)
        if found is None:
            return 1
        at = found
    return at + 1


def below(path: str, src_dir: str) -> Optional[str]:
    """Return *path* below the project's folder on a node, None where it is elsewhere."""
    _, found, rest = ('/' + path + '/').partition('/' + src_dir.strip('/') + '/')
    return posixpath.normpath(rest) if found else None


def resolve(path: str, work_dir: str, src_dir: str, known: Dict[str, File]) -> str:
    """Return the file of the repository that a tool means by *path*, '' where it means none.

    :param work_dir: folder in which it ran, on the node.
    :param src_dir: the project's folder on the node, below the home.
    """
    candidates: List[Optional[str]] = []
    if path.startswith('/'):
        candidates = [below(path, src_dir)]
    else:
        here = below(work_dir, src_dir)
        if here is not None:
            candidates = [posixpath.normpath(posixpath.join(here, path)), posixpath.normpath(path)]
        candidates.append(below(path, src_dir))
    # the project as it is installed into an environment
    _, installed, module = path.rpartition('/site-packages/')
    if installed:
        candidates += [posixpath.normpath(folder + module) for folder in SOURCES]
    return next((one for one in candidates if one in known), '')


