# SPDX-License-Identifier: Apache-2.0
"""What stores of images have in common. All of it runs on the executor, which has the keys."""
from __future__ import annotations

import importlib
import random
import re
import time
import urllib.parse
from typing import Any, Callable, Dict, Iterable, List, NamedTuple

#: seconds: to reach a server, and for it to say something
CONNECT, READ = 10, 60
ATTEMPTS = 5
MOST_PARTS = 10000
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,199}')
_DIGEST = re.compile(r'[0-9a-f]{64}')
_MD5 = re.compile(r'[0-9a-f]{32}')


class Refused(Exception):
    """The image is not there. The message says why and what to do."""


class Missing(Refused):
    """What is asked for is not there."""


class Trouble(Exception):
    """It did not work. It may the next time."""


class Part(NamedTuple):
    """A part of a file, counted from 1."""

    number: int
    size: int
    md5: str


class Image(NamedTuple):
    """The file that is stored.

    :param sha256: of the file, by which one that is there already is known.
    """

    name: str
    size: int
    sha256: str
    parts: List[Part]


class Stored(NamedTuple):
    """An object in the store.

    :param when: in seconds since 1970.
    """

    name: str
    when: float


def problems_of_url(name: str, value: Any) -> List[str]:
    """Return what is wrong with a URL that may be empty."""
    fine = not value
    if value and isinstance(value, str) and value.startswith(('http://', 'https://')):
        try:
            fine = bool(urllib.parse.urlsplit(value).hostname)
        except ValueError:
            fine = False
    return [] if fine else ['%s is %r: it must be an http(s) URL' % (name, value)]


def problems_of_name(name: Any) -> List[str]:
    """Return what is wrong with the name of an object."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return []
    return ["the name in the store is '%s': allowed are letters, digits, '.', '_' and '-', a letter or digit first, "
            'at most 200' % name]


def image_of(name: str, said: Any) -> Image:
    """Return the image that a node described. Nodes say what they want.

    :raises Refused: it makes no sense.
    """
    try:
        parts = [Part(number, int(size), str(md5)) for number, (size, md5) in enumerate(said['parts'], 1)]
        image = Image(name, int(said['size']), str(said['sent_sha256']), parts)
    except (TypeError, KeyError, ValueError) as error:
        raise Refused('the node did not describe the image: %s' % error) from error
    fine = (0 < len(parts) <= MOST_PARTS and all(part.size > 0 and _MD5.fullmatch(part.md5) for part in parts)
            and sum(part.size for part in parts) == image.size and _DIGEST.fullmatch(image.sha256))
    if not fine:
        raise Refused('the node described an image whose parts make no whole')
    return image


def persistently(what: Callable[[], Any], pause: Callable[[float], object] = time.sleep) -> Any:
    """Return what *what* returns, which is tried again when it may work the next time.

    :raises Refused: it never did.
    """
    for attempt in range(ATTEMPTS):
        try:
            return what()
        except Trouble as error:
            if attempt == ATTEMPTS - 1:
                raise Refused('%s (tried %d times)' % (error, ATTEMPTS)) from error
            pause(2 ** attempt * random.uniform(0.5, 1))
    raise AssertionError


def vendor(role: str, name: str, package: str) -> Any:
    """Return the module *name* of a vendor's library.

    :raises Refused: it is not there.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Refused("%s needs the Python package '%s' where the executor's Ansible is: %s. Zuul's own installation "
                      'of Ansible brings it; into another one install it with pip' % (role, package, error)) from error


def superfluous(there: Iterable[Stored], images: Iterable[str], keep: int, age: int, now: float) -> List[str]:
    """Return the names of objects that may go: of each image all but the newest, if they are old.

    Only what is named ``<build>-<image>.<format>`` counts; anything else is not ours.

    :param images: names of images that are looked at; none for all.
    :param keep: so many builds of each image and format stay, whatever their age.
    :param age: in seconds; what is younger stays.
    """
    wanted = set(images)
    groups: Dict[str, List[Stored]] = {}
    for one in there:
        found = re.fullmatch(r'[0-9a-f]{32}-(.+)', one.name)
        if not found:
            continue
        rest = found.group(1)
        if not wanted or any(rest.startswith(name + '.') for name in wanted):
            groups.setdefault(rest, []).append(one)
    gone: List[str] = []
    for group in groups.values():
        group.sort(key=lambda one: (one.when, one.name), reverse=True)
        gone += [one.name for one in group[keep:] if now - one.when > age]
    return sorted(gone)


def covered(text: str, secrets: Iterable[Any]) -> str:
    """Return *text* with stars in the place of secrets."""
    texts = {form for value in secrets for form in (str(value), urllib.parse.quote(str(value), safe=''))
             if len(form) > 3}
    for value in sorted(texts, key=len, reverse=True):
        text = text.replace(value, '*' * 8)
    return text
