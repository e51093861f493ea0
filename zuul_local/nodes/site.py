"""What this machine uses to reach the world, so that its nodes can do the same.

It is handed to a node when it starts and to an image while it is built; nothing of it stays in an image.
"""

from __future__ import annotations

import collections
import configparser
import dataclasses
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from zuul_local.nodes.labels import Label

BUNDLE = '/etc/ssl/certs/ca-certificates.crt'
ANCHORS = '/usr/local/share/ca-certificates'
DEBIAN = 'http://deb.debian.org/debian'
DEBIAN_SECURITY = 'http://deb.debian.org/debian-security'
KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
BUNDLE_VARIABLES = ('SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'PIP_CERT', 'CURL_CA_BUNDLE')
PROXY_VARIABLES = ('http_proxy', 'https_proxy', 'ftp_proxy', 'all_proxy', 'no_proxy')
PIP_VARIABLES = {
    'index-url': ('PIP_INDEX_URL',), 'extra-index-url': ('PIP_EXTRA_INDEX_URL',), 'trusted-host': ('PIP_TRUSTED_HOST',),
    'timeout': ('PIP_DEFAULT_TIMEOUT', 'PIP_TIMEOUT'),
}
UV_VARIABLES = {
    'index-url': ('UV_DEFAULT_INDEX', 'UV_INDEX_URL'), 'extra-index-url': ('UV_INDEX', 'UV_EXTRA_INDEX_URL'),
}
LOOPBACK = re.compile(r'(localhost$|127\.|::1$)')

File = tuple[str, bytes, int]


@dataclasses.dataclass(frozen=True)
class Site:
    """The way out of this machine; an empty one is a machine that needs nothing special.

    :param proxies: (variable in lower case, value).
    :param bundle: file with every authority that this machine trusts, when it trusts others than its distribution does.
    :param anchors: (file name, content) of the authorities that were added to this machine.
    :param pip: (option of pip.conf, value); lists are separated by white space.
    :param apt_mirror: URI of Debian's archive; empty for Debian's own.
    :param apt_security: URI of the security archive; empty for Debian's own.
    :param apt_proxies: (scheme, value) of apt's own proxies.
    """

    proxies: tuple[tuple[str, str], ...] = ()
    bundle: bytes = b''
    bundle_path: str = ''
    anchors: tuple[tuple[str, bytes], ...] = ()
    pip: tuple[tuple[str, str], ...] = ()
    apt_mirror: str = ''
    apt_security: str = ''
    apt_proxies: tuple[tuple[str, str], ...] = ()

    def files(self, label: Label) -> list[File]:
        """Return (absolute path, content, mode) of what a node of *label* gets; an offline one gets no way out."""
        found: list[File] = []
        if self.bundle:
            found.append((BUNDLE, self.bundle, 0o644))
            found += [(f'{ANCHORS}/{name}', data, 0o644) for name, data in self.anchors]
        if label.offline:
            # Nothing answers there: to say so at once is kinder than five tries
            found.append(('/etc/pip.conf', b'[global]\nretries = 0\n', 0o644))
            return found
        if pip := self.pip_conf():
            found.append(('/etc/pip.conf', pip.encode(), 0o644))
        if uv := self.uv_toml():
            found.append(('/etc/uv/uv.toml', uv.encode(), 0o644))
        if environment := self.environment(BUNDLE):
            lines = ''.join(f'{name}={value}\n' for name, value in environment.items())
            found.append(('/etc/environment', lines.encode(), 0o644))
            # sudo drops the environment, and root needs the proxy as much as zuul does
            found.append(('/etc/sudoers.d/site', f'Defaults env_keep += "{" ".join(environment)}"\n'.encode(), 0o440))
        if label.platform == 'Debian' and (self.apt_mirror or self.apt_security):
            found.append(('/etc/apt/sources.list.d/debian.sources', sources(label.suite, self).encode(), 0o644))
        if label.platform == 'Debian' and self.apt_proxies:
            found.append(('/etc/apt/apt.conf.d/90site', self.apt_conf().encode(), 0o644))
        return found

    def pip_conf(self, cert: str = BUNDLE) -> str:
        """Return the text of a pip.conf; empty when pip needs none."""
        options = dict(self.pip)
        if self.bundle:
            options['cert'] = cert
        lines = [f'{name} = ' + '\n    '.join(value.split()) for name, value in options.items()]
        return '\n'.join(('[global]', *lines, '')) if lines else ''

    def uv_toml(self) -> str:
        """Return the text of an uv.toml that names the same indexes; empty when uv needs none."""
        options = dict(self.pip)
        lines = []      # the authorities come with SSL_CERT_FILE: the option for them has another name in each uv
        if index := options.get('index-url'):
            lines.append(f'index-url = "{index}"')
        if extra := options.get('extra-index-url', '').split():
            lines.append(f'extra-index-url = {json.dumps(extra)}')
        return '\n'.join((*lines, '')) if lines else ''

    def environment(self, bundle: str) -> dict[str, str]:
        """Return the variables for programs that have no configuration file; *bundle* is where the authorities lie."""
        found = {form: value for name, value in self.proxies for form in (name, name.upper())}
        if self.bundle:
            found |= {'SSL_CERT_FILE': bundle, 'REQUESTS_CA_BUNDLE': bundle}
        return found

    def apt_conf(self) -> str:
        """Return apt's configuration of the proxies."""
        return ''.join(f'Acquire::{scheme}::Proxy "{value}";\n' for scheme, value in self.apt_proxies)

    def warnings(self) -> list[str]:
        """Return what cannot work on a node, in words."""
        urls = [(name, word) for name, value in (*self.proxies, *self.apt_proxies, *self.pip) for word in value.split()
                if '//' in word]
        return [f'{name} {masked(url)} lies on the loopback address of this machine: nodes cannot reach it'
                for name, url in urls if LOOPBACK.match(urllib.parse.urlsplit(url).hostname or '')]

    def lines(self) -> list[str]:
        """Return the site in words for people, without its credentials."""
        told = [f'{name}: {masked(value)}' for name, value in self.proxies]
        if self.bundle:
            names = ', '.join(name for name, _ in self.anchors)
            told.append(f'certificate authorities: {self.bundle_path}' + (f' (added here: {names})' if names else ''))
        told += [f'pip {name}: {masked(value)}' for name, value in self.pip]
        told += [f'apt {name}: {masked(value)}' for name, value in
                 (('mirror', self.apt_mirror), ('security mirror', self.apt_security)) if value]
        told += [f'apt {scheme} proxy: {masked(value)}' for scheme, value in self.apt_proxies]
        return told or ['nothing special: no proxy, no certificate authority, no index and no mirror of its own']


def discover(environ: Mapping[str, str], root: str = '/') -> Site:
    """Read the site of the machine whose files lie below *root*."""
    base = Path(root)
    mirror, security = apt_mirrors(base)
    path, bundle, anchors = _authorities(environ, base)
    lower = {name.lower(): value for name, value in environ.items()}
    return Site(
        proxies=tuple((name, lower[name]) for name in PROXY_VARIABLES if lower.get(name)),
        bundle=bundle, bundle_path=path, anchors=anchors,
        pip=tuple(pip_options(environ, base).items()),
        apt_mirror=mirror, apt_security=security, apt_proxies=apt_proxies(base))


def masked(text: str) -> str:
    """Return *text* with the user and password of every URL in it hidden."""
    return re.sub(r'(?<=://)[^/@\s]+@', '***@', text)


def sources(suite: str, site: Site) -> str:
    """Return apt's sources of *suite*, at the mirrors of *site*."""
    archives = ((site.apt_mirror or DEBIAN, f'{suite} {suite}-updates'),
                (site.apt_security or DEBIAN_SECURITY, f'{suite}-security'))
    return '\n'.join(f'Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\nSigned-By: {KEYRING}\n'
                     for uri, suites in archives)


def pip_options(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return what pip's files and variables, else uv's variables, say about indexes; later ones win as pip has it.

    Folders of packages (find-links) are this machine's own and are left out.
    """
    found: dict[str, str] = {}
    for path in _pip_files(environ, root):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path)
        except (configparser.Error, UnicodeDecodeError):
            continue            # pip itself tells the user, in better words
        for section in ('global', 'install', 'download'):
            if parser.has_section(section):
                found |= {name: parser.get(section, name, fallback='') or found.get(name, '') for name in PIP_VARIABLES}
    for name, variables in PIP_VARIABLES.items():
        found[name] = _first(environ, variables) or found.get(name, '')
    for name, variables in UV_VARIABLES.items():
        # uv lets an index be written as name=URL
        found[name] = found[name] or re.sub(r'(^|\s)[\w.-]+=(?=\w+://)', r'\1', _first(environ, variables))
    return {name: ' '.join(value.split()) for name, value in found.items() if value.strip()}


def _pip_files(environ: Mapping[str, str], root: Path) -> list[Path]:
    """Return pip's configuration files in the order in which it reads them."""
    chosen = environ.get('PIP_CONFIG_FILE', '')
    if chosen == '/dev/null':
        return []
    home = environ.get('HOME', '')
    config = environ.get('XDG_CONFIG_HOME') or f'{home}/.config'
    own = [f'{home}/.pip/pip.conf', f'{config}/pip/pip.conf'] if home else []
    return [root / name.lstrip('/') for name in ('/etc/xdg/pip/pip.conf', '/etc/pip.conf', *own, chosen) if name]


def _first(environ: Mapping[str, str], names: Iterable[str]) -> str:
    return next((environ[name] for name in names if environ.get(name)), '')


def apt_mirrors(root: Path) -> tuple[str, str]:
    """Return the archive and the security archive of a Debian, each empty when it is Debian's own or unknown."""
    release = _read(root / 'etc/os-release')
    if not re.search(r'^ID="?debian"?$', release, re.M):
        return '', ''
    codename = (re.findall(r'^VERSION_CODENAME="?(\w+)', release, re.M) or [''])[0]
    mirror = security = ''
    for uri, suite in _apt_entries(root):
        if urllib.parse.urlsplit(uri).scheme not in ('http', 'https'):
            continue
        if suite in (codename, 'stable') and not mirror:
            mirror = uri.rstrip('/')
        if suite in (f'{codename}-security', 'stable-security') and not security:
            security = uri.rstrip('/')
    return '' if mirror == DEBIAN else mirror, '' if security == DEBIAN_SECURITY else security


def _apt_entries(root: Path) -> Iterator[tuple[str, str]]:
    """Yield (URI, suite) of every binary source; the disabled ones and other archives than Debian's are left out."""
    folder = root / 'etc/apt'
    for path in (folder / 'sources.list', *sorted(folder.glob('sources.list.d/*.list'))):
        for line in _read(path).splitlines():
            match = re.match(r'deb\s+(?:\[[^]]*]\s+)?(\S+)\s+(\S+)\s+.*\bmain\b', line.strip())
            if match:
                yield match[1], match[2]
    for path in sorted(folder.glob('sources.list.d/*.sources')):
        text = re.sub(r'^#.*\n?', '', _read(path), flags=re.M)
        for stanza in re.split(r'\n\s*\n', text):
            found = re.findall(r'^([\w-]+):((?:.*)(?:\n[ \t].*)*)', stanza, re.M)
            fields = collections.defaultdict(list, {key.lower(): value.split() for key, value in found})
            if 'deb' in fields['types'] and 'main' in fields['components'] and fields['enabled'] != ['no']:
                yield from ((uri, suite) for uri in fields['uris'] for suite in fields['suites'])


def apt_proxies(root: Path) -> tuple[tuple[str, str], ...]:
    """Return (scheme, proxy) of apt's own configuration."""
    folder = root / 'etc/apt'
    found: dict[str, str] = {}
    for path in (*sorted(folder.glob('apt.conf.d/*')), folder / 'apt.conf'):
        for name, value in apt_settings(_read(path)):
            match = re.fullmatch(r'acquire::(https?)::proxy', name.lower())
            if match and value:
                found[match[1]] = value
    return tuple(found.items())


def apt_settings(text: str) -> Iterator[tuple[str, str]]:
    """Yield (name, value) of apt.conf(5), in both of its ways to write nesting."""
    text = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
    text = re.sub(r'^\s*(//|#).*$', '', text, flags=re.M)
    path: list[str] = []
    words: list[str] = []
    for quoted, mark, word in re.findall(r'"([^"]*)"|([{};])|([^\s{};"]+)', text):
        if mark == '{':
            path.append(words[0] if words else '')
        elif mark and len(words) > 1:
            yield '::'.join((*path, words[0])), words[1]
        if mark == '}' and path:
            path.pop()
        words = [] if mark else [*words, word or quoted]


def _authorities(environ: Mapping[str, str], root: Path) -> tuple[str, bytes, tuple[tuple[str, bytes], ...]]:
    """Return path and content of the bundle, and the authorities added here; empty when the distribution's own do."""
    folder = root / ANCHORS.lstrip('/')
    anchors = tuple((path.relative_to(folder).as_posix().replace('/', '-'), path.read_bytes())
                    for path in sorted(folder.rglob('*.crt')) if path.is_file())
    named = _first(environ, BUNDLE_VARIABLES)
    if not named and not anchors:
        return '', b'', ()
    path = named or BUNDLE
    try:
        return path, (root / path.lstrip('/')).read_bytes(), anchors
    except OSError:
        return '', b'', ()


def _read(path: Path) -> str:
    try:
        return path.read_text(errors='replace')
    except OSError:
        return ''


def tell(site: Site) -> Iterable[str]:
    """Return all that `node list -v` says about the site."""
    return (*site.lines(), *(f'warning: {words}' for words in site.warnings()))
