#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Find or install a Python command-line tool: image first, then the node's wheel cache, then the index."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ensure_python_command
short_description: Find or install a Python command-line tool
description:
  - Goes down a ladder of places (image, wheel cache, package index) and takes the first that satisfies the request.
  - What it installs lies in a folder named by the digest of what goes in; the public path is a link to it that is
    switched in one step. A run that is killed leaves the tool that was there before.
options:
  name: {description: Name of the command., type: str, required: true}
  package: {description: Project that brings the command; the command's name when empty., type: str, default: ''}
  version: {description: PEP 440 version specifier; empty accepts any., type: str, default: ''}
  existing: {description: Command or path to look at first., type: str, default: ''}
  venv_path: {description: Public path of the virtual environment that is made., type: path, required: true}
  sources: {description: Places that may be used., type: list, elements: str, default: [image, cache, index]}
  require_hashes: {description: Refuse what the lock does not know., type: bool, default: false}
  wheel_cache: {description: Folder of wheels on the node., type: path, default: /opt/cache/wheels}
  lock: {description: Text of a requirements file with hashes., type: str, default: ''}
  pip_lock: {description: Text of such a file that names pip., type: str, default: ''}
  report_dir: {description: Folder for the report; none is written when empty., type: path}
  timeout: {description: Seconds that filling the environment may take., type: int, default: 600}
  reported_as:
    description: Names for messages, when another role calls; keys C(role), C(version), C(venv_path).
    type: dict
    default: {}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Have a tox older than 4.20
  ensure_python_command:
    name: tox
    version: <4.20
    venv_path: /home/zuul/.local/tox
"""
RETURN = r"""
executable: {description: Absolute path of the command., type: str, returned: success}
report: {description: What was found or done, and why other places were passed over., type: dict, returned: success}
"""

import fcntl
import glob
import json
import os
import re
import shutil
import sys
import time
from contextlib import contextmanager
from hashlib import sha256 as hash_of
from typing import Any, Callable, Iterator, NamedTuple, Tuple

from ansible.module_utils import ensure_python_command_index as package_index
from ansible.module_utils import ensure_python_command_lock as locks
from ansible.module_utils import ensure_python_command_pep440 as pep440

SOURCES = ('image', 'cache', 'index')
MARK = 'provision.json'
_NAME = re.compile(r'[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?')
#: asks an interpreter for a project's version: slower than reading files, but it proves that the interpreter runs
_ASK = ('import sys\n'
        'from importlib.metadata import version\n'
        'print(version(sys.argv[1]))')
Run = Callable[..., Tuple[int, str, str]]


class Refused(Exception):
    """The request cannot be met; *facts* go to the task's result."""

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts = facts


class Request(NamedTuple):
    """What is wanted, validated."""

    name: str
    package: str
    version: str
    existing: str
    venv_path: str
    sources: tuple[str, ...]
    require_hashes: bool
    wheel_cache: str
    timeout: int


class Plan(NamedTuple):
    """What would be installed: *lines* for pip, the *pins* they come from (none when unlocked) and their *digest*."""

    lines: tuple[str, ...]
    pins: tuple[locks.Pin, ...]
    version: str
    locked: bool
    digest: str


def problems(params: dict[str, Any]) -> list[str]:
    """All that is wrong with the parameters; each says value, rule and remedy."""
    called = params.get('reported_as') or {}
    found = []
    # a package that has the command's name, as by default, is told once
    for key in ('name',) if params['package'] in ('', params['name']) else ('name', 'package'):
        value = params[key]
        if not _NAME.fullmatch(value):
            found.append(f"ensure_python_command_{key} is '{value}': not the name of a "
                         f"{'command' if key == 'name' else 'Python project'}. "
                         "Use letters, figures, '.', '_' and '-' only.")
    try:
        pep440.specifiers(params['version'])
    except pep440.InvalidSpecifier:
        variable = called.get('version', 'ensure_python_command_version')
        found.append(f"{variable} is '{params['version']}': not a PEP 440 specifier. "
                     "Write e.g. '<5' or '==4.30.1', or leave it empty.")
    if not os.path.isabs(params['venv_path']) or not params['venv_path'].strip('/'):
        variable = called.get('venv_path', 'ensure_python_command_venv_path')
        found.append(f"{variable} is '{params['venv_path']}': not an absolute path of a folder. "
                     f"Write e.g. '{os.path.expanduser('~')}/.local/{params['name']}'.")
    unknown = [source for source in params['sources'] if source not in SOURCES]
    if unknown or not params['sources']:
        found.append(f"ensure_python_command_sources is {params['sources']}: allowed are "
                     f"{', '.join(SOURCES)}, at least one. Leave it unset for all of them.")
    return found


def refusal(role: str, found: list[str]) -> str:
    """One message for all blockers."""
    count = '1 problem' if len(found) == 1 else f'{len(found)} problems'
    return '\n'.join([f'{role}: cannot continue, {count}:'] + [f'  - {problem}' for problem in found])


def plan(request: Request, lock: str, environment: dict[str, str], python: str) -> Plan:
    """Decide what would go into the environment for *python*. Raises Refused for a lock that cannot be read."""
    try:
        pins = locks.needed(locks.read(lock), request.package, environment)
    except (locks.InvalidLock, pep440.InvalidMarker) as error:
        raise Refused(f'the lock cannot be read at: {error}') from error
    own = next((pin for pin in pins or [] if pin.name == locks.normal(request.package)), None)
    locked = own is not None and pep440.satisfies(own.version, request.version)
    chosen = tuple(pins or ()) if locked else ()
    lines = tuple(pin.line() for pin in chosen) or (request.package + request.version,)
    digest = hash_of('\0'.join((request.name, request.package, python, *lines)).encode()).hexdigest()[:16]
    return Plan(lines, chosen, own.version if own and locked else '', locked, digest)


def home_of(venv_path: str, digest: str) -> str:
    """The folder where the environment behind *venv_path* really lies."""
    parent, name = os.path.split(os.path.normpath(venv_path))
    return os.path.join(parent, f'.{name}-{digest}')


def where(wish: str) -> str:
    """What a *wish* for a command means: a path is made absolute, as later tasks have other folders; a name stays."""
    return os.path.abspath(os.path.expanduser(wish)) if '/' in wish else wish


def candidates(request: Request, which: Callable[[str], str | None]) -> list[str]:
    """Paths where the image may have the command, best first, without repetition."""
    paths: list[str] = []
    for wish in (request.existing, request.name):
        # an empty wish, or a bare name that PATH does not have, is no path
        path = wish if os.path.isabs(wish) else (which(wish) if wish else None)
        paths.append(path or '')
    paths.append(f'/usr/{request.name}-env/bin/{request.name}')
    paths.append(os.path.join(request.venv_path, 'bin', request.name))
    return list(dict.fromkeys(path for path in paths if path))


def interpreter_of(command: str) -> str | None:
    """The Python that runs *command*: its environment's, else the one its first line names; None for other programs."""
    folder = os.path.dirname(os.path.realpath(command))
    if os.path.exists(os.path.join(folder, os.pardir, 'pyvenv.cfg')):
        return os.path.join(folder, 'python')
    with open(command, 'rb') as stream:
        first = stream.readline(512)
    if not first.startswith(b'#!'):
        return None
    words = os.fsdecode(first[2:]).split()
    if words and os.path.basename(words[0]) == 'env':
        words = [shutil.which(word) or word for word in words[1:2]]
    return words[0] if words and 'python' in os.path.basename(words[0]) else None


def installed_version(command: str, package: str, run: Run) -> str:
    """Ask for the version of *package* behind *command*. Raises Refused with the reason where that fails."""
    if not os.path.exists(command):
        raise Refused('not there')
    if not (os.path.isfile(command) and os.access(command, os.X_OK)):
        raise Refused('not an executable file')
    interpreter = interpreter_of(command)
    argv = [command, '--version'] if interpreter is None else [interpreter, '-I', '-c', _ASK, package]
    code, out, err = run(argv, timeout=30)
    if code != 0:
        raise Refused('does not run: ' + ((err or out).strip().splitlines() or [f'exit code {code}'])[-1])
    for word in out.split():
        try:
            pep440.version(word)
        except pep440.InvalidVersion:
            continue
        return word
    raise Refused('tells no version')


def bounded(run: Run) -> Run:
    """Give *run* (``AnsibleModule.run_command``) a time limit in seconds, a plain locale and an environment of its own.

    What a person has set for pip in general (target, user, prefix) must not decide where a tool of ours goes.
    """
    without = ('PYTHONPATH', 'PYTHONHOME', 'PIP_TARGET', 'PIP_PREFIX', 'PIP_ROOT', 'PIP_REQUIREMENT', 'PIP_CONSTRAINT',
               'PIP_REQUIRE_VIRTUALENV', 'PIP_BREAK_SYSTEM_PACKAGES', 'PIP_PYTHON', 'VIRTUAL_ENV')

    def limited(argv: list[str], timeout: int) -> tuple[int, str, str]:
        head = ['env'] + [f'--unset={name}' for name in without] + ['LC_ALL=C.UTF-8', 'PIP_USER=0']
        timer = ['timeout', '--kill-after=5', str(timeout)]
        code, out, err = run(timer + head + list(argv), handle_exceptions=True)
        return code, out, f'{err}\nstopped after {timeout} s' if code in (124, 137) else err
    return limited


def find_in_image(request: Request, own: str, passed: list[dict[str, str]], run: Run) -> tuple[str, str] | None:
    """The first copy that satisfies the request, as (path, version); the others are told in *passed*."""
    for path in candidates(request, shutil.which):
        if not os.path.lexists(path) or (os.path.realpath(path).startswith(own + '-') and path != request.existing):
            continue   # what we made ourselves is judged by its digest, unless the caller names it
        try:
            version = installed_version(path, request.package, run)
        except (Refused, OSError) as error:
            passed.append({'source': 'image', 'where': path, 'why': str(error)})
            continue
        if pep440.satisfies(version, request.version):
            return path, version
        passed.append({'source': 'image', 'where': path, 'why': f'{version} does not satisfy {request.version}'})
    return None


def read_mark(folder: str) -> dict[str, Any] | None:
    """What was recorded when *folder* was completed; None where it never was."""
    try:
        with open(os.path.join(folder, MARK), encoding='utf-8') as stream:
            mark = json.load(stream)
        return mark if isinstance(mark, dict) else None
    except (OSError, ValueError):
        return None


def write_json(path: str, data: dict[str, Any]) -> None:
    """Write *data* so that a reader sees all of it or nothing."""
    temporary = f'{path}.{os.getpid()}'
    with open(temporary, 'w', encoding='utf-8') as stream:
        json.dump(data, stream, indent=1, sort_keys=True)
        stream.write('\n')
    os.replace(temporary, path)


def blocker(venv_path: str) -> str:
    """Why nothing can be made at *venv_path*, or an empty text."""
    if os.path.lexists(venv_path) and not os.path.islink(venv_path):
        return ('there already, not made by this role, and what it holds does not satisfy the request. '
                'Remove it or choose another folder.')
    parent = os.path.dirname(venv_path)
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK | os.X_OK):
        return (f"{parent} is not a folder that user '{os.environ.get('USER') or os.getuid()}' can write to. "
                f"Choose a folder below {os.path.expanduser('~')}, or become root.")
    return ''


