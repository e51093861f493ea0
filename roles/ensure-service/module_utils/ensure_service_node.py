# SPDX-License-Identifier: Apache-2.0
"""What the drivers of services do to a node: programs, files, units, ports and space."""
from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

UNITS = '/etc/systemd/system/'
LISTENING = '0A'        # of proc_net(5), as the kernel's net/tcp_states.h has it
FAMILIES = {'debian': 'Debian', 'ubuntu': 'Debian', 'fedora': 'RedHat', 'rhel': 'RedHat', 'centos': 'RedHat',
            'suse': 'Suse', 'opensuse': 'Suse', 'sles': 'Suse'}


class Refused(Exception):
    """What was asked for cannot be had; the text is for people."""


class Answer(NamedTuple):
    """What a program said: exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """The end of what it complained about, or else of what it said."""
        said = (self.err.strip() or self.out.strip()).splitlines()[-5:]
        return '\n'.join(said) or 'exit code %d and no word' % self.code


class Listener(NamedTuple):
    """A socket that waits for connections: its address, whose it is, and the process (0 when it cannot be seen)."""

    address: str
    user: str
    pid: int = 0
    name: str = ''


def run(argv: Sequence[str], text: str = '', user: str = '', timeout: float = 60,
        env: Optional[Mapping[str, str]] = None) -> Answer:
    """Run *argv*, as *user* when one is named, with *text* as its input. Nothing of our own environment goes in."""
    words = list(argv) if not user else ['runuser', '-u', user, '--', *argv]
    clean = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C', 'HOME': '/',
             **(env or {})}
    try:
        done = subprocess.run(words, input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd='/',
                              env=clean, timeout=timeout, check=False)
    except FileNotFoundError:
        return Answer(127, '', '%s is not installed' % words[0])
    except subprocess.TimeoutExpired:
        return Answer(124, '', '%s gave no answer in %d s' % (argv[0], timeout))
    return Answer(done.returncode, done.stdout.decode('utf-8', 'replace'), done.stderr.decode('utf-8', 'replace'))


def pairs_of(release: str) -> Dict[str, str]:
    """Return what is in the text of os-release(5)."""
    pairs = (line.split('=', 1) for line in release.splitlines() if '=' in line)
    return {key.strip(): value.strip().strip('"\'') for key, value in pairs}


def family_of(release: Mapping[str, str]) -> str:
    """Return the family of a system by what its os-release(5) says; empty where none is known."""
    words = ' '.join(release.get(key, '') for key in ('ID', 'ID_LIKE')).split()
    return next((FAMILIES[word] for word in words if word in FAMILIES), '')


def read(path: str) -> str:
    """Return the text of a file; empty where there is none."""
    try:
        with open(path, encoding='utf-8', errors='replace') as stream:
            return stream.read()
    except FileNotFoundError:
        return ''


def write(path: str, text: str) -> None:
    """Have *text* in the file at *path*, owned by root and for all to read, in one step."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, 'w', encoding='utf-8') as stream:
            stream.write(text)
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def copy_tree(here: str, there: str) -> None:
    """Have what lies at *here* at *there* too, or nothing.

    :raises Refused: it cannot be copied.
    """
    os.makedirs(os.path.dirname(there), exist_ok=True)
    shutil.rmtree(there, ignore_errors=True)
    done = run(['cp', '-a', here, there], timeout=600)
    if done.code:
        shutil.rmtree(there, ignore_errors=True)
        raise Refused('cannot move the data from %s to %s: %s' % (here, there, done.words))


def free(path: str) -> int:
    """Return the bytes that can be written at *path*, or at the nearest folder above it that is there."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def listening(port: int) -> List[Listener]:
    """Return who waits for connections at *port*."""
    found: Dict[str, Tuple[str, str]] = {}
    for name in ('tcp', 'tcp6'):
        try:
            with open('/proc/net/' + name, encoding='ascii') as stream:
                found.update((inode, (address, user_name(uid))) for inode, address, uid in sockets(stream.read(), port))
        except FileNotFoundError:       # a node without IPv6
            continue
    owners = dict(_owners(set(found))) if found else {}
    return [Listener(*whose, *owners.get(inode, ())) for inode, whose in sorted(found.items(), key=lambda one: one[1])]


def sockets(text: str, port: int) -> Iterator[Tuple[str, str, int]]:
    """Return (inode, address, user id) of each listening socket at *port* in a table of proc_net(5)."""
    for line in text.splitlines()[1:]:
        words = line.split()
        local, at = words[1].split(':')
        if words[3] == LISTENING and int(at, 16) == port:
            yield words[9], address_of(local), int(words[7])


def address_of(digits: str) -> str:
    """Return the address that proc_net(5) writes as *digits*: each 32 bits in the order of the processor."""
    raw = b''.join(bytes.fromhex(digits[at:at + 8])[::-1] for at in range(0, len(digits), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _owners(inodes: 'set[str]') -> Iterator[Tuple[str, Tuple[int, str]]]:
    """Return (inode, (process, its name)). In a container, not even root sees what is open in those of other users."""
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            for handle in os.listdir('/proc/%s/fd' % pid):
                found = re.match(r'socket:\[(\d+)\]\Z', os.readlink('/proc/%s/fd/%s' % (pid, handle)))
                if found and found[1] in inodes:
                    with open('/proc/%s/comm' % pid, encoding='utf-8', errors='replace') as stream:
                        yield found[1], (int(pid), stream.read().strip())
        except OSError:     # it has ended meanwhile
            continue


def user_name(uid: int) -> str:
    """Return the name of a user, or else the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def user_of(unit: str) -> str:
    """Return the user of a unit's main process; empty when it does not run."""
    pid = systemctl('show', '--property=MainPID', '--value', unit).out.strip()
    try:
        with open('/proc/%d/status' % int(pid or 0), encoding='utf-8', errors='replace') as stream:
            found = re.search(r'^Uid:\s+\d+\s+(\d+)', stream.read(), re.M)
    except OSError:
        return ''
    return user_name(int(found[1])) if found else ''


def systemctl(*words: str, timeout: float = 120) -> Answer:
    """Ask systemd."""
    return run(['systemctl', '--no-pager', '--no-ask-password', *words], timeout=timeout)


def is_active(unit: str) -> bool:
    """Whether a unit runs."""
    return systemctl('is-active', '--quiet', unit).code == 0


def journal(unit: str, lines: int = 25) -> str:
    """Return the end of what a unit has logged since the node started."""
    return run(['journalctl', '--no-pager', '--quiet', '--boot', '--output=cat', '--lines=%d' % lines,
                '--unit=' + unit]).out.strip()


def show_journal(user: str) -> None:
    """Let *user* read the journal where access lists are known: logs are collected when sudo has been taken away."""
    rights = 'u:{0}:rX,d:u:{0}:rX'.format(user)
    run(['setfacl', '--recursive', '--modify', rights,
         *(path for path in ('/run/log/journal', '/var/log/journal') if os.path.isdir(path))])


def tail(path: str, lines: int = 25) -> str:
    """Return the end of a log file; empty where there is none."""
    try:
        with open(path, 'rb') as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - (64 << 10)))
            return '\n'.join(stream.read().decode('utf-8', 'replace').splitlines()[-lines:])
    except OSError:
        return ''


def until(seconds: float, pause: float = 0.1) -> Iterator[float]:
    """Return the time left, again and again until it is over: at least twice."""
    end = time.monotonic() + seconds
    yield seconds
    while True:
        left = end - time.monotonic()
        yield max(left, 0.0)
        if left <= 0:
            return
        time.sleep(min(pause, left))
