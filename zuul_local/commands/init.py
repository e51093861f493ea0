"""``zuul-local init``: the first files of a repository."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from zuul_local import paths
from zuul_local.errors import SUCCESS, UserError
from zuul_local.tenant import trusted_roles

SOURCE = paths.LIBRARY / 'config-project'


def init(args: argparse.Namespace) -> int:
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
