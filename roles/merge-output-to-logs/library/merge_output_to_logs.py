#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Move artifacts and docs of a build to its logs."""
from __future__ import annotations

DOCUMENTATION = r'''
module: merge_output_to_logs
short_description: Move artifacts and docs of a build to its logs
description:
  - Runs on the executor. Folders are entered by descriptor and never through a link; links, devices, pipes, sockets and
    files that have names elsewhere stay where they are.
  - A file that is in the logs already is never replaced; another one of the same name goes to a folder
    C(merged-<part>). What cannot be moved is listed in C(problems); it is no failure.
options:
  work_root: {description: Folder with C(artifacts) and C(docs)., type: path, required: true}
  log_root: {description: Folder of the logs., type: path, required: true}
  timeout: {description: Seconds it may take., type: int, default: 120}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Publish artifacts and docs beside the logs
  delegate_to: localhost
  merge_output_to_logs:
    work_root: "{{ zuul.executor.work_root }}"
    log_root: "{{ zuul.executor.log_root }}"
'''
RETURN = r'''
files: {description: Number of files that were moved., type: int, returned: always}
problems: {description: What was not moved and why., type: list, elements: str, returned: always}
ansible_facts:
  description: C(merge_output_to_logs_problems), the same as C(problems).
  type: dict
  returned: always
'''

import errno
import filecmp
import os
import shutil
import signal
import stat
from collections import Counter
from contextlib import contextmanager, suppress
from typing import Any, Dict, Iterator, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule

PARTS = ('artifacts', 'docs')
MAX_DEPTH = 256
MAX_PROBLEMS = 200
_ENTER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class TooLate(Exception):
    """The time is over."""


class LeftOut(Exception):
    """Something is not moved. The message says why."""


def printable(text: str) -> str:
    """Return *text* with everything escaped that is not a character one can see."""
    return ''.join(char if char.isprintable() else char.encode('unicode_escape').decode('ascii') for char in text)


def kind(mode: int) -> str:
    """Return what a file of this mode is called."""
    names = ((stat.S_ISLNK, 'a link'), (stat.S_ISFIFO, 'a pipe'), (stat.S_ISSOCK, 'a socket'))
    return next((name for test, name in names if test(mode)), 'a device')


def same(name: str, one: int, other: int) -> bool:
    """Whether the files *name* in two folders have the same content."""
    with open(os.open(name, _READ, dir_fd=one), 'rb') as left, open(os.open(name, _READ, dir_fd=other), 'rb') as right:
        if not stat.S_ISREG(os.fstat(right.fileno()).st_mode):
            return False
        one_path, other_path = ('/proc/self/fd/%d' % file.fileno() for file in (left, right))
        return filecmp.cmp(one_path, other_path, shallow=False)


