# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import html.parser
import io
import tracemalloc
import unittest
import xml.etree.ElementTree as ElementTree
from typing import Any

from tests.unit.roles import module_utils

events: Any = module_utils('fetch_subunit_output_events')
tests: Any = module_utils('fetch_subunit_output_tests')
reports: Any = module_utils('fetch_subunit_output_reports')
Event: Any = events.Event
SECOND = 10 ** 9

HOSTILE = '</td><script>alert(1)</script><img src=x onerror=alert(1)> "\' & \x1b[31mred\x1b[0m \x00\u202e\ud800'


class Elements(html.parser.HTMLParser):
    """What a browser makes of a page: elements, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.words = ''
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != 'meta':
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.words += data


def learnt(*given: Any) -> Any:
    result = tests.Tests()
    for event in given:
        result.add(event)
    result.done()
    return result


def test_of(name: str, status: str, seconds: float = 1, **attachments: bytes) -> list[Any]:
    return [Event(name, 'inprogress', SECOND),
            *(Event(name, name=label, mime='text/plain', data=data) for label, data in attachments.items()),
            Event(name, status, SECOND + int(seconds * SECOND))]


def page(result: Any, *remarks: str) -> str:
    out = io.BytesIO()
    reports.to_file(lambda write: reports.page(result, remarks, write), out)
    return out.getvalue().decode()


def junit(result: Any) -> Any:
    out = io.BytesIO()
    reports.to_file(lambda write: reports.junit(result, write), out)
    return ElementTree.fromstring(out.getvalue())[0]


class TestTests(unittest.TestCase):
    def test_outcomes(self) -> None:
        result = learnt(*test_of('a', 'success'), *test_of('b', 'fail', 2.5), Event('c', 'inprogress'),
                        Event('d', 'exists'), Event('e', name='out', data=b'never started'), *test_of('a', 'fail'))
        self.assertEqual({status: count for status, count in result.counts.items() if count},
                         {'success': 1, 'fail': 2, 'unfinished': 1})
        self.assertEqual([(test.name, test.status, test.seconds) for test in result.listed],
                         [('a', 'success', 1), ('a', 'fail', 1), ('b', 'fail', 2.5), ('c', 'unfinished', None)])
        self.assertEqual(result.seconds(), 2.5)

    def test_skipped_tests_did_not_run(self) -> None:
        self.assertEqual(learnt(*test_of('a', 'skip')).ran(), 0)
        self.assertEqual(learnt(*test_of('a', 'xfail')).ran(), 1)

    def test_the_beginning_and_the_end_of_a_long_text(self) -> None:
        pieces = [Event('a', name='out', data=data) for data in (b'begin', *[b'x' * 60_000] * 50, b'end')]
        result = learnt(Event('a', 'inprogress'), *pieces, Event('a', 'fail'))
        [(name, text)] = result.listed[0].texts()
        self.assertEqual(name, 'out')
        self.assertRegex(text, r'(?s)^beginx+\n\[\d+ bytes are left out here\]\nx+end$')
        self.assertLess(len(text), 70_000)

    def test_no_text_is_kept_of_what_is_none(self) -> None:
        picture = Event('a', name='p', mime='image/png', data=b'\x89PNG')
        result = learnt(Event('a', 'inprogress'), picture, Event('a', 'fail'))
        self.assertEqual(list(result.listed[0].texts()), [('p', 'image/png, 4 bytes')])

    def test_bounded_memory(self) -> None:
        many = tests.Tests()
        data = b'y' * 1000
        tracemalloc.start()
        for number in range(60_000):
            many.add(Event(f't{number}', 'inprogress', number))
            many.add(Event(f't{number}', name=f'out{number}', mime='text/plain', data=data))
            many.add(Event(f't{number}', 'fail' if number % 2 else 'success', number + 1))
        many.done()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        self.assertEqual((many.counts['fail'], len(many.listed)), (30_000, 60_000))
        self.assertLess(peak, 60 << 20)
        self.assertGreater(many.left_out, 0)
        self.assertIn('Not all that tests printed fits in here', page(many))

    def test_room_of_tests_that_passed_is_given_back(self) -> None:
        result = tests.Tests()
        for number in range(500):
            for event in test_of(f't{number}', 'success', out=b'z' * 60_000):
                result.add(event)
        self.assertEqual(result._room.left, tests.TEXT_ROOM)

    def test_more_at_once_than_anybody_runs(self) -> None:
        result = learnt(*(Event(f't{number}', 'inprogress') for number in range(5000)))
        self.assertEqual(result.counts['unfinished'], 5000)


class TestPage(unittest.TestCase):
    def test_nothing_of_a_test_becomes_markup(self) -> None:
        result = learnt(*test_of('a.' + HOSTILE, 'fail', 1, **{HOSTILE: HOSTILE.encode('utf-8', 'replace')}),
                        *test_of('b.' + HOSTILE + '2', 'skip', reason=HOSTILE.encode('utf-8', 'replace')),
                        *test_of(HOSTILE, 'success'))
        read = Elements(page(result, HOSTILE))
        self.assertEqual(read.open, [])
        self.assertLessEqual(set(read.tags), {
            'html', 'head', 'meta', 'title', 'style', 'body', 'main', 'h1', 'h2', 'h3', 'p', 'nav', 'ul', 'li', 'a',
            'details', 'summary', 'span', 'pre', 'table', 'thead', 'tbody', 'tr', 'th', 'td'})
        self.assertLessEqual({name for name, _ in read.attributes}, {
            'lang', 'charset', 'http-equiv', 'content', 'name', 'class', 'href', 'id', 'aria-label', 'tabindex', 'role',
            'open'})
        self.assertEqual([value for name, value in read.attributes if name == 'href' and value and value[0] != '#'], [])
        for char in '\x1b\x00\u202e\ud800':
            self.assertNotIn(char, read.words)
        self.assertEqual(read.words.count('<script>alert(1)</script>'), 12)
        self.assertIn(' red ', read.words)

    def test_the_parts(self) -> None:
        result = learnt(*(event for number in range(30) for event in test_of(f'm.T.t{number:02}', 'success', number)),
                        *test_of('m.U.bad', 'fail', traceback=b'Boom', stdout=b'said'),
                        *test_of('m.U.s1', 'skip', reason=b'no net\n'), *test_of('m.U.s2', 'skip', reason=b'no net'),
                        *test_of('m.U.s3', 'skip'), Event('m.U.slow', 'inprogress'))
        read = Elements(page(result, 'stopped'))
        self.assertEqual([value for name, value in read.attributes if name == 'id'],
                         ['failed', 'slowest', 'skipped', 'all'])
        for words in ('1 failed, 1 not finished, 3 skipped, 30 passed. Run in 29.000 s.', 'stopped', 'no net (2)',
                      'no reason given (1)', 'The 20 slowest', 'm.U (5, 2 failed)'):
            self.assertIn(words, read.words)
        slowest = read.words[read.words.index('The 20 slowest'):read.words.index('Skipped\n')]
        self.assertEqual(slowest.count('m.T.t'), 20)
        self.assertLess(slowest.index('t29'), slowest.index('t10'))
        self.assertNotIn('t09', slowest)
        self.assertLess(read.words.index('Boom'), read.words.index('said'))

    def test_no_tests(self) -> None:
        self.assertIn('no tests. Run in -.', page(learnt()))

    def test_long_lists_end(self) -> None:
        many = [event for number in range(2100) for event in test_of(f'm.T.t{number}', 'fail')]
        self.assertIn('And 100 more, which the XML beside this page has.', page(learnt(*many)))

    def test_the_rest_of_a_name(self) -> None:
        for name, expected in (('a.b.T.test', ('a.b.T', 'test')), ('a.T.test(x.y)[z.q]', ('a.T', 'test(x.y)[z.q]')),
                               ('setUpClass (a.T)', ('', 'setUpClass (a.T)')), ('.', ('', '.')), ('', ('', '')),
                               ('a.', ('', 'a.'))):
            self.assertEqual(reports.split(name), expected)


class TestXml(unittest.TestCase):
    def test_outcomes(self) -> None:
        suite = junit(learnt(*test_of('a.T.ok', 'success', 2), *test_of('a.T.bad', 'fail', out=b'<boom>\x00'),
                             *test_of('a.T.s', 'skip', reason=b'"why"'), *test_of('a.T.x', 'xfail'),
                             *test_of('a.T.u', 'uxsuccess'), Event('a.T.r', 'inprogress')))
        self.assertEqual({**suite.attrib, 'name': ''}, {
            'name': '', 'tests': '6', 'failures': '2', 'errors': '1', 'skipped': '2', 'time': '2.000'})
        found = {case.get('name'): [(child.tag, child.get('message'), child.text) for child in case] for case in suite}
        self.assertEqual(found, {
            'ok': [], 'bad': [('failure', 'failed', 'out:\n<boom>\N{REPLACEMENT CHARACTER}\n')],
            's': [('skipped', '"why"', None)], 'x': [('skipped', 'failed as expected', None)],
            'u': [('failure', 'passed unexpectedly', None)], 'r': [('error', 'not finished', None)]})
        self.assertEqual({case.get('classname') for case in suite}, {'a.T'})

    def test_whatever_a_test_is_called(self) -> None:
        [case] = junit(learnt(*test_of(HOSTILE, 'fail', out=HOSTILE.encode('utf-8', 'replace'))))
        self.assertIn('<script>alert(1)</script>', case[0].text)


if __name__ == '__main__':
    unittest.main()
