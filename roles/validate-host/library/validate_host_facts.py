#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Tell what a node is, and whether its network is what the site wants."""
from __future__ import annotations

DOCUMENTATION = r'''
module: validate_host_facts
short_description: Tell what a node is, and whether its network is what the site wants
description:
  - Reads C(/proc), C(/sys) and files, and asks C(ip) and C(traceroute) where the node has them. Changes nothing.
options:
  files: {description: Files that say what the image is., type: list, elements: str, default: []}
  ipv4_route_required: {description: Whether the node must have a way out by IPv4., type: bool, default: false}
  ipv6_route_required: {description: Whether the node must have a way out by IPv6., type: bool, default: false}
  traceroute_host: {description: Name or address that the node must have a route to., type: str, default: ''}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Look at the node
  validate_host_facts:
    files: [/etc/dib-builddate.txt]
    traceroute_host: opendev.org
'''
RETURN = r'''
sections: {description: Pairs of a title and a text., type: list, elements: list, returned: success}
summary: {description: The node in one line., type: str, returned: success}
problems: {description: Why the node does not suit., type: list, elements: str, returned: success}
'''

import fcntl
import getpass
import grp
import os
import platform
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule

_SECONDS, _RESOLVER_SECONDS, _TRACE_SECONDS = 5, 10, 20
_LIMIT = 64 * 1024
_PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
_FAMILIES = {'4': socket.AF_INET, '6': socket.AF_INET6}
_UP, _REJECT = 0x1, 0x200       # flags of the kernel's routes
_PLACES = ('/', '~', '/opt', '/tmp', '/var')

Section = Tuple[str, str]


class Refused(Exception):
    """The parameters are wrong. The message has all reasons."""


class Reached(NamedTuple):
    """Whether there is a route to a host: its *address*, and *why* there is none ('' when there is one)."""

    address: str
    why: str


def check(files: Sequence[str], host: str) -> None:
    """Look at the parameters.

    :raises Refused: with one line a problem.
    """
    problems = ["zuul_site_image_manifest_files has '%s': not an absolute path. Write for example "
                "'/etc/dib-builddate.txt'." % path for path in files if not path.startswith('/') or '\0' in path]
    if host and not re.fullmatch(r'[A-Za-z0-9_.:][A-Za-z0-9_.:-]{0,252}', host):
        problems.append("zuul_site_traceroute_host is '%s': neither a host name nor an address. Write for example "
                        "'opendev.org'." % host)
    if problems:
        raise Refused('validate-host: cannot continue, %d problem%s:\n%s' % (
            len(problems), '' if len(problems) == 1 else 's', '\n'.join('  - ' + one for one in problems)))


def read(path: str) -> str:
    """Return what a file holds, at most 64 KiB of it.

    :raises OSError: it cannot be read, or is no file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, 'rb') as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError('not a file')
        data = stream.read(_LIMIT + 1)
    return data[:_LIMIT].decode('utf-8', 'replace') + ('\n[cut]' if len(data) > _LIMIT else '')


def told(path: str) -> str:
    """Return what a file holds, or why that is not known."""
    try:
        return read(path)
    except OSError as error:
        return '%s: %s' % (path, error.strerror or error)


def start(*argv: str) -> Optional['subprocess.Popen[bytes]']:
    """Start a program; None where there is none."""
    program = shutil.which(argv[0], path=_PATH)
    if program is None:
        return None
    try:
        return subprocess.Popen((program, *argv[1:]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, env={'PATH': _PATH, 'LC_ALL': 'C'})
    except OSError:
        return None


def output(process: 'subprocess.Popen[bytes]', seconds: float) -> str:
    """Return what a program says; it is ended after so many seconds."""
    try:
        said, end = process.communicate(timeout=seconds)[0], ''
    except subprocess.TimeoutExpired:
        process.kill()
        said, end = process.communicate()[0], '\n[ended after %d s]' % seconds
    return said[:_LIMIT].decode('utf-8', 'replace') + end


def command(*argv: str) -> str:
    """Return what a program says, '' where there is none."""
    process = start(*argv)
    return output(process, _SECONDS) if process else ''


def routes4(table: str) -> List[str]:
    """Return the lines of ``/proc/net/route`` in the words of ``ip route``; unusable ones are left out."""
    def address(field: str) -> str:
        return socket.inet_ntoa(struct.pack('=L', int(field, 16)))
    lines = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or not int(fields[3], 16) & _UP or int(fields[3], 16) & _REJECT:
            continue
        length = bin(int(fields[7], 16)).count('1')
        to = '%s/%d' % (address(fields[1]), length) if length else 'default'
        via = ' via ' + address(fields[2]) if int(fields[2], 16) else ''
        lines.append('%s%s dev %s metric %s' % (to, via, fields[0], fields[6]))
    return lines


def routes6(table: str) -> List[str]:
    """Return the lines of ``/proc/net/ipv6_route`` in the words of ``ip -6 route``; unusable ones are left out."""
    def address(field: str) -> str:
        return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(field))
    lines = []
    for line in table.splitlines():
        fields = line.split()
        if len(fields) < 10 or not int(fields[8], 16) & _UP or int(fields[8], 16) & _REJECT or fields[9] == 'lo':
            continue
        length = int(fields[1], 16)
        to = '%s/%d' % (address(fields[0]), length) if length else 'default'
        via = ' via ' + address(fields[4]) if int(fields[4], 16) else ''
        lines.append('%s%s dev %s metric %d' % (to, via, fields[9], int(fields[5], 16)))
    return lines


def addresses6(table: str) -> Dict[str, List[str]]:
    """Return interface -> addresses from ``/proc/net/if_inet6``."""
    found: Dict[str, List[str]] = {}
    for line in table.splitlines():
        fields = line.split()
        if len(fields) == 6 and len(fields[0]) == 32:     # or it says why there is no such file
            address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0]))
            found.setdefault(fields[5], []).append('inet6 %s/%d' % (address, int(fields[2], 16)))
    return found


def address4(interface: str) -> List[str]:
    """Return the IPv4 address of an interface, as the kernel tells it without any program."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            answers = [fcntl.ioctl(one, request, struct.pack('256s', interface.encode()[:15]))[20:24]
                       for request in (0x8915, 0x891b)]     # SIOCGIFADDR, SIOCGIFNETMASK
        except OSError:
            return []
    length = bin(struct.unpack('=L', answers[1])[0]).count('1')
    return ['inet %s/%d' % (socket.inet_ntoa(answers[0]), length)]


