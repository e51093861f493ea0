# SPDX-License-Identifier: Apache-2.0
"""The page that lists a folder. Nothing of what it lists becomes part of it."""
from __future__ import annotations

import base64
import hashlib
import html
import time
import urllib.parse
from typing import Any, Dict, List, Sequence

from ansible.module_utils.generate_zuul_manifest_types import FOLDER

NAME = 'index.html'
#: how each of our pages begins
MARK = b'<!DOCTYPE html><!-- a folder, listed by generate-zuul-manifest -->\n'
MOST = 10000
_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 sans-serif;margin:1em auto;max-width:60em;padding:0 1em}
h1{font-size:1.2em;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
th{text-align:left}
td,th{padding:.15em 1em .15em 0;vertical-align:top}
td:first-child{overflow-wrap:anywhere}
td+td,th+th{text-align:right;white-space:nowrap;padding-right:0;padding-left:1em;font-variant-numeric:tabular-nums}
:focus-visible{outline:3px solid;outline-offset:1px}
@media (max-width:30em){td:nth-child(3),th:nth-child(3){display:none}}
"""
_ALLOWED = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def size(number: float) -> str:
    """Return so many bytes as people read it."""
    if number < 1024:
        return '%d B' % number
    for unit in ('KiB', 'MiB', 'GiB'):
        number /= 1024
        if number < 1024 or unit == 'GiB':
            break
    return '%.1f %s' % (number, unit)


def _row(entry: Dict[str, Any]) -> str:
    folder = entry['mimetype'] == FOLDER
    href = './' + urllib.parse.quote(entry['name'], safe='') + ('/' + NAME if folder else '')
    when = '' if folder else time.strftime(
        '%Y-%m-%d %H:%M:%S', time.gmtime(min(max(entry['last_modified'], 0), 1 << 37)))
    return '<tr><td><a href="%s">%s</a></td><td>%s</td><td>%s</td></tr>\n' % (
        href, html.escape(entry['name'] + ('/' if folder else '')), '' if folder else size(entry['size']), when)


def page(path: Sequence[str], entries: List[Dict[str, Any]]) -> bytes:
    """Return the page of the folder *path*. Its links lead to pages, which is what an object store has."""
    title = html.escape('/' + '/'.join(path))
    above = '<tr><td><a href="../%s">../</a></td><td></td><td></td></tr>\n' % NAME if path else ''
    more = '<p>%d more are not listed.</p>\n' % (len(entries) - MOST) if len(entries) > MOST else ''
    return MARK + ''.join((
        '<html lang="en"><head><meta charset="utf-8">\n',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; ',
        'style-src \'sha256-%s\'">\n' % _ALLOWED,
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n<title>', title, '</title>\n<style>',
        _STYLE, '</style></head><body>\n<h1>', title, '</h1>\n<table>\n',
        '<thead><tr><th>Name</th><th>Size</th><th>Changed (UTC)</th></tr></thead>\n<tbody>\n', above,
        *(_row(entry) for entry in entries[:MOST]), '</tbody></table>\n', more, '</body></html>\n')).encode()
