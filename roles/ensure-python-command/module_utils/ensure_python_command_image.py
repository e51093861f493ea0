# SPDX-License-Identifier: Apache-2.0
"""The first rung: a command that the node has already, and the version behind it."""
from __future__ import annotations

import os
import shutil
import sys
from inspect import getsource
from typing import Callable, Dict, List, Tuple

from ansible.module_utils import ensure_python_command_pep440 as pep440
from ansible.module_utils.ensure_python_command_request import Refused, Request

#: runs an argv for at most so many seconds, and returns exit code, standard output and standard error
Run = Callable[..., Tuple[int, str, str]]
#: why a place was not used: keys source, where, why
Passed = List[Dict[str, str]]
#: another interpreter's way to :func:`whole`, whose source goes before
_ASK = """
import sys
try:
    print(whole(*sys.argv[1:]))
except LookupError as error:
    sys.exit(str(error))
"""


def whole(package: str, *path: str) -> str:
    """The version of *package* where *path*, else this interpreter, looks for packages.

    Ten times faster than the command itself. Raises LookupError where a file of it or of what it requires is gone.
    Runs in other interpreters too, from its source: it uses nothing of this module.
    """
    import os
    import re
    import sys
    from importlib.metadata import Distribution, distributions

    def look(name: str) -> Distribution:
        found = next(iter(distributions(name=name, path=list(path) or sys.path)), None)
        if found is None:
            raise LookupError(f'{name} is not there')
        if found.read_text('RECORD'):
            for file in found.files or ():
                if file.suffix != '.pyc' and not os.path.exists(file.locate()):
                    raise LookupError(f'{name} lacks {file}')
        return found

    own = look(package)
    for line in own.requires or ():
        if ';' not in line:
            look(re.split(r'[^\w.-]', line, maxsplit=1)[0])
    return own.version


def find(request: Request, own: str, passed: Passed, run: Run) -> tuple[str, str] | None:
    """The first copy that satisfies the request, as (path, version); the others are told in *passed*.

    What lies below *own* and a dash we made ourselves: it is judged by its digest, unless the caller names it.
    """
    for path in candidates(request, shutil.which):
        if not os.path.lexists(path) or (os.path.realpath(path).startswith(own + '-') and path != request.existing):
            continue
        try:
            version = installed_version(path, request.package, run)
        except (Refused, OSError) as error:
            passed.append({'source': 'image', 'where': path, 'why': str(error)})
            continue
        if pep440.satisfies(version, request.version):
            return path, version
        passed.append({'source': 'image', 'where': path, 'why': f'{version} does not satisfy {request.version}'})
    return None


def candidates(request: Request, which: Callable[[str], str | None]) -> list[str]:
    """Paths where the image may have the command, best first, without repetition."""
    paths: list[str] = []
    for wish in (request.existing, request.name):
        # an empty wish, or a bare name that PATH does not have, is no path
        path = wish if os.path.isabs(wish) else (which(wish) if wish else None)
        paths.append(path or '')
    paths.append(f'/usr/{request.name}-env/bin/{request.name}')
    paths.append(request.public)
    return list(dict.fromkeys(path for path in paths if path))


def interpreter_of(command: str) -> str | None:
    """The Python that runs *command*: its environment's, else the one its first line names; None for other programs."""
    folder = os.path.dirname(os.path.realpath(command))
    if os.path.exists(os.path.join(folder, os.pardir, 'pyvenv.cfg')):
        return os.path.join(folder, 'python')
    with open(command, 'rb') as stream:
        first = stream.readline(512)
    if not first.startswith(b'#!'):
        return None
    words = os.fsdecode(first[2:]).split()
    if words and os.path.basename(words[0]) == 'env':
        words = [shutil.which(word) or word for word in words[1:2]]
    return words[0] if words and 'python' in os.path.basename(words[0]) else None


def packages_of(interpreter: str) -> str:
    """Where the environment of *interpreter* has packages for this Python; empty where it is no environment's."""
    home = os.path.dirname(os.path.dirname(interpreter))
    if not os.path.exists(os.path.join(home, 'pyvenv.cfg')):
        return ''
    return os.path.join(home, 'lib', 'python{}.{}'.format(*sys.version_info), 'site-packages')


def installed_version(command: str, package: str, run: Run) -> str:
    """Ask for the version of *package* behind *command*. Raises Refused with the reason where that fails."""
    if not os.path.exists(command):
        raise Refused('not there')
    if not (os.path.isfile(command) and os.access(command, os.X_OK)):
        raise Refused('not an executable file')
    interpreter = interpreter_of(command)
    packages = packages_of(interpreter or '')
    if packages and os.path.realpath(interpreter or '') == os.path.realpath(sys.executable):
        try:    # that it runs is seen: it runs this
            return whole(package, packages)
        except LookupError:
            pass    # it may have packages from elsewhere too, and knows best
    argv = [command, '--version']
    if interpreter:
        argv = [interpreter, '-I', '-c', f'from __future__ import annotations\n{getsource(whole)}\n{_ASK}', package]
    code, out, err = run(argv, timeout=30)
    if code != 0:
        raise Refused('does not run: ' + ((err or out).strip().splitlines() or [f'exit code {code}'])[-1])
    for word in out.split():
        try:
            pep440.version(word)
        except pep440.InvalidVersion:
            continue
        return word
    raise Refused('tells no version')
