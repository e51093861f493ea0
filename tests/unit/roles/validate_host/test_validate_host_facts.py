# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

from tests.unit.roles import library

facts = library('validate-host', 'validate_host_facts')
HEAD4 = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n'
ZERO = '0' * 32
GATE = 'fe800000000000000000000000000001'


def route6(to: str, length: str, via: str, flags: str, device: str) -> str:
    return f'{to} {length} {ZERO} 00 {via} 00000400 00000001 00000000 {flags} {device}\n'


class TestRoutes(unittest.TestCase):
    def test_ipv4(self) -> None:
        for line, expected in (
                ('eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0',
                 ['default via 192.0.2.1 dev eth0 metric 100']),
                ('eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0', ['192.0.2.0/24 dev eth0 metric 0']),
                ('tun0\t00000000\t00000000\t0001\t0\t0\t5\t00000080\t0\t0\t0', ['0.0.0.0/1 dev tun0 metric 5']),
                ('*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0', []),      # unreachable
                ('eth0\t00000000\t010200C0\t0002\t0\t0\t0\t00000000\t0\t0\t0', []),   # not up
                ('half a line', [])):
            with self.subTest(line=line):
                self.assertEqual(facts.routes4(HEAD4 + line + '\n'), expected)
        self.assertEqual(facts.routes4('/proc/net/route: No such file or directory'), [])

    def test_ipv6(self) -> None:
        for line, expected in (
                (route6(ZERO, '00', GATE, '00000003', 'eth0'), ['default via fe80::1 dev eth0 metric 1024']),
                (route6('fe80' + '0' * 28, '40', ZERO, '00000001', 'eth0'), ['fe80::/64 dev eth0 metric 1024']),
                (route6(ZERO, '00', ZERO, '00200200', 'lo'), []),           # how a kernel says that there is none
                (route6(ZERO, '00', ZERO, '00000001', 'lo'), []),
                ('/proc/net/ipv6_route: No such file or directory', [])):   # IPv6 is switched off
            with self.subTest(line=line):
                self.assertEqual(facts.routes6(line), expected)

    def test_addresses(self) -> None:
        self.assertEqual(facts.addresses6('fe8000000000000000fc00fffe000001 04 40 20 80     eth0\nx\n'),
                         {'eth0': ['inet6 fe80::fc:ff:fe00:1/64']})
        # IPv6 is switched off
        self.assertEqual(facts.addresses6('/proc/net/if_inet6: No such file or directory'), {})
        self.assertEqual(facts.address4('lo'), ['inet 127.0.0.1/8'])
        self.assertEqual(facts.address4('there-is-none'), [])


class TestProblems(unittest.TestCase):
    def test_what_is_required(self) -> None:
        good, bad = facts.Reached('192.0.2.1', ''), facts.Reached('', 'no way')
        none = {'4': False, '6': False}
        for wanted, host, ways_out, to, expected in (
                ('', '', none, {}, []),
                ('4', '', {'4': True, '6': False}, {}, []),
                ('6', '', {'4': False, '6': True}, {}, []),
                ('46', '', none, {}, [
                    'zuul_site_ipv4_route_required is true, and the node has no default route for IPv4.',
                    'zuul_site_ipv6_route_required is true, and the node has no default route for IPv6.']),
                ('', 'h', none, {'4': bad, '6': good}, []),
                ('6', 'h', none, {'4': bad, '6': good}, []),
                ('4', 'h', {'4': True, '6': True}, {'4': bad, '6': good}, [
                    "zuul_site_ipv4_route_required is true, and zuul_site_traceroute_host 'h' cannot be reached by "
                    'IPv4: no way.']),
                ('', 'h', none, {'4': bad, '6': bad}, [
                    "zuul_site_traceroute_host is 'h', and cannot be reached: IPv4: no way; IPv6: no way."])):
            with self.subTest(wanted=wanted, host=host, to=to):
                required = {family: family in wanted for family in '46'}
                self.assertEqual(facts.problems_of(required, host, ways_out, to), expected)

    def test_what_is_refused(self) -> None:
        for files, host in ((['etc/x'], ''), (['/etc/\0'], ''), ([], '-I'), ([], 'a b'), ([], 'x;y'), ([], 'a' * 300)):
            with self.subTest(files=files, host=host), self.assertRaisesRegex(facts.Refused, '1 problem:'):
                facts.check(files, host)
        facts.check(['/etc/x y'], 'fd00::1')

    def test_the_way_to_a_host(self) -> None:
        for host, family, address, why in (
                ('127.0.0.1', '4', '127.0.0.1', ''), ('127.0.0.1', '6', '', 'no address found'),
                ('a..b', '4', '', 'label'), ('there-is.no-such.invalid', '4', '', 'no address found')):
            with self.subTest(host=host, family=family):
                found = facts.reached(host, family)
                self.assertEqual(found.address, address)
                self.assertIn(why, found.why)
                self.assertEqual(bool(why), bool(found.why))

    def test_a_resolver_that_hangs(self) -> None:
        with mock.patch.object(facts.socket, 'getaddrinfo', lambda *_: threading.Event().wait()), \
                mock.patch.object(facts, '_RESOLVER_SECONDS', 0.1):
            self.assertIn('did not answer', facts.reached('h', '4').why)


