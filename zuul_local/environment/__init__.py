"""The environment that this process runs in, and environments for tools."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from zuul_local.errors import UserError


@dataclass(frozen=True)
class Environment:
    """What ``./zuul-local`` prepared.

    :param root: folder of it all, absolute and free of links; ``zuul/`` in it is the environment of this process.
    :param ansible_root: folder of the Ansible environments, one folder for each version, named as Zuul names them.
    :param python_prefix: where the Python behind them lives when that is outside /usr, for sandboxes that must see it.
    """

    root: Path
    ansible_root: Path
    python_prefix: Path | None = None


def current() -> Environment:
    """Return the environment of this process.

    :raises UserError: it was not started through ``./zuul-local``.
    """
    root = Path(os.environ.get('ZLOCAL_ENV') or '/nonexistent')
    try:
        ready = json.loads((root / 'READY').read_text())
    except OSError:
        raise UserError(f'No complete environment: ZLOCAL_ENV is {os.environ.get("ZLOCAL_ENV", "not set")!r}.',
                        'Start through ./zuul-local, which prepares one.') from None
    prefix = ready['python_prefix']
    return Environment(root, root / 'ansible', Path(prefix) if prefix else None)
