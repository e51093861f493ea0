# SPDX-License-Identifier: Apache-2.0
"""Services that are asked in their own protocol, by this module itself: memcached, Redis and etcd."""
from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import struct
from http.client import HTTPConnection, HTTPException
from typing import Any, Callable, Dict, List, Sequence
from urllib.parse import quote

from ansible.module_utils import ensure_service_node as node
from ansible.module_utils.ensure_service_engine import PATH, Service

KEY = 'ensure-service-proof'


class Wrong(Exception):
    """The service has answered, and with something else than what it should; the text is for people."""


class Spoken(Service):
    """A service whose proof is a conversation, and whose unit is ours."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.seen = ''      # the version, once it has been asked

    def ask(self, connection: socket.socket) -> None:
        """Store something there and get it back, as the user who was asked for.

        :raises Wrong: it is not as it should be.
        """
        raise NotImplementedError

    def proof(self) -> str:
        """Return why the conversation fails."""
        return self.converse(self.ask, 10)

    def answers(self, seconds: float) -> str:
        """Return why the conversation fails."""
        return self.converse(self.ask, seconds)

    def version(self) -> str:
        """Return the version that it has told."""
        return self.seen

    def converse(self, talk: Callable[[socket.socket], None], seconds: float, port: int = 0) -> str:
        """Return why *talk* fails; empty when it does not.

        :param port: another than that of the service.
        """
        try:
            with socket.create_connection(('127.0.0.1', port or self.set['port']), min(seconds, 10)) as connection:
                talk(connection)
        except (OSError, EOFError, ValueError, struct.error, HTTPException, Wrong) as error:
            return str(error) or type(error).__name__
        return ''

    def where(self) -> str:
        """Return host and port."""
        return '127.0.0.1:%d' % self.set['port']

    def unit_file(self, user: str, lines: Sequence[str]) -> Dict[str, str]:
        """Return {path: text} of a unit of ours, which stands in for that of the distribution.

        That one has settings that some containers cannot keep, and names files of configuration that have more in them.
        """
        folder = ['ExecStartPre=+/usr/bin/install -d -o %s -m 0750 %s' % (user, self.data())] if self.data() else []
        text = '\n'.join(['# of the role ' + self.role, '[Unit]', 'Description=%s for tests' % self.TITLE,
                          'After=network.target', '', '[Service]', 'User=' + user, *folder, *lines, 'LimitNOFILE=65536',
                          '', '[Install]', 'WantedBy=multi-user.target', ''])
        return {node.UNITS + self.unit(): text}


class Memcached(Spoken):
    """A cache that has neither users nor data that stay."""

    TITLE = 'memcached'
    PACKAGES = {'Debian': ['memcached'], 'RedHat': ['memcached'], 'Suse': ['memcached']}
    PROGRAMS = ('memcached',)
    UNIT = 'memcached.service'
    DEFAULTS = {'port': 11211, 'memory': 64}

    def problems(self) -> List[str]:
        """Return what makes no sense."""
        return few_megabytes(self)

    def files(self) -> Dict[str, str]:
        """Return the unit."""
        user = 'memcache' if self.family == 'Debian' else 'memcached'
        return self.unit_file(user, ['ExecStart=%s --listen=127.0.0.1 --port=%d --memory-limit=%d --conn-limit=4096' % (
            shutil.which('memcached', path=PATH), self.set['port'], self.set['memory'])])

    def ask(self, connection: socket.socket) -> None:
        """Store a value, get it, and remove it."""
        stream = connection.makefile('rwb')
        for words, wanted in (('version', 'VERSION '), ('set %s 0 60 2\r\nok' % KEY, 'STORED'),
                              ('get ' + KEY, 'VALUE %s 0 2' % KEY), ('', 'ok'), ('', 'END'),
                              ('delete ' + KEY, 'DELETED')):
            if words:
                stream.write(words.encode() + b'\r\n')
                stream.flush()
            said = line(stream)
            if not said.startswith(wanted):
                raise Wrong("it says '%s' to '%s'" % (said, words.splitlines()[0] if words else 'get'))
            self.seen = said[len(wanted):] if words == 'version' else self.seen

    def facts(self) -> Dict[str, Any]:
        """Return where it is."""
        return {'host': '127.0.0.1', 'port': self.set['port'], 'url': 'memcached://' + self.where(),
                'environment': {'MEMCACHE_SERVERS': self.where()}}


class Redis(Spoken):
    """Redis, or Valkey where the distribution has that."""

    TITLE = 'Redis'
    PACKAGES = {'Debian': ['redis-server'], 'RedHat': ['redis'], 'Suse': ['redis']}
    PROGRAMS = ('valkey-server', 'redis-server')
    DATA = '/var/lib/ensure-redis'
    DEFAULTS = {'port': 6379, 'password': '', 'memory': 0, 'durable': False}
    CONF = '/etc/ensure-redis.conf'

    def problems(self) -> List[str]:
        """Return what makes no sense."""
        return few_megabytes(self, none=True)

    def packages(self) -> List[str]:
        """Return Valkey's where the distribution has both."""
        if self.release.get('ID') == 'debian' and int(self.release.get('VERSION_ID') or 99) >= 13:
            return ['valkey-server']
        return super().packages()

    def _program(self) -> str:
        return next(path for path in (shutil.which(name, path=PATH) for name in self.PROGRAMS) if path)

    def _kind(self) -> str:
        return 'valkey' if 'valkey' in self._program() else 'redis'

    def unit(self) -> str:
        """Return the distribution's name of the unit."""
        return self._kind() + ('-server.service' if self.family == 'Debian' else '.service')

    def files(self) -> Dict[str, str]:
        """Return unit and configuration."""
        pairs = {'bind': '127.0.0.1', 'port': self.set['port'], 'dir': self.data(), 'supervised': 'systemd',
                 'appendonly': 'yes' if self.set['durable'] else 'no'}
        if not self.set['durable']:
            pairs['save'] = '""'
        if self.set['password']:
            pairs['requirepass'] = '"%s"' % ''.join('\\x%02x' % byte for byte in self.set['password'].encode())
        if self.set['memory']:
            pairs['maxmemory'] = '%dmb' % self.set['memory']
        text = '# of the role ensure-redis\n' + ''.join('%s %s\n' % pair for pair in sorted(pairs.items()))
        return {self.CONF: text, **self.unit_file(self._kind(), [
            'Type=notify', 'ExecStart=%s %s' % (self._program(), self.CONF)])}

    def ask(self, connection: socket.socket) -> None:
        """Store a value, get it, and remove it."""
        stream = connection.makefile('rwb')

        def command(*words: str) -> str:
            data = [word.encode() for word in words]
            stream.write(b'*%d\r\n' % len(data) + b''.join(b'$%d\r\n%s\r\n' % (len(one), one) for one in data))
            stream.flush()
            said = line(stream)
            if said.startswith('-'):
                raise Wrong(said[1:])
            if said.startswith('$') and said != '$-1':
                return stream.read(int(said[1:]) + 2)[:-2].decode('utf-8', 'replace')
            return said
        if self.set['password']:
            command('AUTH', self.set['password'])
        command('SET', KEY, 'ok', 'EX', '60')
        got = command('GET', KEY)
        if got != 'ok':
            raise Wrong("it gives '%s' back for 'ok'" % got)
        command('DEL', KEY)
        told = dict(re.findall(r'^(\w+_version):(\S+)', command('INFO', 'server'), re.M))
        self.seen = told.get('valkey_version') or told.get('redis_version', '')

    def facts(self) -> Dict[str, Any]:
        """Return where it is."""
        secret = 'default:%s@' % quote(self.set['password'], safe='') if self.set['password'] else ''
        url = 'redis://%s%s/0' % (secret, self.where())
        return {'host': '127.0.0.1', 'port': self.set['port'], 'url': url, 'data': self.data(),
                'environment': {'REDIS_URL': url}}


