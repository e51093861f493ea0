"""``zuul-local init``: the first files of a repository."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from zuul_local import paths
from zuul_local.errors import SUCCESS, UserError
from zuul_local.starter import choice, facts, text
from zuul_local.tenant import trusted_roles

SOURCE = paths.LIBRARY / 'config-project'
STARTERS = paths.LIBRARY / 'starters.yaml'
TARGET = '.zuul.yaml'


def init(args: argparse.Namespace) -> int:
    """Write the first ``.zuul.yaml`` of a project, or what ``args.config_project`` needs."""
    return init_config_project(args) if args.config_project else init_project(args)


def init_project(args: argparse.Namespace) -> int:
    """Write the first ``.zuul.yaml`` of ``args.project``, by what its files say, or only show it.

    :raises UserError: one is there, nothing says how the project is tested, or it cannot be read or written.
    """
    folder = Path(args.project).expanduser()
    starters: dict[str, Any] = yaml.safe_load(STARTERS.read_text(encoding='utf-8'))
    there = [name for name in starters['existing'] if (folder / name).exists()]
    if there and not args.dry_run:
        raise UserError(f'{folder / there[0]} is there already; nothing was written.',
                        'See what would be written with: zuul-local init --dry-run')
    chosen = choice.choose(look(folder), starters)
    if chosen is None:
        raise UserError(f'{folder} has none of the files that say how it is tested: {", ".join(facts.FILES[:-4])}.',
                        'Go to the top of the project, or write the file by hand: doc/source/guides/first-job.rst.')
    content = text.text(chosen, starters['pipelines'])
    if not args.dry_run:
        try:
            with open(folder / TARGET, 'x', encoding='utf-8') as stream:
                stream.write(content)
        except OSError as error:
            raise UserError(f'{folder / TARGET}: cannot be written: {error.strerror}') from error
    steps = ['zuul-local check', f'zuul-local run {chosen.first}' if chosen.first else 'zuul-local list']
    if args.json:
        print(json.dumps({
            'file': str(folder.resolve() / TARGET), 'written': not args.dry_run, 'text': content,
            'chosen': [{'kind': kind, 'name': line.name, 'reason': line.reason} for kind, lines in
                       (('template', chosen.templates), ('job', chosen.jobs)) for line in lines], 'next': steps}))
    elif args.dry_run:
        print(content, end='')
    else:
        print(f'{folder / TARGET} is written:')
        for line in (*chosen.templates, *chosen.jobs):
            print(f'  {line.name}: {line.reason}')
        print('Next, to see that it is right and to run the first job:\n' + '\n'.join(f'  {step}' for step in steps))
    return SUCCESS


def look(folder: Path) -> facts.Facts:
    """Return what the files of *folder* say.

    :raises UserError: there is no such folder, or one of the files cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f'{folder} is no folder.', 'Name the folder of a project with --project.')
    name = ''
    try:
        files = {}
        for name in facts.FILES:
            if (folder / name).is_file():
                files[name] = (folder / name).read_text(encoding='utf-8')
        return facts.look(files, [name for name in facts.FOLDERS if (folder / name).is_dir()])
    except facts.Unreadable as error:
        raise UserError(f'{folder}: {error}', 'Mend it first.') from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{folder / name}: cannot be read: {error}') from error


def init_config_project(args: argparse.Namespace) -> int:
    """Make ``args.config_project`` a config project, or bring the roles that it runs with trust up to date."""
    folder = Path(args.config_project).expanduser()
    made = make_config_project(folder)
    changed = trusted_roles.copy(folder, paths.LIBRARY)
    if args.json:
        print(json.dumps({'folder': str(folder.resolve()), 'new': made, 'roles': changed}))
        return SUCCESS
    if made:
        print(f'{folder} is a config project now.\nPut your connections and projects into tenant.yaml and your site '
              'into playbooks/base-minimal/vars/site.yaml, then commit.')
    elif changed:
        print(f'{folder}: brought up to date: {", ".join(changed)}. Look at the difference, then commit.')
    else:
        count = len(trusted_roles.listed(folder))
        print(f'{folder}: all {count} roles of {trusted_roles.LIST} are those of the library.')
    return SUCCESS


def make_config_project(folder: Path) -> bool:
    """Copy the library's config project to *folder* unless one is there. Return whether it was copied.

    :raises UserError: something else is there, or it cannot be written.
    """
    if (folder / trusted_roles.LIST).is_file():
        return False
    there = sorted(path.name for path in folder.iterdir() if path.name != '.git') if folder.is_dir() else []
    clash = [name for name in there if (SOURCE / name).exists()]
    if clash:
        raise UserError(f'{folder} holds {", ".join(clash)} already and no {trusted_roles.LIST}; nothing was written.',
                        'Name an empty folder, or one that was made so.')
    try:
        ignored = shutil.ignore_patterns('.zuul-local', '__pycache__', trusted_roles.LIST)
        shutil.copytree(SOURCE, folder, dirs_exist_ok=True, ignore=ignored)
        # the last one: by it a folder is known to be complete
        shutil.copy2(SOURCE / trusted_roles.LIST, folder)
    except OSError as error:
        raise UserError(f'{folder}: cannot be written: {error}') from error
    return True
