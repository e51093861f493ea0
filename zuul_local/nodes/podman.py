"""podman as this machine can run it: what it lacks, and the words that every call needs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pwd
import resource
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zuul_local import process
from zuul_local.errors import UserError
from zuul_local.paths import cache_dir

RUNTIMES = ('crun', 'runc')
PROGRAMS = {
    'podman': 'podman', 'netavark': 'netavark', 'iptables': 'iptables', 'ssh': 'openssh-client',
    'ssh-keygen': 'openssh-client',
}
ROOTLESS_PROGRAMS = {'newuidmap': 'uidmap', 'slirp4netns': 'slirp4netns'}
HELPERS = ('/usr/lib/podman', '/usr/libexec/podman', '/usr/local/libexec/podman', '/usr/local/lib/podman', '/usr/sbin')
CAP_SYS_RESOURCE = 24
MOST = {'nofile': 1048576, 'nproc': 32768}      # podman lowers its own to these first, and nothing may go up again
VARIABLES = ('HOME', 'PATH', 'XDG_', 'TMPDIR', 'CONTAINERS_', '_CONTAINERS_', 'DBUS_SESSION_')
INSIDE = '_CONTAINERS_ROOTLESS_UID'     # podman unshare sets it
LISTINGS = 10                           # tries
PAUSE = 0.1                             # seconds between two


@dataclasses.dataclass(frozen=True)
class Podman:
    """How podman is called here.

    :param runtime: name of the OCI runtime.
    :param ulimits: arguments for `create` and `build` on a machine that may not raise its own limits.
    :param variables: (name, value) of its environment as it was found, whatever this process makes of its own later.
    """

    runtime: str
    ulimits: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    def argv(self, *words: str) -> tuple[str, ...]:
        """Return the whole command."""
        return ('podman', '--runtime', self.runtime, *words)

    def environ(self) -> dict[str, str]:
        """Return the environment that podman is run with."""
        return {**os.environ, **dict(self.variables)}

    def run(
        self, *words: str, stdin: str | bytes | None = None, timeout: float | None = 120, check: bool = True,
        scratch: Path | None = None,
    ) -> str:
        """Return what podman prints, without the white space around it.

        :param scratch: folder for its temporary files.
        :raises ProcessError: as :func:`zuul_local.process.run`.
        """
        environ = self.environ() | ({} if scratch is None else {'TMPDIR': str(scratch)})
        done = process.run(self.argv(*words), stdin=stdin, env=environ, timeout=timeout, check=check)
        return done.stdout.strip()

    def listed(self, *words: str) -> list[dict[str, Any]]:
        """Return what a listing of podman holds.

        podman fails to list containers and networks while another process removes one: it is asked again then.

        :param words: those of the listing without its format.
        :raises ProcessError: it failed each time.
        """
        for _ in range(LISTINGS - 1):
            with contextlib.suppress(process.ProcessError):
                return self._listed(words)
            time.sleep(PAUSE)
        return self._listed(words)

    def _listed(self, words: Iterable[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run(*words, '--format', 'json') or '[]') or []
        return found

    def remove_image(self, name: str) -> bool:
        """Remove the image *name* unless something uses it; return whether it is gone."""
        return process.run(self.argv('rmi', name), env=self.environ(), check=False).returncode == 0


def find_podman() -> Podman:
    """Return the podman of this machine.

    :raises UserError: names all that it lacks.
    """
    missing = probe()
    if missing:
        hint = 'Run ./zuul-local as root or with sudo.' if _needs_root(missing) else ''
        raise UserError(f'Nodes cannot run on this machine: {"; ".join(missing)}.', hint)
    return Podman(
        runtime=next(name for name in RUNTIMES if shutil.which(name)),
        ulimits=() if os.geteuid() or may_raise_limits() else limits(),
        variables=podman_variables(os.environ, own_storage() if rootless() else None))


def probe(root: Path = Path('/'), environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return what is missing to run nodes as this user, in words; empty when nothing is."""
    missing = _not_installed(PROGRAMS)
    if not any(map(shutil.which, RUNTIMES)):
        missing.append('no container runtime is installed (package runc)')
    if os.geteuid() != 0:
        missing += probe_rootless(root, environ, os.geteuid(), _user())
    return missing


