#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""A network of their own for the nodes of a build: bridges of Open vSwitch, tied together by VXLAN tunnels."""
from __future__ import annotations

DOCUMENTATION = r'''
module: multi_node_bridge
short_description: Lay the bridge of a node, and its tunnels
description:
  - One node, the switch, has a tunnel to each of the others, the peers; each peer has one to the switch.
  - Only what differs is changed. Ports of the bridge that others made stay.
options:
  me: {description: The name of this node., type: str, required: true}
  switches: {description: The name of the switch., type: list, elements: str, required: true}
  peers: {description: The names of the peers., type: list, elements: str, required: true}
  nodepool: {description: What Zuul says of switch and peers in turn., type: list, elements: dict, required: true}
  hosts: {description: Where Ansible reaches them in turn., type: list, elements: str, required: true}
  bridge: {description: Name of the bridge., type: str, required: true}
  prefix: {description: The first three numbers of the addresses., type: str, required: true}
  offset: {description: The last number of the switch's address., type: int, required: true}
  length: {description: Length of the network's prefix., type: int, required: true}
  vni: {description: Number of the tunnels is this and the peer's., type: int, required: true}
  service: {description: A service to start., type: str, default: ''}
  mtu:
    {description: 'How much fits into a packet on the bridge. Without it, that is told and nothing done.', type: int}
  configure_address: {description: Whether the bridge has an address., type: bool, default: true}
  authorize: {description: Whether the firewall lets all in that comes over the bridge., type: bool, default: false}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Lay a bridge between two nodes
  become: true
  multi_node_bridge:
    me: "{{ inventory_hostname }}"
    switches: [controller]
    peers: [compute1]
    nodepool: [{private_ipv4: 192.0.2.1}, {private_ipv4: 192.0.2.2}]
    hosts: ['', '']
    bridge: br-infra
    prefix: 172.24.4
    offset: 1
    length: 23
    vni: 1000000
    mtu: 1450
'''
RETURN = r'''
mtu: {description: How much fits into a packet on the bridge., type: int, returned: success}
firewall: {description: Whether rules of iptables were changed., type: bool, returned: when laid}
'''

import ipaddress
import json
import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule

CHAIN = 'multi-node-bridge'
_SECONDS = '120'
_PORT = 4789            # of VXLAN, by UDP
_LAST_VNI = 2 ** 24 - 1
# what VXLAN, UDP and the addresses of the tunnel take of a packet, with Ethernet's own header inside
_OVERHEAD = {4: 50, 6: 70}
_NO_INTERFACE = (
    "multi-node-bridge: Open vSwitch has the bridge '%s' in its database and made no interface of it: %s The kernel "
    'lacks its module openvswitch. Load that on the machine (modprobe openvswitch) when the node is a container, which '
    'has no kernel of its own, or use nodes that are machines; a job that inherits from multinode and needs no such '
    'network sets multinode_bridge to false.')
_KEYS = ('private_ipv4', 'public_ipv4', 'public_ipv6', 'interface_ip')
Run = Callable[..., Tuple[int, str, str]]


class Refused(Exception):
    """The bridge cannot be laid. The message has all reasons."""


class Plan(NamedTuple):
    """What a node has.

    :ivar address: its own on the bridge, with the length of the prefix.
    :ivar tunnels: name of the port -> (the other end, number of the tunnel).
    """

    address: str
    tunnels: Dict[str, Tuple[str, int]]


def address_of(nodepool: Dict[str, Any], host: str) -> str:
    """Return where the other nodes reach a node, or '' when nothing says so."""
    for value in (*(nodepool.get(key) for key in _KEYS), host):
        try:
            return str(ipaddress.ip_address(str(value or '')))
        except ValueError:
            continue
    return ''


