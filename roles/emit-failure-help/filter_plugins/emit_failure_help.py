# SPDX-License-Identifier: Apache-2.0
"""The commands that bring a person to a build that failed: to its nodes, and to the same job on their own machine."""
from __future__ import annotations

import shlex
from typing import Any, Callable, Dict, Iterable, List, Mapping

# The tenant and the pipeline of builds on somebody's own machine.
_LOCAL = ('local', 'local')


def word(text: Any) -> str:
    """Return *text* as one word for a shell. What is not for the eye is written out: nobody means such a name."""
    shown = ''.join(char if char.isprintable() else char.encode('unicode_escape').decode('ascii') for char in str(text))
    return shlex.quote(shown)


def login(known: Mapping[str, Any], name: str) -> str:
    """Return the command that opens a shell on the node *name*, whose variables are *known*."""
    port = str(known.get('ansible_port') or 22)
    user, host = known.get('ansible_user') or 'zuul', known.get('ansible_host') or name
    return 'ssh %s%s' % ('' if port == '22' else '-p %s ' % word(port), word('%s@%s' % (user, host)))


def again(zuul: Mapping[str, Any]) -> List[str]:
    """Return the commands that run the job of a build on a person's machine."""
    run = 'zuul-local run %s' % word(zuul.get('job', ''))
    if _is_local(zuul):
        return [run + ' --keep', 'zuul-local node list']
    branch = ' --base-ref %s' % word(zuul['branch']) if zuul.get('branch') else ''
    fetch = ['git fetch origin %s' % word(zuul['ref']), 'git checkout FETCH_HEAD'] if zuul.get('ref') else []
    return [*fetch, run + branch]


def replay(zuul: Mapping[str, Any]) -> str:
    """Return the command that runs this very build again, with its commits and variables, from its bundle."""
    return 'zuul-local replay %s' % (word('.zuul-local/builds/%s' % zuul.get('build', '')) if _is_local(zuul)
                                     else 'replay.json')


def _is_local(zuul: Mapping[str, Any]) -> bool:
    return (zuul.get('tenant'), zuul.get('pipeline')) == _LOCAL


def failure_help(zuul: Mapping[str, Any], hostvars: Mapping[str, Any], hosts: Iterable[str]) -> List[str]:
    """Return the lines.

    :param hosts: names of the nodes, each in *hostvars*.
    """
    logins = ['  %s    # %s' % (login(hostvars[host], host), word(host)) for host in hosts]
    project = (zuul.get('project') or {}).get('canonical_name', '')
    return [
        *(['To look at its nodes, if they are held:', *logins] if logins else []),
        'To run the job on your own machine, in a clone of %s:' % word(project),
        *('  ' + line for line in again(zuul)),
        'To run this very build again%s:' % ('' if _is_local(zuul) else ', with replay.json from its logs'),
        '  ' + replay(zuul)]


class FilterModule:
    """Ansible asks this class for the filters of the file."""

    def filters(self) -> Dict[str, Callable[..., List[str]]]:
        return {'emit_failure_help': failure_help}
