# SPDX-License-Identifier: Apache-2.0
"""How any service comes up: refuse, configure, start, wait until it answers, make accounts, and prove it."""
from __future__ import annotations

import re
import shutil
import time
from typing import Any, Callable, Dict, List, Mapping, Sequence

from ansible.module_utils import ensure_service_node as node
from ansible.module_utils.ensure_service_node import Refused
from ansible.module_utils.parsing.convert_bool import boolean

MEMORY = '/run/ensure-service'      # a tmpfs on every system with systemd
PATH = '/usr/local/sbin:/usr/sbin:/usr/bin:/usr/libexec'
NAME = re.compile(r'[a-z_][a-z0-9_]{0,62}')


class Service:
    """What a driver tells and does. Settings are those of the calling role, without its prefix.

    :cvar TITLE: what people call it.
    :cvar PACKAGES: {family: names of the packages of the distribution}.
    :cvar PROGRAMS: one of them is there when it is installed.
    :cvar UNIT: name of its systemd unit.
    :cvar DATA: folder that it keeps its data in; empty when it keeps none.
    :cvar DEFAULTS: {setting: value}, whose type a given value must have.
    :cvar CALLED: {setting: variable} of those that are not called after the role.
    :cvar NEEDS: bytes that must be free for its data.
    """

    TITLE = ''
    PACKAGES: Dict[str, Sequence[str]] = {}
    PROGRAMS: Sequence[str] = ()
    UNIT = ''
    DATA = ''
    DEFAULTS: Dict[str, Any] = {}
    CALLED: Dict[str, str] = {}
    NEEDS = 128 << 20

    def __init__(self, settings: Dict[str, Any], release: Mapping[str, str], role: str) -> None:
        self.set, self.release, self.role = settings, release, role
        self.family = node.family_of(release)

    @classmethod
    def called(cls, role: str, setting: str) -> str:
        """Return the name of the variable for a setting."""
        return cls.CALLED.get(setting, '%s_%s' % (role.replace('-', '_'), setting))

    def name(self, setting: str) -> str:
        """Return the name of the variable for a setting."""
        return self.called(self.role, setting)

    def problems(self) -> List[str]:
        """Return what makes no sense in the settings, beyond the types."""
        return []

    def packages(self) -> List[str]:
        """Return the packages that it needs."""
        return list(self.PACKAGES[self.family])

    def installed(self) -> bool:
        """Return whether its program is there."""
        return any(shutil.which(name, path=PATH) for name in self.PROGRAMS)

    def before(self) -> None:
        """Write what must be there before the packages are installed."""

    def unit(self) -> str:
        """Return the name of its systemd unit."""
        return self.UNIT

    def data(self) -> str:
        """Return the folder that it is to keep its data in; empty when it keeps none."""
        return '%s/%s' % (MEMORY, self.TITLE.lower()) if self.set.get('ram') else self.DATA

    def ports(self) -> Dict[str, int]:
        """Return {setting: port} of all that it waits at."""
        return {'port': self.set['port']}

    def logs(self) -> List[str]:
        """Return the paths of log files beside the journal."""
        return []

    def files(self) -> Dict[str, str]:
        """Return {path: text} of its configuration."""
        return {}

    def differs(self) -> bool:
        """Return whether :meth:`configure` would change anything."""
        return any(node.read(path) != text for path, text in self.files().items())

    def configure(self) -> None:
        """Write the configuration. The service is stopped meanwhile."""
        files = self.files()
        for path, text in files.items():
            node.write(path, text)
        if any(path.startswith(node.UNITS) for path in files):
            node.systemctl('daemon-reload')

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


def typed(given: Mapping[str, Any], defaults: Mapping[str, Any], called: Callable[[str], str], problems: List[str]
          ) -> Dict[str, Any]:
    """Return the settings with the types of their defaults; what has another one is added to *problems*."""
    settings = dict(defaults)
    for name, value in sorted(given.items()):
        default = defaults.get(name)
        if name not in defaults:
            known = ', '.join(map(called, sorted(defaults)))
            problems.append('%s is no setting: there are %s.' % (called(name), known))
        elif isinstance(default, bool):
            try:
                settings[name] = boolean(value)
            except TypeError:
                problems.append("%s is '%s': it is neither true nor false." % (called(name), value))
        elif isinstance(default, int):
            if re.fullmatch(r'[0-9]{1,9}', str(value)):
                settings[name] = int(value)
            else:
                problems.append("%s is '%s': it is no whole number." % (called(name), value))
        elif isinstance(default, list):
            if isinstance(value, list) and all(isinstance(item, (str, int, float)) for item in value):
                settings[name] = [str(item) for item in value]
            else:
                problems.append("%s is '%s': it is no list of texts." % (called(name), value))
        elif isinstance(value, (dict, list)):
            problems.append("%s is '%s': it is no text." % (called(name), value))
        else:
            settings[name] = str(value)
    return settings


