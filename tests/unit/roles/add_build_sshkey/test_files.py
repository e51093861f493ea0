# SPDX-License-Identifier: Apache-2.0
"""The node's half: files in ~/.ssh."""
from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library
from tests.unit.roles.add_build_sshkey import line, material

files: Any = library('add-build-sshkey', 'add_build_sshkey_files')

MARK = 'zuul-build-sshkey-1'
KEY = line('build', MARK)
OTHER = line('other', 'somebody else')


class TestMaterial(unittest.TestCase):
    def test_cases(self) -> None:
        for text, found in ((KEY, material('build')), (f'no-pty,command="a b" {KEY}', material('build')), ('', ''),
                            ('ssh-rsa ' + material('build'), ''), ('ssh-ed25519 AAAA', ''), ('ssh-ed25519', ''),
                            ('-----BEGIN OPENSSH PRIVATE KEY-----', ''), ('ssh-ed25519 not!base64', '')):
            with self.subTest(text):
                self.assertEqual(files.material(text), found)


class TestKeysIn(unittest.TestCase):
    def test_allowed(self) -> None:
        self.assertEqual(files.keys_in([f'{KEY}\n\n# x\n {OTHER} \n', {'public_key': KEY}]), [KEY, OTHER, KEY])

    def test_refused(self) -> None:
        for entry, said in (
                ({'public_key': 'ssh-rsa x'}, 'entry 1 of the keys is no public key'),
                ('', 'entry 1 of the keys is no public key'),
                ({'key': KEY}, 'entry 1 of the keys has no public_key'), (7, 'entry 1 of the keys is no public key'),
                (f'{KEY}\nnonsense', 'entry 1 of the keys is no public key'),
                ('-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET\n', 'entry 1 of the keys holds a private key')):
            with self.subTest(entry=entry), self.assertRaisesRegex(files.Refused, re.escape(said)) as caught:
                files.keys_in([entry])
            self.assertNotIn('SECRET', str(caught.exception))

    def test_all_at_once(self) -> None:
        with self.assertRaisesRegex(files.Refused, '2 problems'):
            files.keys_in(['x', KEY, 'y'])


class TestLines(unittest.TestCase):
    def test_with(self) -> None:
        for before, after in (
                ('', f'{KEY}\n'), (f'{OTHER}\n', f'{OTHER}\n{KEY}\n'), (OTHER, f'{OTHER}\n{KEY}\n'),
                (f'{KEY}\n', f'{KEY}\n'), (f'no-pty {KEY}\n', f'no-pty {KEY}\n'),
                (line('build', 'other comment'), line('build', 'other comment')),
                (f'#{KEY}\n', f'#{KEY}\n{KEY}\n'), (f'{KEY}\r\n', f'{KEY}\r\n'),
                (f'ssh-ed25519 {material("builds")} x\n', f'ssh-ed25519 {material("builds")} x\n{KEY}\n')):
            with self.subTest(before=before):
                self.assertEqual(files.with_lines(before, [KEY, KEY]), after)

    def test_with_options(self) -> None:
        restricted, other = f'from="192.0.2.1",no-pty {KEY}', f'command="a b" {KEY}'
        for before, after in (
                ('', f'{restricted}\n'), (f'{KEY}\n{OTHER}', f'{restricted}\n{OTHER}'),
                (f'{other}\n{OTHER}\n{KEY}\n', f'{restricted}\n{OTHER}\n'), (f'{KEY}\n{KEY}\n', f'{restricted}\n'),
                (f'{restricted} x\n', f'{restricted} x\n'), (f'# {KEY}\n', f'# {KEY}\n{restricted}\n')):
            with self.subTest(before=before):
                self.assertEqual(files.with_lines(before, [restricted]), after)

    def test_without(self) -> None:
        renamed = line('build', 'renamed')
        text = f'# {KEY}\n{OTHER}\n{KEY}\n{renamed}\nrubbish {MARK}\n{line("older", MARK)}'
        left = f'# {KEY}\n{OTHER}\n'
        for public_key, mark, after in (
                (KEY, MARK, f'{left}rubbish {MARK}\n'), ('', MARK, f'{left}{renamed}\nrubbish {MARK}\n'),
                ('', '', text), (KEY, '', f'{left}rubbish {MARK}\n{line("older", MARK)}')):
            with self.subTest(public_key=public_key, mark=mark):
                self.assertEqual(files.without_lines(text, public_key, mark), after)


