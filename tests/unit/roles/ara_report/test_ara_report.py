# SPDX-License-Identifier: Apache-2.0
"""The report of ARA, or why there is none."""
from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from tests.unit.roles import library
from tests.unit.roles.hostile import HostileTest

module: Any = library('ara-report', 'ara_report')


class ReportTest(HostileTest):
    def setUp(self) -> None:
        super().setUp()
        self.tree.mkdir()
        self.database = self.base / 'ansible.sqlite'
        with sqlite3.connect(self.database) as connection:
            connection.execute('create table playbooks (id integer)')
        connection.close()

    def report(self, **other: Any) -> dict[str, Any]:
        result: dict[str, Any] = module.report({
            'run': 'true', 'success': True, 'type': 'html', 'executable': str(self.base / 'ara'),
            'database': str(self.database), 'path': str(self.tree / 'ara'), 'compress': False, 'timeout': 20, **other})
        return result

    def provide(self, text: str) -> None:
        for name in ('ara', 'ara-manage'):
            path = self.base / name
            path.write_text('#!/bin/sh\n' + text)
            path.chmod(0o755)

    def left(self) -> list[str]:
        return sorted(os.listdir(self.tree))

    def test_when(self) -> None:
        for run, success, expected in (('true', True, True), ('True', False, True), ('false', False, False),
                                       ('failure', True, False), ('failure', False, True)):
            with self.subTest(run=run, success=success):
                self.assertEqual(module.wanted(run, success), expected)

    def test_the_recording(self) -> None:
        result = self.report(type='database')
        self.assertEqual((result['page'], self.left()), ('ansible.sqlite', ['ara']))
        self.assertEqual((self.tree / 'ara/ansible.sqlite').read_bytes(), self.database.read_bytes())
        self.assertIn('already', self.report(type='database')['line'])

    def test_pages_and_packing(self) -> None:
        self.provide('[ "$1" = generate ] || exit 0; mkdir -p "$2/a"; echo "$ARA_DATABASE_NAME" > "$2/index.html"; '
                     'echo x > "$2/a/b.html"; echo x > "$2/a/c.css"')
        self.assertEqual(self.report()['page'], 'index.html')
        self.assertNotEqual((self.tree / 'ara/index.html').read_text().strip(), str(self.database))
        self.assertEqual(self.report(path=str(self.tree / 'z'), compress=True)['page'], 'index.html.gz')
        self.assertEqual(sorted(path.name for path in (self.tree / 'z').rglob('*.*')),
                         ['b.html.gz', 'c.css', 'index.html.gz'])
        self.assertEqual(self.left(), ['ara', 'z'])

    def test_what_goes_wrong_fails_nothing(self) -> None:
        link = self.base / 'link'
        link.symlink_to(self.database)
        os.mkfifo(self.base / 'pipe')
        self.assertIn('install ara[server]', self.report(executable='no-such-ara')['line'])
        for text, line in (('echo first; echo no >&2; exit 3', 'failed with code 3: no'),
                           ('sleep 9', 'did not end in time'),
                           ('exit 0', 'wrote no index.html')):
            self.provide(text)
            self.assertIn(line, self.report(timeout=1)['line'])
        for name, line in (('link', 'symbolic links'), ('pipe', 'no plain file'), ('none', 'No such file')):
            self.assertIn(line, self.report(database=str(self.base / name))['line'])
        self.assertIn('No such file', self.report(path=str(Path('/nowhere/ara')))['line'])
        self.assertEqual(self.left(), [])

    def test_it_refuses(self) -> None:
        with self.assertRaises(module.Refused) as caught:
            self.report(run='maybe', type='pdf', timeout=0)
        self.assertEqual(str(caught.exception), """cannot continue, 3 problems:
  - ara_report_run is 'maybe': it must be true or false or failure
  - ara_report_type is 'pdf': it must be html or database
  - ara_report_timeout is 0: it must be at least 1""")
