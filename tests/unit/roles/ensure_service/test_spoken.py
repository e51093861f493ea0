# SPDX-License-Identifier: Apache-2.0
"""Conversations with services, played by servers that say what a table says."""
from __future__ import annotations

import base64
import contextlib
import json
import socket
import struct
import threading
import unittest
from collections.abc import Iterator
from typing import Any
from unittest import mock

from tests.unit.roles import module_utils
from tests.unit.roles.ensure_service.test_engine import made

node: Any = module_utils('ensure_service_node')
rabbitmq: Any = module_utils('ensure_service_rabbitmq')
spoken: Any = module_utils('ensure_service_spoken')
zookeeper: Any = module_utils('ensure_service_zookeeper')


def everything(connection: socket.socket) -> bytes:
    """Return what is heard until there is a pause."""
    connection.settimeout(5)
    heard = connection.recv(65536)
    connection.settimeout(0.02)
    with contextlib.suppress(TimeoutError):
        while more := connection.recv(65536):
            heard += more
    return heard


@contextlib.contextmanager
def server(*said: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Answer with *said*, one after each thing that is heard, whatever it is; yields (port, what was heard)."""
    heard: list[bytes] = []
    with socket.create_server(('127.0.0.1', 0)) as waiting:
        def play() -> None:
            with contextlib.suppress(OSError):
                connection, _ = waiting.accept()
                with connection:
                    for one in said:
                        heard.append(everything(connection))
                        connection.sendall(one)
                    connection.shutdown(socket.SHUT_WR)
                    heard.append(everything(connection))
        thread = threading.Thread(target=play)
        thread.start()
        yield waiting.getsockname()[1], heard
        thread.join(10)


class TestMemcached(unittest.TestCase):
    def test_conversations(self) -> None:
        good = (b'VERSION 1.6\r\n', b'STORED\r\n', b'VALUE ensure-service-proof 0 2\r\nok\r\nEND\r\n',
                b'DELETED\r\n')
        cases = [(good, ''), ((b'VERSION 1.6\r\n', b'SERVER_ERROR out of memory\r\n'),
                              "it says 'SERVER_ERROR out of memory' to 'set ensure-service-proof 0 60 2'"),
                 ((b'-ERR unknown command\r\n',), "it says '-ERR unknown command' to 'version'"),
                 ((b'VERS',), 'it closed the connection')]
        for said, wanted in cases:
            with self.subTest(wanted), server(*said) as (port, _):
                service = made('memcached', port=port)
                self.assertEqual(service.proof(), wanted)
                if not wanted:
                    self.assertEqual(service.version(), '1.6')

    def test_nobody_there(self) -> None:
        with socket.create_server(('127.0.0.1', 0)) as taken:
            port = taken.getsockname()[1]
        self.assertIn('Connection refused', made('memcached', port=port).proof())


class TestRedis(unittest.TestCase):
    def test_conversations(self) -> None:
        info = b'# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.1.1\r\n'
        good = (b'+OK\r\n', b'+OK\r\n', b'$2\r\nok\r\n', b':1\r\n', b'$%d\r\n%s\r\n' % (len(info), info))
        cases = [(good, ''),
                 ((b'-WRONGPASS invalid username-password pair\r\n',), 'WRONGPASS invalid username-password pair'),
                 ((b'+OK\r\n', b'+OK\r\n', b'$-1\r\n'), "it gives '$-1' back for 'ok'")]
        for said, wanted in cases:
            with self.subTest(wanted), server(*said) as (port, heard):
                service = made('redis', port=port, password='ü')
                self.assertEqual(service.proof(), wanted)
            self.assertEqual(heard[0], '*2\r\n$4\r\nAUTH\r\n$2\r\nü\r\n'.encode())
            if not wanted:
                self.assertEqual(service.version(), '8.1.1')

    def test_files(self) -> None:
        with mock.patch('shutil.which', lambda name, path: '/usr/bin/' + name if name == 'redis-server' else None):
            service = made('redis', password='a"b', memory=5)
            text = service.files()['/etc/ensure-redis.conf']
            self.assertEqual(service.unit(), 'redis-server.service')
        self.assertIn('requirepass "\\x61\\x22\\x62"\n', text)
        self.assertIn('maxmemory 5mb\n', text)
        self.assertIn('bind 127.0.0.1\n', text)

    def test_packages(self) -> None:
        for release, wanted in (('12', 'redis-server'), ('13', 'valkey-server')):
            self.assertEqual(made('redis', f'ID=debian\nVERSION_ID="{release}"\n').packages(), [wanted])
        self.assertEqual(made('redis', 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n').packages(), ['redis-server'])


def http(status: str, **fields: Any) -> bytes:
    body = json.dumps(fields).encode()
    return b'HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s' % (status.encode(), len(body), body)


class TestEtcd(unittest.TestCase):
    def test_conversations(self) -> None:
        ok = base64.b64encode(b'ok').decode()
        for version, api in (('3.3.25', b'/v3beta/'), ('3.5.16', b'/v3/')):
            with server(http('200 OK', etcdserver=version), http('200 OK'), http('200 OK', kvs=[{'value': ok}]),
                        http('200 OK')) as (port, heard):
                service = made('etcd', port=port)
                self.assertEqual((service.proof(), service.version()), ('', version))
            self.assertTrue(heard[1].startswith(b'POST ' + api + b'kv/put '))
        with server(http('200 OK', etcdserver='3.5'), http('503 Unavailable', error='no leader')) as (port, _):
            self.assertEqual(made('etcd', port=port).proof(), 'it answers 503: {"error": "no leader"}')


def frame(kind: int, number: int, payload: bytes) -> bytes:
    return struct.pack('>BHL', kind, number, len(payload)) + payload + b'\xce'


def method(of: int, name: int, arguments: bytes = b'', number: int = 0) -> bytes:
    return frame(1, number, struct.pack('>HH', of, name) + arguments)


class TestRabbitmq(unittest.TestCase):
    start = method(10, 10, b'\0\x09' + rabbitmq.long(b'\x07versionS' + rabbitmq.long(b'3.10.8'))
                   + rabbitmq.long(b'PLAIN'))
    tune = method(10, 30, struct.pack('>HLH', 2047, 131072, 60))

    def proof(self, *said: bytes) -> tuple[str, Any, list[bytes]]:
        with server(*said) as (port, heard):
            service = made('rabbitmq', port=port)
            with mock.patch.object(node, 'read', lambda path: service.definitions()):
                return service.proof(), service, heard

    def test_a_message_goes_through(self) -> None:
        got = method(60, 71, b'', 1) + frame(2, 1, struct.pack('>HHQH', 60, 0, 2, 0)) + frame(3, 1, b'ok')
        declared = method(50, 11, rabbitmq.short('amq.gen-1') + bytes(8), 1)
        why, service, heard = self.proof(
            self.start, self.tune, method(10, 41), method(20, 11, b'\0\0\0\0', 1), declared, got, method(10, 51))
        self.assertEqual((why, service.version()), ('', '3.10.8'))
        self.assertIn(b'\0openstack_citest\0openstack_citest', heard[1])

    def test_the_brokers_reason_is_told(self) -> None:
        reason = 'ACCESS_REFUSED - Login was refused'
        close = method(10, 50, struct.pack('>H', 403) + rabbitmq.short(reason) + bytes(4))
        self.assertEqual(self.proof(self.start, close)[0], reason)
        self.assertEqual(self.proof(b'HTTP/1.1 400 Bad Request\r\n\r\n')[0], 'it closed the connection')
        self.assertEqual(self.proof(self.start, method(10, 20))[0], 'it answers (10, 20), and not (10, 30)')

    def test_who_has_not_been_made_is_not_asked_for(self) -> None:
        with mock.patch.object(node, 'read', lambda path: ''):
            self.assertIn('has not been made yet', made('rabbitmq').proof())

    def test_definitions(self) -> None:
        found = json.loads(made('rabbitmq', password='test12', vhost='x').definitions())
        # the broker's own recipe: base64(salt + sha256(salt + password))
        raw = base64.b64decode(found['users'][0]['password_hash'])
        self.assertEqual(len(raw), 36)
        self.assertEqual(found['permissions'][0]['vhost'], 'x')

    def test_facts(self) -> None:
        self.assertEqual(made('rabbitmq', password='a b').facts()['url'], 'amqp://openstack_citest:a%20b@127.0.0.1:5672/%2F')


class TestZookeeper(unittest.TestCase):
    def test_conversations(self) -> None:
        begun = zookeeper.buffer(struct.pack('>iiq', 0, 10000, 7) + zookeeper.buffer(bytes(16)))

        def reply(error: int = 0, more: bytes = b'') -> bytes:
            return zookeeper.buffer(struct.pack('>iqi', 1, 1, error) + more)
        self.assertEqual(self.proof(begun, reply(-101)), 'it answers operation 1 with error -101')
        self.assertEqual(self.proof(begun, reply(0, zookeeper.buffer(b'/x-1')), reply(0, zookeeper.buffer(b'no'))),
                         "it does not give 'ok' back")
        self.assertEqual(self.proof(b''), 'it closed the connection')

    def proof(self, *said: bytes) -> str:
        with server(*said) as (port, _):
            return str(made('zookeeper', port=port).proof())

    def test_files(self) -> None:
        with mock.patch('shutil.which', lambda name, path: '/usr/bin/' + name):
            files = made('zookeeper', eatmydata=True, ram=False).files()
        self.assertIn('dataDir=/var/lib/zookeeper/tests\n', files['/etc/zookeeper/ensure-zookeeper.cfg'])
        self.assertIn('ExecStart=/usr/bin/eatmydata java ', files['/etc/systemd/system/zookeeper.service'])

    def test_with_tls(self) -> None:
        with mock.patch('shutil.which', lambda name, path: '/usr/bin/' + name):
            service = made('zookeeper', tls=True, ca_dir='/opt/ca')
            conf = service.files()['/etc/zookeeper/ensure-zookeeper.cfg']
        for line in ('clientPort=2181', 'secureClientPort=2281', 'secureClientPortAddress=127.0.0.1',
                     'ssl.keyStore.location=/opt/ca/keystores/localhost.pem'):
            self.assertIn(line + '\n', conf)
        self.assertEqual(service.ports(), {'port': 2181, 'tls_port': 2281})
        self.assertEqual(service.facts()['tls_key'], '/opt/ca/keys/clientkey.pem')
        self.assertIn('the certificates in /opt/ca cannot be used: ', service._encrypted())


class TestUnits(unittest.TestCase):
    def test_no_text_of_a_project_gets_into_a_unit(self) -> None:
        hostile = 'x%n$HOME\\"'
        with mock.patch('shutil.which', lambda name, path: '/usr/bin/' + name):
            for service in ('memcached', 'redis', 'etcd', 'rabbitmq', 'zookeeper'):
                settings: dict[str, Any] = {'password': hostile} if service in ('redis', 'rabbitmq') else {}
                for path, text in made(service, **settings).files().items():
                    with self.subTest(service, path=path):
                        self.assertNotIn(hostile, text)

    def test_the_distributions_unit_is_stood_in_for(self) -> None:
        with mock.patch('shutil.which', lambda name, path: '/usr/bin/' + name):
            text = made('etcd', ram=True).files()['/etc/systemd/system/etcd.service']
        self.assertIn('ExecStartPre=+/usr/bin/install -d -o etcd -m 0750 /run/ensure-service/etcd\n', text)
        self.assertIn('Environment=ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:2379\n', text)
        self.assertIn('Environment=ETCD_UNSAFE_NO_FSYNC=true\n', text)
        self.assertIn('User=etcd\n', text)
