# SPDX-License-Identifier: Apache-2.0
"""Files of the node: read, written in one step, with what was there before kept once."""
from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from typing import Any

STATE = '/var/lib/zuul-configure-mirrors'


def read(path: str) -> str | None:
    """What a file has; None when it is not there. Bytes that are no UTF-8 survive."""
    try:
        with open(path, encoding='utf-8', errors='surrogateescape', newline='') as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(path: str, text: str, owner: tuple[int, int], mode: int = 0o644) -> None:
    """Put *text* at *path* in one step; one that is there keeps its owner and mode, and a link stays one.

    :param owner: user and group of a file, and of folders on the way, that are not there.
    """
    path = os.path.realpath(path)
    _make_folders(os.path.dirname(path), owner)
    if os.path.exists(path):
        now = os.stat(path)
        owner, mode = (now.st_uid, now.st_gid), now.st_mode & 0o7777
    handle, new = tempfile.mkstemp(prefix='.mirror-', dir=os.path.dirname(path))
    try:
        with open(handle, 'w', encoding='utf-8', errors='surrogateescape', newline='') as stream:
            stream.write(text)
            os.fchown(handle, *owner)
            os.fchmod(handle, mode)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def _make_folders(folder: str, owner: tuple[int, int]) -> None:
    if os.path.isdir(folder):
        return
    _make_folders(os.path.dirname(folder), owner)
    os.mkdir(folder, 0o755)
    os.chown(folder, *owner)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()


class Store:
    """What files were before this role first wrote them.

    ``manifest.json`` has for each path the name of the copy beside it, null for a file that was not there, and the
    sha256 of all that was written since.
    """

    def __init__(self, folder: str = STATE) -> None:
        self.folder = folder
        self.manifest: dict[str, dict[str, Any]] = json.loads(read(self._path('manifest.json')) or '{}')

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def base(self, path: str) -> str | None:
        """The text to start from: what was there before us, unless others have written the file since."""
        now = read(path)
        return self.original(path) if self.is_ours(path, now) else now

    def is_ours(self, path: str, text: str | None) -> bool:
        return text is not None and digest(text) in self.manifest.get(path, {}).get('written', [])

    def original(self, path: str) -> str | None:
        name = self.manifest[path]['original']
        return None if name is None else read(self._path(name))

    def remember(self, path: str, text: str) -> None:
        """Keep what is at *path*, unless something is kept already, and note that *text* comes to be there."""
        if path not in self.manifest:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            name = None
            if os.path.exists(path):
                name = f'{len(self.manifest)}-{os.path.basename(path)}'
                shutil.copy2(path, self._path(name))
            self.manifest[path] = {'original': name, 'written': []}
        written = self.manifest[path]['written']
        if digest(text) not in written:
            written.append(digest(text))
        write(self._path('manifest.json'), json.dumps(self.manifest, indent=2) + '\n', (0, 0), 0o600)

    def changed_by_others(self) -> list[str]:
        """The paths that neither hold what this role wrote nor what was there before."""
        return [path for path in self.manifest
                if not self.is_ours(path, read(path)) and read(path) != self.original(path)]

    def restore(self) -> list[str]:
        """Put back all that was there before, and forget it. Return the paths that were not so already."""
        changed = []
        for path in list(self.manifest):
            before = self.original(path)
            if read(path) != before:
                changed.append(path)
                if before is None:
                    os.unlink(path)
                else:
                    write(path, before, (0, 0))
        shutil.rmtree(self.folder, ignore_errors=True)
        self.manifest = {}
        return changed
