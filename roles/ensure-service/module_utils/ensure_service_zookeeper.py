# SPDX-License-Identifier: Apache-2.0
"""ZooKeeper: one server; its client protocol is spoken here as far as its proof needs it."""
from __future__ import annotations

import glob
import os
import pwd
import re
import shutil
import socket
import ssl
import struct
from typing import Any, Dict, List

from ansible.module_utils import ensure_service_authority as authority
from ansible.module_utils import ensure_service_node as node
from ansible.module_utils.ensure_service_engine import PATH, Refused
from ansible.module_utils.ensure_service_spoken import KEY, Spoken, Wrong, line

CREATE, READ, CLOSE = 1, 4, -11     # operations
EPHEMERAL_SEQUENTIAL = 3
USER = 'zookeeper'
JARS = ['/usr/share/java/%s.jar' % name for name in ('zookeeper', 'slf4j-api', 'slf4j-simple', 'log4j-1.2', 'netty')]


class Zookeeper(Spoken):
    """The server of the distribution, run by Java itself: the scripts around it differ from release to release."""

    TITLE = 'ZooKeeper'
    # the package zookeeper is a user, and half as much again: the Java of desktops
    PACKAGES = {'Debian': ['libzookeeper-java', 'default-jre-headless']}
    PROGRAMS = ('java',)
    UNIT = 'zookeeper.service'
    DATA = '/var/lib/zookeeper/tests'
    DEFAULTS = {'version': 'latest', 'ram': True, 'eatmydata': False, 'tls': False, 'port': 2181, 'tls_port': 2281,
                'ca_dir': '/opt/zookeeper/ca', 'durable': False}
    CALLED = {'version': 'zookeeper_version', 'ram': 'zookeeper_use_tmpfs', 'eatmydata': 'zookeeper_use_eatmydata',
              'tls': 'zookeeper_use_tls', 'ca_dir': 'zookeeper_ca_dir'}
    TLS_SINCE = {'debian': 12, 'ubuntu': 24}    # the first releases whose ZooKeeper is not 3.4
    CONF = '/etc/zookeeper/ensure-zookeeper.cfg'

    def problems(self) -> List[str]:
        """Return what makes no sense."""
        found = []
        if self.set['version'] != 'latest':
            found.append("%s is '%s': there is the distribution's version only. Write 'latest', or leave it unset." % (
                self.name('version'), self.set['version']))
        folder = self.set['ca_dir']
        if not re.fullmatch('(/[A-Za-z0-9_.+-]+)+', folder) or os.path.normpath(folder) != folder:
            found.append("%s is '%s': it must be a whole path of letters, digits and '_.+-'. Write e.g. "
                         "'/opt/zookeeper/ca'." % (self.name('ca_dir'), folder))
        return found + self._problems_of_tls() if self.set['tls'] else found

    def _problems_of_tls(self) -> List[str]:
        found = []
        kind, number = self.release.get('ID', ''), re.match('[0-9]+', self.release.get('VERSION_ID', ''))
        if number and int(number[0]) < self.TLS_SINCE.get(kind, 0):
            found.append('%s is true: ZooKeeper 3.4, which %s %s has, does not know TLS. Leave it unset, or take a '
                         'newer label.' % (self.name('tls'), kind, number[0]))
        port = self.set['tls_port']
        if not 1024 <= port <= 65535 or port == self.set['port']:
            found.append('%s is %d: allowed are 1024 to 65535, and not that without TLS.' % (
                self.name('tls_port'), port))
        return found

    def packages(self) -> List[str]:
        """Return what it needs."""
        return super().packages() + ['eatmydata'] * self.set['eatmydata'] + ['openssl'] * self.set['tls']

    def installed(self) -> bool:
        """Return whether all of it is there."""
        programs = ['java'] + ['eatmydata'] * self.set['eatmydata'] + ['openssl'] * self.set['tls']
        return os.path.exists(JARS[0]) and all(shutil.which(name, path=PATH) for name in programs)

    def files(self) -> Dict[str, str]:
        """Return unit and configuration."""
        pairs = {'clientPort': self.set['port'], 'clientPortAddress': '127.0.0.1', 'dataDir': self.data(),
                 'tickTime': 2000, 'maxClientCnxns': 0, 'admin.enableServer': 'false', '4lw.commands.whitelist': '*',
                 'forceSync': 'yes' if self.set['durable'] else 'no'}
        jars = JARS
        if self.set['tls']:
            pairs.update({'secureClientPort': self.set['tls_port'], 'secureClientPortAddress': '127.0.0.1',
                          'serverCnxnFactory': 'org.apache.zookeeper.server.NettyServerCnxnFactory',
                          'ssl.keyStore.location': self._of_ca(authority.SERVER),
                          'ssl.trustStore.location': self._of_ca(authority.AUTHORITY)})
            jars = JARS + sorted(glob.glob('/usr/share/java/netty-*.jar'))  # zookeeper.jar does not name all it needs
        words = ['eatmydata'] * self.set['eatmydata'] + [
            'java', '-Xmx512m', '-Djava.net.preferIPv4Stack=true', '-cp', ':'.join(jars),
            'org.apache.zookeeper.server.ZooKeeperServerMain', self.CONF]
        words[0] = str(shutil.which(words[0], path=PATH))
        text = '# of the role ensure-zookeeper\n' + ''.join('%s=%s\n' % pair for pair in sorted(pairs.items()))
        # Java ends with 143 when it is told to end
        unit = self.unit_file(USER, ['ExecStart=' + ' '.join(words), 'SuccessExitStatus=143'])
        return {self.CONF: text, **unit}

    def _of_ca(self, name: str) -> str:
        return os.path.join(self.set['ca_dir'], name)

    def differs(self) -> bool:
        """Return whether settings or certificates are not as asked."""
        return super().differs() or bool(self.set['tls'] and authority.missing(self.set['ca_dir']))

    def configure(self) -> None:
        """Have its user and the certificates, and write the settings."""
        try:
            pwd.getpwnam(USER)
        except KeyError:
            done = node.run(['useradd', '--system', '--no-create-home', '--shell', '/usr/sbin/nologin', USER])
            if done.code:
                raise Refused('useradd: ' + done.words) from None
        if self.set['tls']:
            authority.have(self.set['ca_dir'], ['localhost', socket.gethostname()])
        super().configure()

    def ports(self) -> Dict[str, int]:
        """Return its ports."""
        return {**super().ports(), **({'tls_port': self.set['tls_port']} if self.set['tls'] else {})}

    def proof(self) -> str:
        """Return why the conversation fails, in the clear or encrypted."""
        return super().proof() or self._encrypted()

    def answers(self, seconds: float) -> str:
        """Return why the conversation fails, in the clear or encrypted."""
        return super().answers(seconds) or self._encrypted()

    def _encrypted(self) -> str:
        if not self.set['tls']:
            return ''
        try:
            context = authority.context(self.set['ca_dir'])
        except (OSError, ssl.SSLError) as error:
            return 'the certificates in %s cannot be used: %s' % (self.set['ca_dir'], error)

        def talk(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_hostname='localhost') as encrypted:
                self.ask(encrypted)
        why = self.converse(talk, 10, self.set['tls_port'])
        return why and 'with TLS, at port %d: %s' % (self.set['tls_port'], why)

    def ask(self, connection: socket.socket) -> None:
        """Begin a session, and store and read a node that ends with it."""
        stream = connection.makefile('rb')

        def take() -> bytes:
            head = stream.read(4)
            body = stream.read(struct.unpack('>i', head)[0]) if len(head) == 4 else b''
            if not body:
                raise EOFError('it closed the connection')
            return bytes(body)

        def call(operation: int, arguments: bytes) -> bytes:
            connection.sendall(buffer(struct.pack('>ii', 1, operation) + arguments))
            reply = take()
            error = struct.unpack('>iqi', reply[:16])[2]
            if error:
                raise Wrong('it answers operation %d with error %d' % (operation, error))
            return reply[16:]
        connection.sendall(buffer(struct.pack('>iqiq', 0, 0, 10000, 0) + buffer(bytes(16)) + b'\0'))
        take()
        anyone = struct.pack('>ii', 1, 31) + buffer(b'world') + buffer(b'anyone')
        path = b'/' + KEY.encode() + b'-'
        made = call(CREATE, buffer(path) + buffer(b'ok') + anyone + struct.pack('>i', EPHEMERAL_SEQUENTIAL))
        got = call(READ, made + b'\0')
        if not got.startswith(buffer(b'ok')):
            raise Wrong("it does not give 'ok' back")
        call(CLOSE, b'')
        with socket.create_connection(('127.0.0.1', self.set['port']), 10) as other:
            other.sendall(b'srvr')
            self.seen = line(other.makefile('rb')).partition(': ')[2].partition('-')[0]

    def facts(self) -> Dict[str, Any]:
        """Return where it is."""
        encrypted = {'tls_port': self.set['tls_port'], 'tls_ca': self._of_ca(authority.AUTHORITY),
                     'tls_cert': self._of_ca(authority.CLIENT), 'tls_key': self._of_ca(authority.CLIENT_KEY)}
        return {'host': '127.0.0.1', 'port': self.set['port'], 'url': 'zookeeper://' + self.where(),
                'data': self.data(), 'environment': {'ZOOKEEPER_HOSTS': self.where()},
                **(encrypted if self.set['tls'] else {})}


def buffer(data: bytes) -> bytes:
    """Return bytes, or a text, as ZooKeeper takes them."""
    return struct.pack('>i', len(data)) + data
