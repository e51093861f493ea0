# SPDX-License-Identifier: Apache-2.0
"""apt's files of sources, of both styles, with the distribution's archives at other places. Nothing here does I/O."""
from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

FOLDER = '/etc/apt/sources.list.d'
COMPONENTS = {
    'debian': {'main', 'contrib', 'non-free', 'non-free-firmware'},
    'ubuntu': {'main', 'restricted', 'universe', 'multiverse'},
}
_ALIASES = {'debian': {'stable', 'oldstable', 'oldoldstable', 'testing', 'unstable', 'sid'}, 'ubuntu': set()}
_SUFFIXES = {'debian': r'-updates|-proposed-updates|-backports|-backports-sloppy',
             'ubuntu': r'-updates|-security|-proposed|-backports'}
_ARCHIVES = {'debian': ('debian', 'debian-security'), 'ubuntu': ('ubuntu', 'ubuntu-ports')}
_PERSONAL = re.compile(r'(?:^|\.)launchpad(?:content)?\.net$')     # their paths end as the distribution's do
_KEYRING = re.compile(r'/(?:usr/share/keyrings|etc/apt/keyrings|etc/apt/trusted\.gpg\.d)/'
                      r'(?:debian|ubuntu)-archive-[\w.-]+')
# what lets apt take packages that nobody signed, or that are signed badly
_TRUST = ('trusted', 'allow-insecure', 'allow-weak', 'allow-downgrade-to-insecure')
_LINE = re.compile(r'(?P<type>deb|deb-src)[ \t]+(?:\[(?P<options>[^]]*)\][ \t]+)?(?P<uri>[^\s\[]+)[ \t]+(?P<suite>\S+)'
                   r'(?P<components>[^#]*)(?P<comment>#.*)?')
_FIELD = re.compile(r'(?P<name>[A-Za-z][\w-]*):(?P<value>.*)', re.DOTALL)


class Wish(NamedTuple):
    """:ivar system: 'debian' or 'ubuntu'.

    :ivar codename: of the release, such as 'bookworm'.
    :ivar archives: name -> URL, of those that are wanted elsewhere.
    :ivar ports: whether the node's packages are in the archive of Ubuntu's other architectures.
    :ivar trusted: whether packages are taken from there that nobody signed.
    :ivar source: whether source packages are wanted too.
    """

    system: str
    codename: str
    archives: dict[str, str]
    ports: bool = False
    trusted: bool = False
    source: bool = False


def archive_of(wish: Wish, suite: str) -> str:
    """The archive that *suite* is in; empty when it is no suite of the system's release."""
    names = '|'.join(map(re.escape, sorted({wish.codename} | _ALIASES[wish.system])))
    suite = suite.rstrip('/')
    if wish.system == 'debian' and re.fullmatch(rf'(?:{names})(?:-security|/updates)', suite):
        return 'debian-security'
    if re.fullmatch(rf'(?:{names})(?:{_SUFFIXES[wish.system]})?', suite):
        return 'ubuntu-ports' if wish.ports and wish.system == 'ubuntu' else wish.system
    return ''


def is_own(wish: Wish, uris: list[str], components: list[str], signed_by: str) -> bool:
    """Whether packages come from the distribution itself or a mirror of it, as far as names tell."""
    return (bool(uris) and bool(components) and set(components) <= COMPONENTS[wish.system]
            and (not signed_by or bool(_KEYRING.fullmatch(signed_by))) and all(_is_place(wish, uri) for uri in uris))


def _is_place(wish: Wish, uri: str) -> bool:
    parts = urlsplit(uri)
    host, name = parts.hostname or '', parts.path.rstrip('/').rpartition('/')[2]
    if parts.scheme == 'mirror+file':       # as the images for clouds have it
        return parts.path.startswith('/etc/apt/mirrors/') and name.startswith(wish.system)
    if parts.scheme not in ('http', 'https', 'mirror', 'mirror+http', 'mirror+https') or _PERSONAL.search(host):
        return False
    official = f'{wish.system}.{"org" if wish.system == "debian" else "com"}'
    return host == official or host.endswith('.' + official) or name in _ARCHIVES[wish.system]


