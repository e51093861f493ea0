"""Look at repositories on a node, and make caches of some, good ones and bad ones.

Usage: node.py clear FOLDER                  removes the folders within; names that are not UTF-8 stop Ansible
       node.py plant FROM CACHE ELSEWHERE    makes CACHE from the repositories below FROM
       node.py compare ROOT < STATES         exit code 1 and the differences, when ROOT is not in the states
"""
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from urllib.parse import quote_from_bytes as quote

ORG = 'many.example.com/org/r'
STALE, SHALLOW, TRUNCATED, NO_HEAD, LINKED, ROOTS, BARE, ELSE, PARTIAL = (f'{ORG}{n:02d}' for n in range(1, 10))


def git(repo, *args):
    """Run git as a user would; return what it says, as bytes."""
    argv = ['git', '-c', 'user.name=Test', '-c', 'user.email=test@example.com', *args]
    return subprocess.run(argv, cwd=repo, check=True, stdout=subprocess.PIPE, env=dict(os.environ, LC_ALL='C')).stdout


def the_pack(cache):
    folder = os.path.join(cache, '.git', 'objects', 'pack')
    return next(os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith('.pack'))


def plant(source, root, elsewhere):
    """Make a cache of each of the first ten repositories but the very first; each is odd in its own way."""
    for name in (STALE, SHALLOW, TRUNCATED, NO_HEAD, LINKED, ROOTS, BARE, ELSE, PARTIAL):
        cache = os.path.join(root, name)
        origin = 'file://' + os.path.join(source, name)
        how = {SHALLOW: ('--depth', '1'), BARE: ('--mirror',)}.get(name, ())
        git('/', 'clone', '-q', *how, origin, cache)
        if name == TRUNCATED:
            os.chmod(the_pack(cache), 0o644)
            os.truncate(the_pack(cache), os.path.getsize(the_pack(cache)) // 2)
        if name == NO_HEAD:
            os.truncate(os.path.join(cache, '.git', 'HEAD'), 0)
        if name == LINKED:
            os.rename(cache, elsewhere)
            os.symlink(elsewhere, cache)
        if name == ELSE:
            git(cache, 'commit', '-q', '--allow-empty', '-m', 'nobody has this')
            os.mkfifo(os.path.join(cache, '.git', 'objects', 'pack', 'pack-0.pack'))
        if name == PARTIAL:
            open(the_pack(cache)[:-5] + '.promisor', 'w').close()


def content(path):
    """Mode and name of what lies at *path*, as git would have them; git is not asked."""
    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode):
        return '160000 -' if not os.listdir(path) else f'a folder with {os.listdir(path)}'
    if stat.S_ISLNK(mode):
        data, kind = os.readlink(path), '120000'
    else:
        with open(path, 'rb') as file:
            data, kind = file.read(), '100755' if mode & stat.S_IXUSR else '100644'
    return f'{kind} {hashlib.sha1(b"blob %d" % len(data) + bytes(1) + data).hexdigest()}'


def files(repo, inner):
    """Everything in a working tree, encoded path -> mode and name; empty folders, too."""
    found = {}
    top = os.fsencode(repo)
    for folder, folders, names in os.walk(top):
        if folder == top:
            folders.remove(b'.git')
        for name in list(folders):
            path = os.path.join(folder, name)
            if path in inner:
                folders.remove(name)
            elif os.path.islink(path) or not os.listdir(path):
                names.append(name)
        for name in names:
            path = os.path.join(folder, name)
            found[quote(os.path.relpath(path, top))] = content(path)
    return found


def state(repo, inner):
    with open(os.path.join(repo, '.git', 'HEAD'), 'rb') as file:
        head = file.read().strip()
    lines = git(repo, 'for-each-ref', '--format=%(objectname) %(refname)').splitlines()
    pairs = (line.split(b' ', 1) for line in lines)
    return {'commit': git(repo, 'rev-parse', 'HEAD').decode().strip(), 'head': quote(head), 'files': files(repo, inner),
            'refs': {quote(name): oid.decode() for oid, name in pairs},
            'origin': git(repo, 'config', 'remote.origin.url').decode().strip()}


def compare(root, states):
    """Yield a line for each difference."""
    repos = {name: os.path.join(root, 'src', name) for name in states}
    for name, expected in sorted(states.items()):
        repo = repos[name]
        inner = [os.fsencode(other) for other in repos.values() if other.startswith(repo + '/')]
        found = state(repo, inner)
        for key, value in expected.items():
            now, due = ({'': one} if isinstance(one, str) else one for one in (found[key], value))
            for part in sorted(set(now) | set(due)):
                if now.get(part) != due.get(part):
                    yield f'{name}: {key} {part} is {now.get(part)}, expected {due.get(part)}'
        said = git(repo, 'status', '--porcelain', '--ignored').strip()
        if said and not inner:
            yield f'{name}: git status says {said!r}'
        git(repo, 'fsck', '--no-dangling', '--connectivity-only')
        if os.path.exists(os.path.join(repo, '.git', 'shallow')):
            yield f'{name}: is shallow'
    for folder in (root, os.getcwd(), os.path.expanduser('~'), '/', '/tmp'):
        if os.path.exists(os.path.join(folder, 'pwned')):
            yield f'a name was run in {folder}'


def main():
    if sys.argv[1] == 'clear':
        for entry in [entry for entry in os.scandir(sys.argv[2]) if entry.is_dir()]:
            shutil.rmtree(entry.path)
    elif sys.argv[1] == 'plant':
        plant(*sys.argv[2:])
    else:
        differences = list(compare(sys.argv[2], json.load(sys.stdin)))
        for line in differences:
            print(ascii(line)[:2000])
        sys.exit(1 if differences else 0)


if __name__ == '__main__':
    main()
