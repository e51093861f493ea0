# SPDX-License-Identifier: Apache-2.0
"""Put the inventory of a build among its logs, without what somebody could log in with."""
from __future__ import annotations

import os
import re
from typing import Any, Dict, Optional

import yaml
from ansible.plugins.action import ActionBase

MASK = '********'
_SECRET = re.compile(
    r'(^|_)(pass|passwd|password|passphrase|pwd|secrets?|tokens?|credentials?|creds?'
    r'|(private|secret|access|api|auth|account|signing|gpg|ssh)_?key|auth|authorization)'
    r'(_(file|path|data|base64|b64|value|hash))?$')
_KEY = re.compile(r'-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)', re.S)
_LOGIN = re.compile(r'(?<=://)[^\s/@:]*:[^\s/@]+(?=@)')


def is_secret(name: Any) -> bool:
    """Tell whether a variable of that name is likely to hold what nobody else may know."""
    words = re.sub(r'(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+', '_', str(name)).lower()
    return _SECRET.search(words) is not None


def masked(value: Any, secret: bool = False) -> Any:
    """Return *value* with the secrets in it masked, at any depth.

    :param secret: whether its name says that it is one. Switches and what is empty tell nothing, and stay.
    """
    if isinstance(value, dict):
        return {key: masked(inner, secret or is_secret(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, secret) for inner in value]
    if secret:
        return value if value is None or value == '' or isinstance(value, bool) else MASK
    return _LOGIN.sub(MASK, _KEY.sub(MASK, value)) if isinstance(value, str) else value


class _Loader(yaml.SafeLoader):
    """Takes a value behind a tag (``!unsafe``, ``!vault``) for what it is."""


def _behind(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)    # type: ignore[arg-type]


_Loader.add_multi_constructor('!', _behind)


def without_secrets(text: str) -> str:
    """Return an inventory with its secrets masked.

    :raises yaml.YAMLError: it is none.
    """
    return yaml.safe_dump(masked(yaml.load(text, _Loader)), default_flow_style=False, allow_unicode=False, width=120)


def write_below(root: str, folder: str, name: str, text: str) -> bool:
    """Write a file into a folder below *root*, anew and through no link; say whether it was not there before.

    :raises ValueError: *folder* is not below *root*.
    :raises OSError: it cannot be written.
    """
    parts = os.path.relpath(folder, root).split('/') if os.path.isabs(folder) else ['..']
    if parts[0] == '..':
        raise ValueError("zuul_info_dir is '%s': not below '%s'. Write for example '%s/logs/zuul-info'."
                         % (folder, root, root))
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    new = '.%s.%d' % (name, os.getpid())
    try:
        for part in parts:
            try:
                os.mkdir(part, dir_fd=handle)
            except FileExistsError:
                pass
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = below
        there = name in os.listdir(handle)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=handle), 'w',
                  encoding='utf-8') as stream:
            stream.write(text)
        try:
            os.rename(new, name, src_dir_fd=handle, dst_dir_fd=handle)
        except OSError:
            os.unlink(new, dir_fd=handle)
            raise
    finally:
        os.close(handle)
    return not there


class ActionModule(ActionBase):
    """Runs on the executor, whatever the host of the task is: it needs no connection."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        super().run(tmp, task_vars)
        _, args = self.validate_argument_spec({
            'root': {'type': 'str', 'required': True},
            'folder': {'type': 'str', 'required': True},
            'inventory': {'type': 'str', 'required': True},
        })
        root, folder, inventory = (args[name] for name in ('root', 'folder', 'inventory'))
        try:
            with open(inventory, encoding='utf-8') as stream:
                text = without_secrets(stream.read())
        except (OSError, ValueError, yaml.YAMLError) as error:
            return {'failed': True, 'msg': "log-inventory: cannot read the inventory '%s': %s" % (inventory, error)}
        created = False
        if not self._task.check_mode:
            try:
                created = write_below(root, folder, 'inventory.yaml', text)
            except ValueError as error:
                return {'failed': True, 'msg': 'log-inventory: cannot continue, 1 problem:\n  - %s' % error}
            except OSError as error:
                return {'failed': True,
                        'msg': "log-inventory: cannot write to zuul_info_dir '%s': %s" % (folder, error)}
        return {'changed': created, 'msg': '%s/inventory.yaml' % folder.rstrip('/')}
