#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Hand a private key to the ssh agent of a build."""
from __future__ import annotations

DOCUMENTATION = r'''
module: add_sshkey
short_description: Hand a private key to the ssh agent of a build
description:
  - Runs on the executor. The key is written nowhere but to a private folder, which is removed at once.
options:
  private_key: {description: The key, without passphrase., type: str, required: true}
  comment: {description: What the agent calls it., type: str, required: true}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Hand over a key
  delegate_to: localhost
  add_sshkey:
    private_key: "{{ ssh_key.ssh_private_key }}"
    comment: (stdin) deployment
'''
RETURN = r'''
public_key: {description: The public half., type: str, returned: success}
'''

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import Dict, Sequence

from ansible.module_utils.basic import AnsibleModule

_SECONDS = 60


class Refused(Exception):
    """The key cannot be used. The message has the reason, and nothing of the key."""


def has(listing: str, public_key: str, comment: str) -> bool:
    """Whether ``ssh-add -L`` lists the key under its name."""
    wanted = [*public_key.split()[:2], comment]
    return any(line.split(None, 2) == wanted for line in listing.splitlines())


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
        said = done.stderr.decode('utf-8', 'replace').strip()
        if argv[0] == 'ssh-add':
            raise Refused('ssh-add: exit code %d: %s Zuul starts an agent for every build; SSH_AUTH_SOCK names it.' % (
                done.returncode, said))
        raise Refused('ssh_key.ssh_private_key is no private key that ssh can use without a passphrase: %s' % said)
    return done.stdout.decode('utf-8', 'replace')


def provide(private_key: str, comment: str) -> Dict[str, object]:
    """Do the module's work and return its result.

    :raises Refused: the key is none, or there is no agent.
    """
    folder = tempfile.mkdtemp(prefix='add-sshkey-')
    try:
        path = os.path.join(folder, 'key')
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w', encoding='utf-8') as file:
            file.write(private_key.replace('\r', '').strip() + '\n')
        # only the newer of the two formats has room for a comment
        run('ssh-keygen', '-q', '-p', '-P', '', '-N', '', '-f', path)
        run('ssh-keygen', '-q', '-c', '-P', '', '-C', comment, '-f', path)
        public_key = run('ssh-keygen', '-y', '-P', '', '-f', path).strip()
        # 1 is an agent without keys; 2 is no agent.
        changed = not has(run('ssh-add', '-L', codes=(0, 1)), public_key, comment)
        if changed:
            run('ssh-add', '-q', path)
    finally:
        shutil.rmtree(folder)
    return {'changed': changed, 'public_key': ' '.join(public_key.split()[:2])}


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'private_key': {'type': 'str', 'required': True, 'no_log': True},
        'comment': {'type': 'str', 'required': True},
    })
    # when the task is stopped, the folder goes too
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    try:
        module.exit_json(**provide(module.params['private_key'], module.params['comment']))
    except (Refused, OSError) as error:
        module.fail_json(msg='add-sshkey: %s' % error)


if __name__ == '__main__':
    main()