def plan(params: Dict[str, Any]) -> Plan:
    """Return what this node has.

    :raises Refused: it cannot be, with all reasons.
    """
    names = [*params['switches'], *params['peers']]
    told = zip(names, params['nodepool'], params['hosts'])
    reached = {name: address_of(nodepool or {}, host) for name, nodepool, host in told}
    wrong = ["node '%s': neither nodepool nor ansible_host has an address of it." % name
             for name, address in reached.items() if not address]
    if len(params['switches']) != 1:
        wrong.append("the group 'switch' has %d nodes: one node must be in it, and the others in the group 'peers'."
                     % len(params['switches']))
    elif params['me'] not in names:
        wrong.append("node '%s' is in neither of the groups 'switch' and 'peers': put it into one." % params['me'])
    if len(set(names)) != len(names):
        wrong.append("the groups 'switch' and 'peers' have a node in common: a node can be in one of them.")
    if not re.fullmatch(r'[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}', params['bridge']):
        wrong.append("bridge_name is '%s': not the name of a network interface. Write for example 'br-infra'."
                     % params['bridge'])
    vni = params['vni']
    if not 0 <= vni <= _LAST_VNI - len(names):
        wrong.append('bridge_vni_offset is %d: with the number of a node added it must be 1 to %d.' % (vni, _LAST_VNI))
    if params['mtu'] is not None and not 576 <= params['mtu'] <= 65535:
        wrong.append('bridge_mtu is %d: a packet has 576 to 65535 bytes.' % params['mtu'])
    try:
        network = ipaddress.ip_network('%s.0/%d' % (params['prefix'], params['length']), strict=False)
        first = ipaddress.ip_address('%s.0' % params['prefix']) + params['offset']
        inside = [first + number in network for number in range(len(names))]
        if not all(inside) or params['offset'] < 0:
            wrong.append('bridge_address_offset is %d: the addresses %s to %s are not all in %s.' % (
                params['offset'], first, first + len(names) - 1, network))
    except ValueError:
        wrong.append("bridge_address_prefix is '%s' and bridge_address_subnet %s: write three numbers such as "
                     "'172.24.4', and the length of a prefix such as 23." % (params['prefix'], params['length']))
    if wrong:
        raise Refused('multi-node-bridge: cannot continue, %d problem%s:\n%s' % (
            len(wrong), '' if len(wrong) == 1 else 's', '\n'.join('  - ' + one for one in wrong)))
    mine = names.index(params['me'])
    others = range(1, len(names)) if mine == 0 else [mine]
    return Plan('%s/%d' % (first + mine, params['length']),
                {'vx-%d' % (vni + number): (reached[names[number if mine == 0 else 0]], vni + number)
                 for number in others})


def fits(run: Run, tunnels: Dict[str, Tuple[str, int]]) -> int:
    """Return how much fits into a packet of every tunnel of this node. Without tunnels it is what Ethernet has.

    :raises Refused: there is no way to one of the nodes.
    """
    found = [1500 - _OVERHEAD[4]]
    for address, _ in tunnels.values():
        routes = json.loads(must(run, ['ip', '-j', 'route', 'get', address]))
        links = json.loads(must(run, ['ip', '-j', 'link', 'show', 'dev', routes[0]['dev']]))
        found.append(links[0]['mtu'] - _OVERHEAD[ipaddress.ip_address(address).version])
    return min(found[1:] or found)


def database(bridge: str, ports: Sequence[str], table: Dict[str, Any], tunnels: Dict[str, Tuple[str, int]],
             mtu: int) -> List[str]:
    """Return what ovs-vsctl must be told, nothing when all is as it should be.

    :param ports: those that the bridge has.
    :param table: columns name, type, options and mtu_request of all interfaces.
    """
    rows = {row[0]: row[1:] for row in table.get('data', [])}
    words: List[str] = []
    if bridge not in rows or rows[bridge][2] != mtu:
        words += ['--', '--may-exist', 'add-br', bridge, '--', 'set', 'interface', bridge, 'mtu_request=%d' % mtu]
    for port in ports:
        if re.fullmatch(r'vx-\d+', port) and port not in tunnels:
            words += ['--', 'del-port', bridge, port]
    for port, (address, vni) in tunnels.items():
        options = {'remote_ip': address, 'key': str(vni)}
        if port not in ports or rows.get(port, [])[:2] != ['vxlan', ['map', sorted([key, value] for key, value in
                                                                                  options.items())]]:
            # a colon, as in addresses of IPv6, has a meaning unless it is in quotes
            words += ['--', '--may-exist', 'add-port', bridge, port, '--', 'set', 'interface', port, 'type=vxlan',
                      'options:remote_ip="%s"' % address, 'options:key=%d' % vni]
    return words


def filters(listing: str, bridge: str, remotes: Sequence[str], authorize: bool) -> str:
    """Return what iptables-restore must be told, '' when all is as it should be.

    :param listing: what ``iptables -S`` prints.
    :param remotes: addresses with their length, as in ``192.0.2.1/32``.
    """
    rules = ['-A %s -s %s -p udp -m udp --dport %d -j ACCEPT' % (CHAIN, address, _PORT) for address in remotes]
    rules += ['-A %s -i %s -j ACCEPT' % (CHAIN, bridge)] if authorize else []
    entered = ['INPUT', 'FORWARD'] if authorize else ['INPUT']
    lines = listing.splitlines()
    wanted = {'-A %s -j %s' % (chain, CHAIN) for chain in entered}
    jumps = [line for line in lines if line.startswith(('-A INPUT ', '-A FORWARD ')) and line.endswith('-j ' + CHAIN)]
    if [line for line in lines if line.startswith('-A %s ' % CHAIN)] == rules and (not rules or set(jumps) == wanted):
        return ''
    return '\n'.join(['*filter', ':%s - [0:0]' % CHAIN, *rules, *(jump.replace('-A', '-D', 1) for jump in jumps),
                      *('-I %s 1 -j %s' % (chain, CHAIN) for chain in entered), 'COMMIT', ''])


