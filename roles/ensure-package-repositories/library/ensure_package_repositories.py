#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Let a node install packages from repositories that are not its distribution's."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_package_repositories
short_description: Let a node install packages from more repositories
description:
  - Writes files of apt or dnf and the keys that sign the repositories, as root, and has the package manager look.
  - When a repository does not answer or is not signed as said, all files are as they were before.
options:
  keys: {description: Keys that sign the repositories., type: list, elements: dict, default: []}
  repositories: {description: The repositories., type: list, elements: dict, default: []}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Know a repository
  become: true
  ensure_package_repositories:
    keys:
      - url: https://packages.example.com/key.asc
        fingerprint: 0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567
    repositories:
      - repo: deb https://packages.example.com/debian bookworm main
"""
RETURN = r"""
files: {description: Files that were written., type: list, elements: str, returned: success}
"""

import os
import re
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any, Callable, Sequence

from ansible.module_utils import ensure_package_repositories_keys as openpgp
from ansible.module_utils import ensure_package_repositories_request as request

Run = Callable[[Sequence[str]], 'tuple[int, str, str]']
Fetch = Callable[[str], bytes]
PAUSES = (1.0, 4.0)     # seconds before each new try of a download
LIMIT = 1 << 20         # octets of a key
LOCKED = re.compile(r'Could not get lock|Unable to lock')
PATIENCE = 120          # seconds to wait for another program that has apt's lock
UPDATE = ('apt-get', '--quiet', '--option=Dir::Etc::SourceList=/dev/null', '--option=APT::Get::List-Cleanup=0',
          '--option=APT::Update::Error-Mode=any', '--option=Acquire::Retries=2', '--option=Acquire::http::Timeout=15',
          '--option=Acquire::https::Timeout=15')

# what dnf does about one that does not answer differs between distributions
MAKECACHE = ('dnf', '--quiet', '--setopt=*.skip_if_unavailable=0')


class Refused(Exception):
    """The request cannot be met; the text is for people."""


def refusal(problems: list[str]) -> Refused:
    count = '1 problem' if len(problems) == 1 else f'{len(problems)} problems'
    return Refused('\n  - '.join([f'ensure-package-repositories: cannot continue, {count}:', *problems]))


def read(path: str) -> bytes | None:
    """What a file has; None when it is not there."""
    try:
        with open(path, 'rb') as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def write(path: str, data: bytes) -> None:
    """Put *data* at *path* in one step, for everybody to read."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    handle, new = tempfile.mkstemp(prefix='.new-', dir=os.path.dirname(path))
    try:
        with open(handle, 'wb') as stream:
            stream.write(data)
            os.fchmod(handle, 0o644)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def fetch(url: str) -> bytes:
    """Download a key. Raises Refused."""
    pauses = list(PAUSES)
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.read(LIMIT)
        except (OSError, urllib.error.URLError) as error:
            if not pauses or (isinstance(error, urllib.error.HTTPError) and error.code < 500):
                raise Refused(f'{url} cannot be fetched: {error}') from error
            time.sleep(pauses.pop(0))


def provide_keys(keys: list[request.Key], base: str, armored: bool, get: Fetch) -> dict[str, bytes]:
    """Return path -> content of the keys, those that are there already and fit as they are. Raises Refused.

    :param base: what their paths begin with.
    :param armored: whether none but an armored one can be used.
    """
    result, found = {}, []
    for number, key in enumerate(keys):
        start = f'{base}-{number + 1}'
        there = [(path, read(path)) for path in ((start,) if armored else (f'{start}.asc', f'{start}.gpg'))]
        data = next((old for _, old in there if old is not None and not key.data
                     and not openpgp.problem(old, key.wanted)), None)
        try:
            if data is None:
                data = (key.data.strip() + '\n').encode() if key.data else get(key.url)
            problem = openpgp.problem(data, key.wanted)
            if not problem and armored and not openpgp.is_armored(data):
                problem = 'it is not armored, which rpm needs. `gpg --enarmor` makes such a one'
        except Refused as error:
            found.append(str(error))
            continue
        if problem:
            found.append(f"repositories_keys[{number}]{f' of {key.url}' if key.url else ''}: {problem}.")
        suffix = '' if armored else '.asc' if openpgp.is_armored(data) else '.gpg'
        result[start + suffix] = data
    if found:
        raise refusal(found)
    return result


