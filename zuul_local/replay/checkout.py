"""Clean checkouts of the commits that a build had, beside the folders in which a person works."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import yaml

from zuul_local.errors import UserError
from zuul_local.process import ProcessError, run
from zuul_local.replay.bundle import Bundle
from zuul_local.tenant.load import CONFIG_NAME, LIBRARY_NAME
from zuul_local.tenant.project import Project, identify
from zuul_local.tenant.settings import FILE, Settings

GIT = ('git', '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-c', 'gc.auto=0',
       '-c', 'advice.detachedHead=false')


def choose_commits(bundle: Bundle, folders: Mapping[str, Path], *, any_commit: bool) -> dict[str, str]:
    """Return the commit to use of each project in *folders*: that of the bundle, or what is nearest to it.

    Of a change that Zuul merged, the commit is nowhere but on its executor; there is that of the change itself.

    :param any_commit: use HEAD where neither is there.
    :raises UserError: with every commit that is missing.
    """
    chosen, missing = {}, []
    for name, folder in folders.items():
        wanted = [commit for commit in (bundle.commits.get(name, ''), bundle.change if name == bundle.project else '')
                  if commit]
        there = [commit for commit in wanted if _exists(folder, commit)]
        if there:
            chosen[name] = there[0]
        elif any_commit or not wanted:
            chosen[name] = run((*GIT, '-C', folder, 'rev-parse', 'HEAD')).stdout.strip()
        else:
            missing.append(f'{name}: commit {wanted[0][:12]} is not in {folder}.')
    if missing:
        fetch = f'git fetch origin {shlex.quote(bundle.ref)}' if bundle.ref else 'git fetch --all'
        raise UserError('\n'.join(['some sources of that build are not on this machine:', *missing,
                                   'A state that was never committed or pushed is nowhere else, either.']),
                        f'{fetch}, or use what is checked out with --any-commit')
    return chosen


def _exists(folder: Path, commit: str) -> bool:
    return not run((*GIT, '-C', folder, 'cat-file', '-e', f'{commit}^{{commit}}'), check=False).returncode


def clone(project: Project, commit: str, branch: str, where: Path) -> Path:
    """Clone *project* to *where*, *branch* at *commit*, known by the same name; return the folder of the project.

    :raises UserError: git refused.
    """
    where.parent.mkdir(parents=True, exist_ok=True)
    origin = f'https://{project.canonical_name}'
    try:
        run((*GIT, 'clone', '-q', '--no-checkout', '--template=', project.toplevel, where))
        git = (*GIT, '-C', where)
        run((*git, 'remote', 'set-url', 'origin', origin))
        run((*git, 'checkout', '-q', '-B', branch, commit))
    except ProcessError as error:
        raise UserError(f'{project.toplevel}: cannot check out {commit[:12]}: {error}') from error
    return where / project.subfolder


def prepare(bundle: Bundle, project: Project, settings: Settings, folder: Path, *,
            any_commit: bool) -> tuple[Path, tuple[str, ...]]:
    """Make clean checkouts of the project and of the others that the build had, as far as they are on this machine.

    :param settings: where other projects lie, and labels of other sites.
    :param folder: an empty one.
    :return: folder of the project, and ``NAME=DIR`` words for the others.
    :raises UserError: the project is not that of the bundle, or sources are missing.
    """
    if project.canonical_name != bundle.project:
        raise UserError(f'the bundle is of {bundle.project}, and {project.path} is {project.canonical_name}.',
                        'Name a clone of it with --project DIR.')
    if project.subfolder and not any_commit:
        raise UserError(f'{project.path} is a folder of a repository: of such a project, no commit is kept.',
                        'Use what is checked out with --any-commit')
    others = {name: identify(where, canonical_name=name, detached_as=bundle.branch or 'master')
              for name, where in settings.projects.items() if name not in (bundle.project, CONFIG_NAME, LIBRARY_NAME)}
    tops = {one.canonical_name: one.toplevel for one in (project, *others.values())}
    commits = choose_commits(bundle, tops, any_commit=any_commit)
    here = clone(project, commits[bundle.project], bundle.branch or project.branch,
                 folder / 'project' / project.path.name)
    words = []
    for name, other in others.items():
        where = clone(other, commits[name], other.branch, folder / 'others' / name)
        words.append(f'{name}={where}')
    library = settings.projects.get(LIBRARY_NAME)
    words += [f'{LIBRARY_NAME}={library}'] if library else []
    _bring_labels(here, settings)
    made = identify(here).canonical_name
    if made != bundle.project:
        raise UserError(f'at commit {commits[bundle.project][:12]} the project calls itself {made}, in its .gitreview.')
    return here, tuple(words)


def _bring_labels(here: Path, settings: Settings) -> None:
    """Let the labels that a person has chosen hold in the clean checkout, without being part of what is tested."""
    if settings.labels and not (here / FILE).exists():
        (here / FILE).write_text(yaml.safe_dump({'labels': dict(settings.labels)}), encoding='utf-8')
        top = Path(run((*GIT, '-C', here, 'rev-parse', '--absolute-git-dir')).stdout.strip())
        (top / 'info').mkdir(exist_ok=True)
        with (top / 'info' / 'exclude').open('a', encoding='utf-8') as exclude:
            exclude.write(f'/{FILE}\n')
