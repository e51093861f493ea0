#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Pack the HTML pages that Sphinx made, and say what else there may be of its documentation."""
from __future__ import annotations

DOCUMENTATION = r'''
module: fetch_sphinx_tarball
short_description: Pack the HTML pages that Sphinx made
description:
  - Packs the folder C(html) so that the same pages make the same archive. Links, devices and pipes are left out.
options:
  build: {description: The folder with C(html) and C(pdf)., type: str, required: true}
  pdf_files: {description: Names of PDF files., type: list, elements: str, default: []}
  dest: {description: The archive., type: path, required: true}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Pack the pages
  fetch_sphinx_tarball:
    build: /home/zuul/src/example.com/project/doc/build
    dest: /home/zuul/docs-html.tar.bz2
'''
RETURN = r'''
files: {description: Number of files in the archive., type: int, returned: success}
sources: {description: What is to be collected., type: list, elements: dict, returned: success}
artifacts: {description: What a build has to show then., type: list, elements: dict, returned: success}
problems: {description: What was not packed and why., type: list, elements: str, returned: success}
ansible_facts:
  description: C(fetch_sphinx_tarball_archive_problems), the same as C(problems).
  type: dict
  returned: success
'''

import filecmp
import os
import stat
import tarfile
import tempfile
from typing import Any, Dict, List, Mapping, Tuple

from ansible.module_utils.basic import AnsibleModule


def pages(folder: str, problems: List[str]) -> List[str]:
    """Return the paths of folders and files below *folder*, in their order, without following links."""
    found = []
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not os.path.islink(os.path.join(here, name)))
        links = [name for name in os.listdir(here) if os.path.islink(os.path.join(here, name))]
        problems += ['%s: a link, left out' % os.path.join(here, name) for name in sorted(links)]
        found += [os.path.join(here, name) for name in folders]
        for name in sorted(set(names) - set(links)):
            path = os.path.join(here, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                found.append(path)
            else:
                problems.append('%s: no file, left out' % path)
    return [os.path.relpath(path, folder) for path in found]


def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Make a member that does not say who made it."""
    member.uid = member.gid = 0
    member.uname = member.gname = ''
    member.mode = 0o755 if member.isdir() else 0o644
    if member.isdir():
        member.mtime = 0
    return member


def pack(folder: str, dest: str, problems: List[str]) -> Tuple[bool, int]:
    """Pack a folder. Return whether the archive is a new one, and the number of files in it.

    :raises OSError: the archive cannot be written.
    """
    os.makedirs(os.path.dirname(dest), exist_ok=True)
    handle, new = tempfile.mkstemp(prefix='.new-', dir=os.path.dirname(dest))
    count = 0
    try:
        with open(handle, 'wb') as out, tarfile.open(fileobj=out, mode='w:bz2', format=tarfile.PAX_FORMAT) as archive:
            for path in pages(folder, problems):
                try:
                    archive.add(os.path.join(folder, path), path, recursive=False, filter=plain)
                    count += os.path.isfile(os.path.join(folder, path))
                except PermissionError as error:
                    problems.append('%s: %s' % (os.path.join(folder, path), error.strerror))
        if os.path.isfile(dest) and filecmp.cmp(new, dest, shallow=False):
            return False, count
        os.chmod(new, 0o644)
        os.replace(new, dest)
        return True, count
    finally:
        if os.path.lexists(new):
            os.unlink(new)


def collect(params: Mapping[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result."""
    build, dest = params['build'], params['dest']
    # as stage-output has it
    html = os.path.join(os.path.expanduser('~'), os.path.expanduser(build), 'html')
    problems: List[str] = []
    changed, files = False, 0
    sources = [{'path': os.path.join(build, 'html'), 'name': 'docs'}]
    artifacts = [{'source': sources[0]['path'], 'name': 'Docs preview site', 'url': 'docs/', 'type': 'docs_site'}]
    if os.path.isdir(html):
        try:
            changed, files = pack(html, dest, problems)
        except OSError as error:
            problems.append('%s: %s' % (dest, error.strerror or error))
        if files:
            sources.append({'path': dest, 'name': os.path.basename(dest)})
            artifacts.insert(0, {'source': dest, 'name': 'Docs archive', 'url': os.path.basename(dest),
                                 'type': 'docs_archive'})
    for name in params['pdf_files']:
        path = os.path.join(build, 'pdf', name)
        sources.append({'path': path, 'name': 'pdf/' + name})
        artifacts.append({'source': path, 'name': 'Docs PDF', 'url': 'pdf/' + name, 'type': 'docs_pdf'})
    return {'changed': changed, 'files': files, 'sources': sources, 'artifacts': artifacts, 'problems': problems}


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'build': {'type': 'str', 'required': True},
        'pdf_files': {'type': 'list', 'elements': 'str', 'default': []},
        'dest': {'type': 'path', 'required': True},
    })
    result = collect(module.params)
    module.exit_json(ansible_facts={'fetch_sphinx_tarball_archive_problems': result['problems']}, **result)


if __name__ == '__main__':
    main()
