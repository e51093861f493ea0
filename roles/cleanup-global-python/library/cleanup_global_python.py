#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Find, and on request remove, Python tools that pip put among the system's own."""
from __future__ import annotations

DOCUMENTATION = r'''
module: cleanup_global_python
short_description: Find and remove Python tools that pip put among the system's own
description:
  - Looks for projects in the folders of the system's Python. Those that a package of the system owns are told and left
    alone. The others are removed when asked, by the record that pip has left of their files.
  - All is checked before anything is removed. The record goes last, so that a run that was killed is finished by the
    next one.
options:
  names: {description: Projects to look for., type: list, elements: str, required: true}
  remove: {description: Whether to remove them., type: bool, default: false}
  root: {description: Where the root of the system lies., type: str, default: /}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: See what a global pip has left
  cleanup_global_python:
    names: [pip, tox]
'''
RETURN = r'''
ansible_facts:
  description: >-
    C(cleanup_global_python_report), a dict. Its members C(found), C(packaged) and C(relying) are lists of projects with
    C(name), C(version), C(path) and C(commands); C(relying) also has C(needs). C(removed) is a list of paths.
  type: dict
  returned: success
'''

import os
import re
import shutil
import stat
import subprocess
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set

from ansible.module_utils.basic import AnsibleModule

NAME = re.compile(r'[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z')
PYTHON = re.compile(r'python3(?:\.[0-9]+)?\Z')
SITE = re.compile(r'/lib(?:64)?/python3[^/]*/[a-z]+-packages\Z')
INFO = ('.dist-info', '.egg-info')
LIMIT = 16 << 20


class Refused(Exception):
    """It cannot be done; nothing was changed."""


class Project:
    """An installed Python project.

    :ivar site: the folder that Python imports it from.
    :ivar info: the path of its metadata.
    """

    def __init__(self, site: str, info: str) -> None:
        stem = os.path.basename(info)
        stem = stem[:stem.rindex('.')]
        self.site, self.info = site, info
        self.name, _, rest = stem.partition('-')
        self.name, self.version = normal(self.name), rest.split('-')[0]
        self.files = self._files()

    def _files(self) -> Optional[List[str]]:
        """Return the paths of its record; None where pip has left none."""
        text = read(os.path.join(self.info, 'RECORD'))
        if text is None:
            return None
        names = (line.rsplit(',', 2)[0].strip('"') for line in text.splitlines() if line.count(',') >= 2)
        return sorted({os.path.normpath(os.path.join(self.site, name)) for name in names})

    def commands(self) -> List[str]:
        """Return the paths of its commands."""
        return [path for path in self.files or [] if os.path.basename(os.path.dirname(path)) in ('bin', 'sbin')]

    def needs(self) -> Set[str]:
        """Return the projects that it cannot do without."""
        text = read(os.path.join(self.info, 'METADATA')) or ''
        found = re.findall(r'^Requires-Dist:[ \t]*([A-Za-z0-9._-]+)([^\n]*)$', text.split('\n\n')[0], re.M)
        return {normal(name) for name, rest in found if 'extra' not in rest}

    def told(self) -> Dict[str, Any]:
        """Return what is said of it."""
        return {'name': self.name, 'version': self.version, 'path': self.info, 'commands': self.commands()}


def normal(name: str) -> str:
    """Return the one spelling of a project's name."""
    return re.sub(r'[-_.]+', '-', name).lower()


def read(path: str) -> Optional[str]:
    """Return the text of a regular file of sensible length, else None."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with open(handle, 'rb') as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        data = file.read(LIMIT + 1)
    return data.decode('utf-8', 'replace') if len(data) <= LIMIT else None


def straight(path: str, base: str) -> bool:
    """Whether there is no link on the way from *base* to *path*."""
    return os.path.realpath(path) == os.path.normpath(os.path.join(os.path.realpath(base), os.path.relpath(path, base)))


def sites(root: str) -> Iterator[str]:
    """Yield the folders that the system's Pythons import from."""
    for base in ('usr/local/lib', 'usr/local/lib64', 'usr/lib', 'usr/lib64'):
        where = os.path.join(root, base)
        if os.path.islink(where) or not os.path.isdir(where):
            continue
        for python in sorted(filter(PYTHON.match, os.listdir(where))):
            for kind in ('dist-packages', 'site-packages'):
                site = os.path.join(where, python, kind)
                if os.path.isdir(site) and straight(site, where):
                    yield site


def projects(root: str) -> List[Project]:
    """Return all projects of the system's Pythons."""
    return [Project(site, os.path.join(site, name)) for site in sites(root) for name in sorted(os.listdir(site))
            if name.endswith(INFO) and '-' in name]


