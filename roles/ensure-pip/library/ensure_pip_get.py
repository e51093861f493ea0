#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Install pip into interpreters that are not the system's: from the node's cache, else from where the site has it."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_pip_get
short_description: Install pip into interpreters
description:
  - Installs pip by a get-pip.py whose sha256 is known, or from the package index by the hashes of a lock. Whether an
    interpreter may be written to was asked before by M(ensure_pip_missing).
options:
  interpreters: {description: Interpreters that lack pip., type: list, elements: str, required: true}
  url: {description: Address of get-pip.py; that of upstream means the package index., type: str, required: true}
  sha256: {description: Known sha256 of a get-pip.py., type: list, elements: str, default: []}
  known: {description: Text of the list of hashes that is shipped., type: str, default: ''}
  cache: {description: A get-pip.py on the node., type: path, default: /opt/cache/files/get-pip.py}
  lock: {description: Text of a requirements file with the hashes of pip., type: str, required: true}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Install pip into an interpreter below /opt
  become: true
  ensure_pip_get:
    interpreters: [/opt/python/bin/python3]
    url: https://bootstrap.pypa.io/get-pip.py
    lock: "{{ lookup('ansible.builtin.file', 'pip.txt') }}"
"""
RETURN = r"""
installed: {description: Interpreter and what its pip says of itself., type: dict, returned: success}
passed_over: {description: Places that were not used, and why., type: list, elements: str, returned: success}
"""

import glob
import os
import sys
import tempfile
from typing import Any, Callable, List, NamedTuple, Tuple

from ansible.module_utils import ensure_pip_script as scripts
from ansible.module_utils.ensure_pip_interpreters import (
    Interpreter,
    Refused,
    Run,
    look_at,
    refusal,
    without_credentials,
)

#: runs the pip of a folder of wheels, as ensurepip does: Debian's lies beside what it needs
_RUN = ("import glob, runpy, sys; sys.path[:0] = glob.glob(glob.escape(sys.argv.pop(1)) + '/*.whl'); "
        "runpy.run_module('pip', run_name='__main__', alter_sys=True)")
#: where distributions keep the wheels that ensurepip takes
_WHEELS = '/usr/share/python-wheels/pip-*.whl'
# what is broken looks as if it were installed
_OPTIONS = ('--force-reinstall', '--no-cache-dir', '--disable-pip-version-check')
#: settings of the user that would lead pip somewhere else
UNSET = ('PIP_TARGET', 'PIP_USER', 'PIP_PREFIX', 'PIP_ROOT', 'PIP_REQUIRE_VIRTUALENV', 'PIP_PYTHON')


class Place(NamedTuple):
    """One place that pip may come from: its *name* and the commands that install it, to be tried in this order."""

    name: str
    commands: Callable[[Interpreter], List[Tuple[str, ...]]]


def by_script(path: str, may_use_index: bool) -> Callable[[Interpreter], list[tuple[str, ...]]]:
    """A get-pip.py that carries its pip needs no index; the one of upstream does."""
    def commands(interpreter: Interpreter) -> list[tuple[str, ...]]:
        found = [(interpreter.path, '-I', path, '--isolated', '--no-index', *_OPTIONS)]
        return found + ([(interpreter.path, '-I', path, *_OPTIONS)] if may_use_index else [])
    return commands


def by_index(lock: str, wheels: list[str]) -> Callable[[Interpreter], list[tuple[str, ...]]]:
    """Any pip of the node fetches the locked one: by hash, so it need not be trusted more than the index."""
    def commands(interpreter: Interpreter) -> list[tuple[str, ...]]:
        pips = [*wheels, *interpreter.wheels]
        return [(interpreter.path, '-I', '-c', _RUN, os.path.dirname(pips[-1]), 'install', '--require-hashes',
                 '--no-deps', '--only-binary', ':all:', '--retries', '1', *_OPTIONS, '-r', lock)] if pips else []
    return commands


def places(params: dict[str, Any], folder: str, wheels: list[str], fetch: Callable[..., bytes] = scripts.fetch
           ) -> tuple[list[Place], list[str]]:
    """Where pip may come from, best first, with files made ready in *folder*; and what was passed over.

    :raises Refused: the operator's own address does not give what it should.
    """
    known = scripts.wanted(params['url'], params['sha256'], params['known'])
    found: list[Place] = []
    script, why = scripts.cached(params['cache'], known)
    if script:
        path = _write(folder, 'cached-get-pip.py', script)
        found.append(Place(f"cache {params['cache']}", by_script(path, False)))
    if not known.is_upstream:
        path = _write(folder, 'get-pip.py', script or fetch(known))
        found.append(Place(f'address {without_credentials(known.url)}', by_script(path, True)))
    else:
        lock = _write(folder, 'pip.txt', params['lock'].encode())
        found.append(Place('index the configured package index', by_index(lock, wheels)))
    return found, [f'cache {why}'] if why else []


def _write(folder: str, name: str, data: bytes) -> str:
    path = os.path.join(folder, name)
    with open(path, 'wb') as stream:
        stream.write(data)
    return path


def words_of(said: str) -> str:
    """What pip said, in a few lines: repeated tries once, no credentials."""
    lines = without_credentials(said).strip().splitlines()
    retries = [line for line in lines if 'Retrying (' in line]
    kept = retries[:1] + [line for line in lines if line not in retries and not line.startswith('[notice]')]
    return '\n    '.join(kept)[-2000:]


def fill(interpreter: Interpreter, ladder: list[Place], run: Run) -> tuple[str, list[str]]:
    """Install pip into *interpreter*; return what that pip says of itself and why higher places were not used.

    :raises Refused: no place had it.
    """
    passed: list[str] = []
    for place in ladder:
        commands = place.commands(interpreter)
        if not commands:
            passed.append(f'{place.name}: the node has no pip that could fetch it (ensurepip has none)')
        for argv in commands:
            code, out, err = run(list(argv))
            if code != 0:
                passed.append(f'{place.name}: {words_of(err or out)}')
                continue
            code, out, err = run([interpreter.path, '-I', '-m', 'pip', '--version'])
            if code == 0:
                return out.strip(), passed
            passed.append(f'{place.name}: installed, but it does not run: {words_of(err or out)}')
    raise Refused(*(f'{interpreter.path}: {text}' for text in passed))


def provide(params: dict[str, Any], run: Run) -> dict[str, Any]:
    """Return the task's result. Raises Refused."""
    installed: dict[str, str] = {}
    problems: list[str] = []
    wheels = sorted(glob.glob(_WHEELS)) + list(look_at(sys.executable, run).wheels)
    with tempfile.TemporaryDirectory() as folder:
        ladder, passed = places(params, folder, wheels)
        for name in params['interpreters']:
            try:
                installed[name], reasons = fill(look_at(name, run), ladder, run)
                passed += reasons
            except Refused as error:
                problems.extend(error.problems)
    if problems:
        raise Refused(*passed, *problems, *(f'{name} has it now: {said}' for name, said in installed.items()))
    return {'changed': bool(installed), 'installed': installed, 'passed_over': passed}


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'interpreters': {'type': 'list', 'elements': 'str', 'required': True},
            'url': {'type': 'str', 'required': True},
            'sha256': {'type': 'list', 'elements': 'str', 'default': [], 'no_log': False},
            'known': {'type': 'str', 'default': ''},
            'cache': {'type': 'path', 'default': '/opt/cache/files/get-pip.py'},
            'lock': {'type': 'str', 'required': True},
        },
        supports_check_mode=True)
    if without_credentials(module.params['url']) != module.params['url']:
        module.no_log_values.add(module.params['url'])
    if module.check_mode:
        module.exit_json(changed=True, installed={}, passed_over=[])
    settings = [*(f'--unset={name}' for name in UNSET), 'LC_ALL=C', 'PIP_ROOT_USER_ACTION=ignore']

    def run(argv: list[str]) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', '120', 'env', *settings, *argv])
    try:
        result = provide(module.params, run)
    except Refused as error:
        module.fail_json(msg=refusal(error.problems))
    for reason in result['passed_over']:
        if 'sha256' in reason:
            module.warn(f'ensure-pip: passed over {reason}')
    module.exit_json(**result)


if __name__ == '__main__':
    main()
