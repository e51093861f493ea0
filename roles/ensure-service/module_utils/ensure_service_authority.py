# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for one service and its clients on a node. The key of the authority is thrown away."""
from __future__ import annotations

import os
import shutil
import ssl
import tempfile
from typing import List, Sequence

from ansible.module_utils import ensure_service_node as node
from ansible.module_utils.ensure_service_node import Refused

AUTHORITY = 'certs/cacert.pem'
CLIENT, CLIENT_KEY = 'certs/client.pem', 'keys/clientkey.pem'
SERVER = 'keystores/localhost.pem'      # certificate and key
FILES = (AUTHORITY, CLIENT, CLIENT_KEY, SERVER)
DAYS = 3650
# RFC 5280 asks for these, and Python 3.13 does
OF_AUTHORITY = 'keyUsage = critical, keyCertSign, cRLSign'
OF_OTHERS = (
    'basicConstraints = CA:FALSE', 'keyUsage = critical, digitalSignature', 'extendedKeyUsage = serverAuth, clientAuth',
    'subjectKeyIdentifier = hash', 'authorityKeyIdentifier = keyid')
KEY = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes')


def missing(folder: str) -> List[str]:
    """Return which of the files are not in *folder*."""
    return [name for name in FILES if not os.path.isfile(os.path.join(folder, name))]


def have(folder: str, names: Sequence[str]) -> None:
    """Have an authority in *folder*: what is there stays, else all of it is made, whole or not at all.

    All may read it: the keys open what listens to this node alone, and tests need them.

    :param names: what the server is called.
    :raises Refused: it has some of the files and not others, or openssl(1) fails.
    """
    if not missing(folder):
        return
    if os.path.isdir(folder) and os.listdir(folder):
        raise Refused('%s lacks %s. Have them there too, or empty the folder, and they are made.' % (
            folder, ', '.join(missing(folder))))
    parent = os.path.dirname(folder)
    os.makedirs(parent, exist_ok=True)
    scratch = tempfile.mkdtemp(dir=parent)
    try:
        _make(scratch, names)
        for path, _, files in os.walk(scratch):
            os.chmod(path, 0o755)
            for name in files:
                os.chmod(os.path.join(path, name), 0o644)
        os.rename(scratch, folder)      # over an empty one
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _make(folder: str, names: Sequence[str]) -> None:
    for name in FILES:
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
    secret = os.path.join(folder, 'secret')
    _openssl('req', '-x509', *KEY, '-days', str(DAYS), '-subj', '/CN=of this node', '-addext', OF_AUTHORITY,
             '-keyout', secret, '-out', os.path.join(folder, AUTHORITY))
    request, own, extensions = (os.path.join(folder, name) for name in ('request', 'own', 'extensions'))
    called = 'subjectAltName = IP:127.0.0.1, ' + ', '.join('DNS:' + one for one in names)
    node.write(extensions, '\n'.join((*OF_OTHERS, called, '')))
    for number, (name, certificate, key) in enumerate((('client', CLIENT, CLIENT_KEY), ('localhost', SERVER, SERVER))):
        _openssl('req', '-new', *KEY, '-subj', '/CN=' + name, '-keyout', own, '-out', request)
        _openssl('x509', '-req', '-in', request, '-CA', os.path.join(folder, AUTHORITY), '-CAkey', secret, '-days',
                 str(DAYS), '-set_serial', str(number + 1), '-extfile', extensions, '-out',
                 os.path.join(folder, certificate))
        with open(os.path.join(folder, key), 'a', encoding='ascii') as stream:
            stream.write(node.read(own))
    for path in (secret, request, own, extensions):
        os.unlink(path)


def _openssl(*words: str) -> None:
    done = node.run(['openssl', *words])
    if done.code:
        raise Refused('openssl %s: %s' % (words[0], done.words))


def context(folder: str) -> ssl.SSLContext:
    """Return what a client of the server uses."""
    found = ssl.create_default_context(cafile=os.path.join(folder, AUTHORITY))
    found.load_cert_chain(os.path.join(folder, CLIENT), os.path.join(folder, CLIENT_KEY))
    return found
