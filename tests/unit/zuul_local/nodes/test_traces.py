"""Nothing of the machine that makes an image is in it; what is, is found, and never told itself."""

import tempfile
import unittest
from pathlib import Path

from tests.unit.zuul_local.nodes.test_facts import tar
from zuul_local.nodes import traces
from zuul_local.nodes.site import Site

LINE = b'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2'
ANCHOR = b'-----BEGIN CERTIFICATE-----\n' + LINE + b'\n-----END CERTIFICATE-----\n'
SITE = Site(proxies=(('http_proxy', 'http://user:hidden-word@proxy.corp.example:3128'),), bundle=ANCHOR,
            anchors=(('corp.crt', ANCHOR),), pip=(('index-url', 'https://index.corp.example/simple'),),
            apt_mirror='http://mirror.corp.example/debian')
KNOWN = traces.secrets(SITE, 'build-host-7', ['10.20.30.40'])
KEY = b'-----BEGIN OPENSSH PRIVATE KEY-----\n' + LINE.swapcase() + b'\n'


class Scan(unittest.TestCase):
    def test_each_trace_is_named_and_no_secret_told(self) -> None:
        for path, data, expected in (
            ('etc/apt/apt.conf.d/90x', b'Proxy "http://user:hidden-word@proxy.corp.example:3128";',
             ['http_proxy: host', 'http_proxy: password']),
            ('etc/apt/sources.list', b'deb http://mirror.corp.example/debian x main', ['apt mirror: host']),
            ('opt/x', b'index.corp.example', ['index-url: host']),
            ('etc/ssl/certs/ca-certificates.crt', b'other\n' + ANCHOR, ['certificate authority corp.crt']),
            ('usr/local/share/ca-certificates/other.crt', b'x', ['an authority that the distribution does not have']),
            ('etc/hosts', b'127.0.1.1 build-host-7', ['host name']),
            ('etc/resolv.conf', b'nameserver 10.20.30.40', ['name server 10.20.30.40']),
            ('etc/pip.conf', b'[global]', ['is of the machine that made the image']),
            ('root/.bash_history', b'ls', ['is not empty']),
            ('root/.cache/pip/x', b'x', ['is not empty']),
            ('etc/machine-id', b'0123', ['is not empty']),
            ('etc/ssh/ssh_host_ed25519_key', KEY, ['a private key', 'is not empty']),
            ('home/zuul/.ssh/id_rsa', KEY, ['a private key']),
            ('etc/dib-manifests/dib_environment', b'x', ['is not empty']),
        ):
            with self.subTest(path):
                found = traces.scan([traces.File(path, len(data), data)], KNOWN)
                self.assertEqual([f'/{path}: {words}' for words in expected], found)
                self.assertNotIn('hidden-word', ''.join(found))

    def test_what_every_image_has_is_no_trace(self) -> None:
        for path, data in (
            ('etc/machine-id', b''), ('etc/machine-id', b'uninitialized\n'), ('etc/hostname', b'debian'),
            ('etc/apt/sources.list.d/debian.sources', b'URIs: http://deb.debian.org/debian'), ('etc/resolv.conf', b''),
            ('usr/share/doc/openssl/key.pem', KEY), ('usr/lib/python3/test/key.pem', KEY),
            ('root/.bashrc', b'x'), ('etc/ssh/sshd_config', b'HostKey /etc/ssh/ssh_host_rsa_key'),
        ):
            with self.subTest(path):
                self.assertEqual([], traces.scan([traces.File(path, len(data), data)], KNOWN))

    def test_a_machine_that_needs_nothing_special_has_few_secrets(self) -> None:
        self.assertEqual({'host name'}, set(traces.secrets(Site(), 'build-host-7', ['127.0.0.53'])))
        self.assertEqual({}, traces.secrets(Site(pip=(('index-url', 'https://pypi.org/simple'),)), 'vm', []))

    def test_files_of_a_tar_and_of_a_tree(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            tar(Path(folder) / 'x.tar', ('./etc/link', '/etc/shadow'), ('./etc/file', b'data'))
            self.assertEqual([traces.File('etc/file', 4, b'data')], list(traces.of_tar(Path(folder) / 'x.tar')))
            tree = Path(folder) / 'tree'
            (tree / 'etc').mkdir(parents=True)
            (tree / 'etc/file').write_bytes(b'data')
            (tree / 'etc/link').symlink_to('/etc/passwd')
            self.assertEqual([traces.File('etc/file', 4, b'data')], list(traces.of_tree(tree)))
