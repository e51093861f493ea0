#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Make safe what the nodes and the projects of a build have left, before it is read or published."""
from __future__ import annotations

DOCUMENTATION = r'''
module: sanitize_output
short_description: Make a build's output safe to read and to publish
description:
  - Runs on the executor, over one folder, and never looks out of it. Keeps plain files and folders; drops links, pipes,
    sockets, devices, hard links to files elsewhere, and what is beyond the limits. Renames what has a name that is none
    for a page or a terminal, gives everything an ordinary mode, and covers secrets with stars.
  - What it did is in the result, and in C(sanitize-output.json) in the folder.
  - It fails where it cannot do all that in time; nothing is to be published then.
options:
  root: {description: The folder., type: path, required: true}
  secrets: {description: Values to cover., type: list, elements: str, required: true}
  result_data: {description: File in which playbooks told Zuul of others. Empty for none., type: path, required: true}
  live: {description: Files right in it that Zuul still writes to., type: list, elements: str, required: true}
  products: {description: Folders in it where only I(secrets) are covered., type: list, elements: str, required: true}
  max_files: {description: Files and folders that are kept., type: int, required: true}
  max_bytes: {description: Bytes that are kept in all., type: int, required: true}
  max_file_bytes: {description: Bytes of one file., type: int, required: true}
  max_depth: {description: Folders that may lie in each other., type: int, required: true}
  timeout: {description: Seconds it may take., type: int, required: true}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Make it safe
  sanitize_output:
    root: "{{ zuul.executor.log_root }}"
    secrets: []
    result_data: "{{ zuul.executor.result_data_file }}"
    live: [job-output.txt, job-output.json]
    products: [artifacts, docs]
    max_files: 200000
    max_bytes: 8589934592
    max_file_bytes: 1073741824
    max_depth: 200
    timeout: 240
'''
RETURN = r'''
files: {description: Files that are kept., type: int, returned: success}
bytes: {description: Their size., type: int, returned: success}
counts:
  description: Files that were C(dropped), C(renamed), C(masked), or got another mode (C(modes)).
  type: dict
  returned: success
lines: {description: What was done to the first ones, for the log., type: list, elements: str, returned: success}
memory: {description: The most memory that was used, in bytes., type: int, returned: success}
'''

import json
import os
import resource
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.sanitize_output_files import TooLarge, TooLate, mask_file
from ansible.module_utils.sanitize_output_masks import SHORTEST, Masker
from ansible.module_utils.sanitize_output_told import told_values
from ansible.module_utils.sanitize_output_tree import (
    GONE,
    RESTLESS,
    Clock,
    Limits,
    Record,
    Refused,
    Tree,
    open_root,
    walk,
)

RECORD = 'sanitize-output.json'
KINDS = ('dropped', 'renamed', 'masked', 'modes')
_LINES = 20


def check(params: Dict[str, Any]) -> None:
    """Refuse what makes no sense.

    :raises Refused: with all reasons.
    """
    problems = ['sanitize_output_%s is %d: it must be at least 1' % (name, params[name])
                for name in ('max_files', 'max_bytes', 'max_file_bytes', 'max_depth', 'timeout') if params[name] < 1]
    if params['max_depth'] > 500:
        problems.append('sanitize_output_max_depth is %d: it must be at most 500' % params['max_depth'])
    problems += ["sanitize_output_%s has '%s': it must be a name in the folder, not a path" % (name, one)
                 for name in ('live', 'products') for one in params[name] if '/' in one or one in ('', '.', '..')]
    if problems:
        raise Refused('cannot continue, %d problem%s:\n%s' % (
            len(problems), 's' if len(problems) > 1 else '', '\n'.join('  - ' + line for line in problems)))


