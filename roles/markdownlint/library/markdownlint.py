#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Run markdownlint on the Markdown of a project, write what it found to a file, and return it."""
from __future__ import annotations

DOCUMENTATION = r"""
module: markdownlint
short_description: Run markdownlint on a project
description:
  - Finds the files itself, so that a name is never taken for a pattern or an option, and so that nothing to check is no
    success. Links are not followed.
options:
  work_dir: {description: Folder of the project., type: str, required: true}
  executable: {description: Command or path of markdownlint., type: str, required: true}
  globs:
    description: Which files; what begins with an exclamation mark leaves files out.
    type: list
    elements: str
    required: true
  config: {description: File with its configuration; its own choice when empty., type: str, default: ''}
  args: {description: 'Further arguments, with the quoting of a shell.', type: str, default: ''}
  nothing: {description: 'What it means that no file is there: fail or note.', type: str, default: fail}
  timeout: {description: Most seconds., type: raw, default: 600}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Check the documentation
  markdownlint:
    work_dir: src/example.org/project
    executable: /home/zuul/.local/markdownlint/bin/markdownlint
    globs: ["docs/**/*.md", "!docs/generated/**"]
"""
RETURN = r"""
files: {description: How many files were checked., type: int, returned: success}
findings: {description: 'What was found, as JSON; the first ones when it is too much.', type: str, returned: always}
"""

import json
import os
import re
import shlex
import shutil
import stat
import tempfile
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

