# SPDX-License-Identifier: Apache-2.0
"""A page of a log: numbered lines that one can point to, a filter by level, and nothing that runs."""
from __future__ import annotations

import base64
import collections
import hashlib
import html
import re
import urllib.parse
from typing import Counter, List, NamedTuple, Tuple

from ansible.module_utils.htmlify_logs_excerpt import Excerpt
from ansible.module_utils.htmlify_logs_levels import DEBUG, ERROR, INFO, PLAIN, WARNING, levels

#: how each of our pages begins
MARK = b'<!DOCTYPE html><!-- a log, made by htmlify-logs -->\n'
# Lines that a browser lays out together, or not yet.
_BLOCK = 500
_ESCAPE = re.compile(r'(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]'
                     r'|\x1b\][^\x07\x1b\n]{0,1024}(?:\x07|\x1b\\)|\x1b[ -/]?[0-~]')
_HIDDEN = dict.fromkeys([*range(0x80, 0xa0), 0x200e, 0x200f, *range(0x2028, 0x202f), *range(0x2066, 0x206a), 0xfeff],
                        '\N{REPLACEMENT CHARACTER}')
# Control characters are shown as what Unicode has for them.
_SHOWN = {**{code: chr(0x2400 + code) for code in range(32) if chr(code) not in '\t\n'}, 0x7f: '\u2421', **_HIDDEN}
_ODD = re.compile('[%s]' % ''.join(re.escape(chr(code)) for code in _SHOWN))

_STYLE = """
:root{color-scheme:light dark;--b:#fff;--t:#1b1b1b;--m:#595959;--w:#fff3cd;--e:#fde2e1;--a:#0b57d0;--h:#cfe3ff;
--l:#c8c8c8}
@media (prefers-color-scheme:dark){:root{
--b:#151515;--t:#e6e6e6;--m:#a3a3a3;--w:#3d3000;--e:#4c1713;--a:#9cc2ff;--h:#1d3f70;--l:#555}}
*{box-sizing:border-box}
body{margin:0;background:var(--b);color:var(--t);font:16px/1.4 sans-serif}
header{padding:.5em 1em;border-bottom:1px solid var(--l);background:var(--b)}
h1{font-size:1.1em;margin:0;overflow-wrap:anywhere}
header p{margin:.2em 0}
fieldset{border:0;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:0 1em}
legend{float:left;margin-right:1em}
a{color:var(--a)}
:focus-visible{outline:3px solid var(--a);outline-offset:1px}
main{font:13px/1.45 monospace;tab-size:8}
div{content-visibility:auto;contain-intrinsic-size:auto 9500px}
span{display:block;position:relative;min-height:1.45em;padding:0 .5em 0 WIDTHch;
white-space:pre-wrap;overflow-wrap:anywhere}
span a{position:absolute;left:0;width:NUMBERch;text-align:right;color:var(--m);text-decoration:none;user-select:none}
span a:hover{text-decoration:underline}
.d{color:var(--m)}.w{background:var(--w)}.e{background:var(--e)}
span:target{background:var(--h);outline:1px solid var(--a);scroll-margin-top:9em}
main p{margin:0;padding:.6em 1em;border:solid var(--l);border-width:1px 0;font-family:sans-serif}
body:has(#i:checked) .d:not(:target),
body:has(#w:checked) :is(.d,.i,.n):not(:target),
body:has(#e:checked) :is(.d,.i,.n,.w):not(:target){display:none}
@media (min-width:50em){header{position:sticky;top:0;z-index:1}}
@media (max-width:30em){main{font-size:12px}header{padding:.5em}}
@media print{header{position:static}}
"""


class Log(NamedTuple):
    """What a page shows: the file *name*, its *path* below the logs, an *excerpt* of it, and a *remark* on that."""

    name: str
    path: str
    excerpt: Excerpt
    remark: str = ''


