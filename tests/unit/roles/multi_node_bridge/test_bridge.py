# SPDX-License-Identifier: Apache-2.0
"""Who has which address and tunnel, and what Open vSwitch and the firewall are told."""
from __future__ import annotations

import json
import unittest
from typing import Any

from tests.unit.roles import library

module: Any = library('multi-node-bridge', 'multi_node_bridge')


def params(**more: Any) -> dict[str, Any]:
    return {'me': 'a', 'switches': ['a'], 'peers': ['b', 'c'], 'hosts': ['192.0.2.1', '192.0.2.2', '2001:db8::3'],
            'nodepool': [{}, {'private_ipv4': '198.51.100.2'}, None], 'bridge': 'br-infra', 'prefix': '172.24.4',
            'offset': 1, 'length': 23, 'vni': 1000000, 'mtu': 1450, **more}


class TestPlan(unittest.TestCase):
    def test_switch_and_peers(self) -> None:
        for me, address, tunnels in (
                ('a', '172.24.4.1/23', {'vx-1000001': ('198.51.100.2', 1000001),
                                        'vx-1000002': ('2001:db8::3', 1000002)}),
                ('b', '172.24.4.2/23', {'vx-1000001': ('192.0.2.1', 1000001)}),
                ('c', '172.24.4.3/23', {'vx-1000002': ('192.0.2.1', 1000002)})):
            with self.subTest(me):
                self.assertEqual(module.plan(params(me=me)), module.Plan(address, tunnels))

    def test_more_nodes_than_one_number_has(self) -> None:
        peers = [f'n{number}' for number in range(400)]
        found = module.plan(params(me='n399', peers=peers, nodepool=[{}] * 401, hosts=['192.0.2.1'] * 401))
        self.assertEqual(found.address, '172.24.5.145/23')

    def test_alone(self) -> None:
        self.assertEqual(module.plan(params(peers=[])), module.Plan('172.24.4.1/23', {}))

    def test_refused(self) -> None:
        for wish, said in (
                ({'switches': []}, "the group 'switch' has 0 nodes"), ({'switches': ['a', 'b']}, 'has 2 nodes'),
                ({'me': 'x'}, "node 'x' is in neither of the groups"), ({'peers': ['a', 'b']}, 'have a node in common'),
                ({'hosts': ['', 'b.example', '']}, "node 'a': neither nodepool nor ansible_host"),
                ({'bridge': 'much-too-long-name'}, "bridge_name is 'much-too-long-name'"), ({'bridge': '-x'}, "'-x'"),
                ({'bridge': 'a b'}, "'a b'"), ({'vni': -1}, 'bridge_vni_offset is -1'),
                ({'vni': 2 ** 24}, '1 to 16777215'), ({'length': 33}, 'bridge_address_subnet 33'),
                ({'mtu': 0}, 'bridge_mtu is 0: a packet has 576 to 65535 bytes'),
                ({'prefix': '172.24'}, "bridge_address_prefix is '172.24'"), ({'prefix': '300.1.1'}, "'300.1.1'"),
                ({'offset': 511}, '172.24.5.255 to 172.24.6.1 are not all in 172.24'),
                ({'length': 31}, 'are not all in 172.24.4.0/31'), ({'offset': -3}, 'bridge_address_offset is -3')):
            with self.subTest(wish=wish), self.assertRaises(module.Refused) as caught:
                module.plan(params(**wish))
            self.assertIn(said, str(caught.exception))

    def test_all_at_once(self) -> None:
        with self.assertRaisesRegex(module.Refused, 'cannot continue, 3 problems'):
            module.plan(params(bridge='', vni=-5, prefix='x'))


class TestFits(unittest.TestCase):
    def test_the_smallest_way(self) -> None:
        links = {'eth0': 1500, 'eth1': 9000, 'wg0': 1420}
        routes = {'192.0.2.1': 'eth0', '192.0.2.2': 'eth1', '2001:db8::1': 'eth0', '192.0.2.3': 'wg0'}

        def run(argv: list[str]) -> tuple[int, str, str]:
            answer: object = [{'dev': routes[argv[-1]]}] if 'route' in argv else [{'mtu': links[argv[-1]]}]
            return 0, json.dumps(answer), ''
        for remotes, expected in ((['192.0.2.1'], 1450), (['192.0.2.2'], 8950), (['192.0.2.2', '2001:db8::1'], 1430),
                                  (['192.0.2.1', '192.0.2.3'], 1370), ([], 1450)):
            with self.subTest(remotes=remotes):
                tunnels = {f'vx-{number}': (address, number) for number, address in enumerate(remotes)}
                self.assertEqual(module.fits(run, tunnels), expected)

    def test_no_way(self) -> None:
        with self.assertRaisesRegex(module.Refused, 'ip -j route get: exit code 2: Network is unreachable'):
            module.fits(lambda argv: (2, '', 'Network is unreachable'), {'vx-1': ('192.0.2.1', 1)})


