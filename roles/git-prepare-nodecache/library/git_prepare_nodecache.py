#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Make bare copies of a workspace's repositories, and one archive of them."""
from __future__ import annotations

DOCUMENTATION = r'''
module: git_prepare_nodecache
short_description: Make an archive of git repositories for the cache of test nodes
description:
  - Every project becomes a bare repository with the branches and tags of its sources, at its canonical name.
  - All of them go into one tar file, which is left alone when no branch and no tag differs from what is in it.
options:
  projects:
    description: The projects, each with C(canonical_name), C(src_dir) and perhaps C(checkout).
    type: list
    elements: dict
    required: true
  workspace: {description: Folder that the C(src_dir) are below., type: path, required: true}
  root: {description: Folder for the repositories and the archive., type: path, required: true}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Make a cache
  git_prepare_nodecache:
    projects: "{{ zuul.projects.values() }}"
    workspace: /home/zuul
    root: /home/zuul/git-cache
'''
RETURN = r'''
file: {description: Path of the archive., type: str, returned: success}
bytes: {description: Its size., type: int, returned: success}
renewed: {description: Names of the projects that something was new of., type: list, elements: str, returned: success}
'''

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule

ARCHIVE = 'git-cache.tar'
# One project's name may begin with another's; so neither's repository is the folder of the other.
_GIT = '.git'
_WORKERS = 4
_SECONDS = 3600
_KINDS = ('refs/heads', 'refs/tags')


class Refused(Exception):
    """The wish cannot be met. The message has all reasons."""


