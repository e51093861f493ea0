# SPDX-License-Identifier: Apache-2.0
"""How a service comes up, with a node that answers as it is told."""
from __future__ import annotations

import unittest
from typing import Any
from unittest import mock

from tests.unit.roles import library, module_utils

module: Any = library('ensure-service', 'ensure_service')
engine: Any = module_utils('ensure_service_engine')
node: Any = module_utils('ensure_service_node')
DEBIAN = 'ID=debian\nVERSION_ID="12"\n'
FEDORA = 'ID=fedora\nVERSION_ID=42\n'


def made(service: str, release: str = DEBIAN, /, timeout: int = 60, **settings: Any) -> Any:
    return module.made({'service': service, 'reported_as': f'ensure-{service}', 'settings': settings,
                        'timeout': timeout}, release)


class Fake(engine.Service):
    """A service whose state is a few attributes."""

    TITLE = 'Fake'
    UNIT = 'fake.service'
    DATA = '/var/lib/fake'
    PACKAGES = {'Debian': ['fake-server']}
    DEFAULTS = {'port': 4321, 'ram': False}

    def __init__(self, **settings: object) -> None:
        super().__init__({**self.DEFAULTS, **settings}, {'ID': 'debian'}, 'ensure-fake')
        self.there, self.as_asked, self.works, self.silent = True, True, True, ''
        self.did: list[str] = []

    def installed(self) -> bool:
        return self.there

    def before(self) -> None:
        self.did.append('before')

    def logs(self) -> list[str]:
        return ['/var/log/fake.log']

    def differs(self) -> bool:
        return not self.as_asked

    def configure(self) -> None:
        self.did.append('configure')
        self.as_asked = True

    def answers(self, seconds: float) -> str:
        return self.silent

    def accounts(self) -> None:
        self.did.append('accounts')
        self.works = True

    def proof(self) -> str:
        return '' if self.works else 'nobody knows this user'

    def version(self) -> str:
        return '1.2'

    def facts(self) -> dict[str, Any]:
        return {'port': self.set['port']}


