#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Build disk images with diskimage-builder."""
from __future__ import annotations

DOCUMENTATION = r'''
module: build_diskimage
short_description: Build disk images with diskimage-builder
description:
  - Runs disk-image-create in a folder of its own below I(root), and moves what it made to its place when all is there.
  - It does not fail, so that the task can have C(no_log) and its reader the reason, which has no values of
    I(environment).
options:
  command: {description: The program disk-image-create., type: path, required: true}
  name: {description: Name of the image., type: str, required: true}
  elements: {description: What it is made of., type: list, elements: str, required: true}
  formats: {description: Formats to make., type: list, elements: str, required: true}
  environment: {description: Environment variables., type: dict, default: {}}
  root: {description: Folder for images., type: path, required: true}
  logs: {description: Folder for the logs of the attempts., type: path, required: true}
  retries: {description: How often a failed build is tried again., type: int, default: 0}
  delay: {description: Seconds before that., type: int, default: 120}
  no_base: {description: Whether the element base is left out., type: bool, default: false}
  timeout: {description: Seconds that an attempt may take., type: int, default: 10800}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Build a Debian image
  build_diskimage:
    command: /home/zuul/dib/bin/disk-image-create
    name: debian-bookworm
    elements: [debian-minimal, vm]
    formats: [qcow2]
    root: /home/zuul/dib-images
    logs: /home/zuul/zuul-output/logs
'''
RETURN = r'''
images: {description: Format and path of each image., type: dict, returned: always}
attempts: {description: How many it took., type: int, returned: always}
refused: {description: Why there is no image; C('') when there is., type: str, returned: always}
'''

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from typing import Any, Callable, Dict, List, Mapping

NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,127}')
VARIABLE = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
#: seconds between a request to end and the end
_MERCY = 30


class Refused(Exception):
    """There is no image; the text is for people."""


def problems(params: Dict[str, Any]) -> List[str]:
    """All that is wrong with the request; each says value, rule and remedy."""
    found = []
    if not NAME.fullmatch(params['name']):
        found.append("build_diskimage_image_name is '%s': allowed are letters, digits, '.', '_' and '-', a letter or "
                     'digit first.' % params['name'])
    for name in ('elements', 'formats'):
        wrong = [one for one in params[name] if not NAME.fullmatch(one)]
        if wrong or not params[name]:
            found.append('build_diskimage_%s is %s: at least one name is needed, of letters, digits, '
                         "'.', '_' and '-', a letter or digit first." % (name, params[name]))
    wrong = sorted(name for name in params['environment'] if not VARIABLE.fullmatch(str(name)))
    if wrong:
        found.append("build_diskimage_environment has %s: no name of an environment variable. Write e.g. 'DIB_RELEASE'."
                     % ', '.join(map(repr, wrong)))
    mixed = sorted(str(name) for name, value in params['environment'].items()
                   if not isinstance(value, (str, int, float)) or '\0' in str(value))
    if mixed:
        found.append('build_diskimage_environment has %s, whose value is no text: an environment variable is one text.'
                     % ', '.join(map(repr, mixed)))
    for name, path in (('image_root', 'root'), ('logs_dir', 'logs')):
        if not os.path.isabs(params[path]):
            found.append("build_diskimage_%s is '%s': not an absolute path of a folder." % (name, params[path]))
    if not os.path.isabs(params['command']) or not os.access(params['command'], os.X_OK):
        found.append("build_diskimage_command is '%s': not the absolute path of a program. Call the role "
                     "'ensure-dib' before." % params['command'])
    for name, key, least in (('retry_limit', 'retries', 0), ('retry_delay', 'delay', 0), ('timeout', 'timeout', 1)):
        if params[key] < least:
            found.append('build_diskimage_%s is %d: at least %d is needed.' % (name, params[key], least))
    return found


