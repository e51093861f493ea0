"""ZooKeeper as Debian has it, on a TLS port alone."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from tests.e2e.certificates import Certificates
from tests.e2e.work import Service, Work, free_ports

JARS = '/usr/share/java'
# zookeeper.jar names neither of these two in its class path, and every TLS connection needs both.
CLASS_PATH = ('zookeeper', 'netty-codec', 'netty-resolver', 'slf4j-simple')
SECONDS = 60


@dataclass(frozen=True)
class ZooKeeper:
    """A server, and where it listens."""

    service: Service
    port: int
    certificates: Certificates

    def answers(self) -> bool:
        """Return whether it says that it is well."""
        trust = ssl.create_default_context(cafile=str(self.certificates.authority))
        trust.load_cert_chain(self.certificates.client, self.certificates.client_key)
        with socket.create_connection(('127.0.0.1', self.port), 5) as plain, \
                trust.wrap_socket(plain, server_hostname='localhost') as connection:
            connection.sendall(b'ruok')
            return connection.recv(4) == b'imok'


def start(work: Work, certificates: Certificates) -> ZooKeeper:
    """Start it."""
    folder = work.place('zookeeper')
    port, = free_ports(1)
    settings = folder / 'zoo.cfg'
    settings.write_text(f'''\
tickTime=2000
dataDir={work.place('zookeeper', 'data')}
secureClientPort={port}
secureClientPortAddress=127.0.0.1
serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
ssl.keyStore.location={certificates.server}
ssl.keyStore.type=PEM
ssl.trustStore.location={certificates.authority}
ssl.trustStore.type=PEM
admin.enableServer=false
4lw.commands.whitelist=ruok
maxClientCnxns=0
''')
    class_path = ':'.join(f'{JARS}/{name}.jar' for name in CLASS_PATH)
    service = Service(work, 'zookeeper', (
        'java', '-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', class_path,
        'org.apache.zookeeper.server.quorum.QuorumPeerMain', settings))
    return ZooKeeper(service, port, certificates)
