# SPDX-License-Identifier: Apache-2.0
"""What bindep itself makes of such lists is compared by a self-test on nodes, which have one."""
from __future__ import annotations

import unittest

from tests.unit.roles import module_utils

bindep_list = module_utils('bindep_list')
DEBIAN = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
UBUNTU = 'ID=ubuntu\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\n'


class TestPlatforms(unittest.TestCase):
    def test_profiles(self) -> None:
        for release, expected in (
                (DEBIAN, {'dpkg', 'base-py3', 'debian', 'debian-bookworm', 'debian-12'}),
                (UBUNTU, {'dpkg', 'base-py3', 'ubuntu', 'ubuntu-jammy', 'ubuntu-22', 'ubuntu-22.04'}),
                ('ID=debian\nVERSION_ID="9"\nVERSION_CODENAME=stretch\n', set()),
                ('ID=debian\nVERSION_CODENAME=forky\n', set()),
                ('ID=fedora\nVERSION_ID=42\n', set()), ('', set())):
            with self.subTest(release=release):
                self.assertEqual(bindep_list.profiles_of(release), {f'platform:{atom}' for atom in expected})


class TestLists(unittest.TestCase):
    def test_lists(self) -> None:
        for text, profiles, expected in (
                ('', [], []), ('\n  \n# remark\n  # another\n', [], []), ('bash', [], ['bash']),
                ('b1\na1\nb1\n', [], ['a1', 'b1']), ('gcc# compiler', [], ['gcc']), ('g++  # compiler', [], ['g++']),
                ('a1 [test]', ['test'], ['a1']), ('a1 [test]', ['other'], []), ('a1 [test]', [], []),
                ('a1 [default]', [], ['a1']), ('a1 [default]', ['test'], []),
                ('a1 [!test]', ['test'], []), ('a1 [!test]', ['other'], ['a1']),
                ('a1 [platform:dpkg]', ['test'], ['a1']), ('a1 [platform:rpm]', ['test'], []),
                ('a1 [platform:dpkg test]', ['test'], ['a1']), ('a1 [platform:dpkg test]', ['other'], []),
                ('a1 [platform:rpm test]', ['test'], []), ('a1 [!platform:dpkg]', [], []),
                ('a1 [platform:debian !platform:debian-bookworm]', [], []),
                ('a1 [(test one)]', ['test'], []), ('a1 [(test one)]', ['test', 'one'], ['a1']),
                ('a1 [(test !one)]', ['test'], ['a1']), ('a1 [(test !one) two]', ['two'], ['a1']),
                ('a1 [( platform:dpkg test )]', ['test'], ['a1']), ('a1 [(platform:rpm test)]', ['test'], []),
                ('a1 [ test ]', ['test'], ['a1']), ('a1 []', [], ['a1'])):
            with self.subTest(text=text, profiles=profiles):
                self.assertEqual(bindep_list.wanted(text, profiles, DEBIAN), expected)

    def test_all_else_is_left_to_bindep(self) -> None:
        for text in ('bash >=5', 'bash [test] >=5,<6', 'a', 'bash ', 'bash\t', 'bash [[[', 'bash [Test]', ' bash',
                     'a b', 'bash\r\n', '# x\rbash\n', 'bash[test]', 'bash [te_st]', 'bäsh', '-bash', 'bash [(a (b))]'):
            with self.subTest(text=text):
                self.assertIsNone(bindep_list.wanted(text, [], DEBIAN))
        self.assertIsNone(bindep_list.wanted('bash', [], 'ID=fedora\nVERSION_ID=42\n'))

    def test_installed(self) -> None:
        lines = 'bash\tinstalled\t\nx\tconfig-files\ty\nmawk\tinstalled\tawk, w (= 1)\n'
        self.assertEqual(bindep_list.installed(lines), {'bash', 'mawk', 'awk', 'w'})


if __name__ == '__main__':
    unittest.main()
