"""Directories in place of code review systems: Zuul's driver, connection and source interfaces (seam S1),
and a merger that reads files from the working tree, uncommitted edits included (seam S2)."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import voluptuous
from zuul import model
from zuul.connection import BaseConnection
from zuul.driver import ConnectionInterface, Driver, ReporterInterface, SourceInterface, TriggerInterface
from zuul.reporter import BaseReporter
from zuul.source import BaseSource
from zuul.trigger import BaseTrigger

from zuul_local.errors import UserError

log = logging.getLogger(__name__)

# Pipelines name connections of a real site; here they are only names.
SITE_CONNECTIONS = (
    'elasticsearch', 'gerrit', 'git', 'github', 'gitlab', 'mqtt', 'pagure', 'smtp', 'sql', 'timer', 'zuul')


@dataclass(frozen=True)
class Repo:
    """One repository of the tenant.

    :ivar name: its project name, without the host.
    :ivar path: the folder whose files are its files.
    :ivar branch: the one branch that Zuul is told about.
    :ivar extra_files: further configuration files, by relative path, that are not on the disk.
    """

    name: str
    path: Path
    branch: str
    extra_files: Mapping[str, str] = field(default_factory=dict)


class LocalTrigger(BaseTrigger):
    name = 'local'

    def getEventFilters(self, connection_name: str, trigger_config: Any, parse_context: Any) -> list[Any]:
        return []


class LocalReporter(BaseReporter):
    name = 'local'

    def report(self, item: Any, phase1: bool = True, phase2: bool = True) -> None:
        return None


class LocalDriver(Driver, ConnectionInterface, SourceInterface, TriggerInterface, ReporterInterface):
    """Accepts whatever a pipeline says of triggers, requirements and reporters, and does none of it."""

    name = 'local'

    def getConnection(self, name: str, config: Mapping[str, Any]) -> LocalConnection:
        return LocalConnection(self, name, config)

    def getSource(self, connection: LocalConnection) -> LocalSource:
        return connection.source

    def getTrigger(self, connection: BaseConnection, config: Any = None) -> LocalTrigger:
        return LocalTrigger(self, connection, config)

    def getReporter(self, connection: BaseConnection, pipeline: Any, config: Any = None,
                    parse_context: Any = None) -> LocalReporter:
        return LocalReporter(self, connection, config, parse_context)

    def getTriggerEventClass(self) -> type:
        return model.TriggerEvent

    def getTriggerSchema(self) -> Any:
        return voluptuous.Schema(object)

    getReporterSchema = getRequireSchema = getRejectSchema = getTriggerSchema


class LocalConnection(BaseConnection):
    """All repositories of one canonical host."""

    def __init__(self, driver: LocalDriver, name: str, config: Mapping[str, Any]) -> None:
        super().__init__(driver, name, dict(config))
        self.canonical_hostname = name
        self.repos: Mapping[str, Repo] = config.get('repos', {})
        self.projects: dict[str, model.Project] = {}
        self.git_urls: dict[str, str] = {}
        self.source = LocalSource(driver, self, name)


class LocalSource(BaseSource):
    name = 'local'

    def getProject(self, name: str) -> model.Project:
        if name not in self.connection.projects:
            self.connection.projects[name] = model.Project(name, self)
        return self.connection.projects[name]

    def _branch(self, project: model.Project) -> str:
        repo = self.connection.repos.get(project.name)
        return repo.branch if repo else 'master'

    def getProjectBranches(self, project: model.Project, tenant: Any, min_ltime: int = -1) -> list[str]:
        return [self._branch(project)]

    def getProjectDefaultBranch(self, project: model.Project, tenant: Any, min_ltime: int = -1) -> str:
        return self._branch(project)

    def getProjectBranchCacheLtime(self) -> int:
        return -1

    def getGitUrl(self, project: model.Project) -> str:
        """Return where a build's clone comes from; the executor adapter sets it once the snapshots exist."""
        return self.connection.git_urls[project.name]

    def getRequireFilters(self, config: Any, parse_context: Any) -> list[Any]:
        return []

    getRejectFilters = getRequireFilters

    def _unavailable(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError('a folder on this machine has no changes to ask for')

    getRefSha = isMerged = canMerge = getChangeKey = getChange = _unavailable
    getChangeByURL = getChangesDependingOn = getProjectOpenChanges = _unavailable
    getProjectBranchSha = getCachedChanges = getRefForChange = _unavailable


class LocalConnections:
    """What the loader, the freezer and the executor use of zuul.lib.connections.ConnectionRegistry,
    without its import of every cloud and database driver (3 s, 120 MB)."""

    def __init__(self, repos: Mapping[str, Mapping[str, Repo]]) -> None:
        self.driver = LocalDriver()
        self.drivers: dict[str, Any] = {'local': self.driver}
        self.connections = {
            name: self.driver.getConnection(name, {'repos': repos.get(name, {})})
            for name in (*repos, *(site for site in SITE_CONNECTIONS if site not in repos))
        }

    def getSource(self, name: str) -> LocalSource:
        return self.connections[name].source

    def getTrigger(self, name: str, config: Any = None) -> LocalTrigger:
        return self.driver.getTrigger(self.connections[name], config)

    def getReporter(self, name: str, pipeline: Any, config: Any = None, parse_context: Any = None) -> LocalReporter:
        return self.driver.getReporter(self.connections[name], pipeline, config, parse_context)

    def getSourceByCanonicalHostname(self, hostname: str) -> LocalSource | None:
        connection = self.connections.get(hostname)
        return connection.source if connection else None


class FilesJob:
    """The answer to a request for files, ready at once."""

    updated = True

    def __init__(self, files: Mapping[str, str | None]) -> None:
        self.files = files

    def wait(self, timeout: float | None = None) -> bool:
        return True


class FileReader:
    """The merger's one call that configuration loading needs."""

    git_timeout = 10

    def __init__(self, connections: LocalConnections) -> None:
        self.connections = connections

    def getFiles(self, connection_name: str, project_name: str, branch: str, files: Iterable[str],
                 dirs: Iterable[str] = ()) -> FilesJob:
        repo = self.connections.connections[connection_name].repos.get(project_name)
        return FilesJob(read_configuration(repo, files, dirs) if repo else {})

    def cancel(self, job: FilesJob) -> None:
        return None


def read_configuration(repo: Repo, files: Iterable[str], dirs: Iterable[str]) -> dict[str, str | None]:
    """Return the text of *files* and of every YAML file below *dirs*, by path relative to the repository.

    A folder below one of *dirs* that holds ``.zuul.ignore`` is left out, as Zuul does. Links that lead out of the
    repository are not followed: git would not have followed them either.
    """
    root = repo.path.resolve()
    found: dict[str, str | None] = {}
    for name in files:
        found.update(_read(root, root / name))
    for name in dirs:
        top = root / name
        if not _inside(root, top) or not top.is_dir():
            continue
        for folder, folders, names in os.walk(top):
            if '.zuul.ignore' in names and Path(folder) != top:
                folders[:] = []
                continue
            folders.sort()
            for leaf in sorted(names):
                if leaf.endswith('.yaml'):
                    found.update(_read(root, Path(folder) / leaf))
    found.update({path: text for path, text in repo.extra_files.items()
                  if path in set(files) or any(path.startswith(f'{name.rstrip("/")}/') for name in dirs)})
    return found


def _inside(root: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(root)


def _read(root: Path, path: Path) -> dict[str, str | None]:
    if not path.is_file() or not _inside(root, path):
        return {}
    try:
        return {str(path.relative_to(root)): path.read_text(encoding='utf-8')}
    except UnicodeDecodeError as error:
        message = f'{path}: not UTF-8 at byte {error.start} ({error.reason}).'
        raise UserError(message, 'Save the file as UTF-8.') from error
