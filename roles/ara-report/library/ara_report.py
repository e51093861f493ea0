#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Put the report of ARA beside the logs of a build."""
from __future__ import annotations

DOCUMENTATION = r'''
module: ara_report
short_description: Make a report of what ARA recorded
description:
  - Has C(ara-manage) write static pages of a recording, or copies the recording. A recording is copied before
    anything reads it, never through a link.
  - What cannot be done is told, and fails nothing.
options:
  run: {description: 'C(true), C(false) or C(failure).', type: str, required: true}
  success: {description: Whether the build passed so far., type: bool, required: true}
  type: {description: C(html) or C(database)., type: str, required: true}
  executable: {description: The program ara; C(ara-manage) lies beside it., type: str, required: true}
  database: {description: The recording (SQLite)., type: path, required: true}
  path: {description: Folder to make., type: path, required: true}
  compress: {description: Whether pages are packed with gzip., type: bool, required: true}
  timeout: {description: Seconds that the program may take., type: int, required: true}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Make a report
  ara_report:
    run: 'true'
    success: true
    type: html
    executable: ara
    database: "{{ zuul.executor.work_root }}/.ara/ansible.sqlite"
    path: "{{ zuul.executor.log_root }}/ara"
    compress: false
    timeout: 120
'''
RETURN = r'''
page: {description: What to open in the folder. Empty when there is no report., type: str, returned: success}
line: {description: Why there is none., type: str, returned: success}
'''

import gzip
import os
import shutil
import stat
import subprocess
import tempfile
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGEST = 1 << 30
DATABASE = 'ansible.sqlite'


class Refused(Exception):
    """It makes no sense. The message says why and what to do."""


class Missing(Exception):
    """There is no report. The message says why."""


def check(params: Dict[str, Any]) -> None:
    """Refuse what makes no sense.

    :raises Refused: with all reasons.
    """
    problems = ["ara_report_%s is '%s': it must be %s" % (name, params[name], ' or '.join(allowed))
                for name, allowed in (('run', ('true', 'false', 'failure')), ('type', ('html', 'database')))
                if params[name].lower() not in allowed]
    if params['timeout'] < 1:
        problems.append('ara_report_timeout is %d: it must be at least 1' % params['timeout'])
    if problems:
        raise Refused('cannot continue, %d problem%s:\n%s' % (
            len(problems), 's' if len(problems) > 1 else '', '\n'.join('  - ' + line for line in problems)))


def wanted(run: str, success: bool) -> bool:
    """Return whether a build gets a report. Pure."""
    return run.lower() == 'true' or (run.lower() == 'failure' and not success)


def copy_database(path: str, target: str) -> None:
    """Copy a recording.

    :raises Missing: there is none.
    """
    try:
        with open(os.open(path, _FILE), 'rb') as source:
            status = os.fstat(source.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or status.st_size > _LARGEST:
                raise Missing("'%s' is no plain file, or larger than %d bytes" % (path, _LARGEST))
            with open(target, 'xb') as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
    except OSError as error:
        raise Missing("no recording '%s': %s" % (path, error.strerror)) from error


def generate(executable: str, database: str, target: str, timeout: int) -> None:
    """Have ARA write pages.

    :raises Missing: it did not.
    """
    found = shutil.which(executable)
    program = os.path.join(os.path.dirname(found), 'ara-manage') if found else ''
    if not program or not os.access(program, os.X_OK):
        raise Missing("no program '%s' with ara-manage beside it: install ara[server] on the executor" % executable)
    home = os.path.dirname(database)
    environment = {'PATH': os.environ.get('PATH', os.defpath), 'LC_ALL': 'C.UTF-8', 'HOME': home, 'ARA_BASE_DIR': home,
                   'ARA_DATABASE_ENGINE': 'django.db.backends.sqlite3', 'ARA_DATABASE_NAME': database}
    try:
        subprocess.run([program, 'migrate', '--no-input'], env=environment, check=True, timeout=timeout,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        subprocess.run([program, 'generate', target], env=environment, check=True, timeout=timeout,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired as error:
        raise Missing('ara-manage did not end in time (ara_report_timeout)') from error
    except subprocess.CalledProcessError as error:
        said = (error.stdout or b'').decode('utf-8', 'replace').strip().splitlines()
        raise Missing('ara-manage failed with code %d: %s'
                      % (error.returncode, ascii(''.join(said[-1:]))[1:-1])) from error
    except OSError as error:
        raise Missing('ara-manage cannot be run: %s' % error.strerror) from error
    if not os.path.isfile(os.path.join(target, 'index.html')):
        raise Missing('ara-manage wrote no index.html')


def pack(folder: str) -> None:
    """Put a packed file in the place of every page."""
    for above, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(above, name)
            if name.endswith('.html') and stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, 'rb') as page, gzip.open(path + '.gz', 'xb') as packed:
                    shutil.copyfileobj(page, packed)
                os.unlink(path)


def report(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: it makes no sense.
    """
    check(params)
    if not wanted(params['run'], params['success']):
        return {'changed': False, 'page': '', 'line': ''}
    above, name = os.path.split(os.path.normpath(params['path']))
    html = 'index.html.gz' if params['compress'] else 'index.html'
    page = html if params['type'].lower() == 'html' else DATABASE
    try:
        parent = os.open(above, _FOLDER)
        try:
            with tempfile.TemporaryDirectory(prefix='.ara-', dir=above) as scratch:
                database, made = os.path.join(scratch, DATABASE), os.path.join(scratch, 'report')
                copy_database(params['database'], database)
                if page == DATABASE:
                    os.mkdir(made)
                    os.rename(database, os.path.join(made, DATABASE))
                else:
                    generate(params['executable'], database, made, params['timeout'])
                    if params['compress']:
                        pack(made)
                os.chmod(made, 0o755)
                if os.path.lexists(params['path']):
                    raise Missing("something has the name '%s' already" % params['path'])
                os.rename(made, name, dst_dir_fd=parent)
        finally:
            os.close(parent)
    except Missing as error:
        return {'changed': False, 'page': '', 'line': 'no report of ARA: %s' % error}
    except OSError as error:
        return {'changed': False, 'page': '', 'line': 'no report of ARA: %s' % error}
    return {'changed': True, 'page': page, 'line': ''}


def main() -> None:
    """Run as a module."""
    text, path, flag = ({'type': kind, 'required': True} for kind in ('str', 'path', 'bool'))
    module = AnsibleModule(argument_spec={
        'run': text, 'success': flag, 'type': text, 'executable': text, 'database': path, 'path': path,
        'compress': flag, 'timeout': {'type': 'int', 'required': True}})
    try:
        module.exit_json(**report(module.params))
    except Refused as error:
        module.fail_json(msg='ara-report: %s' % error)


if __name__ == '__main__':
    main()
