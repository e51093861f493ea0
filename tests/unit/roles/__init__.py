# SPDX-License-Identifier: Apache-2.0
"""Import the modules that roles bring, from where they lie."""
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROLES = Path(__file__).resolve().parents[3] / 'roles'


def imported(name: str, path: Path) -> ModuleType:
    """The file at *path* as the module *name*, read once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f'{path} cannot be imported')
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


class _Finder:
    """Let ``ansible.module_utils.<name>`` lead to the file of a role, as Ansible's own packer does."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        package, _, module = name.rpartition('.')
        if package != 'ansible.module_utils':
            return None
        for file in sorted(ROLES.glob(f'*/module_utils/{module}.py')):
            return importlib.util.spec_from_file_location(name, file)
        return None


if not any(finder is _Finder for finder in sys.meta_path):
    sys.meta_path.append(_Finder)


def library(role: str, module: str) -> ModuleType:
    """The module ``roles/<role>/library/<module>.py``."""
    return imported(f'roles_library_{module}', ROLES / role / 'library' / f'{module}.py')


def plugin(role: str, kind: str, name: str) -> ModuleType:
    """The file ``roles/<role>/<kind>_plugins/<name>.py``."""
    return imported(f'roles_{kind}_{name}', ROLES / role / f'{kind}_plugins' / f'{name}.py')


def module_utils(name: str) -> ModuleType:
    """The file ``roles/*/module_utils/<name>.py``."""
    return importlib.import_module(f'ansible.module_utils.{name}')
