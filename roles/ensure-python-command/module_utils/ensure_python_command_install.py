# SPDX-License-Identifier: Apache-2.0
"""The lower rungs: an environment built from the cache, else from the index."""
from __future__ import annotations

import os
from typing import Any

from ansible.module_utils import ensure_python_command_environment as environments
from ansible.module_utils import ensure_python_command_index as package_index
from ansible.module_utils import ensure_python_command_installers as installers
from ansible.module_utils import ensure_python_command_lock as locks
from ansible.module_utils.ensure_python_command_image import Passed, Run
from ansible.module_utils.ensure_python_command_request import Plan, Refused, Request


def from_cache(request: Request, wanted: Plan, passed: Passed) -> bool:
    """Tell whether the cache has all that *wanted* needs; if not, why, in *passed*. Raises Refused for other bytes."""
    if 'cache' not in request.sources:
        why, place = 'not among ensure_python_command_sources', ''
    elif not wanted.locked:
        why, place = f'{request.wanted} is not in the lock', request.wheel_cache
    else:
        missing, wrong = locks.check_cache(list(wanted.pins), request.wheel_cache)
        if wrong:
            raise Refused(locks.other_bytes(wrong))
        if not missing:
            return True
        why, place = locks.lacking(missing), request.wheel_cache
    passed.append({'source': 'cache', 'where': place, 'why': why})
    return False


def install(request: Request, wanted: Plan, pins: list[locks.Pin], passed: Passed, run: Run) -> dict[str, Any]:
    """Build from the first place that can, and switch; return what to report of it. Raises Refused.

    :param pins: where the wheels of uv and pip themselves are named.
    """
    folder = environments.home_of(request.venv_path, wanted.digest)
    parent = os.path.dirname(request.venv_path)
    try:
        installer, version, site = _build(request, wanted, folder, pins, passed, run)
    finally:
        installers.clear(parent)
    mark = {'source': 'index' if site else 'cache', 'where': str(site or request.wheel_cache), 'version': version,
            'locked': wanted.locked, 'installer': str(installer)}
    environments.write_json(os.path.join(folder, environments.MARK), mark)
    environments.switch(request.venv_path, folder)
    return mark


def _build(request: Request, wanted: Plan, folder: str, pins: list[locks.Pin], passed: Passed,
           run: Run) -> tuple[installers.Installer, str, package_index.Site | None]:
    """Make the environment in *folder*; return what filled it, the version that it has, and the index that was used."""
    parent = os.path.dirname(request.venv_path)
    site = None if from_cache(request, wanted, passed) else reach_index(request, passed, run)
    there = _found(request, pins, parent, run)
    if not there and site is None:
        passed.append({'source': 'cache', 'where': request.wheel_cache,
                       'why': 'nothing here to install from it with'})
        site = reach_index(request, passed, run)
    try:
        if site and not there:
            there = [_fetched(request, pins, site, parent)]
        return *environments.build_with_any(request, wanted, folder, there, site, passed, run), site
    except Refused as error:
        passed.append({'source': 'index' if site else 'cache', 'where': str(site or request.wheel_cache),
                       'why': str(error)})
        raise Refused(f'no place has a {request.wanted}') from error


def _found(request: Request, pins: list[locks.Pin], parent: str, run: Run) -> list[installers.Installer]:
    """What the node has to fill an environment with, best first."""
    found: list[installers.Installer | None] = []
    if request.installer != 'pip':
        found.append(installers.find_uv(run) or installers.unpack_uv(request, pins, parent, run))
    if request.installer != 'uv':
        found.append(installers.find_pip(request, pins))
    return [installer for installer in found if installer]


def reach_index(request: Request, passed: Passed, run: Run) -> package_index.Site:
    """The site's index, if it may be used and answers. Raises Refused."""
    site = package_index.of_node()
    why, place = '', str(site)
    if 'index' not in request.sources:
        why, place = 'not among ensure_python_command_sources', ''
    else:
        why = package_index.unreachable(site, run)
    if why:
        passed.append({'source': 'index', 'where': place, 'why': why})
        raise Refused(f'no place has a {request.wanted}')
    return site


def _fetched(request: Request, pins: list[locks.Pin], site: package_index.Site, parent: str) -> installers.Installer:
    if request.installer == 'uv':
        raise Refused(f"ensure_python_command_installer is 'uv', and the node has no uv >= {installers.OLDEST_UV}. "
                      'Provide one with ensure-uv, or leave it unset.')
    return fetched_pip(pins, site, parent)


def fetched_pip(pins: list[locks.Pin], site: package_index.Site, parent: str) -> installers.Installer:
    """The pip that *pins* name, from the index into a folder below *parent*. Raises NotFetched."""
    pin = next((pin for pin in pins if pin.name == 'pip'), None)
    path = package_index.fetch(pin, site, installers.workplace(parent))
    return installers.Installer('pip', path, pin.version if pin else '')
