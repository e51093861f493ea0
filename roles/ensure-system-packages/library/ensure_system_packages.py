#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Install packages of the node's distribution, from its configured sources or from an archive on the node."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_system_packages
short_description: Install the distribution's packages that a node lacks
description:
  - Says which packages are missing; installs them when told to, as root, without recommended ones.
  - Uses the programs of the distribution only, so that no bindings of Python are needed on the node.
options:
  names: {description: Names of packages; C(name=version) is one version., type: list, elements: str, required: true}
  sources: {description: Places to try in this order., type: list, elements: str, default: [index, archive]}
  archive: {description: Folder of packages with an index., type: str, default: /opt/cache/packages}
  install: {description: Whether to install what is missing., type: bool, default: false}
  start_services: {description: Whether daemons start with their installation (apt only)., type: bool, default: true}
  lock_timeout: {description: Seconds to wait for another package manager., type: int, default: 120}
  reported_as: {description: Name that messages begin with., type: str, default: ensure-system-packages}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Have rsync
  become: true
  ensure_system_packages:
    names: [rsync]
    install: true
"""
RETURN = r"""
missing: {description: Names that were not there before., type: list, elements: str, returned: always}
manager: {description: The node's package manager., type: str, returned: success}
source: {description: Where the packages came from; empty when none were needed., type: str, returned: success}
passed_over: {description: Places that did not do and why., type: list, elements: dict, returned: always}
seconds: {description: How long it took., type: float, returned: always}
"""

import glob
import os
import re
import tempfile
import time
from contextlib import contextmanager, nullcontext
from typing import Any, Callable, Iterator, NoReturn, Sequence, Tuple
from urllib.parse import quote

from ansible.module_utils import ensure_system_packages_managers as managers

SOURCES = ('index', 'archive')
POLICY = '#!/bin/sh\n# of the role ensure-system-packages, for the time of an installation\n'
FRESH = 3600    # seconds that the lists of the distribution are good for
Run = Callable[[Sequence[str], int], Tuple[int, str, str]]


class Refused(Exception):
    """The request cannot be met; the text is for people."""


class PassedOver(Exception):
    """A place does not have what is wanted, and nothing was changed; the text is for people."""


def problems(params: dict[str, Any], manager: str, system: str) -> list[str]:
    """All that is wrong with the request; each says value, rule and remedy."""
    found = []
    if not manager:
        found.append(f"the platform is '{system}': its package manager is not known here (known: "
                     f"{', '.join(sorted(set(managers.MANAGERS.values())))}). Have these packages on the node before: "
                     + ' '.join(params['names']))
    wrong = [name for name in params['names'] if manager and not managers.is_name(manager, name)]
    if wrong:
        found.append(f'ensure_system_packages_names has {", ".join(map(repr, wrong))}: not the name of a package. '
                     "Write one name an item, e.g. 'rsync', or 'rsync=3.2.7-1' for one version.")
    unknown = [source for source in params['sources'] if source not in SOURCES]
    if unknown or not params['sources']:
        found.append(f"ensure_system_packages_sources is {params['sources']}: allowed are {', '.join(SOURCES)}, "
                     'at least one. Leave it unset for all of them.')
    if not os.path.isabs(params['archive']):
        found.append(f"ensure_system_packages_archive is '{params['archive']}': not an absolute path of a folder.")
    return found


def lacking(manager: str, names: list[str], run: Run) -> list[str]:
    """Those of *names* that are not installed. Raises Refused where the node cannot be asked."""
    if manager == 'apt-get':
        code, out, err = run(managers.DPKG_QUERY, 60)
        if code != 0:
            raise Refused(f'dpkg-query cannot say what is installed: {managers.words_of(out, err)}')
        return managers.dpkg_lacks(names, managers.dpkg_packages(out))
    for query in (('rpm', '--query', '--whatprovides'), ('rpm', '--query')):
        asked = [managers.argument('dnf', name) for name in names]
        code, out, err = run([*query, *asked], 60)
        absent = managers.rpm_lacks(asked, out + err)
        if code != 0 and not absent:
            raise Refused(f'rpm cannot say what is installed: {managers.words_of(out, err)}')
        names = [name for name in names if managers.argument('dnf', name) in absent]
        if not names:
            break
    return names


def has_way_out(folder: str = '/proc/net') -> bool:
    """Whether the node has a default route; without one there is nothing to wait for."""
    for name, pattern in (('route', r'^(?!lo\b)\S+\s+00000000\s'), ('ipv6_route', r'^0{32} 00 .* (?!lo$)\S+$')):
        try:
            with open(os.path.join(folder, name), encoding='ascii') as stream:
                if re.search(pattern, re.sub(r' +', ' ', stream.read()), re.M):
                    return True
        except OSError:
            continue
    return False


def lists_are_old(now: float, lists: str = '/var/lib/apt/lists', sources: str = '/etc/apt') -> bool:
    """Whether apt's lists are empty, too old, or older than the sources that they are made of."""
    if not glob.glob(os.path.join(glob.escape(lists), '*_Packages*')):
        return True
    made = os.stat(lists).st_mtime
    files = [os.path.join(sources, 'sources.list')]
    files += glob.glob(os.path.join(glob.escape(sources), 'sources.list.d', '*'))
    return now - made > FRESH or any(os.stat(path).st_mtime > made for path in files if os.path.exists(path))


def persist(argv: Sequence[str], fine: Sequence[int], run: Run, pauses: Sequence[float], lock_timeout: float
            ) -> tuple[str, str]:
    """Run *argv* until it succeeds or trying again is of no use; return (output, complaint), of which one is empty.

    :param pauses: seconds to wait before each new try when the network failed.
    :param lock_timeout: seconds to wait while another program has the lock.
    """
    limit = time.monotonic() + lock_timeout
    waits = list(pauses)
    while True:
        code, out, err = run(argv, 1800)
        # apt-get update succeeds when nothing answers
        if code in fine and 'Failed to fetch' not in err:
            return out, ''
        if managers.LOCKED.search(err) and time.monotonic() < limit:
            time.sleep(1)
        elif managers.NETWORK.search(err + out) and not managers.WRONG_BYTES.search(err) and waits:
            time.sleep(waits.pop(0))
        else:
            return '', managers.words_of(out, err) or f'{argv[0]} ended with exit code {code}'


def complain(said: str) -> NoReturn:
    """Raise what a failed installation means."""
    if managers.BROKEN_OFF.search(said):
        raise Refused(f'the package manager stopped midway:\n{said}')
    if managers.WRONG_BYTES.search(said):
        raise Refused(f'these files have other bytes than their index says:\n{said}')
    raise PassedOver(said)


def apt_install(names: list[str], options: Sequence[str], refresh: Callable[[], str], fresh: bool, lock_timeout: float,
                pauses: Sequence[float], run: Run) -> None:
    """Install from the sources that *options* name. Raises PassedOver, Refused.

    A name that is unknown is told before apt-get could take it for a pattern. Lists that stay old are no failure.
    """
    def unknown() -> list[str]:
        bare = {name: name.partition('=')[0] for name in names}
        out = run(['apt-cache', *options, 'policy', *bare.values()], 60)[1]
        # the node's own architecture is left out of the answer
        return [name for name in names if not {bare[name], bare[name].partition(':')[0]} & managers.known(out)]

    complaint = '' if fresh else refresh()
    if fresh and unknown():
        complaint, fresh = refresh(), False
    absent = unknown()
    if absent:
        code, out, err = run([*managers.APT, *options, '--simulate', 'install', *absent], 60)
        said = managers.words_of(out, err) if code else 'to apt-get it is a pattern that other names match'
        raise PassedOver(f"has no {' '.join(absent)}: {complaint or said}")
    argv = [*managers.APT, *options, f'--option=DPkg::Lock::Timeout={int(lock_timeout)}', *managers.INSTALL['apt-get'],
            *names]
    said = persist(argv, managers.FINE['apt-get'], run, pauses, lock_timeout)[1]
    if said and fresh and managers.NETWORK.search(said):    # the lists may name what the mirror no longer has
        complaint = refresh()
        said = complaint or persist(argv, managers.FINE['apt-get'], run, (), lock_timeout)[1]
    if said:
        complain(said)


@contextmanager
def archive_options(archive: str) -> Iterator[list[str]]:
    """apt's options that name *archive* as its only source, and keep the node's own lists as they are."""
    with tempfile.TemporaryDirectory(prefix='ensure-system-packages-') as scratch:
        os.chmod(scratch, 0o755)    # apt reads as a user of its own
        for folder in ('lists/partial', 'cache/archives/partial', 'sources'):
            os.makedirs(os.path.join(scratch, folder))
        with open(os.path.join(scratch, 'sources/archive.list'), 'w', encoding='utf-8') as stream:
            # the index lies beside the packages on the image that we run on: there is nobody else to sign it
            stream.write(f'deb [trusted=yes] file:{quote(archive)} ./\n')
        yield ['--option=Dir::Etc::SourceList=/dev/null', f'--option=Dir::Etc::SourceParts={scratch}/sources',
               f'--option=Dir::State::Lists={scratch}/lists', f'--option=Dir::Cache={scratch}/cache']


@contextmanager
def services_stay_down(path: str = '/usr/sbin/policy-rc.d') -> Iterator[None]:
    """Have no daemon started by its package, as invoke-rc.d(8) and deb-systemd-invoke(1p) ask *path* whether to.

    It forbids only while this process lives, so that one that is killed leaves no harm. A file of the node's own stays.
    """
    if os.path.lexists(path):
        with open(path, encoding='utf-8', errors='replace') as stream:
            if not stream.read().startswith(POLICY):
                yield
                return
    with open(path, 'w', encoding='utf-8') as stream:
        stream.write(f'{POLICY}[ -d /proc/{os.getpid()} ] && exit 101\nexit 0\n')
    os.chmod(path, 0o755)
    try:
        yield
    finally:
        os.unlink(path)


def install(manager: str, source: str, names: list[str], params: dict[str, Any], run: Run) -> None:
    """Install *names* from *source*. Raises PassedOver, Refused."""
    lock_timeout = params['lock_timeout']
    pauses = (1.0, 4.0) if has_way_out() else ()
    if source == 'archive':
        if manager != 'apt-get':
            raise PassedOver('an archive is used with apt-get only')
        if not os.path.exists(os.path.join(params['archive'], 'Packages')):
            raise PassedOver('there is no index of packages in it' if os.path.isdir(params['archive']) else
                             'there is no such folder')
        with archive_options(params['archive']) as options:
            def refresh() -> str:
                return persist([*managers.APT, *options, 'update'], (0,), run, (), lock_timeout)[1]
            apt_install(names, options, refresh, False, lock_timeout, (), run)
    elif manager == 'apt-get':
        def refresh() -> str:
            said = persist([*managers.APT, 'update'], (0,), run, pauses, lock_timeout)[1]
            if not said:
                os.utime('/var/lib/apt/lists')  # apt leaves it alone when nothing was new
            return said
        apt_install(names, [], refresh, not lists_are_old(time.time()), lock_timeout, pauses, run)
    else:
        argv = [*managers.INSTALL[manager], *(managers.argument(manager, name) for name in names)]
        said = persist(argv, managers.FINE[manager], run, pauses, lock_timeout)[1]
        if said:
            complain(said)


def mend(run: Run) -> list[str]:
    """Let dpkg finish what a run before us, that was killed, began: apt-get refuses to work before.

    Return the packages that have to be unpacked anew.
    """
    packages = managers.dpkg_packages(run(managers.DPKG_QUERY, 60)[1])
    if managers.dpkg_is_broken(packages) or glob.glob('/var/lib/dpkg/updates/[0-9]*'):
        # what it cannot finish for want of another package is left to --fix-broken
        run(['dpkg', '--force-confdef', '--force-confold', '--configure', '--pending'], 1800)
    return managers.dpkg_torn(packages)


def ensure(params: dict[str, Any], run: Run, release: str, check_mode: bool = False) -> dict[str, Any]:
    """Install what is missing; return the task's result, also as that of a failure, which has a ``msg``."""
    role = params['reported_as']
    manager = managers.manager_of(release)
    system = (re.findall(r'^PRETTY_NAME="?([^"\n]*)', release, re.M) or ['unknown'])[0]
    names = list(dict.fromkeys(params['names']))
    result: dict[str, Any] = {'changed': False, 'missing': [], 'manager': manager, 'source': '', 'passed_over': []}
    found = problems({**params, 'names': names}, manager, system)
    if found:
        count = '1 problem' if len(found) == 1 else f'{len(found)} problems'
        return {**result, 'msg': '\n  - '.join([f'{role}: cannot continue, {count}:', *found])}
    missing = names
    try:
        missing = result['missing'] = lacking(manager, names, run)
        if not missing or not params['install']:
            return result
        if check_mode:
            return {**result, 'changed': True, 'source': 'undecided'}
        torn = mend(run) if manager == 'apt-get' else []
        wanted = [*missing, *(name for name in torn if name.partition(':')[0] not in missing)]
        for source in params['sources']:
            quiet = manager == 'apt-get' and not params['start_services']
            try:
                with services_stay_down() if quiet else nullcontext():
                    install(manager, source, wanted, params, run)
            except PassedOver as reason:
                result['passed_over'].append({'source': source, 'why': str(reason)})
                continue
            left = lacking(manager, missing, run)
            if left:
                raise Refused(f"{manager} says that it is done, and these are not installed: {' '.join(left)}")
            return {**result, 'changed': True, 'source': source}
        raise Refused('no place has all of them')
    except Refused as error:
        where = {'index': f'index, the sources that {manager} is configured for',
                 'archive': f"archive {params['archive']}"}
        tried = ''.join(f"\n  - {where[place['source']]}: {place['why']}" for place in result['passed_over'])
        tried = tried and '\nTried:' + tried
        return {**result, 'msg': f"{role}: cannot install {' '.join(missing)}: {error}{tried}"}


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'names': {'type': 'list', 'elements': 'str', 'required': True},
            'sources': {'type': 'list', 'elements': 'str', 'default': list(SOURCES)},
            'archive': {'type': 'str', 'default': '/opt/cache/packages'},
            'install': {'type': 'bool', 'default': False},
            'lock_timeout': {'type': 'int', 'default': 120},
            'start_services': {'type': 'bool', 'default': True},
            'reported_as': {'type': 'str', 'default': 'ensure-system-packages'},
        },
        supports_check_mode=True)
    environment = [*managers.ENVIRONMENT, f"ZYPP_LOCK_TIMEOUT={module.params['lock_timeout']}"]

    def run(argv: Sequence[str], timeout: int) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=30', str(timeout), 'env', *environment, *argv])
    began = time.monotonic()
    with open('/etc/os-release', encoding='utf-8', errors='replace') as stream:
        result = ensure(module.params, run, stream.read(), module.check_mode)
    result['seconds'] = round(time.monotonic() - began, 2)
    if 'msg' in result:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == '__main__':
    main()
