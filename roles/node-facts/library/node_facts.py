#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Compare what a test node says about itself with what it is."""
from __future__ import annotations

DOCUMENTATION = r'''
module: node_facts
short_description: Compare what a test node says about itself with what it is
description:
  - Reads C(/etc/ci-node-facts.json), checks its shape, and compares it with the files of the node. Only files are
    looked at; of what lies there nothing is run. Nothing is changed.
  - The node may be hostile. No link is followed, only regular files are read, and of each no more than a limit.
  - What does not match is listed in C(problems); it is no failure.
options:
  schema: {description: The JSON schema of the facts., type: dict, required: true}
  root:
    description: Where the root of the node lies. Anything but C(/) is an image that was never started.
    type: str
    default: /
  expect:
    description: Members of the facts and the values they must have.
    type: dict
    default: {}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Look at an image that is mounted
  become: true
  node_facts:
    schema: "{{ lookup('ansible.builtin.file', 'facts.schema.json') | from_json }}"
    root: /mnt/image
    expect: {label: debian-bookworm}
'''
RETURN = r'''
facts: {description: The facts as they were read; empty when there are none of use., type: dict, returned: success}
problems: {description: What does not match., type: list, elements: str, returned: success}
ansible_facts:
  description: C(node_facts_problems), the same as C(problems).
  type: dict
  returned: success
'''

import json
import os
import re
import shutil
import stat
import subprocess
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.node_facts_schema import misfits
from ansible.module_utils.node_facts_tree import Strange, Tree, kind_of, printable, told

FACTS = '/etc/ci-node-facts.json'
FACTS_LIMIT = 4 << 20
LIST_LIMIT = 64 << 20
LINES = 100
"""So many problems are told; the rest is counted."""
EXPECTED = {'label': str, 'architecture': str, 'pythons': list, 'profiles': list}
"""Members of the facts that a caller may ask for."""

GLOBAL = ('pip', 'setuptools', 'tox', 'virtualenv')
COMMAND = re.compile(r'(?:pip|tox|virtualenv|easy_install)(?:-?[0-9.]+)?\Z')
PATH = ('/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin')
MODULES = re.compile(r'python3(?:\.[0-9]+)?\Z')
PACKAGES = ('python3-pip', 'python3-setuptools', 'python3-tox', 'python3-virtualenv', 'tox', 'virtualenv')
EMPTY = ('/root/.bash_history', '/root/.python_history', '/home/zuul/.bash_history', '/root/.netrc', '/root/.pypirc',
         '/root/.ssh/authorized_keys', '/etc/resolv.conf', '/etc/uv/uv.toml')
RULE = 'zuul ALL=(ALL) NOPASSWD:ALL'
PROXY = re.compile(rb'^\s*(?:export\s+)?\w*_proxy\s*=\s*\S|^\s*Acquire::\w+::Proxy\b|^\s*proxy\s*=', re.I | re.M)
CERTIFICATE = re.compile(rb'-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----', re.S)
INDEX = re.compile(rb'^\s*(?:index[-_]url|extra[-_]index[-_]url|find[-_]links|cert|client[-_]cert|trusted[-_]host)\s*=',
                   re.I | re.M)
REBUILD = 'Build the image again'


class Refused(Exception):
    """What was asked for cannot be meant."""


def read_facts(tree: Tree, schema: Mapping[str, Any]) -> Tuple[Dict[str, Any], List[str]]:
    """Return the facts, and what is wrong with their file; with any wrong there are no facts."""
    try:
        data = tree.read(FACTS, FACTS_LIMIT)
        if data is None:
            return {}, ['%s is not there; right is: the file that setup-node writes last. %s, or run the step '
                        '"facts" of setup-node.' % (FACTS, REBUILD)]
        facts = json.loads(data.decode('utf-8'))
    except Strange as error:
        return {}, ['%s; right is: a regular file of at most %d bytes. %s.' % (error, FACTS_LIMIT, REBUILD)]
    except (ValueError, RecursionError) as error:
        return {}, ['%s cannot be read as JSON (%s); right is: what setup-node writes. %s.'
                    % (FACTS, printable(str(error)), REBUILD)]
    wrong = ['%s: %s. %s.' % (FACTS, line, REBUILD) for line in misfits(facts, schema, schema)]
    return ({} if wrong else facts), wrong


