"""Make twenty repositories on the executor, let them grow, and say what a node must have of them.

Usage: executor.py make|grow ROOT     ``make`` takes away what is there.

Prints JSON: ``projects`` as Zuul has them, ``states`` as node.py finds them. Names in states are percent-encoded bytes.
"""
import json
import os
import shutil
import subprocess
import sys
from urllib.parse import quote_from_bytes as quote

HOST = 'many.example.com'
# What a shell or a template would make something of, and what programs take for something else.
BRANCHES = ('feature/ü#1', "a'b", '$(touch${IFS}pwned)', '{{zuul}}', '-x', '--force', 'a"b;touch${IFS}pwned', '☃')
FILES = (b'new\nline', b"it's", b'"quoted"', b'$(touch pwned)', b'-rf', b'--', b'lat\xe9n', b' ', b'.hidden',
         b'{{7*7}}', 'ü'.encode(), b'deep/' * 20 + b'file', b'a\x1b[31mb', b'*')
# number -> branch that is checked out
CHECKOUTS = {9: 'feature/ü#1', 10: '$(touch${IFS}pwned)', 17: "a'b", 18: '{{zuul}}', 15: '-x'}
SUBMODULE, DETACHED, TAGGED, NESTED, MODES = 12, 13, 14, 16, 19
REQUIRED = (9, 13)


def git(repo, *args):
    """Run git with an author and a date of its own; return what it says, as bytes."""
    argv = ['git', '-c', 'user.name=Test', '-c', 'user.email=test@example.com', '-c', 'commit.gpgsign=false', *args]
    env = {name: value for name, value in os.environ.items() if not name.startswith('GIT_')}
    return subprocess.run(argv, cwd=repo, check=True, stdout=subprocess.PIPE, env=dict(env, LC_ALL='C')).stdout.strip()


def names():
    """The canonical names of the projects."""
    plain = [f'{HOST}/org/r{number:02d}' for number in range(20)]
    plain[NESTED] = plain[0] + '/plugins/nested'
    return plain


