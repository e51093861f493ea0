"""The parts of "zuul-local test": each runs its tools and returns its cases."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zuul_local import process
from zuul_local.environment.services import services
from zuul_local.environment.stores import stores
from zuul_local.errors import INTERRUPTED
from zuul_local.testing import tools as commands
from zuul_local.testing.outcome import FAILED, PASSED, SKIPPED, Case, line_of
from zuul_local.testing.tools import Tools

PROCESSES = 2

Part = Callable[[Tools, Path, float], list[Case]]
"""Takes the tools, the library's folder, and the seconds after which it is ended."""


def linters(tools: Tools, root: Path, seconds: float) -> list[Case]:
    """Run the linters, two at a time; what a failing one says is printed."""
    with ThreadPoolExecutor(PROCESSES) as pool:
        waiting = [pool.submit(_once, name, argv, tools, root, seconds)
                   for name, argv in commands.linters(tools, root).items()]
        return [_shown(result.result()) for result in waiting]


def documentation(tools: Tools, root: Path, seconds: float) -> list[Case]:
    """Build the documentation."""
    return [_shown(_once('sphinx', commands.sphinx(tools), tools, root, seconds))]


def unit(tools: Tools, root: Path, seconds: float) -> list[Case]:
    """Run the unit tests in parallel; only failures and the number are printed."""
    return _stestr('unit', tools, root, seconds, processes=PROCESSES, quiet=True)


def functional(tools: Tools, root: Path, seconds: float) -> list[Case]:
    """Run the tests on real nodes, one after another: they share two cores with the nodes."""
    return _stestr('functional', tools, root, seconds, processes=1, quiet=False)


def self_test(tools: Tools, root: Path, seconds: float) -> list[Case]:
    """Run what a change asks for of the self-tests of roles."""
    from zuul_local.testing import selftests  # Zuul's own modules: the other parts do without them
    return selftests.run(root, seconds)


def e2e(tools: Tools, root: Path, seconds: float) -> list[Case]:
    """Run the tests that a whole Zuul and a Gerrit are started for."""
    if os.geteuid():
        return [_shown(Case('tests.e2e', SKIPPED, 0, 'only root reaches the addresses of nodes; use sudo'))]
    stack = commands.stack(tools, root, services())
    return _stestr('e2e', tools, root, seconds, processes=1, quiet=False, beside=stack)


def publish(tools: Tools, root: Path, seconds: float) -> list[Case]:
    """Run the tests of roles that publish in object stores, with such stores on this machine."""
    found = stores()
    return _stestr('publish', tools, root, seconds, processes=1, quiet=False,
                   beside=('env', f'{commands.STORES}={found.venv}', f'{commands.MODULES}={found.modules}'))


PARTS: dict[str, Part] = {'linters': linters, 'unit': unit, 'functional': functional, 'publish': publish, 'e2e': e2e,
                          'self-test': self_test, 'docs': documentation}


def _once(name: str, argv: tuple[str, ...], tools: Tools, root: Path, longest: float) -> Case:
    begun = time.monotonic()
    env = commands.environment(tools, root, os.environ)
    try:
        done = process.run(argv, cwd=root, env=env, timeout=longest, check=False)
    except process.ProcessError as error:
        return Case(name, FAILED, time.monotonic() - begun, str(error))
    seconds = time.monotonic() - begun
    if done.returncode == 0:
        return Case(name, PASSED, seconds)
    said = '\n'.join(text.strip() for text in (done.stdout, done.stderr) if text.strip())
    return Case(name, FAILED, seconds, said or f'It ended with {done.returncode} and said nothing.')


def _shown(case: Case) -> Case:
    print(line_of(case), file=sys.stderr, flush=True)
    return case


def _stestr(
    part: str, tools: Tools, root: Path, seconds: float, *, processes: int, quiet: bool, beside: tuple[str, ...] = (),
) -> list[Case]:
    """Run the tests in tests/*part*; *beside* is what the command stands behind that does so."""
    with tempfile.TemporaryDirectory(prefix='zuul-local-test-') as folder:
        result = Path(folder, 'cases.json')
        argv = (*beside, tools.program('python'), '-m', 'zuul_local.testing.watch', str(root), str(result),
                str(seconds), str(int(quiet)), *commands.stestr(tools, part, processes))
        code = process.show(argv, cwd=root, env=commands.plain_environment(root, os.environ))
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        if not result.exists():
            return [_shown(Case(part, FAILED, detail=f'The tests ended with {code} before they could be counted.'))]
        return [Case(**case) for case in json.loads(result.read_text(encoding='utf-8'))]
