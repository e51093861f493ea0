# SPDX-License-Identifier: Apache-2.0
"""The results of tests for people, as a page, and for programs, as JUnit XML. Both are written piece by piece.

All text comes from tests, which may have printed anything: everything is escaped, and the page forbids itself scripts
and whatever lies elsewhere.
"""
from __future__ import annotations

import html
import re
from typing import IO, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple
from xml.sax.saxutils import quoteattr

from ansible.module_utils.fetch_subunit_output_tests import BAD, UNFINISHED, Test, Tests

SLOWEST = 20
# What a browser still scrolls through. The XML has all.
MAX_FAILED, MAX_SKIPPED, MAX_ROWS = 2000, 2000, 20_000
WORDS = {'fail': 'failed', UNFINISHED: 'not finished', 'uxsuccess': 'passed unexpectedly', 'skip': 'skipped',
         'xfail': 'failed as expected', 'success': 'passed'}
_COLOURS = re.compile(r'\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])')
_UNSEEN = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069'
                     '\ud800-\udfff\ufffe\uffff]')
HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>%(title)s</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>
:root{--bad:#b00020;--good:#1b6e2c;--line:#8888}
@media(prefers-color-scheme:dark){:root{--bad:#ff8a80;--good:#81c784}}
body{font:16px/1.5 sans-serif;margin:1em auto;max-width:75em;padding:0 1em}
body{overflow-wrap:anywhere}h1{font-size:1.5em}h2{font-size:1.2em;margin-top:2em}
summary{cursor:pointer;padding:.3em 0}details{border-top:1px solid var(--line)}
pre{overflow-x:auto;border:1px solid var(--line);padding:.5em;font-size:.85em}h3{font-size:1em;margin:0}
table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.1em 1em .1em 0}
td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.bad{color:var(--bad)}.good{color:var(--good)}nav ul{padding:0;display:flex;flex-wrap:wrap;gap:0 1.5em;list-style:none}
</style></head><body>
<main>
"""
TAIL = '</main>\n</body></html>\n'


def shown(text: str) -> str:
    """Return *text* as it may be shown: without colours, and with a sign for each character that cannot be seen."""
    return _UNSEEN.sub('\N{REPLACEMENT CHARACTER}', _COLOURS.sub('', text))


def markup(text: str) -> str:
    """Return *text* for a page."""
    return html.escape(shown(text))


def took(seconds: Optional[float]) -> str:
    """Return a duration for people."""
    if seconds is None:
        return '-'
    return '%.3f s' % seconds if seconds < 60 else '%d min %02d s' % divmod(round(seconds), 60)


def counted(tests: Tests) -> str:
    """Return the numbers in one line."""
    told = ['%d %s' % (tests.counts[status], word) for status, word in WORDS.items() if tests.counts[status]]
    return ', '.join(told) or 'no tests'


def page(tests: Tests, remarks: Sequence[str], write: Callable[[str], object]) -> None:
    """Write the page.

    :param remarks: what a reader must know first, such as that the run was cut off.
    """
    failed = [test for test in tests.listed if test.status in BAD]
    skipped = [test for test in tests.listed if test.status == 'skip']
    slowest = sorted((test for test in tests.listed if test.seconds is not None),
                     key=lambda test: (-(test.seconds or 0), test.name))[:SLOWEST]
    bad = any(tests.counts[status] for status in BAD)
    write(HEAD % {'title': 'Failed tests' if bad else 'Test results'})
    write('<h1>Test results</h1>\n<p class="%s">%s. Run in %s.</p>\n' % (
        'bad' if bad or remarks or not tests.ran() else 'good', counted(tests), took(tests.seconds())))
    if tests.left_out:
        remarks = [*remarks, 'Not all that tests printed fits in here; the subunit stream beside this page has it.']
    for remark in remarks:
        write('<p class="bad">%s</p>\n' % markup(remark))
    parts = [('failed', 'Failed', failed, _failures), ('slowest', 'The %d slowest' % len(slowest), slowest, _slowest),
             ('skipped', 'Skipped', skipped, _skipped), ('all', 'All tests', tests.listed, _all)]
    parts = [part for part in parts if part[2]]
    write('<nav aria-label="Parts of this page"><ul>%s</ul></nav>\n' % ''.join(
        '<li><a href="#%s">%s</a></li>' % (name, title) for name, title, _, _ in parts))
    for name, title, some, show in parts:
        write('<h2 id="%s">%s</h2>\n' % (name, title))
        for line in show(some):
            write(line)
    total = sum(tests.counts.values())
    if total > len(tests.listed):
        write('<p>%d tests more were counted and are not listed.</p>\n' % (total - len(tests.listed)))
    write(TAIL)


def _more(some: Sequence[Test], most: int) -> Iterator[str]:
    if len(some) > most:
        yield '<p>And %d more, which the XML beside this page has.</p>\n' % (len(some) - most)


def _failures(some: Sequence[Test]) -> Iterator[str]:
    for test in some[:MAX_FAILED]:
        # Open where there are few: a reader then finds words with the browser's own search.
        yield '<details%s><summary>%s: <span class="bad">%s</span>, %s</summary>\n' % (
            ' open' if len(some) <= 10 else '', markup(test.name), WORDS[test.status], took(test.seconds))
        yield from _attachments(test)
        yield '</details>\n'
    yield from _more(some, MAX_FAILED)


def _attachments(test: Test) -> Iterator[str]:
    # What says why comes first.
    for name, text in sorted(test.texts(), key=lambda one: (one[0] not in ('traceback', 'reason'), one[0])):
        label = markup(name or 'output')
        yield '<h3>%s</h3>\n<pre tabindex="0" role="region" aria-label="%s">%s</pre>\n' % (label, label, markup(text))


def _slowest(some: Sequence[Test]) -> Iterator[str]:
    yield '<table><thead><tr><th>Time</th><th>Test</th></tr></thead><tbody>\n'
    for test in some:
        yield '<tr><td class="n">%s</td><td>%s</td></tr>\n' % (took(test.seconds), markup(test.name))
    yield '</tbody></table>\n'


def _skipped(some: Sequence[Test]) -> Iterator[str]:
    reasons: Dict[str, List[str]] = {}
    for test in some[:MAX_SKIPPED]:
        reasons.setdefault(test.reason() or 'no reason given', []).append(test.name)
    for reason, names in sorted(reasons.items(), key=lambda one: (-len(one[1]), one[0])):
        yield '<details%s><summary>%s (%d)</summary><ul>\n' % (
            ' open' if len(some) <= 50 else '', markup(reason[:1000]), len(names))
        for name in names:
            yield '<li>%s</li>\n' % markup(name)
        yield '</ul></details>\n'
    yield from _more(some, MAX_SKIPPED)


def _all(some: Sequence[Test]) -> Iterator[str]:
    groups: Dict[str, List[Test]] = {}
    for test in some[:MAX_ROWS]:
        groups.setdefault(split(test.name)[0] or 'others', []).append(test)
    for group, members in groups.items():
        bad = sum(test.status in BAD for test in members)
        yield '<details><summary>%s (%d%s)</summary><table><tbody>\n' % (
            markup(group), len(members), ', <span class="bad">%d failed</span>' % bad if bad else '')
        for test in members:
            yield '<tr><td class="n">%s</td><td>%s</td><td%s>%s</td></tr>\n' % (
                took(test.seconds), markup(split(test.name)[1]), ' class="bad"' if test.status in BAD else '',
                WORDS[test.status])
        yield '</tbody></table></details>\n'
    yield from _more(some, MAX_ROWS)


def split(name: str) -> Tuple[str, str]:
    """Return the class and the rest of a test's name. Dots in ``(…)`` and ``[…]``, as of scenarios, do not count."""
    plain = re.match(r'[^(\[]*', name).group()    # type: ignore[union-attr]
    place = plain.rfind('.')
    return (name[:place], name[place + 1:]) if 0 < place < len(name) - 1 else ('', name)


def junit(tests: Tests, write: Callable[[str], object]) -> None:
    """Write the XML. One suite holds all that are listed."""
    failures = tests.counts['fail'] + tests.counts['uxsuccess']
    attributes = 'name="subunit" tests="%d" failures="%d" errors="%d" skipped="%d" time="%.3f"' % (
        sum(tests.counts.values()), failures, tests.counts[UNFINISHED], tests.counts['skip'] + tests.counts['xfail'],
        tests.seconds() or 0)
    write('<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n<testsuite %s>\n' % attributes)
    for test in tests.listed:
        group, name = split(test.name)
        write('<testcase classname=%s name=%s time="%.3f">%s</testcase>\n' % (
            quoteattr(shown(group)), quoteattr(shown(name)), test.seconds or 0, ''.join(_outcome(test))))
    write('</testsuite>\n</testsuites>\n')


def _outcome(test: Test) -> Iterable[str]:
    if test.status in ('skip', 'xfail'):
        yield '<skipped message=%s/>' % quoteattr(shown(test.reason() or WORDS[test.status]))
    elif test.status in BAD:
        kind = 'error' if test.status == UNFINISHED else 'failure'
        told = ''.join('%s:\n%s\n' % part for part in test.texts())
        yield '<%s message=%s>%s</%s>' % (
            kind, quoteattr(WORDS[test.status]), html.escape(shown(told), quote=False), kind)


def to_file(make: Callable[[Callable[[str], object]], None], stream: IO[bytes]) -> None:
    """Let *make* write to a binary stream."""
    make(lambda text: stream.write(text.encode('utf-8', 'replace')))
