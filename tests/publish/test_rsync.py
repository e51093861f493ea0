"""The roles upload-logs and publish-artifacts-to-fileserver, with rsync and sshd."""
from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

from tests.publish import servers
from tests.publish.support import PATH, Called, PublishTest


class RsyncTest(PublishTest):
    def setUp(self) -> None:
        super().setUp()
        (self.top / 'sshd').mkdir()
        self.port, self.key, self.known = self.enterContext(servers.sshd(self.top / 'sshd', self.top))
        self.root = self.top / 'srv'
        self.root.mkdir()
        self.root.chmod(0o775)

    def publish(self, role: str = 'upload-logs', **other: Any) -> Called:
        prefix = role.replace('-', '_')
        return self.call(role, {
            f'{prefix}_host': '127.0.0.1', f'{prefix}_port': self.port, f'{prefix}_user': 'root',
            'ansible_ssh_private_key_file': str(self.key),
            'ansible_ssh_common_args': f'-o UserKnownHostsFile={self.known}',
            **({'zuul_logserver_root': str(self.root), 'zuul_log_url': 'https://logs.example.org/'}
               if role == 'upload-logs' else {}), **other})

    def there(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.root)): path.read_bytes() for path in sorted(self.root.rglob('*'))
                if path.is_file()}

    def test_logs(self) -> None:
        self.some_logs()
        (self.logs / 'job-output.txt').chmod(0o600)
        called = self.publish(zuul_log_verbose=True)
        self.assert_went_well(called)
        self.assertEqual(called.zuul, {'log_url': f'https://logs.example.org/{PATH}/'})
        self.assertEqual(sorted(self.there()), sorted(f'{PATH}/{name}' for name in (
            'binary', 'deep/er/<b>ü &#?%.log', 'deep/packed.txt.gz', 'job-output.json', 'job-output.txt')))
        self.assertFalse([path for path in self.root.rglob('*') if path.is_symlink()])
        self.assertEqual(oct(Path(self.root, PATH, 'job-output.txt').stat().st_mode), '0o100644')
        self.assertEqual(oct(self.root.stat().st_mode), '0o40775')
        self.assertIn('deep/packed.txt.gz', called.said)
        self.assertEqual([path.name for path in self.work.iterdir() if path.name.startswith('.publish')], [])

        (self.logs / 'new').write_text('new')
        called = self.publish(zuul_log_verbose=True, zuul_log_compress=True)
        self.assert_went_well(called)
        self.assertEqual(gzip.decompress(self.there()[f'{PATH}/job-output.txt.gz']), b'2026-01-01 | line\n' * 500)
        self.assertNotIn('packed.txt.gz', called.said)

    def test_one_file_that_the_server_does_not_take(self) -> None:
        (self.logs / 'a').write_text('1')
        (self.logs / 'b').write_text('2')
        (self.root / PATH / 'a').mkdir(parents=True)
        (self.root / PATH / 'a/in the way').touch()
        called = self.publish()
        self.assert_went_well(called)
        self.assertEqual(self.there()[f'{PATH}/b'], b'2')
        self.assertIn('could not make way for new regular file', called.said)
        self.assertIn('Some of the logs were not published', called.zuul['warnings'][0])

    def test_a_full_disk_and_again(self) -> None:
        (self.logs / 'a').write_text('1')
        (self.logs / 'b').write_bytes(os.urandom(3 << 20))
        called = self.publish(zuul_logserver_root=servers.SMALL)
        self.assertTrue(called.failed)
        self.assertIn('not everything was published: rsync ended with 11', called.said)
        self.assertIn('No space left on device', called.said)
        self.assertEqual(called.zuul, {})
        (self.logs / 'b').write_bytes(b'2')
        called = self.publish(zuul_logserver_root=servers.SMALL, zuul_log_verbose=True)
        self.assert_went_well(called)
        self.assertEqual(called.zuul, {'log_url': f'https://logs.example.org/{PATH}/'})

    def test_interrupted_and_resumed(self) -> None:
        for name in 'abcdefgh':
            (self.logs / name).write_bytes(os.urandom(1 << 20))
        with servers.short_lived(self.port, 3 << 20) as port:
            called = self.publish(upload_logs_port=port, ansible_ssh_common_args=(
                f'-o UserKnownHostsFile={self.known} -o HostKeyAlias=[127.0.0.1]:{self.port}'))
        self.assert_went_well(called)
        self.assertEqual(called.zuul, {'log_url': f'https://logs.example.org/{PATH}/'})
        self.assertEqual(self.there(), {f'{PATH}/{name}': (self.logs / name).read_bytes() for name in 'abcdefgh'})

    def test_switched_off(self) -> None:
        (self.logs / 'a').write_text('1')
        called = self.publish(zuul_site_upload_logs=False)
        self.assert_went_well(called)
        self.assertEqual((called.zuul, self.there()), ({}, {}))

    def test_what_fails(self) -> None:
        (self.logs / 'a').write_text('1')
        for other, why in (
                ({'zuul_logserver_root': str(self.top / 'no/where')}, 'No such file or directory'),
                ({'zuul_logserver_root': '/srv/$(id)'}, "the folder on the host is '/srv/$(id)'"),
                ({'upload_logs_host': '-oProxyCommand=id'}, "the host is '-oProxyCommand=id'"),
                ({'zuul_log_url': 'logs.example.org'}, 'it must be an http(s) URL'),
                ({'zuul_log_url': 'https://' + 'x' * 250}, 'have less than 255'),
                ({'ansible_ssh_common_args': '-o UserKnownHostsFile=/dev/null', 'upload_logs_timeout': 4},
                 'Host key verification failed')):
            with self.subTest(why=why):
                called = self.publish(**other)
                self.assertTrue(called.failed)
                self.assertIn(why, called.said)
                self.assertEqual((called.zuul, self.there()), ({}, {}))

    def test_artifacts(self) -> None:
        artifacts = self.work / 'artifacts'
        artifacts.mkdir()
        (artifacts / 'thing-1.0.tar.gz').write_bytes(b'1')
        (artifacts / 'link').symlink_to('/etc/passwd')
        (self.root / 'thing').mkdir()
        (self.root / 'thing/older').write_text('0')
        where = {'zuul_fileserver_project_path': str(self.root / 'thing')}
        called = self.publish('publish-artifacts-to-fileserver', **where)
        self.assert_went_well(called)
        self.assertEqual(self.there(), {'thing/older': b'0', 'thing/thing-1.0.tar.gz': b'1'})
        (artifacts / 'way').touch()
        (self.root / 'thing/way/in').mkdir(parents=True)
        called = self.publish('publish-artifacts-to-fileserver', **where)
        self.assertTrue(called.failed)
        self.assertIn('not everything was published', called.said)
