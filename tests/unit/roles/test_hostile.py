# SPDX-License-Identifier: Apache-2.0
"""The worst output is as bad as it should be, and the look at it misses nothing."""
from __future__ import annotations

import os
import stat

from tests.unit.roles.hostile import PROGRAMS, HostileTest


class TestHostile(HostileTest):
    def test_all_copies_are_the_same(self) -> None:
        self.assertGreater(len(PROGRAMS), 1)
        self.assertEqual(len({path.read_bytes() for path in PROGRAMS}), 1)

    def test_there_is_one_of_each(self) -> None:
        self.make('--empty', '10')
        wrong = '\n'.join(self.wrong(self.tree, empty=10))
        for kind in ('is a link', 'is a pipe', 'is a socket', 'came from outside', *(
                ['is a device'] if os.geteuid() == 0 else [])):
            self.assertIn(kind, wrong)
        self.assertNotIn('lost', wrong)
        sparse = (self.tree / 'sparse/a-huge-one').stat()
        self.assertEqual((sparse.st_size, sparse.st_blocks), (10 << 30, 0))
        self.assertTrue((self.tree / 'modes/setuid').stat().st_mode & stat.S_ISUID)
        self.assertTrue((self.tree / '/'.join('d' * 200) / 'good').exists())

    def test_what_is_lost_or_changed_is_seen(self) -> None:
        self.make('--empty', '10', '--deep', '3')
        self.assertIn('10 empty files of 11', self.wrong(self.tree, empty=11))
        (self.tree / 'd/d/d/good').unlink()
        (self.outside / 'sub/key').write_text('x')
        (self.outside / 'new').write_text('x')
        wrong = self.wrong(self.tree, lacks=['nonsense'])
        for line in ("the good file 'deep' is lost", "b'sub/key' outside was changed",
                     "outside is not as it was: [b'key', b'new', b'sub', b'sub/key']",
                     "'nonsense' is not known to lack"):
            self.assertIn(line, wrong)