def different(where: str, there: Mapping[str, str], written: Mapping[str, str], extra: bool = True) -> Iterator[str]:
    """Compare two lists of versions."""
    for name in sorted(written):
        if there.get(name) != written[name]:
            yield '%s: %s is %s; right is: %s, as %s says. %s.' % (
                where, told(name), told(there.get(name, 'not there')), told(written[name]), FACTS, REBUILD)
    for name in sorted(set(there) - set(written) if extra else ()):
        yield '%s: %s %s is there; right is: nothing that %s does not name. %s.' % (
            where, told(name), told(there[name]), FACTS, REBUILD)


def check_system(tree: Tree, facts: Mapping[str, Any], image: bool) -> Iterator[str]:
    """The system, its pythons and its packages."""
    path = '/etc/os-release'
    status = tree.status(path)
    if status is None or stat.S_ISLNK(status.st_mode):
        path = '/usr/lib/os-release'
    pairs = dict(line.split('=', 1) for line in (tree.read(path) or b'').decode('utf-8', 'replace').splitlines()
                 if '=' in line)
    there = {name: pairs.get(key, '').strip('"\'') for name, key in
             (('id', 'ID'), ('version', 'VERSION_ID'), ('codename', 'VERSION_CODENAME'))}
    yield from different(path, there, facts['os'])
    pythons = sorted((name[len('python'):] for name in tree.names('/usr/bin') if re.match(r'python3\.[0-9]+\Z', name)),
                     key=lambda name: int(name[2:]))
    if pythons != facts['pythons']:
        yield '/usr/bin: python is there in %s; right is: %s, as %s says. %s.' % (
            ', '.join(pythons) or 'no version', ', '.join(facts['pythons']), FACTS, REBUILD)
    packages = installed_packages(tree, image)
    if packages is not None:
        yield from different('package', packages, facts['packages'], extra=image)
        for name in sorted(set(PACKAGES) & set(packages)):
            yield 'package: %s %s is installed; right is: not installed. Remove it from the lists of the recipe.' % (
                name, told(packages[name]))


def installed_packages(tree: Tree, image: bool) -> Optional[Dict[str, str]]:
    """Return {package: version}; None where that cannot be known without running what an image brings."""
    status = tree.read('/var/lib/dpkg/status', LIST_LIMIT)
    if status is not None and tree.status('/usr/bin/dpkg-query') is not None:
        found = []
        for entry in status.decode('utf-8', 'replace').split('\n\n'):
            fields = dict(line.split(': ', 1) for line in entry.splitlines() if ': ' in line and line[0] != ' ')
            if fields.get('Status', '').endswith(' installed'):
                found.append((fields.get('Package', ''), fields.get('Version', '')))
        return dict(sorted(found))
    if image or not shutil.which('rpm'):
        return None
    done = subprocess.run(['rpm', '-qa', '--queryformat', '%{NAME} %{VERSION}-%{RELEASE}\\n'], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=60, check=False)
    words = (line.split() for line in done.stdout.decode('utf-8', 'replace').splitlines())
    return dict(sorted((one[0], one[1]) for one in words if len(one) == 2))


def check_global(tree: Tree, facts: Mapping[str, Any], image: bool) -> Iterator[str]:
    """No pip, setuptools, tox or virtualenv belongs to everybody."""
    remedy = 'Take away what installs it, or run the role cleanup-global-python'
    for folder in PATH:
        for name in tree.names(folder):
            if COMMAND.match(name):
                yield '%s/%s is there; right is: no such command on the PATH of everybody. %s.' % (
                    folder, printable(name), remedy)
    for base in ('/usr/lib', '/usr/lib64', '/usr/local/lib'):
        status = tree.status(base)
        if status is None or not stat.S_ISDIR(status.st_mode):
            continue
        for python in filter(MODULES.match, tree.names(base)):
            for kind in ('dist-packages', 'site-packages'):
                folder = '/'.join((base, python, kind))
                for name in tree.names(folder):
                    if name in GLOBAL or (name.split('-')[0].split('.')[0] in GLOBAL
                                          and name.endswith(('.dist-info', '.egg-info', '.egg', '.py', '.egg-link'))):
                        yield '%s/%s is there; right is: not for the Python of the system. %s.' % (
                            folder, printable(name), remedy)


