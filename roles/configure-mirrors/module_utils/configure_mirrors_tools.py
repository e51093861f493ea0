# SPDX-License-Identifier: Apache-2.0
"""The files of pip, uv, npm, cargo and Go, with their indexes at other places. Nothing here does I/O."""
from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

PIP = '/etc/pip.conf'
UV = '/etc/uv/uv.toml'
# below the home of the job's user
NPM = '.npmrc'
CARGO = '.cargo/config.toml'
GO = '.config/go/env'
_CARGO_NAME = 'zuul-mirror'


class Conflict(Exception):
    """A file has what cannot be merged with what is wanted; the text is for people."""


def _span(lines: list[str], section: str) -> tuple[int, int]:
    """The lines of *section*, without its head; (-1, -1) when it is not there."""
    start = next((number for number, line in enumerate(lines) if line.strip() == f'[{section}]'), -1)
    if start < 0:
        return -1, -1
    heads = (number for number in range(start + 1, len(lines)) if re.match(r'\[.+\]\s*$', lines[number]))
    end = next(heads, len(lines))
    return start + 1, end


def _option(lines: list[str], span: tuple[int, int], key: str) -> tuple[int, int]:
    """The lines of an option with those that continue it; (-1, -1) when it is not there."""
    for number in range(*span):
        if re.match(rf'{re.escape(key)}\s*[=:]', lines[number]):
            end = number + 1
            while end < span[1] and re.match(r'[ \t]+\S', lines[end]):
                end += 1
            return number, end
    return -1, -1


def option(text: str, section: str, key: str) -> str:
    """What a file in the style of ini says; empty when it says nothing."""
    lines = text.split('\n')
    start, end = _option(lines, _span(lines, section), key)
    return re.sub(r'^[^=:]*[=:]', '', '\n'.join(lines[start:end])).strip() if start >= 0 else ''


def without_option(text: str, section: str, key: str) -> str:
    """Return *text* without an option."""
    lines = text.split('\n')
    start, end = _option(lines, _span(lines, section), key)
    return '\n'.join(lines[:start] + lines[end:]) if start >= 0 else text


def with_option(text: str, section: str, key: str, value: str) -> str:
    """Return *text* with an option of this value, at its place or else at the head of its section."""
    lines = text.split('\n')
    span = _span(lines, section)
    if span[0] < 0:
        lines = [f'[{section}]', f'{key} = {value}', *([''] if text else []), *lines]
        return '\n'.join(lines)
    start, end = _option(lines, span, key)
    if start < 0:
        start = end = span[0]
    return '\n'.join([*lines[:start], f'{key} = {value}', *lines[end:]])


def pip(text: str, index: str, extra: str, trusted: bool) -> str:
    """Return pip.conf with *index*; an empty one stays as it is.

    :param extra: index of wheels to look at as well.
    :param trusted: whether pip takes what comes without a certificate that it can verify.
    """
    values = {'index-url': index, 'extra-index-url': extra}
    if trusted:
        hosts = option(text, 'global', 'trusted-host').split()
        hosts += [host for host in map(host_of, (index, extra)) if host]
        values['trusted-host'] = '\n    '.join(dict.fromkeys(hosts))
    for key, value in values.items():
        if value:
            for section in ('install', 'download', 'wheel'):    # what is said there would win
                text = without_option(text, section, key)
            text = with_option(text, 'global', key, value)
    return text


def uv(text: str, index: str, extra: str, trusted: bool) -> str:
    """Return uv.toml with *index*. Raises Conflict. The parameters are those of pip."""
    if index and re.search(r'^\s*default\s*=\s*true', text, re.M):
        raise Conflict(f"{UV} has a default index of its own, in [[index]]. Remove it, or set "
                       "configure_mirrors_uv_index to ''.")
    values = {'index-url': index, 'extra-index-url': [extra] if extra else []}
    if trusted:     # without a certificate at all is fine with uv
        values['allow-insecure-host'] = [host_of(one) for one in (index, extra) if one.startswith('https:')]
    head = ''
    for key, value in values.items():
        if value:
            text = re.sub(rf'^{key}\s*=\s*(?:\[[^]]*\]|[^\n]*)\n?', '', text, flags=re.M)
            head += f'{key} = {json.dumps(value)}\n'
    return head + text


def npm(text: str, registry: str) -> str:
    """Return .npmrc with *registry*."""
    return _with_line(text, 'registry', registry)


def go(text: str, proxy: str) -> str:
    """Return Go's file of variables with *proxy*."""
    return _with_line(text, 'GOPROXY', proxy)


def cargo(text: str, registry: str) -> str:
    """Return cargo's configuration with crates.io replaced by *registry*. Raises Conflict."""
    if re.search(r'^\s*\[\s*source\s*\.', text, re.M):
        raise Conflict(f"~/{CARGO} has a source of its own. Remove it, or set configure_mirrors_cargo_registry to ''.")
    lines = [text.rstrip('\n') + '\n'] if text.strip() else []
    lines += ['[source.crates-io]', f'replace-with = {json.dumps(_CARGO_NAME)}', '', f'[source.{_CARGO_NAME}]',
              f'registry = {json.dumps(registry)}', '']
    return '\n'.join(lines)


def host_of(url: str) -> str:
    """The host of *url* with its port, as pip and uv want it."""
    return urlsplit(url).netloc


def _with_line(text: str, key: str, value: str) -> str:
    lines = [line for line in text.splitlines() if line.partition('=')[0].strip() != key]
    return '\n'.join([*lines, f'{key}={value}', ''])
