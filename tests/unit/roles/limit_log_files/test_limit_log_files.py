# SPDX-License-Identifier: Apache-2.0
"""Which logs are too large or too many."""
from __future__ import annotations

import os
import time
from typing import Any

from tests.unit.roles import library
from tests.unit.roles.hostile import HostileTest

module: Any = library('limit-log-files', 'limit_log_files')


class LimitTest(HostileTest):
    def setUp(self) -> None:
        super().setUp()
        (self.tree / 'deep').mkdir(parents=True)

    def look(self, **other: Any) -> dict[str, Any]:
        result: dict[str, Any] = module.look({'folder': str(self.tree), 'limit': 0, 'rules': [],
                                              'timeout': 60, **other})
        return result

    def test_rules(self) -> None:
        for text, path, size, wrong in (
                ('.*job-output.json$ 500k', 'job-output.json', 512000, False),
                ('.*job-output.json$ 500k', 'job-output.json', 512001, True),
                ('.*job-output.json$ 500k', 'deep/job-output.json', 600000, True),
                ('.*job-output.json$ 500k', 'job-output.json.gz', 600000, False),
                ('.*\\zuul-manifest.json$ 1k', 'zuul-manifest.json', 1025, True),
                ('a b.*\t 7', 'a b.log', 8, True), ('b 1', 'ab', 2, False), ('.* 1M', 'x', (1 << 20) + 1, True),
                ('.* 1G', 'x', 1 << 30, False), ('.* 10B', 'x', 11, True), (' .*\\.log$ 0', 'x.log', 1, True),
                ('\\\\z 0', '\\z', 1, True), ('\\w+\\d$ 0', 'a1', 1, True)):
            with self.subTest(text=text, size=size):
                self.assertEqual(bool(module.judged([module.rule(text)], path, size)), wrong)

    def test_what_is_told(self) -> None:
        for name in ('a.log', 'b\x1b.log', 'deep/c.log'):
            (self.tree / name).write_text('12345')
        (self.tree / 'link.log').symlink_to('/etc/passwd')
        os.mkfifo(self.tree / 'pipe.log')
        result = self.look(limit=2, rules=['.*log$ 4', 'deep 1'])
        self.assertEqual(result['problems'], [
            'there are 3 files, more than 2', 'a.log has 5 bytes, more than 4 (.*log$ 4)',
            'b\\x1b.log has 5 bytes, more than 4 (.*log$ 4)', 'deep/c.log has 5 bytes, more than 4 (.*log$ 4)'])
        self.assertEqual((result['files'], result['changed']), (3, False))
        self.assertTrue(result['warning'].startswith('The logs are beyond their limits: there are 3 files, more than'))
        self.assertEqual(self.look(limit=3, rules=['.*log$ 5'])['warning'], '')

    def test_a_short_warning_for_many(self) -> None:
        for number in range(50):
            (self.tree / f'{"n" * 200}{number}').write_text('12')
        warning = self.look(rules=['.* 1'])['warning']
        self.assertTrue(warning.endswith('; and 45 more'), warning)
        self.assertLess(len(warning), 2000)

    def test_nothing_there(self) -> None:
        self.assertEqual(self.look(folder=str(self.base / 'no'), limit=1)['warning'], '')

    def test_a_rule_that_never_ends(self) -> None:
        (self.tree / ('a' * 60)).write_text('12')
        start = time.monotonic()
        result = self.look(rules=['(a+)+$b 1'], timeout=1)
        self.assertEqual(result['problems'], ['not all were looked at in time (limit_log_files_timeout)'])
        self.assertLess(time.monotonic() - start, 20)

    def test_it_refuses(self) -> None:
        with self.assertRaises(module.Refused) as caught:
            self.look(rules=['no-size', '( 1k', 'x 1t', ''], limit=-1, timeout=0)
        said = str(caught.exception)
        self.assertIn('cannot continue, 6 problems:', said)
        for line in ('limit_log_files_file_limit is -1: it must be 0', "file_rules has 'no-size': write a regular",
                     "file_rules has '( 1k': missing ), unterminated subpattern at position 0", "has 'x 1t': write"):
            self.assertIn(line, said)
        with self.assertRaisesRegex(module.Refused, "limit_log_files_log_dir is '.*': Not a directory"):
            (self.tree / 'file').write_text('')
            self.look(folder=str(self.tree / 'file'))
