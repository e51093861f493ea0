"""The site: what this machine uses to reach the world."""

import dataclasses
import tempfile
import unittest
from pathlib import Path

from zuul_local.nodes import site
from zuul_local.nodes.labels import Label
from zuul_local.nodes.site import Site

LABEL = Label('debian-trixie', 'trixie', 'Debian', 'trixie', ('3.13',), '/usr/bin/python3', 'real')
OFFLINE = dataclasses.replace(LABEL, name='debian-trixie-offline', offline=True)
BOOKWORM = 'ID=debian\nVERSION_CODENAME=bookworm\n'


class Machine(unittest.TestCase):
    """A root folder with the files of a made-up machine."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def put(self, path: str, text: str) -> None:
        file = self.root / path.lstrip('/')
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def discover(self, **environ: str) -> Site:
        return site.discover(environ, str(self.root))


class Discover(Machine):
    def test_a_plain_machine_has_nothing_to_hand_on(self) -> None:
        self.put('/etc/os-release', BOOKWORM)
        self.put('/etc/apt/sources.list', 'deb http://deb.debian.org/debian bookworm main\n')
        self.put(site.BUNDLE, 'all the usual ones')
        found = self.discover(PATH='/bin', PIP_FIND_LINKS='/opt/wheels')
        self.assertEqual(Site(), found)
        self.assertEqual([], found.files(LABEL))
        self.assertIn('nothing special', ''.join(site.tell(found)))

    def test_proxies_in_either_case(self) -> None:
        found = self.discover(HTTPS_PROXY='http://proxy:3128', no_proxy='localhost', http_proxy='')
        self.assertEqual((('https_proxy', 'http://proxy:3128'), ('no_proxy', 'localhost')), found.proxies)
        files = {path: (data.decode(), mode) for path, data, mode in found.files(LABEL)}
        environment = files['/etc/environment'][0]
        self.assertEqual(('Defaults env_keep += "https_proxy HTTPS_PROXY no_proxy NO_PROXY"\n', 0o440),
                         files['/etc/sudoers.d/site'])
        self.assertEqual(['HTTPS_PROXY=http://proxy:3128', 'NO_PROXY=localhost', 'https_proxy=http://proxy:3128',
                          'no_proxy=localhost'], sorted(environment.splitlines()))

    def test_authorities_added_here(self) -> None:
        self.put(site.BUNDLE, 'usual + ours')
        self.put(site.ANCHORS + '/deep/ours.crt', 'ours')
        files = {path: data for path, data, _ in self.discover().files(LABEL)}
        self.assertEqual(b'usual + ours', files[site.BUNDLE])
        self.assertEqual(b'ours', files[site.ANCHORS + '/deep-ours.crt'])
        self.assertIn(b'cert = ' + site.BUNDLE.encode(), files['/etc/pip.conf'])
        self.assertNotIn('/etc/uv/uv.toml', files)
        for name in ('REQUESTS_CA_BUNDLE', 'SSL_CERT_FILE'):
            self.assertIn(f'{name}={site.BUNDLE}\n'.encode(), files['/etc/environment'])

    def test_a_bundle_that_a_variable_names(self) -> None:
        self.put('/corp/ca.pem', 'corp')
        self.assertEqual(b'corp', self.discover(PIP_CERT='/corp/ca.pem').bundle)
        self.assertEqual(b'', self.discover(PIP_CERT='/corp/missing.pem').bundle)


class Pip(Machine):
    def test_later_places_win(self) -> None:
        self.put('/etc/pip.conf', '[global]\nindex-url = https://etc/simple\ntrusted-host = etc\nfind-links = /x\n')
        self.put('/home/me/.config/pip/pip.conf',
                 '[global]\nindex-url = https://home/simple\n[install]\ntrusted-host = home\n')
        home = {'HOME': '/home/me'}
        for environ, expected in (
            ({}, {'index-url': 'https://etc/simple', 'trusted-host': 'etc'}),
            (home, {'index-url': 'https://home/simple', 'trusted-host': 'home'}),
            ({**home, 'PIP_INDEX_URL': 'https://env/simple'},
             {'index-url': 'https://env/simple', 'trusted-host': 'home'}),
            ({**home, 'PIP_CONFIG_FILE': '/dev/null'}, {}),
            ({'UV_DEFAULT_INDEX': 'https://uv/simple', 'PIP_DEFAULT_TIMEOUT': '7'},
             {'index-url': 'https://etc/simple', 'trusted-host': 'etc', 'timeout': '7'}),
        ):
            with self.subTest(environ):
                self.assertEqual(expected, site.pip_options(environ, self.root))

    def test_uv_fills_in_what_pip_does_not_say(self) -> None:
        self.assertEqual(
            {'index-url': 'https://uv/simple', 'extra-index-url': 'https://a/simple https://b/simple'},
            site.pip_options({'UV_INDEX_URL': 'https://uv/simple', 'UV_INDEX': 'first=https://a/simple  https://b/simple'},
                             self.root))

    def test_a_broken_file_is_not_ours_to_mend(self) -> None:
        self.put('/etc/pip.conf', 'index-url = x\n')
        self.assertEqual({}, site.pip_options({}, self.root))

    def test_the_same_for_pip_and_uv(self) -> None:
        found = Site(pip=(('index-url', 'https://me:secret@i/simple'),
                          ('extra-index-url', 'https://a/simple https://b/simple')))
        self.assertEqual('[global]\nindex-url = https://me:secret@i/simple\n'
                         'extra-index-url = https://a/simple\n    https://b/simple\n', found.pip_conf())
        self.assertEqual('index-url = "https://me:secret@i/simple"\n'
                         'extra-index-url = ["https://a/simple", "https://b/simple"]\n', found.uv_toml())

    def test_credentials_are_never_shown(self) -> None:
        found = Site(pip=(('index-url', 'https://me:secret@i/simple'), ('extra-index-url', 'https://token@a/s https://b/s')),
                     proxies=(('http_proxy', 'http://u:secret@127.0.0.1:1'),), apt_mirror='http://u:secret@m/debian',
                     apt_security='http://u:secret@m/s', apt_proxies=(('http', 'http://u:secret@localhost:2'),))
        shown = '\n'.join(site.tell(found))
        self.assertNotIn('secret', shown)
        self.assertNotIn('token', shown)
        self.assertIn('https://***@i/simple', shown)

    def test_a_proxy_on_loopback_is_told(self) -> None:
        for url, warned in (('http://127.0.0.1:3128', True), ('http://localhost:1', True), ('http://[::1]:1', True),
                            ('http://localhost.example.org:1', False), ('http://10.0.0.1:1', False)):
            with self.subTest(url):
                self.assertEqual(warned, bool(Site(proxies=(('http_proxy', url),)).warnings()))


class Apt(Machine):
    def test_mirrors(self) -> None:
        listed = ('# deb http://old/debian bookworm main\ndeb [arch=amd64] https://m/debian/ bookworm main contrib\n'
                  'deb http://other/ bookworm other\ndeb https://s/debian-security bookworm-security main\n')
        stanza = ('Types: deb deb-src\n# a comment\nURIs: https://m/debian/\nSuites: bookworm bookworm-updates\n'
                  'Components: main\n\n'
                  'Types: deb\nURIs: https://s/debian-security\nSuites: bookworm-security\nComponents: main\n')
        for name, path, text, expected in (
            ('one line', 'sources.list', listed, ('https://m/debian', 'https://s/debian-security')),
            ('deb822', 'sources.list.d/debian.sources', stanza, ('https://m/debian', 'https://s/debian-security')),
            ('disabled', 'sources.list.d/debian.sources', stanza.replace('Types', 'Enabled: no\nTypes'), ('', '')),
            ('not reachable from a node', 'sources.list', 'deb file:/srv/debian bookworm main\n', ('', '')),
            ("Debian's own", 'sources.list', 'deb http://deb.debian.org/debian bookworm main\n', ('', '')),
        ):
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                self.root = Path(folder)
                self.put('/etc/os-release', BOOKWORM)
                self.put(f'/etc/apt/{path}', text)
                self.assertEqual(expected, site.apt_mirrors(self.root))

    def test_another_distribution_says_nothing_about_debian(self) -> None:
        self.put('/etc/os-release', 'ID=ubuntu\nVERSION_CODENAME=bookworm\n')
        self.put('/etc/apt/sources.list', 'deb http://m/ubuntu bookworm main\n')
        self.assertEqual(('', ''), site.apt_mirrors(self.root))

    def test_a_stand_in_of_another_platform_has_no_apt(self) -> None:
        standin = dataclasses.replace(LABEL, platform='EL', release='9', kind='contract')
        found = Site(apt_mirror='https://m/debian', apt_proxies=(('http', 'http://p'),))
        self.assertEqual([], [path for path, _, _ in found.files(standin) if '/apt/' in path])
        self.assertEqual(2, len([path for path, _, _ in found.files(LABEL) if '/apt/' in path]))

    def test_sources_are_those_of_the_label_not_of_the_machine(self) -> None:
        files = {path: data.decode() for path, data, _ in Site(apt_mirror='https://m/debian').files(LABEL)}
        text = files['/etc/apt/sources.list.d/debian.sources']
        self.assertIn('URIs: https://m/debian\nSuites: trixie trixie-updates\n', text)
        self.assertIn(f'URIs: {site.DEBIAN_SECURITY}\nSuites: trixie-security\n', text)

    def test_proxies_in_both_ways_to_nest(self) -> None:
        self.put('/etc/apt/apt.conf.d/01flat',
                 '// Acquire::http::Proxy "http://no";\nAcquire::http::Proxy "http://flat:1";\n')
        self.put('/etc/apt/apt.conf.d/02nested',
                 'Acquire { HTTPS { Proxy "http://nested:2"; Timeout "3"; }; };\nAPT::X "y";\n')
        self.assertEqual((('http', 'http://flat:1'), ('https', 'http://nested:2')), site.apt_proxies(self.root))


class OfflineNode(unittest.TestCase):
    def test_it_gets_authorities_and_no_way_out(self) -> None:
        everything = Site(proxies=(('http_proxy', 'http://p'),), bundle=b'x', pip=(('index-url', 'https://i'),),
                          apt_mirror='http://m', apt_proxies=(('http', 'http://p'),))
        files = {path: data for path, data, _ in everything.files(OFFLINE)}
        self.assertEqual({site.BUNDLE, '/etc/pip.conf'}, set(files))
        self.assertNotIn(b'://', files['/etc/pip.conf'])
