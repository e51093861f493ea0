"""Which builds try which behaviours of which roles on which nodes. A behaviour is a playbook in a role's folder."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import PurePath

from zuul_local.errors import UserError
from zuul_local.lint.library.selftests import OWN_JOBS, PLAYBOOKS
from zuul_local.nodes.labels import OFFLINE, Label, load_labels
from zuul_local.tenant.freeze import freeze
from zuul_local.tenant.load import LocalTenant


@dataclasses.dataclass(frozen=True)
class Behaviour:
    """:ivar playbook: its path in the library."""

    role: str
    name: str
    playbook: str


@dataclasses.dataclass(frozen=True)
class Build:
    """One build of a self-test job.

    :ivar behaviours: in the order in which they run.
    :ivar nodes: name and label of each node; all of them take each behaviour side by side.
    :ivar public: the job is one for everybody, that tries a family of roles on whatever nodes it is given.
    :ivar only: the labels that the nodes were narrowed to; none when they are as the job has them.
    :ivar label: label to use for every node in place of the job's, '' for those.
    :ivar timeout: seconds that the job may take.
    """

    job: str
    behaviours: tuple[Behaviour, ...]
    nodes: tuple[tuple[str, Label], ...]
    public: bool = False
    only: tuple[str, ...] = ()
    label: str = ''
    timeout: int = 0

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(behaviour.role for behaviour in self.behaviours))

    def on_label(self, label: Label) -> Build:
        """Return this build with *label* in place of what the job names."""
        return dataclasses.replace(self, nodes=tuple((name, label) for name, _ in self.nodes), label=label.name)


def all_builds(tenant: LocalTenant) -> list[Build]:
    """Return a build of each self-test job of the project at hand: first its own by name, then the public ones.

    :raises UserError: Zuul refuses one of the jobs, or it asks for a label that is not ours.
    """
    found = [_build(tenant, name, public) for name, public in _job_names(tenant)]
    return sorted(found, key=lambda build: (build.public, build.job))


def _job_names(tenant: LocalTenant) -> Iterator[tuple[str, bool]]:
    """Yield name, and whether it is public, of each job whose playbooks are behaviours."""
    for name, variants in tenant.layout.jobs.items():
        context = variants[0].source_context
        if context is None or context.project_canonical_name != tenant.project.canonical_name or variants[0].abstract:
            continue
        run = [playbook.path for playbook in variants[0]._get('run') or ()]
        if run and all(PurePath(path).parts[0] == PLAYBOOKS for path in run):
            yield name, PurePath(context.path).parts[0] != OWN_JOBS


def _build(tenant: LocalTenant, name: str, public: bool) -> Build:
    job = freeze(tenant, name, labels=tenant.settings.labels).job
    labels = load_labels()
    unknown = sorted({node.label for node in job.nodeset.getNodes()} - set(labels))
    if unknown:
        raise UserError(f'job {name} asks for label {", ".join(map(repr, unknown))}, which is not one of ours: '
                        f'{", ".join(labels)}.', 'Correct its nodeset, or add the label to node/labels.yaml.')
    return Build(name, tuple(behaviour(playbook['path']) for playbook in job.run),
                 tuple((node.name[0], labels[node.label]) for node in job.nodeset.getNodes()), public,
                 timeout=job.timeout or 0)


def behaviour(path: str) -> Behaviour:
    """Return the behaviour whose playbook is *path*: ``test-playbooks/ROLE/NAME.yaml``."""
    parts = PurePath(path)
    return Behaviour(parts.parts[1], parts.stem, path)


def named(builds: Iterable[Build], names: Sequence[str]) -> list[Build]:
    """Return those that try a role of *names*, or whose job has one of these names.

    :raises UserError: a name is neither.
    """
    builds = list(builds)
    own = [build for build in builds if not build.public]
    known = {name for build in builds for name in (build.job, *build.roles)}
    unknown = [name for name in names if name not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], sorted(known), n=3)
        raise UserError(f'no self-test is for {", ".join(map(repr, unknown))}: neither a role nor one of its jobs.',
                        f'Nearest: {", ".join(near)}.' if near else
                        f'The roles are {", ".join(sorted({role for build in own for role in build.roles}))}.')
    return [build for build in builds
            if build.job in names or (not build.public and any(role in names for role in build.roles))]


def on_labels(builds: Iterable[Build], labels: Collection[str]) -> tuple[list[Build], list[str]]:
    """Return the builds with only those nodes whose label, or the one that it is the offline form of, is in *labels*.

    :returns: them, and the roles that are left without any.
    :raises UserError: a label is not ours.
    """
    unknown = sorted(set(labels) - set(load_labels()))
    if unknown:
        raise UserError(f'--label {", ".join(map(repr, unknown))} is not a label of ours: {", ".join(load_labels())}.')
    builds = list(builds)
    narrowed = []
    for build in builds:
        nodes = tuple((name, label) for name, label in build.nodes
                      if label.name in labels or label.name.removesuffix(OFFLINE) in labels)
        if nodes:
            narrowed.append(dataclasses.replace(build, nodes=nodes, only=tuple(labels)))
    left = {role for build in narrowed for role in build.roles}
    return narrowed, sorted({role for build in builds for role in build.roles} - left)


def longest_first(builds: Iterable[Build]) -> list[Build]:
    """Return *builds* in the order that leaves the least to wait for at the end, as far as that is known before."""
    return sorted(builds, key=lambda build: (-build.timeout, -len(build.behaviours)))


def arguments(build: Build) -> list[str]:
    """Return the words that ``zuul-local run`` takes for *build*."""
    words = [build.job]
    if build.label:
        words += ['--label', build.label]
    for label in build.only:
        words += ['--only', label]
    return words


def labels_of(builds: Iterable[Build]) -> list[Label]:
    """Return the labels of all nodes in the order of node/labels.yaml."""
    used = {label.name for build in builds for _, label in build.nodes}
    return [label for label in load_labels().values() if label.name in used]
