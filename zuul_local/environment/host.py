"""Host packages: which are missing, and how they get here.

``bindep.txt`` is the list. bindep itself is not on a bare host, so this reads the subset of its language that our file
uses; a unit test proves that both agree.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from zuul_local.errors import UserError
from zuul_local.process import TAIL_LINES, run

RULE = re.compile(r'(?P<name>[a-z0-9][a-z0-9+.-]*)\s*(?:\[(?P<selectors>[^\]]*)\])?\s*')

# What to look for where there is no dpkg to ask. Packages that bring no program of their own are found with podman.
PROGRAMS = {
    'bubblewrap': 'bwrap', 'catatonit': 'catatonit', 'git': 'git', 'iptables': 'iptables', 'mmdebstrap': 'mmdebstrap',
    'openssh-client': 'ssh', 'podman': 'podman', 'procps': 'ps', 'rsync': 'rsync', 'runc': 'runc',
    'slirp4netns': 'slirp4netns', 'uidmap': 'newuidmap', 'util-linux': 'setpriv',
}
SYSTEM_PATH = '/usr/local/sbin:/usr/sbin:/sbin:/usr/libexec/podman:/usr/lib/podman'


@dataclass(frozen=True)
class Rule:
    """One line of a bindep file: a package and the words in its brackets."""

    name: str
    selectors: tuple[str, ...]


def parse(text: str) -> tuple[Rule, ...]:
    """Read a bindep file.

    :raises ValueError: a line uses more of the language than this reader knows (versions, groups, negation).
    """
    rules = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition('#')[0].strip()
        if not line:
            continue
        found = RULE.fullmatch(line)
        selectors = tuple((found['selectors'] or '').split()) if found else ()
        if not found or any(not re.fullmatch(r'(platform:)?[a-z0-9-]+', word) for word in selectors):
            raise ValueError(f'bindep.txt line {number}: {line!r} is not "package [platform:name profile …]"')
        rules.append(Rule(found['name'], selectors))
    return tuple(rules)


def wanted(rules: Iterable[Rule], profiles: Iterable[str], platform: str = 'dpkg') -> tuple[str, ...]:
    """Return the names of the packages that *profiles* ask for on *platform*, sorted.

    As in bindep: one of the platforms must fit where any is named, and one of the profiles where any is named.
    """
    names = set()
    for rule in rules:
        platforms = {word.removeprefix('platform:') for word in rule.selectors if word.startswith('platform:')}
        asked = {word for word in rule.selectors if not word.startswith('platform:')}
        if (not platforms or platform in platforms) and (not asked or asked & set(profiles)):
            names.add(rule.name)
    return tuple(sorted(names))


def installed(answer: str) -> frozenset[str]:
    """Return the names of installed packages in what ``dpkg-query --show --showformat=FORMAT`` printed."""
    fields = (line.split() for line in answer.splitlines())
    return frozenset(words[0] for words in fields if len(words) == 2 and words[1] == 'installed')


def query_argv(names: Sequence[str]) -> tuple[str, ...]:
    """Return the command that asks dpkg for the state of packages."""
    return ('dpkg-query', '--show', '--showformat=${Package} ${db:Status-Status}\n', *names)


def install_argv(names: Sequence[str], sudo: str | None) -> tuple[str, ...]:
    """Return the command that installs packages.

    :param sudo: path of sudo, None for root.
    """
    return (*root_prefix(sudo), 'apt-get', 'install', '--yes', '--no-install-recommends', *names)


def update_argv(sudo: str | None) -> tuple[str, ...]:
    """Return the command that fetches the lists of packages."""
    return (*root_prefix(sudo), 'apt-get', 'update')


def root_prefix(sudo: str | None) -> tuple[str, ...]:
    """Return the words before a command that only root may run. sudo does not hand on the environment."""
    return (sudo, 'env', 'DEBIAN_FRONTEND=noninteractive') if sudo else ()


def size_argv(names: Sequence[str]) -> tuple[str, ...]:
    """Return the command that says what an installation would download. It changes nothing and needs no root."""
    return ('apt-get', 'install', '--print-uris', '--yes', '-qq', '--no-install-recommends', *names)


def downloads(answer: str) -> tuple[int, int]:
    """Return the number of packages and of bytes in what ``apt-get --print-uris`` printed."""
    sizes = re.findall(r"^'[^']+' \S+ (\d+) ", answer, re.MULTILINE)
    return len(sizes), sum(map(int, sizes))


def missing_programs(names: Iterable[str], which: Callable[[str], str | None]) -> tuple[str, ...]:
    """Return the packages whose program is not found, for systems without dpkg."""
    return tuple(name for name in names if name in PROGRAMS and not which(PROGRAMS[name]))


def has_apt() -> bool:
    """Return whether packages are dpkg's and apt's here."""
    return bool(shutil.which('dpkg-query') and shutil.which('apt-get'))


def profiles(*, root: bool) -> tuple[str, ...]:
    """Return the profiles of the runner itself.

    :param root: whether this process is root's; others need what rootless containers take.
    """
    return ('runner',) if root else ('runner', 'rootless')


def lacking(bindep: str, asked: Iterable[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the host packages that are missing.

    :param bindep: text of the bindep file.
    :param asked: the profiles in it that count.
    """
    names = wanted(parse(bindep), asked)
    if has_apt():
        have = installed(run(query_argv(names), env={**environ, 'LC_ALL': 'C'}, check=False).stdout)
        return tuple(name for name in names if name not in have)
    path = f'{environ.get("PATH", os.defpath)}:{SYSTEM_PATH}'
    return missing_programs(names, lambda program: shutil.which(program, path=path))


