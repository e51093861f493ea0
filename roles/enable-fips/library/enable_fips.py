#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Say how a node comes into FIPS mode, or why it cannot."""
from __future__ import annotations

DOCUMENTATION = r"""
module: enable_fips
short_description: Say how a node comes into FIPS mode, or why it cannot
description:
  - Changes nothing.
options:
  ubuntu_service: {description: Service of Ubuntu Pro that brings the validated packages., type: str, required: true}
  must_be_enabled: {description: Fail when the node is not in FIPS mode., type: bool, default: false}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Ask a node
  enable_fips:
    ubuntu_service: fips-updates
"""
RETURN = r"""
enabled: {description: Whether the node is in FIPS mode already., type: bool, returned: success}
packages: {description: Packages that bring the command., type: list, elements: str, returned: success}
command: {description: What switches it on at the next start., type: list, elements: str, returned: success}
"""

import json
import os
import re
import shutil
from typing import Any, NamedTuple

KERNEL = '/proc/sys/crypto/fips_enabled'
CONTAINER = ('/run/systemd/container', '/run/.containerenv', '/.dockerenv')
SETUP = 'fips-mode-setup'
# where its last release with the command is; later ones are put into FIPS mode when they are installed
LAST = {'rhel': 9, 'centos': 9, 'rocky': 9, 'almalinux': 9, 'ol': 9, 'fedora': 41}
SERVICES = ('fips', 'fips-updates', 'fips-preview')


class Refused(Exception):
    """The node cannot be in FIPS mode; the text is for people."""


class Node(NamedTuple):
    """What was found.

    :ivar release: os-release(5).
    :ivar kernel: whether the kernel is in FIPS mode.
    :ivar container: whether the node is one.
    :ivar setup: whether the command of Red Hat's family is there.
    :ivar pro: what ``pro status --format json`` says, None without Ubuntu Pro's client.
    """

    release: str
    kernel: bool
    container: bool
    setup: bool
    pro: str | None


def decide(node: Node, service: str) -> dict[str, Any]:
    """Return the task's result. Raises Refused."""
    pairs = dict(re.findall(r'^(\w+)=["\']?([^"\'\n]*)', node.release, re.M))
    system, shown = pairs.get('ID', ''), pairs.get('PRETTY_NAME', 'unknown')
    result: dict[str, Any] = {'changed': False, 'enabled': node.kernel, 'packages': [], 'command': []}
    found = []
    if system == 'ubuntu':
        result['command'] = ['pro', 'enable', '--assume-yes', service]
        if not node.kernel:
            found = _of_ubuntu(node, service)
    elif system in LAST:
        result['command'] = [SETUP, '--enable']
        result['packages'] = [] if node.setup else ['crypto-policies-scripts']
        major = re.match(r'\d+', pairs.get('VERSION_ID', ''))
        if not node.kernel and (not major or int(major[0]) > LAST[system]):
            found = [f'it has no {SETUP} any more. Use a label whose image was installed with the kernel argument '
                     'fips=1.']
    else:
        found = ["it has no FIPS mode. Use a label of Red Hat's family or of Ubuntu with Pro, or run the job without "
                 'FIPS.']
    if node.container and not node.kernel and result['command']:
        found.append('it is a container, with the kernel of its host, and cannot be started again. Use a label of '
                     'machines.')
    found = [f"the node is '{shown}': {problem}" for problem in found]
    if service not in SERVICES:
        found.insert(0, f"enable_fips_ubuntu_service is '{service}': allowed are {', '.join(SERVICES)}.")
    if found:
        count = '1 problem' if len(found) == 1 else f'{len(found)} problems'
        raise Refused('\n  - '.join([f'enable-fips: cannot continue, {count}:', *found]))
    return result


def _of_ubuntu(node: Node, service: str) -> list[str]:
    try:
        status = json.loads(node.pro or '{}')
    except ValueError:
        status = {}
    if not status.get('attached'):
        return ['it is not attached to Ubuntu Pro, which has the validated packages. Attach it before, for example '
                'with the role enable-ua-subscription.']
    offered = {one.get('name'): one.get('available') for one in status.get('services', [])}
    if service in SERVICES and offered.get(service) not in ('yes', True):
        return [f'Ubuntu Pro has no {service} for it. `pro status --all` tells what there is.']
    return []


def look(run: Any) -> Node:
    """Ask the node. Raises OSError."""
    with open('/etc/os-release', encoding='utf-8', errors='replace') as stream:
        release = stream.read()
    try:
        with open(KERNEL, encoding='ascii') as stream:
            kernel = stream.read().strip() == '1'
    except OSError:
        kernel = False
    pro = run(['pro', 'status', '--format', 'json'])[1] if shutil.which('pro') else None
    folders = os.environ.get('PATH', '') + ':/usr/sbin:/sbin:/usr/local/sbin'
    return Node(release, kernel, any(map(os.path.exists, CONTAINER)), bool(shutil.which(SETUP, path=folders)), pro)


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'ubuntu_service': {'type': 'str', 'required': True}, 'must_be_enabled': {'type': 'bool', 'default': False}})

    def run(argv: list[str]) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', '60', 'env', 'LC_ALL=C', *argv])
    try:
        node = look(run)
        if module.params['must_be_enabled'] and not node.kernel:
            module.fail_json(msg=(
                f'enable-fips: the node was started again and is not in FIPS mode: {KERNEL} is not 1. The log of its '
                'start says why; its boot loader must take the kernel argument fips=1.'))
        module.exit_json(**decide(node, module.params['ubuntu_service']))
    except Refused as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f'enable-fips: cannot find out what the node is: {error}')


if __name__ == '__main__':
    main()