def write(repo, name, content):
    path = os.path.join(os.fsencode(repo), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(content)


def commit(repo, message, *options):
    git(repo, 'commit', '-q', '--allow-empty', '-m', message, *options)


def make(repo, number):
    """Make one repository; a random file makes what is sent twice show in its size."""
    os.makedirs(repo)
    git(repo, 'init', '-q')
    git(repo, 'symbolic-ref', 'HEAD', 'refs/heads/main')
    for turn in range(3):
        write(repo, b'file', b'%d %d\n' % (number, turn))
        write(repo, b'big', os.urandom(20000))
        git(repo, 'add', 'file', 'big')
        commit(repo, f'turn {turn}')
    if number == 11:
        for name in FILES:
            write(repo, name, b'of ' + name)
        git(repo, 'add', '-A')
        commit(repo, 'odd names')
    if number == MODES:
        write(repo, b'run', b'#!/bin/sh\ntouch pwned\n')
        os.chmod(os.path.join(repo, 'run'), 0o755)
        os.symlink('/etc/passwd', os.path.join(repo, 'link'))
        write(repo, b'.gitattributes', b'file filter=pwned\n')
        git(repo, 'add', '-A')
        commit(repo, 'modes')
        write(repo, b'.git/hooks/pre-push', b'#!/bin/sh\ntouch pwned\n')
        os.chmod(os.path.join(repo, '.git/hooks/pre-push'), 0o755)
    if number == SUBMODULE:
        write(repo, b'.gitmodules', b'[submodule "sub"]\n\tpath = sub\n\turl = ext::sh -c "touch pwned"\n')
        git(repo, 'add', '.gitmodules')
        git(repo, 'update-index', '--add', '--cacheinfo', f'160000,{git(repo, "rev-parse", "HEAD").decode()},sub')
        commit(repo, 'submodule')
    for branch in BRANCHES:
        git(repo, 'update-ref', 'refs/heads/' + branch, 'HEAD~1')
        git(repo, 'update-ref', 'refs/tags/' + branch, 'HEAD~2')
    git(repo, 'update-ref', b'refs/heads/lat\xe9n', 'HEAD')
    git(repo, 'tag', '-a', '-m', 'one', 'v1', 'HEAD~1')
    git(repo, 'update-ref', 'refs/remotes/origin/main', 'HEAD~1')
    git(repo, 'update-ref', 'refs/heads/will-go', 'HEAD~1')
    git(repo, 'update-ref', 'refs/heads/will-be/a-folder', 'HEAD~1')
    git(repo, 'update-ref', 'refs/zuul/1234', 'HEAD')
    git(repo, 'config', 'remote.origin.url', 'file:///dev/null')
    if number in CHECKOUTS:
        git(repo, 'symbolic-ref', 'HEAD', 'refs/heads/' + CHECKOUTS[number])
        git(repo, 'reset', '-q', '--hard')
        write(repo, b'branch', CHECKOUTS[number].encode())
        git(repo, 'add', 'branch')
        commit(repo, 'on the branch')
    if number == DETACHED:
        git(repo, 'checkout', '-q', '--detach')
        commit(repo, 'of no branch')
    if number == TAGGED:
        git(repo, 'checkout', '-q', 'v1')


def grow(repo, number):
    """What happens to a repository after the image with its cache was made."""
    if number == TAGGED:
        return
    write(repo, b'file', b'%d newer\n' % number)
    git(repo, 'add', 'file')
    commit(repo, 'newer than the cache')
    for ref in ('refs/heads/will-go', 'refs/heads/will-be/a-folder'):
        git(repo, 'update-ref', '-d', ref)
    git(repo, 'update-ref', 'refs/heads/will-be', 'HEAD')
    git(repo, 'update-ref', 'refs/tags/v1', 'HEAD')
    git(repo, 'update-ref', 'refs/heads/rewritten', 'HEAD~2')


def shown(refs):
    """``git for-each-ref`` as encoded name -> object, without Zuul's own."""
    pairs = (line.split(b' ', 1) for line in refs.splitlines())
    return {quote(name): oid.decode() for oid, name in pairs if not name.startswith(b'refs/zuul/')}


def state(repo):
    """What a node must have: see state() of node.py."""
    with open(os.path.join(repo, '.git', 'HEAD'), 'rb') as file:
        head = file.read().strip()
    files = {}
    for entry in filter(None, git(repo, 'ls-tree', '-r', '-z', 'HEAD').split(b'\0')):
        mode, _, rest = entry.partition(b' ')
        facts, _, name = rest.partition(b'\t')
        files[quote(name)] = f'{mode.decode()} {"-" if mode == b"160000" else facts.split()[1].decode()}'
    return {'commit': git(repo, 'rev-parse', 'HEAD').decode(), 'head': quote(head), 'files': files,
            'refs': shown(git(repo, 'for-each-ref', '--format=%(objectname) %(refname)')),
            'origin': 'file:///dev/null'}


def main():
    what, root = sys.argv[1:]
    if what == 'make':
        shutil.rmtree(root, ignore_errors=True)
    projects, states = {}, {}
    for number, name in enumerate(names()):
        repo = os.path.join(root, 'src', name)
        (make if what == 'make' else grow)(repo, number)
        states[name] = state(repo)
        projects[name] = {
            'canonical_name': name, 'name': name.partition('/')[2], 'src_dir': 'src/' + name,
            'commit': states[name]['commit'], 'required': number in REQUIRED,
            'checkout': CHECKOUTS.get(number, 'v1' if number == TAGGED else 'main')}
    left = [os.path.join(folder, name) for folder, _, files in os.walk(root) for name in files if name == 'pwned']
    if left or os.path.exists('pwned'):
        sys.exit(f'a name was run: {left}')
    print(json.dumps({'projects': projects, 'states': states}))


if __name__ == '__main__':
    main()
