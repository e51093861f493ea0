#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Make the key of a build and hand it to the ssh agent."""
from __future__ import annotations

DOCUMENTATION = r'''
module: add_build_sshkey_make
short_description: Make the key of a build and hand it to the ssh agent
description:
  - Runs on the executor. A key that is there is used as it is. Links are never followed.
options:
  path: {description: The private key., type: path, required: true}
  algorithm: {description: Kind of the key., type: str, default: rsa}
  size: {description: Its length in bits., type: int, default: 3072}
  name: {description: File name that the key will have on the nodes., type: str, required: true}
  mark: {description: The key's comment., type: str, required: true}
  root: {description: The folder that the key must lie in., type: path, required: true}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Make a key
  delegate_to: localhost
  add_build_sshkey_make:
    path: "{{ zuul.executor.work_root }}/{{ zuul.build }}_id_rsa"
    root: "{{ zuul.executor.work_root }}"
    name: id_rsa
    mark: "zuul-build-sshkey-{{ zuul.build }}"
'''
RETURN = r'''
public_key: {description: The public half., type: str, returned: success}
'''

import os
import re
import shutil
import stat
import subprocess
import tempfile
from typing import Any, Dict, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule

# algorithm -> what its public keys are called, and the lengths that ssh-keygen makes
KINDS: Dict[str, Tuple[str, Sequence[int]]] = {
    'rsa': ('ssh-rsa', range(2048, 16385)),
    'ecdsa': ('ecdsa-sha2-', (256, 384, 521)),
    'ed25519': ('ssh-ed25519', ()),
}
# files in ~/.ssh that mean something else to ssh
TAKEN = ('authorized_keys', 'authorized_keys2', 'config', 'environment', 'known_hosts', 'known_hosts2', 'rc')
_SECONDS = 60


class Refused(Exception):
    """The wish cannot be met as it is written. The message has all reasons."""


def check(algorithm: str, size: int, name: str, path: str, root: str) -> None:
    """Look at the wishes.

    :param root: the folder that *path* must lie in: whoever chooses it must not reach other keys of the executor.
    :raises Refused: with one line a problem.
    """
    problems = []
    if algorithm not in KINDS:
        problems.append("zuul_ssh_key_algorithm is '%s': not one of %s." % (algorithm, ', '.join(sorted(KINDS))))
    elif KINDS[algorithm][1] and size not in KINDS[algorithm][1]:
        lengths = KINDS[algorithm][1]
        allowed = ('%d to %d' % (lengths[0], lengths[-1]) if isinstance(lengths, range)
                   else ', '.join(str(one) for one in lengths))
        problems.append('zuul_ssh_key_size is %d: an %s key has %s bits.' % (size, algorithm, allowed))
    if not re.fullmatch(r'[A-Za-z0-9_][A-Za-z0-9_.-]*', name) or name in TAKEN:
        problems.append("zuul_ssh_key_dest is '%s': not the name of a key file in ~/.ssh. Write for example 'id_rsa'."
                        % name)
    folder = os.path.realpath(os.path.dirname(path))
    if os.path.commonpath([os.path.realpath(root), folder]) != os.path.realpath(root):
        problems.append("zuul_temp_ssh_key is '%s': not inside of '%s', which is the folder of the build." % (
            path, root))
    elif os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        problems.append("zuul_temp_ssh_key is '%s': not a regular file. Links are not followed." % path)
    if problems:
        raise Refused('add-build-sshkey: cannot continue, %d problem%s:\n%s' % (
            len(problems), '' if len(problems) == 1 else 's', '\n'.join('  - ' + one for one in problems)))


def keygen_command(path: str, algorithm: str, size: int, mark: str) -> Tuple[str, ...]:
    """Return the argv that makes a key without passphrase."""
    length = ('-b', str(size)) if KINDS[algorithm][1] else ()
    return ('ssh-keygen', '-q', '-t', algorithm, *length, '-N', '', '-C', mark, '-f', path)


def body(public_key: str) -> str:
    """Return a public key's type and material, without the comment."""
    return ' '.join(public_key.split()[:2])


def in_agent(public_key: str, listing: str) -> bool:
    """Whether ``ssh-add -L`` lists the key."""
    return body(public_key) in [body(line) for line in listing.splitlines()]


def run(*argv: str, codes: Sequence[int] = (0,)) -> str:
    """Run a command and return its output.

    :raises Refused: it failed, or there is no such command.
    """
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=_SECONDS, env=dict(os.environ, LC_ALL='C'))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused('add-build-sshkey: %s: %s' % (argv[0], error)) from error
    if done.returncode not in codes:
        said = (done.stderr or done.stdout).decode('utf-8', 'replace').strip()
        hint = ' Zuul starts an agent for every build; SSH_AUTH_SOCK names it.' if argv[0] == 'ssh-add' else ''
        raise Refused('add-build-sshkey: %s: exit code %d: %s%s' % (argv[0], done.returncode, said, hint))
    return done.stdout.decode('utf-8', 'replace')


def make(path: str, algorithm: str, size: int, mark: str) -> None:
    """Make a key at *path*, whole or not at all."""
    folder = tempfile.mkdtemp(prefix='.key-', dir=os.path.dirname(path))
    try:
        new = os.path.join(folder, 'key')
        run(*keygen_command(new, algorithm, size, mark))
        os.replace(new + '.pub', path + '.pub')
        os.replace(new, path)
    finally:
        shutil.rmtree(folder)


def provide(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: wrong parameters, or a command failed.
    """
    path, algorithm, mark = params['path'], params['algorithm'], params['mark']
    check(algorithm, params['size'], params['name'], path, params['root'])
    made = not os.path.lexists(path)
    if made:
        make(path, algorithm, params['size'], mark)
    public_key = run('ssh-keygen', '-y', '-P', '', '-f', path).strip()
    if not public_key.startswith(KINDS[algorithm][0]):
        raise Refused("add-build-sshkey: zuul_ssh_key_algorithm is '%s', but '%s' holds an %s key. Name another file "
                      "in zuul_temp_ssh_key." % (algorithm, path, public_key.split()[0]))
    public_key = body(public_key) + ' ' + mark
    told = not os.path.lexists(path + '.pub')
    if told:
        with open(path + '.pub', 'x', encoding='ascii') as file:
            file.write(public_key + '\n')
    # 1 is an agent without keys; 2 is no agent.
    added = not in_agent(public_key, run('ssh-add', '-L', codes=(0, 1)))
    if added:
        run('ssh-add', '-q', path)
    return {'changed': made or told or added, 'public_key': public_key}


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'path': {'type': 'path', 'required': True},
        'algorithm': {'type': 'str', 'default': 'rsa'},
        'size': {'type': 'int', 'default': 3072},
        'name': {'type': 'str', 'required': True},
        'mark': {'type': 'str', 'required': True},
        'root': {'type': 'path', 'required': True},
    })
    try:
        module.exit_json(**provide(module.params))
    except Refused as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="add-build-sshkey: zuul_temp_ssh_key is '%s': %s" % (module.params['path'], error))


if __name__ == '__main__':
    main()
