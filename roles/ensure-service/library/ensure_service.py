#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Have a service that tests need up and answering on a node."""
from __future__ import annotations

DOCUMENTATION = r'''
module: ensure_service
short_description: Have a service that tests need up and answering
description:
  - Refuses settings that make no sense before anything is changed. When the daemon's packages are missing it says
    which, and is to be called again when they are there.
  - Then it configures and starts the daemon, waits until it answers, makes users and databases, and asks a query with
    the given credentials. When that query works at once, nothing is done.
  - The user of the connection may read the journal then, so that logs can be collected without C(sudo).
options:
  service: {description: Name of the service., type: str, required: true}
  settings: {description: Settings by their names without the prefix of the role., type: dict, default: {}}
  reported_as: {description: Name of the role that messages begin with., type: str, required: true}
  timeout: {description: Seconds until it must answer., type: int, default: 60}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Have PostgreSQL
  become: true
  ensure_service:
    service: postgresql
    reported_as: ensure-postgresql
    settings: {ram: true}
'''
RETURN = r'''
missing: {description: Packages that must be installed first., type: list, elements: str, returned: success}
version: {description: Version of the daemon., type: str, returned: success}
started: {description: Whether it was started, or started again., type: bool, returned: success}
facts: {description: Where it is, and the environment that tests want., type: dict, returned: success}
seconds: {description: How long it took., type: float, returned: success}
'''

import os
from typing import Any, Dict, List, Type

from ansible.module_utils import ensure_service_node as node
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.ensure_service_engine import Refused, Service, common_problems, ensure, typed
from ansible.module_utils.ensure_service_mariadb import Mariadb
from ansible.module_utils.ensure_service_postgresql import Postgresql
from ansible.module_utils.ensure_service_rabbitmq import Rabbitmq
from ansible.module_utils.ensure_service_spoken import Etcd, Memcached, Redis
from ansible.module_utils.ensure_service_zookeeper import Zookeeper

SERVICES: Dict[str, Type[Service]] = {
    'etcd': Etcd,
    'mariadb': Mariadb,
    'memcached': Memcached,
    'postgresql': Postgresql,
    'rabbitmq': Rabbitmq,
    'redis': Redis,
    'zookeeper': Zookeeper,
}


def made(params: Dict[str, Any], release: str) -> Service:
    """Return the driver with its settings.

    :param release: the text of os-release(5).
    :raises Refused: something makes no sense; all of it is told.
    """
    role = params['reported_as']
    kind = SERVICES[params['service']]
    problems: List[str] = []

    def called(setting: str) -> str:
        return kind.called(role, setting)
    service = kind(typed(params['settings'], kind.DEFAULTS, called, problems), node.pairs_of(release), role)
    if service.family not in kind.PACKAGES:
        problems.append('the platform is not known here: known are %s and what derives from them.' %
                        ', '.join(kind.PACKAGES))
    if params['timeout'] < 1:
        problems.append('%s is %d: it must be at least 1 second.' % (called('timeout'), params['timeout']))
    if not problems:
        problems = common_problems(service.set, called) + service.problems()
    if problems:
        raise Refused('%s: cannot continue, %d problem%s:\n%s' % (
            role, len(problems), 's' * (len(problems) > 1), '\n'.join('  - ' + line for line in problems)))
    return service


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'service': {'type': 'str', 'required': True, 'choices': sorted(SERVICES)},
        'settings': {'type': 'dict', 'default': {}},
        'reported_as': {'type': 'str', 'required': True},
        'timeout': {'type': 'int', 'default': 60},
    })
    try:
        with open('/etc/os-release', encoding='utf-8', errors='replace') as stream:
            service = made(module.params, stream.read())
        result = ensure(service, module.params['reported_as'], module.params['timeout'], module.check_mode)
    except Refused as error:
        module.fail_json(msg=str(error))
    user = os.environ.get('SUDO_USER', '')
    if user and not module.check_mode:
        node.show_journal(user)
    module.exit_json(**result)


if __name__ == '__main__':
    main()
