# SPDX-License-Identifier: Apache-2.0
"""How any service comes up: refuse, configure, start, wait until it answers, make accounts, and prove it."""
from __future__ import annotations

import re
import time
from typing import Any, Dict, List, Sequence

from ansible.module_utils import ensure_service_node as node
from ansible.module_utils.ensure_service_node import Refused
from ansible.module_utils.parsing.convert_bool import boolean

MEMORY = '/run/ensure-service'      # a tmpfs on every system with systemd
NAME = re.compile(r'[a-z_][a-z0-9_]{0,62}')


class Service:
    """What a driver tells and does. Settings are those of the calling role, without its prefix.

    :cvar TITLE: what people call it.
    :cvar PACKAGES: {family: names of the packages of the distribution}.
    :cvar DEFAULTS: {setting: value}, whose type a given value must have.
    :cvar NEEDS: bytes that must be free for its data.
    """

    TITLE = ''
    PACKAGES: Dict[str, Sequence[str]] = {}
    DEFAULTS: Dict[str, Any] = {}
    NEEDS = 128 << 20
    REPLICAS: Sequence[str] = ()

    def __init__(self, settings: Dict[str, Any], family: str, prefix: str) -> None:
        self.set, self.family, self.prefix = settings, family, prefix

    def problems(self) -> List[str]:
        """Return what makes no sense in the settings, beyond the types."""
        return []

    def installed(self) -> bool:
        """Return whether its program is there."""
        raise NotImplementedError

    def before(self) -> None:
        """Write what must be there before the packages are installed."""

    def unit(self) -> str:
        """Return the name of its systemd unit."""
        raise NotImplementedError

    def data(self) -> str:
        """Return the folder that it keeps its data in."""
        raise NotImplementedError

    def logs(self) -> List[str]:
        """Return the paths of log files beside the journal."""
        return []

    def differs(self) -> bool:
        """Return whether :meth:`configure` would change anything."""
        raise NotImplementedError

    def configure(self) -> None:
        """Write the configuration. The service is stopped meanwhile."""
        raise NotImplementedError

    def answers(self, seconds: float) -> str:
        """Return why the daemon does not answer its administrator; empty when it does."""
        raise NotImplementedError

    def accounts(self) -> None:
        """Make users, databases and what else was asked for, or change them to be so."""

    def proof(self) -> str:
        """Return why a real query with the given credentials does not work; empty when it does."""
        raise NotImplementedError

    def version(self) -> str:
        """Return the version of the daemon that runs."""
        raise NotImplementedError

    def facts(self) -> Dict[str, Any]:
        """Return where it is (host, port, url …), and ``environment`` for tests."""
        raise NotImplementedError


def typed(given: Dict[str, Any], defaults: Dict[str, Any], prefix: str, problems: List[str]) -> Dict[str, Any]:
    """Return the settings with the types of their defaults; what has another one is added to *problems*."""
    settings = dict(defaults)
    for name, value in sorted(given.items()):
        default = defaults.get(name)
        if name not in defaults:
            problems.append('%s%s is no setting: there are %s' % (prefix, name, ', '.join(sorted(defaults))))
        elif isinstance(default, bool):
            try:
                settings[name] = boolean(value)
            except TypeError:
                problems.append("%s%s is '%s': it is neither true nor false." % (prefix, name, value))
        elif isinstance(default, int):
            if re.fullmatch(r'[0-9]{1,9}', str(value)):
                settings[name] = int(value)
            else:
                problems.append("%s%s is '%s': it is no whole number." % (prefix, name, value))
        elif isinstance(default, list):
            if isinstance(value, list) and all(isinstance(item, (str, int, float)) for item in value):
                settings[name] = [str(item) for item in value]
            else:
                problems.append("%s%s is '%s': it is no list of texts." % (prefix, name, value))
        elif isinstance(value, (dict, list)):
            problems.append("%s%s is '%s': it is no text." % (prefix, name, value))
        else:
            settings[name] = str(value)
    return settings


