"""Where things lie: the library, the caches of this user, and the folder of one run."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from zuul_local.errors import UserError

LIBRARY = Path(__file__).resolve().parent.parent


def cache_dir() -> Path:
    """Return the folder of everything that can be made again (XDG base directory specification)."""
    base = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(base).expanduser() / 'zuul-local'


def runs_dir() -> Path:
    """Return the folder that holds the folders of the runs of this user, made private.

    The path is short on purpose: ssh's control socket lies 70 characters below the folder of a run, and the kernel
    takes 108 in all (unix(7)).

    :raises UserError: somebody else owns that name.
    """
    # inside `podman unshare` everybody is root, and podman says who it really is
    path = Path(f'/tmp/zl-{os.environ.get("_CONTAINERS_ROOTLESS_UID") or os.getuid()}')
    path.mkdir(mode=0o700, exist_ok=True)
    seen = path.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
        raise UserError(f'{path} is not a private folder of yours: somebody else made it.', f'Remove or rename {path}.')
    return path
