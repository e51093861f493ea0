# SPDX-License-Identifier: Apache-2.0
"""What is asked for, and what is wrong with it. Nothing here does I/O."""
from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils import configure_mirrors_apt as apt
from ansible.module_utils import configure_mirrors_rpm as rpm

_HOST = r'(?:[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?'
_URL = rf'https?://{_HOST}(?:/[A-Za-z0-9._~+,=:@%&;/-]*)?'
_LOOPBACK = re.compile(r'(?:localhost|127(?:\.[0-9]+){3}|::1)')
_ARCHIVES = ('debian', 'debian-security', 'ubuntu', 'ubuntu-ports',
             *sorted({archive for archive, _ in rpm.SYSTEMS.values()}), rpm.EXTRA)
_VERIFY = 'Set mirror_use_ssl when the mirror has https, or configure_mirrors_pypi_trusted to trust it.'
_SWITCH_OFF = "Set pypi_fqdn instead of mirror_fqdn, for Python's packages only."


def system_of(release: str) -> tuple[str, str]:
    """ID and VERSION_CODENAME of os-release(5), each empty when it is not there."""
    pairs = dict(re.findall(r'^(\w+)=["\']?([^"\'\n]*)', release, re.M))
    return pairs.get('ID', ''), pairs.get('VERSION_CODENAME', '')


def archives(params: dict[str, Any]) -> dict[str, str]:
    """Name -> URL of all archives of packages that are wanted elsewhere."""
    base = f"{params['scheme']}://{params['mirror_fqdn']}"
    found = {name: f'{base}/{name}' for name in _ARCHIVES} if params['mirror_fqdn'] else {}
    return {**found, **{str(name): str(url).rstrip('/') for name, url in params['archives'].items()}}


def apt_wish(params: dict[str, Any], release: str, machine: str) -> apt.Wish:
    """What is wanted of a node that has apt.

    :param machine: of uname(2).
    """
    system, codename = system_of(release)
    return apt.Wish(system, codename, archives(params), machine not in ('x86_64', 'i686', 'i386'),
                    params['apt_trusted'], params['apt_source'])


def usable(params: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The request without Python packages of mirror_fqdn of which pip would take nothing, and what to say of it.

    Packages of apt and dnf are signed, so a mirror without https is of use to them alone. Only what follows from
    mirror_fqdn is left out: a URL that somebody asked for is one of the problems.
    """
    url = f"http://{params['mirror_fqdn']}/pypi/simple"
    if not params['mirror_fqdn'] or params['pypi_mirror'] != url or not _is_unverified(url, params):
        return params, []
    left = {name: '' for name in ('pypi_mirror', 'uv_index') if params[name] == url}
    return {**params, **left}, [f'pip and uv stay as they are: {url} is not https, so they would take nothing of it. '
                                f'{_VERIFY}']


def problems(params: dict[str, Any], release: str) -> list[str]:
    """All that is wrong with the request; each says value, rule and remedy."""
    return [*_hosts(params), *_archives(params), *_urls(params), *_system(params, release)]


def _hosts(params: dict[str, Any]) -> list[str]:
    found = []
    if params['scheme'] not in ('http', 'https'):
        found.append(f"http_or_https is {params['scheme']!r}: allowed are 'http' and 'https'. Leave it unset, and set "
                     "mirror_use_ssl.")
    for name in ('mirror_fqdn', 'pypi_fqdn'):
        value = params[name]
        if value and not re.fullmatch(_HOST, value) and (name == 'mirror_fqdn' or value != params['mirror_fqdn']):
            found.append(f'{name} is {_shown(value)}: not the name of a host. Write e.g. '
                         "'mirror.example.com' or 'mirror.example.com:8080'; mirror_use_ssl says whether it is https.")
    return found


def _archives(params: dict[str, Any]) -> list[str]:
    found = []
    for name, url in params['archives'].items():
        if name not in _ARCHIVES:
            found.append(f"configure_mirrors_archives has {name!r}: known are {', '.join(_ARCHIVES)}.")
        elif not re.fullmatch(_URL, str(url)):
            found.append(_no_url(f'configure_mirrors_archives.{name}', str(url), 'https://mirror.example.com/debian'))
    return found


def _urls(params: dict[str, Any]) -> list[str]:
    found = []
    for name, value, example in (
            ('pypi_mirror', params['pypi_mirror'], 'https://mirror.example.com/pypi/simple'),
            ('wheel_mirror', params['wheel_mirror'], 'https://mirror.example.com/wheel/debian-12'),
            ('configure_mirrors_uv_index', params['uv_index'], 'https://mirror.example.com/pypi/simple'),
            ('configure_mirrors_npm_registry', params['npm_registry'], 'https://mirror.example.com/npm/')):
        derived = ((name == 'pypi_mirror' and _is_wrong_host(params['pypi_fqdn']) and params['pypi_fqdn'] in value)
                   or (name == 'configure_mirrors_uv_index' and value == params['pypi_mirror']))
        if not value or derived:
            continue
        if not re.fullmatch(_URL, value):
            found.append(_no_url(name, value, example))
        elif name != 'configure_mirrors_npm_registry' and _is_unverified(value, params):
            found.append(f'{name} is {_shown(value)}: what comes over http is not verified, and pip takes nothing of '
                         f'it. {_VERIFY}')
    value = params['cargo_registry']
    if value and (not re.fullmatch(rf'(?:sparse\+)?{_URL}', value)
                  or (value.startswith('sparse+') and not value.endswith('/'))):
        found.append(f"configure_mirrors_cargo_registry is {_shown(value)}: not the URL of a registry. Write e.g. "
                     "'sparse+https://mirror.example.com/crates/', with a slash at its end.")
    value = params['go_proxy']
    if value and not all(part in ('direct', 'off') or re.fullmatch(_URL, part)
                         for part in re.split(r'[,|]', value)):
        found.append(f"configure_mirrors_go_proxy is {_shown(value)}: not URLs, 'direct' or 'off' with commas between "
                     "them. Write e.g. 'https://mirror.example.com/go,direct'.")
    return found


def _system(params: dict[str, Any], release: str) -> list[str]:
    if not params['mirror_fqdn'] and not params['archives']:
        return []
    system, codename = system_of(release)
    known = sorted([*apt.COMPONENTS, *rpm.SYSTEMS])
    if system not in known:
        return [f"the system is {system!r}: where a mirror has its packages is not known here (known: "
                f"{', '.join(known)}). {_SWITCH_OFF}"]
    if system in apt.COMPONENTS and not re.fullmatch(r'[a-z]+', codename):
        return [f'the system is {system!r}, and /etc/os-release does not name its release. {_SWITCH_OFF}']
    return []


def _is_wrong_host(value: str) -> bool:
    return bool(value) and not re.fullmatch(_HOST, value)


def _is_unverified(url: str, params: dict[str, Any]) -> bool:
    """Whether what comes from there may be anybody's, and nobody said to trust it."""
    if params['pypi_trusted'] or not re.fullmatch(_URL, url):
        return False
    parts = urlsplit(url)
    return parts.scheme == 'http' and not _LOOPBACK.fullmatch(parts.hostname or '')


def _no_url(name: str, value: str, example: str) -> str:
    return (f"{name} is {_shown(value)}: not a URL of http or https, or one with a user's name, for every job to read. "
            f"Write e.g. '{example}'.")


def _shown(value: str) -> str:
    """*value* for a message, without what may be a password."""
    return repr(re.sub(r'//[^/]*@', '//***@', value))
