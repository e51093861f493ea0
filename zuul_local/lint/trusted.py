"""Copies of roles in a config project that are not what the library has."""

from __future__ import annotations

from zuul_local import paths
from zuul_local.tenant import trusted_roles
from zuul_local.tenant.load import LocalTenant
from zuul_local.tenant.problem import ERROR, Problem


def problems(tenant: LocalTenant) -> list[Problem]:
    """Return one problem for each role in the ``roles.list`` of the project at hand that is absent or differs.

    The runner's own config project gets its copies when it is used, so they cannot differ.
    """
    project = tenant.project
    folder = paths.LIBRARY / 'config-project' if project.path == paths.LIBRARY else project.path
    path = str(folder / trusted_roles.LIST)
    found = [Problem(project.canonical_name, path, 0, ERROR, f'the library has no role {name!r}.',
                     'Remove it from the list, or see whether it has another name now.')
             for name in trusted_roles.absent(folder, paths.LIBRARY)]
    if project.roles or folder != project.path:
        return found
    gone = set(trusted_roles.absent(folder, paths.LIBRARY))
    return found + [
        Problem(project.canonical_name, str(folder / trusted_roles.FOLDER / name), 0, ERROR,
                f'this copy of the role {name!r} is not what the library at {paths.LIBRARY} has.',
                f'zuul-local init --config-project {folder}')
        for name in trusted_roles.drifted(folder, paths.LIBRARY) if name not in gone]
