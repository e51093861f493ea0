"""Images of systems that no test here runs on: their ways are tried as far as this machine can."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import unittest
from pathlib import Path

import yaml

from zuul_local import process
from zuul_local.environment.tools import ensure_venv
from zuul_local.errors import UserError
from zuul_local.nodes import dib, facts, image, labels
from zuul_local.nodes.podman import find_podman
from zuul_local.nodes.site import Site, discover

LABELS = labels.load_labels()


def report(line: str) -> None:
    print(line, file=sys.stderr)


class ElementsContract(unittest.TestCase):
    """Contract: diskimage-builder knows what our labels name. No image of these systems is made."""

    venv: Path
    package: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.venv = ensure_venv(dib.PROFILE, (dib.LOCK,))
        cls.package = next(cls.venv.glob('lib/python3*/site-packages/diskimage_builder'))

    def expanded(self, names: tuple[str, ...]) -> list[str]:
        """Return *names* with all elements that they bring in; disk-image-create adds the kind of disk for vm."""
        environ = {**os.environ, 'ELEMENTS_PATH': f'{dib.ELEMENTS}:{self.package / "elements"}'}
        disk = ('block-device-mbr',) if 'vm' in names else ()
        argv = (self.venv / 'bin/python', self.package / 'lib/element-info.py', *names, *disk)
        return process.run(argv, env=environ, timeout=60).stdout.split()

    def test_every_element_is_there_with_all_that_it_needs(self) -> None:
        for label in LABELS.values():
            if label.element and not label.offline:
                for form in ('tar', 'qcow2'):
                    with self.subTest(label.name, form=form):
                        found = self.expanded(dib.elements(label, form))
                        self.assertLessEqual({label.element, 'ci-node', 'package-installs'}, set(found))
                        self.assertEqual(form != 'tar', 'bootloader' in found)
                        self.assertNotIn('base', found)

    def test_their_maps_of_packages_can_be_read(self) -> None:
        names = {name for label in LABELS.values() if label.element
                 for name in self.expanded(dib.elements(label, 'raw'))}
        read = 0
        for folder in (self.package / 'elements' / name for name in sorted(names - {'ci-node'})):
            for path in (folder / 'pkg-map', folder / 'package-installs.yaml'):
                if path.exists():
                    with self.subTest(str(path.relative_to(self.package))):
                        text = path.read_text()
                        found = json.loads(text) if path.name == 'pkg-map' else yaml.safe_load(text)
                        self.assertIsInstance(found, dict)
                        read += 1
        self.assertGreater(read, 10)

    def test_the_release_is_one_that_the_element_has_a_container_for(self) -> None:
        for label in LABELS.values():
            folder = self.package / 'elements' / label.element / 'containerfiles'
            if label.element and folder.exists():
                with self.subTest(label.name):
                    self.assertTrue((folder / label.element_release).exists())


class RegistryContract(unittest.TestCase):
    """Contract: a label with a base of a registry is made of that. The registry is podman's store, the base Debian."""

    def test_an_image_is_made_of_the_base_that_the_label_names(self) -> None:
        podman, site = find_podman(), discover(os.environ)
        ours = LABELS['debian-bookworm']
        image.ensure_image(podman, ours, site, report)
        base = 'registry.invalid/contract/system:12'
        podman.run('tag', image.base_of(ours), base)
        self.addCleanup(podman.run, 'untag', image.base_of(ours), base)
        label = dataclasses.replace(LABELS['ubuntu-noble'], name='contract-registry', base=base)
        made = image.ensure_image(podman, label, site, report)
        self.addCleanup(podman.remove_image, made)
        self.assertEqual('contract-registry', facts.read(made, podman)['label'])
        lowest = {podman.run('image', 'inspect', '--format', '{{index .RootFS.Layers 0}}', name)
                  for name in (made, base)}
        self.assertEqual(1, len(lowest))

    def test_an_image_that_is_not_there_has_no_facts(self) -> None:
        with self.assertRaises(UserError) as caught:
            facts.read('localhost/zuul-local/none:1', find_podman())
        self.assertIn('localhost/zuul-local/none:1: no such file, and no container image', caught.exception.message)

    def test_a_base_that_cannot_be_had_is_named(self) -> None:
        label = dataclasses.replace(LABELS['ubuntu-noble'], name='contract-none',
                                    base='registry.invalid/contract/none:1')
        with self.assertRaises(UserError) as caught:
            image.ensure_image(find_podman(), label, Site(), report)
        self.assertIn('registry.invalid/contract/none:1', caught.exception.message)
