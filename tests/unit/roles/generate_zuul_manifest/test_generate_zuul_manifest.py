# SPDX-License-Identifier: Apache-2.0
"""The list of a build's files and the pages of its folders, whoever filled them."""
from __future__ import annotations

import gzip
import json
import os
import time
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

from tests.unit.roles import library, module_utils
from tests.unit.roles.hostile import HostileTest

module: Any = library('generate-zuul-manifest', 'generate_zuul_manifest')
types: Any = module_utils('generate_zuul_manifest_types')
index: Any = module_utils('generate_zuul_manifest_index')
tree: Any = module_utils('generate_zuul_manifest_tree')
PACKED = gzip.compress(b'x')


class ManifestTest(HostileTest):
    def setUp(self) -> None:
        super().setUp()
        self.tree.mkdir()

    def generate(self, **other: Any) -> dict[str, Any]:
        result: dict[str, Any] = module.generate({
            'root': str(self.tree), 'output': str(self.tree / 'zuul-manifest.json'), 'index_links': False,
            'index_pages': False, 'max_entries': 1000, 'timeout': 60, **other})
        return result

    def manifest(self) -> Any:
        return json.loads((self.tree / 'zuul-manifest.json').read_text())

    def fill(self, **files: str | bytes) -> None:
        for name, data in files.items():
            path = self.tree / name.replace('__', '/')
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
            os.utime(path, (7, 7))

    def paths(self) -> list[str]:
        def walk(entries: list[dict[str, Any]], above: str) -> list[str]:
            return [path for entry in entries for path in
                    [above + entry['name'], *walk(entry.get('children', []), above + entry['name'] + '/')]]
        return walk(self.manifest()['tree'], '')


class TestTypes(ManifestTest):
    def test_by_name_and_beginning(self) -> None:
        for name, start, expected in (
                ('job-output.txt', b'x', ('text/plain', None)), ('a.log', b'', ('text/plain', None)),
                ('a.log', b'\0', ('text/plain', None)), ('inventory.yaml', b'x', ('text/plain', None)),
                ('job-output.json', b'x', ('application/json', None)), ('README', b'x', ('text/plain', None)),
                ('core', b'\x7fELF\0', ('application/octet-stream', None)), ('a.html', b'x', ('text/html', None)),
                ('a.txt.gz', PACKED, ('text/plain', 'gzip')), ('a.txt.gz', b'text', ('text/plain', None)),
                ('job-output.json.gz', PACKED, ('application/json', 'gzip')),
                ('a.gz', PACKED, ('application/gzip', None)),
                ('a.tar.gz', PACKED, ('application/gzip', None)), ('a.txt.xz', b'\xfd', ('application/x-xz', None)),
                ('a.bz2', b'x', ('application/x-bzip2', None)), ('a.svg', b'x', ('image/svg+xml', None)),
                ('a.png', b'x', ('image/png', None)), ('tempest.log.1', b'x', ('text/plain', None)),
                ('data:text/html,x.png', b'x', ('image/png', None)), ('http://a.log', b'x', ('text/plain', None)),
                ('a.log?x', b'x', ('text/plain', None)), ('', b'x', ('text/plain', None)),
                ('.log', b'', ('text/plain', None))):
            with self.subTest(name=name):
                self.assertEqual(types.file_type(name, start), expected)


