# SPDX-License-Identifier: Apache-2.0
"""ZooKeeper: one server; its client protocol is spoken here as far as its proof needs it."""
from __future__ import annotations

import os
import shutil
import socket
import struct
from typing import Any, Dict, List

from ansible.module_utils.ensure_service_engine import PATH
from ansible.module_utils.ensure_service_spoken import KEY, Spoken, Wrong, line

CREATE, READ, CLOSE = 1, 4, -11     # operations
EPHEMERAL_SEQUENTIAL = 3
JARS = ['/usr/share/java/%s.jar' % name for name in ('zookeeper', 'slf4j-api', 'slf4j-simple', 'log4j-1.2', 'netty')]


class Zookeeper(Spoken):
    """The server of the distribution, run by Java itself: the scripts around it differ from release to release."""

    TITLE = 'ZooKeeper'
    PACKAGES = {'Debian': ['zookeeper']}
    PROGRAMS = ('java',)
    UNIT = 'zookeeper.service'
    DATA = '/var/lib/zookeeper/tests'
    DEFAULTS = {'version': 'latest', 'ram': True, 'eatmydata': False, 'tls': False, 'port': 2181, 'durable': False}
    CALLED = {'version': 'zookeeper_version', 'ram': 'zookeeper_use_tmpfs', 'eatmydata': 'zookeeper_use_eatmydata',
              'tls': 'zookeeper_use_tls'}
    CONF = '/etc/zookeeper/ensure-zookeeper.cfg'

    def problems(self) -> List[str]:
        """Return what makes no sense."""
        found = []
        if self.set['version'] != 'latest':
            found.append("%s is '%s': there is the distribution's version only. Write 'latest', or leave it unset." % (
                self.name('version'), self.set['version']))
        if self.set['tls']:
            found.append('%s is true: this role provides no certificates. Leave it unset, and talk to 127.0.0.1 '
                         'without.' % self.name('tls'))
        return found

    def packages(self) -> List[str]:
        """Return what it needs."""
        return super().packages() + ['eatmydata'] * self.set['eatmydata']

    def installed(self) -> bool:
        """Return whether all of it is there."""
        programs = ['java'] + ['eatmydata'] * self.set['eatmydata']
        return os.path.exists(JARS[0]) and all(shutil.which(name, path=PATH) for name in programs)

    def files(self) -> Dict[str, str]:
        """Return unit and configuration."""
        pairs = {'clientPort': self.set['port'], 'clientPortAddress': '127.0.0.1', 'dataDir': self.data(),
                 'tickTime': 2000, 'maxClientCnxns': 0, 'admin.enableServer': 'false', '4lw.commands.whitelist': '*',
                 'forceSync': 'yes' if self.set['durable'] else 'no'}
        words = ['eatmydata'] * self.set['eatmydata'] + [
            'java', '-Xmx512m', '-Djava.net.preferIPv4Stack=true', '-cp', ':'.join(JARS),
            'org.apache.zookeeper.server.ZooKeeperServerMain', self.CONF]
        words[0] = str(shutil.which(words[0], path=PATH))
        text = '# of the role ensure-zookeeper\n' + ''.join('%s=%s\n' % pair for pair in sorted(pairs.items()))
        # Java ends with 143 when it is told to end
        unit = self.unit_file('zookeeper', ['ExecStart=' + ' '.join(words), 'SuccessExitStatus=143'])
        return {self.CONF: text, **unit}

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
        return {'host': '127.0.0.1', 'port': self.set['port'], 'url': 'zookeeper://' + self.where(),
                'data': self.data(), 'environment': {'ZOOKEEPER_HOSTS': self.where()}}


def buffer(data: bytes) -> bytes:
    """Return bytes, or a text, as ZooKeeper takes them."""
    return struct.pack('>i', len(data)) + data
