#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Publish a build's logs in a folder of the executor, all at once."""
from __future__ import annotations

DOCUMENTATION = r'''
module: upload_logs_directory
short_description: Publish a build's logs in a folder of this machine
description:
  - Copies a folder to C(ROOT/PATH). The copy is made in C(ROOT/.incoming), which nobody else can read, and gets its
    place in one step; a copy that is there already is replaced in one step, too. Links are never followed.
  - When something goes wrong nothing is published, and what was published before stays.
options:
  source: {description: Folder with the logs., type: path, required: true}
  root: {description: Folder with the logs of all builds. It has to be there., type: path, required: true}
  path: {description: Where they go in it., type: str, required: true}
  url: {description: URL of I(root)., type: str, required: true}
  timeout: {description: Seconds it may take., type: int, required: true}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Publish
  upload_logs_directory:
    source: "{{ zuul.executor.log_root }}"
    root: /srv/logs
    path: "{{ zuul_log_path }}"
    url: https://logs.example.org
    timeout: 300
'''
RETURN = r'''
log_url: {description: URL of the logs., type: str, returned: success}
files: {description: Files that were published., type: int, returned: success}
skipped: {description: What was neither file nor folder., type: int, returned: success}
'''

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import stat
import time
import urllib.parse
from typing import Any, Callable, Dict, List

from ansible.module_utils.basic import AnsibleModule

INCOMING = '.incoming'
#: Zuul keeps no longer one
LONGEST_URL = 254
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
# Each costs two open files.
_DEEPEST = 400
_ABANDONED = 86400      # seconds
_EXCHANGE = 2
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Refused(Exception):
    """Nothing was published. The message says why and what to do."""


def log_url(url: str, path: str) -> str:
    """Return the URL of the folder *path*, as Zuul reports it."""
    return url.rstrip('/') + '/' + urllib.parse.quote(path) + '/'


def check(params: Dict[str, Any]) -> List[str]:
    """Return the names that the path is made of.

    :raises Refused: something makes no sense; the message has all that does not.
    """
    names = str(params['path']).split('/')
    problems = []
    if any(name.startswith('.') or not name.isprintable() or not name or '\\' in name for name in names):
        problems.append("upload_logs_directory_path is %r: it must be names with '/' between them, none of which "
                        'begins with a dot' % params['path'])
    if not urllib.parse.urlsplit(params['url']).netloc or not params['url'].startswith(('http://', 'https://')):
        problems.append('upload_logs_directory_url is %r: it must be the http(s) URL under which '
                        'upload_logs_directory_root is served' % params['url'])
    elif len(log_url(params['url'], params['path'])) > LONGEST_URL:
        problems.append('upload_logs_directory_url and _path make a URL of %d characters: Zuul reports none of more '
                        'than %d' % (len(log_url(params['url'], params['path'])), LONGEST_URL))
    if params['timeout'] < 1:
        problems.append('upload_logs_directory_timeout is %d: it must be at least 1' % params['timeout'])
    for name in ('source', 'root'):
        try:
            os.close(os.open(params[name], _FOLDER))
        except OSError as error:
            problems.append("upload_logs_directory_%s is '%s': %s. It must be a folder, and no link%s" % (
                name, params[name], error.strerror,
                '; if it is there, name it in trusted_rw_paths of zuul.conf' if name == 'root' else ''))
    if problems:
        raise Refused('nothing was published, %d problem%s:\n%s' % (
            len(problems), 's' if len(problems) > 1 else '', '\n'.join('  - ' + line for line in problems)))
    return names