@contextmanager
def alone(venv_path: str, seconds: int) -> Iterator[None]:
    """Keep other runs for the same path out; give up after *seconds*. A killed holder frees it."""
    parent, name = os.path.split(venv_path)
    os.makedirs(parent, exist_ok=True)
    with open(os.path.join(parent, f'.{name}.lock'), 'w', encoding='utf-8') as stream:
        limit = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > limit:
                    raise Refused(f'{venv_path} is being made by another run for more than {seconds} s') from None
                time.sleep(0.2)
        yield


def find_pip(request: Request, pins: list[locks.Pin]) -> str | None:
    """A pip wheel on the node: one of the lock from the cache, else the one Python came with."""
    if 'cache' in request.sources and os.path.isdir(request.wheel_cache):
        for pin in pins:
            for name in locks.wheels_of(pin, os.listdir(request.wheel_cache)):
                path = os.path.join(request.wheel_cache, name)
                if pin.name == 'pip' and 'sha256:' + locks.sha256(path) in pin.hashes:
                    return path
    folders = []
    try:
        import ensurepip  # absent where the distribution splits Python
        folders.append(os.path.join(os.path.dirname(ensurepip.__file__), '_bundled'))
    except ImportError:
        pass
    if sys.base_prefix == '/usr':   # Debian keeps them apart; another Python may be too new for the pip there
        folders.append('/usr/share/python-wheels')
    for folder in folders:
        wheels = sorted(glob.glob(os.path.join(folder, 'pip-*.whl')))
        if wheels:
            return wheels[-1]
    return None