def owned_files(root: str) -> Set[str]:
    """Return the paths that the system's packages own.

    :raises Refused: that cannot be known.
    """
    folder = os.path.join(root, 'var/lib/dpkg/info')
    owned: Set[str] = set()
    if os.path.isdir(folder):
        for name in os.listdir(folder):
            if name.endswith('.list'):
                owned.update((read(os.path.join(folder, name)) or '').splitlines())
    if shutil.which('rpm'):
        done = subprocess.run(['rpm', '-qal'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
        if done.returncode:
            raise Refused('cleanup-global-python: cannot tell what packages own: rpm -qal: exit code %d: %s'
                          % (done.returncode, done.stderr.decode('utf-8', 'replace').strip()[-200:]))
        owned.update(done.stdout.decode('utf-8', 'replace').splitlines())
    if not owned:
        raise Refused('cleanup-global-python: cannot tell what packages own: there is neither a database of dpkg nor '
                      'rpm. It works on Debian, Red Hat and their relatives.')
    return owned


def below(path: str, root: str) -> str:
    """Return *path* as the system in *root* calls it."""
    return '/' + os.path.relpath(path, root)


def trespasses(project: Project, root: str, owned: Set[str]) -> Iterator[str]:
    """Tell what forbids to remove a project."""
    what = '%s %s in %s' % (project.name, project.version, project.site)
    if project.files is None:
        yield '%s has no RECORD: pip did not put it there, or an old one. Remove it by hand.' % what
        return
    prefix = SITE.sub('', project.site)
    allowed = [project.site, *(os.path.join(prefix, name) for name in ('bin', 'sbin', 'share', 'man', 'include'))]
    for path in project.files:
        if not any(path.startswith(folder + '/') for folder in allowed):
            yield '%s claims %s: not a place of its own. Remove it by hand.' % (what, ascii(path))
        elif below(path, root) in owned:
            yield '%s claims %s: a package of the system owns that. Remove it by hand.' % (what, ascii(path))
        elif not straight(os.path.dirname(path), project.site if path.startswith(project.site + '/') else prefix):
            yield '%s claims %s: a link is on the way there. Remove it by hand.' % (what, ascii(path))


def compiled(path: str) -> List[str]:
    """Return what Python made of a source file."""
    folder, name = os.path.split(path)
    cache = os.path.join(folder, '__pycache__')
    if not name.endswith('.py') or os.path.islink(cache) or not os.path.isdir(cache):
        return []
    return [os.path.join(cache, file) for file in os.listdir(cache)
            if file.startswith(name[:-2]) and file.endswith('.pyc')]


def delete(project: Project) -> List[str]:
    """Remove a project's files, its record last, and the folders that are empty then. Return what was removed."""
    files = project.files or []
    record = os.path.join(project.info, 'RECORD')
    removed, folders = [], {project.info}
    made = [name for source in files for name in compiled(source)]
    for path in [*(name for name in files if name != record), *made, record]:
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue
        removed.append(path)
        folder = os.path.dirname(path)
        while folder.startswith(project.site + '/'):
            folders.add(folder)
            folder = os.path.dirname(folder)
    for folder in sorted(folders, key=len, reverse=True):
        if os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)
    return removed


def refuse(names: Sequence[str]) -> None:
    """Raise what is wrong with the input."""
    problems = ['cleanup_global_python_names has %s: it is no name of a Python project. Write e.g. tox.' % ascii(name)
                for name in names if not NAME.match(name)]
    if not names:
        problems = ['cleanup_global_python_names is []: nothing would be looked for. Write e.g. [pip, tox].']
    if problems:
        raise Refused('cleanup-global-python: cannot continue, %d problem%s:\n' % (
            len(problems), 's' * (len(problems) > 1)) + '\n'.join('  - ' + line for line in problems))


def cleanup(names: Sequence[str], remove: bool, root: str = '/', dry: bool = False) -> Dict[str, Any]:
    """Do the module's work and return the report.

    :raises Refused: it cannot be done; nothing was changed.
    """
    refuse(names)
    root = root.rstrip('/') or '/'
    wanted = {normal(name) for name in names}
    owned = owned_files(root)
    everything = projects(root)
    packaged = [project for project in everything if below(project.info, root) in owned]
    others = [project for project in everything if project not in packaged]
    found = [project for project in others if project.name in wanted]
    gone = {project.name for project in found}
    relying = [project for project in others if project not in found and project.needs() & gone]
    report: Dict[str, Any] = {
        'found': [project.told() for project in found],
        'packaged': [project.told() for project in packaged if project.name in wanted],
        'relying': [dict(project.told(), needs=sorted(project.needs() & gone)) for project in relying],
        'removed': [],
    }
    if not remove:
        return report
    problems = ['%s %s in %s needs %s. Add %s to cleanup_global_python_names, or install it into a venv first.' % (
        project.name, project.version, project.site, ', '.join(sorted(project.needs() & gone)), project.name)
        for project in relying]
    for project in found:
        problems.extend(trespasses(project, root, owned))
    if problems:
        raise Refused('cleanup-global-python: nothing was removed, %d problem%s:\n' % (
            len(problems), 's' * (len(problems) > 1)) + '\n'.join('  - ' + line for line in problems))
    for project in found:
        report['removed'].extend(project.files if dry else delete(project))
    return report


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'names': {'type': 'list', 'elements': 'str', 'required': True},
        'remove': {'type': 'bool', 'default': False},
        'root': {'type': 'str', 'default': '/'},
    })
    try:
        report = cleanup(module.params['names'], module.params['remove'], module.params['root'], module.check_mode)
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(report['removed']), ansible_facts={'cleanup_global_python_report': report})


if __name__ == '__main__':
    main()
