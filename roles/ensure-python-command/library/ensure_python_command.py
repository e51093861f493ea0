#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Find or install a Python command-line tool: image first, then the node's wheel cache, then the index."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_python_command
short_description: Find or install a Python command-line tool
description:
  - Goes down a ladder of places (image, wheel cache, package index) and takes the first that satisfies the request.
  - What it installs lies in a folder named by the digest of what goes in; the public path is a link to it that is
    switched in one step. A run that is killed leaves the tool that was there before.
options:
  name: {description: Name of the command., type: str, required: true}
  package: {description: Project that brings the command; the command's name when empty., type: str, default: ''}
  version: {description: PEP 440 version specifier; empty accepts any., type: str, default: ''}
  existing: {description: Command or path to look at first., type: str, default: ''}
  venv_path: {description: Public path of the virtual environment that is made., type: path, required: true}
  sources: {description: Places that may be used., type: list, elements: str, default: [image, cache, index]}
  installer: {description: What fills the environment., type: str, default: auto}
  require_hashes: {description: Refuse what the lock does not know., type: bool, default: false}
  allow_builds: {description: Build what the index has as a source only., type: bool, default: false}
  wheel_cache: {description: Folder of wheels on the node., type: path, default: /opt/cache/wheels}
  lock: {description: Text of a requirements file with hashes., type: str, default: ''}
  installer_locks: {description: Text of such a file that names pip and uv., type: str, default: ''}
  link: {description: Public link to look at; empty for none., type: str, default: ''}
  report_dir: {description: Folder for the report; none is written when empty., type: path}
  timeout: {description: Seconds that filling the environment may take., type: int, default: 600}
  reported_as:
    description:
      - Names for messages, when another role calls; keys C(role), C(version), C(venv_path). Under C(refused), a list
        of what that role refuses itself.
    type: dict
    default: {}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Have a tox older than 4.20
  ensure_python_command:
    name: tox
    version: <4.20
    venv_path: /home/zuul/.local/tox
"""
RETURN = r"""
link: {description: Whether the public link has to be made or changed., type: bool, returned: success}
executable: {description: Absolute path of the command., type: str, returned: success}
report: {description: What was found or done, and why other places were passed over., type: dict, returned: success}
ansible_facts:
  description: The last two again, for later playbooks, as C(ensure_python_command_executable) and C(…_report).
  type: dict
  returned: success
"""

import os
import sys
import time
from hashlib import sha256
from typing import Any

from ansible.module_utils import ensure_python_command_environment as environments
from ansible.module_utils import ensure_python_command_image as image
from ansible.module_utils import ensure_python_command_lock as locks
from ansible.module_utils import ensure_python_command_pep440 as pep440
from ansible.module_utils.ensure_python_command_image import Passed, Run
from ansible.module_utils.ensure_python_command_request import (
    SOURCES,
    Refused,
    Request,
    from_params,
    plan,
    problems,
    refusal,
)
from ansible.module_utils.ensure_python_command_run import bounded


def ladder(request: Request, params: dict[str, Any], report: dict[str, Any], run: Run, check_mode: bool) -> bool:
    """Go down the ladder, complete the *report*, and tell whether the public link is due. Raises Refused."""
    environment = pep440.marker_environment()
    passed: Passed = report['passed_over']
    wanted = plan(request, params['lock'], environment, report['python'])
    report.update(digest=wanted.digest, locked=wanted.locked, version=wanted.version)
    folder = environments.home_of(request.venv_path, wanted.digest)
    found = None
    if 'image' in request.sources:
        found = image.find(request, os.path.realpath(os.path.dirname(folder)) + '/.' + os.path.basename(
            request.venv_path), passed, run)
    else:
        passed.append({'source': 'image', 'where': '', 'why': 'not among ensure_python_command_sources'})
    link = link_is_due(params['link'], found[0] if found else request.public, report['role'])
    if found:
        made = environments.read_mark(os.path.dirname(os.path.dirname(os.path.realpath(found[0]))))
        report.update(made or {'source': 'image'}, path=found[0], version=found[1],
                      locked=wanted.locked and found[1] == wanted.version)
        return link
    made = complete(folder, request.name)
    if made and os.path.realpath(request.venv_path) == os.path.realpath(folder):
        report.update(made)
        return link
    why = environments.blocker(request.venv_path)
    if why:
        variable = (params.get('reported_as') or {}).get('venv_path', 'ensure_python_command_venv_path')
        raise Refused(refusal(report['role'], [f"{variable} is '{request.venv_path}': {why}"]))
    if not wanted.locked and request.require_hashes:
        raise Refused(f'{request.wanted} is not in the lock, and ensure_python_command_require_hashes is set')
    report['changed'] = True
    if check_mode:
        report['source'] = 'undecided'
        return link
    # only now: it needs what speaks to an index, and to load that takes a tenth of a run that finds all in place
    from ansible.module_utils.ensure_python_command_install import install
    with environments.alone(request.venv_path, 120):
        made = complete(folder, request.name)   # another run may have made it while this one waited
        if made:
            environments.switch(request.venv_path, folder)
        pins = locks.applicable(params['installer_locks'], environment)
        report.update(made or install(request, wanted, pins, passed, run))
    return link


def complete(folder: str, name: str) -> dict[str, Any]:
    """What was recorded of the environment in *folder*; nothing where it is not complete or has lost its command."""
    mark = environments.read_mark(folder)
    return mark if mark and os.path.exists(os.path.join(folder, 'bin', name)) else {}


def provide(params: dict[str, Any], run: Run, check_mode: bool = False) -> dict[str, Any]:
    """Find or install the command, and record how; return the task's result. Raises Refused."""
    started = time.monotonic()
    role = (params.get('reported_as') or {}).get('role', 'ensure-python-command')
    found = problems(params)
    if found:
        raise Refused(refusal(role, found))
    request = from_params(params)
    report: dict[str, Any] = {
        'role': role, 'name': request.name, 'package': request.package, 'request': request.version,
        'python': f"{os.path.realpath(sys.executable)} {'.'.join(map(str, sys.version_info[:2]))}",
        'path': request.public, 'cache': os.path.isdir(request.wheel_cache), 'changed': False, 'passed_over': []}
    try:
        link = ladder(request, params, report, run, check_mode)
    except Refused as error:
        report.update(changed=False, source='none', seconds=round(time.monotonic() - started, 3), why=str(error))
        save(report, params['report_dir'], check_mode)
        raise Refused(explained(str(error), report), report=report) from error
    report['seconds'] = round(time.monotonic() - started, 3)
    save(report, params['report_dir'], check_mode)
    facts = {'ensure_python_command_executable': report['path'], 'ensure_python_command_report': report}
    return {'changed': report['changed'], 'executable': report['path'], 'link': link, 'report': report,
            'ansible_facts': facts}


def explained(message: str, report: dict[str, Any]) -> str:
    """The *message* of a failure with every place that was tried; one about the request itself stays as it is."""
    if message.startswith(report['role'] + ':'):
        return message
    lines = [f"{report['role']}: cannot provide {report['name']}: {message}"]
    if report['passed_over']:
        lines.append('Tried:')
    for place in report['passed_over']:
        lines.append('  - ' + ' '.join(word for word in (place['source'],
                                                         place['where']) if word) + f": {place['why']}")
    return '\n'.join(lines)


def link_is_due(link: str, target: str, role: str) -> bool:
    """Whether *link* has to be made to lead to *target*. Raises Refused where something else than a link is there."""
    if not link or link == target or (os.path.islink(link) and os.readlink(link) == target):
        return False
    if os.path.lexists(link) and not os.path.islink(link):
        raise Refused(refusal(role, [f"'{link}' is there and no link: a link for everyone would replace it. "
                                     'Remove it from the image, or do not ask for a global link.']))
    return True


def save(report: dict[str, Any], folder: str | None, check_mode: bool) -> None:
    """Keep the report for the job's logs; a log that cannot be written is no reason to fail."""
    if not folder or check_mode or 'digest' not in report:
        return
    path = os.path.join(folder, f"{report['name']}-{report['digest']}.json")
    if not report['changed'] and report['source'] != 'none' and (environments.read_json(path) or {}).get('changed'):
        return   # how it came here says more than that it is still here
    try:
        os.makedirs(folder, exist_ok=True)
        environments.write_json(path, report)
    except OSError as error:
        report['not_recorded'] = str(error)


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'name': {'type': 'str', 'required': True},
            'package': {'type': 'str', 'default': ''},
            'version': {'type': 'str', 'default': ''},
            'existing': {'type': 'str', 'default': ''},
            'venv_path': {'type': 'path', 'required': True},
            'sources': {'type': 'list', 'elements': 'str', 'default': list(SOURCES)},
            'installer': {'type': 'str', 'default': 'auto'},
            'require_hashes': {'type': 'bool', 'default': False},
            'allow_builds': {'type': 'bool', 'default': False},
            'wheel_cache': {'type': 'path', 'default': '/opt/cache/wheels'},
            'lock': {'type': 'str', 'default': ''},
            'installer_locks': {'type': 'str', 'default': ''},
            'link': {'type': 'str', 'default': ''},
            'report_dir': {'type': 'path'},
            'timeout': {'type': 'int', 'default': 600},
            'reported_as': {'type': 'dict', 'default': {}},
        },
        supports_check_mode=True)
    params = dict(module.params)
    # the result repeats the parameters: a log needs to know which lock it was, not its text
    for name in ('lock', 'installer_locks'):
        module.params[name] = sha256(params[name].encode()).hexdigest()
    try:
        module.exit_json(**provide(params, bounded(module.run_command), module.check_mode))
    except Refused as error:
        module.fail_json(msg=str(error), **error.facts)
    except OSError as error:
        module.fail_json(msg=f"ensure-python-command: cannot provide {params['name']}: {error}")


if __name__ == '__main__':
    main()
