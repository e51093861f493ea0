"""Which repository a folder is: its name to Zuul, its branch, and where its files lie."""

from __future__ import annotations

import configparser
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from zuul_local.errors import UserError
from zuul_local.process import ProcessError, run

CONFIGURATION = ('.zuul.yaml', 'zuul.yaml', '.zuul.d', 'zuul.d')
LOCAL_HOST = 'local'
# Zuul makes folders of these words on this machine and on nodes: none may lead anywhere else.
_HOST = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]*')
_NAME = re.compile(r'(?:(?!\.\.?(?:/|$)|\.git(?:/|$))[A-Za-z0-9._+~-]+(?:/(?!$)|$))+')


@dataclass(frozen=True)
class Project:
    """A repository on this machine.

    :ivar host: canonical host name, also the name of its connection.
    :ivar name: project name without the host.
    :ivar path: folder of its files.
    :ivar toplevel: work tree that *path* lies in; the same folder unless the project is a folder of a repository.
    :ivar branch: the branch that Zuul is told about.
    :ivar roles: roles of the library that it has copies of when it is used, and not on the disk.
    """

    host: str
    name: str
    path: Path
    toplevel: Path
    branch: str
    roles: tuple[str, ...] = ()

    @property
    def canonical_name(self) -> str:
        return f'{self.host}/{self.name}'

    @property
    def subfolder(self) -> str:
        """Path below the work tree, '' for the whole of it."""
        relative = os.path.relpath(self.path, self.toplevel)
        return '' if relative == '.' else relative


def git(folder: Path, *words: str) -> str:
    """Return what ``git -C folder words`` prints, without the last newline.

    :raises ProcessError: git failed.
    """
    return run(('git', '-C', folder, *words), timeout=60).stdout.rstrip('\n')


def identify(folder: Path, *, base_ref: str = '', canonical_name: str = '', detached_as: str = '') -> Project:
    """Find out which project *folder* is.

    A folder with Zuul configuration of its own inside a larger repository is a project of its own; otherwise the
    whole repository is.

    :param base_ref: branch that the work is meant for, instead of the checked-out one.
    :param canonical_name: host/name, instead of what .gitreview or the origin say.
    :param detached_as: branch name to use when no branch is checked out; a detached HEAD is refused without it.
    :raises UserError: no such folder, no git repository, no commit, or a detached HEAD.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise UserError(f'{folder}: no such folder.', 'Name the folder of a git repository.')
    folder = folder.resolve()
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise UserError(f'{os.fsencode(folder)!r}: a path that is not UTF-8.', 'Rename the folder.') from error
    toplevel = _toplevel(folder)
    path = _project_folder(folder, toplevel)
    if run(('git', '-C', toplevel, 'rev-parse', '--verify', '-q', 'HEAD^{commit}'), check=False).returncode:
        raise UserError(f'{toplevel}: the repository has no commit yet.', f'git -C {toplevel} commit')
    checked_out = run(('git', '-C', toplevel, 'symbolic-ref', '-q', '--short', 'HEAD'), check=False).stdout.strip()
    branch = base_ref or checked_out or detached_as
    if not branch:
        raise UserError(f'{toplevel}: no branch is checked out (detached HEAD), so Zuul cannot tell what it is for.',
                        'Check out a branch, or name the one it is meant for with --base-ref BRANCH.')
    if base_ref and run(('git', 'check-ref-format', '--branch', base_ref), check=False).returncode:
        raise UserError(f'--base-ref {base_ref!r} is not a valid branch name.')
    if canonical_name:
        host, _, name = canonical_name.partition('/')
        if not valid_name(host, name):
            raise UserError(f'{canonical_name!r} is not a canonical project name.',
                            'One is HOST/NAME, such as example.org/team/thing.')
    elif path != toplevel:
        host, name = _from_folder(path)
    else:
        host, name = _from_gitreview(toplevel) or _from_origin(toplevel) or _from_folder(path)
    return Project(host, name, path, toplevel, branch)


def valid_name(host: str, name: str) -> bool:
    """Return whether *host*/*name* can be a project's canonical name, which is also the path of its clones."""
    return bool(_HOST.fullmatch(host) and _NAME.fullmatch(name))


def parse_remote(url: str) -> tuple[str, str] | None:
    """Return (host, name) of a git URL or scp-like address, None when it names no host or not a project.

    >>> parse_remote('git@example.org:team/thing.git')
    ('example.org', 'team/thing')
    """
    if '://' not in url:
        match = re.fullmatch(r'(?:[^@/:]+@)?([^:/]+):(?!/{2})/*(.+)', url)
        host, path = match.groups() if match else ('', '')
    else:
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        host, path = parts.hostname or '', parts.path
        if parts.scheme == 'file':
            return None
    return _named(host, path)


def parse_gitreview(text: str) -> tuple[str, str] | None:
    """Return (host, name) that a .gitreview file names, None when it cannot be read or names no project.

    The review host is not the canonical one where it is called ``review.<canonical>``, as Gerrits often are.
    """
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text)
        host, name = parser['gerrit']['host'], parser['gerrit']['project']
    except (configparser.Error, KeyError):
        return None
    return _named(host.removeprefix('review.'), name)


def _named(host: str, path: str) -> tuple[str, str] | None:
    name = _clean(path.strip('/').removesuffix('.git').strip('/'))
    return (host, name) if valid_name(host, name) else None


def _toplevel(folder: Path) -> Path:
    try:
        return Path(git(folder, 'rev-parse', '--show-toplevel')).resolve()
    except ProcessError as error:
        said = error.stderr.strip()
        if 'not a git repository' in said:
            raise UserError(f'{folder}: not in a git repository; a job runs on what git knows of a project.',
                            f'cd {folder} && git init && git add . && git commit') from error
        raise UserError(f'{folder}: git cannot read the repository: {said}') from error


def _project_folder(folder: Path, toplevel: Path) -> Path:
    for candidate in (folder, *folder.parents):
        if candidate == toplevel or any((candidate / name).exists() for name in CONFIGURATION):
            return candidate
    return toplevel


def _from_gitreview(toplevel: Path) -> tuple[str, str] | None:
    path = toplevel / '.gitreview'
    return parse_gitreview(path.read_text(encoding='utf-8', errors='replace')) if path.is_file() else None


def _from_folder(path: Path) -> tuple[str, str]:
    name = _clean(path.name)
    return LOCAL_HOST, name if valid_name(LOCAL_HOST, name) else 'project'


def _from_origin(toplevel: Path) -> tuple[str, str] | None:
    url = run(('git', '-C', toplevel, 'config', '--get', 'remote.origin.url'), check=False).stdout.strip()
    return parse_remote(url)


def _clean(name: str) -> str:
    return re.sub(r'[^A-Za-z0-9._/+~-]+', '-', name).lstrip('-')