class Copy:
    """Copies folders and plain files, and nothing else.

    :ivar files: how many files there are.
    :ivar skipped: how many things were neither.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.files = self.skipped = 0

    def folder(self, source: int, target: int, depth: int = 0) -> None:
        """Copy what is in one folder to another, both given as descriptors.

        :raises Refused: the time is over, or somebody has built a tower.
        """
        if depth > _DEEPEST:
            raise Refused('nothing was published: there are more than %d folders in each other' % _DEEPEST)
        for name in os.listdir(source):
            if time.monotonic() > self._end:
                raise Refused('nothing was published: not done in time (upload_logs_directory_timeout)')
            self._entry(name, source, target, depth)

    def _entry(self, name: str, source: int, target: int, depth: int) -> None:
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            os.mkdir(name, 0o755, dir_fd=target)
            inside, made = os.open(name, _FOLDER, dir_fd=source), os.open(name, _FOLDER, dir_fd=target)
            try:
                self.folder(inside, made, depth + 1)
            finally:
                os.close(inside)
                os.close(made)
        elif stat.S_ISREG(status.st_mode):
            self._file(name, source, target)
        else:
            self.skipped += 1

    def _file(self, name: str, source: int, target: int) -> None:
        with open(os.open(name, _FILE, dir_fd=source), 'rb') as old, \
                open(os.open(name, _NEW, 0o644, dir_fd=target), 'wb') as new:
            status = os.fstat(old.fileno())
            left = status.st_size       # Zuul still writes to one
            while left > 0:
                data = old.read(min(_CHUNK, left))
                if not data:
                    break
                new.write(data)
                left -= len(data)
            new.flush()
            os.fchmod(new.fileno(), 0o755 if status.st_mode & stat.S_IXUSR else 0o644)
            os.utime(new.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
        self.files += 1


def publish(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: nothing was published.
    """
    os.umask(0o022)
    names = check(params)
    copy = Copy(params['timeout'])
    source, root = os.open(params['source'], _FOLDER), os.open(params['root'], _FOLDER)
    incoming = -1
    name = secrets.token_hex(16)
    try:
        incoming = enter(root, [INCOMING], 0o700)
        clear(incoming, lambda entry: entry == name or age(incoming, entry) > _ABANDONED)
        os.mkdir(name, 0o755, dir_fd=incoming)
        new = os.open(name, _FOLDER, dir_fd=incoming)
        try:
            copy.folder(source, new)
        finally:
            os.close(new)
        above = enter(root, names[:-1], 0o755)
        try:
            place(incoming, name, above, names[-1])
        finally:
            os.close(above)
    except OSError as error:
        full = '. The disk is full: make room, then recheck' if error.errno in _FULL else ''
        raise Refused("nothing was published to '%s': %s%s%s" % (
            params['root'], error.strerror, ' (%s)' % error.filename if error.filename else '', full)) from error
    finally:
        if incoming >= 0:
            clear(incoming, lambda entry: entry == name)
        for folder in (source, root, incoming):
            if folder >= 0:
                os.close(folder)
    return {'changed': True, 'log_url': log_url(params['url'], params['path']), 'files': copy.files,
            'skipped': copy.skipped}


def enter(folder: int, names: List[str], mode: int) -> int:
    """Return a descriptor of the folder below, made where it is missing, never through a link."""
    here = os.dup(folder)
    for name in names:
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, mode, dir_fd=here)
            deeper = os.open(name, _FOLDER, dir_fd=here)
        finally:
            os.close(here)
        here = deeper
    return here


def place(incoming: int, name: str, above: int, last: str) -> None:
    """Move the folder *name* to its place in one step. What was there is in *incoming* then, under this name.

    :raises OSError: something else than a folder is there.
    """
    try:
        os.rename(name, last, src_dir_fd=incoming, dst_dir_fd=above)
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(incoming, os.fsencode(name), above, os.fsencode(last), _EXCHANGE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), last)


def age(folder: int, name: str) -> float:
    """Return for how many seconds nothing was added to a folder."""
    return time.time() - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime


def clear(incoming: int, chosen: Callable[[str], bool]) -> None:
    """Remove what is *chosen* by its name."""
    for entry in os.listdir(incoming):
        with contextlib.suppress(OSError):      # another build may remove it, too
            if chosen(entry):
                shutil.rmtree('/proc/self/fd/%d/%s' % (incoming, entry))


def main() -> None:
    """Run as a module."""
    text, path = {'type': 'str', 'required': True}, {'type': 'path', 'required': True}
    module = AnsibleModule(argument_spec={'source': path, 'root': path, 'path': text, 'url': text,
                                          'timeout': {'type': 'int', 'required': True}})
    try:
        module.exit_json(**publish(module.params))
    except Refused as error:
        module.fail_json(msg='upload-logs-directory: %s' % error)


if __name__ == '__main__':
    main()
