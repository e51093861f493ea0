#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Put keys into a user's ~/.ssh on a node, or take those of a build out of it."""
from __future__ import annotations

DOCUMENTATION = r'''
module: add_build_sshkey_files
short_description: Put keys into a user's ~/.ssh, or take those of a build out of it
description:
  - Writes both halves of a key, and lets keys in through C(authorized_keys). Other lines of it stay.
  - With I(state=absent), both halves are removed when they are the build's, and its lines of C(authorized_keys).
  - Links are never followed. Run as root for another user, it acts with that user's rights.
options:
  user: {description: Whose folder; the one who runs the module when empty., type: str, default: ''}
  name: {description: File name of the private half., type: str, default: ''}
  private_key: {description: The private half., type: str, default: ''}
  public_key: {description: The public half., type: str, default: ''}
  authorized_keys:
    {description: 'More to let in, as texts or as C(public_key).', type: list, elements: raw, default: []}
  mark: {description: The comment of the build's key., type: str, default: ''}
  state: {description: Whether keys are put there or taken away., type: str, default: present}
  role: {description: Whom messages come from., type: str, default: add-build-sshkey}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Install a key
  add_build_sshkey_files:
    name: id_rsa
    private_key: "{{ lookup('ansible.builtin.file', 'id_rsa') }}"
    public_key: "{{ lookup('ansible.builtin.file', 'id_rsa.pub') }}"
'''
RETURN = r'''
written: {description: Files that were written or removed., type: list, elements: str, returned: success}
'''

import base64
import binascii
import contextlib
import errno
import os
import pwd
import secrets
import stat
from typing import Any, Dict, Iterator, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule

AUTHORIZED = 'authorized_keys'
_TEMPORARY = '.zuul-stdlib-'
_LOOSE = 0o022      # sshd ignores files that others can write


class Refused(Exception):
    """It cannot be done as it is asked for. The message has all reasons."""


def material(line: str) -> str:
    """Return the base64 part of a public key in *line*, which may have options in front, or ''."""
    words = line.split()
    for kind, body in zip(words, words[1:]):
        try:
            blob = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            continue
        length = int.from_bytes(blob[:4], 'big')
        if len(blob) > 4 + length and blob[4:4 + length] == kind.encode():
            return body
    return ''


def keys_in(entries: List[Any]) -> List[str]:
    """Return the public keys in *entries*: dictionaries with a ``public_key``, or texts of one or more lines.

    :raises Refused: with what none is.
    """
    keys, wrong = [], []
    for number, entry in enumerate(entries, 1):
        text = entry.get('public_key') if isinstance(entry, dict) else entry
        lines = [line.strip() for line in text.splitlines()] if isinstance(text, str) else []
        lines = [line for line in lines if line and not line.startswith('#')]
        keys += lines
        if not lines or not all(map(material, lines)):
            # not shown: it may be a private key
            what = ('holds a private key' if isinstance(text, str) and 'PRIVATE KEY' in text
                    else 'has no public_key' if text is None else 'is no public key')
            wrong.append("entry %d of the keys %s. Write public_key: 'ssh-ed25519 AAAAC3Nz… name'." % (number, what))
    if wrong:
        raise Refused('cannot continue, %d problem%s:\n%s' % (
            len(wrong), '' if len(wrong) == 1 else 's', '\n'.join('  - ' + one for one in wrong)))
    return keys


def options(line: str) -> List[str]:
    """Return the words in front of the public key in *line*, such as ``from="192.0.2.1"``."""
    return line.partition(material(line))[0].split()[:-1]


def with_lines(text: str, keys: List[str]) -> str:
    """Return *text* of an authorized_keys file, in which each of *keys* has a line.

    A key that is there stays as it is, unless it is asked for with other options: sshd takes those of the first line.
    """
    lines = text.splitlines(keepends=True)
    for key in keys:
        places = [place for place, line in enumerate(lines)
                  if material(line) == material(key) and not line.lstrip().startswith('#')]
        if not places:
            lines += [key + '\n'] if not lines or lines[-1].endswith('\n') else ['\n', key + '\n']
        elif options(key) and any(options(lines[place]) != options(key) for place in places):
            lines[places[0]] = key + '\n'
            lines = [line for place, line in enumerate(lines) if place not in places[1:]]
    return ''.join(lines)


