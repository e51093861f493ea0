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
import re
import shutil
import stat
import subprocess
import sys
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

READY = b'zuul-stdlib agent ready\n'
WORKERS = 4
_CHUNK = 1 << 20
# What a pack and its index end with: the SHA-1 of everything before.
_TRAILER = 20
# What a repository's folder holds when nothing but ordinary commands ran in it. Anything else may change what a
# checkout writes or what git runs, and is not worth a rule of its own.
_OURS = frozenset((
    'COMMIT_EDITMSG', 'FETCH_HEAD', 'HEAD', 'ORIG_HEAD', 'branches', 'config', 'description', 'gc.log', 'gc.pid',
    'hooks', 'index', 'info', 'logs', 'objects', 'packed-refs', 'refs', 'shallow'))
_OUR_INFO = frozenset(('exclude', 'refs'))
_OUR_CONFIG = re.compile(r'core\.(ignorecase|precomposeunicode)|remote\.origin\.(url|fetch)|branch\..+\.(remote|merge)'
                         r'|user\.(name|email)', re.DOTALL)
_OUR_CORE = {'core.repositoryformatversion': ['0'], 'core.filemode': ['true'], 'core.bare': ['false'],
             'core.logallrefupdates': ['true']}


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

    Both folders are named, so that git neither looks for a repository further up nor minds who owns this one. No hook
    runs, wherever the user's own configuration says that hooks are.

    :raises Broken: with what git said.
    """
    path = encode(repo)
    argv = [b'git', b'--git-dir=' + path + b'/.git', b'--work-tree=' + path, b'-c', b'core.fsmonitor=false',
            b'-c', b'core.hooksPath=/dev/null', b'-c', b'submodule.recurse=false', *args]
    done = subprocess.run(argv, input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=path,
                          env=_environment())
    if done.returncode:
        said = (done.stderr or done.stdout).decode('utf-8', 'replace').strip()[-2000:]
        raise Broken('git %s: exit code %d: %s' % (decode(args[0]), done.returncode, said))
    return done.stdout


def _environment() -> Dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith('GIT_')}
    # Large files stay pointers: the place that they would be fetched from is out of reach.
    return dict(kept, LC_ALL='C', GIT_TERMINAL_PROMPT='0', GIT_OPTIONAL_LOCKS='0', GIT_LFS_SKIP_SMUDGE='1',
                GIT_DEFAULT_HASH='sha1', GIT_DEFAULT_REF_FORMAT='files')


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
    """Whether the checksum at the end of a pack, or of its index, is that of its content."""
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


def object_is_sound(path: str, oid: str) -> bool:
    """Whether the file of an object holds the object of that name."""
    digest = hashlib.sha1()
    unpacker = zlib.decompressobj()
    try:
        with open(path, 'rb') as packed:
            for data in iter(lambda: packed.read(_CHUNK), b''):
                digest.update(unpacker.decompress(data))
        digest.update(unpacker.flush())
    except zlib.error:
        return False
    return unpacker.eof and digest.hexdigest() == oid


def object_files(objects: str) -> Iterator[Tuple[str, str]]:
    """Yield the files that hold a repository's objects as folder, name; what only makes git quicker is left out.

    :raises Broken: one of them is damaged, or the repository is partial.
    """
    for folder in sorted(os.listdir(objects)):
        packs = folder == 'pack'
        odd = not packs and not re.fullmatch('[0-9a-f]{2}', folder)
        if odd or os.path.islink(os.path.join(objects, folder)):
            continue
        for name in os.listdir(os.path.join(objects, folder)):
            path = os.path.join(objects, folder, name)
            if name.endswith('.promisor'):
                raise Broken('a partial repository')
            wanted = re.fullmatch(r'pack-\w+\.(pack|idx)' if packs else '[0-9a-f]{38}', name)
            if not wanted or not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            if not (pack_is_sound(path) if packs else object_is_sound(path, folder + name)):
                raise Broken('%s has a wrong checksum' % path)
            yield folder, name


def borrow(cache: str, repo: str) -> List[str]:
    """Give a new repository the objects of one in the cache, as links where the file system can.

    :returns: the commits and tags that it has now, with all the history behind them.
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
    for folder, name in object_files(source):
        os.makedirs(os.path.join(target, folder), exist_ok=True)
        _link_or_copy(os.path.join(source, folder, name), os.path.join(target, folder, name))
    listing = subprocess.run(
        [b'git', b'--git-dir=' + encode(git_dir), b'for-each-ref', b'--format=%(objectname) %(refname)'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment())
    if listing.returncode:
        raise Broken(listing.stderr.decode('utf-8', 'replace').strip()[-2000:])
    haves = present(repo, set(parse_refs(listing.stdout).values()))
    # A pack that was lost takes commits with it.
    git(repo, b'rev-list', b'--quiet', b'--stdin', given=''.join(oid + '\n' for oid in haves).encode('ascii'))
    return haves


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


def foreign(path: str, config: Dict[str, List[str]]) -> str:
    """Say what a repository holds that this role did not make; nothing when all is known.

    A node may be older than the build: hooks, filters, sparse or linked checkouts that somebody left behind would run,
    or leave another working tree than the commit's.
    """
    git_dir = os.path.join(path, '.git')
    if os.path.islink(git_dir) or not os.path.isdir(git_dir):
        return '.git is no folder'
    found = sorted(set(os.listdir(git_dir)) - _OURS)
    for folder, known in (('info', _OUR_INFO), ('hooks', frozenset())):
        where = os.path.join(git_dir, folder)
        names = os.listdir(where) if os.path.isdir(where) else []
        found += [folder + '/' + name for name in sorted(names) if name not in known and not name.endswith('.sample')]
    if os.path.exists(os.path.join(git_dir, 'objects', 'info', 'alternates')):
        found.append('objects/info/alternates')
    found += ['the setting ' + name for name, values in sorted(config.items())
              if not _OUR_CONFIG.fullmatch(name) and _OUR_CORE.get(name) != values]
    return '.git holds ' + ', '.join(found[:5]) if found else ''


def remove(path: str) -> None:
    """Take away what lies at *path*, whatever it is."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def prepare(path: str, cache: str) -> Dict[str, Any]:
    """Make sure that there is a repository at *path*. Return its references and the objects that it has.

    :param cache: a repository that may be borrowed from; empty for none.
    """
    answer: Dict[str, Any] = {'refs': {}, 'haves': [], 'config': {}, 'source': 'executor', 'note': ''}
    try:
        if os.path.lexists(os.path.join(path, '.git')):
            answer['config'] = read_config(path)
            odd = foreign(path, answer['config'])
            if odd:
                raise Broken(odd)
            answer['refs'] = read_refs(path)
            head = _read_head(path).decode('ascii', 'replace')
            commits = {head} if head.isalnum() else set()  # that of a detached HEAD, which no reference may hold
            answer['haves'] = present(path, commits | set(answer['refs'].values()))
            answer['source'] = 'workspace'
            return answer
        os.makedirs(path, exist_ok=True)
        git(path, b'init', b'-q', b'--template=')
        if cache and os.path.isdir(cache):
            try:
                answer['haves'] = borrow(cache, path)
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


def parse_index(listing: bytes) -> Tuple[bool, List[str]]:
    """Tell from ``git ls-files -v -s -z`` whether files are hidden from git's eyes, and where submodules belong."""
    hidden, submodules = False, []
    for entry in filter(None, listing.split(b'\0')):
        facts, _, name = entry.partition(b'\t')
        hidden = hidden or not facts.startswith(b'H ')
        if facts[2:8] == b'160000':
            submodules.append(os.fsdecode(name))
    return hidden, submodules


def litter(path: str, inner: Sequence[str]) -> List[str]:
    """Return what lies in a working tree and is not the commit's, without the projects *inner*."""
    # One by one where a project lies further down: a folder that is named as a whole may hold it.
    listing = git(path, b'status', b'--porcelain', b'--ignored', b'-uall' if inner else b'-unormal', b'-z')
    names = [os.fsdecode(entry[3:]).rstrip('/') for entry in filter(None, listing.split(b'\0'))]
    return [name for name in names if name not in inner]


def tidy(path: str, existed: bool, inner: Sequence[str]) -> None:
    """Make the working tree that of HEAD and nothing else; the projects *inner* stay."""
    git(path, b'reset', b'-q', b'--hard')
    if existed:
        hidden, submodules = parse_index(git(path, b'ls-files', b'-v', b'-s', b'-z'))
        if hidden:
            # The marks are in the index, and git passes such files over.
            remove(os.path.join(path, '.git', 'index'))
            git(path, b'reset', b'-q', b'--hard')
        for name in submodules:
            if name not in inner:
                remove(os.path.join(path, name))
                os.mkdir(os.path.join(path, name))
    if inner:
        git(path, b'clean', b'-qxdf')  # with one -f it leaves all repositories
        for name in litter(path, inner):
            if not any(one.startswith(name + '/') for one in inner):
                remove(os.path.join(path, name))
    elif existed or os.listdir(path) != ['.git']:
        git(path, b'clean', b'-qxdff')


def _is_tidy(path: str, inner: Sequence[str]) -> bool:
    hidden, submodules = parse_index(git(path, b'ls-files', b'-v', b'-s', b'-z'))
    folders = [os.path.join(path, name) for name in submodules if name not in inner]
    return not (hidden or litter(path, inner) or any(os.path.isdir(one) and os.listdir(one) for one in folders))


def finish(path: str, before: Dict[str, Any], want: Dict[str, Any], inner: Sequence[str] = ()) -> Dict[str, Any]:
    """Put the repository into the wanted state; all objects are there.

    :param before: the answer of :func:`prepare`.
    :param want: ``refs``, ``commit``, ``checkout``, ``shallow`` (see :func:`read_shallow`) and ``config`` (origin's
        entries, name -> values).
    :param inner: where other projects lie below *path*.
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
    if changed or not _is_tidy(path, inner):
        tidy(path, existed, inner)
        changed = True
    changed = _configure(path, before['config'], want['config']) or changed
    found = git(path, b'rev-parse', b'HEAD').decode('ascii').strip()
    if found != want['commit']:
        raise Broken('HEAD is %s' % found)
    return {'changed': changed}


def _read_head(path: str) -> bytes:
    with open(os.path.join(path, '.git', 'HEAD'), 'rb') as head:
        return head.read().strip()


def _stands(path: str, branch: Optional[str], commit: str) -> bool:
    return _read_head(path) == (b'ref: ' + encode(branch) if branch else commit.encode('ascii'))


def read_config(repo: str) -> Dict[str, List[str]]:
    """Return name -> values of a repository's own configuration."""
    config: Dict[str, List[str]] = {}
    for item in filter(None, git(repo, b'config', b'--local', b'-z', b'--list').split(b'\0')):
        name, _, value = item.partition(b'\n')
        config.setdefault(decode(name), []).append(decode(value))
    return config


def _configure(path: str, now: Dict[str, List[str]], config: Dict[str, List[str]]) -> bool:
    changed = False
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


def _clear(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            remove(path)
        except OSError:
            pass  # What is still there is found to be broken, and said of its project.


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
    if request['fresh']:
        _clear(paths)
    with ThreadPoolExecutor(WORKERS) as pool:
        before = list(pool.map(prepare, paths, caches))
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
            inner = [os.path.relpath(other, path) for other in paths if other.startswith(path + '/')]
            results.append(None if error else pool.submit(_attempt, finish, path, have, want, inner))
        answers = [result.result() if result else {'error': error} for result, error in zip(results, errors)]
    if lock is not None:
        os.close(lock)
    out.write(dump(answers))
    out.flush()


if __name__ == '__main__':
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    serve(sys.stdin.buffer, sys.stdout.buffer)