def interfaces() -> str:
    """Return the interfaces with their addresses."""
    said = command('ip', 'address', 'show')
    if said:
        return said
    by_name = addresses6(told('/proc/net/if_inet6'))
    lines = []
    for number, name in socket.if_nameindex():
        lines.append('%d: %s mtu %s state %s' % (number, name, told('/sys/class/net/%s/mtu' % name).strip(),
                                                 told('/sys/class/net/%s/operstate' % name).strip()))
        lines += ['    ' + one for one in address4(name) + by_name.get(name, [])]
    return '\n'.join(lines)


def reached(host: str, family: str) -> Reached:
    """Ask the kernel for a route to *host*. Nothing is sent but what finds out its address."""
    answer: List[Reached] = []

    def ask() -> None:
        address = ''
        try:
            where = socket.getaddrinfo(host, 33434, _FAMILIES[family], socket.SOCK_DGRAM)[0][4]
            address = str(where[0])
            with socket.socket(_FAMILIES[family], socket.SOCK_DGRAM) as one:
                one.connect(where)
            answer.append(Reached(address, ''))
        except socket.gaierror as error:
            answer.append(Reached('', 'no address found (%s)' % error.strerror))
        except OSError as error:
            answer.append(Reached(address, '%s: %s' % (address, error.strerror or error)))
        except ValueError as error:     # no name at all
            answer.append(Reached('', str(error)))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_RESOLVER_SECONDS)
    return answer[0] if answer else Reached('', 'the resolver did not answer within %d s' % _RESOLVER_SECONDS)


def problems_of(required: Dict[str, bool], host: str, ways_out: Dict[str, bool], to: Dict[str, Reached]) -> List[str]:
    """Return why the node does not suit.

    :param required: family (4 or 6) -> whether it must work.
    :param ways_out: family -> whether there is a default route.
    :param to: family -> what was found about the way to *host*; empty when there is no host.
    """
    found = []
    for family in sorted(required):
        name = 'zuul_site_ipv%s_route_required is true' % family
        if required[family] and host and to[family].why:
            found.append("%s, and zuul_site_traceroute_host '%s' cannot be reached by IPv%s: %s."
                         % (name, host, family, to[family].why))
        elif required[family] and not host and not ways_out[family]:
            found.append('%s, and the node has no default route for IPv%s.' % (name, family))
    if host and not found and all(one.why for one in to.values()):
        found.append("zuul_site_traceroute_host is '%s', and cannot be reached: %s." % (
            host, '; '.join('IPv%s: %s' % (family, to[family].why) for family in sorted(to))))
    return found


def meminfo(text: str) -> Dict[str, int]:
    """Return the names and bytes in ``/proc/meminfo``."""
    return {name: int(kib) * 1024 for name, kib in re.findall(r'^(\w+): +(\d+) kB$', text, re.M)}


def gib(size: float) -> str:
    return '%.1f GiB' % (size / 2 ** 30)


