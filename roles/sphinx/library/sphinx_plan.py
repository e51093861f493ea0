#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Find out how the documentation of a project is built."""
from __future__ import annotations

DOCUMENTATION = r'''
module: sphinx_plan
short_description: Find out how the documentation of a project is built
description:
  - Checks the wish, reads what C(setup.cfg) says about warnings, and returns the commands, one for each builder.
    Languages that have a catalogue are built, too, when one is named.
options:
  folder: {description: Folder of the project., type: path, required: true}
  source: {description: 'Folder of the sources, below it.', type: str, required: true}
  build: {description: 'Folder of what is built, below it.', type: str, required: true}
  builders: {description: Names of builders., type: list, elements: str, required: true}
  venv: {description: The environment that has sphinx., type: path, required: true}
  warning_is_error: {description: 'Whether warnings are failures, or empty.', type: str, default: ''}
  catalogue: {description: Name of a catalogue of translations., type: str, default: ''}
  fresh: {description: Whether everything is read and written anew., type: bool, default: false}
  role: {description: The role that messages name., type: str, default: sphinx}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Find out how it is built
  sphinx_plan:
    folder: /home/zuul/src/example.org/project
    source: doc/source
    build: doc/build
    builders: [html]
    venv: /home/zuul/.venv
'''
RETURN = r'''
commands: {description: Arguments of each command., type: list, elements: list, returned: success}
warning_is_error: {description: Whether a warning is a failure., type: bool, returned: success}
autodoc: {description: Whether setup.cfg asks pbr for pages of modules., type: bool, returned: success}
'''

import configparser
import os
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible.module_utils.basic import AnsibleModule

_BUILDER = re.compile(r'[A-Za-z0-9][A-Za-z0-9_-]*')
_LANGUAGE = re.compile(r'[a-z]{2,3}(?:_[A-Za-z0-9]{2,8})?(?:@[a-z]+)?')
_YES, _NO = ('1', 'true', 'yes', 'on', 't', 'y'), ('0', 'false', 'no', 'off', 'f', 'n')
_LARGEST = 1 << 20


class Refused(Exception):
    """It cannot be built. The message has all reasons."""


def switch(value: str) -> Optional[bool]:
    """Return what a text says, None when it says neither yes nor no. Pure."""
    word = value.strip().lower()
    return True if word in _YES else False if word in _NO else None


