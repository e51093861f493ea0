#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Make the branches and tags of a repository on another server those of one on the executor."""
from __future__ import annotations

DOCUMENTATION = r'''
module: upload_git_mirror
short_description: Push a repository to a mirror on another git server
description:
  - Runs on the executor. Branches and tags of the mirror become those of the repository; those that the repository has
    not are removed, and what was changed on the mirror is overwritten. Other references of the mirror stay.
  - The key lies in a private folder of the build while git runs. Only the server with the given host key gets to see
    anything, and it is offered no other key.
options:
  source: {description: The repository on the executor., type: path, required: true}
  work_root: {description: Folder of the build; nothing outside of it is pushed., type: path, required: true}
  repository: {description: Path of the mirror on its server., type: str, required: true}
  credentials:
    description: How the server is reached.
    type: dict
    required: true
    suboptions:
      user: {description: The user there., type: str, default: ''}
      host: {description: The server and perhaps its port., type: str, default: ''}
      ssh_key: {description: A private key., type: str, default: ''}
      host_key: {description: The server's keys., type: str, default: ''}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Push
  delegate_to: localhost
  upload_git_mirror:
    source: "{{ zuul.executor.work_root }}/{{ zuul.project.src_dir }}"
    work_root: "{{ zuul.executor.work_root }}"
    repository: example/project
    credentials: "{{ git_mirror_credentials }}"
'''
RETURN = r'''
pushed: {description: What was changed on the mirror., type: list, elements: str, returned: success}
same: {description: Number of branches and tags that the mirror had already., type: int, returned: success}
'''

import base64
import binascii
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule

_SECONDS = 3 * 3600
_KINDS = ('refs/heads', 'refs/tags')
_USER = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_.+@-]*')
_HOST = re.compile(r'(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?\])'
                   r'(?::(?P<port>[0-9]{1,5}))?')
_KEY_TYPE = re.compile(r'(ssh|ecdsa|sk)-[a-z0-9@.-]+')
# What git push --porcelain says before a reference -> what happened
_HOW = {'*': 'new', ' ': 'moved on', '+': 'overwritten', '-': 'removed'}
_HINTS = (
    (r'Host key verification failed|host key is known',
     'The server does not show the key in git_mirror_credentials.host_key. Ask who runs it whether the key was '
     'changed; if so, put the new one there.'),
    (r'Permission denied \(|Permission to \S+ denied|is not allowed to push|read.only|not authorized',
     'The server does not let the key in git_mirror_credentials.ssh_key write there. Its public half is {fingerprint}; '
     'let that in, for the user in git_mirror_credentials.user.'),
    (r'Could not resolve hostname|Connection refused|Connection timed out|No route to host|Network is unreachable'
     r'|Connection closed by|Connection reset by|not responding',
     'The server in git_mirror_credentials.host cannot be reached from the executor. Look whether it is up, and '
     'whether name and port are right.'),
    (r'does not appear to be a git repository|[Rr]epository not found|No such (project|repository)|could not be found',
     'The server has no such repository, or does not show it to this key. Make it there first, or correct '
     'git_mirror_repository.'),
    (r'shallow update not allowed', 'The repository on the executor is not whole.'),
)
_REFUSED = ('Let the key make, overwrite and remove branches and tags there, or take away on the server what forbids '
            'it; the other branches and tags are up to date.')


class Refused(Exception):
    """The wish cannot be met. The message has all reasons and no value of the credentials."""


def split_host(host: str) -> Optional[Tuple[str, str]]:
    """Return name and port of a server, with an empty port for ssh's own; None when *host* is no server."""
    match = _HOST.fullmatch(host)
    if not match or not 0 < int(match['port'] or 22) < 65536:
        return None
    return match['name'], match['port'] or ''


