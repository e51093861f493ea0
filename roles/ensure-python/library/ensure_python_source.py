#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Add a repository of Debian packages to the node when it has what is wanted, or take it away again."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_python_source
short_description: Add a repository of packages, or take it away
description:
  - Writes a source in deb822 form with its key, and reads its lists. A repository whose signature is not that of the
    key, or that has not what is needed, is taken away again.
options:
  source: {description: The repository as the role takes it., type: dict, required: true}
  needed: {description: Packages that it must have., type: list, elements: str, default: []}
  packages: {description: Packages to look for., type: list, elements: str, default: []}
  state: {description: Whether it is to be there., type: str, choices: [present, absent], default: present}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Add the repository
  become: true
  ensure_python_source:
    source: {uris: "https://mirror.example.org/python/", suites: bookworm, signed_by: /etc/apt/keyrings/python.asc}
    needed: [python3.12]
    packages: [python3.12, python3.12-venv]
"""
RETURN = r"""
packages: {description: Those that it has., type: list, elements: str, returned: success}
"""

import glob
import os
import re
from typing import Callable, List, Tuple

from ansible.module_utils.ensure_python_request import Refused, Source, read_source, refusal

APT = '/etc/apt'
LISTS = '/var/lib/apt/lists'
FILE = 'sources.list.d/ensure-python.sources'
KEY = 'keyrings/ensure-python.asc'
Run = Callable[[List[str]], Tuple[int, str, str]]


def text_of(source: Source, key: str) -> str:
    """The source in apt's form; *key* is the path of its key."""
    # a suite that ends with a slash is the path of a repository that has no components
    flat = all(suite.endswith('/') for suite in source.suites)
    lines = ['Types: deb', f"URIs: {' '.join(source.uris)}", f"Suites: {' '.join(source.suites)}",
             '' if flat else f"Components: {' '.join(source.components)}", f'Signed-By: {key}']
    return ''.join(f'{line}\n' for line in lines if line)


def write(path: str, text: str) -> bool:
    """Have a file with this text that everyone may read; return whether it changed."""
    try:
        with open(path, encoding='utf-8') as stream:
            if stream.read() == text:
                return False
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    # by another name first: apt ignores it, and nobody sees half a file
    with open(f'{path}.new', 'w', encoding='utf-8') as stream:
        os.fchmod(stream.fileno(), 0o644)
        stream.write(text)
    os.replace(f'{path}.new', path)
    return True


def lists_name(uri: str) -> str:
    """What the names of apt's lists of a repository begin with."""
    scheme, _, rest = uri.partition(':')
    place = '/' + rest.lstrip('/') if scheme == 'file' else rest.lstrip('/')
    quoted = re.sub(r'[\\|{}\[\]<>"^~_=!@#$%&*]', lambda one: f'%{ord(one.group()):02x}', place.rstrip('/'))
    return quoted.replace('/', '_')


def remove(source: Source, apt: str = APT, lists: str = LISTS) -> bool:
    """Take away the repository, its key and its lists; return whether there was any."""
    files = [os.path.join(apt, FILE), os.path.join(apt, KEY)]
    for uri in source.uris:
        for folder in (lists, os.path.join(lists, 'partial')):
            files += glob.glob(os.path.join(glob.escape(folder), glob.escape(lists_name(uri)) + '_*'))
    there = [path for path in files if os.path.lexists(path)]
    for path in there:
        os.unlink(path)
    return bool(there)


def offered(policy: str) -> list[str]:
    """Read ``apt-cache policy``: the packages that can be installed."""
    found = re.findall(r'^(\S+):\n(?:  .*\n)*?  Candidate: (\S+)$', policy, re.MULTILINE)
    return [name for name, candidate in found if candidate != '(none)']


def add(source: Source, needed: list[str], packages: list[str], run: Run, apt: str = APT) -> tuple[bool, list[str]]:
    """Add the repository and read its lists; return whether anything changed, and which of *packages* there are.

    :raises Refused: apt cannot use it, or it has not all that is *needed*; nothing of it is left then.
    """
    key = source.key_file or os.path.join(apt, KEY)
    path = os.path.join(apt, FILE)
    changed = bool(source.key) and write(key, source.key)
    changed = write(path, text_of(source, key)) or changed
    # this one alone: another that fails is none of our business
    code, out, err = run(['apt-get', 'update', '-o', f'Dir::Etc::SourceList={path}',
                          '-o', 'Dir::Etc::SourceParts=/dev/null', '-o', 'APT::Get::List-Cleanup=0',
                          '-o', 'APT::Update::Error-Mode=any', '-o', 'DPkg::Lock::Timeout=120',
                          '-o', 'Acquire::Retries=3'])
    said = '\n    '.join(line for line in (err + out).splitlines() if line.startswith(('E:', 'W:')))
    if code != 0 or re.search(r'^\s*[EW]:.*(?:Failed to fetch|GPG error|not signed|signature)', said, re.MULTILINE):
        raise Refused(f"ensure_python_source: apt cannot use {' '.join(source.uris)} {' '.join(source.suites)}: "
                      f'{said or f"apt-get update ended with {code}"}')
    has = offered(run(['apt-cache', 'policy', *packages])[1])
    absent = [name for name in needed if name not in has]
    if absent:
        raise Refused(f"ensure_python_source: {' '.join(source.uris)} {' '.join(source.suites)} has no "
                      f"{' '.join(absent)}. Use another version or source.")
    os.utime(path)    # newer than the lists, so that who installs reads those of the other sources too
    return changed, [name for name in packages if name in has]


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'source': {'type': 'dict', 'required': True},
            'needed': {'type': 'list', 'elements': 'str', 'default': []},
            'packages': {'type': 'list', 'elements': 'str', 'default': []},
            'state': {'type': 'str', 'choices': ['present', 'absent'], 'default': 'present'},
        },
        supports_check_mode=True)
    params = module.params

    def run(argv: list[str]) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', '300', 'env', 'LC_ALL=C', *argv])
    try:
        source = read_source(params['source'])
    except Refused as error:
        module.fail_json(msg=refusal(error.problems))
    if source is None or module.check_mode:
        module.exit_json(changed=source is not None, packages=params['packages'])
    if params['state'] == 'absent':
        module.exit_json(changed=remove(source), packages=[])
    try:
        changed, packages = add(source, params['needed'], params['packages'], run)
    except Refused as error:
        remove(source)
        module.fail_json(msg=refusal(error.problems))
    module.exit_json(changed=changed, packages=packages)


if __name__ == '__main__':
    main()