class TestList(ManifestTest):
    def test_what_zuul_reads(self) -> None:
        self.fill(**{'b.txt': 'x', 'a__deep__c.log': 'yy', 'zuul-manifest.json': 'of the job'})
        result = self.generate()
        self.assertEqual((result['written'], result['files'], result['lines']), (True, 2, []))
        folder = {'mimetype': 'application/directory', 'encoding': None}
        self.assertEqual(self.manifest(), {'tree': [
            {**folder, 'name': 'a', 'children': [{**folder, 'name': 'deep', 'children': [
                {'name': 'c.log', 'mimetype': 'text/plain', 'encoding': None, 'last_modified': 7, 'size': 2}]}]},
            {'name': 'b.txt', 'mimetype': 'text/plain', 'encoding': None, 'last_modified': 7, 'size': 1}]})
        self.assertFalse(self.generate()['changed'])
        self.generate(index_links=True)
        self.assertIs(self.manifest()['index_links'], True)

    def test_hostile_names(self) -> None:
        for name in ('<script>alert(1)<', 'ü☃', 'a b', '..a', "it's", '"', '\n', '\x1b[2J', '__proto__', '-rf'):
            (self.tree / name).write_text('x')
        (self.tree / os.fsdecode(b'caf\xe9')).write_text('x')
        (self.tree / os.fsdecode(b'\xff')).mkdir()
        result = self.generate(index_pages=True)
        self.assertEqual(len(self.manifest()['tree']), 10)
        self.assertEqual(result['lines'], ['caf\\udce9: is not listed, its name is not UTF-8',
                                           '\\udcff: is not listed, its name is not UTF-8'])
        self.assertNotIn('<', (self.tree / 'zuul-manifest.json').read_text())
        self.assertNotIn('<script>', (self.tree / 'index.html').read_text())

    def test_links_and_the_like(self) -> None:
        self.outside.mkdir()
        (self.outside / 'key').write_text('x')
        self.fill(a='x')
        (self.tree / 'link').symlink_to(self.outside / 'key')
        (self.tree / 'folder').symlink_to(self.outside)
        os.mkfifo(self.tree / 'pipe')
        self.generate(index_pages=True)
        self.assertEqual(self.paths(), ['a'])
        self.assertEqual(os.listdir(self.outside), ['key'])

    def test_a_root_below_a_link(self) -> None:
        self.fill(a='x')
        (self.base / 'way').symlink_to(self.base)
        self.generate(root=str(self.base / 'way/logs'))
        self.assertEqual(self.paths(), ['a'])

    def test_limits(self) -> None:
        self.fill(**dict.fromkeys('abcde', 'x'))
        self.assertEqual(self.generate(max_entries=3)['lines'],
                         ['2 files and folders are not listed (generate_zuul_manifest_max_entries)'])
        self.assertEqual(self.paths(), ['a', 'b', 'c'])
        self.addCleanup(setattr, time, 'monotonic', time.monotonic)
        ticks = iter(range(0, 1000, 50))
        time.monotonic = lambda: next(ticks)
        (self.tree / 'zuul-manifest.json').unlink()
        result = self.generate(timeout=1)
        self.assertEqual((result['written'], result['lines']), (
            False, ['no list: not done in time (generate_zuul_manifest_timeout)']))

    def test_far_too_deep(self) -> None:
        self.tree.rmdir()
        self.make('--deep', '500', '--empty', '10', '--sparse', '1')
        result = self.generate(max_entries=100000, index_pages=True)
        self.assertTrue(result['written'], result)
        self.assertTrue(any('below more than 400 folders' in line for line in result['lines']), result['lines'])
        self.assertEqual(sorted(path.name for path in self.outside.rglob('*')), ['key', 'key', 'sub'])

    def test_what_is_in_the_place_of_the_list(self) -> None:
        target = self.base / 'target'
        target.write_text('mine')
        path = self.tree / 'zuul-manifest.json'
        for plant in (lambda: path.symlink_to(target), path.mkdir, lambda: os.mkfifo(path),
                      lambda: path.hardlink_to(target)):
            with self.subTest():
                plant()
                self.assertTrue(self.generate()['written'])
                self.assertIn('tree', self.manifest())
                path.unlink()
        self.assertEqual(target.read_text(), 'mine')

    def test_it_refuses(self) -> None:
        with self.assertRaises(module.Refused) as caught:
            self.generate(root=str(self.base / 'no'), output=str(self.tree / 'no/x'), timeout=0)
        self.assertEqual(str(caught.exception), f"""cannot continue, 3 problems:
  - generate_zuul_manifest_timeout is 0: it must be at least 1
  - generate_zuul_manifest_root is '{self.base}/no': No such file or directory. It must be a folder, and no link
  - generate_zuul_manifest_output is '{self.tree}/no/x': No such file or directory. It must be in a folder, """
                         'and no link')


