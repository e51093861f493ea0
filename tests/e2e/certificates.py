"""An authority of our own, and what it signed: ZooKeeper and those who talk to it know each other by that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.e2e.work import Work
from zuul_local import process

DAYS = '2'


@dataclass(frozen=True)
class Certificates:
    """Files in PEM form.

    :param server: key and certificate in one file, as ZooKeeper takes them.
    """

    authority: Path
    server: Path
    client: Path
    client_key: Path


def make(work: Work) -> Certificates:
    """Make an authority, a certificate for servers at the loopback address, and one for their clients."""
    folder = work.place('certificates')
    authority, key = folder / 'ca.pem', folder / 'ca.key'
    process.run(_request('authority', authority, key))
    for name in ('server', 'client'):
        process.run((*_request('localhost', folder / f'{name}.pem', folder / f'{name}.key'), '-CA', str(authority),
                     '-CAkey', str(key), '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'))
    both = folder / 'server-with-key.pem'
    both.write_bytes((folder / 'server.key').read_bytes() + (folder / 'server.pem').read_bytes())
    both.chmod(0o600)
    return Certificates(authority, both, folder / 'client.pem', folder / 'client.key')


def _request(name: str, certificate: Path, key: Path) -> tuple[str, ...]:
    return ('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', DAYS, '-subj', f'/CN={name}',
            '-out', str(certificate), '-keyout', str(key))
