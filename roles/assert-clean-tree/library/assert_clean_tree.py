#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Tell whether a repository is as it was checked out, but for what the project ignores."""
from __future__ import annotations

DOCUMENTATION = r'''
module: assert_clean_tree
short_description: Fail when a repository is not as it was checked out
description:
  - Looks for files that no C(.gitignore) of the project names, and for changed ones, in the repository that has the
    folder and in its submodules. Changes nothing.
  - Only C(.gitignore) files count, not what a user or a system ignores. git runs without hooks, monitors, filters and
    the configuration of user and system.
options:
  path: {description: A folder in the repository., type: str, required: true}
  allowed:
    description: Patterns in the syntax of C(.gitignore), from the top of the repository.
    type: list
    elements: str
    default: []
  timeout: {description: Seconds it may take., type: int, default: 120}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Nothing is left behind
  assert_clean_tree:
    path: /home/zuul/src/example.com/project
    allowed: [/ChangeLog, '*.egg-info/']
'''
RETURN = r'''
left: {description: The first files that were found., type: list, elements: str, returned: always}
count: {description: How many there are., type: int, returned: always}
'''

import contextlib
import os
import subprocess
import tempfile
import time
from collections import Counter
from typing import IO, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set

from ansible.module_utils.basic import AnsibleModule

SHOWN = 50
MAX_FOUND = 200000
_CHUNK = 1 << 18
# No program that a project names in its configuration is run, and nothing is fetched.
SAFE = ('core.fsmonitor=', 'core.hooksPath=/dev/null', 'core.untrackedCache=false', 'protocol.allow=never')


class Refused(Exception):
    """It cannot be told. The message says why."""


class Found(NamedTuple):
    """A file that is not as it was checked out: its path from the top, and what is wrong with it."""

    path: bytes
    what: str


def printable(name: bytes) -> str:
    """Return a name of git as text, with everything escaped that is not a character one can see."""
    return ''.join(char if char.isprintable() else char.encode('unicode_escape').decode('ascii')
                   for char in name.decode('utf-8', 'surrogateescape'))


def changed(record: bytes) -> Optional[Found]:
    """Return what a record of ``git status --porcelain=v2 -z`` says, None when it is none of a file."""
    kind = record[:2]
    if kind not in (b'1 ', b'u '):
        return None
    fields = record.split(b' ', 8 if kind == b'1 ' else 10)
    states, submodule, path = fields[1], fields[2], fields[-1]
    if kind == b'u ':
        return Found(path, 'in conflict')
    if submodule.startswith(b'SC'):
        return Found(path, 'a submodule at another commit')
    for letter, what in ((b'D', 'deleted'), (b'A', 'added to the index'), (b'T', 'of another type')):
        if letter in states:
            return Found(path, what)
    return Found(path, 'changed')


def problems_of(patterns: Sequence[str]) -> List[str]:
    """Return what is wrong with the allowed patterns."""
    return ['assert_clean_tree_allowed has %r: no pattern of .gitignore. Write a file or a folder in one line, for '
            "example '/build/' or '*.log'." % pattern
            for pattern in patterns if not pattern.strip() or pattern.startswith('#') or set(pattern) & set('\n\r\0')]


