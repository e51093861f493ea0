#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Make room for the release of a Python project, and look at what was built."""
from __future__ import annotations

DOCUMENTATION = r'''
module: build_python_release
short_description: Make room for a release of a Python project, and look at what was built
description:
  - Before a build, C(prepare) checks the wish, removes what earlier builds left in C(dist), and finds the date that the
    release has. After it, C(record) looks at the files, makes the archive of sources the same wherever it is built, and
    writes a bill of materials. Before an upload, C(look) tells what is there.
  - Nothing is followed that is a link, and of C(dist) only archives and wheels are removed.
options:
  action: {description: What to do., type: str, choices: [prepare, record, look], required: true}
  folder: {description: 'Folder of the project; of the files, for C(look).', type: path, required: true}
  expected: {description: Files of the report of C(record)., type: list, elements: dict, default: []}
  role: {description: The role that messages name., type: str, default: build-python-release}
  build_wheel: {description: Whether a wheel is wanted., type: bool, default: true}
  legacy_setup: {description: Whether setup.py is run., type: bool, default: false}
  release_python: {description: Python that runs setup.py., type: str, default: python}
  bdist_wheel_xargs: {description: Arguments for the build of the wheel., type: str, default: ''}
  check: {description: How strictly twine is going to look., type: str, default: errors}
  source_date_epoch: {description: 'Date of the release in seconds, or empty.', type: str, default: ''}
  sbom: {description: Folder of the bill of materials; empty for none., type: path, default: ''}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Make room
  build_python_release:
    action: prepare
    folder: /home/zuul/src/example.org/project
'''
RETURN = r'''
python: {description: Python that runs setup.py., type: str, returned: prepare}
arguments: {description: The words of bdist_wheel_xargs., type: list, elements: str, returned: prepare}
source_date_epoch: {description: Date of the release; empty when nobody knows., type: str, returned: always}
removed: {description: Names that were removed., type: list, elements: str, returned: prepare}
brought: {description: Sources and artifacts for roles that collect., type: dict, returned: record}
report: {description: 'Project, version, files and bill of materials.', type: dict, returned: record}
files: {description: What there is., type: list, elements: dict, returned: look}
'''

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.build_python_release_files import (
    FOLDER,
    SDIST,
    WHEEL,
    Unusable,
    is_built,
    look,
    metadata,
    open_folder,
    project,
    settle,
    shown,
)
from ansible.module_utils.build_python_release_sbom import document

_SECONDS = 60
CHECKS = ('strict', 'errors', 'none')
# Nothing before it can be told in a wheel, whose format is ZIP.
_FIRST_EPOCH = 315532800


class Refused(Exception):
    """The release cannot be made. The message has all reasons."""

    def __init__(self, problems: List[str]) -> None:
        super().__init__('cannot continue, %d problem%s:\n%s' % (
            len(problems), 's' if len(problems) > 1 else '', '\n'.join('  - ' + line for line in problems)))


def find_python(name: str) -> str:
    """Return the path of a Python; the usual name stands for Python 3 where only that is there. Empty for none."""
    return shutil.which(name) or (shutil.which('python3') if name == 'python' else None) or ''


def has_setuptools(python: str) -> bool:
    """Return whether setup.py can be run by a Python."""
    code = "import importlib.util as u; raise SystemExit(u.find_spec('setuptools') is None)"
    try:
        return subprocess.run([python, '-c', code], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False, timeout=_SECONDS).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def problems(params: Dict[str, Any]) -> List[str]:
    """Return what is wrong with a wish."""
    found, folder, epoch = [], params['folder'], params['source_date_epoch']
    needed = ('setup.py',) if params['legacy_setup'] else ('pyproject.toml', 'setup.py')
    if not os.path.isdir(folder):
        found.append("zuul_work_dir is '%s': there is no such folder on the node. Name the folder of the project."
                     % folder)
    elif not any(os.path.isfile(os.path.join(folder, name)) for name in needed):
        found.append("zuul_work_dir is '%s': it has no %s. Name the folder of a Python project%s."
                     % (folder, ' and no '.join(needed),
                        ', or leave legacy_setup unset' if params['legacy_setup'] else ''))
    if epoch and not (re.fullmatch('[0-9]{9,10}', epoch) and int(epoch) >= _FIRST_EPOCH):
        found.append("build_python_release_source_date_epoch is '%s': it is no number of seconds since 1970, of 1980 "
                     'or later. Leave it empty for the date of the commit.' % shown(epoch))
    if params['check'] not in CHECKS:
        found.append("build_python_release_check is '%s': it is none of %s. Write one of these."
                     % (shown(params['check']), ', '.join(CHECKS)))
    try:
        shlex.split(params['bdist_wheel_xargs'])
    except ValueError:
        found.append("bdist_wheel_xargs is '%s': a quotation is not closed, or the last character is a backslash. "
                     'Write it as for a shell.' % shown(params['bdist_wheel_xargs']))
    if params['legacy_setup']:
        python = find_python(params['release_python'])
        if not python:
            found.append("release_python is '%s': there is no such program on the node. Name a Python that is there, "
                         'or one that an earlier playbook installs.' % shown(params['release_python']))
        elif not has_setuptools(python):
            found.append("release_python is '%s': it has no setuptools, which setup.py needs. Install setuptools and "
                         'wheel for it, or leave legacy_setup unset.' % shown(params['release_python']))
    return found


