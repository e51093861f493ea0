# SPDX-License-Identifier: Apache-2.0
"""What the stores have in common: their parameters, what makes sense among these, and where a build's logs go."""
from __future__ import annotations

import importlib
import re
import urllib.parse
from typing import Any, Dict, Iterable, List, NamedTuple, Tuple

from ansible.module_utils.upload_logs_engine import Denied, Refused

#: seconds: to reach a server, and for it to say something
CONNECT, READ = 10, 30


class Place(NamedTuple):
    """Where a build's logs go: the container, and what stands before the names in it, without ``/`` at its end."""

    container: str
    prefix: str

    def key(self, path: str) -> str:
        return self.prefix + '/' + path

    def url(self, base: str) -> str:
        """Return the URL of the logs below that of the container."""
        return base.rstrip('/') + '/' + urllib.parse.quote(self.prefix) + '/'


def place(container: str, path: str, partition: bool, between: str) -> Place:
    """Return where logs go whose path is *path*; with *partition* its first name is part of the container's.

    :param between: stands between the two. Where it is ``-``, the name is made one of a host.
    """
    if not partition:
        return Place(container, path)
    first, _, rest = path.partition('/')
    if between == '-':
        first = re.sub('[^a-z0-9]+', '-', first.lower()).strip('-') or '0'
    return Place(container + between + first, rest)


def problems_of_path(path: str, partition: bool) -> List[str]:
    """Return what is wrong with the path of a build's logs."""
    names = path.split('/')
    if any(name.startswith('.') or not name.isprintable() or not name or '\\' in name for name in names):
        return ["zuul_log_path is %r: it must be names with '/' between them, none of which begins with a dot" % path]
    if partition and len(names) < 2:
        return ["zuul_log_path is %r: with zuul_log_partition it needs a '/'" % path]
    return []


def problems_of_url(name: str, value: Any) -> List[str]:
    """Return what is wrong with a URL that may be empty."""
    if not value:
        return []
    try:
        fine = isinstance(value, str) and bool(urllib.parse.urlsplit(value).hostname)
    except ValueError:
        fine = False
    if not fine or not value.startswith(('http://', 'https://')):
        return ['%s is %r: it must be an http(s) URL' % (name, value)]
    return []


def missing(args: Dict[str, Any], names: Iterable[str]) -> List[str]:
    """Return a line for each of *names* that has no value."""
    return ['%s is empty: it is required' % name for name in names if not args[name]]


def size_problem(size: int) -> None:
    """Refuse what no store takes in one request.

    :raises Denied: it is larger.
    """
    if size > 5 << 30:
        raise Denied('it has more than 5 GiB')


def vendor(role: str, name: str, package: str) -> Any:
    """Return the module *name* of a vendor's library.

    :raises Refused: it is not there.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Refused("%s needs the Python package '%s' where the executor's Ansible is: %s. Zuul's own installation "
                      "of Ansible brings it; into another one install it with pip" % (role, package, error)) from error


def covered(text: str, secrets: Iterable[Any]) -> str:
    """Return *text* with stars in the place of secrets."""
    for value in sorted(_texts(secrets), key=len, reverse=True):
        text = text.replace(value, '*' * 8)
    return text


def _texts(values: Iterable[Any]) -> Tuple[str, ...]:
    found: List[str] = []
    for value in values:
        for text in (str(value), urllib.parse.quote(str(value), safe='')):
            if len(text) > 3:
                found.append(text)
    return tuple(found)
