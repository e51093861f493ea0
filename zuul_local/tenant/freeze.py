"""Any job of the tenant, frozen by Zuul for a change to the project at hand, attached to a pipeline or not."""

from __future__ import annotations

import contextlib
import difflib
import json
import logging
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from zuul import model
from zuul.exceptions import ConfigurationSyntaxError, NodesetNotFoundError
from zuul.executor import common
from zuul.zk.change_cache import ChangeKey
from zuul.zk.zkobject import LocalZKContext

from zuul_local.errors import UserError
from zuul_local.tenant.load import PIPELINE, LocalTenant
from zuul_local.tenant.project import Project

log = logging.getLogger(__name__)

SHOWN = 5   # problems that may explain why a job is unknown


@dataclass(frozen=True)
class Frozen:
    """A job as an executor gets it.

    :ivar job: Zuul's FrozenJob after a trip through its serialised form, as an executor sees it.
    :ivar params: the arguments of the build request.
    :ivar pipeline: pipeline whose project stanza attached the job and so had a say in it; '' when none does.
    """

    job: Any
    params: dict[str, Any]
    pipeline: str


@dataclass(frozen=True)
class Graph:
    """What a run consists of: a job, alone or after those that it depends on.

    :ivar item: Zuul's QueueItem with its job graph.
    :ivar pipeline: see :class:`Frozen`.
    :ivar left_out: what the job depends on and is not part of the run, and whether it is a soft dependency.
    :ivar labels: see :func:`freeze_graph`.
    :ivar ansible_version: the Ansible to use in place of what jobs ask for; '' for theirs.
    """

    tenant: LocalTenant
    item: Any
    pipeline: str
    left_out: Mapping[str, bool]
    labels: Mapping[str, str]
    ansible_version: str = ''

    @property
    def jobs(self) -> list[Any]:
        """Zuul's jobs in the order of the configuration."""
        return list(self.item.current_build_set.job_graph.getJobs())

    def frozen(self, job: Any, attempt: int = 1, attempts: int = 0) -> Frozen:
        """Return *job* as an executor gets it now, with what the builds before it returned.

        :param attempt: number of the build among those of the job.
        :param attempts: the most there may be; 0 for what the job says.
        """
        seen = _as_executor_sees(job)
        _relabel(seen, self.labels)
        if self.ansible_version:
            seen._set(ansible_version=self.ansible_version)
        params = _parameters(self.tenant, self.item, job)
        params['zuul'].update(attempts=attempt, max_attempts=attempts or job.attempts)
        return Frozen(seen, params, self.pipeline)


def freeze(tenant: LocalTenant, name: str, **arguments: Any) -> Frozen:
    """Freeze job *name* for the project at hand, on its own.

    :param arguments: those of :func:`freeze_graph`.
    :raises UserError: no such job, or one that Zuul refuses, in Zuul's words.
    """
    graph = freeze_graph(tenant, name, **arguments)
    return graph.frozen(graph.jobs[0])


def freeze_graph(tenant: LocalTenant, name: str, *, variables: Mapping[str, Any] | None = None,
                 labels: Mapping[str, str] | None = None, commit: str = '', dependencies: bool = False,
                 ansible_version: str = '') -> Graph:
    """Freeze job *name* for the project at hand, with *dependencies* also those that it depends on.

    These are taken from the pipeline that runs the job; when none does, as they are defined.

    :param variables: variables of the job that win over all others of the configuration but extra-vars.
    :param labels: label that a job asks for -> label to use; the key '*' stands for every label.
    :param commit: id of the commit that is to be tested.
    :raises UserError: no such job, or one that Zuul refuses, in Zuul's words.
    """
    layout = tenant.layout
    if name not in layout.jobs:
        raise _unknown(tenant, name)
    _stand_in_nodesets(layout, labels or {})
    _stand_in_templates(layout, tenant.project.canonical_name)
    wanted = _Wanted(tenant, name, variables or {})
    item = wanted.freeze(commit)
    while dependencies and wanted.add_dependencies():
        item = wanted.freeze(commit)
    if dependencies:
        wanted.only = False
        item = wanted.freeze(commit)
    left_out = {} if dependencies else wanted.noted[name]
    return Graph(tenant, item, wanted.pipeline, left_out, labels or {}, ansible_version)


