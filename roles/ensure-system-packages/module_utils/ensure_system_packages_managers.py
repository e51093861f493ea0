# SPDX-License-Identifier: Apache-2.0
"""What the package managers of the distributions are called, asked and told. Nothing here runs anything."""
from __future__ import annotations

import re
from typing import NamedTuple

#: words of os-release(5), the nearest first -> the manager
MANAGERS = {
    'debian': 'apt-get', 'ubuntu': 'apt-get',
    'fedora': 'dnf', 'rhel': 'dnf', 'centos': 'dnf',
    'suse': 'zypper', 'opensuse': 'zypper', 'sles': 'zypper',
}
APT = ('apt-get', '--yes', '--quiet', '--option=Dpkg::Use-Pty=0', '--option=Acquire::Retries=0',
       '--option=Acquire::http::Timeout=15', '--option=Acquire::https::Timeout=15')
#: --fix-broken and --reinstall also finish what an earlier run that was killed left half done
INSTALL = {
    'apt-get': ('--no-install-recommends', '--fix-broken', '--reinstall',
                '--option=Dpkg::Options::=--force-confdef',
                '--option=Dpkg::Options::=--force-confold', 'install'),
    'dnf': ('dnf', '--assumeyes', '--setopt=install_weak_deps=False', '--setopt=*.metadata_expire=3600', 'install'),
    'zypper': ('zypper', '--non-interactive', 'install', '--no-recommends', '--auto-agree-with-licenses'),
}
#: zypper: done, but something should be restarted, or a source that was not needed does not answer
FINE = {'apt-get': (0,), 'dnf': (0,), 'zypper': (0, 102, 103, 106)}
ENVIRONMENT = ('LC_ALL=C', 'DEBIAN_FRONTEND=noninteractive', 'APT_LISTCHANGES_FRONTEND=none', 'NEEDRESTART_SUSPEND=1')
DPKG_QUERY = ('dpkg-query', '--show', '--showformat',
              '${Package}\t${Architecture}\t${db:Status-Status}\t${db:Status-Eflag}\t${Version}\t${Provides}\n')
#: what goes away by itself
NETWORK = re.compile(r'Failed to fetch|Unable to fetch|Could(?: not|n.t) resolve|Temporary failure|[Tt]imed? ?out'
                     r'|Curl error|Failed to download|Cannot download|Download .*failed'
                     r'|Connection (?:failed|reset|refused)')
LOCKED = re.compile(r'Could not get lock|Unable to (?:acquire|lock)|System management is locked')
WRONG_BYTES = re.compile(r'Hash Sum mismatch|unexpected size|checksum doesn.t match|digest verification failed', re.I)
#: the manager got as far as to change the system
BROKEN_OFF = re.compile(r'^E: Sub-process|[Ss]criptlet failed|transaction failed|installation of .* failed', re.M)
_VERSION = r'(?:=[A-Za-z0-9][A-Za-z0-9.+:~^_-]*)?'
_NAMES = {
    # a hyphen at the end removes a package, a slash is a file or another release, other signs are a pattern
    'apt-get': re.compile(r'[A-Za-z0-9][A-Za-z0-9+._-]*(?<!-)(?::[a-z0-9-]*[a-z0-9])?' + _VERSION),
    'dnf': re.compile(r'/?[A-Za-z0-9][A-Za-z0-9+._:()/-]*(?<!-)' + _VERSION),
    'zypper': re.compile(r'/?[A-Za-z0-9][A-Za-z0-9+._:()/-]*(?<!-)' + _VERSION),
}


class Package(NamedTuple):
    """One line of dpkg's: state such as 'installed' or 'half-configured', and names with versions that it provides."""

    name: str
    architecture: str
    state: str
    flag: str
    version: str
    provides: tuple[str, ...]


def manager_of(release: str) -> str:
    """The package manager of the system whose os-release(5) is *release*; empty where none is known."""
    pairs = dict(line.split('=', 1) for line in release.splitlines() if '=' in line)
    words = ' '.join(pairs.get(key, '').strip('"\'') for key in ('ID', 'ID_LIKE')).split()
    return next((MANAGERS[word] for word in words if word in MANAGERS), '')


def is_name(manager: str, text: str) -> bool:
    """Whether *text* is the name of a package, with =version or without, and nothing else to *manager*."""
    return bool(_NAMES[manager].fullmatch(text))


def dpkg_packages(out: str) -> list[Package]:
    """Read what DPKG_QUERY answers."""
    found = []
    for line in out.splitlines():
        fields = line.split('\t')
        if len(fields) == 6:
            provides = tuple(re.findall(r'[^\s,()]+(?=\s*(?:\(|,|$))', re.sub(r'\([^)]*\)', '', fields[5])))
            name, architecture, state, flag, version = fields[:5]
            found.append(Package(name, architecture, state, flag, version, provides))
    return found


def dpkg_lacks(names: list[str], packages: list[Package]) -> list[str]:
    """Those of *names* that no installed package is or provides."""
    have: set[str] = set()
    for package in packages:
        if package.state != 'installed':
            continue
        for name in (package.name, *package.provides):
            have |= {name, f'{name}:{package.architecture}'}
        have |= {f'{package.name}={package.version}', f'{package.name}:{package.architecture}={package.version}'}
    return [name for name in names if name not in have]


def dpkg_is_broken(packages: list[Package]) -> bool:
    """Whether an earlier run was stopped before dpkg had come to its end."""
    return any(package.flag != 'ok' or package.state in ('unpacked', 'half-installed', 'half-configured')
               for package in packages)


def dpkg_torn(packages: list[Package]) -> list[str]:
    """The packages whose files are there in part only: dpkg wants them unpacked anew."""
    return [f'{package.name}:{package.architecture}' if package.architecture not in ('all', '') else package.name
            for package in packages if package.flag != 'ok' or package.state == 'half-installed']


def rpm_lacks(names: list[str], out: str) -> list[str]:
    """Those of *names* that `rpm --query`, with --whatprovides or without, says are not there."""
    absent = set(re.findall(r'^no package provides (.*)$', out, re.M))
    absent |= set(re.findall(r'^package (.*) is not installed$', out, re.M))
    absent |= set(re.findall(r'^error: file (.*): No such file or directory$', out, re.M))
    return [name for name in names if name in absent]


def known(policy: str) -> set[str]:
    """The names that `apt-cache policy` has heard of: it says nothing of others."""
    return set(re.findall(r'^(\S+):$', policy, re.M))


def argument(manager: str, name: str) -> str:
    """How *manager* wants to be told *name*, in which the version follows an equals sign."""
    return name.replace('=', '-', 1) if manager == 'dnf' else name


def words_of(out: str, err: str) -> str:
    """What a package manager said that matters: its errors, whom it waited for, the dependencies it could not meet."""
    unmet = out.find('The following packages have unmet dependencies')
    lines = out[unmet:].splitlines() if unmet >= 0 else re.findall(r'^Waiting for .*', out, re.M)
    lines += [line for line in err.splitlines() if not line.startswith('W: Some index files failed')]
    if not lines:
        lines = out.splitlines()
    return '\n'.join(list(dict.fromkeys(line.rstrip() for line in lines if line.strip()))[-12:])
