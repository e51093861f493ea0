#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Point package managers and language tools at a site's mirrors."""
from __future__ import annotations

DOCUMENTATION = r"""
module: configure_mirrors
short_description: Point package managers and language tools at a site's mirrors
description:
  - Runs as root. An empty parameter leaves its tool as it is. What was in a file before is kept once.
options:
  mirror_fqdn: {description: Host of the mirror of packages., type: str, default: ''}
  scheme: {description: How it is reached., type: str, default: http}
  archives: {description: Name and URL of archives that are elsewhere., type: dict, default: {}}
  extra_repos: {description: Whether EPEL is on the mirror too., type: bool, default: false}
  apt_trusted: {description: Whether apt takes packages that nobody signed., type: bool, default: false}
  apt_source: {description: Whether apt knows source packages., type: bool, default: false}
  pypi_fqdn: {description: Host that the index is on., type: str, default: ''}
  pypi_mirror: {description: Index of pip., type: str, default: ''}
  wheel_mirror: {description: Second index of pip and uv., type: str, default: ''}
  pypi_trusted: {description: Whether pip takes what it cannot verify., type: bool, default: false}
  uv_index: {description: Index of uv., type: str, default: ''}
  npm_registry: {description: Registry of npm., type: str, default: ''}
  cargo_registry: {description: Registry in place of crates.io., type: str, default: ''}
  go_proxy: {description: Proxies of Go modules., type: str, default: ''}
  restore: {description: Put back what was there before instead., type: bool, default: false}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Use the site's mirror
  become: true
  configure_mirrors:
    mirror_fqdn: mirror.example.com
    pypi_mirror: https://mirror.example.com/pypi/simple
"""
RETURN = r"""
files: {description: Files that were written or removed., type: list, elements: str, returned: success}
refreshed: {description: Whether apt fetched its lists., type: bool, returned: success}
notes: {description: What of the mirror is not used and why., type: list, elements: str, returned: success}
"""

import glob
import os
import platform
import pwd
import re
import time
from typing import Any, Callable, Sequence

from ansible.module_utils import configure_mirrors_apt as apt
from ansible.module_utils import configure_mirrors_files as files
from ansible.module_utils import configure_mirrors_request as request
from ansible.module_utils import configure_mirrors_rpm as rpm
from ansible.module_utils import configure_mirrors_tools as tools

Run = Callable[[Sequence[str]], 'tuple[int, str, str]']
UPDATE = ('apt-get', '--quiet', '--option=APT::Update::Error-Mode=any', '--option=Acquire::Retries=2',
          '--option=Acquire::http::Timeout=15', '--option=Acquire::https::Timeout=15', 'update')
LOCKED = re.compile(r'Could not get lock|Unable to lock')
PATIENCE = 120      # seconds to wait for another program that has apt's lock


class Refused(Exception):
    """The request cannot be met; the text is for people."""


def refusal(problems: list[str]) -> Refused:
    count = '1 problem' if len(problems) == 1 else f'{len(problems)} problems'
    return Refused('\n  - '.join([f'configure-mirrors: cannot continue, {count}:', *problems]))


def packages(params: dict[str, Any], release: str, machine: str, there: dict[str, str], keyring: str
             ) -> dict[str, str]:
    """Return path -> text of the package manager's files. Raises Refused.

    :param there: the same, of those that are there.
    :param keyring: path of the distribution's keys, empty when there is none.
    """
    system = request.system_of(release)[0]
    if system in apt.COMPONENTS:
        return apt.wanted(there, request.apt_wish(params, release, machine), keyring)
    urls = rpm.places(system, request.archives(params), params['extra_repos'])
    seen = [name for text in there.values() for name in rpm.sections(text)]
    if urls and not set(urls) & set(seen):
        raise refusal([f"{rpm.FOLDER} has none of the repositories {', '.join(urls)} (it has: "
                       f"{', '.join(seen) or 'none'}): there is nothing to take from the mirror instead. Give the "
                       "node's image the files of its distribution, or set pypi_fqdn instead of mirror_fqdn."])
    return rpm.wanted(there, urls)


def languages(params: dict[str, Any], home: str, there: Callable[[str], str]) -> dict[str, str]:
    """Return path -> text of the files of pip, uv, npm, cargo and Go, of those that are asked for. Raises Refused.

    :param there: returns what a file has, '' when it is not there.
    """
    extra, trusted = params['wheel_mirror'], params['pypi_trusted']
    makers: dict[str, tuple[str, Callable[[str], str]]] = {
        tools.PIP: (params['pypi_mirror'] or extra,
                    lambda text: tools.pip(text, params['pypi_mirror'], extra, trusted)),
        tools.UV: (params['uv_index'], lambda text: tools.uv(text, params['uv_index'], extra, trusted)),
        os.path.join(home, tools.NPM): (params['npm_registry'], lambda text: tools.npm(text, params['npm_registry'])),
        os.path.join(home, tools.CARGO): (params['cargo_registry'],
                                          lambda text: tools.cargo(text, params['cargo_registry'])),
        os.path.join(home, tools.GO): (params['go_proxy'], lambda text: tools.go(text, params['go_proxy'])),
    }
    result, conflicts = {}, []
    for path, (asked, make) in makers.items():
        try:
            if asked:
                result[path] = make(there(path))
        except tools.Conflict as error:
            conflicts.append(str(error))
    if conflicts:
        raise refusal(conflicts)
    return result


