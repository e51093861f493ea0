#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Make a page of every log."""
from __future__ import annotations

DOCUMENTATION = r'''
module: htmlify_logs
short_description: Make a page of every log below a folder
description:
  - Writes C(<name>.html) beside each file whose name suits I(patterns), whatever is in it. Runs on the executor,
    follows no link, and never looks out of the folder.
  - What could not be converted is told, and fails nothing.
options:
  root: {description: The folder., type: path, required: true}
  patterns: {description: Names with C(*) and C(?)., type: list, elements: str, required: true}
  max_file_bytes: {description: Bytes of one file that a page shows, half from its end., type: int, required: true}
  max_file_lines: {description: Lines of one file that a page shows., type: int, required: true}
  max_bytes: {description: Bytes that all pages may have., type: int, required: true}
  timeout: {description: Seconds after which no other page is begun., type: int, required: true}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Make pages
  htmlify_logs:
    root: "{{ zuul.executor.log_root }}"
    patterns: ['*.txt', '*.log']
    max_file_bytes: 10485760
    max_file_lines: 100000
    max_bytes: 1073741824
    timeout: 120
'''
RETURN = r'''
pages: {description: Pages that there are now., type: int, returned: success}
lines: {description: What has no page and why., type: list, elements: str, returned: success}
memory: {description: The most memory that was used, in bytes., type: int, returned: success}
'''

import contextlib
import fnmatch
import gzip
import os
import re
import resource
import secrets
import stat
import time
import zlib
from typing import Any, Callable, Dict, Iterator, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.htmlify_logs_excerpt import excerpt
from ansible.module_utils.htmlify_logs_page import MARK, Log, page

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Each costs an open file.
_DEEPEST = 500
_TOLD = 20
_GZIP = b'\x1f\x8b\x08'
# More than that is not read of a file, or unpacked.
_MOST = 1 << 30
_END = '.html'


class Refused(Exception):
    """It cannot be done. The message says why and what to do."""


class TooLate(Exception):
    """The time is over."""


def check(params: Dict[str, Any]) -> None:
    """Refuse what makes no sense.

    :raises Refused: with all reasons.
    """
    problems = ['htmlify_logs_%s is %d: it must be at least 1' % (name, params[name])
                for name in ('max_file_bytes', 'max_file_lines', 'max_bytes', 'timeout') if params[name] < 1]
    problems += ["htmlify_logs_patterns has '%s': it must be the name of files, with '*' for any part, and no path"
                 % one for one in params['patterns'] if not one or '/' in one]
    try:
        os.close(os.open(params['root'], _FOLDER))
    except OSError as error:
        problems.append("htmlify_logs_root is '%s': %s. It must be a folder, and no link" % (
            params['root'], error.strerror))
    if problems:
        raise Refused('cannot continue, %d problem%s:\n%s' % (
            len(problems), 's' if len(problems) > 1 else '', '\n'.join('  - ' + line for line in problems)))


def walk(folder: int, above: str = '', depth: int = 0) -> Iterator[Tuple[int, str, str]]:
    """Yield (descriptor of its folder, name, path) of every plain file, through no link. What vanishes is left out."""
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries
                       if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False))
    for name, deeper in found:
        if not deeper:
            yield folder, name, above + name
        elif depth < _DEEPEST:
            with contextlib.suppress(OSError):
                inside = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    yield from walk(inside, above + name + '/', depth + 1)
                finally:
                    os.close(inside)


