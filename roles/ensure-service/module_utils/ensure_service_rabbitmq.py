# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ: one node, whose client protocol, AMQP 0-9-1, is spoken here as far as its proof needs it."""
from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
from typing import Any, Dict, List, Tuple
from urllib.parse import quote

from ansible.module_utils import ensure_service_node as node
from ansible.module_utils.ensure_service_engine import Refused
from ansible.module_utils.ensure_service_spoken import Spoken, Wrong

METHOD, HEADER, BODY = 1, 2, 3      # types of frames
CLOSE, CLOSE_CHANNEL = (10, 50), (20, 40)
NODE = 'rabbit@localhost'


class Rabbitmq(Spoken):
    """A broker that, like the port mapper that it starts, hears the node itself only."""

    TITLE = 'RabbitMQ'
    PACKAGES = {'Debian': ['rabbitmq-server'], 'RedHat': ['rabbitmq-server'], 'Suse': ['rabbitmq-server']}
    PROGRAMS = ('rabbitmq-server',)
    UNIT = 'rabbitmq-server.service'
    DATA = '/var/lib/rabbitmq/tests'
    DEFAULTS = {'user': 'openstack_citest', 'password': 'openstack_citest', 'vhost': '/', 'port': 5672, 'ram': False}
    DEFINITIONS = '/etc/rabbitmq/ensure-rabbitmq.json'

    def problems(self) -> List[str]:
        """Return what makes no sense."""
        found = []
        if not re.fullmatch(r'[A-Za-z0-9_./-]{1,100}', self.set['vhost']):
            found.append("%s is '%s': allowed are letters, digits and './_-', at most 100. Write e.g. '/'." % (
                self.name('vhost'), self.set['vhost']))
        if not self.set['password']:
            found.append('%s is empty: RabbitMQ lets nobody in without one.' % self.name('password'))
        return found

    def files(self) -> Dict[str, str]:
        """Return unit and configuration."""
        settings = ['NODENAME=' + NODE, 'NODE_IP_ADDRESS=127.0.0.1', 'NODE_PORT=%d' % self.set['port'],
                    'MNESIA_BASE=' + self.data(), 'LOGS=-',
                    'SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}']
        unit = self.unit_file('rabbitmq', [
            'Type=notify', 'NotifyAccess=all', 'TimeoutStartSec=600', 'Environment=HOME=/var/lib/rabbitmq',
            'Environment=ERL_EPMD_ADDRESS=127.0.0.1', *('Environment="RABBITMQ_%s"' % one for one in settings),
            'ExecStart=/usr/sbin/rabbitmq-server',
            # the port mapper outlives the broker: systemd would wait for it, in a container in vain
            'ExecStop=/usr/sbin/rabbitmqctl --node %s shutdown' % NODE, 'KillMode=process'])
        return {'/etc/rabbitmq/enabled_plugins': '[].\n', **unit}

    def definitions(self) -> str:
        """Return users and so on as RabbitMQ imports them. The salt makes no difference: the password is no secret."""
        secret = self.set['password'].encode()
        salt = hashlib.sha256(secret).digest()[:4]
        hashed = base64.b64encode(salt + hashlib.sha256(salt + secret).digest()).decode()
        return json.dumps({
            'users': [{'name': self.set['user'], 'password_hash': hashed, 'tags': 'administrator',
                       'hashing_algorithm': 'rabbit_password_hashing_sha256'}],
            'vhosts': [{'name': self.set['vhost']}],
            'permissions': [{'user': self.set['user'], 'vhost': self.set['vhost'], 'configure': '.*', 'write': '.*',
                             'read': '.*'}]})

    def accounts(self) -> None:
        """Have user and virtual host."""
        node.write(self.DEFINITIONS, self.definitions())
        done = node.run(['rabbitmqctl', '--node', NODE, 'import_definitions', self.DEFINITIONS], timeout=120)
        if done.code:
            raise Refused('cannot make user and virtual host: ' + done.words)

    def proof(self) -> str:
        """Return why the conversation fails, or what was not asked for before."""
        if node.read(self.DEFINITIONS) != self.definitions():
            return 'the user, or the virtual host, has not been made yet'
        return super().proof()

    def answers(self, seconds: float) -> str:
        """Return why it does not greet."""
        return self.converse(lambda connection: self._greeting(Channel(connection)), seconds)

    def _greeting(self, channel: 'Channel') -> None:
        channel.connection.sendall(b'AMQP\0\0\x09\x01')
        found = re.search(rb'\x07versionS\0\0\0.([0-9.]+)', channel.expect(10, 10), re.S)
        self.seen = found[1].decode() if found else ''

    def ask(self, connection: socket.socket) -> None:
        """Log in, and have a message go through a queue."""
        channel = Channel(connection)
        self._greeting(channel)
        # a server that is told so gives its reason when a password is wrong
        capable = short('authentication_failure_close') + b't\1'
        properties = short('capabilities') + b'F' + long(capable)
        login = '\0%s\0%s' % (self.set['user'], self.set['password'])
        channel.send(10, 11, long(properties) + short('PLAIN') + long(login.encode()) + short('en_US'))
        tune = channel.expect(10, 30)
        channel.send(10, 31, tune[:6] + b'\0\0')
        channel.send(10, 40, short(self.set['vhost']) + short('') + b'\0')
        channel.expect(10, 41)
        channel.number = 1
        channel.send(20, 10, short(''))
        channel.expect(20, 11)
        channel.send(50, 10, b'\0\0' + short('') + b'\4' + long(b''))       # of this connection only
        name = channel.expect(50, 11)
        queue = name[:name[0] + 1]
        channel.send(60, 40, b'\0\0' + short('') + queue + b'\0')
        channel.frame(HEADER, struct.pack('>HHQH', 60, 0, 2, 0))
        channel.frame(BODY, b'ok')
        channel.send(60, 70, b'\0\0' + queue + b'\1')
        channel.expect(60, 71)
        if channel.take()[0] != HEADER or channel.take() != (BODY, b'ok'):
            raise Wrong('it does not give the message back')
        channel.number = 0
        channel.send(10, 50, struct.pack('>H', 200) + short('') + bytes(4))
        channel.expect(10, 51)

    def facts(self) -> Dict[str, Any]:
        """Return where it is."""
        url = 'amqp://%s:%s@%s/%s' % (self.set['user'], quote(self.set['password'], safe=''), self.where(),
                                      quote(self.set['vhost'], safe=''))
        return {'host': '127.0.0.1', 'port': self.set['port'], 'user': self.set['user'], 'vhost': self.set['vhost'],
                'url': url, 'data': self.data(), 'environment': {'AMQP_URL': url, 'CELERY_BROKER_URL': url}}


