# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: one cluster, ``main``, of the distribution's version."""
from __future__ import annotations

import glob
import os
import re
import shutil
from typing import Any, Dict, List, Tuple
from urllib.parse import quote

from ansible.module_utils import ensure_service_node as node
from ansible.module_utils.ensure_service_engine import NAME, Refused, Service

PRIVILEGES = {'all': 'SUPERUSER', 'create': 'NOSUPERUSER CREATEDB', 'own': 'NOSUPERUSER NOCREATEDB'}
BEFORE = '/etc/postgresql-common/createcluster.conf'
DROP_IN = node.UNITS + '%s.d/ensure-postgresql.conf'
# pg_ctlcluster(1), which Debian's unit starts, looks for two seconds whether a server is there that is ready in a tenth
DIRECT = '''\
# of the role ensure-postgresql
[Service]
Type=notify
User=postgres
PIDFile=
ExecStart=
ExecStart=/usr/lib/postgresql/%s/bin/postgres -c config_file=%s/postgresql.conf
ExecStop=
ExecReload=
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
KillSignal=SIGINT
'''
QUICK = {'fsync': 'off', 'full_page_writes': 'off', 'synchronous_commit': 'off'}


class Postgresql(Service):
    """The cluster that pg_createcluster(1) makes on Debian, or postgresql-setup(1) elsewhere."""

    TITLE = 'PostgreSQL'
    PACKAGES = {'Debian': ['postgresql'], 'RedHat': ['postgresql-server'], 'Suse': ['postgresql-server']}
    PROGRAMS = ('postgres',)
    DEFAULTS = {'user': 'openstack_citest', 'password': 'openstack_citest', 'databases': ['openstack_citest'],
                'privileges': 'all', 'port': 5432, 'ram': False, 'durable': False}

    def problems(self) -> List[str]:
        """Return what makes no sense."""
        found = []
        if self.set['privileges'] not in PRIVILEGES:
            found.append("%s is '%s': allowed are %s." % (
                self.name('privileges'), self.set['privileges'], ', '.join(PRIVILEGES)))
        if self.set['user'] == 'postgres':
            found.append("%s is 'postgres': that is the administrator. Write another name." % self.name('user'))
        return found

    @property
    def _debian(self) -> bool:
        return self.family == 'Debian'

    def _release(self) -> str:
        found = glob.glob('/usr/lib/postgresql/*/bin/postgres') if self._debian else []
        versions = [path.split('/')[4] for path in found]
        return max(versions, key=lambda text: [int(part) for part in re.findall('[0-9]+', text)]) if versions else ''

    def installed(self) -> bool:
        """Return whether the server is there."""
        return bool(self._release()) if self._debian else super().installed()

    def before(self) -> None:
        """Keep the package from making a cluster, on disk and with other settings than ours."""
        if self._debian and not os.path.exists(BEFORE):
            node.write(BEFORE, "create_main_cluster = false\nadd_include_dir = 'conf.d'\n")

    def unit(self) -> str:
        """Return the unit of the one cluster; ``postgresql.service`` stands for all of them."""
        return 'postgresql@%s-main.service' % self._release() if self._debian else 'postgresql.service'

    def _disk(self) -> str:
        return '/var/lib/postgresql/%s/main' % self._release() if self._debian else '/var/lib/pgsql/data'

    def data(self) -> str:
        """Return the data folder that is asked for."""
        return super().data() or self._disk()

    def _conf(self) -> str:
        return '/etc/postgresql/%s/main' % self._release() if self._debian else self.data()

    def logs(self) -> List[str]:
        """Return the files that a server of RPM packages logs to."""
        return [] if self._debian else glob.glob(self.data() + '/log/*.log')

    def files(self) -> Dict[str, str]:
        """Return our part of the configuration."""
        pairs = {'listen_addresses': "'localhost'", 'port': self.set['port'], 'max_connections': 300,
                 **({} if self.set['durable'] else QUICK)}
        text = '# of the role ensure-postgresql\n' + ''.join('%s = %s\n' % one for one in sorted(pairs.items()))
        unit = (DIRECT % (self._release(), self._conf()) if self._debian else
                '[Service]\nEnvironment=PGDATA=%s\n' % self.data())
        return {self._conf() + '/conf.d/ensure-postgresql.conf': text, DROP_IN % self.unit(): unit}

    def _present(self) -> str:
        """Return the data folder that the cluster has; empty when there is no cluster, or no data any more."""
        found = re.findall(r"^\s*data_directory\s*=\s*'([^']*)'", node.read(self._conf() + '/postgresql.conf'), re.M)
        path = str(found[-1]) if found else self._disk()
        return path if os.path.exists(os.path.join(path, 'PG_VERSION')) else ''

    def differs(self) -> bool:
        """Return whether cluster, folder or settings are not as asked."""
        return super().differs() or self._present() != self.data()

    def configure(self) -> None:
        """Make the cluster, or move its data; then write the settings."""
        here, there = self._present(), self.data()
        if not here:
            self._create(there)
        elif here != there:
            node.copy_tree(here, there)
            self._tool('pg_conftool', self._release(), 'main', 'set', 'data_directory', there)
            shutil.rmtree(here)
        main = self._conf() + '/postgresql.conf'
        text = node.read(main)
        if not re.search(r"^\s*include_dir\s*=\s*'conf\.d'", text, re.M):
            with open(main, 'a', encoding='utf-8') as stream:
                stream.write("include_dir = 'conf.d'\n")
        super().configure()

    def _create(self, there: str) -> None:
        os.makedirs(os.path.dirname(there), exist_ok=True)
        if not self._debian:
            self._tool('install', '-d', '-o', 'postgres', '-g', 'postgres', '-m', '0700', there)
            self._tool('runuser', '-u', 'postgres', '--', 'initdb', '--pgdata', there, '--encoding', 'UTF8', '--locale',
                       'C.UTF-8', '--auth-host', 'scram-sha-256', '--no-sync')
            return
        if os.path.exists(self._conf()):    # its data was in memory, and the node has started again since
            self._tool('pg_dropcluster', self._release(), 'main')
        self._tool('pg_createcluster', self._release(), 'main', '--port', str(self.set['port']), '--datadir', there,
                   '--encoding', 'UTF8', '--locale', 'C.UTF-8', '--', '--no-sync')

    def _tool(self, *argv: str) -> None:
        done = node.run(argv, timeout=120)
        if done.code:
            raise Refused('%s: %s' % (argv[0], done.words))

    def _psql(self, text: str, timeout: float = 60) -> node.Answer:
        return node.run(['psql', '--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--set=ON_ERROR_STOP=1',
                         '--port=%d' % self.set['port'], '--dbname=postgres'], text, 'postgres', timeout)

    def answers(self, seconds: float) -> str:
        """Return why the administrator is not answered."""
        done = self._psql('SELECT 1;', min(seconds, 10))
        return '' if done.code == 0 else done.words

    def accounts(self) -> None:
        """Have the user, with this password and these privileges, and the databases."""
        done = self._psql('SELECT datname FROM pg_database; SELECT rolname FROM pg_roles;')
        there = set(done.out.split())
        done = self._psql(''.join(statement + ';\n' for statement in self.statements(there)))
        if done.code:
            raise Refused('cannot make user and databases: ' + done.words)

    def statements(self, there: 'set[str]') -> List[str]:
        """Return the SQL that makes users and databases as asked, when those in *there* exist."""
        user = identifier(self.set['user'])
        words = '%s LOGIN PASSWORD %s' % (PRIVILEGES[self.set['privileges']], literal(self.set['password']))
        made = ['%s ROLE %s WITH %s' % ('ALTER' if self.set['user'] in there else 'CREATE', user, words)]
        for name in self.set['databases']:
            made.append(('ALTER DATABASE %s OWNER TO %s' if name in there else 'CREATE DATABASE %s OWNER %s')
                        % (identifier(name), user))
        return made

    def proof(self) -> str:
        """Ask as the user, in every database: who one is, and what one may."""
        for name in self.set['databases']:
            done = node.run(['psql', '--no-psqlrc', '--no-align', '--tuples-only', '--host=127.0.0.1', '--no-password',
                             '--port=%d' % self.set['port'], '--username=' + self.set['user'], '--dbname=' + name],
                            'SELECT rolsuper, rolcreatedb, pg_catalog.pg_get_userbyid(datdba) = rolname '
                            'FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database();',
                            timeout=20, env={'PGPASSWORD': self.set['password'], 'PGCONNECT_TIMEOUT': '10'})
            if done.code:
                return done.words
            wrong = unlike(done.out.strip().split('|'), self.set['privileges'])
            if wrong:
                return 'in %s %s' % (name, wrong)
        return ''

    def version(self) -> str:
        """Return the server's version."""
        return self._psql('SHOW server_version;').out.strip().split(' ')[0]

    def facts(self) -> Dict[str, Any]:
        """Return where it is."""
        database = self.set['databases'][0]
        where = '%s:%s@127.0.0.1:%d/' % (self.set['user'], quote(self.set['password'], safe=''), self.set['port'])
        return {'host': '127.0.0.1', 'port': self.set['port'], 'user': self.set['user'], 'database': database,
                'url': 'postgresql://' + where + database, 'data': self.data(),
                'environment': {'DATABASE_URL': 'postgresql://' + where + database,
                                'POSTGRESQL_URL': 'postgresql://' + where + database,
                                'OS_TEST_DBAPI_ADMIN_CONNECTION': 'postgresql+psycopg2://%spostgres' % where}}


def unlike(row: List[str], privileges: str) -> str:
    """Return how a role differs from the wanted privileges: *row* has superuser, may create databases, owns this."""
    wanted: Dict[str, Tuple[str, ...]] = {'all': ('t',), 'create': ('f', 't', 't'), 'own': ('f', 'f', 't')}
    for is_, want, what in zip(row, wanted[privileges], ('a superuser', 'able to create databases', 'its owner')):
        if is_ != want:
            return 'the user is %s%s' % ('' if is_ == 't' else 'not ', what)
    return ''


def identifier(name: str) -> str:
    """Return a name of SQL. It has been checked already; this is the second lock."""
    if not NAME.fullmatch(name):
        raise Refused('%r is no name' % name)
    return '"%s"' % name


def literal(text: str) -> str:
    """Return a text of SQL, for servers with standard_conforming_strings, as they come."""
    return "'%s'" % text.replace("'", "''")
