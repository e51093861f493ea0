# SPDX-License-Identifier: Apache-2.0
"""Put down beside the logs of a build what it takes to run it again, without what somebody could log in with."""
from __future__ import annotations

import json
import os
import re
import stat
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import yaml
from ansible.plugins.action import ActionBase

VERSION = 1
NAME = 'replay.json'
MAX_OUTPUT = 32 * 1024 * 1024      # bytes of job-output.json
MAX_TOOLS = 8 * 1024 * 1024         # bytes of provision.json
MAX_VARIABLES = 256 * 1024          # characters of all variables of the job
MAX_FAILURES, MAX_LINES, MAX_TEXT = 50, 30, 4000
PHASES = ('pre_playbooks', 'playbooks', 'post_playbooks')
BUILD = ('job', 'pipeline', 'tenant', 'branch', 'ref', 'change', 'patchset', 'change_url', 'commit_id')
TOOL = ('node', 'name', 'package', 'version', 'request', 'python', 'source', 'locked', 'digest', 'installer')
SAID = ('stdout', 'stderr', 'module_stdout', 'module_stderr', 'reason', 'msg')

MASK = '********'
_SECRET = re.compile(
    r'(^|_)(pass|passwd|password|passphrase|pwd|secrets?|tokens?|credentials?|creds?'
    r'|(private|secret|access|api|auth|account|signing|gpg|ssh)_?key|auth|authorization)'
    r'(_(file|path|data|base64|b64|value|hash))?$')
_KEY = re.compile(r'-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)', re.S)
_LOGIN = re.compile(r'(?<=://)[^\s/@:]*:[^\s/@]+(?=@)')


def is_secret(name: Any) -> bool:
    """Tell whether a variable of that name is likely to hold what nobody else may know."""
    words = re.sub(r'(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+', '_', str(name)).lower()
    return _SECRET.search(words) is not None


def masked(value: Any, secret: bool = False) -> Any:
    """Return *value* with the secrets in it masked, at any depth.

    :param secret: whether its name says that it is one. Switches and what is empty tell nothing, and stay.
    """
    if isinstance(value, dict):
        return {key: masked(inner, secret or is_secret(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, secret) for inner in value]
    if secret:
        return value if value is None or value == '' or isinstance(value, bool) else MASK
    return _LOGIN.sub(MASK, _KEY.sub(MASK, value)) if isinstance(value, str) else value


class _Loader(yaml.SafeLoader):
    """Takes a value behind a tag (``!unsafe``, ``!vault``) for what it is."""


def _behind(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)    # type: ignore[arg-type]


_Loader.add_multi_constructor('!', _behind)


def bundle(inventory: Mapping[str, Any], provision: Any, output: Any) -> Dict[str, Any]:
    """Return the bundle.

    :param provision: content of ``provision.json``, None where there is none.
    :param output: content of ``job-output.json``, None where there is none.
    :raises KeyError, AttributeError, TypeError: *inventory* is none of a build.
    """
    everything = inventory['all']
    variables = everything['vars']
    zuul = variables['zuul']
    known, hidden = frozen({name: value for name, value in variables.items() if name != 'zuul'})
    hosts = {name: host or {} for name, host in (everything.get('hosts') or {}).items()}
    own = {name: frozen({key: value for key, value in host.items()
                         if own_variable(key) and variables.get(key) != value})
           for name, host in hosts.items()}
    return {
        'version': VERSION,
        'build': {'uuid': zuul['build'], **{key: zuul.get(key) for key in BUILD}},
        'project': zuul['project']['canonical_name'],
        'ansible_version': zuul.get('ansible_version'),
        'nodes': [{'name': name, 'label': (host.get('nodepool') or host.get('zuul_node') or {}).get('label')}
                  for name, host in hosts.items()],
        'groups': {name: sorted((group or {}).get('hosts') or {})
                   for name, group in (everything.get('children') or {}).items() if name != 'zuul_unreachable'},
        'variables': known,
        'host_variables': {name: values for name, (values, _) in own.items() if values},
        'hidden': sorted({*hidden, *(name for _, names in own.values() for name in names)}),
        'projects': {name: {key: project.get(key) for key in ('checkout', 'commit', 'required')}
                     for name, project in zuul['projects'].items()},
        'playbooks': list(playbooks(zuul.get('playbook_context') or {})),
        'tools': tools(provision),
        'failures': failures(output),
    }


def own_variable(name: str) -> bool:
    """Tell whether a variable of a node comes from the job, and not from where the node does."""
    return not name.startswith('ansible_') and name not in ('nodepool', 'zuul_node')


def frozen(variables: Mapping[str, Any]) -> Tuple[Dict[str, Any], List[str]]:
    """Return those variables that may be shown, and the names of the others: with secrets, or too large together."""
    shown = {name: value for name, value in variables.items() if masked({name: value}) == {name: value}}
    sizes = {name: len(json.dumps(value, default=str)) for name, value in shown.items()}
    for name in sorted(sizes, key=lambda one: sizes[one], reverse=True):
        if sum(sizes.values()) <= MAX_VARIABLES:
            break
        del sizes[name], shown[name]
    return shown, [name for name in variables if name not in shown]


def playbooks(context: Mapping[str, Any]) -> Iterator[Dict[str, Any]]:
    """Return each playbook of the job with the project and the commit that it comes from."""
    projects = context.get('playbook_projects') or {}
    for phase in PHASES:
        for playbook in context.get(phase) or ():
            path = playbook.get('path') or ''
            folder = max((one for one in projects if path.startswith(one + '/')), key=len, default='')
            project = projects.get(folder) or {}
            yield {'phase': phase, 'path': path[len(folder) + 1:] if folder else path,
                   'project': project.get('canonical_name'), 'checkout': project.get('checkout'),
                   'commit': project.get('commit')}


def tools(provision: Any) -> List[Dict[str, Any]]:
    """Return what is known of the tools on the nodes."""
    known = provision.get('tools') if isinstance(provision, dict) else None
    return [{key: tool[key] for key in TOOL if isinstance(tool.get(key), (str, bool))}
            for tool in (known if isinstance(known, list) else [])[:200] if isinstance(tool, dict)]


def failures(output: Any) -> List[Dict[str, Any]]:
    """Return what failed and counted, of the playbooks that are over; nothing where *output* is none of Zuul's."""
    try:
        return [one for _, one in zip(range(MAX_FAILURES), _failed(output or ()))]
    except (AttributeError, TypeError, KeyError):
        return []


def _failed(output: Any) -> Iterator[Dict[str, Any]]:
    for playbook in output:
        stats = playbook.get('stats') or {}
        lost = {host for host, counts in stats.items() if counts.get('failures') or counts.get('unreachable')}
        for play in playbook.get('plays') or ():
            for task in play.get('tasks') or ():
                for host, result in (task.get('hosts') or {}).items():
                    if host in lost and (result.get('failed') or result.get('unreachable')):
                        yield {'phase': str(playbook.get('phase')), 'playbook': relative(str(playbook.get('playbook'))),
                               'host': host, 'task': str((task.get('task') or {}).get('name') or ''),
                               'rc': result['rc'] if isinstance(result.get('rc'), int) else None, 'said': said(result)}


def relative(playbook: str) -> str:
    """Return the path of a playbook below its project, however the executor calls the folders above it."""
    found = re.search(r'(?:^|/)(?:un)?trusted/project_\d+/(.*)', playbook)
    return found[1] if found else playbook


def said(result: Mapping[str, Any]) -> List[str]:
    """Return the last lines of what a failed task says, its failed items first."""
    failed = [item for item in result.get('results') or () if isinstance(item, dict) and item.get('failed')]
    texts = (str(one.get(key) or '')[-MAX_TEXT:] for one in (*failed, result) for key in SAID)
    lines = masked('\n'.join(text for text in texts if text)).splitlines()
    return [line[:500] for line in lines[-MAX_LINES:]]


def read(root: str, folder: str, name: str, most: int) -> Any:
    """Return the JSON document *name* in a folder below *root*, read through no link; None where there is none."""
    try:
        handle = open_below(root, folder, make=False)
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle)
        finally:
            os.close(handle)
        with open(descriptor, 'rb') as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            data = stream.read(most + 1)
        return json.loads(data.decode('utf-8', 'replace')) if len(data) <= most else None
    except (OSError, ValueError, RecursionError):
        return None