class _Wanted:
    """The jobs that are to be frozen together.

    :ivar noted: job -> what it depends on -> whether softly, as Zuul's last freezing had it.
    :ivar only: dependencies on other jobs than the wanted ones are left out; else Zuul heeds them.
    """

    def __init__(self, tenant: LocalTenant, name: str, variables: Mapping[str, Any]) -> None:
        self.tenant = tenant
        self.name = name
        self.variables = variables
        self.names = [name]
        self.noted: dict[str, dict[str, bool]] = {}
        self.only = True
        self.pipeline, self.theirs = self._attachment()

    def freeze(self, commit: str) -> Any:
        """Return Zuul's QueueItem with the frozen jobs.

        :raises UserError: the job does not apply, or Zuul refuses it or one that it depends on.
        """
        layout = self.tenant.layout
        try:
            with LocalZKContext(log) as context, self._attach():
                queue = model.ChangeQueue.new(context, manager=layout.pipeline_managers[PIPELINE])
                item = model.QueueItem.new(context, queue=queue, changes=[_change(self.tenant, commit)])
                item.freezeJobGraph(layout=layout, context=context, live_blobs=None, skip_file_matcher=True,
                                    redact_secrets_and_keys=False)
        except (model.JobConfigurationError, ConfigurationSyntaxError) as error:
            raise _refused(self.tenant, self.name, error) from error
        except Exception as error:
            if not str(error).startswith('Dependency cycle'):       # Zuul has no class of its own for it
                raise
            raise _refused(self.tenant, self.name, error) from error
        if self.name not in self.noted:
            raise _not_applicable(self.tenant, self.name)
        return item

    def add_dependencies(self) -> bool:
        """Want also what the wanted jobs depend on, where it is to be had; return whether that is more than before."""
        known = self.theirs.job_list.jobs if self.theirs else self.tenant.layout.jobs
        more = sorted({other for depends in self.noted.values() for other in depends if other in known}
                      - set(self.names))
        self.names = more + self.names
        return bool(more)

    def _attachment(self) -> tuple[str, Any]:
        """Return the first pipeline in which the project runs the job, and its configuration there."""
        layout = self.tenant.layout
        change = _change(self.tenant, '')
        for pipeline in _pipelines(layout):
            seen = SimpleNamespace(manager=layout.pipeline_managers[pipeline], annotateLogger=lambda logger: logger)
            theirs = layout.getProjectPipelineConfig(seen, change)
            if theirs and self.name in theirs.job_list.jobs:
                return pipeline, theirs
        return '', None

    @contextlib.contextmanager
    def _attach(self) -> Iterator[None]:
        """Make the layout say that the project runs just these jobs, as its own stanza (if it has them) varies them."""
        layout, graph = self.tenant.layout, model.JobGraph
        original = layout.getProjectPipelineConfig
        self.noted = {}
        layout.getProjectPipelineConfig = lambda item, change: self._configuration()
        model.JobGraph = self._graph()
        try:
            yield
        finally:
            layout.getProjectPipelineConfig = original
            model.JobGraph = graph

    def _configuration(self) -> Any:
        config = model.ProjectPipelineConfig()
        if self.theirs:
            config.variables = self.theirs.variables
            for name in self.theirs.job_list.jobs:      # in the order of the stanza
                if name in self.names:
                    config.job_list.jobs[name] = list(self.theirs.job_list.jobs[name])
        for name in self.names:
            if name == self.name or not self.theirs:
                variables = self.variables if name == self.name else {}
                config.job_list.addJob(_variant(self.tenant.project, name, variables))
        return config

    def _graph(self) -> type:
        wanted = self

        class Graph(model.JobGraph):
            def addJob(self, job: Any) -> None:
                depends = sorted(job.dependencies, key=lambda one: one.name)    # a set, in another order each time
                wanted.noted[job.name] = {one.name: one.soft for one in depends}
                super().addJob(job)
                if wanted.only:
                    mine = self._dependencies[job.uuid]
                    self._dependencies[job.uuid] = {name: mine[name] for name in mine if name in wanted.names}

        return Graph


def _pipelines(layout: Any) -> list[str]:
    """Return the pipelines in the order in which a person expects a local run to follow them."""
    names = list(layout.pipeline_managers)
    return sorted(names, key=lambda name: ({'check': 0, 'gate': 1, PIPELINE: 2}.get(name, 3), names.index(name)))


def _variant(project: Project, name: str, variables: Mapping[str, Any]) -> Any:
    job = model.Job(name)
    job.project_pipeline = True
    job.source_context = model.SourceContext(project.canonical_name, project.name, project.host, project.branch,
                                             'command line')
    job.start_mark = None
    if variables:       # set at all, even to nothing, they would be refused by final and protected jobs
        job.variables = dict(variables)
    return job