def one_line(text: str, wish: Wish) -> tuple[str, int]:
    """Return *text* of a ``.list`` with the wish met, and how many of its entries are the distribution's own."""
    lines, own = [], 0
    entries = [(line, _LINE.fullmatch(line.strip())) for line in text.splitlines(keepends=True)]
    sources = {entry['suite'] for _, entry in entries if entry and entry['type'] == 'deb-src'}
    for line, entry in entries:
        if entry:
            options = (entry['options'] or '').split()
            signed_by = next((word.partition('=')[2] for word in options if word.startswith('signed-by=')), '')
            name = archive_of(wish, entry['suite'])
            url = wish.archives.get(name, '')
            if is_own(wish, [entry['uri']], entry['components'].split(), signed_by):
                own += bool(name)
                if url:
                    options = [word for word in options if word.partition('=')[0].rstrip('+-') not in _TRUST]
                    options += ['trusted=yes'] if wish.trusted else []
                    rest = [*([f"[{' '.join(options)}]"] if options else []), url, entry['suite'],
                            *entry['components'].split()]
                    comment = f" {entry['comment']}" if entry['comment'] else ''
                    line = f"{' '.join([entry['type'], *rest])}{comment}\n"
                    if wish.source and entry['suite'] not in sources:
                        line += ' '.join(['deb-src', *rest]) + '\n'
        lines.append(line)
    return ''.join(lines), own


def deb822(text: str, wish: Wish) -> tuple[str, int]:
    """Return *text* of a ``.sources`` with the wish met, and how many of its stanzas are the distribution's own."""
    parts = re.split(r'((?:\n[ \t]*)+\n)', text)    # stanzas, and what divides them
    own = 0
    for number in range(0, len(parts), 2):
        fields = _fields(parts[number])
        values = dict(_name_and_value(field) for field in fields)
        if values.get('enabled', '').lower() in ('no', 'false', 'without', 'off', 'disable', '0'):
            continue
        archives = {archive_of(wish, suite) for suite in values.get('suites', '').split()}
        if len(archives) != 1 or not is_own(wish, values.get('uris', '').split(), values.get('components', '').split(),
                                            values.get('signed-by', '')):
            continue
        name = archives.pop()
        own += bool(name)
        if name in wish.archives:
            parts[number] = '\n'.join(_rewritten(fields, wish.archives[name], wish))
    return ''.join(parts), own


def _fields(stanza: str) -> list[str]:
    """Split a stanza into its fields, each with the lines that continue it; a comment is one of its own."""
    fields: list[str] = []
    last = -1
    for line in stanza.split('\n'):
        if line[:1] in (' ', '\t') and last >= 0:
            fields[last] += '\n' + line
            continue
        fields.append(line)
        if not line.startswith('#'):
            last = len(fields) - 1
    return fields


def _name_and_value(field: str) -> tuple[str, str]:
    match = _FIELD.fullmatch(field)
    return (match['name'].lower(), match['value'].strip()) if match else ('', '')


def _rewritten(fields: list[str], url: str, wish: Wish) -> list[str]:
    kept = []
    for field in fields:
        name, value = _name_and_value(field)
        if name in _TRUST:
            continue
        if name == 'uris':
            field = f'URIs: {url}' + ('\nTrusted: yes' if wish.trusted else '')
        elif name == 'types' and wish.source and 'deb-src' not in value.split():
            field = 'Types: deb deb-src'
        kept.append(field)
    return kept


def stanzas(wish: Wish, keyring: str) -> str:
    """Return sources for a node that has none: what a fresh system of the release would have.

    :param keyring: path of the distribution's keys; empty for those that apt trusts anyway.
    """
    suites: dict[str, list[str]] = {}
    for suffix in ('', '-updates', '-security'):
        suites.setdefault(archive_of(wish, wish.codename + suffix), []).append(wish.codename + suffix)
    blocks = []
    for archive, names in suites.items():
        if archive in wish.archives:
            fields = {'Types': 'deb deb-src' if wish.source else 'deb', 'URIs': wish.archives[archive],
                      'Suites': ' '.join(names), 'Components': 'main' if wish.system == 'debian' else 'main universe',
                      'Signed-By': keyring, 'Trusted': 'yes' if wish.trusted else ''}
            blocks.append(''.join(f'{name}: {value}\n' for name, value in fields.items() if value))
    return '\n'.join(blocks)


def wanted(files: dict[str, str], wish: Wish, keyring: str) -> dict[str, str]:
    """Return path -> text of all of apt's files of sources as they should be.

    :param files: path -> text of those that are there.
    """
    result, own = {}, 0
    for path, text in files.items():
        result[path], count = (deb822 if path.endswith('.sources') else one_line)(text, wish)
        own += count
    if not own:
        path = f'{FOLDER}/{wish.system}.sources'
        result[path] = '\n'.join(text for text in (files.get(path, '').rstrip('\n'), stanzas(wish, keyring)) if text)
    return result
