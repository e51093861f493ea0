"""A source distribution, fetched by its digest and unpacked as a repository that a job can run on."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from zuul_local.environment import index as indexes

LIST = Path(__file__).with_name('projects.yaml')
LARGEST = 200 << 20     # bytes of what is in an archive
JOB = 'project-tests'
PLAIN = 'plain-tests'


@dataclass(frozen=True)
class Project:
    """An entry of the list; see there."""

    name: str
    version: str
    sha256: str
    style: str
    python: str
    job: str
    plain: Mapping[str, list[str]]
    vars: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def suits(self, python: str) -> bool:
        """Return whether a label with *python* can run it."""
        return _numbers(python) >= _numbers(self.python)


def projects() -> dict[str, Project]:
    """Return the projects of the list, by name."""
    entries = yaml.safe_load(LIST.read_text(encoding='utf-8'))
    return {name: Project(name, **entry) for name, entry in entries.items()}


def choose(links: list[indexes.Link], project: Project) -> indexes.Link:
    """Return the archive of *project* among the files of an index.

    :raises LookupError: none has its name and digest.
    """
    name = re.sub(r'[-_.]+', '-', project.name).lower()
    for link in links:
        stem, dot, rest = link.filename.rpartition(f'-{project.version}.tar.gz')
        if dot and not rest and re.sub(r'[-_.]+', '-', stem).lower() == name and link.sha256 in (None, project.sha256):
            return link
    raise LookupError(f'{project.name} {project.version}: the index has no archive with sha256 {project.sha256}.')


def fetch(project: Project, folder: Path) -> Path:
    """Return the archive of *project* in *folder*, fetched from the index of this machine when it is not there.

    :raises LookupError: the index has it not, or sends something else.
    """
    path = folder / f'{project.name}-{project.version}.tar.gz'
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == project.sha256:
        return path
    index = indexes.here()
    page = f'{index.urls[0]}/{re.sub(r"[-_.]+", "-", project.name).lower()}/'
    answer, kind, url = indexes._get(page, index, f'{indexes.JSON}, text/html;q=0.5')
    read = indexes.json_links if kind == indexes.JSON else indexes.html_links
    link = choose(list(read(answer.decode('utf-8', 'replace'), url)), project)
    data, _, _ = indexes._get(link.url, index, '*/*')
    if hashlib.sha256(data).hexdigest() != project.sha256:
        raise LookupError(f'{link.filename}: what the index sent is not what the list says. Nothing of it was used.')
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def unpack(archive: Path, folder: Path) -> None:
    """Unpack *archive* into *folder*, without its top folder: files and folders. Links are left out.

    :raises ValueError: a device, or a name that leads elsewhere; more than one folder at the top; far too much.
    """
    with tarfile.open(archive) as tar:
        members = [member for member in tar.getmembers() if not (member.issym() or member.islnk())]
        names = [PurePosixPath(member.name).parts for member in members]
        for member, parts in zip(members, names, strict=True):
            if not (member.isfile() or member.isdir()) or not parts or '..' in parts or '/' in parts:
                raise ValueError(f'{archive.name}: {member.name!r} is no file or folder below its top.')
        if len({parts[0] for parts in names}) != 1 or sum(member.size for member in members) > LARGEST:
            raise ValueError(f'{archive.name}: not one folder of less than {LARGEST >> 20} MiB.')
        for member, parts in zip(members, names, strict=True):
            path = folder.joinpath(*parts[1:])
            path.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            if content is None:
                path.mkdir(exist_ok=True)
            else:
                path.write_bytes(content.read())
                path.chmod(0o755 if member.mode & 0o100 else 0o644)


def filled(value: Any, words: Mapping[str, str]) -> Any:
    """Return *value* with ``{python}``, ``{env}`` and ``{src}`` in its texts replaced."""
    if isinstance(value, str):
        return re.sub(r'\{(python|env|src)\}', lambda match: words[match[1]], value)
    if isinstance(value, dict):
        return {key: filled(one, words) for key, one in value.items()}
    return [filled(one, words) for one in value] if isinstance(value, list) else value


def configuration(project: Project, words: Mapping[str, str]) -> dict[str, str]:
    """Return the files that make an unpacked archive a project of Zuul: its jobs, and the playbook without them."""
    jobs = [
        {'job': {'name': JOB, 'parent': project.job, 'vars': filled(dict(project.vars), words)}},
        {'job': {'name': PLAIN, 'parent': 'base', 'run': 'plain.yaml'}},
        {'project': {'check': {'jobs': [JOB]}}},
    ]
    tasks = [
        {'name': 'Install what the project asks for', 'include_role': {'name': 'bindep'}},
        {'name': 'Have venv', 'include_role': {'name': 'ensure-virtualenv'}},
        {'name': 'Make an environment', 'command': 'virtualenv {{ ansible_user_dir }}/plain'},
        {'name': 'Install', 'command': {
            'argv': ['{{ ansible_user_dir }}/plain/bin/pip', 'install', *project.plain['install']],
            'chdir': '{{ zuul.project.src_dir }}'}},
        {'name': 'Test', 'command': {'argv': project.plain['test'], 'chdir': '{{ zuul.project.src_dir }}'},
         'environment': {'PATH': '{{ ansible_user_dir }}/plain/bin:/usr/bin:/bin'}},
    ]
    play = [{'hosts': 'all', 'roles': [], 'tasks': tasks}]
    return {'.zuul.yaml': yaml.safe_dump(jobs, sort_keys=False), 'plain.yaml': yaml.safe_dump(play, sort_keys=False),
            **project.files}


def repository(project: Project, archive: Path, folder: Path, python: str) -> Path:
    """Make *folder* a git repository of what is in *archive*, tagged with its version, for a node with *python*."""
    unpack(archive, folder)
    words = {'python': python, 'env': 'py' + python.replace('.', ''),
             'src': f'{{{{ ansible_user_dir }}}}/src/local/{folder.name}'}
    for name, text in configuration(project, words).items():
        (folder / name).write_text(text, encoding='utf-8')
    for path in folder.glob('zuul.d'):
        path.rename(folder / 'zuul.d.theirs')
    for line in (('init', '-q', '-b', 'main'), ('add', '-A', '-f'), ('commit', '-q', '-m', 'As released'),
                 ('tag', project.version)):
        subprocess.run(('git', '-C', folder, '-c', 'user.name=Test', '-c', 'user.email=test@example.org', *line),
                       check=True, stdin=subprocess.DEVNULL)
    return folder


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split('.'))
