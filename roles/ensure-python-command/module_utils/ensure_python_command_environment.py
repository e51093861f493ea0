# SPDX-License-Identifier: Apache-2.0
"""Virtual environments that are built aside, filled by uv or pip, and switched to in one step."""
from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Iterator

from ansible.module_utils.ensure_python_command_image import Passed, Run, installed_version
from ansible.module_utils.ensure_python_command_request import Plan, Refused, Request

if TYPE_CHECKING:
    from ansible.module_utils.ensure_python_command_index import Site
    from ansible.module_utils.ensure_python_command_installers import Installer

MARK = 'provision.json'


def home_of(venv_path: str, digest: str) -> str:
    """The folder where the environment behind *venv_path* really lies."""
    parent, name = os.path.split(os.path.normpath(venv_path))
    return os.path.join(parent, f'.{name}-{digest}')


def read_mark(folder: str) -> dict[str, Any] | None:
    """What was recorded when *folder* was completed; None where it never was."""
    return read_json(os.path.join(folder, MARK))


def read_json(path: str) -> dict[str, Any] | None:
    """What :func:`write_json` wrote; None where it did not."""
    try:
        with open(path, encoding='utf-8') as stream:
            data = json.load(stream)
        return data if isinstance(data, dict) else None
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


def pip_argv(wheel: str, python: str, requirements: str, plan: Plan, request: Request, site: Site | None) -> list[str]:
    """The call of pip out of its own wheel; without *site* from the cache. As with uv, bytecode comes with use."""
    argv = [python, os.path.join(wheel, 'pip'), 'install', '--disable-pip-version-check', '--no-input', '--quiet',
            '--no-compile', '--retries', '2', '--timeout', '15', '--requirement', requirements]
    return argv + ([] if site else ['--isolated']) + _limits(plan, request, site)


def uv_argv(uv: str, python: str, requirements: str, plan: Plan, request: Request, site: Site | None) -> list[str]:
    """The call of uv; without *site* from the cache. Where the index is, :func:`uv_environment` says."""
    argv = [uv, 'pip', 'install', '--python', python, '--no-config', '--no-cache', '--quiet', '--no-python-downloads',
            '--requirement', requirements]
    if site is None:
        argv.append('--offline')
    elif site.no_index:
        argv.append('--no-index')   # there is no variable for it
    return argv + _limits(plan, request, site)


def _limits(plan: Plan, request: Request, site: Site | None) -> list[str]:
    """What both installers are told in the same words."""
    return [*([] if request.allow_builds else ['--only-binary', ':all:']),
            *(['--require-hashes', '--no-deps'] if plan.locked else []),
            *([] if site else ['--no-index', '--find-links', request.wheel_cache])]


def uv_environment(site: Site) -> dict[str, str]:
    """What makes uv use the index that pip is configured for; no setting of uv's own counts."""
    settings = {
        'UV_DEFAULT_INDEX': site.url, 'UV_EXTRA_INDEX_URL': ' '.join(site.extra),
        'UV_FIND_LINKS': ','.join(site.links),
        'UV_INSECURE_HOST': ' '.join(site.trusted_hosts),
        'SSL_CERT_FILE': site.certificates or '', 'SSL_CLIENT_CERT': site.client_certificate or '',
        'HTTP_PROXY': site.proxy, 'HTTPS_PROXY': site.proxy,
    }
    # pip takes the best version of all its indexes, and that is what the site's order of them was written for
    return {'UV_INDEX_STRATEGY': 'unsafe-best-match', 'UV_SYSTEM_CERTS': '1',
            **{name: value for name, value in settings.items() if value}}


def words_of(err: str, out: str = '') -> str:
    """What a program said last, without credentials, pip's list of every version there is and its repeated tries."""
    said = re.sub(r'\(from versions: (?:[^,()]*, ){5,}([^()]*)\)',
                  lambda found: '(newest: ' + found.group(1) + ')', err.strip() or out.strip())
    said = re.sub(r'(\w://)[^/\s@]+@', r'\1****@', said)
    lines = [re.sub(r"WARNING: Retrying .* broken by '(.*)': \S+", r'\1', line) for line in said.splitlines()]
    lines = [re.sub(r'<\S+ object at 0x[0-9a-f]+>: ', '', line) for line in lines]
    return '\n'.join(list(dict.fromkeys(lines))[-12:])


def build(request: Request, wanted: Plan, folder: str, installer: Installer, site: Site | None, run: Run) -> str:
    """Make the environment in *folder* and return the version it has; without *site* from the cache.

    Raises Refused and leaves no folder.
    """
    shutil.rmtree(folder, ignore_errors=True)   # an earlier run was killed here
    python, requirements = os.path.join(folder, 'bin', 'python'), os.path.join(folder, 'requirements.txt')
    try:
        _ran(run, [sys.executable, '-m', 'venv', '--without-pip', folder], request.timeout)
        with open(requirements, 'w', encoding='utf-8') as stream:
            stream.write('\n'.join(wanted.lines) + '\n')
        argv = {'uv': uv_argv, 'pip': pip_argv}[installer.kind]
        environment = {'PIP_CONFIG_FILE': os.devnull}
        if site:
            environment = uv_environment(site) if installer.kind == 'uv' else {}
        _ran(run, argv(installer.path, python, requirements, wanted, request, site), request.timeout, environment)
        command = os.path.join(folder, 'bin', request.name)
        if not os.path.exists(command):
            raise Refused(f"project '{request.package}' brings no command '{request.name}'")
        return installed_version(command, request.package, run)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _ran(run: Run, argv: list[str], timeout: int, environment: dict[str, str] | None = None) -> None:
    code, out, err = run(argv, timeout=timeout, environment=environment or {})
    if code != 0:
        raise Refused(words_of(err, out) or f'exit code {code}')


def build_with_any(request: Request, wanted: Plan, folder: str, installers: list[Installer], site: Site | None,
                   passed: Passed, run: Run) -> tuple[Installer, str]:
    """Build with the first of the *installers* that can; return it and the version. Raises Refused by the last one."""
    for installer in installers[:-1]:
        try:
            return installer, build(request, wanted, folder, installer, site, run)
        except Refused as error:
            passed.append({'source': 'index' if site else 'cache', 'where': installer.path,
                           'why': f'{installer}: {error}'})
    return installers[-1], build(request, wanted, folder, installers[-1], site, run)


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
        elif re.fullmatch(re.escape(f'.{name}.') + r'\d+', entry) and os.path.islink(os.path.join(parent, entry)):
            os.unlink(os.path.join(parent, entry))   # of a run that was killed; others are kept out by the lock