def check_tools(tree: Tree, facts: Mapping[str, Any], image: bool) -> Iterator[str]:
    """The venvs of tools, and the commands that they are there for."""
    for venv, written in sorted(facts['tools'].items()):
        home = '/usr/' + venv
        if tree.status(home) is None:
            first = sorted(written, key=lambda name: (name + '-env' != venv, name))[:5]
            yield '%s is not there; right is: a venv with %s. %s.' % (
                home, ', '.join('%s %s' % (told(name), told(written[name])) for name in first), REBUILD)
            continue
        there: Dict[str, str] = {}
        for python in filter(MODULES.match, tree.names(home + '/lib')):
            for name in tree.names('%s/lib/%s/site-packages' % (home, python)):
                if name.endswith('.dist-info'):
                    project, _, version = name[:-len('.dist-info')].rpartition('-')
                    there[re.sub(r'[-_.]+', '-', project).lower()] = version
        yield from different(home, there, written)
        if tree.status(home + '/bin/python') is None:
            yield '%s/bin/python is not there; right is: a link to the Python of the system. %s.' % (home, REBUILD)
    for name, path in sorted(facts['commands'].items()):
        status = tree.status(path)
        if status is None or not (stat.S_ISLNK(status.st_mode) or status.st_mode & 0o111):
            yield '%s is %s; right is: the command %s. %s.' % (
                printable(path), 'not there' if status is None else 'not executable', told(name), REBUILD)


def check_caches(tree: Tree, facts: Mapping[str, Any], image: bool) -> Iterator[str]:
    """Every byte of the caches is what was written down, and nothing else is there."""
    for kind in ('wheels', 'files', 'packages'):
        folder, written = facts['caches'][kind]['path'], facts['caches'][kind]['files']
        for name in sorted(set(written) | set(tree.names(folder))):
            path = '%s/%s' % (folder, name)
            if '/' in name or name in ('.', '..'):
                yield '%s: the name %s leads elsewhere; right is: a name in %s. %s.' % (
                    FACTS, told(name), printable(folder), REBUILD)
                continue
            if name not in written:
                yield '%s is there; right is: no file that %s does not name. Remove it, or build the image again.' % (
                    printable(path), FACTS)
                continue
            try:
                found = tree.digest(path)
            except FileNotFoundError:
                yield '%s is not there; right is: a file with sha256 %s. %s.' % (
                    printable(path), written[name], REBUILD)
            except Strange as error:
                yield '%s; right is: a file with sha256 %s. %s.' % (error, written[name], REBUILD)
            else:
                if found != written[name]:
                    yield '%s has sha256 %s; right is: %s. It was changed; %s.' % (
                        printable(path), found, written[name], REBUILD.lower())
    repositories = facts['caches']['repositories']
    for name, commit in sorted(repositories['heads'].items()):
        path = '%s/%s' % (repositories['path'], name)
        there = head(tree, path)
        if there != commit:
            yield '%s: HEAD is %s; right is: %s. %s.' % (
                printable(path), 'not there' if there is None else there or 'no commit', commit or 'no commit', REBUILD)


def head(tree: Tree, repository: str) -> Optional[str]:
    """Return the commit of HEAD as its files say, without running git; None where there is no repository."""
    for folder in (repository + '/.git', repository):
        said = tree.read(folder + '/HEAD')
        if said is None:
            continue
        text = said.decode('ascii', 'replace').strip()
        if not text.startswith('ref: refs/'):
            return printable(text)
        branch = text[len('ref: '):]
        loose = tree.read('%s/%s' % (folder, branch))
        if loose is not None:
            return printable(loose.decode('ascii', 'replace').strip())
        for line in (tree.read(folder + '/packed-refs', LIST_LIMIT) or b'').decode('utf-8', 'replace').splitlines():
            commit, _, name = line.partition(' ')
            if name == branch:
                return printable(commit)
        return ''
    return None


