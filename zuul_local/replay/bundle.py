"""The bundle of a build: one JSON document, which anybody may have written."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zuul_local.errors import UserError
from zuul_local.tenant.project import valid_name

NAME = 'replay.json'
VERSION = 1
MAX_BYTES = 8 * 1024 * 1024
MAX_TEXT = 255
_COMMIT = re.compile(r'[0-9a-f]{40}(?:[0-9a-f]{24})?')
_VARIABLE = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
_BRANCH = re.compile(r'(?!-)[^\x00-\x20\x7f~^:?*\[\\]+')


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every part has the form that it must have.

    :ivar project: canonical name of the tested project.
    :ivar change: commit of the change itself, before Zuul merged it; '' where it is not known.
    :ivar commits: canonical name -> commit, for every project of the workspace.
    :ivar sources: the same for the playbooks.
    :ivar nodes: name -> label.
    :ivar hidden: variables that it does not tell.
    :ivar tools: what is told of each tool, by node and name.
    :ivar failures: what is told of each failed task, by host, playbook and task.
    """

    build: str
    job: str
    pipeline: str
    branch: str
    ref: str
    project: str
    change: str
    ansible_version: str
    commits: Mapping[str, str]
    sources: Mapping[str, str]
    nodes: Mapping[str, str]
    variables: Mapping[str, Any]
    hidden: tuple[str, ...]
    tools: Mapping[tuple[str, str], Mapping[str, str]]
    failures: Mapping[tuple[str, str, str], tuple[str, ...]]


def read(path: Path) -> Bundle:
    """Read the bundle at *path*, a file or the folder of a build's logs.

    :raises UserError: it cannot be read, or with all that is wrong about it.
    """
    path = path / NAME if path.is_dir() else path
    hint = f'Download {NAME} from the logs of a build that failed, or name the folder of a local one.'
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, 'rb') as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UserError(f'{path}: no plain file.', hint)
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f'{path}: {error.strerror}.', hint) from error
    if len(data) > MAX_BYTES:
        raise UserError(f'{path}: larger than {MAX_BYTES} bytes, which no bundle is.', hint)
    try:
        document = json.loads(data.decode('utf-8'))
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path}: not JSON: {str(error)[:200]}.', hint) from error
    if not isinstance(document, dict) or 'version' not in document:
        raise UserError(f'{path}: no replay bundle.', hint)
    if document['version'] != VERSION:
        raise UserError(f'{path}: a bundle of version {document["version"]!r}; this program knows version {VERSION}.',
                        'Use the zuul-local of the library that made it.')
    return parse(document, str(path))


def parse(document: Mapping[str, Any], where: str) -> Bundle:
    """Return the bundle that *document* is.

    :raises UserError: with all that is wrong about it.
    """
    form = _Form(document)
    build = form.mapping('build')
    found = Bundle(
        build=form.text('build.uuid', build.get('uuid')),
        job=form.text('build.job', build.get('job'), needed=True),
        pipeline=form.text('build.pipeline', build.get('pipeline')),
        branch=form.match('build.branch', build.get('branch'), _BRANCH, 'a branch'),
        ref=form.match('build.ref', build.get('ref'), _BRANCH, 'a reference'),
        project=form.project('project', document.get('project')),
        change=form.match('build.commit_id', build.get('commit_id'), _COMMIT, 'a commit'),
        ansible_version=form.text('ansible_version', document.get('ansible_version')),
        commits=form.commits('projects', form.mapping('projects').items()),
        sources=form.commits('playbooks', ((one.get('project'), one) for one in form.records('playbooks'))),
        nodes={form.text('nodes.name', one.get('name'), needed=True): form.text('nodes.label', one.get('label'))
               for one in form.records('nodes')},
        variables={form.match('variables', name, _VARIABLE, 'the name of a variable'): value
                   for name, value in form.mapping('variables').items()},
        hidden=tuple(form.text('hidden', name) for name in form.items('hidden')),
        tools={(form.text('tools.node', one.get('node')), form.text('tools.name', one.get('name'))):
               {key: form.text(f'tools.{key}', one.get(key)) for key in ('version', 'source', 'digest', 'python')}
               for one in form.records('tools')},
        failures={(form.text('failures.host', one.get('host')), form.text('failures.playbook', one.get('playbook')),
                   form.text('failures.task', one.get('task'), most=2000)):
                  tuple(_printable(line[:500]) for line in form.said(one.get('said')))
                  for one in form.records('failures')})
    if found.project and found.project not in found.commits:
        form.problems.append(f'projects: the tested one, {found.project}, is not among them.')
    if form.problems:
        shown = list(dict.fromkeys(form.problems))[:20]
        raise UserError('\n'.join([f'{where} is no bundle that can be replayed:', *(f'  - {one}' for one in shown)]),
                        'Take the file as the build published it.')
    return found


def _printable(line: str) -> str:
    return ''.join(char if char.isprintable() else ' ' for char in line)


class _Form:
    """Takes a document apart and notes whatever has not the form that it must have."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.problems: list[str] = []

    def _wrong(self, where: str, value: Any, what: str) -> None:
        self.problems.append(f'{where} is {json.dumps(value, default=str)[:100]}: not {what}.')

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self.document.get(key)
        if isinstance(value, dict):
            return value
        self._wrong(key, value, 'a mapping')
        return {}

    def items(self, key: str) -> list[Any]:
        value = self.document.get(key)
        if isinstance(value, list):
            return value
        self._wrong(key, value, 'a list')
        return []

    def records(self, key: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for one in self.items(key):
            if isinstance(one, dict):
                found.append(one)
            else:
                self._wrong(key, one, 'a list of mappings')
        return found

    def text(self, where: str, value: Any, *, needed: bool = False, most: int = MAX_TEXT) -> str:
        if value is None and not needed:
            return ''
        if isinstance(value, str) and value.isprintable() and len(value) <= most and (value or not needed):
            return value
        self._wrong(where, value, f'a printable text of at most {most} characters')
        return ''

    def match(self, where: str, value: Any, pattern: re.Pattern[str], what: str) -> str:
        if value is None or value == '':
            return ''
        if isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable() and pattern.fullmatch(value):
            return value
        self._wrong(where, value, what)
        return ''

    def project(self, where: str, value: Any) -> str:
        host, _, name = value.partition('/') if isinstance(value, str) else ('', '', '')
        if valid_name(host, name) and len(value) <= MAX_TEXT:
            return str(value)
        self._wrong(where, value, 'a canonical project name, HOST/NAME')
        return ''

    def said(self, value: Any) -> list[str]:
        """What a task said is only shown and compared; what has not its form is left out."""
        return [line for line in value if isinstance(line, str)] if isinstance(value, list) else []

    def commits(self, where: str, pairs: Any) -> dict[str, str]:
        found = {}
        for name, about in pairs:
            commit = about.get('commit') if isinstance(about, dict) else None
            if commit is None and where == 'playbooks':
                continue
            if isinstance(commit, str) and _COMMIT.fullmatch(commit):
                found[self.project(where, name)] = commit
            else:
                self._wrong(f'{where}: {str(name)[:100]}', commit, 'a commit')
        return found
