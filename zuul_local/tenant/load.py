"""A tenant of folders: the config project, this library, the project at hand and what it needs, loaded by Zuul."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zuul import model
from zuul.configloader import ConfigLoader
from zuul.lib.ansible import AnsibleManager

from zuul_local import paths
from zuul_local.errors import UserError
from zuul_local.tenant import problem, services, trusted_roles
from zuul_local.tenant.problem import Problem
from zuul_local.tenant.project import LOCAL_HOST, Project, identify
from zuul_local.tenant.settings import Settings
from zuul_local.tenant.settings import load as load_settings
from zuul_local.tenant.sources import FileReader, LocalConnections, Repo

TENANT = 'local'
LIBRARY_NAME = 'opendev.org/zuul/zuul-jobs'
CONFIG_NAME = f'{LOCAL_HOST}/config-project'
PIPELINE = 'local'
DEFAULT_ANSIBLE = '11'
# Zuul allows secrets in pipelines that run after review only, so a local run has a pipeline of its own.
_PIPELINE_FILE = 'zuul.d/zuul-local.yaml'
PIPELINE_STANZA = f"""- pipeline:
    name: {PIPELINE}
    description: Jobs that a person runs on their own machine.
    manager: independent
    post-review: true
"""


@dataclass(frozen=True)
class LocalTenant:
    """A loaded tenant and the folders it was made of.

    :ivar project: the project at hand.
    :ivar projects: every project that lies on this machine, by canonical name.
    :ivar zuul: Zuul's own Tenant object.
    """

    project: Project
    projects: dict[str, Project]
    settings: Settings
    connections: LocalConnections
    zuul: Any

    @property
    def layout(self) -> Any:
        return self.zuul.layout

    @property
    def problems(self) -> list[Problem]:
        """What Zuul's loader found wrong, in its own words."""
        return [self._problem(error) for error in self.layout.loading_errors]

    def locate(self, context: Any) -> str:
        """Return the file that Zuul's source *context* means, as a path on this machine when it is one."""
        project = self.projects.get(context.project_canonical_name)
        return str(project.path / context.path) if project else f'{context.project_canonical_name}: {context.path}'

    def _problem(self, error: Any) -> Problem:
        context = error.key.context
        return problem.from_zuul(error, self.locate(context) if context else '')


def load_tenant(folder: Path, *, base_ref: str = '', given: Sequence[str] = ()) -> LocalTenant:
    """Load the tenant for the project in *folder*.

    :param base_ref: see :func:`identify`.
    :param given: ``NAME=DIR`` words for further repositories.
    :raises UserError: a folder that cannot be a project, or settings that are wrong. What is wrong inside the Zuul
        configuration raises nothing: it is in ``problems``.
    """
    project = identify(folder, base_ref=base_ref)
    settings = load_settings(project.path, given)
    library = identify(paths.LIBRARY, canonical_name=LIBRARY_NAME, detached_as='master')
    if project.path == library.path or project.canonical_name == LIBRARY_NAME:
        library = project = _project(LIBRARY_NAME, project.path, project.toplevel, project.branch)
    config_folder = paths.LIBRARY / 'config-project'
    config = _project(CONFIG_NAME, config_folder, paths.LIBRARY, 'master')
    others = [_named(name, where) for name, where in settings.projects.items()]
    for one in (project, *others):
        if one.canonical_name == CONFIG_NAME and one.path != config_folder:
            raise UserError(f"{one.path}: its name is {CONFIG_NAME}, which is that of the runner's own config project, "
                            'and what lies there is trusted.', 'Give it another name: in .gitreview, or by its folder.')
    projects = {one.canonical_name: one for one in (config, library, *others, project)}
    projects[CONFIG_NAME] = dataclasses.replace(projects[CONFIG_NAME], roles=trusted_roles.listed(config_folder))
    return _load(projects[project.canonical_name], projects, settings)


def _project(canonical_name: str, path: Path, toplevel: Path, branch: str) -> Project:
    host, _, name = canonical_name.partition('/')
    return Project(host, name, path, toplevel, branch)


def _named(name: str, where: Path) -> Project:
    try:
        return identify(where, canonical_name=name)
    except UserError as error:
        raise UserError(f'{name}: {error.message}', error.hint) from error


def _load(project: Project, projects: dict[str, Project], settings: Settings) -> LocalTenant:
    repos: dict[str, dict[str, Repo]] = {}
    for one in projects.values():
        extra = {_PIPELINE_FILE: PIPELINE_STANZA} if one.canonical_name == CONFIG_NAME else {}
        repos.setdefault(one.host, {})[one.name] = Repo(one.name, one.path, one.branch, extra)
    connections = LocalConnections(repos)
    zuul = load_with_zuul(tenant_configuration(project, projects.values()), connections)
    _name_default_branches(zuul.layout, projects.values())
    return LocalTenant(project, projects, settings, connections, zuul)


def _name_default_branches(layout: Any, projects: Iterable[Project]) -> None:
    """Tell Zuul the one branch of each project; it assumes 'master' for those without a project stanza."""
    for project in projects:
        metadata = layout.project_metadata.setdefault(project.canonical_name, model.ProjectMetadata())
        if metadata.default_branch is None:
            metadata.default_branch = project.branch


def load_with_zuul(conf: dict[str, Any], connections: LocalConnections, beside: Iterable[dict[str, Any]] = ()) -> Any:
    """Return Zuul's Tenant of the tenant stanza *conf*, loaded by its ConfigLoader as its own validation does.

    :param beside: the stanzas of other kinds that a tenant file has beside those of tenants.
    """
    services.install()
    logging.getLogger('zuul').addHandler(logging.NullHandler())     # what it would log is in the layout
    loader = ConfigLoader(
        connections=connections, system=_System(), zk_client=services.ZooKeeper(),
        zuul_globals=model.SystemAttributes(), unparsed_config_cache=services.ConfigCache(), statsd=None,
        scheduler=None, merger=FileReader(connections), keystorage=services.KeyStore())
    unparsed = model.UnparsedAbideConfig()
    unparsed.extend([*beside, {'tenant': conf}])
    loader.tenant_parser.getSchema()(conf)
    abide = model.Abide()
    loader.loadAuthzRules(abide, unparsed)
    loader.loadSemaphores(abide, unparsed)
    loader.loadTPCs(abide, unparsed)
    return loader.loadTenant(abide, conf['name'], AnsibleManager(), unparsed, min_ltimes=None,
                             ignore_cat_exception=False)


def tenant_configuration(project: Project, projects: Iterable[Project]) -> dict[str, Any]:
    """Return the tenant stanza, with the hosts in the order in which their projects are to be loaded.

    Zuul loads config projects before all others wherever they stand, and then host by host; the first project that
    defines a job owns its name. So the library's host has to come before that of the config project, which local
    projects share. The library's own self-tests are loaded only when it is the project at hand.
    """
    source: dict[str, dict[str, list[Any]]] = {}
    for one in sorted(projects, key=lambda one: one.canonical_name == CONFIG_NAME):
        kind = 'config-projects' if one.canonical_name == CONFIG_NAME else 'untrusted-projects'
        entry: Any = one.name
        if one.canonical_name == LIBRARY_NAME == project.canonical_name:
            entry = {one.name: {'extra-config-paths': ['zuul-tests.d/']}}
        source.setdefault(one.host, {}).setdefault(kind, []).append(entry)
    return {'name': TENANT, 'default-ansible-version': DEFAULT_ANSIBLE, 'source': source}


class _System:
    system_id = 'zuul-local'
