"""The package index of this machine, asked with the standard library alone.

It serves to fetch a few wheels by digest before there is an installer, and tells the installer where to go.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import json
import os
import re
import ssl
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from zuul_local.errors import UserError

PYPI = 'https://pypi.org/simple'
TIMEOUT = 10
JSON = 'application/vnd.pypi.simple.v1+json'


@dataclass(frozen=True)
class Index:
    """Where packages come from.

    :param urls: base URLs of simple repository APIs (PEP 503), in order; may carry credentials.
    :param origin: the setting that named the first one.
    :param certificates: file with the certificate authorities, or None for the system's.
    """

    urls: tuple[str, ...]
    origin: str = 'default'
    certificates: str | None = None

    def tool_environment(self) -> dict[str, str]:
        """Return the environment variables that make uv and pip use this index and nothing else."""
        variables = {
            'UV_DEFAULT_INDEX': self.urls[0], 'UV_INDEX': ' '.join(self.urls[1:]),
            'PIP_INDEX_URL': self.urls[0], 'PIP_EXTRA_INDEX_URL': ' '.join(self.urls[1:]),
        }
        if self.certificates:
            variables.update(SSL_CERT_FILE=self.certificates, PIP_CERT=self.certificates)
        return {name: value for name, value in variables.items() if value}


@dataclass(frozen=True)
class Link:
    """A file that an index offers."""

    filename: str
    url: str
    sha256: str | None = None


@dataclass(frozen=True)
class Pin:
    """A package of a lock: one version, and the digests of its files."""

    name: str
    version: str
    digests: frozenset[str] = field(repr=False)


class NoSuchFile(Exception):
    """The index works and offers no file of the pinned ones for this machine."""


def configured(environ: Mapping[str, str], pip_files: Iterable[Path], uv_files: Iterable[Path]) -> Index:
    """Return the index that pip and uv would use here; uv's own settings come first, as those of the newer tool.

    :param pip_files: pip's configuration files, the strongest last.
    :param uv_files: uv's, the strongest last.
    """
    pip: dict[str, str] = {}
    for path in pip_files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding='utf-8')
        except (configparser.Error, OSError, UnicodeDecodeError) as error:
            raise UserError(f'{path} cannot be read: {error}',
                            'Mend it, or set PIP_INDEX_URL and PIP_CONFIG_FILE=/dev/null.') from None
        for section in ('global', 'install'):
            if parser.has_section(section):
                for key, value in parser.items(section):
                    pip[key.replace('_', '-')] = value
                    pip[f'{key.replace("_", "-")} from'] = str(path)
    candidates = [(environ.get(name, ''), name) for name in ('UV_DEFAULT_INDEX', 'UV_INDEX_URL')]
    candidates += [(url, str(path)) for path in reversed(list(uv_files)) if (url := _uv_default(path))]
    candidates += [(environ.get('PIP_INDEX_URL', ''), 'PIP_INDEX_URL')]
    candidates += [(pip.get('index-url', ''), pip.get('index-url from', ''))]
    url, origin = next(((url, origin) for url, origin in candidates if url), (PYPI, 'default'))
    extra = (environ.get('PIP_EXTRA_INDEX_URL') or pip.get('extra-index-url', '')).split()
    named = [environ.get('SSL_CERT_FILE'), environ.get('PIP_CERT'), pip.get('cert'), environ.get('REQUESTS_CA_BUNDLE')]
    # uv takes NAME=URL
    urls = [re.sub(r'^[A-Za-z0-9_-]+=(?=\w+://)', '', word).rstrip('/') for word in (url, *extra)]
    return Index(tuple(dict.fromkeys(urls)), origin, next(filter(None, named), None))


def here() -> Index:
    """Return the index of this machine and user."""
    return configured(os.environ, pip_files(os.environ), uv_files(os.environ))


def pip_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the places of pip's configuration, the strongest last."""
    named = environ.get('PIP_CONFIG_FILE')
    if named == os.devnull:
        return ()
    dirs = (environ.get('XDG_CONFIG_DIRS') or '/etc/xdg').split(':')
    found = [Path(folder) / 'pip/pip.conf' for folder in reversed(dirs)] + [Path('/etc/pip.conf')]
    home = Path(environ.get('HOME') or '~').expanduser()
    found += [home / '.pip/pip.conf', Path(environ.get('XDG_CONFIG_HOME') or home / '.config') / 'pip/pip.conf']
    return (*found, *([Path(named)] if named else []))


def uv_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the places of uv's configuration, the strongest last."""
    if environ.get('UV_CONFIG_FILE'):
        return (Path(environ['UV_CONFIG_FILE']),)
    home = Path(environ.get('HOME') or '~').expanduser()
    return Path('/etc/uv/uv.toml'), Path(environ.get('XDG_CONFIG_HOME') or home / '.config') / 'uv/uv.toml'


def _uv_default(path: Path) -> str:
    try:
        settings = tomllib.loads(path.read_text(encoding='utf-8'))
    except OSError:
        return ''
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f'{path} cannot be read: {error}',
                        'Mend it, or set UV_DEFAULT_INDEX and UV_CONFIG_FILE=/dev/null.') from None
    default = [entry.get('url', '') for entry in settings.get('index', []) if entry.get('default')]
    return next(iter(default), '') or settings.get('index-url', '') or settings.get('pip', {}).get('index-url', '')


def masked(url: str) -> str:
    """Return *url* without the credentials that it may carry."""
    return re.sub(r'(?<=://)[^/@\s]+(?=@)', '***', url)


