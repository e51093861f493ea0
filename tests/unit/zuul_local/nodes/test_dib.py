"""How diskimage-builder is called."""

import dataclasses
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.unit.zuul_local.nodes.test_image import SECRET
from zuul_local.errors import UserError
from zuul_local.nodes import dib
from zuul_local.nodes.labels import load_labels
from zuul_local.nodes.site import Site

LABELS = load_labels()
TRIXIE, NOBLE, STANDIN = (LABELS[name] for name in ('debian-trixie', 'ubuntu-noble', 'rpm-standin'))
FOLDERS = dib.Folders(Path('/w/site'), Path('/w/facts.json'), Path('/w/tmp'), Path('/cache'))


class Command(unittest.TestCase):
    def test_a_disk_boots_and_a_tar_has_nothing_to_boot_with(self) -> None:
        for form, expected in (('tar', ('debian-minimal', 'ci-node')), ('qcow2', ('debian-minimal', 'vm', 'ci-node')),
                               ('raw', ('debian-minimal', 'vm', 'ci-node'))):
            with self.subTest(form):
                argv = dib.argv(Path('/venv'), TRIXIE, form, Path('/out/image'), Path('/log'), 'aarch64')
                self.assertEqual(expected, argv[-len(expected):])
                self.assertEqual(('/venv/bin/disk-image-create', '-a', 'arm64', '-n'), argv[:4])
                self.assertEqual('node' if form == 'tar' else 'node vm',
                                 dib.environ(TRIXIE, form, Site(), FOLDERS, '/bin')['CI_NODE_PROFILES'])

    def test_the_chroot_sees_nothing_of_our_environment(self) -> None:
        os.environ['PIP_FIND_LINKS'] = '/opt/wheels'
        self.addCleanup(os.environ.pop, 'PIP_FIND_LINKS')
        names = set(dib.environ(TRIXIE, 'tar', Site(), FOLDERS, '/bin'))
        self.assertEqual(set(), {name for name in names if name.startswith(('PIP_', 'UV_', 'SSL_'))})
        self.assertIn('http_proxy', dib.environ(TRIXIE, 'tar', SECRET, FOLDERS, '/bin'))

    def test_the_mirror_of_debian_is_for_debian(self) -> None:
        self.assertEqual('http://u:secret@m/debian',
                         dib.environ(TRIXIE, 'tar', SECRET, FOLDERS, '/bin')['DIB_DISTRIBUTION_MIRROR'])
        found = dib.environ(NOBLE, 'tar', SECRET, FOLDERS, '/bin')
        self.assertNotIn('DIB_DISTRIBUTION_MIRROR', found)
        self.assertEqual('noble', found['DIB_RELEASE'])

    def test_the_site_is_for_the_build_and_the_sources_that_stay_are_debians(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            dib.write_site(Path(name), TRIXIE, SECRET)
            self.assertIn(f'cert = {dib.SITE}/ca.crt', (Path(name) / 'pip.conf').read_text())
            self.assertIn('u:secret@m', (Path(name) / 'sources.list.d/debian.sources').read_text())
            self.assertNotIn('secret', (Path(name) / 'kept.sources').read_text())
        with tempfile.TemporaryDirectory() as name:
            dib.write_site(Path(name), NOBLE, Site())
            self.assertEqual([], os.listdir(name))

    def test_the_name_follows_all_that_goes_in(self) -> None:
        other = dataclasses.replace(TRIXIE, element_release='forky')
        digests = [dib.digest(label, form) for label in (TRIXIE, other, NOBLE) for form in dib.FORMATS]
        self.assertEqual(len(digests), len(set(digests)))
        self.assertEqual(digests[0], dib.digest(TRIXIE, 'tar'))
        self.assertNotEqual(digests[0], dib.digest(TRIXIE, 'tar', {'packages.txt': Path(__file__)}))


class LoopDevices(unittest.TestCase):
    def test_those_of_the_folder(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            for device, file in (('loop0', '/w/tmp/disk'), ('loop1', '/w/tmp/disk (deleted)'), ('loop2', '/w2/disk')):
                Path(name, device, 'loop').mkdir(parents=True)
                Path(name, device, 'loop/backing_file').write_text(f'{file}\n')
            self.assertEqual(['/dev/loop0', '/dev/loop1'], dib.loops(Path('/w'), Path(name)))


class Lists(unittest.TestCase):
    def test_the_build_is_told_of_them(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name, 'packages.txt')
            path.write_text('libxml2-dev\n')
            self.assertEqual({'packages.txt': path}, dib.of_site(Path(name)))
            folders = dataclasses.replace(FOLDERS, lists=Path(name))
            self.assertEqual(name, dib.environ(TRIXIE, 'tar', Site(), folders, '/bin')['CI_NODE_LISTS'])
        self.assertEqual({}, dib.of_site(None))
        self.assertNotIn('CI_NODE_LISTS', dib.environ(TRIXIE, 'tar', Site(), FOLDERS, '/bin'))

    def test_what_is_no_folder_of_lists(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            for make, says in ((lambda: None, 'nothing'), (Path(name, 'package.txt').touch, 'package.txt')):
                make()
                with self.subTest(says), self.assertRaisesRegex(UserError, f'not a folder of lists: {says}[.]'):
                    dib.of_site(Path(name))
            with self.assertRaisesRegex(UserError, 'not a folder of lists: no such folder[.]'):
                dib.of_site(Path(name, 'nowhere'))


class Refusals(unittest.TestCase):
    def test_what_cannot_be_built_here(self) -> None:
        arm = dataclasses.replace(TRIXIE, name='arm', architecture='aarch64')
        for label, machine, uid, expected in (
            (TRIXIE, 'x86_64', 0, None), (arm, 'aarch64', 0, None),
            (arm, 'x86_64', 0, 'for aarch64, and this machine is x86_64'),
            (STANDIN, 'x86_64', 0, 'a contract label, for containers only'), (TRIXIE, 'riscv64', 0, 'is riscv64'),
            (TRIXIE, 'x86_64', 1000, 'by root'),
        ):
            with self.subTest(label.name, machine=machine, uid=uid):
                found = dib.refusal(label, machine, uid)
                if expected is None:
                    self.assertIsNone(found)
                else:
                    self.assertIn(expected, found[0] if found else '')


class StandIns(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def test_they_come_first_where_the_kernel_has_no_device_mapper(self) -> None:
        self.assertEqual((dib.SHIM / 'mapper',), dib.shims(self.root, no_sudo=False))
        self.assertEqual((dib.SHIM / 'mapper', dib.SHIM / 'root'), dib.shims(self.root, no_sudo=True))
        control = self.root / 'dev/mapper/control'
        control.mkdir(parents=True)             # there, and cannot be opened: a device without a driver
        self.assertEqual((dib.SHIM / 'mapper',), dib.shims(self.root, no_sudo=False))
        control.rmdir()
        control.touch()
        self.assertEqual((), dib.shims(self.root, no_sudo=False))
        path = dib.search_path(Path('/venv'), '/usr/bin', (Path('/shim'),)).split(':')
        self.assertEqual(['/shim', '/venv/bin', '/usr/bin'], path[:3])

    def test_sudo_runs_the_command_with_its_words(self) -> None:
        done = subprocess.run([dib.SHIM / 'root/sudo', '-E', 'A=b c', 'sh', '-c', 'echo "$A $1"', '-', "it's; x"],
                              capture_output=True, text=True, check=True)
        self.assertEqual("b c it's; x\n", done.stdout)

    def test_what_they_do_not_know_they_refuse(self) -> None:
        for words in (['root/sudo', '--login', 'true'], ['mapper/kpartx', '-l', '/dev/loop7'],
                      ['mapper/dmsetup', 'ls']):
            with self.subTest(words):
                done = subprocess.run([dib.SHIM / words[0], *words[1:]], capture_output=True, text=True, check=False)
                self.assertEqual(64, done.returncode)
                self.assertIn('stand-in', done.stderr)