def common_problems(settings: Dict[str, Any], prefix: str) -> List[str]:
    """Return what is wrong with settings that several services have."""
    found = []
    for name in ('user', 'vhost'):
        if name in settings and settings[name] and not NAME.fullmatch(settings[name].lstrip('/')):
            found.append("%s%s is '%s': allowed are small letters, digits and '_', at most 63, no digit first. Write e.g. "
                         "'openstack_citest'." % (prefix, name, settings[name]))
    for name in settings.get('databases', ()):
        if not NAME.fullmatch(name):
            found.append("%sdatabases has '%s': allowed are small letters, digits and '_', at most 63, no digit first. Write "
                         "e.g. 'openstack_citest'." % (prefix, name))
    if 'password' in settings and (not settings['password'].isprintable() or len(settings['password']) > 200):
        found.append('%spassword has characters that cannot be printed, or more than 200. Write a line of text.' % prefix)
    if 'port' in settings and not 1024 <= settings['port'] <= 65535:
        found.append("%sport is %d: allowed are 1024 to 65535." % (prefix, settings['port']))
    return found


def ensure(service: Service, role: str, seconds: int, check_mode: bool = False) -> Dict[str, Any]:
    """Have *service* up as asked; return the result of the task.

    :param role: whose name messages begin with.
    :param seconds: what it may take from its start until a query works.
    :raises Refused: it cannot be had.
    """
    begun = time.monotonic()
    result: Dict[str, Any] = {'changed': False, 'missing': [], 'version': '', 'facts': {}, 'started': False}
    if not service.installed():
        if not check_mode:
            service.before()
        return {**result, 'changed': True, 'missing': list(service.PACKAGES[service.family])}
    unit = service.unit()
    running = node.is_active(unit)
    differs = service.differs()
    if not running or differs or service.proof():
        result['changed'] = True
        if check_mode:
            return result
        if not running or differs:
            _room(service, role)
            _port(service, role, unit, running)
            result['started'] = True
            _start(service, role, unit, differs)
        _wait(service, role, unit, seconds)
        service.accounts()
        why = service.proof()
        if why:
            raise Refused('%s: %s runs, and a query as %s does not work: %s%s' % (
                role, service.TITLE, service.set.get('user') or 'anybody', why, _said(service, unit)))
    result.update(version=service.version(), facts=service.facts(), seconds=round(time.monotonic() - begun, 2))
    return result


def _room(service: Service, role: str) -> None:
    path = service.data()
    room = node.free(path)
    if room < service.NEEDS:
        raise Refused('%s: cannot start %s: %s has %d MB free, and %d MB are needed. Make room there%s.' % (
            role, service.TITLE, path, room >> 20, service.NEEDS >> 20,
            ', or have it in memory: %sram' % service.prefix if not path.startswith(MEMORY) else
            ': it is memory; a node with more of it, or %sram: false' % service.prefix))


def _port(service: Service, role: str, unit: str, running: bool) -> None:
    """Refuse a port at which somebody else waits for connections."""
    port = service.set['port']
    for listener in node.listening(port):
        owner = node.unit_of(listener.pid) if listener.pid else ''
        if owner == unit:
            continue
        raise Refused('%s: cannot start %s: %sport is %d, and %s (process %d%s) waits for connections there already, at '
                      '%s. Stop it, or choose another port.' % (
                          role, service.TITLE, service.prefix, port, listener.name, listener.pid,
                          ' of ' + owner if owner else '', listener.address))


def _start(service: Service, role: str, unit: str, differs: bool) -> None:
    if differs:
        node.systemctl('stop', unit)
        try:
            service.configure()
        except OSError as error:
            raise Refused('%s: cannot configure %s: %s' % (role, service.TITLE, error)) from None
    node.systemctl('reset-failed', unit)
    done = node.systemctl('start', unit)
    if done.code:
        raise Refused('%s: %s cannot be started: %s%s' % (role, service.TITLE, done.words, _said(service, unit)))


def _wait(service: Service, role: str, unit: str, seconds: int) -> None:
    why = ''
    for left in node.until(seconds):
        why = service.answers(max(left, 1.0))
        if not why:
            return
        if node.systemctl('is-failed', '--quiet', unit).code == 0:
            why = '%s has failed' % unit
            break
    raise Refused('%s: %s does not answer%s: %s%s' % (
        role, service.TITLE, '' if why.endswith('has failed') else ' within %d s' % seconds, why, _said(service, unit)))


def _said(service: Service, unit: str) -> str:
    """Return what the daemon logged, to be put at the end of a message."""
    texts = [('journalctl --unit=' + unit, node.journal(unit))]
    texts += [(path, node.tail(path)) for path in service.logs()]
    return ''.join('\n--- the end of %s\n%s' % one for one in texts if one[1])
