# SPDX-License-Identifier: Apache-2.0
"""What is asked for, what is wrong with it, and the files that it comes to. Nothing here does I/O."""
from __future__ import annotations

import re
from typing import Any, Iterator, NamedTuple
from urllib.parse import urlsplit

MARK = '# Written by the role ensure-package-repositories, which replaces it when it is called again.\n'
MANAGERS = {'debian': 'apt', 'ubuntu': 'apt', 'fedora': 'dnf', 'rhel': 'dnf', 'centos': 'dnf'}
PLACES = {'apt': ('/etc/apt/sources.list.d/{}.sources', '/etc/apt/keyrings/{}'),
          'dnf': ('/etc/yum.repos.d/{}.repo', '/etc/pki/rpm-gpg/RPM-GPG-KEY-{}')}
OPTIONS = {'apt': ('repo', 'filename'),
           'dnf': ('name', 'description', 'baseurl', 'metalink', 'mirrorlist', 'enabled', 'gpgcheck', 'repo_gpgcheck',
                   'priority', 'module_hotfixes', 'file')}
KEY_OPTIONS = ('url', 'data', 'sha256', 'fingerprint')
# option of a line -> field of a stanza
_FIELDS = {'arch': 'Architectures', 'lang': 'Languages', 'target': 'Targets', 'pdiffs': 'PDiffs', 'by-hash': 'By-Hash',
           'trusted': 'Trusted', 'signed-by': 'Signed-By', 'check-valid-until': 'Check-Valid-Until'}
_SWITCHES = ('enabled', 'gpgcheck', 'repo_gpgcheck', 'module_hotfixes')
_LINE = re.compile(r'(deb|deb-src)[ \t]+(?:\[([^]\r\n]*)\][ \t]+)?(\S+)[ \t]+([\w.~+/-]+)((?:[ \t]+[\w.~+/-]+)*)', re.A)
_URL = re.compile(r'(?:https?://[A-Za-z0-9.:\[\]-]+|file:(?://)?(?=/))(?:/[A-Za-z0-9._~+,=:%&;@$/-]*)?')
_FILE = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_.-]*')
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.:-]*')


class Key(NamedTuple):
    """One key: where it comes from, and what says that it is the right one."""

    url: str
    data: str
    sha256: str
    fingerprints: tuple[str, ...]

    @property
    def wanted(self) -> dict[str, Any]:
        return {'sha256': self.sha256, 'fingerprints': list(self.fingerprints)}


def manager_of(release: str) -> str:
    """The package manager of the system whose os-release(5) is *release*; empty where none is known."""
    pairs = dict(re.findall(r'^(\w+)=["\']?([^"\'\n]*)', release, re.M))
    words = f"{pairs.get('ID', '')} {pairs.get('ID_LIKE', '')}".split()
    return next((MANAGERS[word] for word in words if word in MANAGERS), '')


def problems(keys: list[Any], repositories: list[Any], manager: str, system: str) -> list[str]:
    """All that is wrong with the request; each says value, rule and remedy.

    :param system: what the node calls itself.
    """
    if not manager:
        return [f"the system is '{system}': its package manager is not known here (known: apt and dnf). Leave the "
                'role out there.']
    found = [problem for number, key in enumerate(keys) for problem in _of_key(f'repositories_keys[{number}]', key)]
    check = _of_line if manager == 'apt' else _of_section
    found += [problem for number, one in enumerate(repositories)
              for problem in check(f'repositories_list[{number}]', one, bool(keys))]
    if keys and not repositories:
        found.append('repositories_keys has keys, and repositories_list is empty: a key is trusted for the '
                     'repositories that come with it, and for nothing else. Give both in one call.')
    return found


def read_key(entry: dict[str, Any]) -> Key:
    """The key of an entry that has no problems."""
    prints = entry.get('fingerprint') or []
    prints = prints if isinstance(prints, list) else [prints]
    return Key(str(entry.get('url') or ''), str(entry.get('data') or ''), str(entry.get('sha256') or '').lower(),
               tuple(re.sub(r'\s|^0x', '', str(one)).upper() for one in prints))


