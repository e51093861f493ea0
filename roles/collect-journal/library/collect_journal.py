#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Keep what the journal of a node says about a build."""
from __future__ import annotations

DOCUMENTATION = r'''
module: collect_journal
short_description: Keep what the journal of a node says
description:
  - Writes C(journal.txt.gz), and C(journal.export.gz) when asked. The journal is read through C(sudo) where that works
    without a password; else what the user may read.
  - What cannot be had is listed in C(problems); it is no failure. A newer copy of the same file is no change, because
    the journal grows by being read.
options:
  dest: {description: The target folder., type: str, required: true}
  seconds: {description: How far back to read. The whole boot when 0., type: int, default: 0}
  since: {description: A time in the words of journalctl. It comes before C(seconds)., type: str, default: ''}
  units: {description: Units to read; all when there is none., type: list, elements: str, default: []}
  export: {description: Whether to write the export format as well., type: bool, default: false}
  timeout: {description: Seconds it may take., type: int, default: 60}
  max_bytes: {description: Bytes of each file before compression. The end is kept., type: int, default: 134217728}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Keep the journal of this boot
  collect_journal:
    dest: /home/zuul/zuul-output/logs
'''
RETURN = r'''
files: {description: Names of the files in the target folder., type: list, elements: str, returned: always}
problems: {description: What could not be had and why., type: list, elements: str, returned: always}
ansible_facts:
  description: C(collect_journal_problems), the same as C(problems).
  type: dict
  returned: always
'''

import getpass
import glob
import os
import shutil
import time
from typing import Any, Dict, List, Mapping, Sequence

from ansible.module_utils import collect_journal_stream as stream
from ansible.module_utils.basic import AnsibleModule

# file -> format
TEXT, EXPORT = ('journal.txt.gz', 'short-iso-precise'), ('journal.export.gz', 'export')
SYSTEM = ('/run/log/journal/*/system.journal', '/var/log/journal/*/system.journal')


def command(form: str, since: str, seconds: int, units: Sequence[str]) -> List[str]:
    """Return the argv that prints a journal. Every value is part of its option's word."""
    if not since and seconds > 0:
        since = '-%ds' % seconds
    begin = '--since=' + since if since else '--boot'
    return ['journalctl', '--no-pager', '--quiet', '--output=' + form, begin, *('--unit=' + unit for unit in units)]


def readable() -> bool:
    """Return whether this user may read what the system itself says, as a member of a group or by an access list."""
    found = [path for pattern in SYSTEM for path in glob.glob(pattern)]
    return bool(found) and all(os.access(path, os.R_OK) for path in found)


def collect(params: Mapping[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises OSError: the target folder is of no use.
    """
    result: Dict[str, Any] = {'changed': False, 'files': [], 'problems': []}
    if not shutil.which('journalctl'):
        result['problems'].append('no journal: there is no journalctl')
        return result
    until = time.monotonic() + max(1, params['timeout'])
    dest = os.path.abspath(os.path.expanduser(params['dest']))
    stream.make_folder(dest)
    privileged = stream.may_be_root()
    if not privileged and not readable():
        result['problems'].append('the journal: sudo does not work here, so this is what %s may read of it'
                                  % getpass.getuser())
    units = [unit for unit in params['units'] if unit]
    for name, form in (TEXT, EXPORT) if params['export'] else (TEXT,):
        argv = command(form, params['since'], params['seconds'], units)
        seconds = until - time.monotonic()
        tail = stream.Tail(dest, params['max_bytes'])
        try:
            try:
                code, said = stream.follow(stream.as_root(argv, seconds) if privileged else argv, seconds, tail.write)
                if code:
                    result['problems'].append('%s: journalctl: exit code %d: %s' % (name, code, said))
            except TimeoutError:
                result['problems'].append('%s: not done after %d seconds (collect_journal_timeout); what was read '
                                          'until then is kept' % (name, params['timeout']))
            if tail.lost:
                what = 'it is' if form == EXPORT[1] else '%d bytes at its beginning are' % tail.lost
                result['problems'].append('%s: longer than %d bytes (collect_journal_max_bytes); %s left out'
                                          % (name, params['max_bytes'], what))
            if len(tail) and not (tail.lost and form == EXPORT[1]):
                there = os.path.lexists(os.path.join(dest, name))
                tail.keep(name, packed=True)
                result['changed'] = result['changed'] or not there
                result['files'].append(name)
        finally:
            tail.close()
    return result


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'dest': {'type': 'str', 'required': True},
        'seconds': {'type': 'int', 'default': 0},
        'since': {'type': 'str', 'default': ''},
        'units': {'type': 'list', 'elements': 'str', 'default': []},
        'export': {'type': 'bool', 'default': False},
        'timeout': {'type': 'int', 'default': 60},
        'max_bytes': {'type': 'int', 'default': 134217728},
    })
    try:
        result = collect(module.params)
    except OSError as error:
        result = {'changed': False, 'files': [], 'problems': ['no journal: %s' % error]}
    result['problems'] = [stream.printable(line) for line in result['problems']]
    module.exit_json(ansible_facts={'collect_journal_problems': result['problems']}, **result)


if __name__ == '__main__':
    main()