class TestFolder(unittest.TestCase):
    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.home)
        self.folder = self.home / '.ssh'
        key = self.home / 'key'
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', MARK, '-f', str(key)], check=True)
        self.private, self.public = key.read_text(), key.with_suffix('.pub').read_text().strip()

    def install(self, dry: bool = False, keys: list[str] | None = None, name: str = 'id_rsa') -> list[str]:
        folder = files.Folder(str(self.home), dry)
        files.install(folder, name, self.private, self.public if name else '', keys or [])
        return [Path(path).name for path in folder.changed]

    def uninstall(self, public_key: str = '', mark: str = MARK, dry: bool = False) -> list[str]:
        folder = files.Folder(str(self.home), dry)
        files.uninstall(folder, 'id_rsa', public_key, mark)
        return [Path(path).name for path in folder.changed]

    def test_from_nothing_and_once(self) -> None:
        self.assertEqual(self.install(), ['.ssh', 'id_rsa', 'id_rsa.pub', 'authorized_keys'])
        self.assertEqual(self.install(), [])
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        modes = {path.name: path.stat().st_mode & 0o777 for path in self.folder.iterdir()}
        self.assertEqual(modes, {'id_rsa': 0o600, 'id_rsa.pub': 0o644, 'authorized_keys': 0o600})

    def test_only_looking(self) -> None:
        self.assertEqual(len(self.install(dry=True)), 4)
        self.assertFalse(self.folder.exists())
        self.install()
        self.assertEqual(len(self.uninstall(dry=True)), 3)
        self.assertEqual(self.install(), [])

    def test_other_keys_and_modes_stay(self) -> None:
        self.folder.mkdir()
        authorized = self.folder / 'authorized_keys'
        authorized.write_bytes(b'ssh-rsa B caf\xe9\r\n# x')
        authorized.chmod(0o640)
        self.install()
        self.assertEqual(authorized.read_bytes(), b'ssh-rsa B caf\xe9\r\n# x\n' + self.public.encode() + b'\n')
        self.assertEqual(authorized.stat().st_mode & 0o777, 0o640)
        authorized.chmod(0o666)
        self.assertEqual(self.install(), ['authorized_keys'])
        self.assertEqual(authorized.stat().st_mode & 0o777, 0o644)

    def test_only_letting_in(self) -> None:
        self.assertEqual(self.install(keys=[OTHER], name=''), ['.ssh', 'authorized_keys'])
        self.assertEqual((self.folder / 'authorized_keys').read_text(), f'{OTHER}\n')

    def test_a_stale_key_and_a_loose_mode_are_set_right(self) -> None:
        self.install()
        (self.folder / 'id_rsa').write_text('stale')
        (self.folder / 'id_rsa.pub').chmod(0o666)
        self.assertEqual(self.install(), ['id_rsa', 'id_rsa.pub'])

    def test_no_link_is_followed(self) -> None:
        outside = self.home / 'outside'
        outside.write_text('untouched')
        self.folder.mkdir()
        for name in ('authorized_keys', 'id_rsa', 'id_rsa.pub'):
            (self.folder / name).symlink_to(outside)
            with self.subTest(name):
                for call in (self.install, self.uninstall) if name == 'authorized_keys' else (self.install,):
                    with self.assertRaisesRegex(files.Refused, f'{name}. is a link'):
                        call()
            (self.folder / name).unlink()
        shutil.rmtree(self.folder)
        (self.home / 'elsewhere').mkdir()
        self.folder.symlink_to(self.home / 'elsewhere')
        with self.assertRaisesRegex(files.Refused, 'is a link or no folder'):
            self.install()
        self.assertEqual(list((self.home / 'elsewhere').iterdir()), [])
        self.assertEqual(outside.read_text(), 'untouched')

    def test_a_link_to_a_key_of_the_job_stays_and_fails_nothing(self) -> None:
        self.install(name='id_rsa')
        own = self.folder / 'id_own'
        own.write_text('own')
        for name in ('id_rsa', 'id_rsa.pub'):
            (self.folder / name).unlink()
            (self.folder / name).symlink_to('id_own')
        self.assertEqual(self.uninstall(self.public), ['authorized_keys'])
        self.assertEqual(own.read_text(), 'own')
        self.assertTrue((self.folder / 'id_rsa').is_symlink())

    def test_a_pipe_blocks_nobody(self) -> None:
        self.folder.mkdir()
        os.mkfifo(self.folder / 'authorized_keys')
        with self.assertRaisesRegex(files.Refused, 'is no regular file'):
            self.install()

    def test_nothing_of_the_build_is_left(self) -> None:
        self.install(keys=[OTHER])
        (self.folder / '.zuul-stdlib-0011').write_text('half written')
        self.assertEqual(self.uninstall(), ['authorized_keys', 'id_rsa', 'id_rsa.pub', '.zuul-stdlib-0011'])
        self.assertEqual([path.name for path in self.folder.iterdir()], ['authorized_keys'])
        self.assertEqual((self.folder / 'authorized_keys').read_text(), f'{OTHER}\n')
        self.assertEqual(self.uninstall(), [])

    def test_by_what_is_known_alone(self) -> None:
        for public_key, mark in ((self.public, ''), ('', MARK)):
            with self.subTest(mark=mark):
                self.install()
                self.assertEqual(len(self.uninstall(public_key, mark)), 3)

    def test_half_of_it(self) -> None:
        for name in ('id_rsa', 'id_rsa.pub'):
            with self.subTest(name):
                self.install()
                (self.folder / name).unlink()
                self.uninstall()
                self.assertEqual([path.name for path in self.folder.iterdir()], ['authorized_keys'])

    def test_a_key_that_is_not_the_builds_stays(self) -> None:
        self.install()
        self.assertEqual(self.uninstall(OTHER, 'zuul-build-sshkey-2'), [])
        self.assertEqual((self.folder / 'id_rsa').read_text(), self.private)

    def test_nothing_there(self) -> None:
        self.assertEqual(self.uninstall(), [])
        self.assertFalse(self.folder.exists())


class TestActingAs(unittest.TestCase):
    def test_nobody_by_that_name(self) -> None:
        with self.assertRaisesRegex(files.Refused, "there is no user 'no-such-user'"), files.acting_as('no-such-user'):
            pass

    def test_oneself(self) -> None:
        with files.acting_as('') as home:
            self.assertEqual(home, pwd.getpwuid(os.geteuid()).pw_dir)

    @unittest.skipIf(os.geteuid() != 0, 'only root can act as another')
    def test_another(self) -> None:
        before = os.geteuid(), os.getegid(), os.getgroups()
        with files.acting_as('nobody') as home:
            entry = pwd.getpwnam('nobody')
            self.assertEqual((os.geteuid(), os.getegid(), home), (entry.pw_uid, entry.pw_gid, entry.pw_dir))
            with self.assertRaises(PermissionError):
                os.listdir('/root')
        self.assertEqual((os.geteuid(), os.getegid(), os.getgroups()), before)
