"""Snapshots of repositories as they lie on disk, uncommitted work included, for Zuul's own merger to clone.

The user's repository is only read: the index, the new objects and the refs of a snapshot lie in the scratch clone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from zuul_local import paths
from zuul_local.errors import UserError
from zuul_local.process import ProcessError, run
from zuul_local.tenant.project import Project

AUTHOR = {
    'GIT_AUTHOR_NAME': 'zuul-local', 'GIT_AUTHOR_EMAIL': 'zuul-local@localhost',
    'GIT_COMMITTER_NAME': 'zuul-local', 'GIT_COMMITTER_EMAIL': 'zuul-local@localhost',
}
# A folder that is the same has the same commit whenever it is taken, so that two builds can be compared.
NO_TIME = {'GIT_AUTHOR_DATE': '2000-01-01T00:00:00Z', 'GIT_COMMITTER_DATE': '2000-01-01T00:00:00Z'}
MESSAGE = 'Uncommitted work'
HEADS, ORIGIN = 'refs/heads/', 'refs/remotes/origin/'
# Nothing that the user's own git is told to run for them, but filters: they say what a file is in the repository.
GIT = ('git', '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-c', 'gc.auto=0',
       '-c', 'advice.addEmbeddedRepo=false')


@dataclass(frozen=True)
class Snapshot:
    """A scratch clone.

    :ivar path: bare repository with the snapshot on the project's branch.
    :ivar commit: id of the commit that stands for the work tree.
    :ivar uncommitted: whether that commit holds more than the user's HEAD.
    :ivar refs: every ref of the state to test, as Zuul's repo state wants it.
    """

    path: Path
    commit: str
    uncommitted: bool
    refs: dict[str, str]


def snapshot(project: Project, path: Path, *, one_branch: bool = False) -> Snapshot:
    """Make the scratch clone of *project* at *path*.

    :param one_branch: leave all other branches out, so that Zuul prefers none of them to the one that is checked out.
    :raises UserError: git refused.
    """
    try:
        return _of_folder(project, path) if project.subfolder else _of_repository(project, path, one_branch)
    except ProcessError as error:
        raise UserError(f'{project.path}: cannot take a snapshot of the work tree: {error}') from error


def _of_repository(project: Project, path: Path, one_branch: bool) -> Snapshot:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The sandbox has no other repository that this one might borrow objects from.
    run((*GIT, 'clone', '-q', '--bare', '--dissociate', '--template=', project.toplevel, path), timeout=600)
    env = {**os.environ, **AUTHOR, 'GIT_INDEX_FILE': str(path / 'snapshot-index'),
           'GIT_OBJECT_DIRECTORY': str(path / 'objects')}
    git = (*GIT, '-C', project.toplevel)
    head = run((*git, 'rev-parse', 'HEAD'), env=env).stdout.strip()
    run((*git, 'read-tree', 'HEAD'), env=env)
    run((*git, 'add', '--all', '--', '.'), env=env)
    tree = run((*git, 'write-tree'), env=env).stdout.strip()
    commit = head
    if tree != run((*git, 'rev-parse', 'HEAD^{tree}'), env=env).stdout.strip():
        commit = run((*git, 'commit-tree', tree, '-p', head, '-m', MESSAGE), env=env).stdout.strip()
    wanted = ('refs/tags',) if one_branch else ('refs/heads', 'refs/tags', 'refs/remotes/origin')
    listed = run((*git, 'for-each-ref', '--format=%(objectname) %(refname)', *wanted), env=env).stdout
    _point(path, project.branch, commit)
    return Snapshot(path, commit, commit != head, repo_state(listed, project.branch, commit, head))


def _of_folder(project: Project, path: Path) -> Snapshot:
    """The folder alone, with its copies of roles, as a repository with one commit."""
    env = {**os.environ, **AUTHOR, **NO_TIME}
    run((*GIT, 'init', '-q', '--bare', '--template=', path))
    _add(path, project.path, ('.',))
    if project.roles:
        _add(path, paths.LIBRARY, tuple(f'roles/{name}' for name in project.roles))
    tree = run((*GIT, f'--git-dir={path}', 'write-tree')).stdout.strip()
    commit = run((*GIT, f'--git-dir={path}', 'commit-tree', tree, '-m', f'{project.name} as it lies on disk'),
                 env=env).stdout.strip()
    _point(path, project.branch, commit)
    return Snapshot(path, commit, False, repo_state('', project.branch, commit, commit))


def _add(path: Path, folder: Path, what: tuple[str, ...]) -> None:
    """Put into the index of the repository *path* what git knows of in *folder*, by its path below it."""
    known = ('ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', *what)
    listed = run((*GIT, '-C', folder, *known), encoding_errors='surrogateescape').stdout
    update = ('update-index', '-z', '--add', '--remove', '--stdin')
    run((*GIT, f'--git-dir={path}', f'--work-tree={folder}', *update),
        stdin=listed.encode('utf-8', 'surrogateescape'), cwd=folder)


def _point(path: Path, branch: str, commit: str) -> None:
    git = (*GIT, f'--git-dir={path}')
    run((*git, 'update-ref', f'refs/heads/{branch}', commit))
    run((*git, 'symbolic-ref', 'HEAD', f'refs/heads/{branch}'))


def repo_state(listed: str, branch: str, commit: str, head: str) -> dict[str, str]:
    """Return ref -> commit for the state to test.

    :param listed: ``for-each-ref`` output of the user's repository, id and name a line.
    :param branch: branch that stands at *commit*; its origin is where the user last fetched it, else *head*.

    A branch that only the origin has is offered as a branch, so that override-checkout finds it.
    """
    listing = {name: commit_id for commit_id, _, name in (line.partition(' ') for line in listed.splitlines())}
    heads, origin = _below(HEADS, listing), _below(ORIGIN, listing)
    origin.pop('HEAD', None)
    heads[branch] = commit
    return {**{name: commit_id for name, commit_id in listing.items() if not name.startswith((HEADS, ORIGIN))},
            **{HEADS + name: commit_id for name, commit_id in _beside(heads, origin).items()},
            **{ORIGIN + name: commit_id for name, commit_id in _beside(origin, {**heads, branch: head}).items()}}


def _below(folder: str, refs: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(folder): commit for name, commit in refs.items() if name.startswith(folder)}


def _beside(own: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """Return *own* and those of *others* for which there is room: git has no ``fix`` where there is ``fix/1``."""
    folders = {folder for name in own for folder in _folders(name)}
    room = {name: commit for name, commit in others.items() if name not in folders and not own.keys() & _folders(name)}
    return {**room, **own}


def _folders(name: str) -> set[str]:
    return {str(folder) for folder in PurePosixPath(name).parents}
