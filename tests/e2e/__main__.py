"""Start the stack, run a command beside it, and stop the stack.

Usage: python -m tests.e2e --zuul VENV --jars FOLDER --keep FOLDER -- COMMAND...

The command finds the stack through the variable ZLOCAL_E2E. Its exit code is ours; when it is not 0, the work folder is
copied to FOLDER, with all logs.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys
from pathlib import Path

from tests.e2e import stack
from tests.e2e.work import Trouble, Work
from zuul_local import environment, process
from zuul_local.errors import FAILURE, INTERRUPTED, UserError
from zuul_local.nodes import container, owner, podman
from zuul_local.nodes.keeper import MARK, Keeper
from zuul_local.paths import LIBRARY


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog='python -m tests.e2e')
    parser.add_argument('--zuul', type=Path, required=True)
    parser.add_argument('--jars', type=Path, required=True)
    parser.add_argument('--keep', type=Path, required=True)
    parser.add_argument('command', nargs='+')
    args = parser.parse_args(argv)
    process.heed_termination()
    here = environment.current()
    needed = stack.Needed(args.zuul, args.jars, here.ansible_root, here.python_prefix)
    try:
        engine = podman.find_podman()
        container.reap(engine)
        run_id = secrets.token_hex(4)
        with owner.folder_of_run(run_id) as folder:
            keeper = Keeper.start(run_id, engine.argv(), folder)
            try:
                code = beside(Work(folder, run_id), needed, args.command)
                if code:
                    keep(folder, args.keep)
                return code
            finally:
                keeper.release()
    except UserError as error:
        print(f'{error.message}\n{error.hint}', file=sys.stderr)
        return FAILURE


def beside(work: Work, needed: stack.Needed, command: list[str]) -> int:
    """Run *command* beside the stack; return its exit code."""
    try:
        with stack.running(work, needed) as state:
            return process.show(command, cwd=LIBRARY, env={**os.environ, 'ZLOCAL_E2E': str(state), MARK: work.run_id})
    except (Trouble, process.ProcessError) as error:
        print(error, file=sys.stderr)
        return FAILURE


def keep(folder: Path, target: Path) -> None:
    """Copy what the stack left to *target*, for people."""
    if target.exists():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, target, symlinks=True, ignore=special)
    print(f'The logs of all services are in {target}.', file=sys.stderr)


def special(folder: str, names: list[str]) -> list[str]:
    """Return the *names* in *folder* that cannot be copied, or that nobody reads later."""
    return [name for name in names if name in ('certificates', 'data', 'git', 'sources')
            or not ((path := Path(folder, name)).is_file() or path.is_dir())]


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