def without_lines(text: str, public_key: str, mark: str) -> str:
    """Return *text* of an authorized_keys file without the build's lines."""
    return ''.join(line for line in text.splitlines(keepends=True) if not is_of_build(line, public_key, mark))


def is_of_build(line: str, public_key: str, mark: str) -> bool:
    """Whether a line holds the key *public_key* ('' when that is not known), or one with the comment *mark*."""
    found = material(line)
    return bool(found) and not line.lstrip().startswith('#') and (
        found == material(public_key) or (bool(mark) and line.split()[-1] == mark))


def is_private_half(text: str, public_key: str, mark: str) -> bool:
    """Whether *text* is the private half of the build's key: OpenSSH's format holds the public half and the comment."""
    lines = [line.strip() for line in text.splitlines() if line and not line.startswith('-----')]
    try:
        blob = base64.b64decode(''.join(lines))
    except (binascii.Error, ValueError):
        return False
    public = base64.b64decode(material(public_key))
    return (bool(public) and public in blob) or (bool(mark) and mark.encode() in blob)


@contextlib.contextmanager
def acting_as(user: str) -> Iterator[str]:
    """Have the rights of *user* only, and give the user's home folder. Only root can act as another.

    :raises Refused: there is no such user.
    """
    own = os.geteuid()
    try:
        entry = pwd.getpwnam(user) if user else pwd.getpwuid(own)
    except KeyError:
        raise Refused("there is no user '%s' on this node." % (user or own)) from None
    if entry.pw_uid == own:
        yield entry.pw_dir
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups(os.getgrouplist(entry.pw_name, entry.pw_gid))
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield entry.pw_dir
    finally:
        os.seteuid(own)
        os.setegid(group)
        os.setgroups(groups)


class Folder:
    """The folder .ssh in *home*, held open; what lies in it is never reached through a link.

    :param dry: only look.
    :raises Refused: it is a link, or no folder.
    """

    def __init__(self, home: str, dry: bool) -> None:
        self.path, self.dry = os.path.join(home, '.ssh'), dry
        self.changed: List[str] = []
        self._handle: Optional[int] = None
        self._open()

    def _open(self) -> None:
        try:
            self._handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            self._handle = None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise Refused("'%s' is a link or no folder: links are not followed. Make it a folder." % self.path
                              ) from None
            raise

    def make(self) -> None:
        """Make it where it is not there."""
        if self._handle is None:
            self.changed.append(self.path)
            if not self.dry:
                os.mkdir(self.path, 0o700)
                self._open()

    def read(self, name: str) -> Optional[Tuple[str, int]]:
        """Return content and mode of a file, None where there is none.

        :raises Refused: it is no regular file.
        """
        if self._handle is None:
            return None
        try:
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._handle)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise Refused("'%s/%s' is a link: links are not followed. Make it a file." % (self.path, name)
                              ) from None
            raise
        with open(handle, encoding='utf-8', errors='surrogateescape', newline='') as file:
            state = os.fstat(handle)
            if not stat.S_ISREG(state.st_mode):
                raise Refused("'%s/%s' is no regular file." % (self.path, name))
            return file.read(), stat.S_IMODE(state.st_mode)

    def look(self, name: str) -> Optional[Tuple[str, int]]:
        """Return content and mode of a file, None where there is none that we may have written."""
        try:
            return self.read(name)
        except Refused:
            return None

    def write(self, name: str, content: str, mode: int) -> None:
        """Let a file be so, in one step."""
        if self.read(name) == (content, mode):
            return
        self.changed.append(os.path.join(self.path, name))
        if self.dry:
            return
        temporary = _TEMPORARY + secrets.token_hex(8)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._handle)
        try:
            with open(handle, 'w', encoding='utf-8', errors='surrogateescape', newline='') as file:
                os.fchmod(handle, mode)
                file.write(content)
            os.replace(temporary, name, src_dir_fd=self._handle, dst_dir_fd=self._handle)
        except BaseException:
            os.unlink(temporary, dir_fd=self._handle)
            raise

    def remove(self, name: str) -> None:
        """Let a file not be there. It is overwritten first, because a disk may outlive the node."""
        self.changed.append(os.path.join(self.path, name))
        if self.dry:
            return
        with contextlib.suppress(PermissionError):
            handle = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._handle)
            try:
                os.write(handle, b'\0' * os.fstat(handle).st_size)
                os.fsync(handle)
            finally:
                os.close(handle)
        os.unlink(name, dir_fd=self._handle)

    def leftovers(self) -> List[str]:
        """Return the temporary files of a call that was killed."""
        return [] if self._handle is None else [
            name for name in sorted(os.listdir(self._handle)) if name.startswith(_TEMPORARY)]