class TestDatabase(unittest.TestCase):
    TUNNELS = {'vx-1': ('192.0.2.1', 1)}
    BRIDGE = ['br', 'internal', ['map', []], 1450]
    PORT = ['vx-1', 'vxlan', ['map', [['key', '1'], ['remote_ip', '192.0.2.1']]], ['set', []]]

    def words(self, ports: list[str], *rows: Any, mtu: int = 1450) -> str:
        table = {'headings': ['name', 'type', 'options', 'mtu_request'], 'data': list(rows)}
        return ' '.join(module.database('br', ports, table, self.TUNNELS, mtu))

    def test_nothing_to_do(self) -> None:
        self.assertEqual(self.words(['vx-1'], self.BRIDGE, self.PORT), '')
        self.assertEqual(self.words(['vx-1', 'patch', 'vx-own'], self.BRIDGE, self.PORT), '')

    def test_orders(self) -> None:
        bridge = '-- --may-exist add-br br -- set interface br mtu_request='
        port = ('-- --may-exist add-port br vx-1 -- set interface vx-1 type=vxlan options:remote_ip="192.0.2.1" '
                'options:key=1')
        other = ['vx-1', 'vxlan', ['map', [['key', '1'], ['remote_ip', '192.0.2.9']]], ['set', []]]
        for ports, rows, mtu, expected in (
                ([], [], 1450, f'{bridge}1450 {port}'), (['vx-1'], [self.BRIDGE, self.PORT], 1400, f'{bridge}1400'),
                (['vx-1'], [self.BRIDGE, other], 1450, port), ([], [self.BRIDGE, self.PORT], 1450, port),
                (['vx-1', 'vx-2'], [self.BRIDGE, self.PORT], 1450, '-- del-port br vx-2')):
            with self.subTest(ports=ports, rows=rows):
                self.assertEqual(self.words(ports, *rows, mtu=mtu), expected)


class TestFilters(unittest.TestCase):
    def test_cases(self) -> None:
        rule = '-A multi-node-bridge -s 192.0.2.1/32 -p udp -m udp --dport 4789 -j ACCEPT\n'
        all_in = '-A multi-node-bridge -i br -j ACCEPT\n'
        jumps = '-A INPUT -j multi-node-bridge\n', '-A FORWARD -j multi-node-bridge\n'
        forward = '-I FORWARD 1 -j multi-node-bridge\n'
        start, jump = '*filter\n:multi-node-bridge - [0:0]\n', '-I INPUT 1 -j multi-node-bridge\n'
        for listing, remotes, authorize, order in (
                ('-P INPUT ACCEPT\n', ['192.0.2.1/32'], False, f'{start}{rule}{jump}COMMIT\n'),
                ('-P INPUT ACCEPT\n', [], False, ''),
                (f'-A INPUT -j x\n{jumps[0]}{rule}', ['192.0.2.1/32'], False, ''),
                (f'{jumps[0]}{rule}', ['192.0.2.1/32'], True,
                 f'{start}{rule}{all_in}-D INPUT -j multi-node-bridge\n{jump}{forward}COMMIT\n'),
                (f'{jumps[0]}{jumps[1]}{rule}{all_in}', ['192.0.2.1/32'], True, '')):
            with self.subTest(listing=listing, authorize=authorize):
                self.assertEqual(module.filters(listing, 'br', remotes, authorize), order)


class TestOpen(unittest.TestCase):
    def opened(self, **more: Any) -> list[str]:
        """Return what a node whose kernel has no IPv6 is told."""
        orders = []

        def run(argv: list[str], data: str = '') -> tuple[int, str, str]:
            if argv[0].startswith('ip6'):
                return 3, '', 'Address family not supported by protocol'
            orders.extend([argv[0]] if data else [])
            return 0, '-P INPUT ACCEPT\n', ''
        module.Bridge(run, lambda name: name, params(authorize=False, **more), False).open()
        return orders

    def test_a_kernel_without_ipv6(self) -> None:
        self.assertEqual(self.opened(hosts=['192.0.2.1', '192.0.2.2', '192.0.2.3']), ['iptables-restore'])

    def test_a_tunnel_that_cannot_be_let_through_is_told(self) -> None:
        with self.assertRaisesRegex(module.Refused, 'ip6tables -w 30 -S: exit code 3: Address family not supported'):
            self.opened()


class TestAddress(unittest.TestCase):
    def test_a_kernel_without_open_vswitch(self) -> None:
        bridge = module.Bridge(lambda argv: (1, '', 'Device "br-infra" does not exist.\n'), str, params(), False)
        with self.assertRaisesRegex(module.Refused, "has the bridge 'br-infra' .* does not exist. The kernel lacks its "
                                                    r'module openvswitch. .*\(modprobe openvswitch\)'):
            bridge.address()
        self.assertFalse(bridge.changed)

    def test_cases(self) -> None:
        link = {'flags': ['BROADCAST', 'UP'], 'addr_info': [{'local': '172.24.4.1', 'prefixlen': 23}, {}]}
        for listing, address, expected in (
                ([link], '172.24.4.1/23', (True, True)), ([link], '172.24.4.1/24', (False, True)),
                ([{'flags': []}], '172.24.4.1/23', (False, False)), ([{}], 'x', (False, False))):
            with self.subTest(address):
                self.assertEqual(module.has_address(listing, address), expected)
