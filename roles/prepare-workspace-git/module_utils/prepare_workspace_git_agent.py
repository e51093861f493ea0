# SPDX-License-Identifier: Apache-2.0
"""The node's end of prepare-workspace-git: runs there, knows nothing but Python's standard library.

It reads one request, says which commits every repository has already, takes the packs of what is missing, puts every
repository into the wanted state and answers with what it did.
"""
from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, Dict, List, Optional, Sequence, Set, Tuple

READY = b'zuul-stdlib agent ready\n'
WORKERS = 4
_CHUNK = 1 << 20
# What a pack ends with: the SHA-1 of everything before.
_TRAILER = 20


class Broken(Exception):
    """A repository cannot be brought into the wanted state. A second try without what lies there may do."""


def dump(value: Any) -> bytes:
    """Return *value* as one line of JSON. Names that are not UTF-8 survive."""
    return json.dumps(value).encode('ascii') + b'\n'


def encode(text: str) -> bytes:
    """Return a name of git as the bytes that git knows it by."""
    return text.encode('utf-8', 'surrogateescape')


def decode(data: bytes) -> str:
    """Return a name of git as text, from which :func:`encode` makes the same bytes."""
    return data.decode('utf-8', 'surrogateescape')


def git(repo: str, *args: bytes, given: bytes = b'') -> bytes:
    """Run git on exactly the repository ``<repo>/.git`` and return its output.

    Both folders are named, so that git neither looks for a repository further up nor minds who owns this one.

    :raises Broken: with what git said.
    """
    path = encode(repo)
    argv = [b'git', b'--git-dir=' + path + b'/.git', b'--work-tree=' + path, b'-c', b'core.fsmonitor=false', *args]
    done = subprocess.run(argv, input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=path,
                          env=_environment())
    if done.returncode:
        said = (done.stderr or done.stdout).decode('utf-8', 'replace').strip()[-2000:]
        raise Broken('git %s: exit code %d: %s' % (decode(args[0]), done.returncode, said))
    return done.stdout


def _environment() -> Dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith('GIT_')}
    return dict(kept, LC_ALL='C', GIT_TERMINAL_PROMPT='0', GIT_OPTIONAL_LOCKS='0')


def parse_refs(listing: bytes) -> Dict[str, str]:
    """Return name -> object id from lines of ``<object id> <name>``.

    :raises Broken: they are something else.
    """
    refs = {}
    for line in filter(None, listing.splitlines()):
        oid, space, name = line.partition(b' ')
        if not space or not oid.isalnum():
            raise Broken('git for-each-ref answers %r, which is no reference' % decode(line[:200]))
        refs[decode(name)] = oid.decode('ascii')
    return refs


def read_refs(repo: str) -> Dict[str, str]:
    """Return the references of a repository, without symbolic ones.

    :raises Broken: when it is none.
    """
    lines = git(repo, b'for-each-ref', b'--format=%(if)%(symref)%(then)%(else)%(objectname) %(refname)%(end)')
    return parse_refs(lines)


def pack_is_sound(path: str) -> bool:
    """Whether the checksum at the end of a pack is that of its content."""
    digest = hashlib.sha1()
    with open(path, 'rb') as pack:
        left = os.fstat(pack.fileno()).st_size - _TRAILER
        while left > 0:
            data = pack.read(min(_CHUNK, left))
            if not data:
                return False
            digest.update(data)
            left -= len(data)
        return left == 0 and pack.read() == digest.digest()


