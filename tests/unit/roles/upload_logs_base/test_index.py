# SPDX-License-Identifier: Apache-2.0
"""The page of a folder."""
from __future__ import annotations

import unittest
from typing import Any

from tests.unit.roles import module_utils

module: Any = module_utils('upload_logs_index')
tree: Any = module_utils('upload_logs_tree')


def page(path: str, *entries: tuple[str, bool]) -> str:
    text: str = module.page(tree.Folder(path, [tree.Entry(name, is_folder, 2048, 0) for name, is_folder in entries],
                                        [], 0)).decode()
    return text


class TestPage(unittest.TestCase):
    def test_names_do_nothing(self) -> None:
        text = page('<i>/', ('"><script>alert(1)</script>', False), ('javascript:x', False), ('a b#?%', True))
        self.assertNotIn('<script', text)
        self.assertNotIn('<i>', text)
        self.assertIn('href="./%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E"', text)
        self.assertIn('href="./javascript%3Ax"', text)
        self.assertIn('href="./a%20b%23%3F%25/index.html"', text)

    def test_folders_first_and_the_way_up(self) -> None:
        text = page('deep/', ('a', False), ('z', True))
        self.assertLess(text.index('>z/<'), text.index('>a<'))
        self.assertIn('href="../index.html"', text)
        self.assertIn('<td>2.0 KiB</td><td>1970-01-01 00:00:00</td>', text)
        self.assertNotIn('../', page(''))

    def test_too_many(self) -> None:
        text = page('', *((str(number), False) for number in range(module.MOST + 7)))
        self.assertEqual(text.count('<tr><td>'), module.MOST)
        self.assertIn('7 more are not listed', text)

    def test_sizes(self) -> None:
        for number, expected in ((0, '0 B'), (1023, '1023 B'), (1536, '1.5 KiB'), (3 << 20, '3.0 MiB'),
                                 (1 << 40, '1024.0 GiB')):
            self.assertEqual(module.size(number), expected)

    def test_odd_times(self) -> None:
        for seconds in (-5e9, 1e18):
            module.page(tree.Folder('', [tree.Entry('a', False, 1, seconds)], [], 0))
