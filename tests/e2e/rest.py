"""Clients of the two REST APIs, on the standard library."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

PATIENCE = 30           # seconds for one answer


class Refused(Exception):
    """A server said no; the message is what was asked and what it said."""


@dataclass(frozen=True)
class GerritClient:
    """Gerrit as one of its accounts sees it."""

    url: str
    user: str
    password: str

    def call(self, method: str, path: str, data: Any = None) -> Any:
        """Return the answer.

        :raises OSError: nobody answers.
        :raises Refused: Gerrit says no.
        """
        words = base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()
        text = _ask(method, f'{self.url}/a/{path}', data, {'Authorization': f'Basic {words}'})
        return json.loads(text.removeprefix(")]}'")) if text.startswith(")]}'") else text


@dataclass(frozen=True)
class ZuulClient:
    """zuul-web, for everybody, and for its operator who has the *secret* of its tokens."""

    url: str
    secret: str
    issuer: str

    def get(self, path: str) -> Any:
        """Return the answer.

        :raises OSError: nobody answers.
        :raises Refused: Zuul says no.
        """
        return json.loads(_ask('GET', f'{self.url}/api/{path}', None, {}))

    def dequeue(self, tenant: str, pipeline: str, project: str, change: str) -> None:
        """Take a change, ``number,patch set``, out of *pipeline*, with its builds."""
        _ask('POST', f'{self.url}/api/tenant/{tenant}/project/{project}/dequeue',
             {'pipeline': pipeline, 'change': change}, {'Authorization': f'Bearer {self._token(tenant)}'})

    def _token(self, tenant: str) -> str:
        now = int(time.time())
        claims = {'iss': self.issuer, 'aud': 'zuul', 'sub': 'operator', 'iat': now, 'exp': now + 600,
                  'zuul': {'admin': [tenant]}}
        text = b'.'.join(_encoded(json.dumps(part).encode()) for part in ({'typ': 'JWT', 'alg': 'HS256'}, claims))
        return (text + b'.' + _encoded(hmac.digest(self.secret.encode(), text, hashlib.sha256))).decode()


def fetch(url: str) -> bytes:
    """Return what lies at *url*, unpacked when it was packed for the way.

    :raises urllib.error.HTTPError: there is nothing.
    """
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        data = bytes(answer.read())
        return gzip.decompress(data) if answer.headers.get('Content-Encoding') == 'gzip' else data


def _ask(method: str, url: str, data: Any, headers: dict[str, str]) -> str:
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, {'Content-Type': 'application/json; charset=UTF-8', **headers},
                                     method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return bytes(answer.read()).decode()
    except urllib.error.HTTPError as error:
        raise Refused(f'{method} {url}: {error.code} {error.read().decode(errors="replace")}') from error


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b'=')