def pins(lock: str) -> dict[str, Pin]:
    """Return the pins in the text of a hash lock, by name."""
    found = {}
    for entry in re.split(r'\n(?=[A-Za-z0-9])', lock):
        head = re.match(r'([A-Za-z0-9._-]+)==([^\s;\\]+)', entry)
        if head:
            name = re.sub(r'[-_.]+', '-', head[1]).lower()
            found[name] = Pin(name, head[2], frozenset(re.findall(r'--hash=sha256:([0-9a-f]{64})', entry)))
    return found


def json_links(text: str, base: str) -> tuple[Link, ...]:
    """Return the files in an answer of the JSON form of the simple API (PEP 691)."""
    files = json.loads(text)['files']
    return tuple(Link(file['filename'], urllib.parse.urljoin(base, file['url']), file.get('hashes', {}).get('sha256'))
                 for file in files)


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == 'a':
            self.hrefs += [value for name, value in attrs if name == 'href' and value]


def html_links(text: str, base: str) -> tuple[Link, ...]:
    """Return the files in an answer of the HTML form of the simple API (PEP 503)."""
    parser = _Anchors()
    parser.feed(text)
    links = []
    for href in parser.hrefs:
        url, fragment = urllib.parse.urldefrag(urllib.parse.urljoin(base, href))
        digest = re.fullmatch(r'sha256=([0-9a-f]{64})', fragment)
        filename = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition('/')[2])
        links.append(Link(filename, url, digest[1] if digest else None))
    return tuple(links)


def choose(links: Iterable[Link], pin: Pin, machine: str) -> Link | None:
    """Return the wheel of *pin* that runs on a glibc Linux of *machine* (as ``uname -m`` says it), or None.

    An index without digests in its pages may offer anything under that name: what it sends is checked in any case.
    """
    prefix = f'{pin.name.replace("-", "_")}-{pin.version}-'
    platforms = rf'any|(manylinux\w+\.)*manylinux\w+_{re.escape(machine)}'
    suits = re.compile(rf'{re.escape(prefix)}py3-none-({platforms})\.whl', re.IGNORECASE)
    for link in links:
        if suits.fullmatch(link.filename) and (link.sha256 is None or link.sha256 in pin.digests):
            return link
    return None


def fetch(index: Index, pin: Pin, machine: str, folder: Path) -> Path:
    """Return the wheel of *pin* in *folder*, fetched when it is not there yet.

    :param machine: as ``uname -m`` says it.
    :raises NoSuchFile: no index has one for this machine.
    :raises UserError: no index could be asked, or what one sent is not what the lock says.
    """
    for path in sorted(folder.glob(f'*/{pin.name.replace("-", "_")}-{pin.version}-*.whl')):
        if path.parent.name in pin.digests and hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name:
            return path
    failures = []
    for base in index.urls:
        page = f'{base}/{pin.name}/'
        try:
            answer, kind, url = _get(page, index, f'{JSON}, text/html;q=0.5')
            read = json_links if kind == JSON else html_links
            link = choose(read(answer.decode('utf-8', 'replace'), url), pin, machine)
            if link is None:
                continue
            data, _, _ = _get(_with_credentials(link.url, base), index, '*/*')
        except (OSError, ValueError, KeyError) as error:
            failures.append(f'{masked(page)}: {_reason(error)}')
            continue
        digest = hashlib.sha256(data).hexdigest()
        if digest not in pin.digests:
            raise UserError(f'{masked(link.url)} is not what the lock says: sha256 {digest} is none of the '
                            f'{len(pin.digests)} pinned for {pin.name} {pin.version}. Nothing of it was used.',
                            'The mirror is broken, or somebody changed the file: use another index (PIP_INDEX_URL).')
        path = folder / digest / link.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f'{path.name}.{os.getpid()}')
        part.write_bytes(data)
        part.rename(path)
        return path
    if failures:
        tried = '\n'.join(f'  - {failure}' for failure in failures)
        raise UserError(f'{pin.name} {pin.version} cannot be fetched (index from {index.origin}). Tried:\n{tried}',
                        'Check the network, or name your mirror: PIP_INDEX_URL=https://…/simple, PIP_CERT.')
    raise NoSuchFile(f'{pin.name} {pin.version} for {machine}')


def _get(url: str, index: Index, accept: str) -> tuple[bytes, str, str]:
    """Return body, content type and final URL. Proxies are those of the environment."""
    parts = urllib.parse.urlsplit(url)
    bare = parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()
    request = urllib.request.Request(bare, headers={'Accept': accept, 'User-Agent': 'zuul-local'})
    if parts.username:
        words = f'{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or "")}'
        # a redirect to another host must not take the password there
        request.add_unredirected_header('Authorization', 'Basic ' + base64.b64encode(words.encode()).decode())
    context = ssl.create_default_context(cafile=index.certificates)
    with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as answer:
        return answer.read(), answer.headers.get_content_type(), answer.geturl()


def _with_credentials(url: str, base: str) -> str:
    """Return *url* with the credentials of *base* when both are the same host's."""
    parts, known = urllib.parse.urlsplit(url), urllib.parse.urlsplit(base)
    userinfo, at, host = known.netloc.rpartition('@')
    same = (parts.scheme, parts.netloc) == (known.scheme, host)
    return parts._replace(netloc=f'{userinfo}{at}{host}').geturl() if same else url


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f'HTTP {error.code} {error.reason}'
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return f'{type(error).__name__}: {error}'