def git(git_dir: str, *args: str) -> bytes:
    """Run git on exactly this repository and return its output.

    :raises Refused: with what git said.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith('GIT_')}
    try:
        done = subprocess.run(
            ('git', '--git-dir=' + git_dir, '-c', 'core.hooksPath=/dev/null', '-c', 'gc.auto=0', *args),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=_SECONDS,
            env=dict(kept, LC_ALL='C', GIT_TERMINAL_PROMPT='0'))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused('git: %s' % error) from error
    if done.returncode:
        said = (done.stderr or done.stdout).decode('utf-8', 'replace').strip()[-2000:]
        raise Refused('git: exit code %d: %s' % (done.returncode, '; '.join(said.splitlines())))
    return done.stdout


def check(projects: Sequence[Dict[str, Any]], workspace: str, root: str) -> None:
    """Look at everything before anything is touched.

    :raises Refused: with one line a problem.
    """
    problems = []
    if not os.path.isabs(root):
        problems.append("git_cache_root is '%s': not an absolute path. Write for example '/home/zuul/git-cache'."
                        % root)
    for project in projects:
        name = project.get('canonical_name') or '?'
        for key in ('canonical_name', 'src_dir'):
            value = project.get(key) or ''
            path = os.path.normpath(value)
            if not value or os.path.isabs(value) or path.split('/')[0] in ('.', '..'):
                problems.append("%s of %s is '%s': not a folder below another." % (key, name, value))
        source = os.path.join(workspace, project.get('src_dir') or '', '.git')
        if not os.path.isdir(source):
            problems.append("%s has no git repository at '%s'. Call prepare-workspace-git before, with the same "
                            'zuul_workspace_root.' % (name, os.path.dirname(source)))
        elif os.path.exists(os.path.join(source, 'shallow')):
            problems.append("%s is a shallow repository at '%s': no node could use it."
                            % (name, os.path.dirname(source)))
    if problems:
        raise Refused('\n'.join(problems))


def read_refs(git_dir: str) -> str:
    """Return the branches and tags of a repository with what they point to, as git lists them."""
    listing = git(git_dir, 'for-each-ref', '--format=%(objectname) %(refname)', *_KINDS)
    return listing.decode('utf-8', 'surrogateescape')


def renew(source: str, target: str, refs: str, branch: str) -> bool:
    """Bring the bare repository *target* to the branches and tags of *source*. Return whether that changed it.

    :param refs: those of *source*.
    :param branch: the one that a clone checks out, when it exists.
    :raises Refused: git failed.
    """
    try:
        if os.path.exists(os.path.join(target, 'shallow')):
            raise Refused('shallow')
        if read_refs(target) == refs:
            return False
        _fetch(source, target)
    except Refused:
        # Nothing or something broken is there.
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        git(target, 'init', '-q', '--bare', '--template=')
        _fetch(source, target)
    head = 'refs/heads/' + branch
    if any(line.partition(' ')[2] == head for line in refs.splitlines()):
        git(target, 'symbolic-ref', 'HEAD', head)
    return True


def _fetch(source: str, target: str) -> None:
    git(target, '-c', 'fetch.unpackLimit=1', 'fetch', '-q', '--prune', '--no-tags', source,
        *('+%s/*:%s/*' % (kind, kind) for kind in _KINDS))
    os.unlink(os.path.join(target, 'FETCH_HEAD'))
    git(target, 'repack', '-a', '-d', '-q')
    git(target, 'pack-refs', '--all')


def digest(states: Dict[str, str]) -> str:
    """Return what stands for all branches and tags: name of a project -> its references."""
    return hashlib.sha256(json.dumps(states, sort_keys=True).encode('ascii')).hexdigest()


def is_current(archive: str, wanted: str) -> bool:
    """Whether the archive says of itself that it holds the state *wanted*."""
    try:
        with tarfile.open(archive) as tar:
            return tar.pax_headers.get('comment') == wanted
    except (OSError, tarfile.TarError):
        return False


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = 'root'
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def write_archive(root: str, names: Sequence[str], archive: str, state: str) -> None:
    """Put the repositories into one tar file, whole or not at all; they belong to root when root unpacks it."""
    new = archive + '.new'
    try:
        with tarfile.open(new, 'w', format=tarfile.PAX_FORMAT, pax_headers={'comment': state}) as tar:
            for name in sorted(names):
                tar.add(os.path.join(root, name, _GIT), arcname=os.path.join(name, _GIT), filter=_plain)
        os.replace(new, archive)
    except BaseException:
        if os.path.exists(new):
            os.unlink(new)
        raise


def provide(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :raises Refused: wrong parameters, or git failed.
    """
    projects: List[Dict[str, Any]] = params['projects']
    root = params['root']
    check(projects, params['workspace'], root)
    names = [os.path.normpath(one['canonical_name']) for one in projects]
    os.makedirs(root, exist_ok=True)

    def one(project: Dict[str, Any], name: str) -> Tuple[str, bool]:
        source = os.path.join(params['workspace'], project['src_dir'], '.git')
        try:
            refs = read_refs(source)
            return refs, renew(source, os.path.join(root, name, _GIT), refs, project.get('checkout') or '')
        except (Refused, OSError) as error:
            raise Refused('%s: %s' % (name, error)) from error

    with ThreadPoolExecutor(_WORKERS) as pool:
        results = list(pool.map(one, projects, names))
    archive = os.path.join(root, ARCHIVE)
    state = digest(dict(zip(names, [refs for refs, _ in results])))
    renewed = [name for name, (_, new) in zip(names, results) if new]
    changed = bool(renewed) or not is_current(archive, state)
    if changed:
        write_archive(root, names, archive, state)
    return {'changed': changed, 'file': archive, 'bytes': os.path.getsize(archive), 'renewed': renewed}


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={
        'projects': {'type': 'list', 'elements': 'dict', 'required': True},
        'workspace': {'type': 'path', 'required': True},
        'root': {'type': 'path', 'required': True},
    })
    try:
        module.exit_json(**provide(module.params))
    except (Refused, OSError) as error:
        module.fail_json(msg='git-prepare-nodecache: cannot continue:\n' + '\n'.join(
            '  - ' + line for line in str(error).splitlines()))


if __name__ == '__main__':
    main()
