"""PostgreSQL as Debian has it, behind a socket in the work folder."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.work import Service, Trouble, Work
from zuul_local import process

NAME = 'zuul'
SECONDS = 30
# PostgreSQL refuses to run as root. In a user namespace root has another number, and still owns its files.
NOT_ROOT = ('unshare', '--user', '--map-user=1000', '--map-group=1000', '--')
# Nothing of it outlives the stack.
CARELESS = {'fsync': 'off', 'synchronous_commit': 'off', 'full_page_writes': 'off'}


@dataclass(frozen=True)
class PostgreSQL:
    """A server, and the folder of its socket."""

    service: Service
    programs: Path
    sockets: Path

    @property
    def uri(self) -> str:
        """The database, as SQLAlchemy names it."""
        return f'postgresql://{NAME}@/{NAME}?host={self.sockets}'

    def answers(self) -> bool:
        """Return whether a query has an answer; the database is made when there is none yet."""
        where = ('--host', str(self.sockets), '--username', NAME)
        asked = process.run((str(self.programs / 'psql'), *where, '--dbname', 'postgres', '--no-psqlrc', '-tAc',
                             f"select 1 from pg_database where datname = '{NAME}'"), check=False)
        if asked.returncode:
            return False
        if not asked.stdout.strip():
            process.run((str(self.programs / 'createdb'), *where, NAME))
        return True


def start(work: Work) -> PostgreSQL:
    """Make a cluster and start its server.

    :raises Trouble: it is not installed where Debian puts it.
    """
    programs = max(Path('/usr/lib/postgresql').glob('*/bin'), key=lambda path: int(path.parent.name), default=None)
    if programs is None:
        raise Trouble('There is no PostgreSQL in /usr/lib/postgresql.')
    sockets, data = work.place('postgresql'), work.folder / 'postgresql/data'
    prefix = () if os.geteuid() else NOT_ROOT
    process.run((*prefix, str(programs / 'initdb'), '--pgdata', str(data), '--username', NAME, '--auth', 'trust',
                 '--no-sync', '--locale', 'C.UTF-8'))
    settings = {'listen_addresses': '', 'unix_socket_directories': str(sockets), 'shared_buffers': '32MB', **CARELESS}
    words = (word for name, value in settings.items() for word in ('-c', f'{name}={value}'))
    service = Service(work, 'postgresql', (*prefix, programs / 'postgres', '-D', data, *words),
                      stop_signal=signal.SIGINT)
    return PostgreSQL(service, programs, sockets)
