"""What a booted disk image is given, and how it is reached."""

import json
import unittest
from pathlib import Path

from tests import boot


class Boot(unittest.TestCase):
    def test_the_config_drive_has_name_key_and_network(self) -> None:
        found = {name: json.loads(text) for name, text in boot.metadata('ssh-ed25519 AAAA').items()}
        meta, network = (found[f'openstack/latest/{name}_data.json'] for name in ('meta', 'network'))
        self.assertEqual((boot.HOST, ['ssh-ed25519 AAAA']), (meta['hostname'], list(meta['public_keys'].values())))
        self.assertEqual([boot.MAC], [link['ethernet_mac_address'] for link in network['links']])
        self.assertEqual([boot.ADDRESS], [one['ip_address'] for one in network['networks']])

    def test_the_image_stays_as_it_is_and_only_this_machine_reaches_it(self) -> None:
        for kvm, accelerator in ((False, 'accel=tcg'), (True, 'accel=kvm')):
            with self.subTest(kvm=kvm):
                argv = ' '.join(boot.qemu_argv(Path('/t/disk.qcow2'), Path('/t/drive.iso'), 2222, Path('/t/log'), kvm))
                self.assertIn(accelerator, argv)
                self.assertIn('file=/t/drive.iso,if=virtio,format=raw,readonly=on', argv)
                self.assertIn(f'hostfwd=tcp:127.0.0.1:2222-{boot.ADDRESS}:22', argv)
                self.assertIn(f'mac={boot.MAC}', argv)

    def test_a_machine_that_does_not_answer_is_given_up(self) -> None:
        with self.assertRaisesRegex(TimeoutError, 'no ssh within 0 s'):
            boot.wait(Path('/none'), 1, limit=0)
