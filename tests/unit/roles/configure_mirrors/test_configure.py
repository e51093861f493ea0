# SPDX-License-Identifier: Apache-2.0
"""Files in a folder of their own: written, kept, put back."""
from __future__ import annotations

import os
import pwd
import stat
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library, module_utils
from tests.unit.roles.configure_mirrors.test_request import DEBIAN, NOTHING

configure: Any = library('configure-mirrors', 'configure_mirrors')
files: Any = module_utils('configure_mirrors_files')

LINE = 'deb http://deb.debian.org/debian bookworm main\n'
ON_A: dict[str, Any] = {'mirror_fqdn': 'a', 'scheme': 'https', 'pypi_mirror': 'https://a/pypi', 'go_proxy': 'https://a/go'}


class TestConfigure(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.state = self.root / 'state'
        self.list = self.root / 'etc/apt/sources.list'
        self.pip = self.root / 'etc/pip.conf'
        self.go = self.root / 'home/.config/go/env'
        self.list.parent.mkdir(parents=True)
        (self.root / 'home').mkdir()
        self.list.write_text(LINE)
        self.updates: list[Sequence[str]] = []
        self.answer = (0, '', '')
        user = pwd.getpwuid(os.getuid())
        self.user = pwd.struct_passwd((user.pw_name, 'x', user.pw_uid, user.pw_gid, '', str(self.root / 'home'), ''))
        self.replace(configure, 'sources', lambda _: [str(self.list)])
        self.replace(configure, 'is_of_apt', lambda path: path == str(self.list))
        self.replace(configure.tools, 'PIP', str(self.pip))
        # files of the system belong to root, which the one who tests need not be
        self.replace(files.os, 'chown', mock.Mock())
        self.replace(files.os, 'fchown', mock.Mock())

    def replace(self, place: Any, name: str, value: Any) -> None:
        patch = mock.patch.object(place, name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def run_command(self, argv: Sequence[str]) -> tuple[int, str, str]:
        self.updates.append(argv)
        return self.answer

    def call(self, dry: bool = False, **params: Any) -> Any:
        store = files.Store(str(self.state))
        if params.get('restore'):
            return configure.restore(store, self.run_command, dry)
        return configure.configure({**NOTHING, **params}, DEBIAN, self.user, store, self.run_command, dry)

    def test_a_mirror_without_https_is_for_signed_packages_only(self) -> None:
        index = 'http://a/pypi/simple'
        result = self.call(mirror_fqdn='a', scheme='http', pypi_fqdn='a', pypi_mirror=index, uv_index=index)
        self.assertEqual(result['files'], [str(self.list)])
        self.assertIn(f'pip and uv stay as they are: {index} is not https', result['notes'][0])
        result = self.call(mirror_fqdn='a', scheme='http', pypi_fqdn='a', pypi_mirror=index, pypi_trusted=True)
        self.assertEqual((result['files'], result['notes']), ([str(self.pip)], []))

    def test_a_disk_that_fills_up(self) -> None:
        write = files.write

        def full(path: str, text: str, *rest: Any) -> None:
            if path == str(self.go) and text:
                raise OSError(28, 'No space left on device', path)
            write(path, text, *rest)
        self.replace(files, 'write', full)
        with self.assertRaisesRegex(configure.Refused, f'cannot write {self.go}: No space left.*as they were'):
            self.call(**ON_A)
        self.assertEqual(self.list.read_text(), LINE)
        self.assertFalse(self.pip.exists())

    def test_written_once(self) -> None:
        result = self.call(**ON_A)
        self.assertEqual(result['files'], sorted(map(str, (self.list, self.pip, self.go))))
        self.assertEqual(self.list.read_text(), LINE.replace('http://deb.debian.org', 'https://a'))
        self.assertEqual(self.go.read_text(), 'GOPROXY=https://a/go\n')
        self.assertEqual(stat.S_IMODE(self.pip.stat().st_mode), 0o644)
        self.assertEqual(self.call(**ON_A), {'changed': False, 'files': [], 'refreshed': False, 'notes': []})

    def test_another_mirror_starts_from_what_was_there_first(self) -> None:
        self.list.write_text(LINE.replace('deb ', 'deb [trusted=yes] ') + 'deb https://o/apt stable main\n')
        self.call(**ON_A, apt_trusted=True, apt_source=True)
        self.call(archives={'debian': 'http://b/pub/deb'})
        self.assertEqual(self.list.read_text(), 'deb http://b/pub/deb bookworm main\ndeb https://o/apt stable main\n')
        self.call(archives={'debian': 'http://c/deb'})
        self.assertEqual(self.list.read_text(), 'deb http://c/deb bookworm main\ndeb https://o/apt stable main\n')
        self.assertEqual(self.pip.read_text(), '[global]\nindex-url = https://a/pypi\n')   # not asked for, not touched

    def test_what_others_wrote_since_is_kept(self) -> None:
        self.call(**ON_A)
        self.list.write_text(self.list.read_text() + 'deb https://o/apt stable main\n')
        self.call(mirror_fqdn='b')
        self.assertEqual(self.list.read_text(), 'deb https://b/debian bookworm main\ndeb https://o/apt stable main\n')

    def test_lists_are_fetched_when_sources_changed_only(self) -> None:
        for params, count in ((ON_A, 1), (ON_A, 1), ({'pypi_mirror': 'https://b'}, 1)):
            self.call(**params)
            self.assertEqual(len(self.updates), count)

    def test_a_mirror_that_does_not_answer_changes_nothing(self) -> None:
        self.answer = (0, '', 'W: Failed to fetch https://a/debian  Could not connect\nW: Some index files failed')
        with self.assertRaisesRegex(configure.Refused, 'before. apt-get update says:\nW: Failed to fetch'):
            self.call(**ON_A)
        self.assertEqual(self.list.read_text(), LINE)
        self.assertFalse(self.pip.exists())
        self.assertFalse(self.go.exists())

    def test_nothing_is_written_when_one_is_refused(self) -> None:
        with self.assertRaisesRegex(configure.Refused, 'cannot continue, 1 problem:\n  - mirror_fqdn'):
            self.call(mirror_fqdn='a/b', go_proxy='https://a')
        cargo = self.root / 'home/.cargo/config.toml'
        cargo.parent.mkdir()
        cargo.write_text('[source.x]\n')
        with self.assertRaisesRegex(configure.Refused, 'has a source of its own'):
            self.call(**ON_A, cargo_registry='https://a/c')
        self.assertEqual(self.list.read_text(), LINE)
        self.assertFalse(self.state.exists())

    def test_restored(self) -> None:
        self.pip.write_text('[global]\ncert = /c\n')
        self.pip.chmod(0o640)
        self.call(**ON_A)
        self.call(mirror_fqdn='b', pypi_mirror='https://b')
        self.assertTrue(self.call(restore=True, dry=True)['changed'])
        self.assertEqual(len(self.call(restore=True)['files']), 3)
        self.assertEqual((self.list.read_text(), self.pip.read_text()), (LINE, '[global]\ncert = /c\n'))
        self.assertEqual(stat.S_IMODE(self.pip.stat().st_mode), 0o640)
        self.assertFalse(self.go.exists())
        self.assertFalse(self.call(restore=True)['changed'])

    def test_what_others_changed_is_not_restored(self) -> None:
        self.call(**ON_A)
        self.pip.write_text('theirs')
        with self.assertRaisesRegex(configure.Refused, f'{self.pip} was changed by others since'):
            self.call(restore=True)
        self.assertEqual(self.pip.read_text(), 'theirs')
        self.assertNotEqual(self.list.read_text(), LINE)

    def test_check_mode_writes_nothing(self) -> None:
        self.assertTrue(self.call(**ON_A, dry=True)['changed'])
        self.assertEqual(self.list.read_text(), LINE)
        self.assertFalse(self.state.exists())

    def test_a_link_stays_one(self) -> None:
        real = self.root / 'real.conf'
        real.write_text('')
        self.pip.symlink_to(real)
        self.call(**ON_A)
        self.assertTrue(self.pip.is_symlink())
        self.assertIn('https://a/pypi', real.read_text())


class TestPackages(unittest.TestCase):
    def test_repositories_that_are_not_there(self) -> None:
        params = {**NOTHING, 'mirror_fqdn': 'm'}
        with self.assertRaisesRegex(configure.Refused, r'none of the repositories baseos, .*\(it has: other\)'):
            configure.packages(params, 'ID=rocky\n', 'x86_64', {'o.repo': '[other]\n'}, '')
        found = configure.packages(params, 'ID=rocky\n', 'x86_64', {'o.repo': '[baseos]\n'}, '')
        self.assertEqual(found, {'o.repo': '[baseos]\nbaseurl = https://m/rocky/$releasever/BaseOS/$basearch/os/\n'})

    def test_ubuntu_on_arm(self) -> None:
        params = {**NOTHING, 'mirror_fqdn': 'm'}
        found = configure.packages(params, 'ID=ubuntu\nVERSION_CODENAME=noble\n', 'aarch64', {}, '')
        self.assertIn('URIs: https://m/ubuntu-ports\n', found['/etc/apt/sources.list.d/ubuntu.sources'])


class TestComplaint(unittest.TestCase):
    def test_cases(self) -> None:
        for answer, said in (
                ((0, 'Hit:1', ''), ''), ((0, '', 'W: signed by a weak key'), ''),
                ((0, '', 'W: Failed to fetch x'), 'W: Failed to fetch x'),
                ((100, 'Get:1', 'N: hint\nE: not signed'), 'E: not signed'), ((124, 'Get:1', ''), 'Get:1')):
            with self.subTest(answer=answer):
                self.assertEqual(configure.complaint(*answer), said)

    def test_a_lock_is_waited_for(self) -> None:
        answers = [(100, '', 'E: Could not get lock /x'), (100, '', 'E: Could not get lock /x'), (0, '', '')]
        with mock.patch.object(configure.time, 'sleep'):
            self.assertEqual(configure.refresh(lambda argv: answers.pop(0)), '')
        self.assertEqual(answers, [])


if __name__ == '__main__':
    unittest.main()