def common_problems(settings: Mapping[str, Any], called: Callable[[str], str]) -> List[str]:
    """Return what is wrong with settings that several services have."""
    rule = "allowed are small letters, digits and '_', at most 63, no digit first. Write e.g. 'openstack_citest'."
    found = []
    if 'user' in settings and not NAME.fullmatch(settings['user']):
        found.append("%s is '%s': %s" % (called('user'), settings['user'], rule))
    found += ["%s has '%s': %s" % (called('databases'), name, rule)
              for name in settings.get('databases', ()) if not NAME.fullmatch(name)]
    if not settings.get('databases', True):
        found.append("%s is empty: a query needs one. Write e.g. ['openstack_citest']." % called('databases'))
    if 'password' in settings and (not settings['password'].isprintable() or len(settings['password']) > 200):
        found.append('%s has characters that cannot be printed, or more than 200. Write a line of text.' %
                     called('password'))
    if not 1024 <= settings['port'] <= 65535:
        found.append('%s is %d: allowed are 1024 to 65535.' % (called('port'), settings['port']))
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
        return {**result, 'changed': True, 'missing': service.packages()}
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
            if differs:
                _configure(service, role, unit)
            result['started'] = True
        _answering(service, role, unit, seconds, result['started'])
        try:
            service.accounts()
        except Refused as error:
            raise Refused('%s: %s runs, and %s%s' % (role, service.TITLE, error, _said(service, unit))) from None
        why = service.proof()
        if why:
            raise Refused('%s: %s runs, and a query as %s does not work: %s%s' % (
                role, service.TITLE, service.set.get('user') or 'anybody', why, _said(service, unit)))
    result.update(version=service.version(), facts={**service.facts(), 'unit': unit},
                  seconds=round(time.monotonic() - begun, 2))
    return result


def _room(service: Service, role: str) -> None:
    path = service.data()
    room = node.free(path) if path else service.NEEDS
    if room < service.NEEDS:
        remedy = 'or set %s: false' if path.startswith(MEMORY) else 'or have it in memory: %s'
        raise Refused('%s: cannot start %s: %s has %d MB free, and %d MB are needed. Make room there%s.' % (
            role, service.TITLE, path, room >> 20, service.NEEDS >> 20,
            ', ' + remedy % service.name('ram') if 'ram' in service.set else ''))


def _port(service: Service, role: str, unit: str, running: bool) -> None:
    """Refuse a port at which somebody else waits for connections."""
    own = node.user_of(unit) if running else ''
    for setting, port in service.ports().items():
        for other in node.listening(port):
            if other.user != own:
                raise Refused('%s: cannot start %s: %s is %d, and %s of user %s waits for connections there already, '
                              'at %s. Stop it, or choose another port.' % (
                                  role, service.TITLE, service.name(setting), port,
                                  'process %d (%s)' % (other.pid, other.name) if other.pid else 'a process',
                                  other.user, other.address))


def _configure(service: Service, role: str, unit: str) -> None:
    node.systemctl('stop', unit)
    try:
        service.configure()
    except (OSError, Refused) as error:
        raise Refused('%s: cannot configure %s: %s' % (role, service.TITLE, error)) from None


def _answering(service: Service, role: str, unit: str, seconds: int, start: bool) -> None:
    """Start it when it is to be, and return once it answers.

    :raises Refused: it does not, or not in time; the daemon's own words are told.
    """
    end = time.monotonic() + seconds
    if start:
        node.systemctl('reset-failed', unit)
        done = node.systemctl('start', unit, timeout=seconds)
        if done.code:
            raise Refused('%s: %s cannot be started: %s%s' % (role, service.TITLE, done.words, _said(service, unit)))
    why = ''
    for left in node.until(end - time.monotonic()):
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