class Merge:
    """Moves one part after the other.

    :param work: descriptor of the folder that has them.
    :param logs: descriptor of the folder of the logs.
    """

    def __init__(self, work: int, logs: int) -> None:
        self._work = work
        self._logs = logs
        self._more = 0
        self._names: Optional[Counter[Tuple[int, int]]] = None
        self.changed = False
        self.files = 0
        self._problems: List[str] = []

    def problem(self, line: str) -> None:
        """Note that something was not moved."""
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(line)
        else:
            self._more += 1

    def problems(self) -> List[str]:
        """Return what was noted, as it may be shown."""
        more = ['and %d more' % self._more] if self._more else []
        return [printable(line) for line in self._problems + more]

    @contextmanager
    def _telling(self, where: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.problem('%s: %s' % (where, error.strerror or error))
        except LeftOut as error:
            self.problem('%s: %s, left out' % (where, error))

    def _names_of(self, status: os.stat_result) -> int:
        """Return how many names a file had in all parts when this was first asked."""
        if self._names is None:
            self._names = Counter()
            for part in PARTS:
                with suppress(OSError):
                    self._count(self._names, self._work, part, 0)
        return self._names[status.st_dev, status.st_ino]

    def _count(self, names: Counter[Tuple[int, int]], above: int, name: str, depth: int) -> None:
        folder = os.open(name, _ENTER, dir_fd=above)
        try:
            for inner in os.listdir(folder) if depth < MAX_DEPTH else ():
                with suppress(OSError):
                    status = os.stat(inner, dir_fd=folder, follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        self._count(names, folder, inner, depth + 1)
                    elif status.st_nlink > 1:
                        names[status.st_dev, status.st_ino] += 1
        finally:
            os.close(folder)

    def part(self, part: str) -> None:
        """Move all of a part that can be."""
        with self._telling(part):
            try:
                status = os.stat(part, dir_fd=self._work, follow_symlinks=False)
            except FileNotFoundError:
                return
            if not stat.S_ISDIR(status.st_mode):
                raise LeftOut('a file' if stat.S_ISREG(status.st_mode) else kind(status.st_mode))
            self._folder(self._work, part, [part], self._logs)

    def _folder(self, above: int, name: str, names: List[str], target_above: int) -> None:
        """Move a folder with what is in it, even when that is nothing.

        :param above: descriptor of the folder that has it.
        :param names: its path.
        :param target_above: descriptor of the folder that is to have it, -1 when that cannot be entered.
        """
        if len(names) > MAX_DEPTH:
            raise LeftOut('more than %d folders deep' % MAX_DEPTH)
        source = os.open(name, _ENTER, dir_fd=above)
        target = self._enter(name, target_above)
        try:
            for inner in sorted(os.listdir(source)):
                with self._telling('/'.join([*names, inner])):
                    status = os.stat(inner, dir_fd=source, follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        self._folder(source, inner, [*names, inner], target)
                    elif not stat.S_ISREG(status.st_mode):
                        raise LeftOut(kind(status.st_mode))
                    elif status.st_nlink > 1 and status.st_nlink != self._names_of(status):
                        raise LeftOut('a file with names elsewhere')
                    else:
                        self._file(source, inner, status, names, target)
        finally:
            os.close(source)
            if target >= 0:
                os.close(target)
        with suppress(OSError):     # what was left out is still there
            os.rmdir(name, dir_fd=above)
            self.changed = True

    def _enter(self, name: str, above: int) -> int:
        """Return a descriptor of a folder of the logs, made where it is missing; -1 when something else is there."""
        if above < 0:
            return -1
        try:
            os.mkdir(name, 0o755, dir_fd=above)
            self.changed = True
        except FileExistsError:
            pass
        try:
            return os.open(name, _ENTER, dir_fd=above)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                return -1
            raise

    def _file(self, source: int, name: str, status: os.stat_result, names: List[str], target: int) -> None:
        """Move a file to its place; where another one is, to a place of its own."""
        if target < 0 or not placed(name, status, source, target):
            own = ['merged-' + names[0], *names[1:]]
            here = os.dup(self._logs)
            try:
                for folder in own:
                    deeper = self._enter(folder, here)
                    if here >= 0:
                        os.close(here)
                    here = deeper
                if here < 0 or not placed(name, status, source, here):
                    raise LeftOut('the logs have two others')
            finally:
                if here >= 0:
                    os.close(here)
            self.problem('%s: the logs have another one, this is %s' % (
                '/'.join([*names, name]), '/'.join([*own, name])))
        self.files += 1
        self.changed = True


def placed(name: str, known: os.stat_result, source: int, folder: int) -> bool:
    """Move a file from one folder to another. Return False when another one is there.

    :param known: what the file was when it was looked at.
    :raises LeftOut: it is another one now.
    """
    try:
        os.link(name, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not os.path.samestat(status, known):
            os.unlink(name, dir_fd=folder)
            raise LeftOut('exchanged while it was moved')
    except FileExistsError:
        try:
            if not same(name, source, folder):
                return False
        except OSError:     # a link, or a folder
            return False
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM):
            raise
        try:
            copy(name, known, source, folder)
        except FileExistsError:
            return False
    os.unlink(name, dir_fd=source)
    return True


def copy(name: str, known: os.stat_result, source: int, folder: int) -> None:
    """Copy a file to where there is none of its name, whole or not at all.

    :raises FileExistsError: there is.
    :raises LeftOut: it is another one than was looked at.
    """
    with open(os.open(name, _READ, dir_fd=source), 'rb') as old:
        if not os.path.samestat(os.fstat(old.fileno()), known):
            raise LeftOut('exchanged while it was moved')
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=folder)
        try:
            with open(handle, 'wb') as new:
                shutil.copyfileobj(old, new, 1 << 20)
                status = os.fstat(old.fileno())
                os.utime(handle, ns=(status.st_mtime_ns, status.st_mtime_ns))
        except BaseException:
            os.unlink(name, dir_fd=folder)
            raise


def merge(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result. What goes wrong is in ``problems``."""
    work = os.open(params['work_root'], _ENTER)
    logs = os.open(params['log_root'], _ENTER)
    merging = Merge(work, logs)
    try:
        for part in PARTS:
            merging.part(part)
    except TooLate:
        merging.problem('not done after %d seconds (merge_output_to_logs_timeout); what was moved until then is kept'
                        % params['timeout'])
    finally:
        os.close(work)
        os.close(logs)
    return {'changed': merging.changed, 'files': merging.files, 'problems': merging.problems()}


def _ring(*_: Any) -> None:
    raise TooLate


def main() -> None:
    """Run as a module."""
    path = {'type': 'path', 'required': True}
    module = AnsibleModule(argument_spec={
        'work_root': path, 'log_root': path, 'timeout': {'type': 'int', 'default': 120}})
    signal.signal(signal.SIGALRM, _ring)
    signal.alarm(max(1, module.params['timeout']))
    try:
        result = merge(module.params)
    except OSError as error:
        result = {'changed': False, 'files': 0, 'problems': ['artifacts and docs: %s' % error]}
    signal.alarm(0)
    module.exit_json(ansible_facts={'merge_output_to_logs_problems': result['problems']}, **result)


if __name__ == '__main__':
    main()
