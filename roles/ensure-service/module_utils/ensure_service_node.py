# SPDX-License-Identifier: Apache-2.0
"""What the drivers of services do to a node: programs, files, units, ports and space."""
from __future__ import annotations

import os
import pwd
import re
import socket
import subprocess
import tempfile
import time
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

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
    """A socket that waits for connections: its address, and the process that has it (0 when that cannot be seen)."""

    address: str
    port: int
    pid: int
    name: str


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


def family_of(release: str) -> str:
    """Return the family of the system whose os-release(5) is *release*; empty where none is known."""
    pairs = dict(line.split('=', 1) for line in release.splitlines() if '=' in line)
    words = ' '.join(pairs.get(key, '').strip('"\'') for key in ('ID', 'ID_LIKE')).split()
    return next((FAMILIES[word] for word in words if word in FAMILIES), '')


def write(path: str, text: str, mode: int = 0o644) -> bool:
    """Have *text* in the file at *path*, owned by root, in one step; return whether it was different."""
    try:
        with open(path, encoding='utf-8') as stream:
            if stream.read() == text and os.stat(path).st_mode & 0o777 == mode:
                return False
    except FileNotFoundError:
        pass
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, 'w', encoding='utf-8') as stream:
            stream.write(text)
        os.chmod(scratch, mode)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise
    return True


def free(path: str) -> int:
    """Return the bytes that can be written at *path*, or at the nearest folder above it that is there."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def is_memory(path: str, mounts: str) -> bool:
    """Whether *path* lies on a tmpfs, by the text of /proc/mounts."""
    points = [(line.split()[1], line.split()[2]) for line in mounts.splitlines()]
    over = [(point, kind) for point, kind in points if (path + '/').startswith(point.rstrip('/') + '/')]
    return bool(over) and max(over, key=lambda one: len(one[0]))[1] == 'tmpfs'


def listening(port: int) -> List[Listener]:
    """Return who waits for connections at *port*."""
    inodes: Dict[str, str] = {}
    for name in ('tcp', 'tcp6'):
        try:
            with open('/proc/net/' + name, encoding='ascii') as stream:
                inodes.update(sockets(stream.read(), port))
        except FileNotFoundError:       # a node without IPv6
            continue
    if not inodes:
        return []
    owners = dict(_owners(set(inodes)))
    return [Listener(address, port, *owners.get(inode, (0, 'a process of somebody else')))
            for inode, address in sorted(inodes.items(), key=lambda one: one[1])]


def sockets(text: str, port: int) -> Iterator[Tuple[str, str]]:
    """Return (inode, address) of each listening socket at *port* in a table of proc_net(5)."""
    for line in text.splitlines()[1:]:
        words = line.split()
        local, at = words[1].split(':')
        if words[3] == LISTENING and int(at, 16) == port:
            yield words[9], address_of(local)


def address_of(digits: str) -> str:
    """Return the address that proc_net(5) writes as *digits*: each 32 bits in the order of the processor."""
    raw = b''.join(bytes.fromhex(digits[at:at + 8])[::-1] for at in range(0, len(digits), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _owners(inodes: 'set[str]') -> Iterator[Tuple[str, Tuple[int, str]]]:
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            for handle in os.listdir('/proc/%s/fd' % pid):
                found = re.match(r'socket:\[(\d+)\]\Z', os.readlink('/proc/%s/fd/%s' % (pid, handle)))
                if found and found[1] in inodes:
                    with open('/proc/%s/comm' % pid, encoding='utf-8', errors='replace') as stream:
                        yield found[1], (int(pid), stream.read().strip())
        except OSError:     # it has ended meanwhile
            continue


def unit_of(pid: int) -> str:
    """Return the systemd unit that a process belongs to; empty when none."""
    try:
        with open('/proc/%d/cgroup' % pid, encoding='utf-8') as stream:
            found = re.findall(r'/([^/\n]+\.service)(?:/|$)', stream.read(), re.M)
    except OSError:
        return ''
    return str(found[-1]) if found else ''


def owner_of(path: str) -> str:
    """Return the name of the user that a path belongs to; empty where nothing is."""
    try:
        return pwd.getpwuid(os.stat(path).st_uid).pw_name
    except (FileNotFoundError, KeyError):
        return ''


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