def check_sudoers(tree: Tree, facts: Mapping[str, Any], image: bool) -> Iterator[str]:
    """Who may become root."""
    rules = ['/etc/sudoers.d/' + name for name in tree.names('/etc/sudoers.d')]
    if '/etc/sudoers.d/zuul' not in rules:
        yield '/etc/sudoers.d/zuul is not there; right is: a file with "%s". %s.' % (RULE, REBUILD)
    for path in ['/etc/sudoers', *rules]:
        status = tree.status(path)
        if status is None:
            continue
        if not stat.S_ISREG(status.st_mode):
            yield '%s is %s; right is: a regular file. %s.' % (printable(path), kind_of(status.st_mode), REBUILD)
            continue
        mode = stat.S_IMODE(status.st_mode)
        if mode != 0o440:
            yield '%s has mode %04o; right is: 0440. chmod 0440 it in the recipe.' % (printable(path), mode)
        if image is False and status.st_uid:
            yield '%s belongs to user %d; right is: root.' % (printable(path), status.st_uid)
        if path == '/etc/sudoers':
            continue
        text = (tree.read(path) or b'').decode('utf-8', 'replace')
        lines = (line.split('#')[0].strip() for line in text.splitlines())
        grants = [' '.join(line.split()) for line in lines if line and not line.startswith('Defaults')]
        right = [RULE] if path == '/etc/sudoers.d/zuul' else []
        if grants != right:
            yield '%s says %s; right is: %s. %s.' % (
                printable(path), told('; '.join(grants) or 'nothing'), right[0] if right else 'nobody else is named',
                REBUILD)


def check_units(tree: Tree, facts: Mapping[str, Any], image: bool) -> Iterator[str]:
    """What systemd could not start."""
    if image or not shutil.which('systemctl'):
        return
    done = subprocess.run(['systemctl', 'list-units', '--failed', '--plain', '--no-legend', '--no-pager', '--full'],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False,
                          env=dict(os.environ, LC_ALL='C', SYSTEMD_COLORS='0'))
    if done.returncode:
        yield 'systemctl list-units --failed: exit code %d: %s; right is: a list. See whether systemd runs.' % (
            done.returncode, told(done.stderr.decode('utf-8', 'replace').strip()))
    for line in done.stdout.decode('utf-8', 'replace').splitlines():
        words = line.split()
        if words:
            yield 'systemd: %s has failed; right is: no failed unit. See journalctl --unit=%s.' % (
                told(words[0]), told(words[0]))


def check_traces(tree: Tree, facts: Mapping[str, Any], image: bool) -> Iterator[str]:
    """What an image must not bring from where it was made. A running node has its own of all this."""
    if not image:
        return
    for name in tree.names('/etc/ssh'):
        if name.startswith('ssh_host_') and not name.endswith('.moduli'):
            yield '/etc/ssh/%s is there; right is: no host keys in an image, each node makes its own.' % printable(name)
    machine = tree.read('/etc/machine-id')
    if machine is not None and machine.strip() not in (b'', b'uninitialized'):
        yield '/etc/machine-id is %s; right is: empty, each node gets its own.' % told(
            machine.decode('ascii', 'replace').strip())
    for path in EMPTY:
        status = tree.status(path)
        if status is not None and stat.S_ISREG(status.st_mode) and status.st_size:
            if path == '/etc/resolv.conf' and resolver_is_own(tree.read(path) or b''):
                continue
            yield '%s has %d bytes; right is: empty or not there. It comes from where the image was made.' % (
                path, status.st_size)
    for folder in ('/root/.ssh', '/home/zuul/.ssh'):
        for name in tree.names(folder):
            if name != 'authorized_keys':
                yield '%s/%s is there; right is: no keys in an image.' % (folder, printable(name))
    for name in tree.names('/usr/local/share/ca-certificates'):
        yield '/usr/local/share/ca-certificates/%s is there; right is: none but those of the distribution.' % printable(
            name)
    foreign = foreign_authorities(tree)
    if foreign:
        yield ('/etc/ssl/certs/ca-certificates.crt has %d certificates of others; right is: those of the distribution. '
               'They come from where the image was made.' % foreign)
    for path in ['/etc/environment', '/etc/profile', '/etc/wgetrc', '/etc/dnf/dnf.conf', '/etc/apt/apt.conf',
                 *('/etc/apt/apt.conf.d/' + name for name in tree.names('/etc/apt/apt.conf.d')),
                 *('/etc/profile.d/' + name for name in tree.names('/etc/profile.d'))]:
        status = tree.status(path)
        if status is not None and stat.S_ISREG(status.st_mode):
            found = PROXY.search(tree.read(path) or b'')
            if found:
                yield '%s sets a proxy (%s); right is: none.' % (
                    printable(path), told(found.group().decode('utf-8', 'replace').strip().split('=')[0]))
    for path in ('/etc/pip.conf', '/etc/xdg/pip/pip.conf', '/root/.config/pip/pip.conf', '/root/.pip/pip.conf'):
        if INDEX.search(tree.read(path) or b''):
            yield '%s names an index or certificates; right is: what pip does by itself.' % path


