#!/usr/bin/env python3
"""Make the root of a small image that is what its facts say.

usage: make_root.py FOLDER [FAULT ...]

A FAULT makes it something else; its name says what.
"""
import hashlib
import json
import os
import shutil
import sys

PEM = '-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n'
FILES = {
    'etc/os-release': 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
    'etc/machine-id': '',
    'etc/resolv.conf': '',
    'etc/environment': '',
    'etc/sudoers': '@includedir /etc/sudoers.d\n',
    'etc/sudoers.d/zuul': 'zuul ALL=(ALL) NOPASSWD:ALL\n',
    'etc/ssh/sshd_config': '',
    'etc/apt/apt.conf.d/01autoremove': '# nothing\n',
    'usr/bin/dpkg-query': '',
    'usr/bin/python3.11': '',
    'usr/lib/python3/dist-packages/apt.py': '',
    'usr/tox-env/bin/python': '',
    'usr/tox-env/bin/tox': '',
    'usr/tox-env/lib/python3.11/site-packages/tox-4.30.1.dist-info/METADATA': '',
    'var/lib/dpkg/status': 'Package: git\nStatus: install ok installed\nVersion: 1:2.39.5\n\n'
                           'Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n',
    'usr/share/ca-certificates/mozilla/one.crt': PEM % 'one',
    'etc/ssl/certs/ca-certificates.crt': PEM % 'one',
    'opt/cache/wheels/tox-4.30.1-py3-none-any.whl': 'a wheel',
    'opt/cache/files/get-pip.py': 'print()',
    'opt/git/example.org/project/HEAD': 'ref: refs/heads/main\n',
    'opt/git/example.org/project/packed-refs': '# pack-refs with: peeled\n%s refs/heads/main\n' % ('a' * 40),
}
FAULTS = {    # path -> text; None takes it away
    'global-pip': {'usr/local/bin/pip3': '', 'usr/local/lib/python3.11/dist-packages/pip/__init__.py': ''},
    'changed-wheel': {'opt/cache/wheels/tox-4.30.1-py3-none-any.whl': 'another wheel'},
    'extra-wheel': {'opt/cache/wheels/evil-1-py3-none-any.whl': ''},
    'lost-file': {'opt/cache/files/get-pip.py': None},
    'no-venv': {'usr/tox-env': None},
    'no-command': {'usr/tox-env/bin/tox': None},
    'other-version': {'usr/tox-env/lib/python3.11/site-packages/tox-4.30.1.dist-info': None,
                      'usr/tox-env/lib/python3.11/site-packages/tox-3.28.0.dist-info/METADATA': ''},
    'host-keys': {'etc/ssh/ssh_host_ed25519_key': 'secret', 'etc/ssh/ssh_host_ed25519_key.pub': ''},
    'machine-id': {'etc/machine-id': 'c' * 32 + '\n'},
    'proxy': {'etc/environment': 'https_proxy=http://proxy.example:3128\n',
              'etc/apt/apt.conf.d/90proxy': 'Acquire::http::Proxy "http://proxy.example:3128";\n'},
    'index': {'etc/pip.conf': '[global]\nindex-url = https://example.org/simple\n'},
    'authority': {'usr/local/share/ca-certificates/site.crt': 'x'},
    'bundle': {'etc/ssl/certs/ca-certificates.crt': PEM % 'one' + PEM % 'two'},
    'history': {'root/.bash_history': 'ls\n'},
    'keys': {'root/.ssh/authorized_keys': 'ssh-ed25519 AAAA\n', 'home/zuul/.ssh/id_rsa': 'x'},
    'resolver': {'etc/resolv.conf': 'nameserver 192.0.2.1\n'},
    'sudo-rule': {'etc/sudoers.d/other': 'mallory ALL=(ALL) NOPASSWD:ALL\n'},
    'sudo-mode': {},
    'package': {'var/lib/dpkg/status': 'Package: python3-pip\nStatus: install ok installed\nVersion: 23.0\n'},
    'python': {'usr/bin/python3.12': ''},
    'repository': {'opt/git/example.org/project/packed-refs': '%s refs/heads/main\n' % ('b' * 40)},
    'linked-cache': {'opt/cache/wheels': None},
}


def put(place, files):
    for name, text in files.items():
        path = os.path.join(place, name)
        if text is None:
            (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(path):
            os.unlink(path)    # sudo's files are for reading only
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(path, 0o440 if name.startswith('etc/sudoers') else 0o755 if '/bin/' in name else 0o644)


def digests(place, folder):
    found = {}
    for name in os.listdir(os.path.join(place, folder)):
        with open(os.path.join(place, folder, name), 'rb') as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return {'path': '/' + folder, 'files': found}


def make(place, faults=()):
    shutil.rmtree(place, ignore_errors=True)
    put(place, FILES)
    os.makedirs(os.path.join(place, 'opt/cache/packages'))
    facts = {
        'schema': 1, 'label': 'small', 'built': '2024-01-01T00:00:00Z', 'architecture': 'x86_64', 'profiles': ['node'],
        'os': {'id': 'debian', 'version': '12', 'codename': 'bookworm'}, 'pythons': ['3.11'],
        'tools': {'tox-env': {'tox': '4.30.1'}}, 'commands': {'tox': '/usr/tox-env/bin/tox'},
        'packages': {'git': '1:2.39.5'}, 'missing': {}, 'bytes': {'total': 1000},
        'caches': {
            'wheels': digests(place, 'opt/cache/wheels'), 'files': digests(place, 'opt/cache/files'),
            'packages': digests(place, 'opt/cache/packages'),
            'repositories': {'path': '/opt/git', 'heads': {'example.org/project': 'a' * 40}},
        },
    }
    put(place, {'etc/ci-node-facts.json': json.dumps(facts)})
    for fault in faults:
        put(place, FAULTS[fault])
        if fault == 'sudo-mode':
            os.chmod(os.path.join(place, 'etc/sudoers.d/zuul'), 0o644)
        elif fault == 'linked-cache':
            os.symlink('/opt/cache/wheels', os.path.join(place, 'opt/cache/wheels'))


if __name__ == '__main__':
    make(sys.argv[1], sys.argv[2:])
