#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""The files of a build's key on the executor: look at them, or remove them."""
from __future__ import annotations

DOCUMENTATION = r'''
module: remove_build_sshkey
short_description: Look at the key of a build on the executor, or remove it
description:
  - Tells the public half, or overwrites and removes both halves. Links are removed and never followed.
options:
  path: {description: The private key; the public one has C(.pub) behind., type: path, required: true}
  root: {description: The folder that it must lie in., type: path, required: true}
  remove: {description: Whether the files are removed., type: bool, default: false}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Remove the key
  delegate_to: localhost
  remove_build_sshkey:
    path: "{{ zuul_temp_ssh_key }}"
    root: "{{ zuul.executor.work_root }}"
    remove: true
'''
RETURN = r'''
public_key: {description: 'Type and base64 part of the public half, or empty.', type: str, returned: success}
'''

import base64
import binascii
import os
import stat
from typing import Dict, List

from ansible.module_utils.basic import AnsibleModule

_MOST = 65536       # bytes of a key


class Refused(Exception):
    """The path is not one of this build."""


def check(path: str, root: str) -> None:
    """See that *path* lies in *root*.

    :raises Refused: it does not.
    """
    folder, root = os.path.realpath(os.path.dirname(path)), os.path.realpath(root)
    if os.path.commonpath([root, folder]) != root:
        raise Refused("zuul_temp_ssh_key is '%s': not inside of '%s', which is the folder of the build." % (path, root))


def public_key(path: str) -> str:
    """Return type and base64 part of the public key in a file, '' when it holds none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ''
    with open(handle, 'rb') as file:
        words = file.read(_MOST).split()[:2]
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        return ''
    # a key says itself of which kind it is
    return b' '.join(words).decode() if blob[4:4 + int.from_bytes(blob[:4], 'big')] == words[0] else ''


def remove(path: str) -> None:
    """Overwrite and remove a file. A link is removed, and what it leads to stays as it is."""
    if stat.S_ISREG(os.lstat(path).st_mode):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except PermissionError:
            handle = -1
        if handle >= 0:
            try:
                state = os.fstat(handle)
                if state.st_nlink == 1:
                    os.write(handle, b'\0' * min(state.st_size, _MOST))
                    os.fsync(handle)
            finally:
                os.close(handle)
    os.unlink(path)


def provide(path: str, root: str, wanted: bool, dry: bool) -> Dict[str, object]:
    """Do the module's work and return its result.

    :raises Refused: see :func:`check`.
    """
    check(path, root)
    known = public_key(path + '.pub')
    there: List[str] = [name for name in (path, path + '.pub') if os.path.lexists(name)] if wanted else []
    for name in there if not dry else []:
        remove(name)
    return {'changed': bool(there), 'public_key': known}


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'path': {'type': 'path', 'required': True},
        'root': {'type': 'path', 'required': True},
        'remove': {'type': 'bool', 'default': False},
    })
    path = module.params['path']
    try:
        module.exit_json(**provide(path, module.params['root'], module.params['remove'], module.check_mode))
    except Refused as error:
        module.fail_json(msg='remove-build-sshkey: %s' % error)
    except OSError as error:
        module.fail_json(msg="remove-build-sshkey: cannot remove '%s': %s" % (path, error))


if __name__ == '__main__':
    main()