class TestReading(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_what_is_no_short_text(self) -> None:
        os.mkfifo(self.folder / 'fifo')
        (self.folder / 'long').write_bytes(b'x' * 70000)
        (self.folder / 'odd').write_bytes(b'\xff\n')
        self.assertIn('not a file', facts.told(f'{self.folder}/fifo'))
        self.assertIn('Is a directory', facts.told(str(self.folder)))
        self.assertIn('No such file', facts.told(f'{self.folder}/none'))
        self.assertEqual(facts.told(f'{self.folder}/odd'), '\N{REPLACEMENT CHARACTER}\n')
        self.assertTrue(facts.told(f'{self.folder}/long').endswith('x\n[cut]'))

    def program(self, text: str) -> None:
        path = self.folder / 'traceroute'
        path.write_text(f'#!/bin/sh\n{text}\n')
        path.chmod(0o755)

    def test_programs(self) -> None:
        with mock.patch.object(facts, '_PATH', f'{self.folder}:/usr/bin:/bin'):
            self.assertEqual(facts.command('there-is-no-such-program'), '')
            self.program('echo "$LC_ALL $1"; echo odd >&2; exit 3')
            self.assertEqual(facts.command('traceroute', '$(id)'), 'C $(id)\nodd\n')
            self.program('echo begun; exec sleep 30')
            began = time.monotonic()
            process = facts.start('traceroute')
            self.assertEqual(facts.output(process, 1), 'begun\n\n[ended after 1 s]')
            self.assertLess(time.monotonic() - began, 10)
            self.program('exec 3</dev/null\nexec /there/is/no/such')
            self.assertIn('not found', facts.command('traceroute'))

    def test_a_whole_node_without_programs(self) -> None:
        with mock.patch.object(facts, '_PATH', str(self.folder)):
            told = facts.look(['/etc/os-release', '/there/is/none'], {'4': False, '6': False}, '127.0.0.1')
        sections = dict(told['sections'])
        self.assertEqual(list(sections), [
            'System', 'Seconds up, load', 'Memory', 'Disks', 'Network interfaces', 'IPv4 routes', 'IPv6 routes',
            'Resolver', 'Image: /etc/os-release', 'Image: /there/is/none', 'IPv4 to 127.0.0.1', 'IPv6 to 127.0.0.1'])
        self.assertIn('inet 127.0.0.1/8', sections['Network interfaces'])
        self.assertIn('the node has no traceroute', sections['IPv4 to 127.0.0.1'])
        self.assertIn('MemTotal: ', sections['Memory'])
        self.assertIn(os.uname().release, sections['System'])
        self.assertNotIn('cannot be told', str(sections))
        self.assertEqual(told['problems'], [])
        self.assertRegex(told['summary'], r'^.+, Python \d.+, \d+ CPUs, .+ GiB memory, /: .+, way out by \w+')

    def test_a_node_that_tells_nothing(self) -> None:
        def gone(*_: object) -> str:
            raise OSError(2, 'No such file or directory')
        with mock.patch.object(facts, 'read', gone), mock.patch.object(facts, '_PATH', str(self.folder)), \
                mock.patch.object(facts.os, 'statvfs', gone), mock.patch.object(facts.getpass, 'getuser', gone):
            told = facts.look(['/etc/x'], {'4': True, '6': False}, '')
        self.assertIn('unknown system', told['summary'])
        self.assertIn('no disk is known, way out by nowhere', told['summary'])
        self.assertEqual(len(told['problems']), 1)


if __name__ == '__main__':
    unittest.main()
