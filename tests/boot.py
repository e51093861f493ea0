"""Boot a disk image of a test node: python3 -m tests.boot [--kvm] IMAGE.

The way a cloud does it: a machine of its own, network and key from a config drive, then ssh as zuul. Without a
processor that helps (--kvm) the machine is emulated, which takes minutes; so no part of "./zuul-local test" runs this.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

MAC = 'fa:16:3e:00:00:07'
ADDRESS, GATEWAY, DNS = '10.0.2.77', '10.0.2.2', '10.0.2.3'      # qemu's user network; not what its DHCP would give
HOST = 'booted-node'
DISK = '12G'                            # larger than the image: the node has to grow
LIMIT = 900                             # seconds until ssh must answer
QUESTIONS = (                           # what is asked, the command, what the answer must be
    ('the system is up', 'systemctl is-system-running --wait', 'running'),
    ('no unit has failed', 'systemctl --failed --plain --no-legend', ''),
    ('its name is of the config drive', 'hostname', HOST),
    ('its address is of the config drive', f'ip -o -4 address show to {ADDRESS} | wc -l', '1'),
    ('zuul is root when it wants', 'sudo -n id -u', '0'),
    ('its host keys are its own', 'test /etc/ssh/ssh_host_ed25519_key -nt /etc/ci-node-facts.json && echo new', 'new'),
    ('its machine id is its own', 'grep -cE "^[0-9a-f]{32}$" /etc/machine-id', '1'),
    ('the root file system has grown', 'test $(df --output=size -m / | tail -1) -gt 10000 && echo grown', 'grown'),
)


def metadata(key: str) -> dict[str, str]:
    """Return {path on the config drive: text}."""
    meta = {'uuid': '00000000-0000-0000-0000-000000000007', 'name': HOST, 'hostname': HOST,
            'public_keys': {'zuul': key}}
    network = {
        'links': [{'id': 'link0', 'type': 'phy', 'ethernet_mac_address': MAC, 'mtu': 1500}],
        'networks': [{'id': 'network0', 'type': 'ipv4', 'link': 'link0', 'ip_address': ADDRESS,
                      'netmask': '255.255.255.0',
                      'routes': [{'network': '0.0.0.0', 'netmask': '0.0.0.0', 'gateway': GATEWAY}]}],
        'services': [{'type': 'dns', 'address': DNS}]}
    return {'openstack/latest/meta_data.json': json.dumps(meta),
            'openstack/latest/network_data.json': json.dumps(network)}


def qemu_argv(disk: Path, drive: Path, port: int, serial: Path, kvm: bool) -> tuple[str, ...]:
    """Return the command of the machine."""
    return (
        'qemu-system-x86_64', '-machine', f'q35,accel={"kvm" if kvm else "tcg"}', '-cpu', 'host' if kvm else 'max',
        '-m', '2048', '-smp', '2', '-display', 'none', '-monitor', 'none', '-no-reboot', '-serial', f'file:{serial}',
        '-drive', f'file={disk},if=virtio,cache=unsafe', '-drive', f'file={drive},if=virtio,format=raw,readonly=on',
        '-nic', f'user,model=virtio-net-pci,mac={MAC},hostfwd=tcp:127.0.0.1:{port}-{ADDRESS}:22')


def ssh_argv(key: Path, port: int, command: str) -> tuple[str, ...]:
    """Return the command that runs *command* on the machine as zuul."""
    options = ('BatchMode=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'ConnectTimeout=20',
               'LogLevel=ERROR')
    return ('ssh', '-i', str(key), '-p', str(port), *(word for option in options for word in ('-o', option)),
            'zuul@127.0.0.1', command)


@contextlib.contextmanager
def machine(image: Path, folder: Path, kvm: bool) -> Iterator[tuple[Path, int]]:
    """Give key and port of a machine that was switched on with a copy of *image* that leaves it as it is."""
    key, tree, drive, disk = folder / 'key', folder / 'drive', folder / 'drive.iso', folder / 'disk.qcow2'
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key], check=True)
    for name, text in metadata(key.with_suffix('.pub').read_text().strip()).items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    subprocess.run(['genisoimage', '-quiet', '-o', drive, '-V', 'config-2', '-J', '-r', tree], check=True)
    form = 'qcow2' if image.suffix == '.qcow2' else 'raw'
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', form, '-b', image, disk, DISK], check=True)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    with subprocess.Popen(qemu_argv(disk, drive, port, folder / 'serial.log', kvm)) as running:
        try:
            yield key, port
        finally:
            running.terminate()


def wait(key: Path, port: int, limit: float = LIMIT) -> float:
    """Return the seconds until ssh answered.

    :raises TimeoutError: it did not.
    """
    began = time.monotonic()
    while time.monotonic() - began < limit:
        with contextlib.suppress(subprocess.TimeoutExpired):
            if not subprocess.run(ssh_argv(key, port, 'true'), capture_output=True, check=False, timeout=60).returncode:
                return time.monotonic() - began
        time.sleep(1)
    raise TimeoutError(f'no ssh within {limit} s')


def ask(key: Path, port: int) -> list[str]:
    """Print each question with its answer, and return those that were answered otherwise."""
    wrong = []
    for what, command, wanted in QUESTIONS:
        done = subprocess.run(ssh_argv(key, port, command), capture_output=True, check=False, text=True, timeout=300)
        said = done.stdout.strip()
        if said == wanted:
            print(f'ok   {what}')
        else:
            print(f'FAIL {what}: {said!r} {done.stderr}')
            wrong.append(what)
    facts = subprocess.run(ssh_argv(key, port, 'cat /etc/ci-node-facts.json'), capture_output=True, check=True,
                           timeout=60)
    print(f'ok   it says of itself: {json.loads(facts.stdout)["label"]}')
    return wrong


def main() -> int:
    """Boot the image that the command line names; 1 when it is no good node."""
    parser = argparse.ArgumentParser(prog='python3 -m tests.boot', description=__doc__.partition('\n')[0])
    parser.add_argument('image', type=Path, metavar='IMAGE', help='a qcow2 or raw disk of "node build"')
    parser.add_argument('--kvm', action='store_true', help='let the processor help; it must be able to')
    parser.add_argument('--serial', type=Path, metavar='FILE', help='keep what the machine says on its console')
    args = parser.parse_args()
    if missing := [name for name in ('qemu-system-x86_64', 'qemu-img', 'genisoimage', 'ssh') if not shutil.which(name)]:
        parser.error(f'not installed: {", ".join(missing)}; '
                     'apt-get install qemu-system-x86 qemu-utils genisoimage openssh-client')
    with tempfile.TemporaryDirectory(dir=os.environ.get('TMPDIR', '/var/tmp')) as name:
        folder = Path(name)
        try:
            with machine(args.image.resolve(), folder, args.kvm) as (key, port):
                print(f'ssh as zuul after {wait(key, port):.0f} s')
                return 1 if ask(key, port) else 0
        except TimeoutError as error:
            print(error)
            return 1
        finally:
            if args.serial and (folder / 'serial.log').exists():
                shutil.copy(folder / 'serial.log', args.serial)


if __name__ == '__main__':
    sys.exit(main())