def pip_argv(python: str, pip: str, requirements: str, plan: Plan, wheel_cache: str) -> list[str]:
    """The call of pip out of its own wheel; *wheel_cache* is empty for the index."""
    argv = [python, os.path.join(pip, 'pip'), 'install', '--disable-pip-version-check', '--no-input', '--quiet',
            '--only-binary', ':all:', '--retries', '2', '--timeout', '15', '--requirement', requirements]
    if plan.locked:
        argv += ['--require-hashes', '--no-deps']
    if wheel_cache:
        argv += ['--no-index', '--find-links', wheel_cache]
    return argv


def words_of(err: str, out: str = '') -> str:
    """What a program said last, without pip's list of every version there ever was and its repeated tries."""
    said = re.sub(r'\(from versions: (?:[^,()]*, ){5,}([^()]*)\)',
                  lambda found: '(newest: ' + found.group(1) + ')', err.strip() or out.strip())
    lines = [re.sub(r"WARNING: Retrying .* broken by '(.*)': \S+", r'\1', line) for line in said.splitlines()]
    lines = [re.sub(r'<\S+ object at 0x[0-9a-f]+>: ', '', line) for line in lines]
    return '\n'.join(list(dict.fromkeys(lines))[-12:])


def build(request: Request, wanted: Plan, folder: str, pip: str, source: str, run: Run) -> str:
    """Make the environment in *folder* and return the version it has. Raises Refused and leaves no folder."""
    shutil.rmtree(folder, ignore_errors=True)   # an earlier run was killed here
    try:
        steps = [[sys.executable, '-m', 'venv', '--without-pip', folder]]
        python, requirements = os.path.join(folder, 'bin', 'python'), os.path.join(folder, 'requirements.txt')
        steps.append(pip_argv(python, pip, requirements, wanted, request.wheel_cache if source == 'cache' else ''))
        for argv in steps:
            code, out, err = run(argv, timeout=request.timeout)
            if code != 0:
                raise Refused(words_of(err, out) or f'exit code {code}')
            if os.path.isdir(folder) and not os.path.exists(requirements):
                with open(requirements, 'w', encoding='utf-8') as stream:
                    stream.write('\n'.join(wanted.lines) + '\n')
        command = os.path.join(folder, 'bin', request.name)
        if not os.path.exists(command):
            raise Refused(f"project '{request.package}' brings no command '{request.name}'")
        return installed_version(command, request.package, run)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def switch(venv_path: str, folder: str) -> None:
    """Let *venv_path* lead to *folder*, in one step, and drop older folders except the one that it led to before."""
    parent, name = os.path.split(venv_path)
    keep = {os.path.basename(folder)}
    if os.path.islink(venv_path):
        keep.add(os.readlink(venv_path))
    temporary = os.path.join(parent, f'.{name}.{os.getpid()}')
    os.symlink(os.path.basename(folder), temporary)
    os.replace(temporary, venv_path)
    for entry in os.listdir(parent):
        if re.fullmatch(re.escape(f'.{name}-') + '[0-9a-f]{16}', entry) and entry not in keep:
            shutil.rmtree(os.path.join(parent, entry), ignore_errors=True)