REPORT = 'markdownlint.txt'
NOTHING = ('fail', 'note')
MAX_ARGUMENTS = 64 * 1024       # bytes of names that one call gets
MAX_RETURNED = 1000             # findings that go into the result; the report has all
MAX_SHOWN = 50                  # lines of them in the message
#: what is returned of a finding: what becomes a comment
_RETURNED = ('fileName', 'lineNumber', 'ruleNames', 'ruleDescription', 'errorDetail', 'errorContext', 'severity')
_OURS = ('-o', '--output', '-j', '--json', '-s', '--stdin', '-q', '--quiet', '-V', '--version', '-h', '--help', '--')
_HIDDEN = re.compile('[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
#: runs an argv in a folder for at most so many seconds, and returns exit code, standard output and standard error
Run = Callable[[List[str], str, int], Tuple[int, str, str]]


class Refused(Exception):
    """It cannot be checked, or markdownlint found something; *findings* go to the task's result."""

    def __init__(self, message: str, findings: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class Checked(NamedTuple):
    """What markdownlint said of files.

    :ivar looked: whether it looked at any: a project can tell it to ignore files.
    :ivar failed: whether it failed for what it found; warnings do not.
    """

    looked: bool
    failed: bool
    findings: List[Dict[str, Any]]


def braces(glob: str) -> List[str]:
    """Return the globs that one with alternatives, ``{a,b}``, stands for."""
    found = re.search(r'\{([^{}]*,[^{}]*)\}', glob)
    if not found:
        return [glob]
    return [one for word in found.group(1).split(',')
            for one in braces(glob[:found.start()] + word + glob[found.end():])]


def component(text: str) -> str:
    """Return the expression of one part of a path. As in a shell, only a dot stands for a dot in front."""
    written = '' if text.startswith('.') else r'(?!\.)'
    at = 0
    while at < len(text):
        klass = re.compile(r'\[([!^]?)(\]?[^]/]*)\]').match(text, at)
        if klass and klass.group(2):
            written += '[%s%s]' % ('^/' if klass.group(1) else '', re.sub(r'([\\\[\]^&~|])', r'\\\1', klass.group(2)))
            at = klass.end()
            continue
        written += {'*': '[^/]*', '?': '[^/]'}.get(text[at]) or re.escape(text[at])
        at += 1
    return written


def expression(glob: str) -> 're.Pattern[str]':
    """Return what matches the paths that a glob means.

    :raises ValueError: it is none.
    """
    ways = []
    for one in braces(glob):
        parts = [part for part in one.split('/') if part != '.']
        if not one or one.startswith('/') or '..' in parts or '' in parts:
            raise ValueError(glob)
        last = parts.pop()
        way = ''.join(r'(?:(?!\.)[^/]+/)*' if part == '**' else component(part) + '/' for part in parts)
        ways.append(way + (r'(?:(?!\.)[^/]+/)*(?!\.)[^/]+' if last == '**' else component(last)))
    try:
        return re.compile('|'.join(ways))
    except re.error:
        raise ValueError(glob) from None


def check(params: Dict[str, Any]) -> Tuple[str, List[str]]:
    """Return the path of markdownlint and its arguments.

    :raises Refused: with all that is wrong with the parameters.
    """
    found, arguments, folder = [], [], params['work_dir']
    if not os.path.isdir(folder):
        found.append("zuul_work_dir is '%s': no folder of this node. Name that of the project." % folder)
    command = shutil.which(os.path.expanduser(params['executable'])) or ''
    if not command:
        found.append("markdownlint_executable is '%s': no command of this node. Call the role ensure-markdownlint "
                     'before this one, or name a path.' % params['executable'])
    if not [glob for glob in params['globs'] if not glob.startswith('!')]:
        found.append("markdownlint_globs is %s: it names no files. Write e.g. ['**/*.md']."
                     % json.dumps(params['globs']))
    for glob in params['globs']:
        try:
            expression(glob[1:] if glob.startswith('!') else glob)
        except ValueError:
            found.append("markdownlint_globs has '%s': no pattern of files below zuul_work_dir. Write e.g. "
                         "'docs/**/*.md', without '..' and without '/' at an end." % glob)
    if params['config'] and not os.path.isfile(os.path.join(folder, params['config'])):
        found.append("markdownlint_config is '%s': no file of the project. Name one relative to zuul_work_dir, or "
                     'leave it unset.' % params['config'])
    try:
        arguments = shlex.split(params['args'])
    except ValueError:
        found.append("markdownlint_args is '%s': a quotation is not closed, or the last character is a backslash. "
                     'Write it as for a shell.' % params['args'])
    ours = [word for word in arguments if word.split('=')[0] in _OURS]
    if ours:
        found.append("markdownlint_args has '%s': the role decides what is printed, where to, and on which files. "
                     'Leave it out; files are named by markdownlint_globs.' % ours[0])
    if params['nothing'] not in NOTHING:
        found.append("markdownlint_nothing is '%s': it is none of %s. Write one of these."
                     % (params['nothing'], ', '.join(NOTHING)))
    if not re.fullmatch(r'[1-9]\d{0,4}', str(params['timeout'])):
        found.append("markdownlint_timeout is '%s': no number of seconds from 1 to 99999. Write e.g. 600."
                     % params['timeout'])
    if found:
        raise Refused('markdownlint: cannot continue, %s:\n  - %s'
                      % ('1 problem' if len(found) == 1 else '%d problems' % len(found), '\n  - '.join(found)))
    config = ['--config=' + params['config']] if params['config'] else []
    return command, config + arguments


def below(folder: str, globs: Sequence[str]) -> Iterator[str]:
    """Return the paths of plain files below *folder*, relative to it; no links.

    Hidden folders and those of npm are looked into where a glob names such.
    """
    parts = [part for glob in globs for one in braces(glob) for part in one.split('/')]
    hidden = any(part.startswith('.') and part != '.' for part in parts)
    modules = 'node_modules' in parts
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != '.git' and (hidden or not name.startswith('.'))
                            and (modules or name != 'node_modules'))
        for name in sorted(names):
            path = os.path.join(parent, name)
            try:
                if stat.S_ISREG(os.lstat(path).st_mode):
                    yield os.path.relpath(path, folder)
            except OSError:
                continue    # it is gone


def select(paths: Sequence[str], globs: Sequence[str]) -> Tuple[List[str], List[str]]:
    """Return the paths that the globs name, and the globs that name none."""
    wanted = {glob: expression(glob) for glob in globs if not glob.startswith('!')}
    unwanted = [expression(glob[1:]) for glob in globs if glob.startswith('!')]
    met = {glob: [path for path in paths if one.fullmatch(path)] for glob, one in wanted.items()}
    chosen = {path for many in met.values() for path in many if not any(one.fullmatch(path) for one in unwanted)}
    return [path for path in paths if path in chosen], [glob for glob, many in met.items() if not many]


def portions(paths: Sequence[str], most: int = MAX_ARGUMENTS) -> Iterator[List[str]]:
    """Return the paths in portions that one call takes."""
    portion: List[str] = []
    size = 0
    for path in paths:
        length = len(os.fsencode(path)) + 1
        if portion and size + length > most:
            yield portion
            portion, size = [], 0
        portion.append(path)
        size += length
    if portion:
        yield portion


def one_call(command: str, arguments: Sequence[str], paths: Sequence[str], folder: str, timeout: int,
             run: Run) -> Checked:
    """Let markdownlint look at some files.

    :raises Refused: it could not.
    """
    scratch = tempfile.mkdtemp()
    try:
        written = os.path.join(scratch, 'found.json')
        code, out, err = run([command, *arguments, '--json', '--output=' + written, '--', *paths], folder, timeout)
        found: Any = None
        if os.path.isfile(written):
            with open(written, encoding='utf-8', errors='replace') as stream:
                text = stream.read()
            try:
                found = json.loads(text or '[]')
            except ValueError:
                pass
        elif code == 0 and 'No matching files found' in err:
            return Checked(False, False, [])
        # 1 is what Node.js says, too, when a program breaks
        done = isinstance(found, list) and (code == 0 or (code == 1 and found))
        if not done or 'Cannot read or parse config file' in err:
            said = [shown(line) for line in (err.strip() or out.strip()).splitlines()]
            raise Refused('markdownlint: the files cannot be checked (exit code %d):\n%s'
                          % (code, '\n'.join(said[-20:]) or 'It said nothing.'))
        return Checked(True, code == 1, [one for one in found if isinstance(one, dict)])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def shown(text: str) -> str:
    """Return a line that can be shown: a file's name or text may have anything in it."""
    return _HIDDEN.sub('\N{REPLACEMENT CHARACTER}', text)


def line_of(finding: Dict[str, Any]) -> str:
    """Return a finding in markdownlint's own words."""
    at = '%s:%s' % (finding.get('fileName'), finding.get('lineNumber'))
    columns, names = finding.get('errorRange'), finding.get('ruleNames')
    if isinstance(columns, list) and columns:
        at += ':%s' % columns[0]
    rule = '/'.join(map(str, names if isinstance(names, list) else ()))
    said = '%s %s %s %s' % (at, finding.get('severity', 'error'), rule, finding.get('ruleDescription'))
    detail, context = finding.get('errorDetail'), finding.get('errorContext')
    return shown(said + (' [%s]' % detail if detail else '') + (' [Context: "%s"]' % context if context else ''))


def write_report(folder: str, lines: Sequence[str]) -> None:
    """Write the report, in the place of whatever stands there."""
    handle, new = tempfile.mkstemp(prefix='.markdownlint-', dir=folder)
    try:
        with open(handle, 'w', encoding='utf-8') as stream:
            stream.writelines(line + '\n' for line in lines)
        os.chmod(new, 0o644)
        os.replace(new, os.path.join(folder, REPORT))
    finally:
        if os.path.lexists(new):
            os.unlink(new)


def nothing(params: Dict[str, Any], why: str) -> Dict[str, Any]:
    """Return the result when there is nothing to check.

    :raises Refused: that is a failure.
    """
    message = 'markdownlint: nothing was checked in %s: %s.' % (params['work_dir'], why)
    if params['nothing'] == 'fail':
        raise Refused(message + ' Name the files with markdownlint_globs, or set markdownlint_nothing to '
                      "'note' if there may be none.")
    write_report(params['work_dir'], [])
    return {'changed': True, 'files': 0, 'findings': '', 'msg': message}


def lint(params: Dict[str, Any], run: Run) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: it cannot be done, or markdownlint failed for what it found.
    """
    params = {**params, 'work_dir': os.path.join(os.path.expanduser('~'), os.path.expanduser(params['work_dir']))}
    command, arguments = check(params)
    folder = params['work_dir']
    paths, unmet = select(list(below(folder, params['globs'])), params['globs'])
    odd = [path for path in paths if any('\ud800' <= letter <= '\udfff' for letter in path)]
    if odd:
        raise Refused('markdownlint: the name of %s is not UTF-8, and markdownlint cannot open it. Rename the file.'
                      % shown(odd[0]))
    if not paths:
        return nothing(params, 'no file is named by %s' % ', '.join(params['globs']))
    calls = [one_call(command, arguments, portion, folder, int(params['timeout']), run) for portion in portions(paths)]
    if not any(call.looked for call in calls):
        return nothing(params, 'markdownlint is told to ignore all of the %d files' % len(paths))
    found = [finding for call in calls for finding in call.findings]
    lines = [line_of(finding) for finding in found]
    write_report(folder, lines)
    places = len({one.get('fileName') for one in found})
    told = ['%s in %s of %s.' % (counted(len(found), 'problem'), places, counted(len(paths), 'file')) if found
            else 'No problem in %s.' % counted(len(paths), 'file')]
    told += ['  ' + line for line in lines[:MAX_SHOWN]]
    told += ['  … and %d more, in %s.' % (len(lines) - MAX_SHOWN, REPORT)] * (len(lines) > MAX_SHOWN)
    told += ["No file is named by '%s' of markdownlint_globs." % glob for glob in unmet]
    message = 'markdownlint: ' + '\n'.join(told)
    returned = [{name: one[name] for name in _RETURNED if one.get(name)} for one in found[:MAX_RETURNED]]
    if any(call.failed for call in calls):
        raise Refused(message, returned)
    return {'changed': True, 'files': len(paths), 'findings': json.dumps(returned), 'msg': message}


def counted(number: int, what: str) -> str:
    """Return a number of things in words."""
    return '%d %s%s' % (number, what, '' if number == 1 else 's')


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(argument_spec={
        'work_dir': {'type': 'str', 'required': True},
        'executable': {'type': 'str', 'required': True},
        'globs': {'type': 'list', 'elements': 'str', 'required': True},
        'config': {'type': 'str', 'default': ''},
        'args': {'type': 'str', 'default': ''},
        'nothing': {'type': 'str', 'default': 'fail'},
        'timeout': {'type': 'raw', 'default': 600}})

    def run(argv: List[str], folder: str, timeout: int) -> Tuple[int, str, str]:
        code, out, err = module.run_command(['timeout', '--kill-after=5', str(timeout), *argv], cwd=folder,
                                            environ_update={'LC_ALL': 'C.UTF-8'}, handle_exceptions=True)
        if code in (124, 137):
            err += '\nstopped after %d s (markdownlint_timeout)' % timeout
        return code, out, err
    try:
        module.exit_json(**lint(module.params, run))
    except Refused as error:
        module.fail_json(msg=str(error), findings=json.dumps(list(error.findings)) if error.findings else '')
    except OSError as error:
        module.fail_json(msg='markdownlint: %s' % error, findings='')


if __name__ == '__main__':
    main()
