"""The pure parts of starting nodes."""

import io
import tarfile
import unittest
from pathlib import Path

from zuul_local.nodes import container


class Names(unittest.TestCase):
    def test_whatever_a_job_calls_its_nodes(self) -> None:
        for names, expected in (
            (['controller', 'compute1'], ['zuul-local-0a-controller', 'zuul-local-0a-compute1']),
            (['a/b', 'a b'], ['zuul-local-0a-a-b-0', 'zuul-local-0a-a-b-1']),
            (['--rm'], ['zuul-local-0a-rm']),
            (['ö'], ['zuul-local-0a-node']),
            (['x' * 90], ['zuul-local-0a-' + 'x' * 40]),
            (['$(id)', '"; id'], ['zuul-local-0a-id-0', 'zuul-local-0a-id-1']),
        ):
            with self.subTest(names):
                self.assertEqual(expected, container.container_names('0a', names))

    def test_an_offline_network_is_another_one(self) -> None:
        self.assertNotEqual(container.network_name('0a', True), container.network_name('0a', False))


class Payload(unittest.TestCase):
    def test_keys_and_files_with_owner_and_mode(self) -> None:
        keys = {'id.pub': b'open', 'host': b'private', 'host.pub': b'public'}
        packed = container.payload(keys, [('/etc/pip.conf', b'[global]\n', 0o644)])
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            found = {entry.name: (entry.mode, entry.uid, entry.gid, read.read()) for entry in tar
                     if (read := tar.extractfile(entry))}
        self.assertEqual({
            'home/zuul/.ssh/authorized_keys': (0o600, 1000, 1000, b'open'),
            'etc/ssh/ssh_host_ed25519_key': (0o600, 0, 0, b'private'),
            'etc/ssh/ssh_host_ed25519_key.pub': (0o644, 0, 0, b'public'),
            'etc/pip.conf': (0o644, 0, 0, b'[global]\n'),
        }, found)


class Argv(unittest.TestCase):
    def test_create(self) -> None:
        argv = container.create_argv(
            'c', 'host', 'net', 'image', ('--label', 'x=y'), ('--ulimit', 'nofile=1:1'), 60, False)
        self.assertEqual(('image', '/sbin/init'), argv[-2:])
        self.assertIn('--rm', argv)
        self.assertEqual('60', argv[argv.index('--timeout') + 1])
        self.assertNotIn('--privileged', argv)

    def test_a_fixed_address_is_given_only_when_asked_for(self) -> None:
        self.assertNotIn('--ip', container.create_argv('c', 'host', 'net', 'image', (), (), 60, False))
        argv = container.create_argv('c', 'host', 'net', 'image', (), (), 60, False, '10.1.2.3')
        self.assertEqual('10.1.2.3', argv[argv.index('--ip') + 1])

    def test_a_kept_node_has_no_end(self) -> None:
        self.assertNotIn('--timeout', container.create_argv('c', 'host', 'net', 'image', (), (), 0, False))

    def test_root_rules_its_own_network_but_makes_no_way_out(self) -> None:
        for offline in (False, True):
            argv = container.create_argv('c', 'host', 'net', 'image', (), (), 0, offline)
            self.assertEqual(not offline, 'NET_ADMIN' in argv)

    def test_ssh_uses_nothing_of_the_person(self) -> None:
        argv = container.ssh_argv(Path('/keys'), '10.0.0.2', ('true',))
        self.assertEqual(('zuul@10.0.0.2', 'true'), argv[-2:])
        for words in ('-F /dev/null', '-i /keys/id', 'StrictHostKeyChecking=yes', 'IdentitiesOnly=yes',
                      'UserKnownHostsFile=/keys/known_hosts'):
            self.assertIn(words, ' '.join(argv))