def has_address(listing: Sequence[Dict[str, Any]], address: str) -> Tuple[bool, bool]:
    """Return whether an interface, as ``ip -j addr show`` tells, has *address*, and whether it is up."""
    there = {'%s/%s' % (one['local'], one['prefixlen']) for link in listing for one in link.get('addr_info', [])
             if 'local' in one}
    return address in there, any('UP' in link.get('flags', []) for link in listing)


def must(run: Run, argv: List[str], **options: Any) -> str:
    """Return what a program prints.

    :raises Refused: it failed.
    """
    code, out, error = run(argv, **options)
    if code:
        raise Refused('multi-node-bridge: %s: exit code %d: %s' % (' '.join(argv[:4]), code, (error or out).strip()))
    return out


class Bridge:
    """One run of the module.

    :param find: name of a program -> its path or None.
    """

    def __init__(self, run: Run, find: Callable[[str], Optional[str]], params: Dict[str, Any], dry: bool) -> None:
        self.run, self.find, self.params, self.dry = run, find, params, dry
        self.plan = plan(params)
        self.changed = False

    def do(self, argv: List[str], **options: Any) -> None:
        """Change something."""
        self.changed = True
        if not self.dry:
            must(self.run, argv, **options)

    def start(self) -> None:
        """Have the service run, now and when the system starts."""
        service = self.params['service']
        if service and self.run(['systemctl', 'is-active', '--quiet', service])[0]:
            self.do(['systemctl', 'enable', '--now', service])

    def lay(self) -> None:
        """Have the bridge and its tunnels."""
        bridge = self.params['bridge']
        vsctl = ['ovs-vsctl', '--timeout=60']
        there = bridge in must(self.run, [*vsctl, 'list-br']).split()
        ports = must(self.run, [*vsctl, 'list-ports', bridge]).split() if there else []
        table = json.loads(must(self.run, [
            *vsctl, '--format=json', '--columns=name,type,options,mtu_request', 'list', 'Interface']))
        words = database(bridge, ports, table, self.plan.tunnels, self.params['mtu'])
        if words:
            self.do([*vsctl, *words])

    def address(self) -> None:
        """Have the bridge up, with its address."""
        bridge = self.params['bridge']
        if self.dry and self.changed:
            return
        code, out, error = self.run(['ip', '-j', 'addr', 'show', 'dev', bridge])
        if code:
            raise Refused(_NO_INTERFACE % (bridge, (error or out).strip()))
        has, up = has_address(json.loads(out), self.plan.address)
        if self.params['configure_address'] and not has:
            self.do(['ip', 'addr', 'add', self.plan.address, 'brd', '+', 'dev', bridge])
        if not up:
            self.do(['ip', 'link', 'set', 'dev', bridge, 'up'])

    def open(self) -> bool:
        """Have the firewall let the tunnels through, where there is one; return whether that was a change."""
        changed = False
        for program, version, length in (('iptables', 4, 32), ('ip6tables', 6, 128)):
            remotes = ['%s/%d' % (address, length) for address, _ in self.plan.tunnels.values()
                       if ipaddress.ip_address(address).version == version]
            argv = [program, '-w', '30', '-S']
            # Without IPv6 in the kernel there may be the program, which fails, and no tunnel goes that way.
            if not self.find(program) or (version == 6 and not remotes and self.run(argv)[0]):
                continue
            listing = must(self.run, argv)
            # addresses on the bridge are of IPv4
            order = filters(listing, self.params['bridge'], remotes, self.params['authorize'] and version == 4)
            if order:
                changed = True
                self.do([program + '-restore', '-w', '30', '-n'], data=order)
        return changed


def main() -> None:
    """Run as a module."""
    text, whole, texts = {'type': 'str', 'required': True}, {'type': 'int', 'required': True}, {
        'type': 'list', 'elements': 'str', 'required': True}
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'me': text, 'switches': texts, 'peers': texts, 'hosts': texts, 'bridge': text, 'prefix': text, 'offset': whole,
        'nodepool': {'type': 'list', 'elements': 'dict', 'required': True}, 'length': whole, 'vni': whole,
        'service': {'type': 'str', 'default': ''},
        'mtu': {'type': 'int'},
        'configure_address': {'type': 'bool', 'default': True},
        'authorize': {'type': 'bool', 'default': False},
    })

    def run(argv: List[str], **options: Any) -> Tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', _SECONDS, *argv],
                                  environ_update={'LC_ALL': 'C'}, **options)
    try:
        bridge = Bridge(run, module.get_bin_path, module.params, module.check_mode)
        if module.params['mtu'] is None:
            module.exit_json(changed=False, mtu=fits(run, bridge.plan.tunnels))
        bridge.start()
        bridge.lay()
        bridge.address()
        firewall = bridge.open()
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bridge.changed, mtu=module.params['mtu'], firewall=firewall)


if __name__ == '__main__':
    main()
