"""Images are named by all that they are made of, and by nothing of the site."""

import dataclasses
import shutil
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

from zuul_local.errors import UserError
from zuul_local.nodes import image
from zuul_local.nodes.labels import Label
from zuul_local.nodes.layers import Layer
from zuul_local.nodes.podman import Podman
from zuul_local.nodes.site import Site

LABEL = Label('debian-trixie', 'trixie', 'Debian', 'trixie', ('3.13',), '/usr/bin/python3', 'real')
LAYERS = (Layer(('python', 'cache'), 'd1'), Layer(('facts',), 'd2'))
SECRET = Site(proxies=(('http_proxy', 'http://u:secret@p'),), bundle=b'ca', pip=(('index-url', 'https://u:secret@i'),),
              apt_mirror='http://u:secret@m/debian', apt_proxies=(('http', 'http://u:secret@p'),))


class Reference(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.files = {}
        for name, path in image.context().items():
            self.files[name] = Path(folder.name) / name
            self.files[name].parent.mkdir(exist_ok=True)
            shutil.copy(path, self.files[name])
        self.before = image.reference(LABEL, self.files)

    def test_a_copy_has_the_same_name(self) -> None:
        self.assertEqual(image.reference(LABEL), self.before)
        self.assertRegex(self.before, '^localhost/zuul-local/node:debian-trixie-[0-9a-f]{16}$')

    def test_any_change_gives_another_name(self) -> None:
        for name, path in self.files.items():
            with self.subTest(name):
                kept = path.read_bytes()
                path.write_bytes(kept + b'\n')
                self.assertNotEqual(self.before, image.reference(LABEL, self.files))
                path.write_bytes(kept)
        self.files['recipe/setup-node'].chmod(0o644)
        self.assertNotEqual(self.before, image.reference(LABEL, self.files))

    def test_a_file_more_gives_another_name(self) -> None:
        more = {**self.files, 'recipe/more': self.files['Containerfile']}
        self.assertNotEqual(self.before, image.reference(LABEL, more))

    def test_the_offline_variant_shares_it(self) -> None:
        offline = dataclasses.replace(LABEL, name='debian-trixie-offline', offline=True)
        self.assertEqual(self.before, image.reference(offline, self.files))

    def test_the_suite_is_part_of_it(self) -> None:
        self.assertNotEqual(self.before, image.reference(dataclasses.replace(LABEL, suite='forky'), self.files))

    def test_the_platform_is_part_of_it(self) -> None:
        standin = dataclasses.replace(LABEL, platform='EL', release='9')
        self.assertNotEqual(self.before, image.reference(standin, self.files))

    def test_the_context_has_recipe_and_lock(self) -> None:
        self.assertLessEqual({'Containerfile', 'recipe/setup-node', 'recipe/bindep.txt', 'toolchain/tox.txt'},
                             set(self.files))


class Build(unittest.TestCase):
    def test_the_recipe_is_told_what_to_become(self) -> None:
        standin = dataclasses.replace(LABEL, name='rpm-standin', platform='EL', release='9', kind='contract')
        argv = image.build_words(Podman('runc'), standin, 'base', image.reference(standin), '/context', '/site', LAYERS)
        self.assertLessEqual({'NODE_LABEL=rpm-standin', 'NODE_PLATFORM=EL 9', 'BASE=base'}, set(argv))
        self.assertLessEqual({'STEPS_1=python cache', 'DIGEST_1=d1', 'STEPS_2=facts', 'DIGEST_2=d2'}, set(argv))
        self.assertIn('--layers', argv)
        self.assertNotIn('--no-cache', argv)


class SideBySide(unittest.TestCase):
    def most_at_once(self, *labels: Label) -> int:
        """Return how many builds went on at the same time when all *labels* were asked for at once."""
        going, most = [], []

        def build(*_: object) -> None:
            going.append(1)
            most.append(len(going))
            time.sleep(0.2)
            going.pop()

        with tempfile.TemporaryDirectory() as cache, mock.patch.dict('os.environ', XDG_CACHE_HOME=cache), \
                mock.patch.multiple(image, _build=build, exists=lambda *_: False, _size=lambda *_: 1,
                                    _ensure_base=lambda *_: 'base'):
            threads = [threading.Thread(target=image.ensure_image, args=(Podman('runc'), label, Site(), list))
                       for label in labels]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return max(most)

    def test_on_one_base_none_takes_another_for_unfinished(self) -> None:
        self.assertEqual(self.most_at_once(LABEL, dataclasses.replace(LABEL, name='other')), 1)

    def test_on_two_bases_neither_waits(self) -> None:
        self.assertEqual(self.most_at_once(LABEL, dataclasses.replace(LABEL, name='other', suite='bookworm')), 2)


class WorkingFolder(unittest.TestCase):
    def test_a_folder_with_a_mount_in_it_is_named_and_left(self) -> None:
        with tempfile.TemporaryDirectory() as name, mock.patch.object(image, 'mounted', lambda *_: [f'{name}/mnt/dev']):
            with self.assertRaisesRegex(UserError, f'not removed: mounted in it are {name}/mnt/dev[.]'), \
                    image.working_folder(Path(name)) as scratch:
                Path(scratch, 'kept').touch()
            self.assertTrue(Path(scratch, 'kept').exists())

    def test_one_without_goes(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            with image.working_folder(Path(name)) as scratch:
                Path(scratch, 'file').touch()
            self.assertEqual([], list(Path(name).iterdir()))

    def test_mount_points_are_found_by_whole_names(self) -> None:
        lines = [f'1 2 0:5 / {point} rw,relatime shared:2 - devtmpfs devtmpfs rw' for point in (
            '/', '/dev', '/tmp/work', '/tmp/work2/dev', '/tmp/work/a\\040b/dev', '/tmp/work/a\\040b', '/tmp')]
        self.assertEqual(['/tmp/work', '/tmp/work/a b', '/tmp/work/a b/dev'],
                         image.mounted(Path('/tmp/work'), '\n'.join(lines)))


class NothingOfTheSiteStays(unittest.TestCase):
    def test_not_in_the_arguments_of_the_build(self) -> None:
        argv = image.build_words(Podman('runc'), LABEL, 'base', image.reference(LABEL), '/context', '/site', LAYERS)
        self.assertIn('/site:/run/node-site:ro', argv)
        self.assertNotIn('secret', ' '.join(argv))

    def test_the_bare_system_drops_what_it_was_made_with(self) -> None:
        argv = image.base_argv('trixie', SECRET, 'out.tar', '/kept.sources')
        self.assertIn('deb http://u:secret@m/debian trixie main', argv)
        hooks = [word for word in argv if word.startswith('--customize-hook')]
        for path in ('apt/sources.list', 'apt/apt.conf.d/99mmdebstrap', 'hostname', 'resolv.conf'):
            self.assertIn(path, hooks[0])
        self.assertIn('--customize-hook=upload /kept.sources /etc/apt/sources.list.d/debian.sources', hooks)

    def test_what_a_build_gets_to_read(self) -> None:
        files = image.site_files(SECRET)
        self.assertEqual({'environment', 'pip.conf', 'apt.conf'}, set(files))
        self.assertIn('export http_proxy=http://u:secret@p\n', files['environment'])
        self.assertIn('cert = /run/node-site/ca.crt', files['pip.conf'])
        self.assertIn('Dir::Etc::sourceparts "/run/node-site/sources.list.d";', files['apt.conf'])
        self.assertEqual({}, image.site_files(Site()))

    def test_hostile_values_stay_values(self) -> None:
        site = Site(proxies=(('http_proxy', "http://p/'; touch /owned; '"),))
        self.assertIn("""export http_proxy='http://p/'"'"'; touch /owned; '"'"''\n""",
                      image.site_files(site)['environment'])