def install(request: Request, wanted: Plan, pins: list[locks.Pin], passed: list[dict[str, str]], run: Run
            ) -> tuple[str, str]:
    """Build from the first place that can, and switch; return (source, version). Raises Refused."""
    if not wanted.locked and request.require_hashes:
        raise Refused(f'{request.package}{request.version} is not in the lock, and '
                      'ensure_python_command_require_hashes is set')
    folder = home_of(request.venv_path, wanted.digest)
    pip = find_pip(request, pins)
    for source in ('cache', 'index'):
        if source not in request.sources:
            passed.append({'source': source, 'where': '', 'why': 'not among ensure_python_command_sources'})
            continue
        if source == 'cache':
            if not wanted.locked:
                why = f'{request.package}{request.version} is not in the lock'
                passed.append({'source': source, 'where': request.wheel_cache, 'why': why})
                continue
            missing, wrong = locks.check_cache(list(wanted.pins), request.wheel_cache)
            if wrong:
                raise Refused('these files have other bytes than the lock says: ' + ', '.join(wrong))
            if missing:
                why = missing[0] if missing[0].startswith('/') else 'lacks ' + ', '.join(missing)
                passed.append({'source': source, 'where': request.wheel_cache, 'why': why})
                continue
            if pip is None:
                passed.append({'source': source, 'where': request.wheel_cache, 'why': 'no pip to install from it with'})
                continue
        parent = os.path.dirname(request.venv_path)
        try:
            if pip is None:
                pip = package_index.fetch(next((pin for pin in pins if pin.name == 'pip'), None), parent)
            version = build(request, wanted, folder, pip, source, run)
        except (Refused, package_index.NotFetched) as error:
            if source == 'cache':
                raise Refused(f'{request.wheel_cache}: {error}') from error
            passed.append({'source': source, 'where': 'the configured package index', 'why': str(error)})
            continue
        finally:
            package_index.remove(parent)
        write_json(os.path.join(folder, MARK), {'source': source, 'version': version, 'locked': wanted.locked})
        switch(request.venv_path, folder)
        return source, version
    raise Refused(f'no place has a {request.package}{request.version}')