def _unknown(where: str, entry: Any, known: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield f"{where} is {entry!r}: not a mapping. It has {', '.join(known)}."
        return
    for name in entry:
        if name not in known:
            yield f"{where} has {name!r}: known are {', '.join(known)}."


def _of_key(where: str, entry: Any) -> Iterator[str]:
    yield from _unknown(where, entry, KEY_OPTIONS)
    if not isinstance(entry, dict):
        return
    key = read_key(entry)
    if bool(key.url) == bool(key.data):
        yield f'{where} has {"both url and data" if key.url else "neither url nor data"}: give one of them.'
    if key.url and not _is_url(key.url):
        yield _no_url(where, 'url', key.url)
    if key.url and not key.sha256 and not key.fingerprints:
        yield (f'{where}.url is {_shown(key.url)}: what it answers is trusted with all that is installed from the '
               'repository. Give the sha256 of the file or the fingerprint of the key too.')
    if key.sha256 and not re.fullmatch(r'[0-9a-f]{64}', key.sha256):
        yield f'{where}.sha256 is {key.sha256!r}: not 64 hexadecimal digits.'
    for one in key.fingerprints:
        if not re.fullmatch(r'(?:[0-9A-F]{40}|[0-9A-F]{64})', one):
            yield (f'{where}.fingerprint is {one!r}: not the 40 or 64 hexadecimal digits of a whole one. '
                   '`gpg --show-keys FILE` tells it.')


def _of_line(where: str, entry: Any, keys: bool) -> Iterator[str]:
    yield from _unknown(where, entry, OPTIONS['apt'])
    if not isinstance(entry, dict):
        return
    line = _LINE.fullmatch(str(entry.get('repo', '')).strip())
    if not line:
        yield (f"{where}.repo is {_shown(str(entry.get('repo', '')))}: not a source of apt. Write e.g. "
               "'deb [arch=amd64] https://packages.example.com/debian bookworm main'.")
        return
    if not _is_url(line[3]):
        yield _no_url(where, 'repo', line[3])
    if bool(line[5].strip()) == line[4].endswith('/'):
        yield (f'{where}.repo has the suite {line[4]!r} and the components {line[5].strip()!r}: one that ends in a '
               'slash has no components, others have some.')
    for option in (line[2] or '').split():
        name, _, value = option.partition('=')
        if name not in _FIELDS or not re.fullmatch(r'[\w./,+-]+', value, re.A):
            yield f"{where}.repo has the option {option!r}: known are {', '.join(_FIELDS)}, each with a value."
        elif name == 'signed-by' and keys:
            yield f'{where}.repo has {option!r} although repositories_keys has keys: say in one place who signs it.'
    yield from _of_file(where, 'filename', entry)


def _of_section(where: str, entry: Any, keys: bool) -> Iterator[str]:
    yield from _unknown(where, entry, OPTIONS['dnf'])
    if not isinstance(entry, dict):
        return
    name = str(entry.get('name', ''))
    if not _NAME.fullmatch(name) or name == 'main':
        yield f"{where}.name is {name!r}: not the name of a repository. Write e.g. 'example-tools'."
    urls = [(option, url) for option in ('baseurl', 'metalink', 'mirrorlist') for url in _list(entry.get(option))]
    if not urls:
        yield f'{where} has no baseurl, metalink or mirrorlist: give one.'
    for option, url in urls:
        if not _is_url(url):
            yield _no_url(where, option, url)
    for option in _SWITCHES:
        if switch(entry.get(option)) is None and entry.get(option) is not None:
            yield f'{where}.{option} is {entry[option]!r}: write true or false.'
    if not re.fullmatch(r'(?:[1-9][0-9]?)?', str(entry.get('priority') or '')):
        yield f"{where}.priority is {entry['priority']!r}: not a number from 1 to 99."
    if not str(entry.get('description') or 'x').isprintable():
        yield f"{where}.description is {entry['description']!r}: not one line of text."
    yield from _of_file(where, 'file', entry)


def _of_file(where: str, option: str, entry: dict[str, Any]) -> Iterator[str]:
    value = entry.get(option)
    if value is not None and not _FILE.fullmatch(str(value)):
        yield (f"{where}.{option} is {value!r}: not the name of a file, which has letters, digits, '.', '_' and '-' "
               'only and no folder.')


def _is_url(url: str) -> bool:
    return bool(_URL.fullmatch(url))


def _no_url(where: str, option: str, value: str) -> str:
    return (f'{where}.{option} is {_shown(value)}: not a URL of https, http or file, or one with a password, for '
            'everybody to read.')


def _shown(value: str) -> str:
    return repr(re.sub(r'//[^/\s]*@', '//***@', value))


def _list(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else str(value).split() if value else []


def switch(value: Any) -> bool | None:
    """The truth of what YAML and Ansible make of yes and no; None when it is neither."""
    words = {'yes': True, 'true': True, '1': True, 'no': False, 'false': False, '0': False}
    return words.get(str(value).lower())


def stem(entry: dict[str, Any], manager: str) -> str:
    """The name of an entry's file, without what it ends in."""
    given = str(entry.get('filename' if manager == 'apt' else 'file') or '')
    if given:
        return re.sub(r'\.(?:list|sources|repo)$', '', given)
    if manager == 'dnf':
        return str(entry['name'])
    line = _LINE.fullmatch(str(entry['repo']).strip())
    parts = urlsplit(line[3] if line else '')
    return re.sub(r'[^a-z0-9]+', '-', f'{parts.netloc}{parts.path}'.lower()).strip('-')


def wanted(repositories: list[dict[str, Any]], manager: str, keys: list[str]) -> dict[str, str]:
    """Return path -> text of the files of repositories.

    :param repositories: entries without problems.
    :param keys: paths of the keys that sign them.
    """
    result: dict[str, list[str]] = {}
    for entry in repositories:
        path = PLACES[manager][0].format(stem(entry, manager))
        text = _stanza(entry, keys) if manager == 'apt' else _section(entry, keys)
        if text not in result.setdefault(path, []):
            result[path].append(text)
    return {path: MARK + '\n'.join(texts) for path, texts in result.items()}


def _stanza(entry: dict[str, Any], keys: list[str]) -> str:
    line = _LINE.fullmatch(entry['repo'].strip())
    assert line, entry
    options = dict(option.split('=', 1) for option in (line[2] or '').split())
    fields = {'Types': line[1], 'URIs': line[3], 'Suites': line[4], 'Components': ' '.join(line[5].split())}
    fields.update((_FIELDS[name], value.replace(',', ' ')) for name, value in options.items())
    if keys:
        fields['Signed-By'] = ' '.join(keys)
    return ''.join(f'{name}: {value}\n' for name, value in fields.items() if value)


def _section(entry: dict[str, Any], keys: list[str]) -> str:
    options: dict[str, str] = {'name': str(entry.get('description') or entry['name'])}
    for option in ('baseurl', 'metalink', 'mirrorlist'):
        options[option] = ' '.join(_list(entry.get(option)))
    for option in _SWITCHES:
        value = switch(entry.get(option))
        # what is not said is not left to dnf.conf, which may be lenient
        if value is not None or option in ('enabled', 'gpgcheck'):
            options[option] = '0' if value is False else '1'
    options['priority'] = str(entry.get('priority') or '')
    options['gpgkey'] = ' '.join(f'file://{path}' for path in keys)
    return f"[{entry['name']}]\n" + ''.join(f'{name}={value}\n' for name, value in options.items() if value)


def enabled(entry: dict[str, Any]) -> bool:
    return switch(entry.get('enabled')) is not False
