"""What became of the jobs of a run, kept by Zuul's own pipeline manager: it says what runs next and what is skipped."""

from __future__ import annotations

import collections
import logging
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from zuul import model
from zuul.zk.zkobject import LocalZKContext

from zuul_local.tenant.freeze import Frozen, Graph

log = logging.getLogger(__name__)


class BuildSet:
    """The builds of one run, one after the other; those that pause stay while the ones that depend on them run.

    :ivar skipped: Zuul's Build of each job that will not run, with the reason in ``error_detail``; grows.
    :ivar resumed: Zuul's Build of each that was paused and is to go on; the caller takes them out.
    """

    def __init__(self, graph: Graph, attempts: int = 0) -> None:
        """:param attempts: the most builds of a job; 0 for one, whatever the job says."""
        self._graph = graph
        self._attempts = attempts
        self._builds = graph.item.current_build_set
        self._manager = graph.item.manager
        self.skipped: list[Any] = []
        self.resumed: list[Any] = []
        self._manager.sched = SimpleNamespace(
            executor=SimpleNamespace(resumeBuild=self.resumed.append), cancelJob=lambda *args: None,
            reportBuildEnds=lambda builds, **kwargs: self.skipped.extend(builds),
            management_events=collections.defaultdict(lambda: None))
        self._manager.tenant.semaphore_handler = Semaphores()
        self._manager.current_context = LocalZKContext(log)

    def start_next(self) -> tuple[Any, Frozen] | None:
        """Return Zuul's Build of the job that is to run now, and the job; None when none is to."""
        for job in self._graph.jobs:
            self._builds.nodeset_info.setdefault(job.uuid, model.NodesetInfo())     # its nodes come with its build
        ready = self._graph.item.findJobsToRun(Semaphores())
        if not ready:
            return None
        attempt = self._builds.getTries(ready[0]) or 1
        frozen = self._graph.frozen(ready[0], attempt, self._attempts)
        build = model.Build.new(self._manager.current_context, job=ready[0], build_set=self._builds,
                                uuid=frozen.params['zuul']['build'], start_time=time.time())
        self._graph.item.addBuild(build)
        return build, frozen

    def may_retry(self, build: Any) -> bool:
        """Return whether there is a further attempt for the job of *build*."""
        return bool(self._builds.getTries(build.job) < self._attempts)

    def pause(self, build: Any, data: Mapping[str, Any]) -> None:
        """Heed that *build* waits for those that depend on it.

        :param data: what the executor reports with it: ``data`` and ``secret_data``.
        """
        self._change(build, data, paused=True)
        self._manager.onBuildPaused(build)

    def complete(self, build: Any, result: str, data: Mapping[str, Any], *, retry: bool = False) -> None:
        """Heed that *build* is over.

        :param data: what the executor reports with it: ``data`` and ``secret_data``.
        :param retry: its job is to run again, and all that depend on it.
        """
        self._change(build, data, paused=False, result=result, retry=retry, end_time=time.time())
        self._manager.onBuildCompleted(build)

    def _change(self, build: Any, data: Mapping[str, Any], **values: Any) -> None:
        with build.activeContext(self._manager.current_context):
            build.setResultData(data.get('data') or {}, data.get('secret_data') or {})
            for name, value in values.items():
                setattr(build, name, value)


class Semaphores:
    """They belong to a scheduler; on one machine nobody else holds them."""

    def acquire(self, *args: Any) -> bool:
        return True

    def release(self, *args: Any) -> None:
        return None