def applicable(lock: str, environment: dict[str, str]) -> list[locks.Pin]:
    """Those pins of a lock that count for this Python."""
    return [pin for pin in locks.read(lock) if pep440.applies(pin.marker, environment)]


def provide(params: dict[str, Any], run: Run, check_mode: bool = False) -> dict[str, Any]:
    """Go down the ladder; return the task's result. Raises Refused."""
    started = time.monotonic()
    called = params.get('reported_as') or {}
    role = called.get('role', 'ensure-python-command')
    found = problems(params)
    if found:
        raise Refused(refusal(role, found))
    request = Request(params['name'], params['package'] or params['name'], params['version'].strip(),
                      where(params['existing']), os.path.normpath(params['venv_path']), tuple(params['sources']),
                      params['require_hashes'], params['wheel_cache'], params['timeout'])
    environment = pep440.marker_environment()
    python = f"{os.path.realpath(sys.executable)} {environment['python_version']}"
    passed: list[dict[str, str]] = []
    public = os.path.join(request.venv_path, 'bin', request.name)
    report = {'name': request.name, 'package': request.package, 'request': request.version, 'python': python,
              'path': public, 'changed': False, 'passed_over': passed}
    try:
        wanted = plan(request, params['lock'], environment, python)
        report.update(digest=wanted.digest, locked=wanted.locked, version=wanted.version)
        folder = home_of(request.venv_path, wanted.digest)
        parent, name = os.path.split(request.venv_path)
        image = None
        if 'image' in request.sources:
            image = find_in_image(request, os.path.join(os.path.realpath(parent), f'.{name}'), passed, run)
        else:
            passed.append({'source': 'image', 'where': '', 'why': 'not among ensure_python_command_sources'})
        mark = read_mark(folder)
        if image:
            own = next((pin for pin in wanted.pins if pin.version == image[1]), None)
            made = read_mark(os.path.dirname(os.path.dirname(os.path.realpath(image[0])))) or {}
            report.update(path=image[0], version=image[1], source=made.get('source', 'image'),
                          locked=own is not None and own.name == locks.normal(request.package))
        elif mark and os.path.exists(os.path.join(folder, 'bin', request.name)):
            linked = os.path.realpath(request.venv_path) == os.path.realpath(folder)
            report.update(mark, changed=not linked)
            if not linked and not check_mode:
                why = blocker(request.venv_path)
                if why:
                    raise Refused(f'{request.venv_path}: {why}')
                switch(request.venv_path, folder)
        else:
            why = blocker(request.venv_path)
            if why:
                variable = called.get('venv_path', 'ensure_python_command_venv_path')
                raise Refused(refusal(role, [f"{variable} is '{request.venv_path}': {why}"]))
            report['changed'] = True
            if check_mode:
                report['source'] = 'undecided'
            else:
                with alone(request.venv_path, 120):
                    source, version = install(request, wanted, applicable(params['pip_lock'], environment), passed, run)
                report.update(source=source, version=version)
    except Refused as error:
        report.update(changed=False, source='none', seconds=round(time.monotonic() - started, 3), why=str(error))
        save(report, params['report_dir'], check_mode)
        message = str(error)
        if not message.startswith(role + ':'):
            tried = ''.join(f"\n  - {place['source']}{' ' + place['where'] if place['where'] else ''}: {place['why']}"
                            for place in passed)
            message = f'{role}: cannot provide {request.name}: {message}' + (tried and '\nTried:' + tried)
        raise Refused(message, report=report) from error
    report['seconds'] = round(time.monotonic() - started, 3)
    save(report, params['report_dir'], check_mode)
    return {'changed': report['changed'], 'executable': report['path'], 'report': report}