class Etcd(Spoken):
    """One member of etcd, without users."""

    TITLE = 'etcd'
    PACKAGES = {'Debian': ['etcd-server', 'etcd-client'], 'RedHat': ['etcd'], 'Suse': ['etcd']}
    PROGRAMS = ('etcd',)
    UNIT = 'etcd.service'
    DATA = '/var/lib/etcd/tests'
    DEFAULTS = {'port': 2379, 'peer_port': 2380, 'ram': False, 'durable': False}

    def problems(self) -> List[str]:
        """Return what makes no sense."""
        port = self.set['peer_port']
        if 1024 <= port <= 65535 and port != self.set['port']:
            return []
        return ['%s is %d: allowed are 1024 to 65535, and not that of clients.' % (self.name('peer_port'), port)]

    def ports(self) -> Dict[str, int]:
        """Return its ports."""
        return {**super().ports(), 'peer_port': self.set['peer_port']}

    def files(self) -> Dict[str, str]:
        """Return the unit."""
        peer = 'http://127.0.0.1:%d' % self.set['peer_port']
        settings = {'NAME': 'tests', 'DATA_DIR': self.data(), 'LISTEN_CLIENT_URLS': 'http://' + self.where(),
                    'ADVERTISE_CLIENT_URLS': 'http://' + self.where(), 'LISTEN_PEER_URLS': peer,
                    'INITIAL_ADVERTISE_PEER_URLS': peer, 'INITIAL_CLUSTER': 'tests=' + peer}
        if not self.set['durable']:
            settings['UNSAFE_NO_FSYNC'] = 'true'
        lines = ['Environment=ETCD_%s=%s' % pair for pair in sorted(settings.items())]
        return self.unit_file('etcd', ['Type=notify', *lines, 'ExecStart=%s' % shutil.which('etcd', path=PATH)])

    def ask(self, connection: socket.socket) -> None:
        """Store a value, get it, and remove it."""
        http = HTTPConnection('127.0.0.1', self.set['port'])
        http.sock = connection

        def command(path: str, **fields: str) -> Dict[str, Any]:
            body = json.dumps({name: base64.b64encode(text.encode()).decode() for name, text in fields.items()})
            http.request('POST' if fields else 'GET', path, body if fields else None)
            reply = http.getresponse()
            text = reply.read()
            if reply.status != 200:
                raise Wrong('it answers %d: %s' % (reply.status, text.decode('utf-8', 'replace').strip()))
            return dict(json.loads(text))
        self.seen = str(command('/version')['etcdserver'])
        api = '/v3beta' if self.seen.startswith('3.3.') else '/v3'
        command(api + '/kv/put', key=KEY, value='ok')
        got = command(api + '/kv/range', key=KEY).get('kvs') or [{}]
        if got[0].get('value') != base64.b64encode(b'ok').decode():
            raise Wrong("it gives %s back for 'ok'" % got[0].get('value'))
        command(api + '/kv/deleterange', key=KEY)

    def facts(self) -> Dict[str, Any]:
        """Return where it is."""
        return {'host': '127.0.0.1', 'port': self.set['port'], 'url': 'http://' + self.where(), 'data': self.data(),
                'environment': {'ETCDCTL_API': '3', 'ETCDCTL_ENDPOINTS': 'http://' + self.where()}}


def few_megabytes(service: Service, none: bool = False) -> List[str]:
    """Return what is wrong with the memory that a service may use."""
    least = 0 if none else 1
    if least <= service.set['memory'] <= 65536:
        return []
    return ['%s is %d: allowed are %d to 65536 megabytes%s.' % (
        service.name('memory'), service.set['memory'], least, ', 0 for no limit' if none else '')]


def line(stream: Any) -> str:
    """Return a line of a conversation, without its end.

    :raises EOFError: the other side hung up.
    """
    said = bytes(stream.readline(65536))
    if not said.endswith(b'\n'):
        raise EOFError('it closed the connection')
    return said.decode('utf-8', 'replace').rstrip('\r\n')