def strangers(files: dict[str, bytes]) -> list[str]:
    """The files that are there and were written by somebody else."""
    return [f'{path} is there, and was not written by this role. Remove it, or name another file in the entry.'
            for path in files if not (read(path) or request.MARK.encode()).startswith(request.MARK.encode())]


def look(manager: str, changed: list[str], repositories: list[dict[str, Any]], run: Run) -> str:
    """Have the package manager look at what is new; return what it says is wrong, empty when all is well."""
    if manager == 'dnf':
        names = [str(one['name']) for one in repositories if request.enabled(one)]
        chosen = (f'--repo={name}' for name in names)
        return said(*run([*MAKECACHE, *chosen, 'makecache'])) if names else ''
    # all sources together: entries of one repository must not say different things of it
    complaint = said(*run(['apt-get', 'indextargets', '--format', '$(SITE)']))
    if complaint:
        return complaint
    with tempfile.TemporaryDirectory(prefix='ensure-package-repositories-') as folder:
        os.chmod(folder, 0o755)     # apt reads as a user of its own
        for path in changed:
            shutil.copy(path, folder)
        limit = time.monotonic() + PATIENCE
        while True:
            complaint = said(*run([*UPDATE, f'--option=Dir::Etc::SourceParts={folder}', 'update']))
            if not LOCKED.search(complaint) or time.monotonic() > limit:
                return complaint
            time.sleep(1)


def said(code: int, out: str, err: str) -> str:
    """What a package manager could not do; empty when it did all. `apt-get update` succeeds when nothing answers."""
    lines = [line for line in err.splitlines() if line.strip() and not line.startswith('N:')]
    if code == 0 and 'Failed to fetch' not in err:
        return ''
    return '\n'.join((lines or out.splitlines())[-8:])


def ensure(params: dict[str, Any], release: str, run: Run, get: Fetch, dry: bool) -> dict[str, Any]:
    """Bring the files into the wanted state and return the task's result. Raises Refused, OSError."""
    manager = request.manager_of(release)
    system = (re.findall(r'^PRETTY_NAME="?([^"\n]*)', release, re.M) or ['unknown'])[0]
    repositories = params['repositories']
    found = request.problems(params['keys'], repositories, manager, system)
    if found:
        raise refusal(found)
    base = request.PLACES[manager][1].format(request.stem(repositories[0], manager)) if repositories else ''
    keys = provide_keys([request.read_key(key) for key in params['keys']], base, manager == 'dnf', get)
    sources = {path: text.encode() for path, text in request.wanted(repositories, manager, list(keys)).items()}
    found = strangers(sources)
    if found:
        raise refusal(found)
    files = {**keys, **sources}
    before = {path: read(path) for path in files}
    changed = [path for path in files if files[path] != before[path]]
    if changed and not dry:
        for path in changed:
            write(path, files[path])
        complaint = look(manager, list(sources), repositories, run)
        if complaint:
            put_back({path: before[path] for path in changed})
            raise Refused('ensure-package-repositories: a repository cannot be used, and all files are as they were '
                          f'before. {"apt-get" if manager == "apt" else "dnf"} says:\n{complaint}')
    return {'changed': bool(changed), 'files': sorted(changed)}


def put_back(before: dict[str, bytes | None]) -> None:
    """Write what files had before; None is a file that was not there."""
    for path, data in before.items():
        if data is None:
            os.unlink(path)
        else:
            write(path, data)


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    entries: dict[str, Any] = {'type': 'list', 'elements': 'dict', 'default': []}
    module = AnsibleModule(argument_spec={'keys': {**entries, 'no_log': False}, 'repositories': entries},
                           supports_check_mode=True)

    def run(argv: Sequence[str]) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=30', '600', 'env', 'LC_ALL=C', *argv])
    try:
        with open('/etc/os-release', encoding='utf-8', errors='replace') as stream:
            release = stream.read()
        module.exit_json(**ensure(module.params, release, run, fetch, module.check_mode))
    except Refused as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f'ensure-package-repositories: cannot write the files: {error}')


if __name__ == '__main__':
    main()
