#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Wait until a node resolves a name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: post_reboot_tasks
short_description: Wait until a node resolves a name
description:
  - Asks the node's own resolver, so that no program for it is needed.
options:
  name: {description: Name of a host., type: str, required: true}
  timeout: {description: Seconds to wait., type: int, default: 300}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Wait for the resolver
  post_reboot_tasks:
    name: opendev.org
"""
RETURN = r"""
addresses: {description: What the name stands for., type: list, elements: str, returned: success}
seconds: {description: How long it took., type: float, returned: success}
"""

import re
import socket
import time
from typing import Any, Callable

PAUSE = 1.0     # seconds between two questions
_NAME = re.compile(r'(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_-]+)*\.?')


class Refused(Exception):
    """The name cannot be resolved; the text is for people."""


def addresses_of(name: str) -> list[str]:
    """The addresses of *name*. Raises OSError."""
    return sorted({str(answer[4][0]) for answer in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})


def wait(name: str, timeout: float, ask: Callable[[str], list[str]], resolvers: str) -> dict[str, Any]:
    """Ask until there is an answer, and return the task's result. Raises Refused.

    :param timeout: seconds.
    :param resolvers: content of resolv.conf(5), to be told when there is no answer.
    """
    if not _NAME.fullmatch(name):
        raise Refused(f'post-reboot-tasks: nslookup_target is {name!r}: not the name of a host. Write e.g. '
                      "'opendev.org'.")
    began = time.monotonic()
    while True:
        try:
            return {'changed': False, 'addresses': ask(name), 'seconds': round(time.monotonic() - began, 2)}
        except OSError as error:
            if time.monotonic() - began >= timeout:
                servers = ', '.join(re.findall(r'^nameserver[ \t]+(\S+)', resolvers, re.M)) or 'none'
                raise Refused(
                    f"post-reboot-tasks: nslookup_target is '{name}': not resolved within {timeout:g} s: {error}. The "
                    f"node's name servers in /etc/resolv.conf: {servers}.") from error
        time.sleep(PAUSE)


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'name': {'type': 'str', 'required': True}, 'timeout': {'type': 'int', 'default': 300}})
    try:
        with open('/etc/resolv.conf', encoding='utf-8', errors='replace') as stream:
            resolvers = stream.read()
    except OSError:
        resolvers = ''
    try:
        module.exit_json(**wait(module.params['name'], module.params['timeout'], addresses_of, resolvers))
    except Refused as error:
        module.fail_json(msg=str(error))


if __name__ == '__main__':
    main()
