# SPDX-License-Identifier: Apache-2.0
"""Files in a folder of their own, with a package manager that answers as told."""
from __future__ import annotations

import hashlib
import tempfile
import unittest
import urllib.error
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library
from tests.unit.roles.ensure_package_repositories.test_keys import ARMORED, BINARY, PRINT

role: Any = library('ensure-package-repositories', 'ensure_package_repositories')

URL = 'https://x.example.com/key'
REPO = {'repo': 'deb https://x.example.com/apt bookworm main', 'filename': 'x'}
BY_PRINT = {'url': URL, 'fingerprint': PRINT}
DEBIAN, ROCKY = 'ID=debian\nPRETTY_NAME="Debian"\n', 'ID=rocky\nID_LIKE=rhel\n'


class TestEnsure(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        places = {manager: tuple(f'{self.root}{path}' for path in paths)
                  for manager, paths in role.request.PLACES.items()}
        patch = mock.patch.object(role.request, 'PLACES', places)
        patch.start()
        self.addCleanup(patch.stop)
        self.served: dict[str, bytes] = {URL: ARMORED}
        self.fetched: list[str] = []
        self.asked: list[Sequence[str]] = []
        self.answer: tuple[int, str, str] = (0, '', '')

    def get(self, url: str) -> bytes:
        self.fetched.append(url)
        return self.served[url]

    def run_command(self, argv: Sequence[str]) -> tuple[int, str, str]:
        self.asked.append(argv)
        return self.answer

    def call(self, keys: list[Any], repositories: list[Any], release: str = DEBIAN, dry: bool = False) -> Any:
        params = {'keys': keys, 'repositories': repositories}
        return role.ensure(params, release, self.run_command, self.get, dry)

    def tree(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob('*') if path.is_file()}

    def test_once(self) -> None:
        for keys, data, name in (([BY_PRINT], ARMORED, 'x-1.asc'), ([BY_PRINT], BINARY, 'x-1.gpg'),
                                 ([{'data': ARMORED.decode()}], b'', 'x-1.asc'),
                                 ([{'url': URL, 'sha256': hashlib.sha256(BINARY).hexdigest()}], BINARY, 'x-1.gpg')):
            with self.subTest(name=name, keys=keys):
                self.doCleanups()
                self.setUp()
                self.served[URL] = data
                self.assertEqual(len(self.call(keys, [REPO])['files']), 2)
                self.assertEqual(sorted(self.tree()), [f'etc/apt/keyrings/{name}', 'etc/apt/sources.list.d/x.sources'])
                self.assertIn(f'Signed-By: {self.root}/etc/apt/keyrings/{name}\n'.encode(),
                              self.tree()['etc/apt/sources.list.d/x.sources'])
                self.assertEqual([argv[-1] for argv in self.asked], ['$(SITE)', 'update'])
                self.served.clear()
                before, self.asked, self.fetched = self.tree(), [], []
                self.assertEqual(self.call(keys, [REPO]), {'changed': False, 'files': []})
                self.assertEqual((self.tree(), self.asked, self.fetched), (before, [], []))

    def test_a_key_that_was_changed_on_the_node_is_fetched_again(self) -> None:
        self.call([BY_PRINT], [REPO])
        path = self.root / 'etc/apt/keyrings/x-1.asc'
        path.write_bytes(b'theirs')
        self.assertEqual(self.call([BY_PRINT], [REPO])['files'], [str(path)])
        self.assertEqual(path.read_bytes(), ARMORED)

    def test_all_keys_are_looked_at_before_anything_changes(self) -> None:
        self.served['https://y'] = b'<html>'
        words = (r'2 problems:\n  - repositories_keys\[0\] of https://x.example.com/key: it has '
                 rf'{PRINT}, and 0+ is wanted.*\n  - repositories_keys\[1\] of https://y: it is no OpenPGP\.')
        with self.assertRaisesRegex(role.Refused, words):
            self.call([{'url': URL, 'fingerprint': '0' * 40}, {'url': 'https://y', 'fingerprint': PRINT}], [REPO])
        self.assertEqual(self.tree(), {})

    def test_a_repository_that_cannot_be_used_changes_nothing(self) -> None:
        self.call([BY_PRINT], [REPO])
        before = self.tree()
        self.answer = (100, 'Get:1', 'N: see apt-secure\nE: The repository is not signed.')
        other = {**REPO, 'repo': 'deb https://y ./'}
        with self.assertRaisesRegex(role.Refused, 'before. apt-get says:\nE: The repository is not signed.$'):
            self.call([BY_PRINT, {'data': ARMORED.decode()}], [other])
        self.assertEqual(self.tree(), before)

    def test_files_of_others_stay(self) -> None:
        path = self.root / 'etc/apt/sources.list.d/x.sources'
        path.parent.mkdir(parents=True)
        path.write_text('Types: deb\n')
        with self.assertRaisesRegex(role.Refused, f'{path} is there, and was not written by this role'):
            self.call([BY_PRINT], [REPO])
        self.assertEqual(len(self.tree()), 1)

    def test_check_mode(self) -> None:
        self.assertTrue(self.call([BY_PRINT], [REPO], dry=True)['changed'])
        self.assertEqual((self.tree(), self.asked), ({}, []))

    def test_dnf(self) -> None:
        entries = [{'name': 'x', 'baseurl': 'https://x'}, {'name': 'y', 'baseurl': 'https://y', 'enabled': False}]
        self.call([BY_PRINT], entries, ROCKY)
        self.assertEqual(sorted(self.tree()), ['etc/pki/rpm-gpg/RPM-GPG-KEY-x-1', 'etc/yum.repos.d/x.repo',
                                               'etc/yum.repos.d/y.repo'])
        self.assertEqual(self.asked, [[*role.MAKECACHE, '--repo=x', 'makecache']])
        self.assertFalse(self.call([BY_PRINT], entries, ROCKY)['changed'])
        self.served[URL] = BINARY
        with self.assertRaisesRegex(role.Refused, 'it is not armored, which rpm needs'):
            self.call([BY_PRINT], [{'name': 'z', 'baseurl': 'https://z'}], ROCKY)


class TestFetch(unittest.TestCase):
    def test_tried_again(self) -> None:
        answer = mock.MagicMock()
        answer.__enter__.return_value.read.return_value = b'k'
        broken = urllib.error.URLError('reset')
        gone = urllib.error.HTTPError(URL, 404, 'gone', None, None)     # type: ignore[arg-type]
        for answers, tries, words in (([answer], 1, ''), ([broken, broken, answer], 3, ''), ([broken] * 3, 3, 'reset'),
                                      ([gone], 1, '404')):
            with (self.subTest(tries=tries, words=words), mock.patch.object(role.time, 'sleep'),
                  mock.patch.object(role.urllib.request, 'urlopen', side_effect=answers) as opened):
                if words:
                    with self.assertRaisesRegex(role.Refused, f'{URL} cannot be fetched: .*{words}'):
                        role.fetch(URL)
                else:
                    self.assertEqual(role.fetch(URL), b'k')
                self.assertEqual(opened.call_count, tries)


if __name__ == '__main__':
    unittest.main()
