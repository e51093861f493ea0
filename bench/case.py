"""A case: a playbook that is timed, the project that Zuul runs it from with one folder of roles, and the repositories
that it is run on.

The first play of ``cases/<name>.yaml`` has the roles under ``roles:`` and in its ``vars:``

* ``bench_states``: states of the node to start from (``prepare.yaml`` says what they are);
* ``bench_files``: files of the repository that is tested, path -> text;
* ``bench_parent``: the job's parent, where it is not ``base``;
* ``bench_repositories``, ``bench_logs`` or ``bench_tests``: numbers, each of which makes a case ``<name>-<number>``.
  The job is given so many repositories, the tested one among them; or ``logs.yaml`` writes so many logs on the node, or
  ``tests.yaml`` a run of so many tests, anew before each of the two runs, so that both have the same to do;
* ``bench_before``: another playbook than these, such as ``local-logs.yaml``, which writes them on the executor.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from zuul_local.errors import UserError
from zuul_local.process import run

HERE = Path(__file__).resolve().parent
PROJECT = 'roles-to-time'       # its name to Zuul, and so part of the path of each of its roles
HOST = 'local'                  # to which the runner counts repositories without an origin
TIMED = 'case.yaml'
FILES, BYTES = 20, 3000         # of each repository
GIT = ('git', '-c', 'user.name=Bench', '-c', 'user.email=bench@example.org', '-c', 'core.hooksPath=/dev/null')


@dataclass(frozen=True)
class Case:
    """See the module.

    :ivar about: what is timed, in words.
    :ivar roles: what the playbook asks for itself.
    :ivar repositories: how many the job is given.
    :ivar before: the playbook that runs before each run; '' for none.
    :ivar count: how many logs or tests that makes.
    """

    name: str
    about: str
    playbook: Path
    roles: tuple[str, ...]
    states: tuple[str, ...]
    files: Mapping[str, str]
    parent: str = 'base'
    repositories: int = 1
    before: str = ''
    count: int = 0

    def absent_in(self, folder: Path) -> list[str]:
        """Return the roles that *folder* lacks."""
        return [role for role in dict.fromkeys(self.roles) if not (folder / role / 'tasks').is_dir()]

    def job(self, state: str) -> str:
        return f'{self.name}-{state}'

    def project(self, parent: Path, roles: Path) -> Path:
        """Return a new repository below *parent* with the jobs of this case and a copy of all *roles*."""
        top = parent / PROJECT
        shutil.copytree(roles, top / 'roles', symlinks=True)
        for name in filter(None, ('prepare.yaml', self.before)):
            write(top / 'playbooks' / name, (HERE / name).read_text(encoding='utf-8'))
        write(top / 'playbooks' / TIMED, self.playbook.read_text(encoding='utf-8'))
        write(top / '.zuul.yaml', json.dumps(self._jobs(), indent=2))
        commit(top, self.about)
        return top

    def sources(self, parent: Path) -> list[Path]:
        """Return new repositories below *parent*, all with the same content: the one to test, and those it requires."""
        first, *others = [parent / name for name in self._names()]
        content = random.Random(0)
        for number in range(FILES):
            write(first / f'part-{number % 4}/{number}.txt', content.randbytes(BYTES // 2).hex() + '\n')
        for name, text in self.files.items():
            write(first / name, text)
        commit(first, 'What a job is run on')
        for other in others:
            shutil.copytree(first, other)
        return [first, *others]

    def _names(self) -> list[str]:
        return [f'repository-{number}' for number in range(1, self.repositories + 1)]

    def _jobs(self) -> list[dict[str, Any]]:
        """Return the jobs, one for each state: prepare the node, then the same playbook twice."""
        timed = [self.before, TIMED] if self.before else [TIMED]
        common = {'parent': self.parent, 'run': [f'playbooks/{name}' for name in ('prepare.yaml', *timed, *timed)],
                  'required-projects': [f'{HOST}/{name}' for name in self._names()[1:]]}
        return [{'job': {'name': self.job(state), **common, 'vars': {'bench_state': state, 'bench_count': self.count}}}
                for state in self.states]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')


def commit(top: Path, message: str) -> None:
    """Make the folder *top* a repository with all that is in it."""
    for words in (('init', '-q', '-b', 'main', '--template='), ('add', '--all', '--force'),
                  ('commit', '-q', '-m', message), ('repack', '-adq')):
        run((*GIT, '-C', str(top), *words))


def load(folder: Path) -> dict[str, Case]:
    """Return the cases in *folder* by name."""
    return {case.name: case for path in sorted(folder.glob('*.yaml'))
            for case in parse(path, yaml.safe_load(path.read_text(encoding='utf-8')))}


def parse(path: Path, plays: Sequence[Mapping[str, Any]]) -> list[Case]:
    """Return the cases that the playbook at *path* with *plays* is."""
    roles = [role if isinstance(role, str) else role['role'] for play in plays for role in play['roles']]
    settings = plays[0]['vars']
    case = Case(path.stem, plays[0]['name'], path, tuple(roles), tuple(settings['bench_states']),
                settings.get('bench_files', {}), settings.get('bench_parent', 'base'))
    for things, before in (('repositories', ''), ('logs', 'logs.yaml'), ('tests', 'tests.yaml')):
        if f'bench_{things}' in settings:
            before = settings.get('bench_before', before)
            return [replace(case, name=f'{case.name}-{number}', about=f'{case.about}: {number} {things}', before=before,
                            **({'count': number} if before else {'repositories': number}))
                    for number in settings[f'bench_{things}']]
    return [case]


def roles_of(path: Path) -> Path:
    """Return the folder of roles at *path*: itself, or ``roles`` in it.

    :raises UserError: there are none.
    """
    for folder in (path / 'roles', path):
        if next(folder.glob('*/tasks/main.y*ml'), None):
            return folder
    raise UserError(f'--roles {path}: no roles: neither {path}/roles/NAME/tasks nor {path}/NAME/tasks is there.',
                    'Name a checkout of zuul-jobs, or a folder of roles.')
