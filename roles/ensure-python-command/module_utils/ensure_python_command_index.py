# SPDX-License-Identifier: Apache-2.0
"""The site's package index, as pip is configured for it: where it is, whether it answers, pip's own wheel from it."""
from __future__ import annotations

import configparser
import html
import netrc
import os
import re
import shutil
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Callable, NamedTuple, Tuple

from ansible.module_utils.ensure_python_command_lock import Pin, sha256, wheels_of
from ansible.module_utils.ensure_python_command_request import Refused

PUBLIC = 'https://pypi.org/simple'
#: seconds in which an index has to take up a connection; without a way out a person waits no longer for the message
REACHED_WITHIN = 5
_LINK = re.compile(r'<a\s[^>]*?href\s*=\s*["\']([^"\']+)["\']', re.IGNORECASE)
_CONNECT = ('import socket, sys\n'
            'try:\n'
            '    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()\n'
            'except OSError as error:\n'
            '    sys.exit(str(error))\n')


class NotFetched(Refused):
    """The wheel could not be had; the text says from where and why."""


class Site(NamedTuple):
    """Where the site wants Python packages to come from: pip's options of these names.


    :ivar url: the index, without a slash at its end.
    :ivar certificates: path of a bundle; None for the system's own.
    :ivar proxy: as configured for pip; empty for what the environment says.
    """

    url: str
    extra: tuple[str, ...]
    links: tuple[str, ...]
    no_index: bool
    certificates: str | None
    client_certificate: str | None
    trusted_hosts: tuple[str, ...]
    proxy: str

    def __str__(self) -> str:
        places = ([] if self.no_index else [self.url, *self.extra]) + list(self.links)
        return ' and '.join(without_credentials(place) for place in places) or 'no index (no-index is set for pip)'


def site(environment: dict[str, str], files: list[str]) -> Site:
    """What pip would use, from its configuration *files* (general first) and *environment*, which wins."""
    settings: dict[str, str] = {}
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding='utf-8')
        except (configparser.Error, UnicodeDecodeError):
            continue   # pip itself will say so, in better words
        for section in ('global', 'install'):
            if parser.has_section(section):
                settings.update(parser.items(section))

    def value(name: str) -> str:
        return (environment.get('PIP_' + name.replace('-', '_').upper()) or settings.get(name) or '').strip()

    return Site((value('index-url') or PUBLIC).rstrip('/'), tuple(value('extra-index-url').split()),
                tuple(value('find-links').split()), value('no-index').lower() in ('1', 'true', 'yes', 'on', 'y', 't'),
                value('cert') or environment.get('SSL_CERT_FILE') or None, value('client-cert') or None,
                tuple(value('trusted-host').split()), value('proxy'))


def configuration_files(environment: dict[str, str]) -> list[str]:
    """pip's configuration files, general first."""
    named = environment.get('PIP_CONFIG_FILE', '')
    if named == os.devnull:   # pip reads no file at all then
        return []
    home = environment.get('HOME', '')
    general = [os.path.join(folder, 'pip', 'pip.conf')
               for folder in reversed((environment.get('XDG_CONFIG_DIRS') or '/etc/xdg').split(os.pathsep))]
    paths = [*general, '/etc/pip.conf', os.path.join(home, '.pip', 'pip.conf'),
             os.path.join(environment.get('XDG_CONFIG_HOME') or os.path.join(home, '.config'), 'pip', 'pip.conf'),
             named]
    return [path for path in paths if path and os.path.isfile(path)]


def of_node() -> Site:
    """The site as this user of this node is configured for it."""
    environment = dict(os.environ)
    return site(environment, configuration_files(environment))


def way_to(where: Site) -> tuple[str, int] | None:
    """Host and port that have to answer before anything can come from the index; None where that is no question."""
    parts = urllib.parse.urlsplit(where.url)
    if where.no_index or parts.scheme not in ('http', 'https') or not parts.hostname:
        return None
    proxies = urllib.request.getproxies()
    if where.proxy:
        proxies = {'http': where.proxy, 'https': where.proxy}
    elif urllib.request.proxy_bypass(parts.hostname):
        proxies = {}
    proxy = proxies.get(parts.scheme) or proxies.get('all')
    if proxy:
        parts = urllib.parse.urlsplit(proxy if '://' in proxy else f'http://{proxy}')
    return (parts.hostname, parts.port or {'https': 443}.get(parts.scheme, 80)) if parts.hostname else None


