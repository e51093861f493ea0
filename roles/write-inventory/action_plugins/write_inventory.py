# SPDX-License-Identifier: Apache-2.0
"""Write an inventory of the nodes of a build on one of them, for an Ansible that runs there.

The variables of all hosts are known on the executor only, and so are the secrets among them, which go nowhere.
"""
from __future__ import annotations

import os
import re
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple

import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

_SECRET = re.compile(
    r'(^|_)(pass|passwd|password|passphrase|pwd|secrets?|tokens?|credentials?|creds?'
    r'|(private|secret|access|api|auth|account|signing|gpg|ssh)_?key|auth|authorization)'
    r'(_(file|path|data|base64|b64|value|hash))?$')
# What Ansible itself says about a run: of no use to another one, or harmful.
_OWN = re.compile(
    r'(group_names|groups|hostvars|inventory_\w+|omit|environment|playbook_dir|play_hosts|role_\w+|vars|unsafe_vars'
    r'|ansible_(facts|check_mode|collection_name|config_file|current_hosts|delegated_vars|dependent_role_names|diff_mode'
    r'|failed_hosts|forks|inventory_sources|limit|parent_role_\w+|play_\w+|playbook_python|role_\w+|run_tags|search_path'
    r'|skip_tags|verbosity|version))$')
_SAID = 2000        # characters of what a node says instead of an answer
_SHORTEST = 6       # a shorter secret would be found in everything


class Refused(Exception):
    """The wishes cannot be met. The message has all reasons."""


class Wishes(NamedTuple):
    """What a caller wants of the variables.

    :ivar include: names to write; None is all.
    :ivar additional: name -> path of the variable that it gets its value from, such as ``nodepool.interface_ip``.
    :ivar per_host: host -> name -> value.
    """

    include: Optional[List[str]]
    exclude: List[str]
    additional: Dict[str, str]
    per_host: Dict[str, Dict[str, Any]]


class Secrets(NamedTuple):
    """The *names* of the variables with secrets that a playbook was given, and the *texts* in them."""

    names: Set[str]
    texts: Set[str]


class _Unsafe(str):
    """A text that the Ansible that reads it must not take for an expression."""


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, and marks what is unsafe."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(_Unsafe, lambda dumper, text: dumper.represent_scalar('!unsafe', str(text)))


class _Loader(yaml.SafeLoader):
    """Takes a text behind a tag (``!unsafe``) for the text."""


_Loader.add_multi_constructor('!', lambda loader, suffix, node: loader.construct_scalar(node))


def is_secret(name: Any) -> bool:
    """Tell whether a variable of that name is likely to hold what nobody else may know."""
    words = re.sub(r'(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+', '_', str(name)).lower()
    return _SECRET.search(words) is not None


def texts(value: Any) -> Iterator[str]:
    """Yield all texts in a value, at any depth."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, (list, tuple, set)):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def hidden(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts in a mapping that are what is secret in it; users and hosts that lie beside are not."""
    for name, inner in value.items():
        if is_secret(name):
            yield from texts(inner)
        elif isinstance(inner, Mapping):
            yield from hidden(inner)


def secrets_of(text: str) -> Secrets:
    """Return the secrets that Zuul hands to a playbook, from the file that it hands them over in.

    :raises yaml.YAMLError: it is none.
    """
    given = yaml.load(text, _Loader) or {}
    found = [*hidden(given), *(one for one in given.values() if isinstance(one, str))]
    return Secrets(set(given), {one for one in found if len(one) >= _SHORTEST})


def bare(text: Any) -> str:
    """Return a text as nothing but a text: Ansible has kinds of its own, which YAML does not know."""
    return ''.join(str(text))


def plain(value: Any) -> Any:
    """Return a value without what Ansible remembers about it, and without whatever has the name of a secret."""
    if isinstance(value, Mapping):
        return {bare(key): plain(inner) for key, inner in value.items() if not is_secret(key)}
    if isinstance(value, (list, tuple, set)):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    text = bare(value)
    return _Unsafe(text) if re.search('{[{%#]', text) else text


def at(variables: Mapping[str, Any], path: str) -> Any:
    """Return the variable at a path such as ``nodepool.interface_ip``.

    :raises KeyError: there is none.
    """
    value: Any = variables
    for name in path.split('.'):
        if not isinstance(value, Mapping):
            raise KeyError(path)
        value = value[name]
    return value


def check(wishes: Wishes, dest: str, secrets: Secrets, hosts: Iterable[str]) -> None:
    """Look at the wishes.

    :raises Refused: with one line a problem.
    """
    problems = []
    if not dest.strip():
        problems.append("write_inventory_dest is '%s': no file. Write for example '/home/zuul/inventory.yaml'." % dest)
    for option, paths in (('include', wishes.include or []), ('additional', wishes.additional.values())):
        problems += ["write_inventory_%s_hostvars names '%s': that is a secret, or has the name of one, and secrets "
                     'are not written.' % (option, path) for path in paths
                     if path.split('.')[0] in secrets.names or any(map(is_secret, path.split('.')))]
    for host, given in sorted(wishes.per_host.items()):
        if host not in hosts:
            problems.append("write_inventory_per_host_hostvars has '%s': not a host of this build. There are %s."
                            % (host, ', '.join(sorted(hosts))))
        problems += ["write_inventory_per_host_hostvars has '%s' for '%s': that has the name of a secret, or a secret "
                     'of this playbook in it, and secrets are not written.' % (name, host)
                     for name, value in sorted(given.items()) if is_secret(name) or is_known(value, secrets)]
    if problems:
        raise Refused(told(problems))