def install(folder: Folder, name: str, private_key: str, public_key: str, keys: List[str]) -> None:
    """Write both halves of a key where *name* is given, and let all keys in."""
    before = folder.read(AUTHORIZED)
    keys = [*([public_key.strip()] if public_key else []), *keys]
    after = with_lines(before[0] if before else '', keys)
    mode = before[1] & ~_LOOSE if before else 0o600
    if keys:
        folder.make()
    if name:
        folder.write(name, private_key.rstrip('\n') + '\n', 0o600)
        folder.write(name + '.pub', public_key.rstrip('\n') + '\n', 0o644)
    if keys:
        folder.write(AUTHORIZED, after, mode)


def uninstall(folder: Folder, name: str, public_key: str, mark: str) -> None:
    """Remove what is the build's. The lines go first: what a kill leaves opens nothing."""
    before = folder.read(AUTHORIZED)
    after = without_lines(before[0], public_key, mark) if before else ''
    if before and after != before[0]:
        folder.write(AUTHORIZED, after, before[1])
    private, public = folder.look(name), folder.look(name + '.pub')
    ours = bool(public and is_of_build(public[0], public_key, mark))
    if private and (ours or is_private_half(private[0], public_key, mark)):
        folder.remove(name)
    if ours:
        folder.remove(name + '.pub')
    for leftover in folder.leftovers():
        folder.remove(leftover)


def main() -> None:
    """Run as a module."""
    texts = ('user', 'name', 'public_key', 'mark')
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        **{name: {'type': 'str', 'default': '', 'no_log': False} for name in texts},
        'private_key': {'type': 'str', 'default': '', 'no_log': True},
        'authorized_keys': {'type': 'list', 'elements': 'raw', 'default': [], 'no_log': False},
        'state': {'type': 'str', 'default': 'present', 'choices': ['present', 'absent']},
        'role': {'type': 'str', 'default': 'add-build-sshkey'},
    })
    wish: Dict[str, str] = module.params
    try:
        if '/' in wish['name']:
            raise Refused("zuul_ssh_key_dest is '%s': not the name of a file in ~/.ssh." % wish['name'])
        keys = keys_in(module.params['authorized_keys'])
        with acting_as(wish['user']) as home:
            folder = Folder(home, module.check_mode)
            if wish['state'] == 'present':
                install(folder, wish['name'], wish['private_key'], wish['public_key'], keys)
            else:
                uninstall(folder, wish['name'], wish['public_key'], wish['mark'])
    except Refused as error:
        module.fail_json(msg='%s: %s' % (wish['role'], error))
    except OSError as error:
        module.fail_json(msg='%s: cannot change the keys of this user: %s' % (wish['role'], error))
    module.exit_json(changed=bool(folder.changed), written=folder.changed)


if __name__ == '__main__':
    main()
