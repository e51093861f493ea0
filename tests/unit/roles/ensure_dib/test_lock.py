# SPDX-License-Identifier: Apache-2.0
"""Images that jobs build and those that are built by hand come from one diskimage-builder."""
from __future__ import annotations

import re
import unittest

from zuul_local import paths

OURS = paths.LIBRARY / 'roles/ensure-dib/files/diskimage-builder.txt'
BY_HAND = paths.LIBRARY / 'requirements/dib.txt'


class TestLock(unittest.TestCase):
    def test_everything_has_hashes(self) -> None:
        blocks = re.split(r'\n(?=\S)', OURS.read_text().strip())
        pins = [block for block in blocks if not block.startswith('#')]
        self.assertGreater(len(pins), 10)
        for block in pins:
            with self.subTest(block.partition(' ')[0]):
                self.assertRegex(block, r'(?s)^[a-z0-9-]+==.*--hash=sha256:[0-9a-f]{64}')

    @unittest.skipUnless(BY_HAND.exists(), 'nothing builds images by hand here')
    def test_both_locks_have_the_same_version(self) -> None:
        versions = {re.findall(r'^diskimage-builder==(\S+)', path.read_text(), re.M)[0] for path in (OURS, BY_HAND)}
        self.assertEqual(1, len(versions), versions)
