#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Install the key of a build for the user of a node, and let it in."""
from __future__ import annotations

DOCUMENTATION = r'''
module: add_build_sshkey_install
short_description: Install the key of a build for the user of a node
description:
  - Writes both halves to C(~/.ssh) and lets the key in through C(authorized_keys). Other lines of it stay.
options:
  private_key: {description: The private half., type: str, required: true}
  public_key: {description: The public half., type: str, required: true}
  name: {description: File name of the private half., type: str, required: true}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Install a key
  add_build_sshkey_install:
    private_key: "{{ lookup('ansible.builtin.file', 'id_rsa') }}"
    public_key: "{{ lookup('ansible.builtin.file', 'id_rsa.pub') }}"
    name: id_rsa
'''
RETURN = r'''
written: {description: Files that were written., type: list, elements: str, returned: success}
'''

import os
import tempfile
from typing import Dict, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule


def with_line(text: str, key: str) -> str:
    """Return *text* of an authorized_keys file, in which *key* has a line."""
    material = key.split()[1]
    if any(material in line.split() for line in text.splitlines() if not line.startswith('#')):
        return text
    return text + ('' if not text or text.endswith('\n') else '\n') + key + '\n'


def wanted(private_key: str, public_key: str, name: str, authorized: str) -> Dict[str, Tuple[str, int]]:
    """Return file name -> (content, mode) for the folder ``~/.ssh``.

    :param authorized: what authorized_keys holds now.
    """
    return {
        name: (private_key.rstrip('\n') + '\n', 0o600),
        name + '.pub': (public_key.rstrip('\n') + '\n', 0o644),
        'authorized_keys': (with_line(authorized, public_key), 0o600),
    }


def read(path: str) -> Optional[str]:
    """Return what a file holds, None when there is none."""
    try:
        with open(path, encoding='utf-8', errors='surrogateescape') as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(path: str, content: str, mode: int) -> None:
    """Put *content* at *path* in one step."""
    handle, new = tempfile.mkstemp(prefix='.new-', dir=os.path.dirname(path))
    try:
        with open(handle, 'w', encoding='utf-8', errors='surrogateescape') as file:
            os.fchmod(handle, mode)
            file.write(content)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def install(folder: str, private_key: str, public_key: str, name: str, dry: bool) -> List[str]:
    """Bring the files in *folder* into the wanted state. Return the paths of those that were not.

    :param dry: only look.
    """
    written = []
    if not os.path.isdir(folder):
        written.append(folder)
        if not dry:
            os.makedirs(folder, mode=0o700)
    authorized = read(os.path.join(folder, 'authorized_keys')) or ''
    for file, (content, mode) in wanted(private_key, public_key, name, authorized).items():
        path = os.path.join(folder, file)
        if read(path) == content and os.stat(path).st_mode & 0o777 == mode:
            continue
        written.append(path)
        if not dry:
            write(path, content, mode)
    return written


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'private_key': {'type': 'str', 'required': True, 'no_log': True},
        'public_key': {'type': 'str', 'required': True, 'no_log': False},
        'name': {'type': 'str', 'required': True},
    })
    params = module.params
    try:
        written = install(os.path.expanduser('~/.ssh'), params['private_key'], params['public_key'], params['name'],
                          module.check_mode)
    except OSError as error:
        module.fail_json(msg='add-build-sshkey: cannot install the key: %s' % error)
    module.exit_json(changed=bool(written), written=written)


if __name__ == '__main__':
    main()