def sanitize(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: it cannot be done.
    :raises OSError: the disk has a say in it.
    """
    check(params)
    record, clock = Record(), Clock(params['timeout'])
    others, lacking = told_values(params['result_data']) if params['result_data'] else ([], '')
    root = open_root(params['root'])
    try:
        limits = Limits(params['max_files'], params['max_bytes'], params['max_file_bytes'], params['max_depth'])
        tree = Tree(root, limits, params['live'], clock, record)
        try:
            tree.tidy()
            masker = Masker([*params['secrets'], *others])
            mask(root, tree, masker, params, clock, record)
            changed = write(root, content(record), tree)
        finally:
            tree.close()
    except OSError as error:
        if error.errno in GONE:
            raise Refused(RESTLESS) from error
        raise
    finally:
        os.close(root)
    lines = told(record)
    if masker.too_short:
        lines.append('%d secrets have fewer than %d bytes and were not looked for'
                     % (masker.too_short, SHORTEST))
    if lacking:
        lines.append('sanitize_output_result_data was not read: %s' % lacking)
    return {'changed': changed or bool(record.counts), 'files': tree.files, 'bytes': tree.bytes,
            'counts': {kind: record.counts[kind] for kind in KINDS}, 'lines': lines,
            'memory': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def mask(root: int, tree: Tree, masker: Masker, params: Dict[str, Any], clock: Clock, record: Record) -> None:
    """Cover secrets in all files, those first that Zuul writes. What cannot be looked into is dropped."""
    def one(folder: int, name: str, path: str) -> None:
        places, why = 0, ''
        try:
            if clock.over():
                raise TooLate
            places = mask_file(folder, name, masker, clock.over, params['max_file_bytes'], tree.trash,
                               path.split('/')[0] in params['products'])
        except TooLarge as error:
            why = str(error)
        except TooLate:
            why = 'no time was left to look for secrets in it'
        if why:
            record.add('dropped', path=path, why=why)
            tree.remove(folder, name)
            tree.files -= 1
        elif places:
            record.add('masked', path=path, places=places)

    live = [name for name in params['live'] if os.path.lexists('/proc/self/fd/%d/%s' % (root, name))]
    for name in live:
        one(root, name, name)
    for folder, name, path, status in walk(root, skip=(*live, tree.trash_name)):
        if status.st_size:
            one(folder, name, path)


def content(record: Record) -> bytes:
    """Return what the record says, in JSON that is harmless in a page and on a terminal."""
    said = {kind: {'count': record.counts[kind], 'first': record.entries.get(kind, [])} for kind in KINDS[:-1]}
    said['modes'] = {'count': record.counts['modes']}
    text = json.dumps(said, indent=1, sort_keys=True)
    for char in '<>&':
        text = text.replace(char, '\\u%04x' % ord(char))
    return text.encode() + b'\n'


def write(root: int, data: bytes, tree: Tree) -> bool:
    """Write the record, in the place of whatever has its name. Return whether it is a new one."""
    try:
        with open(os.open(RECORD, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=root), 'rb') as old:
            if old.read(len(data) + 1) == data:
                return False
    except OSError:
        pass
    handle = os.open('record', os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=tree.trash)
    with open(handle, 'wb') as new:
        new.write(data)
        os.fchmod(handle, 0o644)
    try:
        os.replace('record', RECORD, src_dir_fd=tree.trash, dst_dir_fd=root)
    except IsADirectoryError:
        tree.remove(root, RECORD)
        os.replace('record', RECORD, src_dir_fd=tree.trash, dst_dir_fd=root)
    return True


def told(record: Record) -> List[str]:
    """Return what was done to the first files, for the log."""
    lines = ['%s: %s' % (entry['path'], entry['why']) for entry in record.entries.get('dropped', [])]
    lines += ['%s: renamed from %s' % (entry['path'], ascii(entry['was']))
              for entry in record.entries.get('renamed', [])]
    lines += ['%s: secrets covered in %d places' % (entry['path'], entry['places'])
              for entry in record.entries.get('masked', [])]
    more = sum(record.counts[kind] for kind in KINDS[:-1]) - len(lines[:_LINES])
    return lines[:_LINES] + (['%d more, see %s' % (more, RECORD)] if more else [])


def main() -> None:
    """Run as a module."""
    names: Dict[str, Any] = {'type': 'list', 'elements': 'str', 'required': True}
    number = {'type': 'int', 'required': True}
    module = AnsibleModule(argument_spec={
        'root': {'type': 'path', 'required': True}, 'secrets': {**names, 'no_log': True},
        'result_data': {'type': 'path', 'required': True}, 'live': names,
        'products': names, 'max_files': number, 'max_bytes': number, 'max_file_bytes': number, 'max_depth': number,
        'timeout': number})
    try:
        module.exit_json(**sanitize(module.params))
    except (Refused, OSError) as error:
        module.fail_json(msg='sanitize-output: %s' % error)


if __name__ == '__main__':
    main()
