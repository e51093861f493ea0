# SPDX-License-Identifier: Apache-2.0
"""The lower rungs: an environment built from the cache, else from the index."""
from __future__ import annotations

import os
from typing import Any

from ansible.module_utils import ensure_python_command_environment as environments
from ansible.module_utils import ensure_python_command_index as package_index
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

    :param pins: where pip's own wheel is named.
    """
    folder = environments.home_of(request.venv_path, wanted.digest)
    installers = [environments.find_uv(run)] if request.installer != 'pip' else []
    installers += [environments.find_pip(request, pins)] if request.installer != 'uv' else []
    there = [installer for installer in installers if installer]
    parent = os.path.dirname(request.venv_path)
    site = None
    if not from_cache(request, wanted, passed) or not _can_install(request, there, passed):
        site = reach_index(request, passed, run)
    try:
        if not there:
            there = [_fetched(request, pins, site or package_index.of_node(), parent)]
        installer, version = environments.build_with_any(request, wanted, folder, there, site, passed, run)
    except Refused as error:
        passed.append({'source': 'index' if site else 'cache', 'where': str(site or request.wheel_cache),
                       'why': str(error)})
        raise Refused(f'no place has a {request.wanted}') from error
    finally:
        package_index.remove(parent)
    mark = {'source': 'index' if site else 'cache', 'where': str(site or request.wheel_cache), 'version': version,
            'locked': wanted.locked, 'installer': str(installer)}
    environments.write_json(os.path.join(folder, environments.MARK), mark)
    environments.switch(request.venv_path, folder)
    return mark


def _can_install(request: Request, installers: list[environments.Installer], passed: Passed) -> bool:
    if not installers:
        passed.append({'source': 'cache', 'where': request.wheel_cache, 'why': 'nothing here to install from it with'})
    return bool(installers)


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


def _fetched(request: Request, pins: list[locks.Pin], site: package_index.Site, parent: str) -> environments.Installer:
    if request.installer == 'uv':
        raise Refused(f"ensure_python_command_installer is 'uv', and the node has no uv >= {environments.OLDEST_UV}. "
                      'Provide one with ensure-uv, or leave it unset.')
    return fetched_pip(pins, site, parent)


def fetched_pip(pins: list[locks.Pin], site: package_index.Site, parent: str) -> environments.Installer:
    """The pip that *pins* name, from the index into a folder below *parent*. Raises NotFetched."""
    pin = next((pin for pin in pins if pin.name == 'pip'), None)
    return environments.Installer('pip', package_index.fetch(pin, site, parent), pin.version if pin else '')