class Links(HTMLParser):
    """The tags and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or '' for name, value in attrs if name == 'href']


class TestPages(ManifestTest):
    def test_every_folder_has_one(self) -> None:
        self.fill(**{'a__b__c.log': 'x', 'd': 'x' * 3000})
        self.assertTrue(self.generate(index_pages=True)['changed'])
        self.assertIs(self.manifest()['index_links'], True)
        self.assertEqual(self.paths(), ['a', 'a/b', 'a/b/c.log', 'd'])
        links = {str(path.parent.relative_to(self.tree)): Links(path.read_text()).links
                 for path in self.tree.rglob('index.html')}
        self.assertEqual(links, {'.': ['./a/index.html', './d'], 'a': ['../index.html', './b/index.html'],
                                 'a/b': ['../index.html', './c.log']})
        self.assertIn('2.9 KiB</td><td>1970-01-01 00:00:07', (self.tree / 'index.html').read_text())
        self.assertFalse(self.generate(index_pages=True)['changed'])

    def test_pages_of_the_job(self) -> None:
        evil = '<script>alert(1)</script>'
        self.fill(**{'index.html': evil, 'docs__index.html': evil, 'index_footer.html': evil,
                     'a__index_footer.html': evil,
                     'index~1.html': 'x'})
        result = self.generate(index_pages=True)
        self.assertEqual(result['lines'], ['index.html: was put there by the job and is now index~2.html'])
        self.assertEqual((self.tree / 'docs/index.html').read_text(), evil)
        self.assertEqual((self.tree / 'index~2.html').read_text(), evil)
        self.assertNotIn('<script', (self.tree / 'index.html').read_text() + (self.tree / 'a/index.html').read_text())
        self.assertIn('index~2.html', self.paths())
        self.assertFalse(self.generate(index_pages=True)['changed'])

    def test_what_is_in_the_place_of_a_page(self) -> None:
        target = self.base / 'target'
        target.write_text('mine')
        self.fill(a__x='1', b__x='1')
        (self.tree / 'a/index.html').symlink_to(target)
        (self.tree / 'b/index.html').mkdir()
        (self.tree / 'index.html').symlink_to(target)
        self.generate(index_pages=True)
        self.assertEqual(target.read_text(), 'mine')
        self.assertFalse((self.tree / 'a/index.html').is_symlink())
        self.assertFalse((self.tree / 'index.html').is_symlink())

    def test_links_lead_to_what_they_name(self) -> None:
        names = ['<script>', '"onclick="x', "it's", 'javascript:alert(1)', '?a#b', '100%', 'ü', '..%2f', '//evil',
                 '&amp;']
        entries = [{'name': name, 'mimetype': 'text/plain', 'size': 1, 'last_modified': -5} for name in names]
        page = Links(index.page(('<b>',), entries).decode())
        self.assertEqual([unquote(link[2:]) for link in page.links[1:]], names)
        self.assertTrue(all(link.startswith(('./', '../')) for link in page.links))
        self.assertTrue(all(set(link[2:]).isdisjoint('/:"<>#?&\'') for link in page.links[1:]), page.links)
        self.assertEqual(page.tags & {'script', 'b', 'img'}, set())

    def test_very_many(self) -> None:
        entry = {'mimetype': 'text/plain', 'size': 1 << 50, 'last_modified': 1 << 60}
        page = index.page((), [{**entry, 'name': str(number)} for number in range(10003)]).decode()
        self.assertIn('<p>3 more are not listed.</p>', page)
