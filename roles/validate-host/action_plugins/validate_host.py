# SPDX-License-Identifier: Apache-2.0
"""Ask a node what it is, and put that down on the executor, in one task: a node costs one module run.

What a node answers is its word: it is cut, cleaned and written, and decides nothing but whether the node suits.
"""
from __future__ import annotations

import hashlib
import os
import re
from typing import Any, Dict, Optional

from ansible.plugins.action import ActionBase

_CHARACTERS, _SECTIONS, _SAID = 256 * 1024, 200, 2000


def clean(text: Any, most: int = _CHARACTERS) -> str:
    """Return a text of a node as it may be shown: without control characters, and no longer than *most*."""
    return re.sub('[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]',
                  '\N{REPLACEMENT CHARACTER}', str(text))[:most]


def file_name(host: str) -> str:
    """Return the name of the file about *host*: one part of a path, and different for different hosts."""
    name = re.sub(r'[^A-Za-z0-9_.-]', '_', host)[:120]
    if name != host:
        name += '-' + hashlib.sha256(host.encode('utf-8', 'surrogatepass')).hexdigest()[:8]
    return 'zuul-info.%s.txt' % name


def report(host: str, answer: Dict[str, Any]) -> str:
    """Return what is put down about a host; what does not look like a section is left out."""
    sections = answer.get('sections')
    texts = ['%s\n%s' % (clean(host, 200), '=' * len(clean(host, 200)))]
    for section in (sections if isinstance(sections, list) else [])[:_SECTIONS]:
        if isinstance(section, (list, tuple)) and len(section) == 2:
            title = clean(section[0], 200).replace('\n', ' ')
            texts.append('%s\n%s\n%s' % (title, '-' * len(title), clean(section[1]).rstrip()))
    return '\n\n'.join(texts) + '\n'


def refusal(host: str, answer: Dict[str, Any]) -> Optional[str]:
    """Return why a host does not suit, None when it does."""
    problems = answer.get('problems')
    lines = [clean(one, 1000).replace('\n', ' ') for one in (problems if isinstance(problems, list) else [])[:20]]
    if not lines:
        return None
    return "validate-host: node '%s' does not suit, %d problem%s:\n%s" % (
        clean(host, 200), len(lines), '' if len(lines) == 1 else 's', '\n'.join('  - ' + one for one in lines))


def failure(answer: Dict[str, Any]) -> str:
    """Return why the module failed, with the end of what Python or the node's shell said instead of an answer."""
    said = (str(answer.get(name) or '').strip() for name in ('module_stderr', 'module_stdout'))
    return clean('\n'.join([str(answer.get('msg') or 'validate-host: the node did not answer'),
                            *(one[-_SAID:] for one in said if one)]))


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
    """Ask, write, judge: in this order, so that a node that does not suit is told about, too."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        super().run(tmp, task_vars)
        _, args = self.validate_argument_spec({
            'root': {'type': 'str', 'required': True},
            'folder': {'type': 'str', 'required': True},
            'host': {'type': 'str', 'required': True},
            'files': {'type': 'list', 'elements': 'str', 'required': True},
            'ipv4_route_required': {'type': 'bool', 'required': True},
            'ipv6_route_required': {'type': 'bool', 'required': True},
            'traceroute_host': {'type': 'str', 'required': True},
        })
        root, folder, host = (args.pop(name) for name in ('root', 'folder', 'host'))
        answer = self._execute_module('validate_host_facts', module_args=args, task_vars=task_vars)
        if answer.get('failed'):
            return {'failed': True, 'msg': failure(answer)}
        created = False
        if not self._task.check_mode:
            try:
                created = write_below(root, folder, file_name(host), report(host, answer))
            except ValueError as error:
                return {'failed': True, 'msg': 'validate-host: cannot continue, 1 problem:\n  - %s' % error}
            except OSError as error:
                return {'failed': True,
                        'msg': "validate-host: cannot write to zuul_info_dir '%s': %s" % (folder, error)}
        refused = refusal(host, answer)
        if refused:
            return {'failed': True, 'msg': refused}
        return {'changed': created, 'msg': clean(answer.get('summary'), 500).replace('\n', ' ')}