def read_log(folder: int, name: str, path: str, params: Dict[str, Any], late: Callable[[], bool]) -> Log:
    """Return what the page of a log shows.

    :raises OSError: it cannot be read.
    :raises TooLate: the time is over.
    """
    with open(os.open(name, _FILE, dir_fd=folder), 'rb', buffering=0) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError('not a plain file')
        if status.st_nlink > 1:
            raise OSError('a hard link, maybe to a file elsewhere')
        packed = os.pread(file.fileno(), len(_GZIP), 0) == _GZIP
        source: Any = gzip.GzipFile(fileobj=file, mode='rb') if packed else file
        remark: List[str] = []
        left = _MOST

        def read(size: int) -> bytes:
            nonlocal left
            if late():
                raise TooLate
            try:
                data = bytes(source.read(size))
            except (EOFError, zlib.error, gzip.BadGzipFile):
                remark[:] = ['The file is damaged: nothing behind what is shown could be unpacked.']
                return b''
            left -= len(data)
            if left < 0:
                raise OSError('larger than %d bytes' % _MOST)
            return data

        shown = excerpt(read, params['max_file_bytes'], params['max_file_lines'])
    return Log(name, path, shown, ''.join(remark))


def stands(folder: int, name: str) -> bytes:
    """Return the page of ours that has this name already; nothing where there is none.

    :raises FileExistsError: something else has its name.
    :raises OSError: it cannot be read.
    """
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return b''
    if not stat.S_ISREG(status.st_mode):
        raise FileExistsError
    with open(os.open(name, _FILE, dir_fd=folder), 'rb') as old:
        start = old.read(len(MARK))
        if start != MARK:
            raise FileExistsError
        return start + old.read(os.fstat(old.fileno()).st_size)


def write(folder: int, name: str, data: bytes) -> bool:
    """Write a page anew, in the place of one of ours only. Return whether it is another than before.

    :raises FileExistsError: something else has its name.
    :raises OSError: the disk has a say in it.
    """
    if stands(folder, name) == data:
        return False
    new = '.htmlify-' + secrets.token_hex(16)
    try:
        with open(os.open(new, _NEW, 0o644, dir_fd=folder), 'wb') as file:
            file.write(data)
            os.fchmod(file.fileno(), 0o644)
        os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new, dir_fd=folder)
        raise
    return True


def htmlify(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: it cannot be done.
    """
    check(params)
    end = time.monotonic() + params['timeout']
    suits = re.compile('|'.join(fnmatch.translate(one) for one in params['patterns']) or r'(?!)').match
    left, pages, late, changed = params['max_bytes'], 0, 0, False
    lines: List[str] = []
    root = os.open(params['root'], _FOLDER)
    try:
        for folder, name, path in walk(root):
            if not suits(name) or name.endswith(_END):
                continue
            if time.monotonic() > end:
                late += 1
                continue
            try:
                data = page(read_log(folder, name, path, params, lambda: time.monotonic() > end))
                if len(data) > left:
                    lines.append('%s: there are pages of htmlify_logs_max_bytes already' % ascii(path)[1:-1])
                    continue
                changed = write(folder, name + _END, data) or changed
                left -= len(data)
                pages += 1
            except TooLate:
                late += 1
            except FileExistsError:
                lines.append('%s: something else has the name of its page' % ascii(path)[1:-1])
            except OSError as error:
                lines.append('%s: %s' % (ascii(path)[1:-1], error.strerror or error))
    finally:
        os.close(root)
    told = lines[:_TOLD] + (['%d more have no page' % (len(lines) - _TOLD)] if len(lines) > _TOLD else [])
    if late:
        told.append('%d files have no page: not done in time (htmlify_logs_timeout)' % late)
    return {'changed': changed, 'pages': pages, 'lines': told,
            'memory': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def main() -> None:
    """Run as a module."""
    number = {'type': 'int', 'required': True}
    module = AnsibleModule(argument_spec={
        'root': {'type': 'path', 'required': True}, 'patterns': {'type': 'list', 'elements': 'str', 'required': True},
        'max_file_bytes': number, 'max_file_lines': number, 'max_bytes': number, 'timeout': number})
    try:
        module.exit_json(**htmlify(module.params))
    except Refused as error:
        module.fail_json(msg='htmlify-logs: %s' % error)


if __name__ == '__main__':
    main()
