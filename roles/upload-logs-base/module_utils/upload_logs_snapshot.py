# SPDX-License-Identifier: Apache-2.0
"""A second tree with the plain files of one that strangers have filled, for programs that follow links."""
from __future__ import annotations

import contextlib
import gzip
import os
from typing import Collection, List, Tuple

from ansible.module_utils.upload_logs_body import Slice, chunks
from ansible.module_utils.upload_logs_tree import Folder, Tree, Unreadable


class Snapshot:
    """What became of the files.

    :ivar files: how many there are.
    :ivar links: what was neither file nor folder.
    :ivar problems: (path, why) of files that are not there.
    """

    def __init__(self) -> None:
        self.files = self.links = 0
        self.problems: List[Tuple[str, str]] = []


def take(tree: Tree, target: str, *, live: Collection[str], pack: bool) -> Snapshot:
    """Fill the folder *target*, which nobody else can reach, with hard links to the files of *tree*.

    :param live: files that are still written to: they are copied.
    :param pack: these are packed with gzip, too.
    :raises OSError: it cannot be done, for example because *target* is on another disk.
    """
    made = Snapshot()
    for folder in tree.folders():
        made.links += folder.links
        made.problems += folder.unfit
        above = os.path.join(target, folder.path)
        if folder.path:
            os.mkdir(above, 0o755)
        _fill(tree, folder, above, live, pack, made)
    return made


def _fill(tree: Tree, folder: Folder, above: str, live: Collection[str], pack: bool, made: Snapshot) -> None:
    for entry in folder.entries:
        path = folder.path + entry.name
        if entry.is_folder:
            continue
        try:
            handle = tree.open(path)
        except Unreadable as error:
            made.problems.append((path, str(error)))
            continue
        try:
            if path in live:
                _copy(os.dup(handle), os.path.join(above, entry.name), pack)
            else:
                # The opened file itself, whatever has its name now. Without src_dir_fd Python makes a link to a link.
                os.link('/proc/self/fd/%d' % handle, os.path.join(above, entry.name), src_dir_fd=handle)
            made.files += 1
        except (OSError, Unreadable) as error:
            made.problems.append((path, getattr(error, 'strerror', '') or str(error)))
        finally:
            os.close(handle)


def _copy(handle: int, target: str, pack: bool) -> None:
    with contextlib.closing(Slice(handle, os.fstat(handle).st_size)) as plain:
        if pack:
            with gzip.GzipFile(target + '.gz', 'wb', mtime=0) as packer:
                for data in chunks(plain):
                    packer.write(data)
        else:
            with open(target, 'xb') as new:
                for data in chunks(plain):
                    new.write(data)