def date_of_commit(folder: str) -> str:
    """Return when the checked out commit was made, in seconds; empty where there is none."""
    try:
        done = subprocess.run(['git', '-C', folder, 'log', '-1', '--no-show-signature', '--format=%ct'],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                              timeout=_SECONDS, env={**os.environ, 'LC_ALL': 'C', 'GIT_PAGER': 'cat'})
    except (OSError, subprocess.TimeoutExpired):
        return ''
    told = done.stdout.decode('ascii', 'replace').strip()
    return told if done.returncode == 0 and re.fullmatch('[0-9]{9,10}', told) and int(told) >= _FIRST_EPOCH else ''


def clean(folder: str) -> List[str]:
    """Remove archives and wheels of earlier builds, and return their names.

    :raises Unusable: the folder ``dist`` or one of them is something else.
    """
    path = os.path.join(folder, 'dist')
    if not os.path.lexists(path):
        return []
    opened = open_folder(path)
    try:
        names = sorted(filter(is_built, os.listdir(opened)))
        for name in names:
            if stat.S_ISDIR(os.stat(name, dir_fd=opened, follow_symlinks=False).st_mode):
                raise Unusable("'dist/%s' is a folder where a file would be built. Take it away" % shown(name))
        for name in names:
            os.unlink(name, dir_fd=opened)
        return [shown(name) for name in names]
    finally:
        os.close(opened)


def prepare(params: Dict[str, Any]) -> Dict[str, Any]:
    """Make room for a release.

    :raises Refused: it makes no sense, with all reasons.
    """
    found = problems(params)
    if found:
        raise Refused(found)
    try:
        removed = clean(params['folder'])
    except Unusable as error:
        raise Refused(['%s.' % error]) from error
    return {'changed': bool(removed), 'removed': removed,
            'python': find_python(params['release_python']) if params['legacy_setup'] else '',
            'arguments': shlex.split(params['bdist_wheel_xargs']),
            'source_date_epoch': params['source_date_epoch'] or date_of_commit(params['folder'])}


def write(folder: str, name: str, content: Dict[str, Any]) -> str:
    """Write a file of JSON in one step, and return its path."""
    os.makedirs(folder, mode=0o755, exist_ok=True)
    os.close(os.open(folder, FOLDER))
    path = os.path.join(folder, name)
    with tempfile.NamedTemporaryFile('w', encoding='utf-8', dir=folder, delete=False) as stream:
        json.dump(content, stream, indent=1, ensure_ascii=True)
        stream.write('\n')
    os.chmod(stream.name, 0o644)
    os.replace(stream.name, path)
    return path


def of_one(dist: str, files: List[Dict[str, Any]]) -> None:
    """Refuse files of several releases.

    :raises Refused: they are.
    """
    if len({(one['project'], one['version']) for one in files}) > 1:
        raise Refused(["'%s' has files of more than one project or version: %s. A release is one of each."
                       % (dist, ', '.join(one['name'] for one in files))])


