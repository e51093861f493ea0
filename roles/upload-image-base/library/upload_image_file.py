#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Pack an image on a node and weigh it, and send its parts to where one is told."""
from __future__ import annotations

DOCUMENTATION = r'''
module: upload_image_file
short_description: Pack, weigh and send an image that lies on a node
description:
  - Without I(parts) it packs the file when that is wanted, and returns its digests and those of its parts.
  - With I(parts) it sends these, several at a time and each as often as it takes. A part is read when it is sent, and
    nothing is kept in memory.
options:
  path: {description: The image., type: path, required: true}
  compress: {description: Whether it is packed with zstd., type: bool, default: false}
  part_size: {description: Bytes of a part., type: int, default: 67108864}
  timeout: {description: Seconds that it may take., type: int, required: true}
  workers: {description: Parts that are sent at a time., type: int, default: 4}
  parts: {description: What to send and where., type: list, elements: dict}
  reported_as: {description: Start of the names of variables in messages., type: str, required: true}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Weigh an image
  upload_image_file:
    path: /home/zuul/dib-images/one.qcow2
    compress: true
    timeout: 3600
    reported_as: upload_image_s3
'''
RETURN = r'''
refused: {description: What went wrong; C('') when nothing did., type: str, returned: always}
sent: {description: How many parts were sent., type: int, returned: with parts}
file: {description: The file that is to be sent., type: str, returned: without parts}
size: {description: Its size., type: int, returned: without parts}
sent_sha256: {description: Its SHA-256., type: str, returned: without parts}
parts: {description: Size and MD5 of each part., type: list, returned: without parts}
sha256: {description: SHA-256 of the image\, unpacked., type: str, returned: without parts}
md5sum: {description: Its MD5., type: str, returned: without parts}
'''

import concurrent.futures
import hashlib
import http.client
import os
import random
import socket
import stat
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from typing import Any, BinaryIO, Callable, Dict, List, Tuple

ATTEMPTS = 6
MOST_PARTS = 1000
_BLOCK = 1 << 20
_SILENCE = 60       # seconds in which something has to happen
ENDING = '.zst'


class Refused(Exception):
    """It cannot be done; the text is for people."""


class Trouble(Exception):
    """It did not work. It may the next time."""