def open_below(root: str, folder: str, make: bool) -> int:
    """Return a descriptor of *folder*, which is below *root* and reached through no link.

    :raises ValueError: it is not below *root*.
    :raises OSError: it cannot be opened.
    """
    parts = os.path.relpath(folder, root).split('/') if os.path.isabs(folder) else ['..']
    if parts[0] == '..':
        raise ValueError("publish_replay_bundle_folder is '%s': not below '%s'." % (folder, root))
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for part in parts:
        try:
            if make:
                try:
                    os.mkdir(part, dir_fd=handle)
                except FileExistsError:
                    pass
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
        finally:
            os.close(handle)
        handle = below
    return handle


def write(root: str, folder: str, text: str) -> None:
    """Write the bundle anew, into a folder below *root*, through no link.

    :raises ValueError, OSError: it cannot be written.
    """
    handle = open_below(root, folder, make=True)
    new = '.%s.%d' % (NAME, os.getpid())
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=handle), 'w',
                  encoding='utf-8', errors='replace') as stream:
            stream.write(text)
        try:
            os.rename(new, NAME, src_dir_fd=handle, dst_dir_fd=handle)
        except OSError:
            os.unlink(new, dir_fd=handle)
            raise
    finally:
        os.close(handle)


class ActionModule(ActionBase):
    """Runs on the executor, whatever the host of the task is: it needs no connection."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        super().run(tmp, task_vars)
        _, args = self.validate_argument_spec({
            'root': {'type': 'str', 'required': True},
            'folder': {'type': 'str', 'required': True},
            'inventory': {'type': 'str', 'required': True},
        })
        root, folder = args['root'], args['folder']
        try:
            with open(args['inventory'], encoding='utf-8') as stream:
                inventory = yaml.load(stream, _Loader)
            made = bundle(inventory, read(root, folder, 'provision.json', MAX_TOOLS),
                          read(root, folder, 'job-output.json', MAX_OUTPUT))
            if not self._task.check_mode:
                write(root, folder, json.dumps(made, indent=1, sort_keys=True, default=str) + '\n')
        # a build has failed before this, for a reason of its own
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, yaml.YAMLError) as error:
            return {'changed': False, 'written': False,
                    'msg': 'No replay bundle: %s: %s' % (type(error).__name__, error)}
        return {'changed': False, 'written': True, 'msg': '%s/%s' % (folder.rstrip('/'), NAME)}
