# SPDX-License-Identifier: Apache-2.0
"""The page that lists a folder, for stores that have none of their own."""
from __future__ import annotations

import html
import time
import urllib.parse
from typing import List

from ansible.module_utils.upload_logs_tree import Entry, Folder

NAME = 'index.html'
MOST = 10000
_PAGE = '''<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>%(title)s</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 sans-serif; margin: 1rem }
table { border-collapse: collapse }
th { text-align: left }
td, th { padding: .1rem 1rem .1rem 0; vertical-align: top }
td:first-child { overflow-wrap: anywhere }
td:nth-child(n+2) { white-space: nowrap; text-align: right }
@media (max-width: 30rem) { td:nth-child(3), th:nth-child(3) { display: none } }
</style>
</head>
<body>
<h1>%(title)s</h1>
<table>
<thead><tr><th>Name</th><th>Size</th><th>Modified (UTC)</th></tr></thead>
<tbody>
%(rows)s</tbody>
</table>
%(more)s</body>
</html>
'''


def page(folder: Folder) -> bytes:
    """Return the page of *folder*. Its links work in every store: they lead to pages, not to folders."""
    rows = ['<tr><td><a href="../%s">..</a></td><td></td><td></td></tr>\n' % NAME] if folder.path else []
    shown = sorted(folder.entries, key=lambda entry: not entry.is_folder)
    rows += [_row(entry) for entry in shown[:MOST]]
    more = len(shown) - MOST
    return (_PAGE % {
        'title': html.escape('/' + folder.path), 'rows': ''.join(rows),
        'more': '<p>%d more are not listed.</p>\n' % more if more > 0 else '',
    }).encode()


def is_wanted(entries: List[Entry]) -> bool:
    """Tell whether the folder has no page of its own."""
    return all(entry.name != NAME for entry in entries)


def _row(entry: Entry) -> str:
    link = urllib.parse.quote(entry.name, safe='') + ('/' + NAME if entry.is_folder else '')
    return '<tr><td><a href="./%s">%s</a></td><td>%s</td><td>%s</td></tr>\n' % (
        link, html.escape(entry.name + ('/' if entry.is_folder else '')), '' if entry.is_folder else size(entry.size),
        time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(min(max(entry.modified, 0), 253402300799))))


def size(number: float) -> str:
    """Return so many bytes in words."""
    for unit in ('B', 'KiB', 'MiB'):
        if number < 1024:
            return '%d %s' % (number, unit) if unit == 'B' else '%.1f %s' % (number, unit)
        number /= 1024
    return '%.1f GiB' % number
