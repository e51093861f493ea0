# SPDX-License-Identifier: Apache-2.0
"""Write down, in one file beside the logs, what the roles that collect results could not collect."""
from __future__ import annotations

import os
from typing import Any, Dict, Iterable, List, Mapping, Optional

from ansible.plugins.action import ActionBase

NAME = 'collection-problems.txt'
MAX_LINES = 1000
MAX_TEXT = 1000
_SUFFIX = '_problems'


def printable(text: str) -> str:
    """Return *text* with everything escaped that is not a character one can see, and not longer than MAX_TEXT."""
    return ''.join(char if char.isprintable() else char.encode('unicode_escape').decode('ascii')
                   for char in text[:MAX_TEXT])


def told(host: str, facts: Mapping[str, Any]) -> List[str]:
    """Return a line for each problem in the *facts* of a host: those whose names end with ``_problems``.

    They come from playbooks of the job as well, so whatever is no list of text is left out.
    """
    lines = []
    for name in sorted(facts):
        if not str(name).endswith(_SUFFIX) or not isinstance(facts[name], (list, tuple)):
            continue
        role = str(name)[:-len(_SUFFIX)].replace('_', '-')
        lines += ['%s: %s: %s' % (host, role, one) for one in facts[name] if isinstance(one, str)]
    return [printable(line) for line in lines]


def collect(hosts: Iterable[str], hostvars: Mapping[str, Any]) -> List[str]:
    """Return what is told of all *hosts*, in their order; at most MAX_LINES, the last of which says how many more."""
    lines = [line for host in hosts for line in told(host, hostvars[host].get('ansible_facts') or {})]
    if len(lines) > MAX_LINES:
        lines[MAX_LINES - 1:] = ['%d more lines' % (len(lines) - MAX_LINES + 1)]
    return lines


def write(folder: str, lines: Iterable[str]) -> None:
    """Write the file anew, over no link that a job may have left under its name.

    :raises OSError: it cannot be written.
    """
    new = os.path.join(folder, '.%s.%d' % (NAME, os.getpid()))
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), 'w',
                  encoding='utf-8') as stream:
            stream.writelines(line + '\n' for line in lines)
        os.replace(new, os.path.join(folder, NAME))
    except OSError:
        if os.path.lexists(new):
            os.unlink(new)
        raise


class ActionModule(ActionBase):
    """Runs on the executor, whatever the host of the task is: it needs no connection."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        super().run(tmp, task_vars)
        _, args = self.validate_argument_spec({'folder': {'type': 'str', 'required': True}})
        known = task_vars or {}
        lines = collect([*known['groups']['all'], 'localhost'], known['hostvars'])
        if lines and not self._task.check_mode:
            try:
                write(args['folder'], lines)
            except OSError as error:
                # The log has the lines as well; a file that cannot be written fails no build that passed.
                lines.append('%s cannot be written to %s: %s' % (NAME, args['folder'], error.strerror))
        return {'changed': False, 'lines': lines}
