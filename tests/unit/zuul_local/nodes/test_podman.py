"""What this machine's podman needs, and what keeps it from working."""

import tempfile
import unittest
from pathlib import Path

from zuul_local.nodes import podman


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
