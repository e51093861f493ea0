#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A mirror on the node, and the node's files as they were before.

mirror.py make FOLDER     make what the node's distribution and Python need of a mirror, as root
mirror.py keep FOLDER     copy the files that tests change to FOLDER, as root
mirror.py back FOLDER     put them back
mirror.py digest          print what these files are, without those of apt's lists
"""
from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile

NAME = 'zuul-mirror-try'
KEYRING = '/usr/share/keyrings/debian-archive-self-test.gpg'
HOME = os.path.expanduser('~' + os.environ.get('SUDO_USER', ''))
PATHS = ['/etc/apt', '/etc/yum.repos.d', '/etc/pip.conf', '/etc/uv',
         f'{HOME}/.npmrc', f'{HOME}/.cargo', f'{HOME}/.config/go']
MORE = ['/var/lib/apt/lists', '/var/lib/zuul-configure-mirrors', KEYRING]


def run(*argv: str, **more: object) -> str:
    return subprocess.run(argv, check=True, timeout=120, text=True, stdout=subprocess.PIPE, **more).stdout


def write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as stream:
        stream.write(text)


def sha256(path: str) -> str:
    with open(path, 'rb') as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def make_deb(folder: str) -> str:
    """Make a package and return what an index says of it; its file is named from the root of the archive."""
    control = f'Package: {NAME}\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: tries a mirror\n'
    write(f'{folder}/tree/DEBIAN/control', control)
    write(f'{folder}/tree/usr/share/{NAME}/hello', 'from the mirror\n')
    run('dpkg-deb', '--root-owner-group', '--build', f'{folder}/tree', f'{folder}/{NAME}.deb')
    size = os.path.getsize(f'{folder}/{NAME}.deb')
    return f'{control}Filename: pool/{NAME}.deb\nSize: {size}\nSHA256: {sha256(f"{folder}/{NAME}.deb")}\n'


def make_apt(folder: str) -> None:
    """Make signed archives of the node's release, with one package, and the keyring that they are signed by."""
    with open('/etc/os-release', encoding='utf-8') as stream:
        codename = re.findall(r'^VERSION_CODENAME=(\w+)', stream.read(), re.M)[0]
    architecture = run('dpkg', '--print-architecture').strip()
    home = f'{folder}/gnupg'
    os.makedirs(home, mode=0o700)
    gpg = ('gpg', '--homedir', home, '--batch', '--quiet', '--passphrase', '', '--pinentry-mode', 'loopback')
    run(*gpg, '--quick-generate-key', 'self-test', 'rsa2048', 'sign', 'never')
    run(*gpg, '--output', KEYRING, '--export')
    os.chmod(KEYRING, 0o644)
    os.makedirs(f'{folder}/build')
    index = make_deb(f'{folder}/build')
    updates, fixes = (codename, f'{codename}-updates'), (f'{codename}-security',)
    for archive, suites in (('debian', updates), ('pub/deb', updates), ('debian-security', fixes),
                            ('pub/debian-security', fixes)):
        os.makedirs(f'{folder}/www/{archive}/pool')
        shutil.copy(f'{folder}/build/{NAME}.deb', f'{folder}/www/{archive}/pool/')
        for suite in suites:
            name = f'main/binary-{architecture}/Packages'
            base = f'{folder}/www/{archive}/dists/{suite}'
            write(f'{base}/{name}', index if suite == codename else '')
            listed = f'{sha256(f"{base}/{name}")} {os.path.getsize(f"{base}/{name}")} {name}'
            write(f'{base}/Release', f'Origin: self-test\nSuite: {suite}\nCodename: {suite}\nComponents: main\n'
                  f'Architectures: {architecture}\nDate: {run("date", "-Ru").strip()}\nSHA256:\n {listed}\n')
            run(*gpg, '--output', f'{base}/InRelease', '--clearsign', f'{base}/Release')
    run('gpgconf', '--homedir', home, '--kill', 'all')


def make_rpm(folder: str) -> None:
    """Copy the stand-in's own repository to where a mirror has it."""
    target = f'{folder}/www/rocky/9/BaseOS/{platform.machine()}/os'
    shutil.copytree('/usr/share/rpm-standin', target)


def make_wheel(folder: str) -> None:
    """Make an index with one wheel."""
    name = 'zuul_mirror_try-1-py3-none-any.whl'
    path = f'{folder}/www/pypi/simple/{NAME}/{name}'
    os.makedirs(os.path.dirname(path))
    info = 'zuul_mirror_try-1.dist-info'
    files = {'zuul_mirror_try.py': 'print("from the mirror")\n',
             f'{info}/METADATA': f'Metadata-Version: 2.1\nName: {NAME}\nVersion: 1\n',
             f'{info}/WHEEL': 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n'}
    with zipfile.ZipFile(path, 'w') as archive:
        for name_in, text in files.items():
            archive.writestr(name_in, text)
        archive.writestr(f'{info}/RECORD', ''.join(f'{one},,\n' for one in [*files, f'{info}/RECORD']))
    write(f'{folder}/www/pypi/simple/{NAME}/index.html', f'<a href="{name}#sha256={sha256(path)}">{name}</a>')


def make(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    make_wheel(folder)
    (make_apt if os.path.isdir('/etc/apt') else make_rpm)(folder)
    # apt reads as a user of its own
    run('chmod', '-R', 'a+rX', folder)


def keep(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o700)
    for number, path in enumerate([*PATHS, *MORE]):
        if os.path.lexists(path):
            run('cp', '-a', path, f'{folder}/{number}')
    # as if the role had never been here
    shutil.rmtree(MORE[1], ignore_errors=True)


def back(folder: str) -> None:
    for number, path in enumerate([*PATHS, *MORE]):
        run('rm', '-rf', path)
        if os.path.lexists(f'{folder}/{number}'):
            run('cp', '-a', f'{folder}/{number}', path)
    shutil.rmtree(folder)


def digest() -> None:
    found = {}
    for top in PATHS:
        for path in [top, *(os.path.join(base, name) for base, _, names in os.walk(top) for name in names)]:
            if os.path.isfile(path):
                state = os.stat(path)
                found[path] = [sha256(path), oct(state.st_mode), state.st_uid, state.st_gid]
    print(json.dumps(found, sort_keys=True))


if __name__ == '__main__':
    {'make': make, 'keep': keep, 'back': back, 'digest': digest}[sys.argv[1]](*sys.argv[2:])
