#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Repositories on the node with one package each, signed by two different keys.

repository.py make FOLDER    make them, and print the keys' fingerprints and sha256
repository.py digest         print what the package manager's files are
repository.py clean FOLDER   remove all that the tests made
"""
from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys

NAME = 'zuul-repository-try'
OWNERS = ('one', 'two')
APT = ['/etc/apt/sources.list', '/etc/apt/sources.list.d/*', '/etc/apt/keyrings/*', '/etc/apt/trusted.gpg.d/*']
DNF = ['/etc/yum.repos.d/*', '/etc/pki/rpm-gpg/*']
MADE = ['/etc/apt/sources.list.d/*try*', '/etc/apt/sources.list.d/*127-0-0-1*', '/etc/apt/keyrings/*try*',
        '/etc/apt/keyrings/*127-0-0-1*', '/etc/yum.repos.d/try*', '/etc/pki/rpm-gpg/*try*', '/var/lib/apt/lists/*try*',
        '/var/lib/apt/lists/127.0.0.1*', '/var/cache/dnf/try*']


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, timeout=120, text=True, stdout=subprocess.PIPE).stdout


def write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as stream:
        stream.write(text)


def sha256(path: str) -> str:
    with open(path, 'rb') as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def make_apt(folder: str, owner: str, gpg: tuple[str, ...]) -> None:
    base = f'{folder}/www/{owner}'
    # apt takes a file that it has already for the one of a repository, when version and size are the same
    control = (f'Package: {NAME}\nVersion: 1+{owner}\nArchitecture: all\nMaintainer: nobody\n'
               'Description: tries a repository\n')
    write(f'{folder}/tree/DEBIAN/control', control)
    write(f'{folder}/tree/usr/share/{NAME}/hello', f'signed by {owner}\n')
    os.makedirs(base)
    run('dpkg-deb', '--root-owner-group', '--build', f'{folder}/tree', f'{base}/try.deb')
    size = os.path.getsize(f'{base}/try.deb')
    write(f'{base}/Packages', f'{control}Filename: ./try.deb\nSize: {size}\nSHA256: {sha256(f"{base}/try.deb")}\n')
    listed = f'{sha256(f"{base}/Packages")} {os.path.getsize(f"{base}/Packages")} Packages'
    write(f'{base}/Release', f'Origin: self-test\nDate: {run("date", "-Ru").strip()}\nSHA256:\n {listed}\n')
    run(*gpg, '--local-user', owner, '--output', f'{base}/InRelease', '--clearsign', f'{base}/Release')


def make_rpm(folder: str, owner: str, home: str) -> None:
    base = f'{folder}/www/{owner}'
    os.makedirs(base)
    package = glob.glob('/usr/share/rpm-standin/**/hello-*.rpm', recursive=True)[0]
    shutil.copy(package, base)
    run('rpmsign', '--define', f'_gpg_name {owner}', '--define', f'_gpg_path {home}', '--define', '__gpg /usr/bin/gpg',
        '--addsign', f'{base}/{os.path.basename(package)}')
    run('createrepo_c', '--quiet', base)


def make(folder: str) -> None:
    clean(folder)
    home = f'{folder}/gnupg'
    os.makedirs(home, mode=0o700)
    gpg = ('gpg', '--homedir', home, '--batch', '--quiet', '--passphrase', '', '--pinentry-mode', 'loopback')
    told = {}
    for owner in OWNERS:
        run(*gpg, '--quick-generate-key', owner, 'rsa2048', 'sign', 'never')
        if os.path.isdir('/etc/apt'):
            make_apt(folder, owner, gpg)
        else:
            make_rpm(folder, owner, home)
        run(*gpg, '--armor', '--output', f'{folder}/www/{owner}.asc', '--export', owner)
        run(*gpg, '--output', f'{folder}/www/{owner}.gpg', '--export', owner)
        lines = run(*gpg, '--with-colons', '--list-keys', owner).splitlines()
        with open(f'{folder}/www/{owner}.asc', encoding='ascii') as stream:
            told[owner] = {'fingerprint': next(line.split(':')[9] for line in lines if line.startswith('fpr:')),
                           'asc': sha256(f'{folder}/www/{owner}.asc'), 'gpg': sha256(f'{folder}/www/{owner}.gpg'),
                           'data': stream.read()}
    run('gpgconf', '--homedir', home, '--kill', 'all')
    # apt reads as a user of its own
    run('chmod', '-R', 'a+rX', f'{folder}/www')
    os.chmod(folder, 0o755)
    print(json.dumps(told))


def clean(folder: str) -> None:
    for pattern in [*MADE, folder]:
        for path in glob.glob(pattern):
            run('rm', '-rf', path)


def digest() -> None:
    files = sorted(path for pattern in [*APT, *DNF] for path in glob.glob(pattern) if os.path.isfile(path))
    print(json.dumps({path: sha256(path) for path in files}))


if __name__ == '__main__':
    {'make': make, 'clean': clean, 'digest': digest}[sys.argv[1]](*sys.argv[2:])