def _change(tenant: LocalTenant, commit: str) -> Any:
    project = tenant.zuul.getProject(tenant.project.canonical_name)[1]
    change = model.Change(project)
    change.branch, change.number, change.patchset = tenant.project.branch, 1, '1'
    change.message, change.files, change.uris = 'Local change', None, []
    change.ref = 'refs/changes/01/1/1'
    change.url = f'https://{tenant.project.host}/c/{tenant.project.name}/+/1'
    change.commit_id = commit or None
    key = ChangeKey(project.connection_name, None, 'GerritChange', '1', '1')
    change.cache_stat = model.CacheStat(key, uuid.uuid4().hex, 1, 1, 0, 0, 0)
    return change


def _as_executor_sees(job: Any) -> Any:
    seen = model.FrozenJob()
    seen._set(buildset=job.buildset)
    seen._set(**seen.deserialize(job.serialize(None), None))
    return seen


def _stand_in_nodesets(layout: Any, labels: Mapping[str, str]) -> None:
    """Where a named nodeset is missing and *labels* says what to use for it, let it be one node of that name."""
    asked = (job._get('nodeset') for variants in layout.jobs.values() for job in variants)
    named = {nodeset for nodeset in asked if isinstance(nodeset, str)}
    for name in named:
        if name not in layout.nodesets and (name in labels or '*' in labels):
            nodeset = model.NodeSet(name)
            nodeset.addNode(model.Node([name], name))
            layout.nodesets[name] = nodeset


def _stand_in_templates(layout: Any, project: str) -> None:
    """Let templates that *project* names and nobody defines be empty: the loader has reported them."""
    for config in layout.getProjectConfigs(project):
        for name in config.templates:
            layout.project_templates.setdefault(name, [])


def _relabel(job: Any, labels: Mapping[str, str]) -> None:
    for node in job.nodeset.getNodes():
        node.label = labels.get('*') or labels.get(node.label, node.label)


def _parameters(tenant: LocalTenant, item: Any, job: Any) -> dict[str, Any]:
    params = common.construct_build_params(
        uuid.uuid4().hex, tenant.connections, job, item, item.manager.pipeline,
        dependent_changes=[change.toDict() for change in item.changes], merger_items=[],
        redact_secrets_and_keys=False)
    params['zuul'].update(common.zuul_params_from_job(job))
    return json.loads(model.json_dumps(params, sort_keys=True))


def _unknown(tenant: LocalTenant, name: str) -> UserError:
    near = difflib.get_close_matches(name, tenant.layout.jobs, n=3)
    message = f'no job is called {name!r}.' + (f' Nearest: {", ".join(near)}.' if near else '')
    its_own = [problem for problem in tenant.problems if problem.message.startswith(f'job {name}: ')]
    if its_own:
        return UserError('\n'.join([f'job {name} could not be loaded:', *map(str, its_own)]), 'zuul-local check')
    broken = _broken(tenant, 'Its definition may be among what could not be loaded:')
    return UserError(message + broken, 'zuul-local list')


def _not_applicable(tenant: LocalTenant, name: str) -> UserError:
    branch = tenant.project.branch
    message = f'job {name} does not apply to branch {branch!r}: no variant of it, or of a parent, matches.'
    return UserError(message + _broken(tenant, 'The reason may be in what could not be loaded:'),
                     'If another branch is meant, name it with --base-ref BRANCH.')


def _broken(tenant: LocalTenant, introduction: str) -> str:
    """Return the configuration errors as further lines of a message, '' when there are none."""
    broken = [problem for problem in tenant.problems if problem.severity == 'error']
    if not broken:
        return ''
    more = len(broken[SHOWN:])
    return '\n'.join(['', introduction, *map(str, broken[:SHOWN]),
                      *([f'(and {more} more: zuul-local check)'] if more else [])])


def _refused(tenant: LocalTenant, name: str, error: Exception) -> UserError:
    """Return Zuul's *error* about a job with the place of the job and what can be done."""
    first = tenant.layout.jobs[name][0]
    where = ''
    if first.source_context:    # Zuul's own noop has none
        where = tenant.locate(first.source_context) + (f':{first.start_mark.line + 1}: ' if first.start_mark else ': ')
    text = ' '.join(str(error).strip().split('\n\n')[0].split())
    hint = 'zuul-local check'
    if isinstance(error, NodesetNotFoundError):
        hint = 'Choose another node with --label LABEL (zuul-local list labels), or see zuul-local check'
    elif 'is abstract' in text:
        children = sorted(job for job, variants in tenant.layout.jobs.items() if variants[0].parent == name)
        hint = f'Jobs that inherit from it: {", ".join(children) or "none"}.'
    elif 'which was not run' in text:
        text += _broken(tenant, 'The reason may be in what could not be loaded:')
    return UserError(f'{where}job {name}: {text}', hint)