def borrow(cache: str, repo: str) -> Dict[str, str]:
    """Give a new repository the objects of one in the cache, as links where the file system can. Return its references.

    :raises Broken: the cache is shallow, partial, borrows itself, or is damaged.
    """
    git_dir = next((path for path in (os.path.join(cache, '.git'), cache)
                    if os.path.isdir(os.path.join(path, 'objects'))), None)
    if git_dir is None:
        raise Broken('no repository')
    if os.path.exists(os.path.join(git_dir, 'shallow')):
        raise Broken('a shallow repository')
    source = os.path.join(git_dir, 'objects')
    if os.path.exists(os.path.join(source, 'info', 'alternates')):
        raise Broken('a repository that borrows objects')
    target = os.path.join(repo, '.git', 'objects')
    for folder, _, names in os.walk(source):
        here = os.path.join(target, os.path.relpath(folder, source))
        os.makedirs(here, exist_ok=True)
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith('.promisor'):
                raise Broken('a partial repository')
            if name.endswith('.pack') and not pack_is_sound(path):
                raise Broken('%s has a wrong checksum' % path)
            if name.startswith('tmp_') or name.endswith(('.lock', '.keep')) or os.path.islink(path):
                continue
            _link_or_copy(path, os.path.join(here, name))
    listing = subprocess.run(
        [b'git', b'--git-dir=' + encode(git_dir), b'for-each-ref', b'--format=%(objectname) %(refname)'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment())
    if listing.returncode:
        raise Broken(listing.stderr.decode('utf-8', 'replace').strip()[-2000:])
    return parse_refs(listing.stdout)


def _link_or_copy(source: str, target: str) -> None:
    if os.path.exists(target):
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def present(repo: str, oids: Set[str]) -> List[str]:
    """Return those of *oids* that the repository has."""
    if not oids:
        return []
    asked = ''.join(oid + '\n' for oid in sorted(oids)).encode('ascii')
    lines = git(repo, b'cat-file', b'--batch-check=%(objectname)', given=asked).splitlines()
    return [line.decode('ascii') for line in lines if b' ' not in line]


def prepare(path: str, cache: str, fresh: bool) -> Dict[str, Any]:
    """Make sure that there is a repository at *path*. Return its references and the objects that it has.

    :param cache: a repository that may be borrowed from; empty for none.
    :param fresh: take away what lies at *path* first.
    """
    answer: Dict[str, Any] = {'refs': {}, 'haves': [], 'source': 'executor', 'note': ''}
    try:
        if fresh and os.path.lexists(path):
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
        if os.path.lexists(os.path.join(path, '.git')):
            answer['refs'] = read_refs(path)
            answer['haves'] = present(path, set(answer['refs'].values()))
            answer['source'] = 'workspace'
            return answer
        os.makedirs(path, exist_ok=True)
        git(path, b'init', b'-q', b'--template=')
        if cache and os.path.isdir(cache):
            try:
                answer['haves'] = present(path, set(borrow(cache, path).values()))
                answer['source'] = 'cache'
            except (Broken, OSError) as error:
                answer['note'] = 'the cache %s was not used: %s' % (cache, error)
                shutil.rmtree(os.path.join(path, '.git'))
                git(path, b'init', b'-q', b'--template=')
    except (Broken, OSError) as error:
        answer['error'] = str(error)
    return answer


def read_shallow(repo: str) -> List[str]:
    """Return the commits at which the history of a shallow repository ends; none when it is whole."""
    try:
        with open(os.path.join(repo, '.git', 'shallow'), encoding='ascii') as file:
            return sorted(file.read().split())
    except FileNotFoundError:
        return []


def write_shallow(repo: str, commits: Sequence[str]) -> bool:
    """Let the history of a repository end at *commits*. Return whether it did not."""
    if read_shallow(repo) == sorted(commits):
        return False
    path = os.path.join(repo, '.git', 'shallow')
    if commits:
        with open(path, 'w', encoding='ascii') as file:
            file.writelines(commit + '\n' for commit in commits)
    else:
        os.unlink(path)
    return True


def ref_changes(old: Dict[str, str], new: Dict[str, str]) -> Tuple[bytes, bytes]:
    """Return the input of two runs of ``git update-ref --stdin -z``: what goes, and what comes or moves.

    Two runs, because a name may have to go before another can be below it.
    """
    gone = b''.join(b'delete %s\0\0' % encode(name) for name in sorted(old) if name not in new)
    come = b''.join(b'update %s\0%s\0\0' % (encode(name), oid.encode('ascii'))
                    for name, oid in sorted(new.items()) if old.get(name) != oid)
    return gone, come


def wanted_head(checkout: str, commit: str, refs: Dict[str, str]) -> Optional[str]:
    """Return the branch that is checked out at *commit*, or None where HEAD stands on the commit itself."""
    branch = 'refs/heads/' + checkout
    return branch if checkout and refs.get(branch) == commit else None


def finish(path: str, before: Dict[str, Any], want: Dict[str, Any]) -> Dict[str, Any]:
    """Put the repository into the wanted state; all objects are there.

    :param before: the answer of :func:`prepare`.
    :param want: ``refs``, ``commit``, ``checkout``, ``shallow`` (see :func:`read_shallow`) and ``config`` (origin's
        entries, name -> values).
    :returns: ``changed``.
    :raises Broken: with the reason.
    """
    refs: Dict[str, str] = want['refs']
    cut = write_shallow(path, want['shallow'])
    if before['haves']:
        tips = sorted(set(refs.values()) | {want['commit']})
        asked = ''.join([tip + '\n' for tip in tips] + ['^%s\n' % have for have in before['haves']])
        git(path, b'rev-list', b'--objects', b'--quiet', b'--stdin', given=asked.encode('ascii'))
    existed = before['source'] == 'workspace'
    gone, come = ref_changes(before['refs'], refs)
    branch = wanted_head(want['checkout'], want['commit'], refs)
    changed = not existed or cut or bool(gone or come) or not _stands(path, branch, want['commit'])
    if changed and existed:
        # Nothing may be checked out while the references move.
        git(path, b'update-ref', b'--no-deref', b'HEAD', want['commit'].encode('ascii'))
    for batch in (gone, come):
        if batch:
            git(path, b'update-ref', b'--stdin', b'-z', given=batch)
    if branch:
        git(path, b'symbolic-ref', b'HEAD', encode(branch))
    else:
        git(path, b'update-ref', b'--no-deref', b'HEAD', want['commit'].encode('ascii'))
    if changed or git(path, b'status', b'--porcelain', b'--ignored'):
        git(path, b'reset', b'-q', b'--hard')
        if existed or os.listdir(path) != ['.git']:
            git(path, b'clean', b'-qxdff')
        changed = True
    changed = _configure(path, want['config']) or changed
    found = git(path, b'rev-parse', b'HEAD').decode('ascii').strip()
    if found != want['commit']:
        raise Broken('HEAD is %s' % found)
    return {'changed': changed}


def _stands(path: str, branch: Optional[str], commit: str) -> bool:
    with open(os.path.join(path, '.git', 'HEAD'), 'rb') as head:
        return head.read().strip() == (b'ref: ' + encode(branch) if branch else commit.encode('ascii'))


def read_config(repo: str) -> Dict[str, List[str]]:
    """Return name -> values of a repository's own configuration."""
    config: Dict[str, List[str]] = {}
    for item in git(repo, b'config', b'--local', b'-z', b'--list').split(b'\0'):
        name, _, value = item.partition(b'\n')
        config.setdefault(decode(name), []).append(decode(value))
    return config


def _configure(path: str, config: Dict[str, List[str]]) -> bool:
    changed = False
    now = read_config(path)
    for name, values in config.items():
        if now.get(name, []) != values:
            if name in now:
                git(path, b'config', b'--local', b'--unset-all', encode(name))
            for value in values:
                git(path, b'config', b'--local', b'--add', encode(name), encode(value))
            changed = True
    return changed


def receive_pack(path: str, stream: IO[bytes]) -> str:
    """Read one pack from *stream* (chunks, each after its length; a length of 0 ends it) into the repository.

    The whole pack is read also when git stops early. Return what went wrong, or nothing.
    """
    where = encode(path)
    indexer = subprocess.Popen(
        [b'git', b'--git-dir=' + where + b'/.git', b'index-pack', b'--stdin', b'--fix-thin'],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_environment())
    assert indexer.stdin is not None and indexer.stderr is not None
    alive = True
    while True:
        size = int(stream.readline())
        if not size:
            break
        data = stream.read(size)
        if len(data) < size:
            raise EOFError('the connection was lost')
        if alive:
            try:
                indexer.stdin.write(data)
            except OSError:
                alive = False
    try:
        indexer.stdin.close()
    except OSError:
        pass
    said = indexer.stderr.read().decode('utf-8', 'replace').strip()
    indexer.stderr.close()
    return 'git index-pack: %s' % said[-2000:] if indexer.wait() else ''


def inside(root: str, src_dir: str) -> str:
    """Return the folder of a project.

    :raises Broken: it would lie outside of *root*.
    """
    path = os.path.normpath(os.path.join(root, src_dir))
    if os.path.isabs(src_dir) or not path.startswith(root.rstrip('/') + '/'):
        raise Broken('%r is not a folder below the workspace' % src_dir)
    return path


def _attempt(function: Any, *args: Any) -> Dict[str, Any]:
    try:
        return dict(function(*args))
    except (Broken, OSError) as error:
        return {'error': str(error)}


def reserve(root: str) -> Optional[int]:
    """Wait until nobody else works below *root*, and keep others out until the descriptor is closed.

    A node that has several names in the inventory gets as many sessions at once. None where *root* cannot be locked.
    """
    handle = None
    try:
        os.makedirs(root, exist_ok=True)
        handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        pass  # What is wrong with the folder is said of each project.
    return handle


def serve(stream: IO[bytes], out: IO[bytes]) -> None:
    """Answer one request: see the module's description."""
    request = json.loads(stream.readline())
    projects: Sequence[Dict[str, Any]] = request['projects']
    root = os.path.abspath(os.path.expanduser(request['root']))
    paths = [inside(root, project['src_dir']) for project in projects]
    lock = reserve(root)
    caches = [os.path.join(request['cache_root'], project['canonical_name']) if request['cache_root'] else ''
              for project in projects]
    with ThreadPoolExecutor(WORKERS) as pool:
        before = list(pool.map(prepare, paths, caches, [request['fresh']] * len(paths)))
        out.write(dump(before))
        out.flush()
        results: List[Optional[Future[Dict[str, Any]]]] = []
        errors: List[str] = []
        for path, have in zip(paths, before):
            want = json.loads(stream.readline())
            error = have.get('error', '') or want.get('error', '')
            if want['pack']:
                error = receive_pack(path, stream) or error
            errors.append(error)
            results.append(None if error else pool.submit(_attempt, finish, path, have, want))
        answers = [result.result() if result else {'error': error} for result, error in zip(results, errors)]
    if lock is not None:
        os.close(lock)
    out.write(dump(answers))
    out.flush()


if __name__ == '__main__':
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    serve(sys.stdin.buffer, sys.stdout.buffer)
