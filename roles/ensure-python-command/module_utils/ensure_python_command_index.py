# SPDX-License-Identifier: Apache-2.0
"""Fetch pip's own wheel from the site's package index, for a node whose Python came without one."""
from __future__ import annotations

import configparser
import glob
import html
import os
import re
import shutil
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import NamedTuple

from ansible.module_utils.ensure_python_command_lock import Pin, sha256, wheels_of

PUBLIC = 'https://pypi.org/simple'
_FOLDER = '.pip-wheel-'
_LINK = re.compile(r'<a\s[^>]*?href\s*=\s*["\']([^"\']+)["\']', re.IGNORECASE)


class NotFetched(Exception):
    """The wheel could not be had; the text says from where and why."""


class Site(NamedTuple):
    """Where the site wants Python packages to come from, and with which certificates (a path, or none)."""

    address: str
    certificates: str | None


def site(environment: dict[str, str], files: list[str]) -> Site:
    """What pip would use, from its configuration *files* (general first) and *environment*, which wins."""
    settings: dict[str, str] = {}
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding='utf-8')
        except (configparser.Error, UnicodeDecodeError):
            continue   # pip itself will say so, in better words
        for section in ('global', 'install', 'download'):
            if parser.has_section(section):
                settings.update(parser.items(section))
    index = environment.get('PIP_INDEX_URL') or settings.get('index-url') or PUBLIC
    certificates = environment.get('PIP_CERT') or settings.get('cert') or environment.get('SSL_CERT_FILE')
    return Site(index.rstrip('/'), certificates or None)


def configuration_files(environment: dict[str, str]) -> list[str]:
    """pip's configuration files, general first."""
    home = environment.get('HOME', '')
    return [path for path in ('/etc/pip.conf', os.path.join(home, '.pip', 'pip.conf'),
                              os.path.join(environment.get('XDG_CONFIG_HOME') or os.path.join(home, '.config'),
                                           'pip', 'pip.conf'),
                              environment.get('PIP_CONFIG_FILE', '')) if path and os.path.isfile(path)]


def link_to(page: str, base: str, pin: Pin) -> str | None:
    """The address of a wheel of *pin* on an index *page* whose own address is *base*."""
    for link in _LINK.findall(page):
        address = urllib.parse.urljoin(base, html.unescape(link)).split('#', 1)[0]
        if wheels_of(pin, [urllib.parse.unquote(address.rsplit('/', 1)[-1])]):
            return address
    return None


def opener(where: Site) -> urllib.request.OpenerDirector:
    """What opens addresses: proxies from the environment, certificates and credentials of the site."""
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    parts = urllib.parse.urlsplit(where.address)
    if parts.username:
        passwords.add_password(None, without_credentials(where.address), urllib.parse.unquote(parts.username),
                               urllib.parse.unquote(parts.password or ''), is_authenticated=True)
    context = ssl.create_default_context(cafile=where.certificates)
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context),
                                       urllib.request.HTTPBasicAuthHandler(passwords))


def without_credentials(address: str) -> str:
    """An address as it may be shown and requested."""
    parts = urllib.parse.urlsplit(address)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rsplit('@', 1)[-1]))


def fetch(pin: Pin | None, parent: str) -> str:
    """Download the wheel of *pin* into a folder below *parent* and return its path. Raises NotFetched."""
    if pin is None:
        raise NotFetched('this Python has no pip, and the lock names none')
    environment = dict(os.environ)
    where = site(environment, configuration_files(environment))
    page = f'{without_credentials(where.address)}/{pin.name}/'
    folder = os.path.join(parent, f'{_FOLDER}{os.getpid()}')
    try:
        web = opener(where)
        with web.open(page, timeout=15) as answer:
            address = link_to(answer.read().decode('utf-8', 'replace'), answer.geturl(), pin)
        if address is None:
            raise NotFetched(f'{page} has no wheel of {pin.name} {pin.version}')
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, urllib.parse.unquote(address.rsplit('/', 1)[-1]))
        with web.open(address, timeout=60) as answer, open(path, 'wb') as stream:
            shutil.copyfileobj(answer, stream)
    except (OSError, urllib.error.URLError) as error:
        raise NotFetched(f'{page}: {error}') from error
    if 'sha256:' + sha256(path) not in pin.hashes:
        os.unlink(path)
        raise NotFetched(f'{without_credentials(address)} has other bytes than the lock says')
    return path


def remove(parent: str) -> None:
    """Drop what :func:`fetch` made below *parent*, in this run or in one that was killed."""
    for folder in glob.glob(os.path.join(glob.escape(parent), _FOLDER + '*')):
        shutil.rmtree(folder, ignore_errors=True)