class Git:
    """git, in a way that runs nothing of the project's.

    :param home: a folder of our own that git takes for the user's.
    :param until: when the time is over.
    """

    def __init__(self, home: str, until: float) -> None:
        self._until = until
        kept = {name: value for name, value in os.environ.items() if not name.startswith(('GIT_', 'XDG_'))}
        self._environment = dict(
            kept, LC_ALL='C', HOME=home, GIT_CONFIG_NOSYSTEM='1', GIT_OPTIONAL_LOCKS='0', GIT_TERMINAL_PROMPT='0',
            GIT_NO_LAZY_FETCH='1')
        with open(os.path.join(home, '.gitconfig'), 'w', encoding='ascii') as config:
            config.write('[safe]\n\tdirectory = *\n')

    def run(self, folder: bytes, *args: bytes, given: Optional[IO[bytes]] = None, codes: Sequence[int] = (0,),
            above: bool = False) -> IO[bytes]:
        """Return what git prints, as a file.

        :param folder: the top of a repository, or with *above* a folder in one.
        :param codes: exit codes that are no failure.
        :raises Refused: it fails, or takes too long.
        """
        argv = [b'git', *(part for option in SAFE for part in (b'-c', option.encode())), *args]
        environment = self._environment if above else dict(
            self._environment, GIT_CEILING_DIRECTORIES=os.fsdecode(os.path.dirname(folder)))
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(tempfile.TemporaryFile())
            try:
                done = subprocess.run(
                    argv, cwd=folder, stdin=given or subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE,
                    env=environment, timeout=max(0.1, self._until - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise Refused('%s: git %s did not end in time (assert_clean_tree_timeout).'
                              % (printable(folder), printable(args[0]))) from None
            except OSError as error:
                raise Refused('%s: cannot run git: %s' % (printable(folder), error)) from error
            if done.returncode not in codes:
                said = printable(b'; '.join(done.stderr.strip().splitlines()))[-1000:]
                raise Refused('%s: git: exit code %d: %s' % (printable(folder), done.returncode, said))
            stack.pop_all()
        out.seek(0)
        return out

    def without_filters(self, repository: bytes) -> List[bytes]:
        """Return options that keep git from running the filters that a repository configures.

        :raises Refused: one has a name that no option can have.
        """
        names = {record.rpartition(b'.')[0] for record in records(self.run(
            repository, b'config', b'--null', b'--name-only', b'--get-regexp', b'^filter\\.', codes=(0, 1)))}
        options = []
        for name in sorted(names):
            if b'=' in name:
                raise Refused("%s: .git/config has the section '%s', whose name has a '='. Remove it."
                              % (printable(repository), printable(name)))
            for key in (b'.clean=', b'.smudge=', b'.process=', b'.required=false'):
                options += [b'-c', name + key]
        return options


def records(out: IO[bytes]) -> Iterator[bytes]:
    """Yield the parts of a file that end with a NUL."""
    rest = b''
    with out:
        while True:
            data = out.read(_CHUNK)
            if not data:
                return
            *whole, rest = (rest + data).split(b'\0')
            yield from whole


def top_of(git: Git, path: str) -> bytes:
    """Return the top of the repository that has a folder.

    :raises Refused: none has.
    """
    folder = os.fsencode(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise Refused("zuul_work_dir is '%s': no folder. Name the folder of the project on the node." % path)
    try:
        with git.run(folder, b'rev-parse', b'--show-toplevel', above=True) as out:
            top = out.read().rstrip(b'\n')
    except Refused as error:
        raise Refused("zuul_work_dir is '%s': not in a repository of git (%s). Name the folder of the project on the "
                      'node.' % (path, error)) from None
    inside = folder == top or folder.startswith(top.rstrip(b'/') + b'/')
    if not inside or not os.path.lexists(os.path.join(top, b'.git')):
        raise Refused("zuul_work_dir is '%s', but its repository says that its files are in '%s' (core.worktree in "
                      ".git/config)." % (path, printable(top)))
    return top


def look(git: Git, repository: bytes, above: bytes = b'') -> Iterator[Found]:
    """Yield what is not as it was checked out in a repository and its submodules.

    :param above: the path of the repository from the top, with a slash at its end; empty for the top.
    :raises Refused: it cannot be told.
    """
    status = (b'status', b'--porcelain=v2', b'-z', b'--untracked-files=no', b'--ignore-submodules=dirty',
              b'--no-renames')
    different = [found for found in map(changed, records(git.run(
        repository, *git.without_filters(repository), *status))) if found]
    filters = _filters(git, repository, [found.path for found in different])
    for found in different:
        remark = filters.get(found.path)
        yield Found(above + found.path, found.what + (
            ", as far as can be told without its filter '%s'" % remark if remark else ''))
    for path in records(git.run(repository, b'ls-files', b'--others', b'-z', b'--exclude-per-directory=.gitignore')):
        yield Found(above + path, 'not ignored, a repository of its own' if path.endswith(b'/') else 'not ignored')
    for record in records(git.run(repository, b'ls-files', b'--stage', b'-z')):
        if record.startswith(b'160000 '):
            path = record.partition(b'\t')[2]
            inner = os.path.join(repository, path)
            if os.path.islink(inner) or not os.path.isdir(inner):
                continue    # the status has it
            if os.path.lexists(os.path.join(inner, b'.git')):
                yield from look(git, inner, above + path + b'/')
            else:           # a submodule that is not there; git itself does not look at what lies in its place
                yield from (Found(above + os.path.relpath(left, repository), 'not ignored') for left in files(inner))


def files(folder: bytes) -> Iterator[bytes]:
    """Yield all that is no folder, however deep; links to folders, too."""
    for here, folders, names in os.walk(folder):
        yield from (path for path in (os.path.join(here, name) for name in names + folders)
                    if os.path.islink(path) or not os.path.isdir(path))


def _filters(git: Git, repository: bytes, paths: Sequence[bytes]) -> Dict[bytes, str]:
    """Return the filters that files go through when git compares them."""
    if not paths:
        return {}
    with tempfile.TemporaryFile() as given:
        given.write(b'\0'.join(paths) + b'\0')
        given.seek(0)
        fields = list(records(git.run(repository, b'check-attr', b'-z', b'--stdin', b'filter', given=given)))
    return {path: printable(value) for path, value in zip(fields[::3], fields[2::3])
            if value not in (b'unspecified', b'unset')}


def matching(git: Git, home: str, patterns: Sequence[str], paths: Sequence[bytes]) -> Set[bytes]:
    """Return those of *paths* that a ``.gitignore`` with these patterns would name. git itself decides."""
    if not patterns or not paths:
        return set()
    folder = os.path.join(home, 'allowed')
    os.mkdir(folder)
    git.run(os.fsencode(folder), b'init', b'--quiet', b'--template=').close()
    with open(os.path.join(folder, '.gitignore'), 'w', encoding='utf-8') as ignore:
        ignore.write(''.join(pattern + '\n' for pattern in patterns))
    with tempfile.TemporaryFile() as given:
        given.write(b'\0'.join(paths) + b'\0')
        given.seek(0)
        return set(records(git.run(os.fsencode(folder), b'check-ignore', b'-z', b'--no-index', b'--stdin', given=given,
                                   codes=(0, 1))))


def message(top: str, found: Sequence[Found], complete: bool) -> str:
    """Return what is told of a tree that is not clean."""
    lines = ['  %s: %s' % (one.what, printable(one.path)) for one in found[:SHOWN]]
    rest = found[SHOWN:]
    if rest:
        folders = Counter(one.path.partition(b'/')[0] + b'/' if b'/' in one.path else b'the top' for one in rest)
        most = ', '.join('%d in %s' % (count, printable(folder)) for folder, count in folders.most_common(5))
        lines.append('  and %s%d more: %s' % ('' if complete else 'at least ', len(rest), most))
    return ("assert-clean-tree: %s is not as it was checked out:\n%s\n"
            "Have the tests write to a temporary folder, name in .gitignore what the project's tools leave, or allow "
            'it in assert_clean_tree_allowed with a pattern as in .gitignore.' % (top, '\n'.join(lines)))


def find(path: str, patterns: Sequence[str], timeout: int) -> Dict[str, object]:
    """Do the module's work and return its result; ``msg`` is there when the tree is not clean.

    :raises Refused: it cannot be told.
    """
    refused = problems_of(patterns)
    if refused:
        raise Refused('\n  - '.join(['cannot continue, %d problems:' % len(refused), *refused]))
    with tempfile.TemporaryDirectory() as home:
        git = Git(home, time.monotonic() + max(1, timeout))
        top = top_of(git, os.path.expanduser(path))
        found: List[Found] = []
        complete = True
        for one in look(git, top):
            found.append(one)
            if len(found) >= MAX_FOUND:
                complete = False
                break
        allowed = matching(git, home, patterns, [one.path for one in found])
    found = [one for one in found if one.path not in allowed]
    result: Dict[str, object] = {'left': [printable(one.path) for one in found[:SHOWN]], 'count': len(found)}
    if found:
        result['msg'] = message(printable(top), found, complete)
    elif not complete:
        raise Refused('%s: more than %d files are allowed by assert_clean_tree_allowed; what is there beside them '
                      'cannot be told.' % (printable(top), MAX_FOUND))
    return result


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'path': {'type': 'str', 'required': True},
        'allowed': {'type': 'list', 'elements': 'str', 'default': []},
        'timeout': {'type': 'int', 'default': 120},
    }, supports_check_mode=True)
    try:
        result = find(module.params['path'], module.params['allowed'], module.params['timeout'])
    except (Refused, OSError) as error:
        module.fail_json(msg='assert-clean-tree: %s' % error)
    if 'msg' in result:
        module.fail_json(**result)
    module.exit_json(changed=False, **result)


if __name__ == '__main__':
    main()
