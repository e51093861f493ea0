# SPDX-License-Identifier: Apache-2.0
"""Pages of logs."""
from __future__ import annotations

import re
import unittest
from html.parser import HTMLParser
from typing import Any

from tests.unit.roles import module_utils

page: Any = module_utils('htmlify_logs_page')
excerpts: Any = module_utils('htmlify_logs_excerpt')


class Seen(HTMLParser):
    """What a browser would see: tags, attributes, the visible text of each numbered line."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.lines: dict[str, str] = {}
        self._line = ''
        self._link = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        given = dict(attrs)
        if 'href' in given:
            self.links.append(given['href'] or '')
        if tag == 'span':
            self._line = given['id'] or ''
            self.lines[self._line] = ''
        self._link = tag == 'a'

    def handle_endtag(self, tag: str) -> None:
        self._link = False
        if tag == 'span':
            self._line = ''

    def handle_data(self, data: str) -> None:
        if self._line and not self._link:
            self.lines[self._line] += data


def shown(data: bytes, name: str = 'a.log', path: str = 'logs/a.log', remark: str = '', **limits: int) -> str:
    import io
    excerpt = excerpts.excerpt(io.BytesIO(data).read, limits.get('bytes', 1 << 20), limits.get('lines', 1000))
    text: str = page.page(page.Log(name, path, excerpt, remark)).decode()
    return text


class TestLines(unittest.TestCase):
    def test_what_is_in_them(self) -> None:
        for raw, expected in (
                (b'a <b> & "c"', 'a &lt;b&gt; &amp; "c"'), (b'\x1b[1;31mred\x1b[0m', 'red'),
                (b'\x1b]0;title\x07x', 'x'),
                (b'\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\', 'link'), (b'\x1b[2Jx\x1b(By\x1b=', 'xy'),
                (b'\xc2\x9b31mred', 'red'), (b'a\0b\x07', 'a\u2400b\u2407'), (b'\xff\xfe', '\ufffd\ufffd'),
                (b'10%\r20%', '10%\u240d20%'), ('a\u202eb'.encode(), 'a\ufffdb'), ('\u2028'.encode(), '\ufffd'),
                (b'\ta', '\ta'), ('ü☃'.encode(), 'ü☃'), (b'\x1b[' + b'1' * 70 + b'm', '1' * 70 + 'm'),
                (b'\x1b[<script>m', 'cript&gt;m')):
            with self.subTest(raw=raw):
                self.assertEqual(page.lines([raw]), [expected])

    def test_no_line_is_lost(self) -> None:
        self.assertEqual(page.lines([b'a\r', b'', b'\x1b', b'b\r']), ['a', '', '\u241b', 'b'])
        self.assertEqual(page.lines([]), [])
        self.assertEqual(len(page.lines([b'\x1b]', b'\x07', b'\x1b[', b'm', 'x\u2028\x85\v\f'.encode()])), 5)


class TestPage(unittest.TestCase):
    def test_lines_links_and_filter(self) -> None:
        text = shown(b''.join(b'2026-01-01 10:00:00.1 1 %s\n' % one for one in (b'INFO x', b'ERROR <y>', b'DEBUG z')))
        seen = Seen(text)
        self.assertEqual([line[-4:] for line in seen.lines.values()], ['FO x', ' <y>', 'UG z'])
        self.assertEqual(seen.links, ['./a.log', '#L2', '#L3', '#L1', '#L2', '#L3'])
        for label in ('All (3)', 'No debug (2)', 'Warnings and errors (1)', 'Errors (1)'):
            self.assertIn(label, text)
        self.assertEqual(text.count('tabindex=-1'), 2)

    def test_a_text_without_levels_has_no_filter(self) -> None:
        text = shown(b'just text\n')
        self.assertNotIn('<input', text)
        self.assertNotIn('First error', text)
        self.assertIn('The file is empty.', shown(b''))

    def test_nothing_of_it_is_markup(self) -> None:
        evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
        text = shown(f'{evil}\n</span></main><script>x</script>\n<!-- \n]]>'.encode(), evil + '.log',
                     'javascript:' + evil + '.log', evil)
        seen = Seen(text)
        self.assertEqual(seen.tags, {'html', 'head', 'meta', 'title', 'style', 'body', 'header', 'h1', 'p', 'a', 'main',
                                     'div', 'span'})
        self.assertEqual(seen.attributes, {'lang', 'charset', 'http-equiv', 'content', 'name', 'href', 'class', 'id',
                                           'tabindex'})
        self.assertTrue(all(re.fullmatch(r'#L\d+|\./[\w%.()/-]+', link) for link in seen.links), seen.links)
        self.assertEqual(len(seen.lines), 4)
        self.assertIn("default-src 'none'; style-src 'sha256-", text)

    def test_names_that_are_no_text(self) -> None:
        self.assertIn('href="./a%FF%3A%3F%23.log"', shown(b'x', 'a\udcff:?#.log', 'a\udcff:?#.log'))

    def test_what_is_left_out(self) -> None:
        text = shown(b''.join(b'%d\n' % number for number in range(1, 1001)), lines=6)
        self.assertEqual(list(Seen(text).lines), ['L1', 'L2', 'L3', 'L998', 'L999', 'L1000'])
        self.assertIn('994 lines are left out here', text)
        self.assertIn('The rest of this line is left out', shown(b'a' * 9000, bytes=100))