def opened(path: str) -> BinaryIO:
    """Open a plain file, never by way of a link.

    :raises Refused: it is none.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Refused("the image '%s' cannot be read: %s" % (path, error.strerror)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused("the image '%s' is no plain file" % path)
    return os.fdopen(descriptor, 'rb')


def pack(path: str, stream: BinaryIO, seconds: float) -> str:
    """Pack the file beside itself, if that was not done before, and return the path.

    :raises Refused: it cannot be done.
    """
    packed = path + ENDING
    when = os.fstat(stream.fileno()).st_mtime_ns
    try:
        seen = os.lstat(packed)
        if stat.S_ISREG(seen.st_mode) and seen.st_mtime_ns == when:
            return packed
    except FileNotFoundError:
        pass
    with tempfile.TemporaryDirectory(prefix='.packing-', dir=os.path.dirname(path)) as scratch:
        made = os.path.join(scratch, 'image')
        try:
            with open(made, 'wb') as out:
                done = subprocess.run(['zstd', '-q', '-T0', '-c'], stdin=stream, stdout=out, stderr=subprocess.PIPE,
                                      timeout=seconds, check=False)
        except FileNotFoundError:
            raise Refused('zstd is not on the node: install the package zstd, or have no image packed') from None
        except subprocess.TimeoutExpired:
            raise Refused('it could not be packed in %d seconds' % seconds) from None
        if done.returncode:
            raise Refused('zstd ended with %d: %s' % (done.returncode, done.stderr.decode(errors='replace')[-500:]))
        os.utime(made, ns=(when, when))
        os.replace(made, packed)
    return packed


def part_size(size: int, wanted: int) -> int:
    """Return the size of parts, larger than *wanted* where there would be too many."""
    return max(wanted, -(-size // MOST_PARTS))


def weigh(stream: BinaryIO, size: int, late: Callable[[], None]) -> Tuple[str, str, int, List[Tuple[int, str]]]:
    """Return SHA-256, MD5, size, and size and MD5 of each part of *size* bytes."""
    sha256, md5, parts, total = hashlib.sha256(), hashlib.md5(), [], 0
    stream.seek(0)
    while True:
        part, length = hashlib.md5(), 0
        while length < size:
            late()
            block = stream.read(min(_BLOCK, size - length))
            if not block:
                break
            length += len(block)
            for digest in (sha256, md5, part):
                digest.update(block)
        if length:
            parts.append((length, part.hexdigest()))
            total += length
        if length < size:
            return sha256.hexdigest(), md5.hexdigest(), total, parts


def describe(params: Dict[str, Any]) -> Dict[str, Any]:
    """Pack and weigh the image.

    :raises Refused: it cannot be done.
    """
    end = time.monotonic() + params['timeout']

    def late() -> None:
        if time.monotonic() > end:
            raise Refused('it could not be packed and weighed in %d seconds: let %s_hash_timeout be more'
                          % (params['timeout'], params['reported_as']))
    path = params['path']
    with opened(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if not size:
            raise Refused("the image '%s' is empty" % path)
        plain = weigh(stream, part_size(size, params['part_size']), late)
        if not params['compress']:
            return _described(path, plain, plain)
        stream.seek(0)
        os.lseek(stream.fileno(), 0, os.SEEK_SET)
        packed = pack(path, stream, max(1.0, end - time.monotonic()))
    with opened(packed) as stream:
        sent = weigh(stream, part_size(os.fstat(stream.fileno()).st_size, params['part_size']), late)
    return _described(packed, plain, sent)


def _described(path: str, plain: Tuple[Any, ...], sent: Tuple[Any, ...]) -> Dict[str, Any]:
    return {'file': path, 'sha256': plain[0], 'md5sum': plain[1],
            'sent_sha256': sent[0], 'size': sent[2], 'parts': sent[3]}


class Piece:
    """A part of a file that is read as if it were one."""

    def __init__(self, stream: BinaryIO, offset: int, size: int) -> None:
        self._stream, self._left = stream, size
        stream.seek(offset)

    def read(self, most: int = -1) -> bytes:
        block = self._stream.read(self._left if most < 0 else min(most, self._left))
        self._left -= len(block)
        return block


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def put(stream: BinaryIO, part: Dict[str, Any]) -> None:
    """Send a part once.

    :raises Refused: it is not taken.
    :raises Trouble: it may work the next time.
    """
    headers = {'Content-Type': 'application/octet-stream', **part['headers'], 'Content-Length': str(part['size'])}
    request = urllib.request.Request(part['url'], data=Piece(stream, part['offset'], part['size']), headers=headers,
                                     method='PUT')
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_SILENCE) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        with error:
            why = 'the store says %d %s' % (error.code, error.reason)
            if error.code in (408, 422, 429) or error.code >= 500:
                raise Trouble(why) from None
            raise Refused(why) from None
    except urllib.error.URLError as error:
        raise Trouble('the store cannot be reached: %s' % error.reason) from None
    except (OSError, http.client.HTTPException, socket.timeout) as error:
        raise Trouble('the connection broke: %s' % (error or type(error).__name__)) from None


def send(params: Dict[str, Any], pause: Callable[[float], object] = time.sleep) -> Dict[str, Any]:
    """Send the parts.

    :raises Refused: one is not taken.
    """
    end = time.monotonic() + params['timeout']
    stop = threading.Event()

    def one(part: Dict[str, Any]) -> None:
        for attempt in range(ATTEMPTS):
            if stop.is_set():
                return
            if time.monotonic() > end:
                raise Refused('not all was sent in %d seconds: let %s_timeout be more'
                              % (params['timeout'], params['reported_as']))
            try:
                with opened(params['path']) as stream:
                    return put(stream, part)
            except Trouble as error:
                if attempt == ATTEMPTS - 1:
                    raise Refused('%s (tried %d times)' % (error, ATTEMPTS)) from None
                pause(2 ** attempt * random.uniform(0.25, 0.5))

    def one_of_all(part: Dict[str, Any]) -> None:
        try:
            one(part)
        except BaseException:
            stop.set()
            raise

    with concurrent.futures.ThreadPoolExecutor(params['workers']) as pool:
        jobs = [pool.submit(one_of_all, part) for part in params['parts']]
        for job in jobs:
            job.result()
    return {'sent': len(jobs)}


def main() -> None:
    """Run as a module."""
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(argument_spec={
        'path': {'type': 'path', 'required': True}, 'compress': {'type': 'bool', 'default': False},
        'part_size': {'type': 'int', 'default': 67108864}, 'timeout': {'type': 'int', 'required': True},
        'workers': {'type': 'int', 'default': 4}, 'parts': {'type': 'list', 'elements': 'dict'},
        'reported_as': {'type': 'str', 'required': True}})
    params = module.params
    wrong = ['%s_%s is %d: it must be at least %d' % (params['reported_as'], name, params[key], least)
             for name, key, least in (('part_size', 'part_size', 1 << 16), ('workers', 'workers', 1),
                                      ('timeout' if params['parts'] else 'hash_timeout', 'timeout', 1))
             if params[key] < least]
    try:
        if wrong:
            raise Refused('; '.join(wrong))
        work = describe if params['parts'] is None else send
        result = {'refused': '', 'changed': bool(params['parts']), **work(params)}
    except Refused as error:
        result = {'refused': str(error), 'changed': False}
    module.exit_json(**result)


if __name__ == '__main__':
    main()