def complaint(code: int, out: str, err: str) -> str:
    """What `apt-get update` could not do; empty when it did all. It succeeds when nothing answers."""
    lines = [line for line in err.splitlines() if line.startswith(('E:', 'W:'))]
    if code == 0 and not any('Failed to fetch' in line for line in lines):
        return ''
    return '\n'.join(lines or (out + err).splitlines()[-6:])


def refresh(run: Run) -> str:
    """Fetch apt's lists; return what was wrong, empty when all is well."""
    limit = time.monotonic() + PATIENCE
    while True:
        said = complaint(*run(UPDATE))
        if not LOCKED.search(said) or time.monotonic() > limit:
            return said
        time.sleep(1)


def is_of_apt(path: str) -> bool:
    return path.startswith('/etc/apt/')


def sources(release: str) -> list[str]:
    """The package manager's files that are there."""
    if request.system_of(release)[0] in apt.COMPONENTS:
        found = glob.glob(f'{apt.FOLDER}/*.list') + glob.glob(f'{apt.FOLDER}/*.sources')
        return [path for path in ['/etc/apt/sources.list', *sorted(found)] if os.path.isfile(path)]
    return sorted(glob.glob(f'{rpm.FOLDER}/*.repo'))


def configure(params: dict[str, Any], release: str, user: pwd.struct_passwd, store: files.Store, run: Run, dry: bool
              ) -> dict[str, Any]:
    """Bring the files into the wanted state and return the task's result. Raises Refused, OSError."""
    params, notes = request.usable(params)
    found = request.problems(params, release)
    if found:
        raise refusal(found)
    wanted: dict[str, str] = {}
    if params['mirror_fqdn'] or params['archives']:
        bases = ((path, store.base(path)) for path in sources(release))
        there = {path: text for path, text in bases if text is not None}
        system = request.system_of(release)[0]
        keyring = f'/usr/share/keyrings/{system}-archive-keyring.gpg'
        wanted = packages(params, release, platform.machine(), there, keyring if os.path.exists(keyring) else '')
    wanted.update(languages(params, user.pw_dir, lambda path: store.base(path) or ''))
    before = {path: files.read(path) for path in wanted}
    changed = {path: text for path, text in wanted.items() if text != before[path]}
    if dry or not changed:
        return {'changed': bool(changed), 'files': sorted(changed), 'refreshed': False, 'notes': notes}

    def owner(path: str) -> tuple[int, int]:
        return (user.pw_uid, user.pw_gid) if path.startswith(user.pw_dir + '/') else (0, 0)
    try:
        for path, text in changed.items():
            store.remember(path, text)
            files.write(path, text, owner(path))
    except OSError as error:
        put_back({path: before[path] for path in changed}, owner)
        raise Refused(f'configure-mirrors: cannot write {error.filename or "the files"}: {error.strerror}. Those '
                      'written before are as they were.') from error
    refreshed = any(map(is_of_apt, changed))
    said = refresh(run) if refreshed else ''
    if said:
        put_back({path: before[path] for path in changed}, owner)
        raise Refused('configure-mirrors: the mirror does not have what apt needs, and all files are as they were '
                      f'before. apt-get update says:\n{said}')
    return {'changed': True, 'files': sorted(changed), 'refreshed': refreshed, 'notes': notes}


def put_back(before: dict[str, str | None], owner: Callable[[str], tuple[int, int]]) -> None:
    """Write what files had before; None is a file that was not there."""
    for path, text in before.items():
        if text is not None:
            files.write(path, text, owner(path))
        elif os.path.lexists(path):
            os.unlink(path)


def restore(store: files.Store, run: Run, dry: bool) -> dict[str, Any]:
    """Undo all that was done since the first time and return the task's result. Raises Refused, OSError."""
    others = store.changed_by_others()
    if others:
        raise refusal([f'{path} was changed by others since: what it had before is in {store.folder}, see '
                       'manifest.json there. Put it in order by hand.' for path in others])
    changed = ([path for path in store.manifest if files.read(path) != store.original(path)] if dry
               else store.restore())
    refreshed = not dry and any(map(is_of_apt, changed))
    said = refresh(run) if refreshed else ''
    if said:
        raise Refused(f'configure-mirrors: all files are as they were before, but apt-get update says:\n{said}')
    return {'changed': bool(changed), 'files': sorted(changed), 'refreshed': refreshed, 'notes': []}


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    text: dict[str, Any] = {'type': 'str', 'default': ''}
    switch: dict[str, Any] = {'type': 'bool', 'default': False}
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'mirror_fqdn': text, 'scheme': {'type': 'str', 'default': 'http'}, 'archives': {'type': 'dict', 'default': {}},
        'extra_repos': switch, 'apt_trusted': switch, 'apt_source': switch, 'pypi_fqdn': text, 'pypi_mirror': text,
        'wheel_mirror': text, 'pypi_trusted': switch, 'uv_index': text, 'npm_registry': text, 'cargo_registry': text,
        'go_proxy': text, 'restore': switch,
    })

    def run(argv: Sequence[str]) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=30', '600', 'env', 'LC_ALL=C', *argv])
    try:
        user = pwd.getpwnam(os.environ.get('SUDO_USER') or pwd.getpwuid(os.getuid()).pw_name)
        store = files.Store()
        if module.params['restore']:
            module.exit_json(**restore(store, run, module.check_mode))
        module.exit_json(**configure(module.params, files.read('/etc/os-release') or '', user, store, run,
                                     module.check_mode))
    except Refused as error:
        module.fail_json(msg=str(error))
    except (OSError, ValueError) as error:
        module.fail_json(msg=f'configure-mirrors: cannot read or write the files: {error}')


if __name__ == '__main__':
    main()
