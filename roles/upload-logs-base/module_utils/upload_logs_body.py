# SPDX-License-Identifier: Apache-2.0
"""What is sent for a file: its bytes as they were when it was opened, packed if that is worth it."""
from __future__ import annotations

import gzip
import hashlib
import io
import os
import tempfile
from typing import IO, Any, Iterator, Tuple, cast

from ansible.module_utils.upload_logs_headers import HEAD, Headers, headers
from ansible.module_utils.upload_logs_tree import Unreadable

_CHUNK = 1 << 18


class Slice(io.RawIOBase):
    """The first *size* bytes of a file that may still grow; it takes over the descriptor *handle*."""

    def __init__(self, handle: int, size: int) -> None:
        self._handle, self._size, self._at = handle, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = os.pread(self._handle, min(len(buffer), max(0, self._size - self._at)), self._at)
        if not data and len(buffer) and self._at < self._size:
            raise Unreadable('it became shorter meanwhile')
        buffer[:len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._handle)
        super().close()


class Body:
    """A stream at its beginning, its size and MD5, and its headers. A context manager."""

    def __init__(self, stream: IO[bytes], said: Headers) -> None:
        self.stream, self.headers = stream, said
        digest = hashlib.new('md5', usedforsecurity=False)      # what stores compare
        self.size = 0
        for data in chunks(stream):
            digest.update(data)
            self.size += len(data)
        self.md5 = digest.hexdigest()
        stream.seek(0)

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()


def of_file(handle: int, name: str, scratch: str) -> Body:
    """Return what is sent for the file *name* with the descriptor *handle*, which it takes over.

    :param scratch: folder for what is packed.
    :raises Unreadable: it cannot be read.
    """
    plain = Slice(handle, os.fstat(handle).st_size)
    stream = cast(IO[bytes], plain)
    try:
        said = headers(name, stream.read(HEAD), plain.seek(0, os.SEEK_END))
        plain.seek(0)
        if said.pack:
            stream, said = _packed(stream, said, scratch)
        return Body(stream, said)
    except OSError as error:
        stream.close()
        raise Unreadable(error.strerror or str(error)) from error
    except BaseException:
        stream.close()
        raise


def of_text(data: bytes, content_type: str) -> Body:
    """Return what is sent for a page that was made."""
    return Body(io.BytesIO(data), Headers(content_type, '', False))


def chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what is left of a stream."""
    while True:
        data = stream.read(_CHUNK)
        if not data:
            return
        yield data


def _packed(stream: IO[bytes], said: Headers, scratch: str) -> Tuple[IO[bytes], Headers]:
    """Return *stream* packed, or as it is where the disk is full. The same bytes always become the same ones."""
    new: IO[bytes] = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115
    try:
        with gzip.GzipFile(filename='', mode='wb', fileobj=new, mtime=0, compresslevel=6) as packer:
            for data in chunks(stream):
                packer.write(data)
        new.seek(0)
    except OSError:
        new.close()
        stream.seek(0)
        return stream, said._replace(encoding='')
    except BaseException:
        new.close()
        raise
    stream.close()
    return new, said