class TestEnsure(unittest.TestCase):
    def setUp(self) -> None:
        self.active = True
        self.calls: list[str] = []
        self.answers: dict[str, Any] = {}
        self.listeners: list[Any] = []
        for name, value in {
            'is_active': lambda unit: self.active, 'systemctl': self.systemctl, 'journal': lambda unit: 'the last line',
            'tail': lambda path: f'of {path}', 'free': lambda path: 1 << 30, 'listening': lambda port: self.listeners,
            'user_of': lambda unit: 'fake', 'until': lambda seconds: iter([seconds, 0.0]),
        }.items():
            patch = mock.patch.object(node, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def systemctl(self, *words: str, timeout: float = 120) -> Any:
        self.calls.append(words[0])
        return self.answers.get(words[0], node.Answer(0 if words[0] != 'is-failed' else 1, '', ''))

    def refused(self, service: Fake) -> str:
        with self.assertRaises(node.Refused) as raised:
            engine.ensure(service, 'ensure-fake', 60)
        return str(raised.exception)

    def test_missing_packages_are_named_and_nothing_is_started(self) -> None:
        service = Fake()
        service.there = False
        result = engine.ensure(service, 'ensure-fake', 60)
        self.assertEqual((result['missing'], result['changed'], service.did, self.calls),
                         (['fake-server'], True, ['before'], []))

    def test_what_works_is_left_alone(self) -> None:
        service = Fake()
        result = engine.ensure(service, 'ensure-fake', 60)
        self.assertEqual((result['changed'], result['version'], service.did, self.calls), (False, '1.2', [], []))

    def test_what_is_done(self) -> None:
        cases: list[tuple[str, dict[str, bool], bool, list[str], list[str]]] = [
            ('down', {}, False, ['accounts'], ['reset-failed', 'start']),
            ('other settings', {'as_asked': False}, True, ['configure', 'accounts'], ['stop', 'reset-failed', 'start']),
            ('other password', {'works': False}, True, ['accounts'], []),
        ]
        for name, state, active, did, calls in cases:
            with self.subTest(name):
                service, self.active, self.calls = Fake(), active, []
                for attribute, value in state.items():
                    setattr(service, attribute, value)
                result = engine.ensure(service, 'ensure-fake', 60)
                self.assertEqual((result['changed'], service.did, self.calls), (True, did, calls))
                self.assertEqual(result['started'], bool(calls))

    def test_check_mode_changes_nothing(self) -> None:
        service, self.active = Fake(), False
        self.assertTrue(engine.ensure(service, 'ensure-fake', 60, check_mode=True)['changed'])
        self.assertEqual((service.did, self.calls), ([], []))

    def test_a_port_of_somebody_else_is_refused_and_its_own_is_not(self) -> None:
        cases = [
            ([node.Listener('127.0.0.1', 'fake')], ''),
            ([node.Listener('0.0.0.0', 'root', 7, 'nc')],
             'ensure_fake_port is 4321, and process 7 (nc) of user root waits for connections there already, at 0.0'),
            ([node.Listener('::', 'zuul')], 'and a process of user zuul waits for connections there already, at ::.'),
        ]
        for listeners, wanted in cases:
            with self.subTest(wanted):
                service, self.listeners = Fake(), listeners
                service.as_asked = False
                if wanted:
                    self.assertIn(wanted, self.refused(service))
                    self.assertEqual(service.did, [])
                else:
                    self.assertTrue(engine.ensure(service, 'ensure-fake', 60)['started'])

    def test_a_full_disk_is_refused_before_anything_is_stopped(self) -> None:
        cases = [(False, '/var/lib/fake', 'or have it in memory: ensure_fake_ram.'),
                 (True, '/run/ensure-service/fake', 'or set ensure_fake_ram: false.')]
        for ram, path, remedy in cases:
            wanted = f'{path} has 3 MB free, and 128 MB are needed. Make room there, {remedy}'
            with self.subTest(wanted), mock.patch.object(node, 'free', lambda path: 3 << 20):
                service = Fake(ram=ram)
                service.as_asked = False
                self.assertTrue(self.refused(service).endswith(wanted))
                self.assertEqual((service.did, self.calls), ([], []))

    def test_the_daemons_own_words_are_in_the_message(self) -> None:
        logged = ('\n--- the end of journalctl --unit=fake.service\nthe last line'
                  '\n--- the end of /var/log/fake.log\nof /var/log/fake.log')
        cases: list[tuple[str, dict[str, Any], str, str]] = [
            ('not started', {'start': node.Answer(1, '', 'Job failed.\n')}, '', 'Fake cannot be started: Job failed.'),
            ('too slow', {'start': node.Answer(124, '', 'systemctl gave no answer in 60 s')}, '',
             'Fake cannot be started: systemctl gave no answer in 60 s'),
            ('silent', {}, 'refused', 'Fake does not answer within 60 s: refused'),
            ('failed', {'is-failed': node.Answer(0, '', '')}, 'refused',
             'Fake does not answer: fake.service has failed'),
        ]
        for name, answers, silent, wanted in cases:
            with self.subTest(name):
                service, self.active, self.answers = Fake(), False, answers
                service.silent = silent
                self.assertEqual(self.refused(service), f'ensure-fake: {wanted}{logged}')

    def test_a_query_that_does_not_work_in_the_end(self) -> None:
        service = Fake()
        service.works, service.accounts = False, lambda: None      # type: ignore[method-assign]
        self.assertIn('ensure-fake: Fake runs, and a query as anybody does not work: nobody knows this user\n---',
                      self.refused(service))


    def test_what_a_driver_refuses_has_its_place(self) -> None:
        for method, wanted in (('configure', 'ensure-fake: cannot configure Fake: initdb: no room'),
                               ('accounts', 'ensure-fake: Fake runs, and initdb: no room\n---')):
            with self.subTest(method):
                service = Fake()
                service.as_asked = service.works = False
                with mock.patch.object(service, method, side_effect=engine.Refused('initdb: no room')):
                    self.assertTrue(self.refused(service).startswith(wanted), self.refused(service))


class TestMade(unittest.TestCase):
    def refused(self, service: str, release: str = DEBIAN, /, **settings: Any) -> str:
        with self.assertRaises(node.Refused) as raised:
            made(service, release, **settings)
        return str(raised.exception)

    def test_each_service_is_content_with_its_defaults(self) -> None:
        for service in module.SERVICES:
            with self.subTest(service):
                self.assertEqual(made(service).problems(), [])

    def test_refusals(self) -> None:
        cases: list[tuple[str, dict[str, Any], str]] = [
            ('postgresql', {'port': '80'}, 'ensure_postgresql_port is 80: allowed are 1024 to 65535.'),
            ('postgresql', {'port': '-1'}, "ensure_postgresql_port is '-1': it is no whole number."),
            ('postgresql', {'databases': 'x'}, "ensure_postgresql_databases is 'x': it is no list of texts."),
            ('postgresql', {'databases': ['a-b']}, "ensure_postgresql_databases has 'a-b': allowed are"),
            ('postgresql', {'databases': []}, 'ensure_postgresql_databases is empty: a query needs one.'),
            ('postgresql', {'user': 'postgres'}, "ensure_postgresql_user is 'postgres': that is the administrator."),
            ('postgresql', {'privileges': 'some'}, "ensure_postgresql_privileges is 'some': allowed are all, create,"),
            ('mariadb', {'user': 'root'}, "ensure_mariadb_user is 'root': that is the administrator."),
            ('mariadb', {'user': "x'; DROP"}, "ensure_mariadb_user is 'x'; DROP': allowed are"),
            ('mariadb', {'privileges': 'create'}, "ensure_mariadb_privileges is 'create': allowed are all, own."),
            ('mariadb', {'password': 'x' * 201}, 'ensure_mariadb_password has characters that cannot be printed'),
            ('memcached', {'memory': 0}, 'ensure_memcached_memory is 0: allowed are 1 to 65536 megabytes.'),
            ('redis', {'durable': 'perhaps'}, "ensure_redis_durable is 'perhaps': it is neither true nor false."),
            ('redis', {'password': ['x']}, "ensure_redis_password is '['x']': it is no text."),
            ('etcd', {'peer_port': 2379}, 'ensure_etcd_peer_port is 2379: allowed are 1024 to 65535, and not that of'),
            ('rabbitmq', {'vhost': 'a b'}, "ensure_rabbitmq_vhost is 'a b': allowed are letters"),
            ('zookeeper', {'tls': 'yes', 'tls_port': 2181}, 'ensure_zookeeper_tls_port is 2181: allowed are 1024 to'),
            ('zookeeper', {'ca_dir': 'of/ours'}, "zookeeper_ca_dir is 'of/ours': it must be a whole path"),
            ('zookeeper', {'ca_dir': '/a/../b'}, "zookeeper_ca_dir is '/a/../b': it must be a whole path"),
            ('zookeeper', {'version': '3.9'}, "zookeeper_version is '3.9': there is the distribution's version only."),
            ('etcd', {'users': []}, 'ensure_etcd_users is no setting: there are ensure_etcd_durable,'),
        ]
        for service, settings, wanted in cases:
            with self.subTest(wanted):
                said = self.refused(service, **settings)
                self.assertTrue(said.startswith(f'ensure-{service}: cannot continue, 1 problem:\n  - {wanted}'), said)

    def test_all_problems_are_told_at_once(self) -> None:
        self.assertIn('cannot continue, 2 problems:\n', self.refused('postgresql', user='A', port=1))

    def test_platforms(self) -> None:
        self.assertEqual(made('postgresql', FEDORA).packages(), ['postgresql-server'])
        self.assertIn('the platform is not known here: known are Debian and', self.refused('zookeeper', FEDORA))
        self.assertIn('the platform is not known here: known are Debian, RedHat, Suse and',
                      self.refused('redis', 'ID=arch\n'))

    def test_a_zookeeper_that_is_too_old_for_tls(self) -> None:
        for release in ('ID=debian\nVERSION_ID="11"\n', 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\n'):
            with self.subTest(release):
                self.assertIn('zookeeper_use_tls is true: ZooKeeper 3.4, which ',
                              self.refused('zookeeper', release, tls=True))
        self.assertEqual(made('zookeeper', tls=True).packages(),
                         ['libzookeeper-java', 'default-jre-headless', 'openssl'])

    def test_a_time_that_is_none(self) -> None:
        with self.assertRaisesRegex(node.Refused, 'ensure_etcd_timeout is 0: it must be at least 1 second'):
            made('etcd', timeout=0)

    def test_types(self) -> None:
        found = made('postgresql', port='5433', ram='yes', databases=['a', 'b2'], password='1').set
        self.assertEqual({name: found[name] for name in ('port', 'ram', 'databases', 'password')},
                         {'port': 5433, 'ram': True, 'databases': ['a', 'b2'], 'password': '1'})


class TestFiles(unittest.TestCase):
    def test_written_when_different_only(self) -> None:
        service = made('memcached')
        texts = service.files()
        with mock.patch.object(node, 'read', lambda path: texts.get(path, '')):
            self.assertFalse(service.differs())
            self.assertTrue(made('memcached', port=11212).differs())

    def test_configure_tells_systemd_of_units(self) -> None:
        with mock.patch.object(node, 'write') as write, mock.patch.object(node, 'systemctl') as systemctl:
            made('etcd').configure()
        self.assertEqual([call.args[0] for call in write.mock_calls], ['/etc/systemd/system/etcd.service'])
        systemctl.assert_called_once_with('daemon-reload')