class Channel:
    """Frames of AMQP 0-9-1 over a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.stream, self.number = connection, connection.makefile('rb'), 0

    def frame(self, kind: int, payload: bytes) -> None:
        """Send a frame."""
        self.connection.sendall(struct.pack('>BHL', kind, self.number, len(payload)) + payload + b'\xce')

    def send(self, of: int, method: int, arguments: bytes) -> None:
        """Call a method of a class."""
        self.frame(METHOD, struct.pack('>HH', of, method) + arguments)

    def take(self) -> Tuple[int, bytes]:
        """Return type and payload of the next frame.

        :raises EOFError: the broker hung up.
        """
        head = self.stream.read(7)
        size = struct.unpack('>BHL', head)[2] if len(head) == 7 else 0
        payload = self.stream.read(size + 1)
        if len(head) < 7 or len(payload) < size + 1:
            raise EOFError('it closed the connection')
        return head[0], payload[:-1]

    def expect(self, of: int, method: int) -> bytes:
        """Return the arguments of the broker's next method, which is to be this one.

        :raises Wrong: it is another; when it closes, with its reason.
        """
        kind, payload = self.take()
        called = struct.unpack('>HH', payload[:4])
        if kind == METHOD and called == (of, method):
            return payload[4:]
        if called in (CLOSE, CLOSE_CHANNEL):
            raise Wrong(payload[7:7 + payload[6]].decode('utf-8', 'replace'))
        raise Wrong('it answers %s, and not %s' % (called, (of, method)))


def short(text: str) -> bytes:
    """Return a short string of AMQP."""
    return bytes([len(text.encode())]) + text.encode()


def long(data: bytes) -> bytes:
    """Return a long string, or a table whose fields are *data*."""
    return struct.pack('>L', len(data)) + data
