#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Find out which packages a project lacks on this node."""
from __future__ import annotations

DOCUMENTATION = r"""
module: bindep_packages
short_description: Find out which packages a project lacks
description:
  - Finds the project's list of packages, and returns what is not installed. Installs nothing.
  - Reads a plain list itself, as bindep would; everything else, or all when a command is given, is left to bindep.
options:
  command: {description: bindep to use; looked for when empty., type: str, default: ''}
  file: {description: List of packages; looked for when empty., type: str, default: ''}
  fallback: {description: List to use when the project has none., type: str, default: ''}
  directory: {description: The project's folder., type: str, required: true}
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
command: {description: The bindep that read it; empty when none was needed., type: str, returned: success}
needs_bindep: {description: There is a list that only bindep can read and no bindep., type: bool, returned: success}
missing: {description: Names of the packages that are not installed., type: list, elements: str, returned: success}
"""

import os
import re
import shlex
import shutil
from typing import Any, Callable, List, Tuple

from ansible.module_utils import bindep_list

LISTS = ('bindep.txt', 'other-requirements.txt')
PLACES = ('/usr/bindep-env/bin/bindep',)
#: bindep itself takes anything, and finds nothing for what no list can name
_PROFILE = re.compile(r'[A-Za-z0-9.:_][A-Za-z0-9.:_-]*')
_ANSWER = re.compile(r'(?:Missing packages:\n +(?P<missing>.+)\n?)?'
                     r'(?P<bad>Bad versions of installed packages:\n(?: +.+\n?)+)?')
Run = Callable[[List[str]], Tuple[int, str, str]]


class Refused(Exception):
    """The question has no answer; the text is for people."""


def find_list(directory: str, file: str, fallback: str) -> str:
    """The list to read: the one asked for, the project's, the fallback; empty where there is none. Raises Refused."""
    if file:
        path = file if os.path.isabs(file) or os.path.isfile(file) else os.path.join(directory, file)
        if not os.path.isfile(path):
            raise Refused(f"bindep_file is '{file}': there is no such file on the node. "
                          'Name one that exists, or leave it unset to use the bindep.txt of the project.')
        return path
    if fallback and not os.path.isfile(fallback):
        raise Refused(f"bindep_fallback is '{fallback}': there is no such file on the node. "
                      'Name one that exists, or leave it unset.')
    if not os.path.isdir(directory):
        raise Refused(f"bindep_dir is '{directory}': there is no such folder on the node. "
                      'Name the folder of a project that is there, or a list with bindep_file.')
    for name in LISTS:
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            return path
        if os.path.lexists(path):
            raise Refused(f'{path} is {"a link to nothing" if os.path.islink(path) else "not a file"}. '
                          'Mend it, or name another list with bindep_file.')
    return fallback


def find_command(command: str, which: Callable[[str], str | None] = shutil.which) -> str:
    """The bindep to call; empty where the node has none. One that was asked for must exist. Raises Refused."""
    if command:
        found = which(os.path.expanduser(command))
        if found is None:
            raise Refused(f"bindep_command is '{command}': there is no such program on the node. "
                          'Name one that exists, or leave it unset to have one provided.')
        return found
    return next((found for found in map(which, ('bindep', *PLACES)) if found), '')


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


def read(path: str) -> bytes:
    """The list as it lies there. Raises Refused."""
    try:
        with open(path, 'rb') as stream:
            return stream.read()
    except OSError as error:
        raise Refused(f'{path} cannot be read: {error.strerror}') from error


def plain(data: bytes, profiles: list[str]) -> list[str] | None:
    """The packages of a list that bindep is not needed for, else None."""
    try:
        with open('/etc/os-release', encoding='utf-8') as stream:
            return bindep_list.wanted(data.decode(), profiles, stream.read())
    except (OSError, UnicodeDecodeError):
        return None


def installed(run: Run) -> set[str]:
    """What dpkg has, and what that provides; nothing where there is no dpkg."""
    if shutil.which('dpkg-query') is None:
        return set()
    code, out, err = run(['dpkg-query', '--show', '--showformat', '${Package}\t${db:Status-Status}\t${Provides}\n'])
    if code != 0:
        raise Refused(f'dpkg-query cannot say what is installed: {err.strip() or out.strip()}')
    return bindep_list.installed(out)


def answer_of(code: int, out: str) -> tuple[list[str], bool] | None:
    """Read bindep: (missing packages, whether others have a bad version); None where it said something else."""
    match = _ANSWER.fullmatch(out)
    if code not in (0, 1) or match is None or (code == 1) != bool(out.strip()):
        return None
    return (match['missing'] or '').split(), bool(match['bad'])


def words_of(out: str, err: str, code: int) -> str:
    """What bindep said; of a traceback the last line."""
    said = '\n'.join(text.strip() for text in (out, err) if text.strip())
    if 'Traceback (most recent call last)' in said:
        return said.splitlines()[-1]
    return said or f'nothing, exit code {code}'


def ask(params: dict[str, Any], run: Run) -> dict[str, Any]:
    """Return the task's result. Raises Refused with bindep's own words."""
    profiles = profiles_of(params['profiles'])
    file = find_list(os.path.expanduser(params['directory']), os.path.expanduser(params['file']),
                     os.path.expanduser(params['fallback']))
    # a command that was asked for is checked also where it would not be needed
    command = find_command(params['command']) if params['command'] else ''
    result: dict[str, Any] = {'changed': False, 'file': file, 'command': command, 'needs_bindep': False, 'missing': []}
    if not file:
        return result
    wanted = None if command else plain(read(file), profiles)
    if wanted is None:
        command = result['command'] = command or find_command('')
        if not command:
            return {**result, 'needs_bindep': True}
        code, out, err = run([command, f'--file={file}', *profiles])
        answer = answer_of(code, out)
        if answer is None or answer[1]:
            head = 'cannot be read' if answer is None else 'is not satisfied'
            raise Refused(f'{file} {head}; bindep says:\n{words_of(out, err, code)}')
        wanted = answer[0]
    if wanted:
        have = installed(run)
        result['missing'] = [name for name in wanted if name not in have]
    if result['missing'] and params['must_be_satisfied']:
        raise Refused(f"{file} is not satisfied; these packages are still missing: {' '.join(result['missing'])}")
    return result


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'command': {'type': 'str', 'default': ''},
            'file': {'type': 'str', 'default': ''},
            'fallback': {'type': 'str', 'default': ''},
            'directory': {'type': 'str', 'required': True},
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
