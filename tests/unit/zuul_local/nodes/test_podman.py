"""What this machine's podman needs, and what keeps it from working."""

import os
import tempfile
import unittest
from pathlib import Path

from zuul_local.nodes import podman
from zuul_local.process import ProcessError


class Rootless(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for path, text in (
            ('sys/fs/cgroup/cgroup.controllers', 'cpu'), ('dev/net/tun', ''), ('etc/subuid', 'me:100000:65536\n'),
            ('etc/subgid', '1234:100000:65536\n'), ('run/x', ''),
        ):
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)
        self.environ = {'XDG_RUNTIME_DIR': str(self.root / 'run')}

    def missing(self) -> str:
        found = podman.probe_rootless(self.root, self.environ, 1234, 'me')
        return '; '.join(line for line in found if 'is not installed' not in line)

    def test_a_machine_that_has_all(self) -> None:
        self.assertEqual('', self.missing())

    def test_each_thing_that_is_missing_is_named(self) -> None:
        for path, words in (
            ('sys/fs/cgroup/cgroup.controllers', 'cgroup v2'), ('dev/net/tun', '/dev/net/tun does not exist'),
            ('etc/subuid', '/etc/subuid has no range for user me'),
        ):
            with self.subTest(path):
                (self.root / path).unlink()
                self.assertIn(words, self.missing())

    def test_no_user_session(self) -> None:
        self.environ = {}
        self.assertIn('no user session', self.missing())


class Limits(unittest.TestCase):
    def test_the_capability_is_read_from_the_kernel(self) -> None:
        for mask, expected in (('000001ffffffffff', True), ('000001fffeffffff', False), ('0000000000000000', False)):
            with self.subTest(mask), tempfile.NamedTemporaryFile('w') as file:
                file.write(f'Name:\tpython\nCapEff:\t{mask}\n')
                file.flush()
                self.assertEqual(expected, podman.may_raise_limits(Path(file.name)))

    def test_words(self) -> None:
        self.assertEqual(('--ulimit', 'nofile=20:20', '--ulimit', 'nproc=7:7'),
                         podman.ulimit_words([('nofile', 20), ('nproc', 7)]))
        self.assertEqual((), podman.ulimit_words([]))


class Argv(unittest.TestCase):
    def test_the_runtime_comes_first(self) -> None:
        self.assertEqual(('podman', '--runtime', 'crun', 'ps', '-a'), podman.Podman('crun').argv('ps', '-a'))

    def test_its_environment_is_the_one_that_was_found(self) -> None:
        environ = {'HOME': '/h', 'XDG_RUNTIME_DIR': '/r', '_CONTAINERS_ROOTLESS_UID': '1', 'SECRET': 'x'}
        variables = podman.podman_variables(environ, Path('/x'))
        self.assertEqual({'HOME': '/h', 'XDG_RUNTIME_DIR': '/r', '_CONTAINERS_ROOTLESS_UID': '1',
                          'CONTAINERS_STORAGE_CONF': '/x'}, dict(variables))
        self.assertEqual('/r', podman.Podman('crun', variables=variables).environ()['XDG_RUNTIME_DIR'])
        self.assertNotIn('CONTAINERS_STORAGE_CONF', dict(podman.podman_variables(environ, None)))


class Listings(unittest.TestCase):
    def listed(self, times: int) -> list[dict[str, str]]:
        """Return the listing of a podman that fails that many *times* first."""
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, 'podman')
            program.write_text(f"""#!/bin/sh
                [ "$*" = "--runtime runc network ls --format json" ] || exit 1
                echo x >> {folder}/log
                [ $(wc -l < {folder}/log) -gt {times} ] || {{ echo container not known >&2; exit 125; }}
                echo '[{{"name": "one"}}]'
            """)
            program.chmod(0o755)
            path = f'{folder}{os.pathsep}{os.environ["PATH"]}'
            return podman.Podman('runc', variables=(('PATH', path),)).listed('network', 'ls')

    def test_a_listing_that_failed_is_asked_for_again(self) -> None:
        for times in (0, 2):
            with self.subTest(times=times):
                self.assertEqual([{'name': 'one'}], self.listed(times))

    def test_one_that_fails_each_time_tells_why(self) -> None:
        with self.assertRaises(ProcessError) as caught:
            self.listed(100)
        self.assertIn('container not known', str(caught.exception))
