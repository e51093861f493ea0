# SPDX-License-Identifier: Apache-2.0
"""What a Python interpreter of the node has, lacks, and whose it is."""
from __future__ import annotations

import json
import os
import re
import shutil
from typing import Any, Callable, List, NamedTuple, Tuple

OLDEST = (3, 8)
#: asked in any Python, so written for any; what the package manager split off looks like a folder without a file
_ASK = """
import json, sys
if sys.version_info < (3, 8):
    print(json.dumps({'version': list(sys.version_info[:2])}))
    sys.exit()
import glob, importlib.util, os, sysconfig
def has(name):
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        return False
    return spec is not None and bool(spec.has_location)
wanted = {'pip': has('pip.__main__'), 'venv': has('venv'), 'ensurepip': has('ensurepip'),
          'packaging or setuptools': has('packaging') or has('setuptools')}
standard = sysconfig.get_path('stdlib')
print(json.dumps({
    'version': list(sys.version_info[:2]), 'prefix': sys.prefix, 'in_venv': sys.prefix != sys.base_prefix,
    'marked': os.path.exists(os.path.join(standard, 'EXTERNALLY-MANAGED')),
    'missing': [name for name in wanted if not wanted[name]],
    'folders': [sysconfig.get_path('purelib'), sysconfig.get_path('scripts')],
    'wheels': sorted(glob.glob(os.path.join(standard, 'ensurepip', '_bundled', 'pip-*.whl')))}))
"""
#: command -> what it is asked whether a package owns a file
_OWNERS = (('dpkg-query', ['-S']), ('rpm', ['-qf']))
Run = Callable[[List[str]], Tuple[int, str, str]]


class Refused(Exception):
    """The request cannot be met; each of *problems* is for people."""

    def __init__(self, *problems: str) -> None:
        super().__init__('\n'.join(problems))
        self.problems = problems


class Interpreter(NamedTuple):
    """An answer: *path* as it was found, *version* as in 3.11, *folders* that pip would write to, pip *wheels*."""

    path: str
    version: str
    prefix: str = ''
    in_venv: bool = False
    marked: bool = False
    missing: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    wheels: tuple[str, ...] = ()

    @property
    def too_old(self) -> bool:
        return tuple(int(part) for part in self.version.split('.')) < OLDEST


def look_at(name: str, run: Run) -> Interpreter:
    """Ask the interpreter *name*, a path or a command. Raises Refused when it is not there or does not run."""
    path = shutil.which(name)
    if path is None:
        raise Refused(f"'{name}' is no interpreter on the node: no such command or file that can be executed.")
    code, out, err = run([path, '-I', '-c', _ASK])
    if code != 0:
        raise Refused(f"'{name}' does not run: {(err or out).strip()}")
    try:
        answer: dict[str, Any] = json.loads(out)
        major, minor = answer.pop('version')
    except (ValueError, AttributeError, KeyError, TypeError):
        raise Refused(f"'{name}' is no Python: it answers {out.strip()[:200]!r}.") from None
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in answer.items()}
    return Interpreter(path, f'{major}.{minor}', **fields)


def owner(interpreter: Interpreter, run: Run) -> str:
    """Say whose the interpreter is when it is the system's; empty for any other, which pip may write to."""
    if interpreter.in_venv:
        return ''
    if interpreter.marked:
        return 'it is marked as externally managed, PEP 668'
    file = os.path.realpath(interpreter.path)
    for command, options in _OWNERS:
        if shutil.which(command):
            code, out, _ = run([command, *options, file])
            if code == 0:
                return f'package {out.split(":")[0].strip()} owns {file}'
    return "it lies in /usr, which is the distribution's" if interpreter.prefix == '/usr' else ''


def is_writable(interpreter: Interpreter) -> bool:
    """Whether the current user may write where pip would."""
    for folder in interpreter.folders:
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        if not os.access(folder, os.W_OK | os.X_OK):
            return False
    return True


def without_credentials(text: str) -> str:
    """A text of other programs as it may be shown: addresses lose user and password."""
    return re.sub(r'(?<=://)[^/\s@\'"]*@', '', text)


def refusal(problems: tuple[str, ...]) -> str:
    """One message for all blockers."""
    count = '1 problem' if len(problems) == 1 else f'{len(problems)} problems'
    return '\n'.join([f'ensure-pip: cannot continue, {count}:'] + [f'  - {problem}' for problem in problems])