def provide(
    names: Sequence[str], *, may_install: bool, root: bool, environ: Mapping[str, str], say: Callable[[str], None],
) -> None:
    """Install host packages.

    :param names: those that are missing, at least one.
    :param may_install: False to say only what is missing.
    :param root: whether this process may install without sudo.
    :param say: prints one line for the person in front of it.
    :raises UserError: they stay missing.
    """
    missing = f'This host lacks packages ({len(names)}): {", ".join(names)}.'
    if not has_apt():
        raise UserError(f'{missing} These are the names on Debian; there is no apt here to get them with.',
                        'Install them with the package manager of this system, then try again.')
    sudo = None if root else shutil.which('sudo')
    command = shlex.join(install_argv(names, sudo))
    if not root and not sudo:
        raise UserError(f'{missing} You are not root, and there is no sudo.', f'Have root run: {command}')
    if not may_install:
        raise UserError(missing, command)
    install(names, sudo, environ, say)


def install(names: Sequence[str], sudo: str | None, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Install packages with apt, with fresh lists when the ones here do not do.

    :raises UserError: apt could not.
    """
    env = {**environ, 'LC_ALL': 'C', 'DEBIAN_FRONTEND': 'noninteractive'}
    asked = run(size_argv(names), env=env, check=False)
    if asked.returncode:
        _update('the lists of packages are missing or old', sudo, env, say)
        asked = run(size_argv(names), env=env, check=False)
    if asked.returncode:
        raise UserError(f'apt does not know how to install {" ".join(names)}:\n{asked.stderr.strip()}',
                        'Check /etc/apt/sources.list: the main section of the distribution has them.')
    count, size = downloads(asked.stdout)
    argv = install_argv(names, sudo)
    say(f'host packages ({count}, {size / 1e6:.0f} MB to download, about {5 + count // 5} s): {shlex.join(argv)}')
    start = time.monotonic()
    done = _on_terminal(argv, env)
    if done.returncode:
        _update('apt-get failed; again with fresh lists of packages', sudo, env, say)
        done = _on_terminal(argv, env)
    if done.returncode:
        said = '\n'.join(done.stdout.strip().splitlines()[-TAIL_LINES:])
        raise UserError(f'apt-get did not install the packages:\n{said}', shlex.join(argv))
    say(f'host packages: {time.monotonic() - start:.1f} s')


def _update(why: str, sudo: str | None, env: Mapping[str, str], say: Callable[[str], None]) -> None:
    argv = update_argv(sudo)
    say(f'{why}: {shlex.join(argv)}')
    done = _on_terminal(argv, env)
    if done.returncode:
        raise UserError(f'{shlex.join(argv)} failed:\n{done.stdout.strip()}', 'Check the network and /etc/apt.')


def _on_terminal(argv: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program in our own session: sudo asks for its password on the terminal. What it prints is returned."""
    return subprocess.run(argv, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors='replace', check=False)
