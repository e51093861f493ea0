# SPDX-License-Identifier: Apache-2.0
"""MariaDB, or MySQL where the distribution has that instead."""
from __future__ import annotations

import os
import re
import shutil
from typing import Any, Dict, List
from urllib.parse import quote

from ansible.module_utils import ensure_service_node as node
from ansible.module_utils.ensure_service_engine import NAME, Refused, Service

PRIVILEGES = ('all', 'own')
QUICK = {'innodb_flush_log_at_trx_commit': '0', 'innodb_doublewrite': '0', 'sync_binlog': '0', 'skip_log_bin': ''}


class Mariadb(Service):
    """The server of the distribution, with one configuration file of ours."""

    TITLE = 'MariaDB'
    PACKAGES = {'Debian': ['mariadb-server'], 'RedHat': ['mariadb-server'], 'Suse': ['mariadb']}
    DEFAULTS = {'user': 'openstack_citest', 'password': 'openstack_citest', 'databases': ['openstack_citest'],
                'privileges': 'all', 'port': 3306, 'ram': False, 'durable': False}
    PROGRAMS = ('mariadbd', 'mysqld')
    UNIT = 'mariadb.service'
    DATA = '/var/lib/mysql'
    NEEDS = 256 << 20

    def problems(self) -> List[str]:
        """Return what makes no sense."""
        found = []
        if self.set['privileges'] not in PRIVILEGES:
            found.append("%s is '%s': allowed are %s." % (
                self.name('privileges'), self.set['privileges'], ', '.join(PRIVILEGES)))
        if self.set['user'] in ('root', 'mysql'):
            found.append("%s is '%s': that is the administrator. Write another name." % (
                self.name('user'), self.set['user']))
        return found

    def _conf(self) -> str:
        folder = '/etc/mysql/mariadb.conf.d' if self.family == 'Debian' else '/etc/my.cnf.d'
        return folder + '/99-ensure-mariadb.cnf'

    def logs(self) -> List[str]:
        """Return the file that a server of RPM packages logs to."""
        return [] if self.family == 'Debian' else ['/var/log/mariadb/mariadb.log']

    def files(self) -> Dict[str, str]:
        """Return our configuration file."""
        pairs = {'bind_address': '127.0.0.1', 'port': self.set['port'], 'datadir': self.data(), 'max_connections': 500,
                 'character_set_server': 'utf8mb4', 'skip_name_resolve': '',
                 **({} if self.set['durable'] else QUICK)}
        lines = ''.join('%s = %s\n' % one if one[1] != '' else '%s\n' % one[0] for one in sorted(pairs.items()))
        return {self._conf(): '# of the role ensure-mariadb\n[mysqld]\n' + lines}

    def _present(self) -> str:
        """Return the data folder that there is; empty when there is none."""
        found = re.findall(r'^datadir = (.*)$', node.read(self._conf()), re.M)
        path = str(found[0]) if found else self.DATA
        return path if os.path.isdir(os.path.join(path, 'mysql')) else ''

    def differs(self) -> bool:
        """Return whether folder or settings are not as asked."""
        return super().differs() or self._present() != self.data()

    def configure(self) -> None:
        """Have the data in the folder that is asked for, and write the settings."""
        here, there = self._present(), self.data()
        if here and here != there:
            node.copy_tree(here, there)
        super().configure()
        if not here:
            os.makedirs(os.path.dirname(there), exist_ok=True)
            done = node.run(['mariadb-install-db', '--user=mysql', '--datadir=' + there, '--skip-test-db'], timeout=300)
            if done.code:
                raise Refused('mariadb-install-db: ' + done.words)
        elif here != there:
            shutil.rmtree(here)

    def _ask(self, text: str, seconds: float = 60) -> node.Answer:
        return node.run(['mysql', '--no-defaults', '--batch', '--skip-column-names', '--user=root',
                         '--connect-timeout=%d' % max(1, min(seconds, 10))], text, timeout=seconds)

    def answers(self, seconds: float) -> str:
        """Return why the administrator is not answered."""
        done = self._ask('SELECT 1;', min(seconds, 10))
        return '' if done.code == 0 else done.words

    def accounts(self) -> None:
        """Have the user, with this password and these privileges, and the databases."""
        done = self._ask(''.join(statement + ';\n' for statement in self.statements()))
        if done.code:
            raise Refused('cannot make user and databases: ' + done.words)

    def statements(self) -> List[str]:
        """Return the SQL that makes users and databases as asked, whatever there is."""
        made = ['CREATE DATABASE IF NOT EXISTS %s' % identifier(name) for name in self.set['databases']]
        for host in ('localhost', '127.0.0.1'):
            user = "%s@'%s'" % (literal(self.set['user']), host)
            made += ['CREATE OR REPLACE USER %s IDENTIFIED BY %s' % (user, literal(self.set['password']))]
            if self.set['privileges'] == 'all':
                made.append('GRANT ALL PRIVILEGES ON *.* TO %s WITH GRANT OPTION' % user)
            else:
                made += ['GRANT ALL PRIVILEGES ON %s.* TO %s' % (identifier(name), user)
                         for name in self.set['databases']]
        return [*made, 'FLUSH PRIVILEGES']

    def proof(self) -> str:
        """Ask as the user, in every database: what one may."""
        for name in self.set['databases']:
            done = node.run(['mysql', '--no-defaults', '--batch', '--skip-column-names', '--protocol=tcp',
                             '--host=127.0.0.1', '--port=%d' % self.set['port'], '--user=' + self.set['user'],
                             '--database=' + name, '--connect-timeout=10'],
                            'SHOW GRANTS;', timeout=20, env={'MYSQL_PWD': self.set['password']})
            if done.code:
                return done.words
            wrong = unlike(done.out, self.set['privileges'])
            if wrong:
                return 'in %s %s' % (name, wrong)
        return ''

    def version(self) -> str:
        """Return the server's version."""
        return self._ask('SELECT VERSION();').out.split('-')[0].strip()

    def facts(self) -> Dict[str, Any]:
        """Return where it is."""
        database = self.set['databases'][0]
        where = '%s:%s@127.0.0.1:%d/' % (self.set['user'], quote(self.set['password'], safe=''), self.set['port'])
        return {'host': '127.0.0.1', 'port': self.set['port'], 'user': self.set['user'], 'database': database,
                'url': 'mysql://' + where + database, 'data': self.data(),
                'environment': {'DATABASE_URL': 'mysql://' + where + database,
                                'MYSQL_URL': 'mysql://' + where + database,
                                'OS_TEST_DBAPI_ADMIN_CONNECTION': 'mysql+pymysql://' + where}}


def unlike(grants: str, privileges: str) -> str:
    """Return how grants differ from the wanted privileges."""
    is_all = re.search(r'^GRANT ALL PRIVILEGES ON \*\.\*', grants, re.M) is not None
    if is_all != (privileges == 'all'):
        return 'the user has %s' % ('all privileges' if is_all else 'not all privileges')
    return ''


def identifier(name: str) -> str:
    """Return a name of SQL. It has been checked already; this is the second lock."""
    if not NAME.fullmatch(name):
        raise Refused('%r is no name' % name)
    return '`%s`' % name


def literal(text: str) -> str:
    """Return a text of SQL, in the server's default mode."""
    return "'%s'" % text.replace('\\', '\\\\').replace("'", "''")
