"""What a whole Zuul on this machine is made of: host packages, an environment with all that services import, jars."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from zuul_local import environment, paths
from zuul_local.environment import ansibles, host, jars, recipe
from zuul_local.environment.cache import say
from zuul_local.environment.tools import ensure_venv

PROFILE = 'e2e'


@dataclass(frozen=True)
class Services:
    """Where it is.

    :param venv: virtual environment of Zuul's services.
    :param jars: folder of Gerrit's jars.
    """

    venv: Path
    jars: Path


def services() -> Services:
    """Return it, installed when it is not there yet. All Ansible versions are there, too: an executor insists on it.

    :raises UserError: it cannot be had.
    """
    bindep = (paths.LIBRARY / 'bindep.txt').read_text(encoding='utf-8')
    if names := host.lacking(bindep, (PROFILE,), os.environ):
        host.provide(names, may_install=not os.environ.get('ZLOCAL_NO_INSTALL'), root=os.geteuid() == 0,
                     environ=os.environ, say=say)
    for version in ansibles.versions():
        ansibles.ensure(environment.current(), version)
    return Services(ensure_venv(PROFILE, (recipe.REQUIREMENTS / 'e2e.txt',)),
                    jars.ensure(recipe.REQUIREMENTS / 'e2e-jars', paths.cache_dir() / 'jars'))
