"""Where each part of a frozen job comes from, learnt by watching Zuul put the job together.

Zuul starts with the first variant of the oldest parent (``Job.setBase``), puts every further variant on top of it
(``Job.applyVariant``) and lays the variables of project and templates below (``Job.updateProjectVariables``). After
each of these steps, what the variant of this step sets is noted as coming from it; how things are merged stays Zuul's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from zuul import model

from zuul_local.tenant.freeze import Frozen, freeze
from zuul_local.tenant.load import LocalTenant
from zuul_local.tenant.places import line_of

# Kinds of variables: Zuul's attribute -> key in a stanza
VARIABLES = {'variables': 'vars', 'extra_variables': 'extra-vars', 'host_variables': 'host-vars',
             'group_variables': 'group-vars'}
PHASES = ('pre_run', 'run', 'post_run', 'cleanup_run')
PLAIN = ('nodeset', 'timeout', 'pre_timeout', 'post_timeout', 'attempts', 'ansible_version', 'workspace_scheme',
         'override_checkout', 'voting')

Path = tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """A stanza of the configuration.

    :ivar what: 'job tox', 'project example.org/thing' and the like.
    :ivar path: file, absolute when it lies on this machine.
    :ivar line: counted from 1; 0 when there is none.
    """

    what: str
    path: str
    line: int


@dataclass(frozen=True)
class Setting:
    """One value of a variable and the stanza that had the last word.

    :ivar value: as written there.
    """

    value: Any
    origin: Origin


@dataclass
class Provenance:
    """Origins of the parts of one frozen job.

    :ivar steps: the variants in the order in which Zuul applied them.
    :ivar variables: kind of variable (see VARIABLES) -> path of keys -> setting.
    :ivar plain: attribute -> origin of the attributes in PLAIN that the configuration sets.
    :ivar playbooks: phase -> origin of each of its playbooks, in order.
    :ivar roles: phase -> for each of its playbooks the origins of its role repositories, in order.
    :ivar required: canonical project name -> origin.
    """

    steps: list[Origin] = field(default_factory=list)
    variables: dict[str, dict[Path, Setting]] = field(default_factory=lambda: {kind: {} for kind in VARIABLES})
    plain: dict[str, Origin] = field(default_factory=dict)
    playbooks: dict[str, list[Origin]] = field(default_factory=dict)
    roles: dict[str, list[list[Origin]]] = field(default_factory=dict)
    required: dict[str, Origin] = field(default_factory=dict)


def trace(tenant: LocalTenant, name: str, **arguments: Any) -> tuple[Frozen, Provenance]:
    """Freeze job *name* and return it with its provenance.

    :param arguments: those of :func:`zuul_local.tenant.freeze.freeze`.
    :raises UserError: as freezing does.
    """
    watcher = _Watcher(tenant)
    with watcher.watching():
        frozen = freeze(tenant, name, **arguments)
    return frozen, watcher.result()


def leaves(value: Mapping[str, Any], above: Path = ()) -> dict[Path, Any]:
    """Return the values of nested mappings by path of keys; an empty mapping is a value."""
    found: dict[Path, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            found.update(leaves(inner, (*above, key)))
        else:
            found[(*above, key)] = inner
    return found


class _Watcher:
    def __init__(self, tenant: LocalTenant) -> None:
        self.tenant = tenant
        self.made = Provenance()
        self.job: Any = None
        # Zuul's objects by identity, with a reference that keeps the identity theirs
        self.parts: dict[int, tuple[Any, Origin]] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        originals = {name: getattr(model.Job, name) for name in ('setBase', 'applyVariant', 'updateProjectVariables')}

        def set_base(job: Any, layout: Any, *rest: Any) -> None:
            variant = job.copy()
            originals['setBase'](job, layout, *rest)
            self.applied(job, variant)

        def apply_variant(job: Any, other: Any, layout: Any, *rest: Any) -> None:
            originals['applyVariant'](job, other, layout, *rest)
            self.applied(job, other)

        def update_project_variables(job: Any, variables: Any) -> None:
            originals['updateProjectVariables'](job, variables)
            self.laid_below(job, variables)

        try:
            model.Job.setBase = set_base
            model.Job.applyVariant = apply_variant
            model.Job.updateProjectVariables = update_project_variables
            yield
        finally:
            for name, function in originals.items():
                setattr(model.Job, name, function)

    def applied(self, job: Any, variant: Any) -> None:
        """Note that Zuul put *variant* on top of *job*."""
        self.job = job
        origin, way = self.origin(variant), self._way_to(variant)
        self.made.steps.append(origin)
        for kind, key in VARIABLES.items():
            self._variables(kind, getattr(job, kind), getattr(variant, kind), origin, (*way, key))
        for name in PLAIN:
            if variant._get(name) is not None:
                self.made.plain[name] = _at(origin, (*way, name.replace('_', '-')))
        if variant._get('required_projects'):
            for name in job.required_projects:
                if name not in self.made.required or self._requires(variant, name):
                    self.made.required[name] = _at(origin, (*way, 'required-projects'))
        for phase in PHASES:
            for playbook in getattr(job, phase):
                self.parts.setdefault(id(playbook), (playbook, _at(origin, (*way, phase.replace('_', '-')))))
                for role in playbook.roles:
                    self.parts.setdefault(id(role), (role, _at(origin, (*way, 'roles'))))

    def laid_below(self, job: Any, variables: Mapping[str, Any]) -> None:
        """Note that Zuul laid the *variables* of project and templates below those of *job*."""
        known = self.made.variables['variables']
        for path, value in leaves(job.variables).items():
            if path not in known and path in leaves(variables):
                known[path] = Setting(value, self._project_origin(path, value))

    def origin(self, variant: Any) -> Origin:
        context, mark = variant.source_context, variant.start_mark
        what = f'job {variant.name}'
        if getattr(variant, 'project_pipeline', False):
            what = f'job {variant.name} as the project has it'
        if mark is None:    # Zuul's own noop, and what the command line says
            return Origin(context.path if context else 'Zuul itself', '', 0)
        return Origin(what, self.tenant.locate(context), mark.line + 1)

    def result(self) -> Provenance:
        for phase in PHASES:
            playbooks = [playbook for playbook in getattr(self.job, phase) if playbook.source_context]
            self.made.playbooks[phase] = [self.parts[id(playbook)][1] for playbook in playbooks]
            self.made.roles[phase] = [[self.parts[id(role)][1] for role in playbook.roles] for playbook in playbooks]
        return self.made

    def _requires(self, variant: Any, name: str) -> bool:
        return any(self.tenant.zuul.getProject(one.project_name)[1].canonical_name == name
                   for one in variant.required_projects.values())

    def _variables(self, kind: str, now: Mapping[str, Any], given: Mapping[str, Any], origin: Origin,
                   way: Path) -> None:
        before, set_here = self.made.variables[kind], leaves(given)
        self.made.variables[kind] = {
            path: Setting(value, _at(origin, (*way, *path)))
            if path in set_here else before[path]
            for path, value in leaves(now).items()}

    def _way_to(self, variant: Any) -> Path:
        """Return the keys that lead from the stanza that holds *variant* to it."""
        for configs in (*self.tenant.layout.project_configs.values(), *self.tenant.layout.project_templates.values()):
            for stanza in configs:
                for pipeline, config in stanza.pipelines.items():
                    if any(variant is one for one in config.job_list.jobs.get(variant.name, ())):
                        kind = 'project-template' if stanza.is_template else 'project'
                        return (kind, pipeline, 'jobs', variant.name)
        return ('job',)

    def _project_origin(self, path: Path, value: Any) -> Origin:
        """Return the stanza that sets a project variable: later ones win, the project's own after its templates."""
        layout, name = self.tenant.layout, self.tenant.project.canonical_name
        found = Origin("the pipeline's parameters", '', 0)
        for config in layout.getProjectConfigs(name):
            templates = [template for name in config.templates for template in layout.project_templates.get(name, ())]
            for stanza in (*templates, config):
                set_here = leaves(stanza.variables)
                if path in set_here and set_here[path] == value:
                    kind = 'project-template' if stanza.is_template else 'project'
                    line = stanza.start_mark.line + 1 if stanza.start_mark else 0
                    found = _at(Origin(f'{kind} {stanza.name}', self.tenant.locate(stanza.source_context), line),
                                (kind, 'vars', *path))
        return found


def _at(origin: Origin, keys: Path) -> Origin:
    """Return *origin* with the line of the key to which *keys* lead in its stanza."""
    return Origin(origin.what, origin.path, line_of(origin.path, origin.line, keys)) if origin.line else origin