def settings(text: str) -> Dict[str, Dict[str, str]]:
    """Return section -> name -> value of a ``setup.cfg``, with ``_`` in names. Pure."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {section: {name.replace('-', '_'): value or '' for name, value in parser[section].items()}
            for section in parser.sections()}


def warnings_are_errors(known: Mapping[str, Mapping[str, str]]) -> bool:
    """Return what a project says about warnings: for setuptools, or for pbr. Pure."""
    for section, name in (('build_sphinx', 'warning_is_error'), ('pbr', 'warnerrors')):
        value = switch(known.get(section, {}).get(name, ''))
        if value is not None:
            return value
    return False


def asks_for_autodoc(known: Mapping[str, Mapping[str, str]]) -> bool:
    """Return whether a project has pbr make pages of its modules. Pure."""
    names = ('autodoc_index_modules', 'autodoc_tree_index_modules')
    return any(bool(switch(known.get('pbr', {}).get(name, ''))) for name in names)


def below(folder: str, path: str) -> bool:
    """Return whether a path stays in a folder, whatever links there are. Pure but for a look at these."""
    top = os.path.realpath(folder)
    return os.path.commonpath([top, os.path.realpath(os.path.join(folder, path))]) == top


def problems(params: Mapping[str, Any]) -> List[str]:
    """Return what is wrong with a wish."""
    folder, source, build = params['folder'], params['source'], params['build']
    if not os.path.isdir(folder):
        return ["zuul_work_dir is '%s': there is no such folder on the node. Name the folder of the project." % folder]
    found = []
    for name, path in (('sphinx_source_dir', source), ('sphinx_build_dir', build)):
        if os.path.isabs(path) or not below(folder, path):
            found.append("%s is '%s': it leads out of the project. Name a folder below zuul_work_dir." % (
                name, ascii(path)[1:-1]))
    if not found and not os.path.isfile(os.path.join(folder, source, 'conf.py')):
        found.append("sphinx_source_dir is '%s': it has no conf.py. Name the folder of the documentation's sources." %
                     ascii(source)[1:-1])
    wrong = [name for name in params['builders'] if not _BUILDER.fullmatch(name)]
    if wrong or not params['builders']:
        found.append('sphinx_builders is %s: it must have at least one name of a builder, such as html, and nothing '
                     'else.'
                     % ascii(params['builders']))
    if params['warning_is_error'] and switch(params['warning_is_error']) is None:
        found.append("sphinx_warning_is_error is '%s': it is neither true nor false. Leave it out for what setup.cfg "
                     "says."
                     % ascii(params['warning_is_error'])[1:-1])
    program = os.path.join(params['venv'], 'bin', 'sphinx-build')
    if not os.access(program, os.X_OK):
        found.append("zuul_work_virtualenv is '%s': it has no bin/sphinx-build. Call the role ensure-sphinx before."
                     % params['venv'])
    return found


def languages(source: str, catalogue: str) -> List[str]:
    """Return the languages that a catalogue is translated to."""
    top = os.path.join(source, 'locale')
    if not catalogue or not os.path.isdir(top):
        return []
    return [name for name in sorted(os.listdir(top)) if _LANGUAGE.fullmatch(name)
            and os.path.isfile(os.path.join(top, name, 'LC_MESSAGES', catalogue + '.po'))]


def command(program: str, source: str, build: str, builder: str, options: Sequence[str],
            language: str = '') -> List[str]:
    """Return the arguments of sphinx-build. Pure."""
    doctrees = os.path.join(build, 'doctrees', *([language] if language else []))
    output = os.path.join(build, builder, *([language] if language else []))
    return [program, '-b', builder, '-d', doctrees, *options,
            *(['-D', 'language=' + language] if language else []), source, output]


def plan(params: Mapping[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: it cannot be built.
    """
    found = problems(params)
    if found:
        raise Refused('cannot continue, %d problem%s:\n%s' % (
            len(found), 's' if len(found) > 1 else '', '\n'.join('  - ' + line for line in found)))
    text = ''
    path = os.path.join(params['folder'], 'setup.cfg')
    if os.path.isfile(path):
        with open(path, encoding='utf-8', errors='replace') as stream:
            text = stream.read(_LARGEST)
    known = settings(text)
    asked = switch(params['warning_is_error'])
    strict = warnings_are_errors(known) if asked is None else asked
    options = (['-a', '-E'] if params['fresh'] else []) + (['-W', '--keep-going'] if strict else [])
    program = os.path.join(params['venv'], 'bin', 'sphinx-build')
    source = os.path.join(params['folder'], params['source'])
    commands = [command(program, params['source'], params['build'], builder, options, language)
                for builder in params['builders'] for language in ['', *languages(source, params['catalogue'])]]
    return {'changed': False, 'commands': commands, 'warning_is_error': strict, 'autodoc': asks_for_autodoc(known)}


def main() -> None:
    """Run as a module."""
    text, path = {'type': 'str', 'required': True}, {'type': 'path', 'required': True}
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'folder': path, 'source': text, 'build': text, 'builders': {'type': 'list', 'elements': 'str',
                                                                    'required': True},
        'venv': path, 'warning_is_error': {'type': 'str', 'default': ''}, 'catalogue': {'type': 'str', 'default': ''},
        'fresh': {'type': 'bool', 'default': False}, 'role': {'type': 'str', 'default': 'sphinx'}})
    try:
        module.exit_json(**plan(module.params))
    except Refused as error:
        module.fail_json(msg='%s: %s' % (module.params['role'], error))


if __name__ == '__main__':
    main()
