#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Let the ssh agent of a build forget keys."""
from __future__ import annotations

DOCUMENTATION = r'''
module: remove_zuul_sshkey
short_description: Let the ssh agent of a build forget keys
description:
  - Runs on the executor. A key is named by its comment, by the beginning of its comment with C(*) behind, by the
    base64 part of its public half, or by a file that holds that half.
options:
  keep: {description: Keys that stay; all others are forgotten., type: list, elements: str, default: []}
  keep_file: {description: A file with the public half of a key that stays; it need not be there., type: path}
  forget: {description: Keys that are forgotten; all others stay., type: list, elements: str}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Forget all keys but one
  delegate_to: localhost
  remove_zuul_sshkey:
    keep_file: "{{ zuul_temp_ssh_key }}.pub"
'''
RETURN = r'''
forgotten: {description: The comments of the keys that were forgotten., type: list, elements: str, returned: success}
'''

import os
import shutil
import subprocess
import tempfile
from typing import List, NamedTuple, Optional, Sequence

from ansible.module_utils.basic import AnsibleModule

_SECONDS = 60
_MOST = 65536       # bytes of a public key


class Refused(Exception):
    """The agent did not do as it was told. The message has what it said."""


class Key(NamedTuple):
    """What the agent tells of a key."""

    line: str
    material: str
    comment: str


def keys_in(listing: str) -> List[Key]:
    """Return the keys that ``ssh-add -L`` prints."""
    words = [(line, line.split(None, 2)) for line in listing.splitlines() if not line.startswith('The agent has no')]
    return [Key(line, parts[1], parts[2] if parts[2:] else '') for line, parts in words if parts[1:]]


def is_named(key: Key, names: Sequence[str]) -> bool:
    """Whether one of *names* is this key's."""
    return any(name == key.material or name == key.comment or (name.endswith('*') and key.comment.startswith(name[:-1]))
               for name in names if name)


def chosen(keys: Sequence[Key], keep: Sequence[str], forget: Optional[Sequence[str]]) -> List[Key]:
    """Return the keys that go."""
    if forget is not None:
        return [key for key in keys if is_named(key, forget)]
    return [key for key in keys if not is_named(key, keep)]


def material_of(path: str) -> List[str]:
    """Return the base64 part of the public key in a file, nothing when there is none. Links are not followed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    with open(handle, 'rb') as file:
        return file.read(_MOST).decode('utf-8', 'replace').split()[1:2]


def run(*argv: str, codes: Sequence[int] = (0,)) -> str:
    """Run a command and return its output.

    :raises Refused: it failed, or there is no such command.
    """
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=_SECONDS, env=dict(os.environ, LC_ALL='C'))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused('%s: %s' % (argv[0], error)) from error
    if done.returncode not in codes:
        said = (done.stderr or done.stdout).decode('utf-8', 'replace').strip()
        raise Refused('%s: exit code %d: %s Zuul starts an agent for every build; SSH_AUTH_SOCK names it.' % (
            argv[0], done.returncode, said))
    return done.stdout.decode('utf-8', 'replace')


def forget_keys(keys: Sequence[Key]) -> None:
    """Take *keys* out of the agent.

    :raises Refused: it has one that it does not give up.
    """
    folder = tempfile.mkdtemp(prefix='forget-')
    try:
        for number, key in enumerate(keys):
            path = os.path.join(folder, '%d.pub' % number)
            with open(path, 'w', encoding='utf-8') as file:
                file.write('%s\n' % key.line)
            run('ssh-add', '-q', '-d', path)
    finally:
        shutil.rmtree(folder)
    left = {key.material for key in listed()}
    stayed = [key.comment for key in keys if key.material in left]
    if stayed:
        raise Refused('ssh-add: the agent still has %s.' % ', '.join(stayed))


def listed() -> List[Key]:
    """Return the keys that the agent has. 1 is an agent without keys, 2 no agent.

    :raises Refused: there is no agent.
    """
    return keys_in(run('ssh-add', '-L', codes=(0, 1)))


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'keep': {'type': 'list', 'elements': 'str', 'default': []},
        'keep_file': {'type': 'path'},
        'forget': {'type': 'list', 'elements': 'str'},
    })
    keep = module.params['keep'] + (material_of(module.params['keep_file']) if module.params['keep_file'] else [])
    try:
        keys = chosen(listed(), keep, module.params['forget'])
        if keys and not module.check_mode:
            forget_keys(keys)
    except Refused as error:
        module.fail_json(msg='remove-zuul-sshkey: %s' % error)
    module.exit_json(changed=bool(keys), forgotten=[key.comment for key in keys])


if __name__ == '__main__':
    main()
