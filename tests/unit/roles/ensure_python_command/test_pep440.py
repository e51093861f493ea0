# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import unittest

from tests.unit.roles import module_utils

pep440 = module_utils('ensure_python_command_pep440')


class TestVersions(unittest.TestCase):
    def test_order_is_that_of_the_standard(self) -> None:
        ordered = ['1.0.dev456', '1.0a1', '1.0a2.dev456', '1.0a12.dev456', '1.0a12', '1.0b1.dev456', '1.0b2',
                   '1.0b2.post345.dev456', '1.0b2.post345', '1.0rc1.dev456', '1.0rc1', '1.0', '1.0+abc.5', '1.0+abc.7',
                   '1.0+5', '1.0.post456.dev34', '1.0.post456', '1.0.15', '1.1.dev1', '1!0.1']
        keys = [pep440.version(text).key() for text in ordered]
        for earlier, later, a, b in zip(ordered, ordered[1:], keys, keys[1:], strict=False):
            with self.subTest(earlier=earlier, later=later):
                self.assertLess(a, b)

    def test_spellings_of_one_version(self) -> None:
        for one, other in (('1.0', '1'), ('v1.0', '1.0'), ('1.0RC1', '1.0c1'), ('1.0-alpha.1', '1.0a1'),
                           ('1.0-1', '1.0.post1'), ('1.0.rev2', '1.0.post2'), ('1.0dev', '1.0.dev0'), (' 2.0 ',
                                                                                                       '2.0.0'),
                           ('1.0_preview3', '1.0rc3')):
            with self.subTest(one=one):
                self.assertEqual(pep440.version(one).key(), pep440.version(other).key())

    def test_what_is_no_version(self) -> None:
        for text in ('', 'latest', '4.x', '1.0;', '1..0', '1.0+', '1.0 2.0', '-1', '1.0+a b'):
            with self.subTest(text=text), self.assertRaises(pep440.InvalidVersion):
                pep440.version(text)


class TestSpecifiers(unittest.TestCase):
    def test_matches(self) -> None:
        for version, request, expected in (
                ('4.30.1', '', True),
                ('4.30.1', '  ', True),
                ('4.30.1', '<5', True),
                ('4.30.1', '>=4,<5', True),
                ('4.30.1', ' >= 4 , < 4.30 ', False),
                ('4.30.1', '==4.30.1', True),
                ('4.30', '==4.30.0', True),
                ('4.30.1', '==4.30.*', True),
                ('4.3', '==4.30.*', False),
                ('4.30.1', '!=4.30.*', False),
                ('4.30.1', '!=4.30', True),
                ('4.30.1', '~=4.2', True),
                ('5.0', '~=4.2', False),
                ('4.3.0', '~=4.2.1', False),
                ('4.2.9', '~=4.2.1', True),
                ('4', '~=4.0', True),
                ('5.0rc1', '<5', False),
                ('5.0rc1', '<5.0rc2', True),
                ('5.0rc1', '<=5', True),
                ('5.0.post1', '>5', False),
                ('5.0.post2', '>5.0.post1', True),
                ('5.1', '>5', True),
                ('5.0.dev1', '>=5', False),
                ('1.0+local', '==1.0', True),
                ('1.0', '==1.0+local', False),
                ('1.0+local', '==1.0+local', True),
                ('1.0+local', '<=1.0', True),
                ('1.0+local', '>1.0', False),
                ('1!1.0', '>2', True),
                ('1.0', '===1.0', True),
                ('1.0', '===1.0.0', False),
                ('odd', '===odd', False),
                ('odd', '', True),
                ('odd', '>=0', False)):
            with self.subTest(version=version, request=request):
                self.assertEqual(pep440.satisfies(version, request), expected)

    def test_refusals(self) -> None:
        for text in ('4.x; rm -rf ~', 'latest', '4.30.1', '<', '<5,', '=5', '>=4 <5', '~=4', '>=4.*', '==4.x',
                     '<5 $(id)',
                     '==1.*.2', '==1.0a1.*', '>=1.0+local', '<5\n--index-url=http://x', '--pre'):
            with self.subTest(text=text), self.assertRaises(pep440.InvalidSpecifier):
                pep440.specifiers(text)


class TestMarkers(unittest.TestCase):
    HERE = {'python_full_version': '3.9.2', 'python_version': '3.9', 'sys_platform': 'linux', 'os_name': 'posix',
            'platform_python_implementation': 'CPython', 'platform_machine': 'x86_64', 'extra': ''}

    def test_decisions(self) -> None:
        for marker, expected in (
                ('', True),
                ("python_full_version < '3.9'", False),
                ("python_full_version == '3.9.*'", True),
                ("python_full_version >= '3.9' and python_full_version < '3.13'", True),
                ("python_version < '3.10'", True),
                ("sys_platform == 'win32' or python_version >= '3.9'", True),
                ("sys_platform == 'win32' and python_version >= '3.9' or os_name == 'posix'", True),
                ("sys_platform == 'win32' and (python_version >= '3.9' or os_name == 'posix')", False),
                ('"linux" in sys_platform', True),
                ("platform_machine not in 'arm64 aarch64'", True),
                ("platform_python_implementation != 'PyPy'", True)):
            with self.subTest(marker=marker):
                self.assertEqual(pep440.applies(marker, self.HERE), expected)

    def test_refusals(self) -> None:
        for marker in ('python_version', 'python_version <', "nonsense == '1'", "(python_version < '3.9'", 'a b',
                       "os_name == 'posix' os_name", "os_name ~= 'posix'", '__import__'):
            with self.subTest(marker=marker), self.assertRaises(pep440.InvalidMarker):
                pep440.applies(marker, self.HERE)

    def test_this_interpreter_is_described(self) -> None:
        self.assertTrue(pep440.applies("python_version >= '3.8' and sys_platform == 'linux'",
                                       pep440.marker_environment()))


if __name__ == '__main__':
    unittest.main()
