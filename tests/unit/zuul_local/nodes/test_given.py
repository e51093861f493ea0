"""Images that the command line gives for labels."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from zuul_local.errors import UserError
from zuul_local.nodes import given
from zuul_local.nodes.labels import load_labels
from zuul_local.nodes.podman import Podman

LABELS = load_labels()


class Parse(unittest.TestCase):
    def test_words(self) -> None:
        self.assertEqual({'debian-trixie': 'a=b.tar', 'debian-bookworm': 'localhost/x:1'},
                         given.parse(['debian-trixie=a=b.tar', 'debian-bookworm-offline=localhost/x:1'], LABELS))

    def test_refusals(self) -> None:
        for words, expected in (
            (['debian-trixie'], 'not of the form'), (['debian-trixie='], 'not of the form'),
            (['x=y.tar'], "'x' is not a"),
            (['debian-trixie=a', 'debian-trixie-offline=b'], "has 'a' already"),
        ):
            with self.subTest(words), self.assertRaises(UserError) as caught:
                given.parse(words, LABELS)
            self.assertIn(expected, caught.exception.message)


class Provide(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tar = Path(folder.name) / 'Debian_12 image.tar'
        self.tar.write_bytes(b'x')

    def provided(self, what: str, *, there: bool) -> str:
        with mock.patch.object(given.image, 'exists', return_value=there):
            return given.provide(Podman('runc'), what, print)

    def test_the_same_bytes_have_the_same_name_and_are_imported_once(self) -> None:
        name = self.provided(str(self.tar), there=True)
        self.assertRegex(name, r'^localhost/zuul-local/given:debian-12-image-[0-9a-f]{16}$')
        self.assertEqual(name, given.named(self.tar))
        self.tar.write_bytes(b'y')
        self.assertNotEqual(name, given.named(self.tar))

    def test_an_image_that_podman_has(self) -> None:
        self.assertEqual('localhost/x:1', self.provided('localhost/x:1', there=True))

    def test_refusals(self) -> None:
        disk = self.tar.with_suffix('.qcow2')
        disk.touch()
        for what, expected in ((str(disk), 'boots no disk'), ('localhost/none', 'podman has no image of that name')):
            with self.subTest(what), self.assertRaises(UserError) as caught:
                self.provided(what, there=False)
            self.assertIn(expected, caught.exception.message)
