"""What the builds of one run share: this machine, and the sources as they were when the run began."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from zuul_local.build import executor, workspace
from zuul_local.build.console import Reporter
from zuul_local.build.request import Request, ansible_of
from zuul_local.environment import Environment
from zuul_local.errors import UserError
from zuul_local.nodes.podman import Podman
from zuul_local.nodes.site import discover
from zuul_local.tenant.freeze import Frozen
from zuul_local.tenant.load import LIBRARY_NAME, LocalTenant


class Machine:
    """See the module.

    :ivar folder: folder of the run.
    :ivar published: where results go.
    """

    def __init__(self, request: Request, reporter: Reporter, folder: Path, environment: Environment,
                 tenant: LocalTenant, published: Path, podman: Future[Podman], pool: ThreadPoolExecutor) -> None:
        self.request = request
        self.reporter = reporter
        self.folder = folder
        self.environment = environment
        self.tenant = tenant
        self.published = published
        self.pool = pool
        self._podman = podman
        self._snapshots: dict[str, workspace.Snapshot] = {}
        self._sandboxes: set[str] = set()
        self.clones = folder / 'git'
        self.site = discover(os.environ)        # before the environment is restricted to what a build may see

    def podman(self) -> Podman:
        """Return podman.

        :raises UserError: there is none that works.
        """
        return self._podman.result()

    def snapshots(self, frozen: Frozen) -> dict[str, workspace.Snapshot]:
        """Return the snapshot of every project that a job needs, each made once in a run.

        :raises UserError: a project is not on this machine, or git refused.
        """
        names = self.project_names(frozen)
        missing = [self.tenant.projects[name] for name in names if name not in self._snapshots]
        # The library has one branch; a project's branch of the same name must not choose another state of its roles.
        made = self.pool.map(lambda project: workspace.snapshot(
            project, executor.merge_path(self.clones, project.host, project.name),
            one_branch=project.canonical_name == LIBRARY_NAME and project != self.tenant.project), missing)
        self._snapshots.update(zip((project.canonical_name for project in missing), made, strict=True))
        return {name: self._snapshots[name] for name in names}

    def project_names(self, frozen: Frozen) -> list[str]:
        """Return every project that a build clones: those of the workspace, of its playbooks and of its roles.

        :raises UserError: one is not on this machine.
        """
        job, source = frozen.job, self.tenant.connections.getSource
        names = {project['canonical_name'] for project in frozen.params['projects']}
        for playbook in job.all_playbooks:
            names.add(source(playbook['connection']).getProject(playbook['project']).canonical_name)
            for role in playbook['roles']:
                names.add(source(role['connection']).getProject(role['project']).canonical_name)
        for include in job.include_vars:
            names.add(source(include['connection']).getProject(include['project']).canonical_name)
        absent = sorted(names - set(self.tenant.projects))
        if absent:
            raise UserError(f'job {job.name} needs {", ".join(absent)}, which is not on this machine.',
                            ' '.join(f'--with {name}=DIR' for name in absent))
        return sorted(names)

    def check_sandbox(self, server: executor.Executor, frozen: Frozen) -> None:
        """Try the sandbox with the Ansible of a job, once in a run.

        :raises UserError: it does not work.
        """
        version = ansible_of(frozen)
        if not self.request.unsafe_localhost and version not in self._sandboxes:
            executor.check_sandbox(server, version)
            self._sandboxes.add(version)

    def restrict_environment(self) -> None:
        """Leave in this process's environment only what a build may see; Zuul hands all of it to every playbook."""
        allowed = executor.allowed_environment(os.environ)
        os.environ.clear()
        os.environ.update(allowed)
