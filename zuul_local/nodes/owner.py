"""Who a run's containers, networks and folders belong to: a process, told by its number and start time."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from zuul_local import paths

OWNER = 'zuul-local'                    # label of containers and networks: see me()
RUN = 'zuul-local.run'                  # label: the run they belong to
KEEP = 'zuul-local.keep'                # label: they outlive their run
NODE = 'zuul-local.node'                # label: what the job calls the node
LABEL = 'zuul-local.label'              # label: what kind of node it is
FILE = 'owner'                          # in the folder of a run: see me()


def me() -> str:
    """Return '<pid>:<start time>' of this process."""
    return of(os.getpid())


def of(pid: int) -> str:
    """Return '<pid>:<start time>' of process *pid*, in ticks since boot; the time is empty when it is gone."""
    try:
        after_name = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return f'{pid}:'
    return f'{pid}:' if after_name[0] in 'ZX' else f'{pid}:{after_name[19]}'


def alive(owner: str) -> bool:
    """Return whether the process that *owner* names still runs; words that name none do not."""
    pid, _, start = owner.partition(':')
    return pid.isdigit() and bool(start) and of(int(pid)) == owner


def claim(folder: Path) -> None:
    """Write into the folder of a run that it belongs to this process."""
    (folder / FILE).write_text(me())


@contextlib.contextmanager
def folder_of_run(name: str) -> Iterator[Path]:
    """Make the folder *name* of a run, which the next run removes should this process be killed."""
    folder = paths.runs_dir() / name
    folder.mkdir(mode=0o700)
    claim(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def claimed(folder: Path) -> str:
    """Return the owner of the folder of a run; empty when nobody claimed it yet."""
    try:
        return (folder / FILE).read_text()
    except OSError:
        return ''
