# SPDX-License-Identifier: Apache-2.0
"""What is wanted of the engine: the parameters, checked, and what would be installed for them."""
from __future__ import annotations

import os
import re
from hashlib import sha256
from typing import Any, NamedTuple

from ansible.module_utils import ensure_python_command_lock as locks
from ansible.module_utils import ensure_python_command_pep440 as pep440

SOURCES = ('image', 'cache', 'index')
INSTALLERS = ('auto', 'uv', 'pip')
_NAME = re.compile(r'[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?')


class Refused(Exception):
    """The request cannot be met; *facts* go to the task's result."""

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts = facts


class Request(NamedTuple):
    """What is wanted, validated."""

    name: str
    package: str
    version: str
    existing: str
    venv_path: str
    sources: tuple[str, ...]
    installer: str
    require_hashes: bool
    allow_builds: bool
    wheel_cache: str
    timeout: int

    @property
    def public(self) -> str:
        """Where the command is when we installed it."""
        return os.path.join(self.venv_path, 'bin', self.name)

    @property
    def wanted(self) -> str:
        """The requirement, as people write it."""
        return self.package + self.version


class Plan(NamedTuple):
    """What would be installed: *lines* for the installer, their *pins* (none when unlocked), and the *digest*."""

    lines: tuple[str, ...]
    pins: tuple[locks.Pin, ...]
    version: str
    locked: bool
    digest: str


def problems(params: dict[str, Any]) -> list[str]:
    """All that is wrong with the parameters; each says value, rule and remedy."""
    called = params.get('reported_as') or {}
    found = list(called.get('refused') or ())
    # a package that has the command's name, as by default, is told once
    for key in ('name',) if params['package'] in ('', params['name']) else ('name', 'package'):
        value = params[key]
        if not _NAME.fullmatch(value):
            found.append(f"ensure_python_command_{key} is '{value}': not the name of a "
                         f"{'command' if key == 'name' else 'Python project'}. "
                         "Use letters, figures, '.', '_' and '-' only.")
    version = params['version'].strip()
    try:
        pep440.specifiers(version)
    except pep440.InvalidSpecifier:
        variable = called.get('version', 'ensure_python_command_version')
        found.append(f"{variable} is '{version}': not a PEP 440 specifier. {_remedy(version)}, or leave it empty.")
    if not os.path.isabs(params['venv_path']) or not params['venv_path'].strip('/'):
        variable = called.get('venv_path', 'ensure_python_command_venv_path')
        found.append(f"{variable} is '{params['venv_path']}': not an absolute path of a folder. "
                     f"Write e.g. '{os.path.expanduser('~')}/.local/{params['name']}'.")
    unknown = [source for source in params['sources'] if source not in SOURCES]
    if unknown or not params['sources']:
        found.append(f"ensure_python_command_sources is {params['sources']}: allowed are "
                     f"{', '.join(SOURCES)}, at least one. Leave it unset for all of them.")
    if params['installer'] not in INSTALLERS:
        found.append(f"ensure_python_command_installer is '{params['installer']}': allowed are "
                     f"{', '.join(INSTALLERS)}. "
                     "Leave it unset for uv where the node or its cache has one and pip elsewhere.")
    return found


def _remedy(version: str) -> str:
    """What to write instead of a text that is no specifier."""
    try:
        pep440.version(version)
    except pep440.InvalidVersion:
        return "Write e.g. '<5' or '==4.30.1'"
    return f"Write '=={version}'"


def refusal(role: str, found: list[str]) -> str:
    """One message for all blockers."""
    count = '1 problem' if len(found) == 1 else f'{len(found)} problems'
    return '\n'.join([f'{role}: cannot continue, {count}:'] + [f'  - {problem}' for problem in found])


def from_params(params: dict[str, Any]) -> Request:
    """The request that valid parameters make."""
    existing = params['existing']
    if '/' in existing:   # later tasks have other working folders; a bare name stays one
        existing = os.path.abspath(os.path.expanduser(existing))
    return Request(params['name'], params['package'] or params['name'], params['version'].strip(), existing,
                   os.path.normpath(params['venv_path']), tuple(params['sources']), params['installer'],
                   params['require_hashes'], params['allow_builds'], params['wheel_cache'], params['timeout'])


def plan(request: Request, lock: str, environment: dict[str, str], python: str) -> Plan:
    """Decide what would go into the environment for *python*. Raises Refused for a lock that cannot be read."""
    try:
        pins = locks.needed(locks.read(lock), request.package, environment)
    except (locks.InvalidLock, pep440.InvalidMarker) as error:
        raise Refused(f'the lock cannot be read at: {error}') from error
    own = next((pin for pin in pins or [] if pin.name == locks.normal(request.package)), None)
    locked = own is not None and pep440.satisfies(own.version, request.version)
    chosen = tuple(pins or ()) if locked else ()
    bare = sorted(pin.name for pin in chosen if not pin.hashes)
    if bare:
        raise Refused(f"the lock has no hashes for {', '.join(bare)}; make it with --generate-hashes")
    lines = tuple(pin.line() for pin in chosen) or (request.wanted,)
    digest = sha256('\0'.join((request.name, request.package, python, *lines)).encode()).hexdigest()[:16]
    return Plan(lines, chosen, own.version if own and locked else '', locked, digest)
