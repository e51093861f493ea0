# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
import socket
import tarfile
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

module: Any = library('fetch-sphinx-tarball', 'fetch_sphinx_tarball')


class TestCollect(unittest.TestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.html = self.base / 'build' / 'html'
        (self.html / '_static').mkdir(parents=True)
        (self.html / 'index.html').write_text('<p>here')
        (self.html / '_static' / "it's ü.css").write_text('p {}')
        self.dest = self.base / 'out' / 'docs-html.tar.bz2'

    def collect(self, *pdf_files: str) -> dict[str, Any]:
        result: dict[str, Any] = module.collect(
            {'build': str(self.base / 'build'), 'pdf_files': list(pdf_files), 'dest': str(self.dest)})
        return result

    def test_pages_are_packed_once(self) -> None:
        result = self.collect('a.pdf')
        self.assertEqual((result['changed'], result['files'], result['problems']), (True, 2, []))
        with tarfile.open(self.dest, 'r:bz2') as archive:
            self.assertEqual([(one.name, one.uid, one.uname, one.mode) for one in archive.getmembers()], [
                ('_static', 0, '', 0o755), ('index.html', 0, '', 0o644), ("_static/it's ü.css", 0, '', 0o644)])
        self.assertEqual([source['name'] for source in result['sources']], ['docs', 'docs-html.tar.bz2', 'pdf/a.pdf'])
        self.assertEqual([one['type'] for one in result['artifacts']], ['docs_archive', 'docs_site', 'docs_pdf'])
        self.assertFalse(self.collect('a.pdf')['changed'])

    def test_links_are_left_out(self) -> None:
        (self.base / 'secret').write_text('secret')
        (self.html / 'file').symlink_to(self.base / 'secret')
        (self.html / 'folder').symlink_to(self.base)
        os.mkfifo(self.html / 'pipe')
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(self.html / 'socket'))
            result = self.collect()
        self.assertEqual([problem.replace(f'{self.html}/', '') for problem in result['problems']], [
            'file: a link, left out', 'folder: a link, left out', 'pipe: no file, left out',
            'socket: no file, left out'])
        with tarfile.open(self.dest) as archive:
            self.assertEqual(archive.getnames(), ['_static', 'index.html', "_static/it's ü.css"])

    def test_no_pages(self) -> None:
        shutil.rmtree(self.html)
        result = self.collect()
        self.assertEqual((result['changed'], [source['name'] for source in result['sources']]), (False, ['docs']))
        self.assertFalse(self.dest.exists())

    def test_an_archive_that_cannot_be_written(self) -> None:
        self.dest.mkdir(parents=True)
        result = self.collect()
        self.assertEqual((result['changed'], result['problems']), (False, [f'{self.dest}: Is a directory']))
        self.assertEqual([source['name'] for source in result['sources']], ['docs'])
        self.assertEqual(list(self.dest.parent.iterdir()), [self.dest])


if __name__ == '__main__':
    unittest.main()
