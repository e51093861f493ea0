"""A case: a playbook that is timed, and the project that Zuul runs it from with one folder of roles.

The first play of ``cases/<name>.yaml`` has the roles under ``roles:`` and in its ``vars:``

* ``bench_states``: states of the node to start from (``prepare.yaml`` says what they are);
* ``bench_files``: files of the project, path -> text.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zuul_local.errors import UserError
from zuul_local.process import run

PROJECT = 'roles-to-time'       # its name to Zuul, and so part of the path of each of its roles
PREPARE = Path(__file__).resolve().parent / 'prepare.yaml'
GIT = ('git', '-c', 'user.name=Bench', '-c', 'user.email=bench@example.org', '-c', 'core.hooksPath=/dev/null')


@dataclass(frozen=True)
class Case:
    """:ivar about: what is timed, in words; :ivar roles: what the playbook asks for itself."""

    name: str
    about: str
    playbook: Path
    roles: tuple[str, ...]
    states: tuple[str, ...]
    files: Mapping[str, str]

    def absent_in(self, folder: Path) -> list[str]:
        """Return the roles that *folder* lacks."""
        return [role for role in dict.fromkeys(self.roles) if not (folder / role / 'tasks').is_dir()]

    def job(self, state: str) -> str:
        return f'{self.name}-{state}'

    def project(self, parent: Path, roles: Path) -> Path:
        """Return a new repository below *parent* with the jobs of this case and a copy of all *roles*."""
        top = parent / PROJECT
        shutil.copytree(roles, top / 'roles', symlinks=True)
        (top / 'playbooks').mkdir()
        shutil.copyfile(PREPARE, top / 'playbooks/prepare.yaml')
        shutil.copyfile(self.playbook, top / 'playbooks/case.yaml')
        for name, text in {**self.files, '.zuul.yaml': json.dumps(self._jobs(), indent=2)}.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text(text, encoding='utf-8')
        for words in (('init', '-q', '-b', 'main'), ('add', '--all', '--force'), ('commit', '-q', '-m', self.about)):
            run((*GIT, '-C', str(top), *words))
        return top

    def _jobs(self) -> list[dict[str, Any]]:
        """Return the jobs, one for each state: prepare the node, then the same playbook twice."""
        playbooks = [f'playbooks/{name}.yaml' for name in ('prepare', 'case', 'case')]
        return [{'job': {'name': self.job(state), 'parent': 'base', 'run': playbooks, 'vars': {'bench_state': state}}}
                for state in self.states]


def load(folder: Path) -> dict[str, Case]:
    """Return the cases in *folder* by name."""
    return {path.stem: parse(path, yaml.safe_load(path.read_text(encoding='utf-8')))
            for path in sorted(folder.glob('*.yaml'))}


def parse(path: Path, plays: Sequence[Mapping[str, Any]]) -> Case:
    """Return the case that the playbook at *path* with *plays* is."""
    roles = [role if isinstance(role, str) else role['role'] for play in plays for role in play['roles']]
    settings = plays[0]['vars']
    return Case(path.stem, plays[0]['name'], path, tuple(roles), tuple(settings['bench_states']),
                settings.get('bench_files', {}))


def roles_of(path: Path) -> Path:
    """Return the folder of roles at *path*: itself, or ``roles`` in it.

    :raises UserError: there are none.
    """
    for folder in (path / 'roles', path):
        if next(folder.glob('*/tasks/main.y*ml'), None):
            return folder
    raise UserError(f'--roles {path}: no roles: neither {path}/roles/NAME/tasks nor {path}/NAME/tasks is there.',
                    'Name a checkout of zuul-jobs, or a folder of roles.')