def lines(raw: List[bytes]) -> List[str]:
    """Return lines as a page may have them: escaped, without colours, and with nothing that one cannot see."""
    text = b'\n'.join(raw).decode('utf-8', 'replace').replace('\r\n', '\n')
    if text.endswith('\r'):
        text = text[:-1]
    if '\x1b' in text or '\x9b' in text:
        text = _ESCAPE.sub('', text)
    if _ODD.search(text):
        text = text.translate(_SHOWN)
    return html.escape(text, quote=False).split('\n') if raw else []


def _body(shown: List[str], number: int, counts: Counter[str], firsts: List[int]) -> str:
    """Return the lines, the first of which has *number*. Of them, the Tab key stops where errors begin."""
    out, before = [], PLAIN
    for at, (line, level) in enumerate(zip(shown, levels(shown)), number):
        counts[level] += 1
        stop = level == ERROR != before
        before = level
        if stop:
            firsts.append(at)
        out.append('<span class=%s id=L%d><a %shref=#L%d>%d</a>%s</span>' % (
            level or 'n', at, '' if stop else 'tabindex=-1 ', at, at, line))
    return ''.join('<div>%s</div>\n' % ''.join(out[at:at + _BLOCK]) for at in range(0, len(out), _BLOCK))


def _filter(counts: Counter[str]) -> str:
    if not any(counts[level] for level in (DEBUG, WARNING, ERROR)):
        return ''
    errors, warnings = counts[ERROR], counts[ERROR] + counts[WARNING]
    some = warnings + counts[INFO] + counts[PLAIN]
    choices: List[Tuple[str, str, int]] = [('a', 'All', some + counts[DEBUG]), ('i', 'No debug', some),
                                           ('w', 'Warnings and errors', warnings), ('e', 'Errors', errors)]
    return '<fieldset><legend>Lines:</legend>%s</fieldset>\n' % '\n'.join(
        '<label><input type=radio name=show id=%s%s> %s (%d)</label>' % (
            key, ' checked' if key == 'a' else '', text, count) for key, text, count in choices)


def page(log: Log) -> bytes:
    """Return the page."""
    counts: Counter[str] = collections.Counter()
    errors: List[int] = []
    body = _body(lines(log.excerpt.first), 1, counts, errors)
    last = len(log.excerpt.first)
    notes = [log.remark] if log.remark else []
    if not log.excerpt.whole:
        skipped = log.excerpt.resumes - last - 1
        notes.append('The file has %d bytes; only its beginning and its end are shown.' % log.excerpt.bytes)
        body += '<p id=gap>%s</p>\n' % ('%d lines are left out here; the file has them.' % skipped if skipped > 0
                                        else 'The rest of this line is left out; the file has it.')
        if log.excerpt.last:
            body += _body(lines(log.excerpt.last), log.excerpt.resumes, counts, errors)
            last = log.excerpt.resumes + len(log.excerpt.last) - 1
    digits = max(3, len(str(last)))
    style = _STYLE.replace('WIDTH', '%.1f' % (digits + 1.5)).replace('NUMBER', '%.1f' % (digits + .5))
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    href = './' + urllib.parse.quote(log.name.encode('utf-8', 'surrogateescape'))
    links = ['<a href="%s">The file itself</a>' % href]
    links += ['<a href="#L%d">First error</a>' % errors[0]] if errors else []
    links += ['<a href="#L%d">Last line</a>' % last] if last else []
    path = html.escape(log.path.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace'))
    return ''.join((
        MARK.decode(), '<html lang="en"><head><meta charset="utf-8">\n',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; ',
        'style-src \'sha256-%s\'">\n' % allowed,
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n',
        '<title>', path, '</title>\n<style>', style,
        '</style></head><body>\n<header><h1>', path, '</h1>\n<p>', ' · '.join(links), '</p>\n',
        ''.join('<p>%s</p>\n' % html.escape(note) for note in notes), _filter(counts), '</header>\n<main>\n',
        body or '<p>The file is empty.</p>\n', '</main></body></html>\n')).encode()
