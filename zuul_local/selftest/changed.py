"""Which self-tests a change asks for: of the roles that it touches, and of those that bring them in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from zuul_local import process
from zuul_local.errors import UserError
from zuul_local.lint.library import files, includes, jobs
from zuul_local.lint.library.selftests import OWN_JOBS, PLAYBOOKS
from zuul_local.nodes.labels import default_label
from zuul_local.selftest.plan import Build

ORIGINS = ('origin/HEAD', 'origin/main', 'origin/master')
# What every build is made with: a change of it is tried with all roles in few builds, those of the public jobs.
RUNNER = ('zuul_local', 'zuul-local', 'config-project', 'requirements')
NODES = 'node'
PROSE = ('.rst', '.md')


@dataclasses.dataclass(frozen=True)
class Touched:
    """:ivar roles: role -> the file that asks for it.

    :ivar everything: the file that asks for every role, '' for none.
    :ivar runner: the file that asks for the public jobs, '' for none.
    """

    roles: dict[str, str]
    everything: str = ''
    runner: str = ''

    def told(self, base: str) -> list[str]:
        """Return what to say about it: changed since *base*."""
        if self.everything:
            return [f'changed since {base[:12]}: {self.everything}, so every role is tried']
        lines = [f'changed since {base[:12]}: {file}, so role {role} is tried'
                 for role, file in sorted(self.roles.items())]
        if self.runner:
            lines.append(f'changed since {base[:12]}: {self.runner}, so the public jobs are tried on the default label')
        return lines or [f'changed since {base[:12]}: nothing that a self-test tries']


def base(root: Path, given: str) -> str:
    """Return the commit to compare with: *given*, else where the work at hand left the branch of origin.

    :raises UserError: git does not know one.
    """
    if given:
        found = _git(root, 'rev-parse', '--verify', '--quiet', '--end-of-options', f'{given}^{{commit}}')
        if not found:
            raise UserError(f'--changed {given!r}: git knows no such commit.', 'zuul-local self-test --changed HEAD~1')
        return found
    for name in ORIGINS:
        found = _git(root, 'merge-base', 'HEAD', name)
        if found:
            return found
    raise UserError('there is no branch of origin to compare with.', 'Name a commit: --changed HEAD~1')


def recent(root: Path, commits: int) -> str:
    """Return the last tag, or when there is none or it is further back, the commit so many *commits* ago.

    :returns: '' where the history is shorter than that.
    """
    ago = _git(root, 'rev-parse', '--verify', '--quiet', f'HEAD~{commits}^{{commit}}')
    tag = _git(root, 'describe', '--tags', '--abbrev=0')
    if tag and (not ago or int(_git(root, 'rev-list', '--count', '--first-parent', f'{tag}..HEAD')) < commits):
        return _git(root, 'rev-parse', f'{tag}^{{commit}}')
    return ago


def files_since(root: Path, commit: str) -> list[str]:
    """Return the files that differ from *commit*, uncommitted ones included."""
    tracked = _git(root, 'diff', '--name-only', '--no-renames', '-z', commit, '--')
    other = _git(root, 'ls-files', '--others', '--exclude-standard', '-z')
    return sorted({name for name in (tracked + '\0' + other).split('\0') if name})


def _git(root: Path, *words: str) -> str:
    """Return what git prints, '' when it fails."""
    done = process.run(('git', '-C', str(root), *words), timeout=60, check=False)
    return done.stdout.strip() if done.returncode == 0 else ''


def touched(root: Path, names: Iterable[str]) -> Touched:
    """Return what the files *names* of the library in *root* ask for.

    :raises UserError: a file that has to be read is no YAML.
    """
    try:
        return _touched(root, sorted(names))
    except files.Unreadable as error:
        raise UserError(str(error), 'zuul-local check') from error


def _touched(root: Path, names: Sequence[str]) -> Touched:
    graph = includes.of_roles(root)
    found: dict[str, str] = {}
    everything = runner = ''
    for name in names:
        top, *below = PurePath(name).parts
        if PurePath(name).suffix in PROSE:
            continue
        if top == NODES or _is_frame(root, name):
            everything = everything or name
        elif top in RUNNER:
            runner = runner or name
        else:
            for role in _roles_of(root, top, below, name):
                for user in includes.users(graph, role):
                    found.setdefault(user, name)
    return Touched({role: name for role, name in found.items() if role in graph}, everything, runner)


def _roles_of(root: Path, top: str, below: Sequence[str], name: str) -> set[str]:
    """Return the roles that a file itself is about."""
    path = root / name
    if top in ('roles', PLAYBOOKS) and len(below) > 1:
        return {below[0]}
    if top == 'playbooks' and path.suffix == '.yaml' and path.is_file():
        return includes.used_roles(files.read(root, path))
    if top == OWN_JOBS and path.is_file():
        return {PurePath(playbook).parts[1] for where, job in files.objects(root, OWN_JOBS, 'job') if where == name
                for playbook in jobs.playbooks(job) if playbook.startswith(PLAYBOOKS + '/')}
    return set()


def _is_frame(root: Path, name: str) -> bool:
    """Tell whether the file defines what self-test jobs have in common: a job that they inherit, or their nodes."""
    if not name.endswith('.yaml') or PurePath(name).parts[0] not in (OWN_JOBS, 'zuul.d'):
        return False
    parents = {str(job.get('parent')) for _, job in files.objects(root, OWN_JOBS, 'job')}
    used = {str(job.get('nodeset')) for _, job in files.objects(root, OWN_JOBS, 'job')}
    folder = PurePath(name).parts[0]
    return any(where == name and thing.get('name') in known
               for kind, known in (('job', parents), ('nodeset', used))
               for where, thing in files.objects(root, folder, kind))


def builds(every: Iterable[Build], what: Touched) -> list[Build]:
    """Return those of *every* build that *what* was touched asks for."""
    every = list(every)
    own = [build for build in every if not build.public and (
        what.everything or any(role in what.roles for role in build.roles))]
    if what.everything or not what.runner:
        return own
    return own + [build.on_label(default_label()) for build in every if build.public]
