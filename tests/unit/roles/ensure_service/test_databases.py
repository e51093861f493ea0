# SPDX-License-Identifier: Apache-2.0
"""What the drivers of databases write and ask."""
from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import module_utils
from tests.unit.roles.ensure_service.test_engine import FEDORA, made

mariadb: Any = module_utils('ensure_service_mariadb')
postgresql: Any = module_utils('ensure_service_postgresql')
node: Any = module_utils('ensure_service_node')


class TestPostgresql(unittest.TestCase):
    def setUp(self) -> None:
        found = [f'/usr/lib/postgresql/{version}/bin/postgres' for version in ('9.6', '15')]
        patch = mock.patch('glob.glob', lambda pattern: found)
        patch.start()
        self.addCleanup(patch.stop)

    def test_the_newest_version_counts(self) -> None:
        service = made('postgresql')
        self.assertEqual(service.unit(), 'postgresql@15-main.service')
        self.assertEqual(service.data(), '/var/lib/postgresql/15/main')
        self.assertEqual(made('postgresql', ram=True).data(), '/run/ensure-service/postgresql')
        self.assertEqual(made('postgresql', FEDORA).unit(), 'postgresql.service')

    def test_settings(self) -> None:
        quick, unit = made('postgresql', port=5433).files().values()
        self.assertIn("listen_addresses = 'localhost'\n", quick)
        self.assertIn('port = 5433\n', quick)
        self.assertIn('fsync = off\n', quick)
        self.assertIn('ExecStart=/usr/lib/postgresql/15/bin/postgres -c '
                      'config_file=/etc/postgresql/15/main/postgresql.conf\n', unit)
        durable, _ = made('postgresql', durable=True).files().values()
        self.assertNotIn('fsync', durable)
        files = made('postgresql', FEDORA).files()
        self.assertEqual(list(files), ['/var/lib/pgsql/data/conf.d/ensure-postgresql.conf',
                                       '/etc/systemd/system/postgresql.service.d/ensure-postgresql.conf'])
        self.assertEqual(list(files.values())[1], '[Service]\nEnvironment=PGDATA=/var/lib/pgsql/data\n')

    def test_debian_logs_to_the_journal_and_others_to_files(self) -> None:
        for name in ('postgresql', 'mariadb'):
            self.assertEqual(made(name).logs(), [])
            self.assertTrue(made(name, FEDORA).logs())

    def test_statements(self) -> None:
        service = made('postgresql', password="it's", databases=['a', 'b'], privileges='own')
        self.assertEqual(service.statements({'a'}), [
            'CREATE ROLE "openstack_citest" WITH NOSUPERUSER NOCREATEDB LOGIN PASSWORD \'it\'\'s\'',
            'ALTER DATABASE "a" OWNER TO "openstack_citest"', 'CREATE DATABASE "b" OWNER "openstack_citest"'])
        self.assertTrue(service.statements({'openstack_citest'})[0].startswith('ALTER ROLE'))

    def test_privileges(self) -> None:
        cases = [('all', 'ttt', ''), ('all', 'ftt', 'the user is not a superuser'), ('own', 'fft', ''),
                 ('own', 'tft', 'the user is a superuser'), ('own', 'ftt', 'the user is able to create databases'),
                 ('create', 'fft', 'the user is not able to create databases'),
                 ('own', 'fff', 'the user is not its owner')]
        for privileges, row, wanted in cases:
            self.assertEqual(postgresql.unlike(list(row), privileges), wanted)

    def test_facts(self) -> None:
        facts = made('postgresql', password='a/b').facts()
        self.assertEqual(facts['url'], 'postgresql://openstack_citest:a%2Fb@127.0.0.1:5432/openstack_citest')
        self.assertEqual(facts['environment']['OS_TEST_DBAPI_ADMIN_CONNECTION'],
                         'postgresql+psycopg2://openstack_citest:a%2Fb@127.0.0.1:5432/postgres')

    def test_a_cluster_whose_configuration_leaves_ours_out_is_mended(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            service, here = made('postgresql'), Path(scratch)
            (here / 'postgresql.conf').write_text(f"data_directory = '{scratch}'\n")
            (here / 'PG_VERSION').touch()
            with mock.patch.multiple(service, _conf=lambda: scratch, data=lambda: scratch), \
                    mock.patch.object(postgresql, 'DROP_IN', scratch + '/%s.conf'):
                self.assertTrue(service.differs())
                service.configure()
                service.configure()
                self.assertFalse(service.differs())
            self.assertEqual((here / 'postgresql.conf').read_text().count("include_dir = 'conf.d'"), 1)

    def test_second_lock(self) -> None:
        for role in (postgresql, mariadb):
            with self.assertRaises(node.Refused):
                role.identifier('a"; DROP')


class TestMariadb(unittest.TestCase):
    def test_settings(self) -> None:
        (path, text), = made('mariadb', ram=True, port=3307).files().items()
        self.assertEqual(path, '/etc/mysql/mariadb.conf.d/99-ensure-mariadb.cnf')
        for line in ('bind_address = 127.0.0.1', 'datadir = /run/ensure-service/mariadb', 'port = 3307',
                     'skip_log_bin'):
            self.assertIn(line + '\n', text)
        self.assertNotIn('skip_log_bin', made('mariadb', durable=True).files()[path])
        self.assertEqual(list(made('mariadb', FEDORA).files()), ['/etc/my.cnf.d/99-ensure-mariadb.cnf'])

    def test_statements(self) -> None:
        made_ = made('mariadb', password="it's \\", privileges='own').statements()
        self.assertEqual(made_[0], 'CREATE DATABASE IF NOT EXISTS `openstack_citest`')
        self.assertEqual(made_[1], "CREATE OR REPLACE USER 'openstack_citest'@'localhost' IDENTIFIED BY 'it''s \\\\'")
        self.assertEqual(made_[2], "GRANT ALL PRIVILEGES ON `openstack_citest`.* TO 'openstack_citest'@'localhost'")
        self.assertIn("GRANT ALL PRIVILEGES ON *.* TO 'openstack_citest'@'127.0.0.1' WITH GRANT OPTION",
                      made('mariadb').statements())

    def test_privileges(self) -> None:
        everything = 'GRANT ALL PRIVILEGES ON *.* TO `x`@`localhost` IDENTIFIED BY PASSWORD ...\n'
        one = 'GRANT USAGE ON *.* TO `x`\nGRANT ALL PRIVILEGES ON `y`.* TO `x`\n'
        cases = [(everything, 'all', ''), (one, 'own', ''), (one, 'all', 'the user has not all privileges'),
                 (everything, 'own', 'the user has all privileges')]
        for grants, privileges, wanted in cases:
            self.assertEqual(mariadb.unlike(grants, privileges), wanted)

    def test_the_first_database_in_which_a_query_fails_is_told(self) -> None:
        service = made('mariadb', databases=['a', 'b'])
        answers = iter([node.Answer(0, 'GRANT ALL PRIVILEGES ON *.* TO x\n', ''),
                        node.Answer(1, '', 'ERROR 1049: Unknown database')])
        with mock.patch.object(node, 'run', lambda *words, **more: next(answers)):
            self.assertEqual(service.proof(), 'ERROR 1049: Unknown database')