def foreign_authorities(tree: Tree) -> int:
    """Return how many certificates are in the bundle of CAs that no package brings; 0 where no folder says which do."""
    base = '/usr/share/ca-certificates'
    brought: Set[bytes] = set()
    for name in tree.names(base):
        for file in tree.names('%s/%s' % (base, name)):
            brought.update(certificates(tree.read('%s/%s/%s' % (base, name, file)) or b''))
    bundle = certificates(tree.read('/etc/ssl/certs/ca-certificates.crt', LIST_LIMIT) or b'')
    return len(bundle - brought) if brought else 0


def certificates(text: bytes) -> Set[bytes]:
    """Return the certificates in a PEM file, without their line ends."""
    return {b''.join(body.split()) for body in CERTIFICATE.findall(text)}


def resolver_is_own(text: bytes) -> bool:
    """Whether a resolv.conf names the node itself only."""
    servers = [line.split()[1] for line in text.splitlines() if re.match(rb'nameserver\s+\S', line)]
    return all(server in (b'127.0.0.1', b'::1', b'127.0.0.53') for server in servers) and b'search' not in text


def check_expected(facts: Mapping[str, Any], expect: Mapping[str, Any]) -> Iterator[str]:
    """What the caller wants the facts to say."""
    for key in sorted(expect):
        if facts[key] != expect[key]:
            yield '%s: %s is %s; right is: %s, as node_facts_expect says.' % (
                FACTS, key, told(facts[key]), told(expect[key]))


CHECKS = (check_system, check_global, check_tools, check_caches, check_sudoers, check_units, check_traces)


def refuse(root: str, expect: Mapping[str, Any]) -> None:
    """Raise what is wrong with the input, all of it at once."""
    problems = []
    if not root.startswith('/') or '..' in root.split('/'):
        problems.append("node_facts_root is '%s': it is no absolute path without '..'. Write e.g. '/' or '/mnt/image'."
                        % printable(root))
    for key in sorted(expect, key=str):
        kind = EXPECTED.get(key)
        if kind is None:
            problems.append("node_facts_expect has '%s': it is none of %s. Write one of these."
                            % (told(key), ', '.join(sorted(EXPECTED))))
        elif not isinstance(expect[key], kind) or not all(isinstance(item, str) for item in expect[key]):
            problems.append('node_facts_expect.%s is %s: it is no %s. Write e.g. %s.' % (
                key, told(expect[key]), 'text' if kind is str else 'list of texts',
                "'debian-bookworm'" if kind is str else "['3.11']"))
    if not problems and not os.path.isdir(root):
        problems.append("node_facts_root is '%s': no folder is there. Mount the image first." % printable(root))
    if problems:
        raise Refused('node-facts: cannot continue, %d problem%s:\n' % (len(problems), 's' * (len(problems) > 1))
                      + '\n'.join('  - ' + line for line in problems))


def compare(root: str, schema: Mapping[str, Any], expect: Mapping[str, Any]) -> Tuple[Dict[str, Any], List[str]]:
    """Return the facts of a node and what does not match.

    :raises Refused: the input cannot be meant.
    """
    refuse(root, expect)
    tree, image = Tree(root), os.path.normpath(root) != '/'
    facts, problems = read_facts(tree, schema)
    for check in CHECKS:
        if not facts and check not in (check_global, check_sudoers, check_units, check_traces):
            continue
        try:
            problems.extend(check(tree, facts, image))
        except (Strange, OSError, subprocess.SubprocessError) as error:
            problems.append('%s; right is: plain files and folders that root can read. %s.' % (error, REBUILD))
    if facts:
        problems.extend(check_expected(facts, expect))
    return facts, limited(problems)


def limited(problems: Sequence[str]) -> List[str]:
    """Return the first problems, and how many there are more."""
    more = len(problems) - LINES
    return [*problems[:LINES], *(['and %d more' % more] if more > 0 else [])]


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        'schema': {'type': 'dict', 'required': True},
        'root': {'type': 'str', 'default': '/'},
        'expect': {'type': 'dict', 'default': {}},
    })
    try:
        facts, problems = compare(module.params['root'], module.params['schema'], module.params['expect'])
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, facts=facts, problems=problems, ansible_facts={'node_facts_problems': problems})


if __name__ == '__main__':
    main()
