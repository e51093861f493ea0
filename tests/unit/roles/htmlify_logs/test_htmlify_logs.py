# SPDX-License-Identifier: Apache-2.0
"""Pages of all logs of a folder, whoever filled it."""
from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.unit.roles import ROLES, library
from tests.unit.roles.hostile import OWN_MEMORY, HostileTest

module: Any = library('htmlify-logs', 'htmlify_logs')
# Runs in a process of its own, so that the memory is its own.
_ALONE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from tests.unit.roles import library
print(json.dumps(library('htmlify-logs', 'htmlify_logs').htmlify(json.loads(sys.argv[2]))))
"""


class HtmlifyTest(HostileTest):
    def setUp(self) -> None:
        super().setUp()
        self.tree.mkdir()

    def params(self, **other: Any) -> dict[str, Any]:
        return {'root': str(self.tree), 'patterns': ['*.txt', '*.log', '*.log.gz'], 'max_file_bytes': 1 << 20,
                'max_file_lines': 10000, 'max_bytes': 1 << 30, 'timeout': 60, **other}

    def htmlify(self, **other: Any) -> dict[str, Any]:
        result: dict[str, Any] = module.htmlify(self.params(**other))
        return result

    def pages(self) -> list[str]:
        return sorted(str(path.relative_to(self.tree)) for path in self.tree.rglob('*.html'))


class TestFolder(HtmlifyTest):
    def test_files_and_folders(self) -> None:
        (self.tree / 'deep/er').mkdir(parents=True)
        for name, data in (('a.log', b'x'), ('deep/er/b.txt', b'y'), ('c.json', b'{}'),
                           ('d.log.gz', gzip.compress(b'ERROR z')),
                           ('e.log', gzip.compress(b'packed')[:-9]), ('empty.txt', b'')):
            (self.tree / name).write_bytes(data)
        result = self.htmlify()
        self.assertEqual((result['pages'], result['lines'], result['changed']), (5, [], True))
        self.assertEqual(self.pages(), ['a.log.html', 'd.log.gz.html', 'deep/er/b.txt.html', 'e.log.html',
                                        'empty.txt.html'])
        self.assertIn('</a>ERROR z</span>', (self.tree / 'd.log.gz.html').read_text())
        self.assertIn('The file is damaged', (self.tree / 'e.log.html').read_text())
        self.assertIn('<title>deep/er/b.txt</title>', (self.tree / 'deep/er/b.txt.html').read_text())
        self.assertEqual((self.tree / 'a.log.html').stat().st_mode & 0o7777, 0o644)
        self.assertFalse(self.htmlify()['changed'])
        (self.tree / 'a.log').write_text('other')
        self.assertTrue(self.htmlify()['changed'])
        self.assertIn('other', (self.tree / 'a.log.html').read_text())

    def test_what_has_the_name_of_a_page(self) -> None:
        target = self.base / 'target'
        target.write_text('mine')
        for name in 'abcde':
            (self.tree / f'{name}.log').write_text('x')
        (self.tree / 'a.log.html').write_text('the page of a job')
        (self.tree / 'b.log.html').symlink_to(target)
        (self.tree / 'c.log.html').mkdir()
        os.mkfifo(self.tree / 'd.log.html')
        result = self.htmlify()
        self.assertEqual((result['pages'], len(result['lines'])), (1, 4))
        self.assertEqual(result['lines'][0], 'a.log: something else has the name of its page')
        self.assertEqual((self.tree / 'a.log.html').read_text(), 'the page of a job')
        self.assertEqual(target.read_text(), 'mine')

    def test_limits(self) -> None:
        for name in 'abc':
            (self.tree / f'{name}.log').write_text('x' * 1000)
        one = self.htmlify(patterns=['a.log'])
        size = (self.tree / 'a.log.html').stat().st_size
        self.assertEqual((one['pages'], self.htmlify(max_bytes=size * 2 + 9)['pages']), (1, 2))
        self.assertEqual(self.pages(), ['a.log.html', 'b.log.html'])
        (self.tree / ('n' * 251 + '.log')).write_text('x')
        self.assertIn('File name too long', self.htmlify()['lines'][0])

    def test_no_time(self) -> None:
        (self.tree / 'a.log').write_text('x')
        (self.tree / 'b.log').write_text('x')
        self.addCleanup(setattr, module, 'page', module.page)

        def slow(log: Any) -> bytes:
            time.sleep(1.1)
            return b'page'

        module.page = slow
        self.assertEqual(self.htmlify(timeout=1)['lines'],
                         ['1 files have no page: not done in time (htmlify_logs_timeout)'])

    def test_it_refuses(self) -> None:
        link = self.base / 'link'
        link.symlink_to(self.tree)
        with self.assertRaises(module.Refused) as caught:
            self.htmlify(root=str(link), patterns=['a/*', ''], timeout=0)
        self.assertEqual(str(caught.exception), f"""cannot continue, 4 problems:
  - htmlify_logs_timeout is 0: it must be at least 1
  - htmlify_logs_patterns has 'a/*': it must be the name of files, with '*' for any part, and no path
  - htmlify_logs_patterns has '': it must be the name of files, with '*' for any part, and no path
  - htmlify_logs_root is '{link}': Not a directory. It must be a folder, and no link""")


class TestHostile(HtmlifyTest):
    def test_the_worst_output(self) -> None:
        self.tree.rmdir()
        self.make('--empty', '100', '--sparse', str(1100 << 20))
        self.assertIn('sparse/a-huge-one: larger than 1073741824 bytes', self.htmlify(patterns=['a*', 'h*'])['lines'])
        self.htmlify(patterns=['*'], timeout=600)
        self.assertGreater(len(self.pages()), 100)
        for path in self.tree.rglob('*.html'):
            if path.is_file() and not path.is_symlink():
                self.assertNotIn('root:', path.read_text(errors='replace'), path)
        there = sorted(path.name for path in self.outside.rglob('*'))
        self.assertEqual(there, ['key', 'key', 'sub'])

    def test_swapped_for_links_meanwhile(self) -> None:
        self.tree.rmdir()
        self.make('--empty', '0', '--deep', '1', '--sparse', '1')
        secret = (self.outside / 'key').read_text()
        self.swap(60)
        for _ in range(5):
            self.htmlify(patterns=['*'])
        self.stop_swapping()
        for path in self.tree.rglob('*.html'):
            if path.is_file() and not path.is_symlink():
                self.assertNotIn(secret.strip(), path.read_text(errors='replace'), path)

    def test_bounded_memory_and_time(self) -> None:
        with open(self.tree / 'line.log', 'wb') as file:
            for _ in range(100):
                file.write(b'<' * (1 << 20))
        with open(self.tree / 'lines.log', 'wb') as file:
            for _ in range(64):
                file.write(b'\n' * (1 << 20))
        with open(self.tree / 'sparse.log', 'wb') as file:
            file.truncate(1 << 30)
        (self.tree / 'bomb.log.gz').write_bytes(gzip.compress(bytes(1 << 28)))
        (self.tree / 'escapes.log').write_bytes(b'\x1b[' * (5 << 20))
        start = time.monotonic()
        done = subprocess.run((*OWN_MEMORY, sys.executable, '-c', _ALONE, str(ROLES.parent), json.dumps(self.params(
            max_file_bytes=10 << 20, max_file_lines=100000))), check=True, stdout=subprocess.PIPE, text=True)
        result = json.loads(done.stdout)
        self.assertEqual((result['pages'], result['lines']), (5, []))
        self.assertLess(result['memory'], 300 << 20)
        self.assertLess(time.monotonic() - start, 60)
        self.assertLess(max(Path(path).stat().st_size for path in self.tree.rglob('*.html')), 20 << 20)
