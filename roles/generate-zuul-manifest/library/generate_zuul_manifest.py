#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Write the list of a build's files that Zuul's page reads, and pages of its folders."""
from __future__ import annotations

DOCUMENTATION = r'''
module: generate_zuul_manifest
short_description: List the files of a build for Zuul's page
description:
  - Writes a JSON file that lists a folder, and, if asked, C(index.html) into each folder that has none. Runs on the
    executor, follows no link, and never looks out of the folder.
  - What could not be listed or written is told, and fails nothing.
options:
  root: {description: The folder., type: path, required: true}
  output: {description: The JSON file., type: path, required: true}
  index_links: {description: Whether links to folders lead to their C(index.html)., type: bool, required: true}
  index_pages: {description: Whether to write these., type: bool, required: true}
  max_entries: {description: Files and folders that are listed., type: int, required: true}
  timeout: {description: Seconds it may take., type: int, required: true}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: List the files
  generate_zuul_manifest:
    root: "{{ zuul.executor.log_root }}"
    output: "{{ zuul.executor.log_root }}/zuul-manifest.json"
    index_links: false
    index_pages: false
    max_entries: 100000
    timeout: 60
'''
RETURN = r'''
written: {description: Whether the list is there., type: bool, returned: success}
files: {description: Files that are listed., type: int, returned: success}
lines: {description: What is not as it should be., type: list, elements: str, returned: success}
'''

import json
import os
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.generate_zuul_manifest_tree import OPEN_FOLDER, Listing, TooLate, write


class Refused(Exception):
    """It cannot be done. The message says why and what to do."""


def check(params: Dict[str, Any]) -> None:
    """Refuse what makes no sense.

    :raises Refused: with all reasons.
    """
    problems = ['generate_zuul_manifest_%s is %d: it must be at least 1' % (name, params[name])
                for name in ('max_entries', 'timeout') if params[name] < 1]
    for name, path in (('root', params['root']), ('output', os.path.dirname(params['output']))):
        try:
            os.close(os.open(path or '.', OPEN_FOLDER))
        except OSError as error:
            problems.append("generate_zuul_manifest_%s is '%s': %s. It must be %sa folder, and no link" % (
                name, params[name], error.strerror, 'in ' if name == 'output' else ''))
    if os.path.basename(params['output']) in ('', '.', '..'):
        problems.append("generate_zuul_manifest_output is '%s': it must be the path of a file" % params['output'])
    if problems:
        raise Refused('cannot continue, %d problem%s:\n%s' % (
            len(problems), 's' if len(problems) > 1 else '', '\n'.join('  - ' + line for line in problems)))


def content(manifest: Dict[str, Any]) -> bytes:
    """Return the list in JSON that is harmless in a page, too."""
    text = json.dumps(manifest, sort_keys=True)
    for char in '<>&':
        text = text.replace(char, '\\u%04x' % ord(char))
    return text.encode() + b'\n'


def generate(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: it cannot be done.
    """
    check(params)
    where, name = os.path.split(params['output'])
    root, target = os.open(params['root'], OPEN_FOLDER), os.open(where or '.', OPEN_FOLDER)
    listing = Listing(params['index_pages'], name if os.path.sameopenfile(root, target) else '', params['max_entries'],
                      params['timeout'])
    written = changed = False
    try:
        manifest: Dict[str, Any] = {'tree': listing.tree(root)}
        if params['index_links'] or params['index_pages']:
            manifest['index_links'] = True
        changed = write(target, name, content(manifest))
        written = True
    except TooLate:
        listing.lines.append('no list: not done in time (generate_zuul_manifest_timeout)')
    except OSError as error:
        listing.lines.append('no list: %s' % error.strerror)
    finally:
        os.close(root)
        os.close(target)
    return {'changed': changed or listing.changed, 'written': written, 'files': listing.files, 'lines': listing.lines}


def main() -> None:
    """Run as a module."""
    path, flag, number = ({'type': kind, 'required': True} for kind in ('path', 'bool', 'int'))
    module = AnsibleModule(argument_spec={'root': path, 'output': path, 'index_links': flag, 'index_pages': flag,
                                          'max_entries': number, 'timeout': number})
    try:
        module.exit_json(**generate(module.params))
    except Refused as error:
        module.fail_json(msg='generate-zuul-manifest: %s' % error)


if __name__ == '__main__':
    main()