def known_hosts(text: str, name: str, port: str) -> List[str]:
    """Return the lines of a known_hosts file for the server.

    :param text: what the credentials hold; keys without names get the server's.
    :raises ValueError: with what is wrong.
    """
    own = name.strip('[]')
    if port and port != '22':
        own = '[%s]:%s' % (own, port)
    lines = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith('#'):
            continue
        if _KEY_TYPE.fullmatch(words[0]):
            words.insert(0, own)
        at = 2 if words[0].startswith('@') else 1
        kind, material = [*words, '', '', ''][at:at + 2]
        try:
            raw = base64.b64decode(material, validate=True)
        except binascii.Error:
            raw = b''
        if not _KEY_TYPE.fullmatch(kind) or raw[4:4 + len(kind)] != kind.encode('ascii'):
            raise ValueError("'%s' is no public key" % (line if len(line) < 60 else line[:57] + '...'))
        lines.append(' '.join(words[:at + 2]))
    if not lines:
        raise ValueError('it is empty')
    return lines


def check(repository: str, credentials: Dict[str, str], source: str, work_root: str) -> None:
    """Look at everything that can be seen from here.

    :raises Refused: with one line a problem.
    """
    problems = []
    if not repository or repository.startswith('-') or not repository.isprintable():
        problems.append("git_mirror_repository is %r: no path of a repository. Write for example 'example/project'."
                        % repository)
    elif '://' in repository or re.match(r'[^/]+@[^/]+:', repository):
        problems.append("git_mirror_repository is '%s': the server is in git_mirror_credentials. Write the path on "
                        "it alone, for example 'example/project'." % repository)
    if not _USER.fullmatch(credentials['user']):
        problems.append("git_mirror_credentials.user is no name of a user. Most servers have 'git'.")
    server = split_host(credentials['host'])
    if not server:
        problems.append("git_mirror_credentials.host is no server. Write for example 'git.example.com', "
                        "'git.example.com:29418' or '[2001:db8::1]:22'.")
    try:
        known_hosts(credentials['host_key'], *(server or ('host', '')))
    except ValueError as error:
        problems.append('git_mirror_credentials.host_key: %s. Write what ssh-keyscan says of the server, after you '
                        'have compared it with what its owner says.' % error)
    if 'PRIVATE KEY' not in credentials['ssh_key']:
        problems.append("git_mirror_credentials.ssh_key is no private key: it does not begin with '-----BEGIN'.")
    problems += look_at(source, work_root)
    if problems:
        raise Refused('cannot continue, %d problem%s:\n%s' % (
            len(problems), '' if len(problems) == 1 else 's', '\n'.join('  - ' + one for one in problems)))


def look_at(source: str, work_root: str) -> Iterator[str]:
    """Yield why the repository cannot be pushed. A playbook may have laid links to what is none of the build's."""
    git_dir = os.path.join(source, '.git')
    if not os.path.isdir(git_dir):
        yield "there is no git repository at '%s' on the executor." % source
        return
    real, root = os.path.realpath(git_dir), os.path.realpath(work_root)
    links = [folder for folder, folders, names in os.walk(os.path.join(git_dir, 'objects'))
             if any(os.path.islink(os.path.join(folder, name)) for name in folders + names)]
    if not real.startswith(root + os.sep) or os.path.islink(os.path.join(git_dir, 'objects')) or links:
        yield "the repository at '%s' has links in it that lead elsewhere." % source
    if os.path.exists(os.path.join(git_dir, 'objects', 'info', 'alternates')):
        yield "the repository at '%s' borrows objects of another." % source
    if os.path.exists(os.path.join(git_dir, 'shallow')):
        yield "the repository at '%s' is shallow: a mirror needs the whole history." % source


def ssh_command(folder: str, port: str) -> str:
    """Return the ssh of git: it knows the one server, offers the one key, and asks nobody."""
    options = ('BatchMode=yes', 'StrictHostKeyChecking=yes', 'UserKnownHostsFile="%s/known_hosts"' % folder,
               'GlobalKnownHostsFile=/dev/null', 'CheckHostIP=no', 'UpdateHostKeys=no', 'IdentitiesOnly=yes',
               'IdentityAgent=none', 'PreferredAuthentications=publickey', 'ConnectTimeout=30',
               'ServerAliveInterval=30', 'ServerAliveCountMax=4')
    argv = ['ssh', '-F', '/dev/null', '-i', folder + '/key']
    for option in options:
        argv += ['-o', option]
    return ' '.join(shlex.quote(word) for word in ([*argv, '-p', port] if port else argv))