def probe_rootless(root: Path, environ: Mapping[str, str], uid: int, user: str) -> list[str]:
    """Return what keeps the ordinary user *user* from running nodes, in words."""
    missing = []
    if not (root / 'sys/fs/cgroup/cgroup.controllers').exists():
        missing.append('containers without root need cgroup v2, and /sys/fs/cgroup is cgroup v1')
    tun = root / 'dev/net/tun'
    if not tun.exists():
        missing.append('/dev/net/tun does not exist')
    elif not os.access(tun, os.R_OK | os.W_OK):
        missing.append(f'user {user} may not read and write /dev/net/tun')
    runtime_dir = environ.get('XDG_RUNTIME_DIR', '')
    if not runtime_dir or not os.access(runtime_dir, os.W_OK):
        missing.append('there is no user session (XDG_RUNTIME_DIR names no folder that can be written; log in,'
                       ' do not use su)')
    for name in ('subuid', 'subgid'):
        file = root / 'etc' / name
        lines = file.read_text().splitlines() if file.exists() else []
        if not any(line.split(':')[0] in (user, str(uid)) for line in lines):
            missing.append(f'/etc/{name} has no range for user {user}')
    return missing + _not_installed(ROOTLESS_PROGRAMS)


def rootless() -> bool:
    """Return whether containers run without root, be it before or inside `podman unshare`."""
    return os.geteuid() != 0 or INSIDE in os.environ


def rootless_prefix() -> tuple[str, ...]:
    """Return the words in front of a command that must see the nodes' network: none for root.

    An ordinary user reaches the addresses of nodes only inside podman's own network namespace.

    :raises UserError: this user cannot run containers here; it says why.
    """
    if os.geteuid() == 0:
        return ()
    missing = probe()
    if missing:
        raise UserError(f'Nodes cannot run as user {_user()} on this machine: {"; ".join(missing)}.',
                        'Run ./zuul-local as root or with sudo.')
    storage = own_storage()
    env = ('env', f'CONTAINERS_STORAGE_CONF={storage}') if storage else ()
    return (*env, 'podman', 'unshare', '--rootless-netns')


def podman_variables(environ: Mapping[str, str], storage: Path | None) -> tuple[tuple[str, str], ...]:
    """Return what podman reads of *environ*, with *storage* as its storage.conf unless that is None."""
    found = {name: value for name, value in environ.items() if name.startswith(VARIABLES)}
    return tuple((found | ({} if storage is None else {'CONTAINERS_STORAGE_CONF': str(storage)})).items())


def own_storage() -> Path | None:
    """Return a storage.conf that asks for the overlay driver, or None where the user has one.

    Left alone, podman may choose the vfs driver, which copies a whole image for each container.
    """
    home = Path(os.environ.get('XDG_CONFIG_HOME') or '~/.config').expanduser()
    if 'CONTAINERS_STORAGE_CONF' in os.environ or (home / 'containers/storage.conf').exists():
        return None
    path = cache_dir() / 'storage.conf'
    uid = os.environ.get(INSIDE) or str(os.getuid())
    runroot = Path(os.environ.get('XDG_RUNTIME_DIR') or f'/run/user/{uid}') / 'zuul-local-containers'
    text = f'[storage]\ndriver = "overlay"\nrunroot = "{runroot}"\ngraphroot = "{cache_dir() / "containers"}"\n'
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return path


def may_raise_limits(status: Path = Path('/proc/self/status')) -> bool:
    """Return whether this process may raise resource limits above its hard ones (CAP_SYS_RESOURCE).

    Where it may not, the limits that podman gives to containers on its own are refused by the kernel.
    """
    fields = dict(line.split(':', 1) for line in status.read_text().splitlines() if ':' in line)
    return bool(int(fields['CapEff'], 16) >> CAP_SYS_RESOURCE & 1)


def limits() -> tuple[str, ...]:
    """Return the arguments that give containers limits that this process may give."""
    kinds = (('nofile', resource.RLIMIT_NOFILE), ('nproc', resource.RLIMIT_NPROC))
    hard = ((name, resource.getrlimit(kind)[1]) for name, kind in kinds)
    return ulimit_words((name, min(value, MOST[name])) for name, value in hard if value != resource.RLIM_INFINITY)


def ulimit_words(values: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    """Return podman's arguments for limits, soft and hard alike."""
    return tuple(word for name, value in values for word in ('--ulimit', f'{name}={value}:{value}'))


def _not_installed(programs: Mapping[str, str]) -> list[str]:
    places = os.pathsep.join((os.environ.get('PATH', os.defpath), *HELPERS, '/sbin'))
    return [f'{name} is not installed (package {package})' for name, package in programs.items()
            if not shutil.which(name, path=places)]


def _needs_root(missing: Iterable[str]) -> bool:
    return os.geteuid() != 0 and not all('is not installed' in words for words in missing)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