def text_of(value: Any) -> str:
    """Return what a shell finds in a variable: elements compare with 1 and 0."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def command(params: Dict[str, Any], output: str) -> List[str]:
    """Return what builds the image as *output* with the endings of its formats."""
    return [params['command'], '-x', *(['-n'] if params['no_base'] else []), '-t', ','.join(params['formats']),
            '-o', output, *params['elements']]


def log_of(params: Dict[str, Any], attempt: int) -> str:
    """Return the path of the log of an attempt."""
    return os.path.join(params['logs'], '%s%s.log' % (params['name'], '' if attempt == 1 else '.%d' % attempt))


def attempt_once(params: Dict[str, Any], environ: Mapping[str, str], folder: str, number: int) -> str:
    """Build into *folder*, and return why that failed; '' when it did not."""
    log = log_of(params, number)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, 'wb') as said:
        process = subprocess.Popen(
            command(params, os.path.join(folder, params['name'])), stdin=subprocess.DEVNULL, stdout=said,
            stderr=subprocess.STDOUT, cwd=folder, start_new_session=True,
            env={**environ, **{str(name): text_of(value) for name, value in params['environment'].items()}})
        try:
            code = process.wait(params['timeout'])
        except subprocess.TimeoutExpired:
            _end(process)
            return 'it was not done in %d seconds; set build_diskimage_timeout to more. Its log is %s' % (
                params['timeout'], log)
    if code:
        return 'disk-image-create ended with %d. Its log is %s' % (code, log)
    lost = [one for one in params['formats'] if not os.path.isfile(_made(params, folder, one))]
    if lost:
        return 'disk-image-create made no %s, and did not say why. Its log is %s' % (', '.join(lost), log)
    return ''


def _made(params: Dict[str, Any], folder: str, image_format: str) -> str:
    return os.path.join(folder, '%s.%s' % (params['name'], image_format))


def _end(process: 'subprocess.Popen[bytes]') -> None:
    """Ask first, so that it undoes its mounts."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_MERCY)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def build(params: Dict[str, Any], environ: Mapping[str, str], sleep: Callable[[float], object] = time.sleep,
          check_mode: bool = False) -> Dict[str, Any]:
    """Build the image, and return the task's result.

    :raises Refused: there is none.
    """
    found = problems(params)
    if found:
        count = '1 problem' if len(found) == 1 else '%d problems' % len(found)
        raise Refused('\n  - '.join(['build-diskimage: cannot continue, %s:' % count, *found]))
    images = {one: _made(params, params['root'], one) for one in params['formats']}
    result = {'changed': True, 'images': images, 'attempts': 0, 'refused': ''}
    if check_mode:
        return result
    for folder in (params['root'], params['logs']):
        os.makedirs(folder, exist_ok=True)
    for number in range(1, params['retries'] + 2):
        with tempfile.TemporaryDirectory(prefix='.building-', dir=params['root']) as folder:
            why = attempt_once(params, environ, folder, number)
            if not why:
                _place(params, folder, images)
                return {**result, 'attempts': number}
        if number <= params['retries']:
            sleep(params['delay'])
    tries = '' if number == 1 else ' in %d attempts' % number
    raise Refused("build-diskimage: '%s' could not be built%s: %s" % (params['name'], tries, why))


def _place(params: Dict[str, Any], folder: str, images: Mapping[str, str]) -> None:
    told = os.path.join(params['root'], params['name'] + '.d')
    if os.path.isdir(told) and not os.path.islink(told):
        shutil.rmtree(told)
    if os.path.isdir(os.path.join(folder, params['name'] + '.d')):
        os.rename(os.path.join(folder, params['name'] + '.d'), told)
    for one, path in images.items():
        os.replace(_made(params, folder, one), path)


def main() -> None:
    """Run as a module."""
    from ansible.module_utils.basic import AnsibleModule
    path, names = {'type': 'path', 'required': True}, {'type': 'list', 'elements': 'str', 'required': True}
    module = AnsibleModule(
        argument_spec={
            'command': path, 'name': {'type': 'str', 'required': True}, 'elements': names, 'formats': names,
            'environment': {'type': 'dict', 'default': {}}, 'root': path, 'logs': path,
            'retries': {'type': 'int', 'default': 0}, 'delay': {'type': 'int', 'default': 120},
            'no_base': {'type': 'bool', 'default': False}, 'timeout': {'type': 'int', 'default': 10800}},
        supports_check_mode=True)
    try:
        result = build(module.params, os.environ, check_mode=module.check_mode)
    except (Refused, OSError) as error:
        result = {'changed': False, 'images': {}, 'attempts': 0, 'refused': str(error)}
    module.exit_json(**result)


if __name__ == '__main__':
    main()