def unreachable(where: Site, run: Callable[..., Tuple[int, str, str]]) -> str:
    """Why the index cannot be had, or an empty text. Looking a name up may take for ever, so another process does."""
    if where.no_index and not where.links:
        return 'pip is configured so'
    way = way_to(where)
    if way is None:
        return ''
    code, _, err = run([sys.executable, '-I', '-c', _CONNECT, way[0], str(way[1]), str(REACHED_WITHIN)],
                       timeout=REACHED_WITHIN)
    if code == 0:
        return ''
    reason = (err.strip().splitlines() or ['no answer'])[-1]
    return f'{way[0]}:{way[1]} cannot be reached: {reason}'


def link_to(page: str, base: str, pin: Pin) -> str | None:
    """The address of a wheel of *pin* on an index *page* whose own address is *base*."""
    for link in _LINK.findall(page):
        address = urllib.parse.urljoin(base, html.unescape(link)).split('#', 1)[0]
        if wheels_of(pin, [urllib.parse.unquote(address.rsplit('/', 1)[-1])]):
            return address
    return None


def credentials(address: str) -> tuple[str, str] | None:
    """User and password for *address*: its own, else those of the user's netrc, as for pip."""
    parts = urllib.parse.urlsplit(address)
    if parts.username:
        return urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or '')
    try:
        found = netrc.netrc(os.environ.get('NETRC')).authenticators(parts.hostname or '')
    except (OSError, netrc.NetrcParseError):
        return None
    return (found[0], found[2] or '') if found else None


def opener(where: Site, index: str) -> urllib.request.OpenerDirector:
    """What opens addresses of *index*: with the site's proxy, certificates and credentials."""
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    known = credentials(index)
    if known:   # files may lie beside the index on its host; another host gets nothing
        host = urllib.parse.urljoin(without_credentials(index), '/')
        passwords.add_password(None, host, *known, is_authenticated=True)
    context = ssl.create_default_context(cafile=where.certificates)
    if where.client_certificate:
        context.load_cert_chain(where.client_certificate)
    parts = urllib.parse.urlsplit(index)
    if {parts.hostname, f'{parts.hostname}:{parts.port}'} & set(where.trusted_hosts):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    handlers = [urllib.request.HTTPSHandler(context=context), urllib.request.HTTPBasicAuthHandler(passwords)]
    if where.proxy:
        handlers.append(urllib.request.ProxyHandler({'http': where.proxy, 'https': where.proxy}))
    return urllib.request.build_opener(*handlers)


def without_credentials(address: str) -> str:
    """An address as it may be shown and requested."""
    parts = urllib.parse.urlsplit(address)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rsplit('@', 1)[-1]))


def fetch(pin: Pin | None, where: Site, folder: str) -> str:
    """Download the wheel of *pin* into *folder* and return its path.

    The first index that has it is the one; each is told in the message where none has. Raises NotFetched.
    """
    if pin is None:
        raise NotFetched('this Python has no pip, and the lock names none')
    if where.no_index:
        raise NotFetched('this Python has no pip, and pip is configured with no-index')
    reasons = []
    for index in (where.url, *where.extra):
        try:
            return _fetch(pin, where, index.rstrip('/'), folder)
        except NotFetched as error:
            reasons.append(str(error))
    raise NotFetched('; '.join(reasons))


def _fetch(pin: Pin, where: Site, index: str, folder: str) -> str:
    page = f'{without_credentials(index)}/{pin.name}/'
    try:
        web = opener(where, index)
        with web.open(page, timeout=15) as answer:
            address = link_to(answer.read().decode('utf-8', 'replace'), answer.geturl(), pin)
        if address is None:
            raise NotFetched(f'{page} has no wheel of {pin.name} {pin.version}')
        path = os.path.join(folder, f'{pin.name}-{pin.version}-py3-none-any.whl')
        with web.open(address, timeout=60) as answer, open(path, 'wb') as stream:
            shutil.copyfileobj(answer, stream)
    except (OSError, urllib.error.URLError) as error:
        raise NotFetched(f'{page}: {error}') from error
    if 'sha256:' + sha256(path) not in pin.hashes:
        os.unlink(path)
        raise NotFetched(f'{without_credentials(address)} has other bytes than the lock says')
    return path
