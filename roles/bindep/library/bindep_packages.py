#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ask bindep which packages a project lacks on this node."""
from __future__ import annotations

DOCUMENTATION = r"""
module: bindep_packages
short_description: Ask bindep which packages a project lacks
description:
  - Finds the project's list of packages and a bindep to read it with, and returns what is not installed.
  - Installs nothing.
options:
  command: {description: bindep to use; looked for when empty., type: str, default: ''}
  file: {description: List of packages; looked for when empty., type: str, default: ''}
  fallback: {description: List to use when the project has none., type: str, default: ''}
  directory: {description: The project's folder., type: path, required: true}
  profiles: {description: bindep profiles, separated by spaces., type: str, default: ''}
  must_be_satisfied: {description: Fail when something is missing., type: bool, default: false}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Ask what is missing
  bindep_packages:
    directory: src/example.org/project
    profiles: compile test
  register: wanted
"""
RETURN = r"""
file: {description: The list that was read; empty when the project has none., type: str, returned: success}
command: {description: The bindep that read it., type: str, returned: success}
needs_bindep: {description: There is a list but no bindep on the node., type: bool, returned: success}
missing: {description: Names of the packages that are not installed., type: list, elements: str, returned: success}
"""

import os
import re
import shlex
import shutil
from typing import Any, Callable, List, Tuple

LISTS = ('bindep.txt', 'other-requirements.txt')
PLACES = ('/usr/bindep-env/bin/bindep',)
_PACKAGE = re.compile(r'[A-Za-z0-9][A-Za-z0-9+._:@/~-]*')
#: bindep itself takes anything, and finds nothing for what no list can name
_PROFILE = re.compile(r'[A-Za-z0-9.:_][A-Za-z0-9.:_-]*')
Run = Callable[[List[str]], Tuple[int, str, str]]


class Refused(Exception):
    """The question has no answer; the text is for people."""


def find_list(directory: str, file: str, fallback: str, is_file: Callable[[str], bool] = os.path.isfile) -> str:
    """The list to read: the one asked for, the project's, the fallback; empty where there is none. Raises Refused."""
    if file:
        path = os.path.join(directory, file) if not os.path.isabs(file) and not is_file(file) else file
        if not is_file(path):
            raise Refused(f"bindep_file is '{file}': there is no such file on the node. "
                          'Name one that exists, or leave it unset to use the bindep.txt of the project.')
        return path
    for name in LISTS:
        path = os.path.join(directory, name)
        if is_file(path):
            return path
    if fallback and not is_file(fallback):
        raise Refused(f"bindep_fallback is '{fallback}': there is no such file on the node. "
                      'Name one that exists, or leave it unset.')
    return fallback


def find_command(command: str, which: Callable[[str], str | None] = shutil.which) -> str:
    """The bindep to call; empty where the node has none. One that was asked for must exist. Raises Refused."""
    if command:
        found = which(os.path.expanduser(command))
        if found is None:
            raise Refused(f"bindep_command is '{command}': there is no such program on the node. "
                          'Name one that exists, or leave it unset to have one provided.')
        return found
    for place in ('bindep', *PLACES):
        found = which(place)
        if found:
            return found
    return ''


def profiles_of(text: str) -> list[str]:
    """Split the profiles. Raises Refused for what bindep would take for an option or silently ignore."""
    try:
        profiles = shlex.split(text)
    except ValueError as error:
        raise Refused(f"bindep_profile is '{text}': {error}. Separate profiles by spaces.") from None
    wrong = [profile for profile in profiles if not _PROFILE.fullmatch(profile)]
    if wrong:
        raise Refused(f"bindep_profile is '{text}': '{wrong[0]}' is no profile. Separate names by spaces; they have "
                      "letters, figures, '.', ':', '_' and '-' only, and do not begin with '-'.")
    return profiles


def read_answer(code: int, out: str) -> list[str] | None:
    """The packages that ``bindep --brief`` named; None where its answer is something else than a list of packages."""
    lines = [line.strip() for line in out.splitlines() if line.strip()]
    if code == 0:
        return []
    if code == 1 and lines and all(_PACKAGE.fullmatch(line) for line in lines):
        return lines
    return None


def ask(params: dict[str, Any], run: Run) -> dict[str, Any]:
    """Return the task's result. Raises Refused with bindep's own words."""
    profiles = profiles_of(params['profiles'])
    file = find_list(params['directory'], params['file'], params['fallback'])
    result: dict[str, Any] = {'changed': False, 'file': file, 'command': '', 'needs_bindep': False, 'missing': []}
    # a command that was asked for is checked also where it would not be needed
    command = find_command(params['command']) if params['command'] or file else ''
    result['command'] = command
    if not file:
        return result
    if not command:
        result['needs_bindep'] = True
        return result
    code, out, err = run([command, '--brief', '--file', file, *profiles])
    missing = read_answer(code, out)
    if missing is None or (missing and params['must_be_satisfied']):
        code, out, err = run([command, '--file', file, *profiles])
        said = '\n'.join(text.strip() for text in (out, err) if text.strip())
        head = 'is not satisfied' if missing or code == 1 else 'cannot be read'
        raise Refused(f'{file} {head}; bindep says:\n{said or "nothing, exit code " + str(code)}')
    result['missing'] = missing
    return result


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'command': {'type': 'str', 'default': ''},
            'file': {'type': 'str', 'default': ''},
            'fallback': {'type': 'str', 'default': ''},
            'directory': {'type': 'path', 'required': True},
            'profiles': {'type': 'str', 'default': ''},
            'must_be_satisfied': {'type': 'bool', 'default': False},
        },
        supports_check_mode=True)

    def run(argv: list[str]) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', '120', 'env', 'LC_ALL=C.UTF-8', *argv])
    try:
        module.exit_json(**ask(module.params, run))
    except Refused as error:
        module.fail_json(msg=f'bindep: cannot continue, 1 problem:\n  - {error}')


if __name__ == '__main__':
    main()