def look_again(params: Dict[str, Any]) -> Dict[str, Any]:
    """Return what there is to upload.

    :raises Refused: that is nothing, or not what was built.
    """
    dist = params['folder']
    try:
        files = look(dist)
    except Unusable as error:
        raise Refused(['%s.' % error]) from error
    if not files:
        raise Refused(["'%s' has no sdist and no wheel. Build them first, or name the folder that has them." % dist])
    of_one(dist, files)
    expected = {one['name']: one['sha256'] for one in params['expected'] if os.path.dirname(one['path']) == dist}
    found = {one['name']: one['sha256'] for one in files}
    wrong = ["'%s' in '%s' %s. Look for what changed it after the build." % (
        name, dist, 'was not built by this job' if name not in expected else
        'is gone' if name not in found else 'is not what was built: its sha256 is %s instead of %s'
        % (found[name], expected[name])) for name in sorted({*expected, *found} if expected else {})
        if expected.get(name) != found.get(name)]
    if wrong:
        raise Refused(wrong)
    return {'changed': False, 'files': files}


def record(params: Dict[str, Any]) -> Dict[str, Any]:
    """Look at what was built.

    :raises Refused: it cannot be released.
    """
    dist, epoch = os.path.join(params['folder'], 'dist'), int(params['source_date_epoch'] or 0)
    try:
        files = look(dist)
        wanted = (SDIST, WHEEL) if params['build_wheel'] else (SDIST,)
        lacks = [kind for kind in wanted if kind not in [one['type'] for one in files]]
        if lacks:
            raise Refused(["'%s' has no %s: the build ended well, and did not make it. Look at what it printed."
                           % (dist, ' and no '.join({SDIST: 'sdist', WHEEL: 'wheel'}[kind] for kind in lacks))])
        of_one(dist, files)
        settled = [settle(one['path'], epoch) for one in files if one['name'].endswith('.tar.gz') and epoch]
        files = look(dist)
        about = metadata(next((one for one in files if one['type'] == WHEEL), files[0])['path'])
    except Unusable as error:
        raise Refused(['%s.' % error]) from error
    if project(str(about['Name'] or '').strip()) != files[0]['project']:
        raise Refused(["'%s' is of the project '%s' as its metadata says, and of '%s' as its name says."
                       % (files[0]['name'], shown(str(about['Name'])), files[0]['project'])])
    sbom = ''
    if params['sbom']:
        # The name of the last file has no characters that could lead elsewhere.
        sbom = write(params['sbom'], '%s-%s.cdx.json' % (files[0]['project'], files[0]['version']),
                     document(about, files, epoch))
    report = {'project': files[0]['project'], 'version': files[0]['version'], 'files': files, 'sbom': sbom,
              'source_date_epoch': params['source_date_epoch']}
    return {'changed': any(settled) or bool(sbom), 'source_date_epoch': params['source_date_epoch'], 'report': report,
            'brought': {'sources': [{'path': path} for path in [*(one['path'] for one in files), sbom] if path],
                        'artifacts': artifacts(report)}}


def artifacts(report: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Return what Zuul is told of a release, with addresses below the folder that it is published in. Pure."""
    shown_as = {SDIST: 'Python sdist', WHEEL: 'Python wheel'}
    wanted = [(shown_as[one['type']], one['name'], one['type']) for one in report['files']]
    if report['sbom']:
        wanted.append(('Bill of materials', os.path.basename(report['sbom']), 'sbom'))
    return [{'name': name, 'url': 'artifacts/' + file, 'metadata': {'type': kind, 'version': report['version']}}
            for name, file, kind in wanted]


ACTIONS = {'prepare': prepare, 'record': record, 'look': look_again}


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'action': {'type': 'str', 'choices': list(ACTIONS), 'required': True},
        'folder': {'type': 'path', 'required': True},
        'expected': {'type': 'list', 'elements': 'dict', 'default': []},
        'role': {'type': 'str', 'default': 'build-python-release'},
        'build_wheel': {'type': 'bool', 'default': True}, 'legacy_setup': {'type': 'bool', 'default': False},
        'release_python': {'type': 'str', 'default': 'python'}, 'bdist_wheel_xargs': {'type': 'str', 'default': ''},
        'check': {'type': 'str', 'default': 'errors'}, 'source_date_epoch': {'type': 'str', 'default': ''},
        'sbom': {'type': 'path', 'default': ''}})
    try:
        module.exit_json(**ACTIONS[module.params['action']](module.params))
    except (Refused, OSError) as error:
        module.fail_json(msg='%s: %s' % (module.params['role'], error))


if __name__ == '__main__':
    main()
