#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Have a service that tests need up and answering on a node."""
from __future__ import annotations

DOCUMENTATION = r'''
module: ensure_service
short_description: Have a service that tests need up and answering
description:
  - Refuses settings that make no sense before anything is changed. When the daemon's packages are missing it says which, and is
    to be called again when they are there.
  - Then it configures and starts the daemon, waits until it answers, makes users and databases, and asks a query with the
    given credentials. When that query works at once, nothing is done.
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

from typing import Any, Dict, List, Type

from ansible.module_utils import ensure_service_mariadb, ensure_service_postgresql
from ansible.module_utils import ensure_service_node as node
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.ensure_service_engine import Refused, Service, common_problems, ensure, typed

SERVICES: Dict[str, Type[Service]] = {
    'mariadb': ensure_service_mariadb.Mariadb,
    'postgresql': ensure_service_postgresql.Postgresql,
}


def made(params: Dict[str, Any], release: str) -> Service:
    """Return the driver with its settings.

    :raises Refused: something makes no sense; all of it is told.
    """
    role = params['reported_as']
    prefix = role.replace('-', '_') + '_'
    kind = SERVICES[params['service']]
    problems: List[str] = []
    settings = typed(params['settings'], kind.DEFAULTS, prefix, problems)
    family = node.family_of(release)
    service = kind(settings, family, prefix)
    if family not in kind.PACKAGES:
        problems.append('the platform is not known here: known are Debian, Red Hat and SUSE and what derives from them.')
    if params['timeout'] < 1:
        problems.append("%stimeout is %d: it must be at least 1 second." % (prefix, params['timeout']))
    if not problems:
        problems = common_problems(settings, prefix) + service.problems()
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
    module.exit_json(**result)


if __name__ == '__main__':
    main()