def os_name(release: str) -> str:
    """Return the system's name from ``/etc/os-release``."""
    match = re.search(r'^PRETTY_NAME="?(.*?)"?$', release, re.M)
    return match[1] if match else 'unknown system'


def disks() -> List[str]:
    """Return a line for each file system that a job is likely to fill; none is asked that may be far away."""
    lines, seen = [], set()
    for place in map(os.path.expanduser, _PLACES):
        try:
            device, size = os.stat(place).st_dev, os.statvfs(place)
        except OSError:
            continue
        if device not in seen:
            seen.add(device)
            lines.append('%s: %s free of %s, %d inodes free' % (
                place, gib(size.f_bavail * size.f_frsize), gib(size.f_blocks * size.f_frsize), size.f_favail))
    return lines


def system(release: str) -> str:
    """Return who and what the node is."""
    def group(number: int) -> str:
        try:
            return grp.getgrgid(number).gr_name
        except KeyError:
            return str(number)
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    model = re.search(r'^model name\s*: (.*)$', told('/proc/cpuinfo'), re.M)
    return '\n'.join((
        os_name(release), ' '.join(os.uname()),
        'Time: ' + time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime()),
        'Machine: ' + told('/sys/class/dmi/id/product_name').strip(),
        'CPUs: %d, %s' % (os.cpu_count() or 0, model[1] if model else platform.machine()),
        'Python: %s, %s' % (platform.python_version(), sys.executable),
        'User: %s (%d), groups %s' % (user, os.getuid(), ' '.join(map(group, os.getgroups()))),
    ))


def safely(make: Callable[[], str]) -> str:
    """Return a text, or why it could not be made: a node that is odd in one way is told in all others."""
    try:
        return make()
    except (OSError, ValueError, IndexError) as error:
        return 'cannot be told: %s' % error


def look(files: Sequence[str], required: Dict[str, bool], host: str) -> Dict[str, object]:
    """Do the module's work and return its result.

    :raises Refused: wrong parameters.
    """
    check(files, host)
    to = {family: reached(host, family) for family in sorted(_FAMILIES)} if host else {}
    traces = {family: start('traceroute', '-' + family, '-n', '-q', '1', '-w', '2', '-m', '20', one.address)
              for family, one in to.items() if not one.why}
    began = time.monotonic()
    release, memory = told('/etc/os-release'), meminfo(told('/proc/meminfo'))
    tables = {'4': routes4(told('/proc/net/route')), '6': routes6(told('/proc/net/ipv6_route'))}
    ways_out = {family: any(line.startswith('default') for line in lines) for family, lines in tables.items()}
    sections: List[Section] = [
        ('System', safely(lambda: system(release))),
        ('Seconds up, load', told('/proc/uptime') + told('/proc/loadavg')),
        ('Memory', '\n'.join('%s: %s' % (name, gib(memory[name])) for name in (
            'MemTotal', 'MemAvailable', 'SwapTotal', 'SwapFree') if name in memory)),
        ('Disks', safely(lambda: '\n'.join(disks()))),
        ('Network interfaces', safely(interfaces)),
    ]
    sections += [('IPv%s routes' % family, command('ip', '-' + family, 'route', 'show') or '\n'.join(lines) or 'none')
                 for family, lines in sorted(tables.items())]
    sections.append(('Resolver', told('/etc/resolv.conf')))
    sections += [('Image: ' + path, told(path)) for path in files]
    for family, one in sorted(to.items()):
        process = traces.get(family)
        left = max(1.0, _TRACE_SECONDS - (time.monotonic() - began))
        text = one.why or ('there is a route to %s; the node has no traceroute' % one.address if process is None
                           else output(process, left))
        sections.append(('IPv%s to %s' % (family, host), text))
    ways = ' and '.join('IPv' + family for family in sorted(ways_out) if ways_out[family]) or 'nowhere'
    return {
        'sections': sections,
        'problems': problems_of(required, host, ways_out, to),
        'summary': '%s, Python %s, %d CPUs, %s memory, %s, way out by %s' % (
            os_name(release), platform.python_version(), os.cpu_count() or 0, gib(memory.get('MemTotal', 0)),
            (disks() or ['no disk is known'])[0].split(',')[0], ways),
    }


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'files': {'type': 'list', 'elements': 'str', 'default': []},
        'ipv4_route_required': {'type': 'bool', 'default': False},
        'ipv6_route_required': {'type': 'bool', 'default': False},
        'traceroute_host': {'type': 'str', 'default': ''},
    })
    params = module.params
    try:
        module.exit_json(changed=False, **look(
            params['files'], {'4': params['ipv4_route_required'], '6': params['ipv6_route_required']},
            params['traceroute_host']))
    except Refused as error:
        module.fail_json(msg=str(error))


if __name__ == '__main__':
    main()