def environment(ssh: str = '') -> Dict[str, str]:
    """Return the environment of git and ssh: nothing of the executor's own keys and settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(('GIT_', 'SSH_'))}
    return dict(kept, LC_ALL='C', GIT_TERMINAL_PROMPT='0', GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM='1',
                GIT_ALLOW_PROTOCOL='ssh', GIT_SSH_COMMAND=ssh)


def run(argv: Sequence[str], given: bytes = b'', ssh: str = '') -> Tuple[int, str, str]:
    """Run a command. Return its exit code, its output and what it complained of.

    :raises Refused: it cannot be run, or does not end.
    """
    try:
        done = subprocess.run(argv, input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=_SECONDS,
                              env=environment(ssh))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused('%s: %s' % (argv[0], error if isinstance(error, OSError) else 'no end after 3 hours')) from error
    said = done.stderr.decode('utf-8', 'replace').strip()
    return done.returncode, done.stdout.decode('utf-8', 'surrogateescape'), said


def sure(*argv: str, given: bytes = b'') -> str:
    """Run a command that has to succeed and return its output.

    :raises Refused: it failed.
    """
    code, output, said = run(argv, given)
    if code:
        raise Refused('%s: exit code %d: %s' % (' '.join(argv[:1]), code, said[-2000:]))
    return output


def write_private(folder: str, name: str, text: str) -> str:
    """Write a file that only we can read. Return its path."""
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w', encoding='utf-8') as file:
        file.write(text)
    return path


def fingerprint(folder: str, key: str) -> str:
    """Write the private key and return what its public half is known by.

    :raises Refused: it is none, or has a passphrase.
    """
    path = write_private(folder, 'key', '\n'.join(line.strip() for line in key.strip().splitlines()) + '\n')
    code, output, said = run(('ssh-keygen', '-y', '-P', '', '-f', path))
    if code:
        # What it says of the key is a word or two, and nothing of what is in it.
        raise Refused('git_mirror_credentials.ssh_key cannot be used: %s. It must be a whole private key without '
                      'passphrase.' % said.replace(path, 'the key').rpartition(': ')[2][:200])
    digest = hashlib.sha256(base64.b64decode(output.split()[1])).digest()
    return '%s SHA256:%s' % (output.split()[0], base64.b64encode(digest).decode('ascii').rstrip('='))


def forget(folder: str) -> None:
    """Take away the private folder: the key at all events, the rest also while a child of git still writes to it."""
    try:
        os.unlink(os.path.join(folder, 'key'))
    except FileNotFoundError:
        pass
    shutil.rmtree(folder, ignore_errors=True)


def stage(source: str, folder: str) -> str:
    """Make a repository with nothing but branches and tags of *source*, which has its objects. Return its path.

    What settings and hooks *source* has does not count.

    :raises Refused: there is no branch.
    """
    listing = sure('git', '--git-dir=' + os.path.join(source, '.git'), 'for-each-ref',
                   '--format=%(objectname) %(refname)', *_KINDS)
    refs = [line.partition(' ') for line in listing.splitlines()]
    if not any(name.startswith('refs/heads/') for _, _, name in refs):
        raise Refused("the repository at '%s' has no branch; all of the mirror would be removed." % source)
    staged = os.path.join(folder, 'repository')
    os.mkdir(staged)
    sure('git', '--git-dir=' + staged, 'init', '-q', '--bare', '--template=')
    with open(os.path.join(staged, 'objects', 'info', 'alternates'), 'w', encoding='utf-8') as file:
        file.write(os.path.join(os.path.realpath(source), '.git', 'objects') + '\n')
    given = ''.join('create %s\0%s\0' % (name, oid) for oid, _, name in refs)
    sure('git', '--git-dir=' + staged, 'update-ref', '--stdin', '-z', given=given.encode('utf-8', 'surrogateescape'))
    return staged


def parse_push(output: str) -> Tuple[List[str], int, List[str]]:
    """Tell from ``git push --porcelain`` what was changed, how much was the same, and what the server refused."""
    pushed, same, refused = [], 0, []
    for line in output.splitlines():
        flag, names, summary = [*line.split('\t'), '', ''][:3]
        if len(flag) != 1 or ':' not in names:
            continue
        name = names.rpartition(':')[2].encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')
        name = ''.join(one if one.isprintable() else '?' for one in name)
        if flag == '=':
            same += 1
        elif flag == '!':
            refused.append('%s: %s' % (name, summary))
        else:
            pushed.append('%s: %s, %s' % (name, _HOW.get(flag, flag), summary))
    return pushed, same, refused


def without(text: str, credentials: Dict[str, str]) -> str:
    """Return *text* without server and user: Zuul withholds every line that has something of a secret in it."""
    server = split_host(credentials['host'])
    for name, value in (('host', credentials['host']), ('host', server[0].strip('[]') if server else '')):
        text = text.replace(value, '(%s)' % name) if value else text
    return text.replace(credentials['user'] + '@', '(user)@')


def failure(said: str, refused: Sequence[str], hint_facts: Dict[str, str]) -> str:
    """Return what to tell when git push failed, with what to do about it."""
    lines = ['the mirror was not brought up to date.']
    lines += ['  - the server refuses %s' % one for one in refused]
    noise = re.compile(r'@{5,}|^error: failed to push|^To |^Please make sure you|^and the repository exists'
                       r'|known_hosts|^ *remove with:|^Someone could be|^Please contact your')
    lines += ['  ' + line for line in said[-4000:].splitlines() if line.strip() and not noise.search(line)]
    hints = [hint.format(**hint_facts) for pattern, hint in _HINTS if re.search(pattern, said)]
    return '\n'.join(lines + (hints or [_REFUSED] if refused else hints)[:1])


def upload(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: it cannot be done, or the server did not do it.
    """
    credentials, source = params['credentials'], params['source']
    check(params['repository'], credentials, source, params['work_root'])
    server = split_host(credentials['host'])
    assert server is not None
    folder = tempfile.mkdtemp(prefix='.git-mirror-', dir=params['work_root'])
    try:
        mark = fingerprint(folder, credentials['ssh_key'])
        write_private(folder, 'known_hosts', '\n'.join(known_hosts(credentials['host_key'], *server)) + '\n')
        staged = stage(source, folder)
        code, output, said = run(
            ('git', '--git-dir=' + staged, 'push', '--porcelain', '--prune', '--no-verify',
             '%s@%s:%s' % (credentials['user'], server[0], params['repository']),
             *('+%s/*:%s/*' % (kind, kind) for kind in _KINDS)), ssh=ssh_command(folder, server[1]))
    finally:
        forget(folder)
    pushed, same, refused = parse_push(output)
    if code or refused:
        raise Refused(failure(without(said, credentials), refused, {'fingerprint': mark}))
    return {'changed': bool(pushed), 'pushed': pushed, 'same': same}


def _leave(signum: int, _: Any) -> None:
    raise SystemExit(128 + signum)


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'source': {'type': 'path', 'required': True},
        'work_root': {'type': 'path', 'required': True},
        'repository': {'type': 'str', 'required': True},
        'credentials': {'type': 'dict', 'required': True, 'options': {
            'user': {'type': 'str', 'default': ''},
            'host': {'type': 'str', 'default': ''},
            'ssh_key': {'type': 'str', 'default': '', 'no_log': True},
            'host_key': {'type': 'str', 'default': '', 'no_log': False},
        }},
    })
    for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(name, _leave)
    # Zuul withholds what has something of a secret in it, all of the playbook's results if need be.
    invocation = {'module_args': {name: value for name, value in module.params.items() if name != 'credentials'}}
    try:
        module.exit_json(invocation=invocation, **upload(module.params))
    except (Refused, OSError) as error:
        module.fail_json(invocation=invocation, msg='upload-git-mirror: %s' % error)


if __name__ == '__main__':
    main()
