# SPDX-License-Identifier: Apache-2.0
"""A requirements file with hashes, read as data: what one tool needs of it on one Python."""
from __future__ import annotations

import hashlib
import os
import re
from typing import NamedTuple

from ansible.module_utils.ensure_python_command_pep440 import applies

_PIN = re.compile(r'(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)\s*'
                  r'(?:;(?P<marker>.*?))?\s*(?P<hashes>(?:--hash=\S+\s*)*)')


class InvalidLock(ValueError):
    """A line of the lock that is no pinned requirement with hashes."""


class Pin(NamedTuple):
    """One pinned requirement: *hashes* like ``sha256:…``, *via* the names that brought it in."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    via: tuple[str, ...]

    def line(self) -> str:
        """The requirement as pip reads it, without its marker (it was decided already)."""
        return ' '.join([f'{self.name}=={self.version}'] + [f'--hash={value}' for value in self.hashes])


def normal(name: str) -> str:
    """A project's name in the one spelling of PEP 503."""
    return re.sub(r'[-_.]+', '-', name).lower()


def read(text: str) -> list[Pin]:
    """Read a lock as uv and pip-compile write it, ``# via`` remarks included. Raises InvalidLock."""
    pins: list[Pin] = []
    pending = ''
    in_via = False
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith('#'):
            remark = line[1:].strip()
            if remark == 'via' or remark.startswith('via '):
                in_via = True
                remark = remark[3:].strip()
            if in_via and pins and remark and not pending:
                pins[-1] = pins[-1]._replace(via=(*pins[-1].via, normal(remark.split(' ', 1)[0])))
            continue
        in_via = False
        pending += ' ' + line.rstrip('\\').strip()
        if line.endswith('\\'):
            continue
        if pending.strip():
            found = _PIN.fullmatch(pending.strip())
            if found is None:
                raise InvalidLock(pending.strip()[:120])
            pins.append(Pin(normal(found.group('name')), found.group('version'), (found.group('marker') or '').strip(),
                            tuple(h[len('--hash='):] for h in found.group('hashes').split()), ()))
        pending = ''
    if pending.strip():
        raise InvalidLock(pending.strip()[:120])
    return pins


def needed(pins: list[Pin], tool: str, environment: dict[str, str]) -> list[Pin] | None:
    """The pins that *tool* and what it needs have on this Python, by name; None where the lock does not know the tool.

    A lock without ``via`` remarks belongs to one tool as a whole.
    """
    here = {pin.name: pin for pin in pins if applies(pin.marker, environment)}
    tool = normal(tool)
    if tool not in here:
        return None
    if not any(pin.via for pin in here.values()):
        return sorted(here.values())
    chosen = {tool}
    grown = True
    while grown:
        more = {name for name, pin in here.items() if name not in chosen and chosen.intersection(pin.via)}
        grown = bool(more)
        chosen |= more
    return [here[name] for name in sorted(chosen)]


def applicable(lock: str, environment: dict[str, str]) -> list[Pin]:
    """Those pins of the text of a lock that count for this Python."""
    return [pin for pin in read(lock) if applies(pin.marker, environment)]


def sha256(path: str) -> str:
    """The hash of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as stream:
        for block in iter(lambda: stream.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def wheels_of(pin: Pin, names: list[str]) -> list[str]:
    """Those of the file *names* that are wheels of exactly this project and version."""
    result = []
    for name in names:
        parts = name[:-len('.whl')].split('-') if name.endswith('.whl') else []
        if len(parts) >= 5 and normal(parts[0]) == pin.name and parts[1] == pin.version:
            result.append(name)
    return sorted(result)


def lacking(missing: list[str]) -> str:
    """What :func:`check_cache` found *missing*, in words: a folder that cannot be read tells so itself."""
    return ('' if missing[0].startswith('/') else 'lacks ') + ', '.join(missing)


def other_bytes(wrong: list[str]) -> str:
    """What :func:`check_cache` found *wrong*, in words."""
    return 'these files have other bytes than the lock says: ' + ', '.join(wrong)


def check_cache(pins: list[Pin], folder: str) -> tuple[list[str], list[str]]:
    """Compare a folder of wheels with the lock: what it lacks, and which files have other bytes than the lock says."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        return [f'{folder}: {error.strerror}'], []
    missing, wrong = [], []
    for pin in pins:
        files = wheels_of(pin, names)
        bad = [name for name in files if 'sha256:' + sha256(os.path.join(folder, name)) not in pin.hashes]
        wrong += [os.path.join(folder, name) for name in bad]
        if not files:
            missing.append(f'{pin.name} {pin.version}')
    return missing, wrong