def told(problems: List[str]) -> str:
    return 'write-inventory: cannot continue, %d problem%s:\n%s' % (
        len(problems), '' if len(problems) == 1 else 's', '\n'.join('  - ' + one for one in problems))


def is_known(value: Any, secrets: Secrets) -> bool:
    """Tell whether there is one of the secrets in a value."""
    return any(secret in text for text in texts(value) for secret in secrets.texts)


def of_host(variables: Mapping[str, Any], wishes: Wishes, secrets: Secrets) -> Tuple[Dict[str, Any], Dict[str, str]]:
    """Return the variables to write for a host, and those that are left out with the reason."""
    names = sorted(variables) if wishes.include is None else [name for name in wishes.include if name in variables]
    written: Dict[str, Any] = {}
    without: Dict[str, str] = {}
    for name, path in [*((name, name) for name in names), *wishes.additional.items()]:
        own = wishes.include is None and name not in wishes.additional
        if name in wishes.exclude or (own and _OWN.match(name)):
            continue
        if own and (name in secrets.names or is_secret(name)):
            without[name] = 'it has the name of a secret'
            continue
        try:
            value = variables[path] if path in variables else at(variables, path)
        except KeyError:
            without[name] = "there is no variable '%s'" % path
        except AnsibleError as error:
            without[name] = 'it has no value: %s' % error
        else:
            if is_known(value, secrets):
                without[name] = 'there is a secret of this playbook in it'
            else:
                written[bare(name)] = plain(value)
    return written, without


def inventory(hosts: Iterable[str], hostvars: Mapping[str, Any], wishes: Wishes,
              secrets: Secrets) -> Tuple[str, List[str]]:
    """Return the text of the inventory, and the names of variables that were left out of it.

    :raises Refused: one that was asked for by name cannot be written.
    """
    written: Dict[str, Any] = {}
    left_out: Set[str] = set()
    problems = []
    for host in hosts:
        variables, without = of_host(hostvars[host], wishes, secrets)
        written[bare(host)] = {**variables, **plain(wishes.per_host.get(host, {}))}
        left_out.update(without)
        problems += ["variable '%s' of host '%s' cannot be written: %s." % (name, host, why)
                     for name, why in sorted(without.items())
                     if wishes.include is not None or name in wishes.additional]
    if problems:
        raise Refused(told(problems))
    text = yaml.dump({'all': {'hosts': written}}, Dumper=_Dumper, default_flow_style=False, width=120)
    return text, sorted(left_out)


def failure(answer: Mapping[str, Any]) -> str:
    """Return why the module failed, with the end of what Python or the node's shell said instead of an answer."""
    said = (str(answer.get(name) or '').strip() for name in ('module_stderr', 'module_stdout'))
    return '\n'.join([str(answer.get('msg') or 'write-inventory: the node did not answer'),
                      *(one[-_SAID:] for one in said if one)])


class ActionModule(ActionBase):
    """Make the text on the executor, write it on the node."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        super().run(tmp, task_vars)
        known = task_vars or {}
        _, args = self.validate_argument_spec({
            'dest': {'type': 'str', 'required': True},
            'include': {'type': 'list', 'elements': 'str'},
            'exclude': {'type': 'list', 'elements': 'str', 'default': []},
            'additional': {'type': 'dict', 'default': {}},
            'per_host': {'type': 'dict', 'default': {}},
        })
        wishes = Wishes(args['include'], args['exclude'], args['additional'], args['per_host'])
        hosts = list(known['groups']['all'])
        try:
            secrets = self._secrets(known)
        except (OSError, ValueError, yaml.YAMLError) as error:
            return {'failed': True, 'msg': 'write-inventory: cannot tell which variables are secrets: %s' % error}
        try:
            check(wishes, args['dest'], secrets, hosts)
            text, left_out = inventory(hosts, known['hostvars'], wishes, secrets)
        except Refused as error:
            return {'failed': True, 'msg': str(error)}
        answer = self._execute_module('write_inventory_file', module_args={'path': args['dest'], 'content': text},
                                      task_vars=task_vars)
        if answer.get('failed'):
            return {'failed': True, 'msg': failure(answer)}
        without = '; left out: ' + ', '.join(left_out) if left_out else ''
        return {'changed': bool(answer.get('changed')), 'left_out': left_out,
                'msg': '%s of %d host%s%s' % (args['dest'], len(hosts), '' if len(hosts) == 1 else 's', without)}

    @staticmethod
    def _secrets(known: Mapping[str, Any]) -> Secrets:
        """Zuul's executor puts the secrets of a playbook beside its inventory, and nothing else there."""
        path = os.path.join(str(known.get('inventory_dir') or ''), 'group_vars', 'all.yaml')
        if 'zuul' not in known or not os.path.exists(path):
            return Secrets(set(), set())
        with open(path, encoding='utf-8') as stream:
            return secrets_of(stream.read())
