# SPDX-License-Identifier: Apache-2.0
"""Find a get-pip.py whose bytes are known: in the node's cache, or at an address that the operator gave."""
from __future__ import annotations

import base64
import hashlib
import http.client
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Callable, NamedTuple

from ansible.module_utils.ensure_pip_interpreters import Refused, without_credentials

UPSTREAM = 'https://bootstrap.pypa.io/get-pip.py'
LIMIT = 32 * 1024 * 1024    # bytes; get-pip.py has 2 to 4 million
PAUSES = (1, 3)             # seconds before another try
_HASH = re.compile(r'[0-9a-f]{64}')
_ADDRESS = re.compile(r'(https?://[^/\s]+/|file:///)\S+')


class Wanted(NamedTuple):
    """Which scripts are meant: *url*, and the sha256 of those that are shipped and of those that the operator named."""

    url: str
    shipped: frozenset[str]
    own: frozenset[str]

    @property
    def is_upstream(self) -> bool:
        return self.url == UPSTREAM

    @property
    def trusted(self) -> frozenset[str]:
        """An address of the operator's own asks for that script: no other may take its place."""
        return self.own | self.shipped if self.is_upstream or not self.own else self.own


def read_hashes(text: str) -> frozenset[str]:
    """The first words of the lines of a list of hashes; what follows is for people, a # begins a remark."""
    words = (line.split('#', 1)[0].split() for line in text.splitlines())
    return frozenset(line[0].lower() for line in words if line)


def wanted(url: str, own: list[str], shipped: str) -> Wanted:
    """Read the parameters. Raises Refused with all that is wrong."""
    problems = []
    if not _ADDRESS.fullmatch(url):
        problems.append(f"ensure_pip_from_upstream_url is '{without_credentials(url)}': not an address of a file. "
                        "Write e.g. 'https://mirror.example.org/get-pip.py' or 'file:///srv/get-pip.py'.")
    for text in own:
        if not _HASH.fullmatch(str(text).lower()):
            problems.append(f"ensure_pip_from_upstream_sha256 has '{text}': not a sha256. "
                            'Write the 64 figures that sha256sum prints.')
    if problems:
        raise Refused(*problems)
    return Wanted(url, read_hashes(shipped), frozenset(str(text).lower() for text in own))


def cached(path: str, known: Wanted) -> tuple[bytes, str]:
    """The script in the cache, or nothing and why it is passed over. What was hashed is what is returned."""
    if not known.is_upstream and not known.own:
        return b'', f'{path}: nothing says that it is what {without_credentials(known.url)} gives'
    try:
        with open(path, 'rb') as stream:
            data = stream.read(LIMIT)
    except OSError as error:
        return b'', f'{path}: {error.strerror}'
    return _checked(data, path, known)


def fetch(known: Wanted, sleep: Callable[[float], None] = time.sleep) -> bytes:
    """Download from the operator's own address. Raises Refused when that fails or the bytes are not the known ones."""
    shown = without_credentials(known.url)
    for pause in (*PAUSES, None):
        try:
            with urllib.request.urlopen(_request(known.url), timeout=15) as answer:
                data = answer.read(LIMIT)
            break
        except (OSError, ValueError, http.client.HTTPException) as error:
            # what the server refuses it refuses again
            final = (isinstance(error, urllib.error.HTTPError) and error.code < 500) or known.url.startswith('file:')
            if pause is None or final:
                raise Refused(f'{shown} cannot be downloaded: {without_credentials(str(error))}. '
                              'See that the node reaches it, or leave ensure_pip_from_upstream_url unset.') from None
            sleep(pause)
    script, why = _checked(data, shown, known)
    if why:
        raise Refused(f'{why}: downloads are checked. If this is the script that you mean, set '
                      f"ensure_pip_from_upstream_sha256: '{hashlib.sha256(data).hexdigest()}'.")
    return script


def _request(url: str) -> urllib.request.Request:
    """User and password of an address go to a header, where urllib has a place for them."""
    request = urllib.request.Request(without_credentials(url))
    user, found, _ = urllib.parse.urlsplit(url).netloc.rpartition('@')
    if found:
        request.add_header('Authorization', 'Basic ' + base64.b64encode(urllib.parse.unquote_to_bytes(user)).decode())
    return request


def _checked(data: bytes, place: str, known: Wanted) -> tuple[bytes, str]:
    seen = hashlib.sha256(data).hexdigest()
    return (data, '') if seen in known.trusted else (b'', f'{place} has the sha256 {seen}, which is not a known one')
