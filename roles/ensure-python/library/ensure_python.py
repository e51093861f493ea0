#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Look for versions of Python on the node, and for what would bring those that it lacks."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_python
short_description: Look for versions of Python
description:
  - Tells where C(python<version>) is, and for what is not there whether packages, stow or pyenv bring it. Installs
    nothing; refuses what cannot be had.
options:
  version: {description: A version, several in a text, or a list; empty asks for none., type: raw, default: ''}
  is_number: {description: The version was written as a number., type: bool, default: false}
  use_pyenv: {description: Python comes from pyenv., type: bool, default: false}
  use_stow: {description: Python comes from I(stow_dir)., type: bool, default: false}
  stow_dir: {description: Folder with one folder C(python-<release>) a Python., type: path, default: /usr/local/stow}
  pyenv_root: {description: Where pyenv is when it is not on PATH., type: path, default: ~/.pyenv}
  source: {description: A repository of packages to use when the distribution has none., type: dict, default: {}}
  packages:
    description: Templates of package names; keys C(needed), C(more) and C(free_threaded).
    type: dict
    default: {}
  suffixes: {description: Versions and how package names spell them., type: dict, default: {}}
  family: {description: Ansible's name of the OS family., type: str, required: true}
  complaint: {description: Why packages could not be installed., type: str, default: ''}
  final: {description: Refuse what is not there now., type: bool, default: false}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Look for Python 3.11
  ensure_python:
    version: "3.11"
    family: "{{ ansible_facts.os_family }}"
  register: found
"""
RETURN = r"""
executables: {description: Version as it was asked for and the path of its Python., type: dict, returned: success}
packages: {description: Packages of the distribution to install., type: list, elements: str, returned: success}
certain: {description: Whether the distribution is known to have these., type: bool, returned: success}
source_packages: {description: Packages that the source should have., type: list, elements: str, returned: success}
source_needed: {description: Those of them that it must have., type: list, elements: str, returned: success}
stow: {description: Folders for stow to link., type: list, elements: str, returned: success}
has_stow: {description: Whether the program is there., type: bool, returned: success}
pyenv: {description: Versions for pyenv to install., type: list, elements: str, returned: success}
pyenv_root: {description: Folder of pyenv., type: str, returned: success}
pyenv_as_root: {description: Whether only root may write there., type: bool, returned: success}
links: {description: Links to make so that Pythons of pyenv are found., type: dict, returned: success}
"""

import glob
import os
import re
import shutil
from typing import Any, Callable, List, Tuple

from ansible.module_utils.ensure_python_request import Refused, Source, Version, read_source, read_versions, refusal

_HAS = re.compile(r'python(\d+\.\d+t?)')
_RELEASE = re.compile(r'(?:python-)?(\d+\.\d+(?:\.\d+)?t?)(?:-dev)?')
#: written for any Python; free-threaded builds say so in their flags
_ASK = ("import sys; print('.'.join(str(part) for part in sys.version_info[:3]) "
        "+ ('t' if 't' in getattr(sys, 'abiflags', '') else ''))")
LISTS = '/var/lib/apt/lists/*_Packages*'
LINKS = '/usr/local/bin'
Run = Callable[[List[str]], Tuple[int, str, str]]


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the parameters, but for those that are read by others."""
    found = []
    if params['use_pyenv'] and params['use_stow']:
        found.append('python_use_pyenv and python_use_stow are both true: Python comes from one of them. Unset one.')
    if params['source'] and params['family'] != 'Debian':
        found.append(f"ensure_python_source is set, and the platform is of the family '{params['family']}': packages "
                     "come from a source on those of 'Debian' only. Leave it unset.")
    return found


def order(release: str) -> tuple[list[int], str]:
    """A key that sorts releases, oldest first."""
    return [int(part) for part in release.rstrip('t').split('.')], release


def versions(folders: list[str]) -> list[str]:
    """Versions of Python whose commands lie in *folders*, oldest first."""
    found = set()
    for folder in folders:
        for path in glob.glob(os.path.join(glob.escape(folder), 'python*')):
            match = _HAS.fullmatch(os.path.basename(path))
            if match and os.access(path, os.X_OK):
                found.add(match.group(1))
    return sorted(found, key=order)


def newest(version: Version, folder: str) -> str:
    """The folder in *folder* that has the newest release of *version*; empty when none does."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = [(match.group(1), name) for name in names for match in [_RELEASE.fullmatch(name)]
             if match and version.is_met_by(match.group(1))
             and os.access(os.path.join(folder, name, 'bin', version.command), os.X_OK)]
    return max(found, key=lambda item: order(item[0]))[1] if found else ''


def find(version: Version, run: Run) -> str:
    """The path of *version* on PATH; empty when it is not there. Raises Refused for one that is broken."""
    path = shutil.which(version.command)
    if path is None:
        return ''
    code, out, err = run([path, '-c', _ASK])
    if code != 0:
        raise Refused(f'{path} does not run: {(err or out).strip()}')
    return path if version.is_met_by(out.strip()) else ''


def package_names(version: Version, params: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The packages that bring *version*, and those that may come along; none where the platform is not known."""
    plain = version.command[len('python'):].rstrip('t')
    fields = {'version': plain, 'nodot': plain.replace('.', ''), 'suffix': params['suffixes'].get(plain) or plain}
    templates = params['packages']
    needed = templates.get('free_threaded' if 't' in version.asked else 'needed', [])
    more = templates.get('more', []) if needed and plain.startswith('3') and 't' not in version.asked else []
    return [name.format(**fields) for name in needed], [name.format(**fields) for name in more]


def offered(packages: list[str], policy: str) -> list[str]:
    """Read ``apt-cache policy``: those of *packages* that can be installed."""
    found = dict(re.findall(r'^(\S+):\n(?:  .*\n)*?  Candidate: (\S+)$', policy, re.MULTILINE))
    return [name for name in packages if found.get(name, '(none)') != '(none)']


def from_distribution(version: Version, params: dict[str, Any], run: Run) -> tuple[list[str], bool]:
    """The distribution's packages of *version* (none when it has none), and whether that is certain.

    Without lists of what there is nobody knows: then they are tried, once.
    """
    needed, more = package_names(version, params)
    if params['family'] == 'Debian' and glob.glob(LISTS):
        code, out, _ = run(['apt-cache', 'policy', *needed, *more])
        names = offered([*needed, *more], out) if code == 0 and needed else []
        return (names if set(needed) <= set(names) else []), True
    return ([] if params['complaint'] else [*needed, *more]), False


def missing(version: Version, params: dict[str, Any]) -> str:
    """Say that nobody has *version*."""
    has = ', '.join(versions(os.environ.get('PATH', '').split(os.pathsep))) or 'none'
    if params['final']:
        return (f"python_version is '{version.asked}': it was installed, and {version.command} of that version is "
                f"not found in {os.environ.get('PATH', '')} (the node has: {has}).")
    known = 'its distribution has no package of it' if params['packages'] else \
        f"the packages of the platform '{params['family']}' are not known here"
    why = f'\n    {params["complaint"]}' if params['complaint'] else ''
    return (f"python_version is '{version.asked}': the node has no {version.command} and {known} (the node has: {has})"
            f'{version.remark}. Use a label that has it, or another version.{why}')


def by_stow(version: Version, params: dict[str, Any], result: dict[str, Any]) -> None:
    """Plan to link *version*. Raises Refused."""
    name = newest(version, params['stow_dir'])
    if not name:
        found = sorted(glob.glob(os.path.join(glob.escape(params['stow_dir']), 'python-*')))
        raise Refused(f"python_version is '{version.asked}', python_use_stow is true, and {params['stow_dir']} has no "
                      f"python-{version.asked} with bin/{version.command} "
                      f"(it has: {', '.join(map(os.path.basename, found)) or 'none'}){version.remark}. "
                      'Use a label that has it, set python_stow_dir, or unset python_use_stow.')
    result['stow'].append(name)
    result['has_stow'] = shutil.which('stow') is not None


def by_pyenv(version: Version, params: dict[str, Any], run: Run, result: dict[str, Any]) -> None:
    """Plan to install and to link *version*. Raises Refused."""
    root = os.path.expanduser(params['pyenv_root'])
    program = shutil.which('pyenv')
    if program:
        code, out, err = run([program, 'root'])
        if code != 0:
            raise Refused(f'{program} root fails: {(err or out).strip()}')
        root = out.strip()
    elif not os.access(os.path.join(root, 'bin', 'pyenv'), os.X_OK):
        raise Refused(f"python_version is '{version.asked}', python_use_pyenv is true, and the node has no "
                      f'pyenv: it is not on PATH and not in {root}/bin. Check pyenv out before, '
                      'set ensure_python_pyenv_root, or unset python_use_pyenv.')
    program = program or os.path.join(root, 'bin', 'pyenv')
    result.update(pyenv_program=program, pyenv_root=root, pyenv_as_root=not os.access(root, os.W_OK))
    name = newest(version, os.path.join(root, 'versions'))
    if name:
        path = os.path.join(root, 'versions', name, 'bin', version.command)
        result['links'][os.path.join(LINKS, version.command)] = path
    else:
        result['pyenv'].append(version.asked)


def by_packages(version: Version, params: dict[str, Any], source: Source | None, run: Run,
                result: dict[str, Any]) -> None:
    """Plan to install *version* from the distribution, else from the source. Raises Refused."""
    names, certain = from_distribution(version, params, run)
    if names:
        result['packages'] += names
        result['certain'] = certain
    elif source:
        needed, more = package_names(version, params)
        result['source_needed'] += needed
        result['source_packages'] += needed + more
    else:
        raise Refused(missing(version, params))


def look(params: dict[str, Any], run: Run) -> dict[str, Any]:
    """Return the task's result. Raises Refused with all that is wrong."""
    found = problems(params)
    wanted: list[Version] = []
    source = None
    try:
        wanted = read_versions(params['version'], params['is_number'], params['use_pyenv'] or params['use_stow'])
    except Refused as error:
        found += error.problems
    try:
        source = read_source(params['source'])
        if source and source.key_file and not os.path.isfile(source.key_file):
            found.append(f"ensure_python_source.signed_by is '{source.key_file}': no file on the node.")
    except Refused as error:
        found += error.problems
    if found:
        raise Refused(*found)
    result: dict[str, Any] = {
        'changed': False, 'executables': {}, 'packages': [], 'certain': True, 'source_packages': [],
        'source_needed': [], 'stow': [], 'has_stow': True, 'pyenv': [], 'pyenv_program': '', 'pyenv_root': '',
        'pyenv_as_root': False, 'links': {}}
    for version in wanted:
        try:
            path = find(version, run)
            if path:
                result['executables'][version.asked] = path
            elif params['final']:
                raise Refused(missing(version, params))
            elif params['use_stow']:
                by_stow(version, params, result)
            elif params['use_pyenv']:
                by_pyenv(version, params, run, result)
            else:
                by_packages(version, params, source, run, result)
        except Refused as error:
            found += error.problems
    if found:
        raise Refused(*found)
    return result


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'version': {'type': 'raw', 'default': ''},
            'is_number': {'type': 'bool', 'default': False},
            'use_pyenv': {'type': 'bool', 'default': False},
            'use_stow': {'type': 'bool', 'default': False},
            'stow_dir': {'type': 'path', 'default': '/usr/local/stow'},
            'pyenv_root': {'type': 'path', 'default': '~/.pyenv'},
            'source': {'type': 'dict', 'default': {}},
            'packages': {'type': 'dict', 'default': {}},
            'suffixes': {'type': 'dict', 'default': {}},
            'family': {'type': 'str', 'required': True},
            'complaint': {'type': 'str', 'default': ''},
            'final': {'type': 'bool', 'default': False},
        },
        supports_check_mode=True)

    def run(argv: list[str]) -> tuple[int, str, str]:
        return module.run_command(['timeout', '--kill-after=5', '60', 'env', 'LC_ALL=C', *argv])
    # nothing was installed, so nothing can be there
    params = {**module.params, 'final': module.params['final'] and not module.check_mode}
    try:
        module.exit_json(**look(params, run))
    except Refused as error:
        module.fail_json(msg=refusal(error.problems))


if __name__ == '__main__':
    main()