def save(report: dict[str, Any], folder: str | None, check_mode: bool) -> None:
    """Keep the report for the job's logs; a log that cannot be written is no reason to fail."""
    if not folder or check_mode or 'digest' not in report:
        return
    try:
        os.makedirs(folder, exist_ok=True)
        write_json(os.path.join(folder, f"{report['name']}-{report['digest']}.json"), report)
    except OSError as error:
        report['not_recorded'] = str(error)


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'name': {'type': 'str', 'required': True},
            'package': {'type': 'str', 'default': ''},
            'version': {'type': 'str', 'default': ''},
            'existing': {'type': 'str', 'default': ''},
            'venv_path': {'type': 'path', 'required': True},
            'sources': {'type': 'list', 'elements': 'str', 'default': list(SOURCES)},
            'require_hashes': {'type': 'bool', 'default': False},
            'wheel_cache': {'type': 'path', 'default': '/opt/cache/wheels'},
            'lock': {'type': 'str', 'default': ''},
            'pip_lock': {'type': 'str', 'default': ''},
            'report_dir': {'type': 'path'},
            'timeout': {'type': 'int', 'default': 600},
            'reported_as': {'type': 'dict', 'default': {}},
        },
        supports_check_mode=True)
    params = dict(module.params)
    # the result repeats the parameters: a log needs to know which lock it was, not its text
    for name in ('lock', 'pip_lock'):
        module.params[name] = hash_of(params[name].encode()).hexdigest()
    try:
        module.exit_json(**provide(params, bounded(module.run_command), module.check_mode))
    except Refused as error:
        module.fail_json(msg=str(error), **error.facts)
    except OSError as error:
        module.fail_json(msg=f"ensure-python-command: cannot provide {params['name']}: {error}")


if __name__ == '__main__':
    main()
