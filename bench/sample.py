"""One sample: a build by zuul-local on a fresh node, and what its records say about the two runs of the case.

The build goes as on an executor: Zuul's sandbox, ansible.cfg, callbacks and console (``--measure``), facts gathered and
the parent job's pre playbooks run before. Its playbooks are: prepare the node, the case, the case again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.case import HOST, PROJECT, TIMED
from zuul_local import paths
from zuul_local.process import ProcessError, run

LONGEST = 3600          # seconds for one build
RUNS = ('first', 'second')
# What runs on the executor alone. Any other task is taken for one module run on the node, also those few (copy,
# template, package) whose action runs two or three; each item of a loop and each new try is one.
ON_EXECUTOR = frozenset((
    'add_host', 'assert', 'check_tests_ran', 'debug', 'fail', 'group_by', 'import_role', 'import_tasks', 'include_role',
    'include_tasks', 'include_vars', 'meta', 'pause', 'set_fact', 'set_stats', 'validate_argument_spec', 'zuul_return'))


class Failed(Exception):
    """A build did not pass, or timed other roles than those that it was to time."""


@dataclass(frozen=True)
class Run:
    """One run of a case.

    :ivar seconds: end of the last task minus start of the first.
    :ivar modules: module runs on the node.
    :ivar processor: seconds that the executor's processors worked for it: ansible-playbook and all that it started.
    """

    seconds: float
    modules: int
    processor: float


@dataclass(frozen=True)
class Sample:
    first: Run
    second: Run

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def take(project: Path, sources: Sequence[Path], job: str, label: str) -> Sample:
    """Build *job* of *project* on a fresh node and return what it took.

    :param sources: the repository that is tested, and those that the job requires.
    :raises Failed: the build did not pass.
    """
    argv = (str(paths.LIBRARY / 'zuul-local'), 'run', job, '--project', str(sources[0]), '--label', label, '--measure',
            '--json', *(f'--with={HOST}/{path.name}={path}' for path in (project, *sources[1:])))
    try:
        done = run(argv, timeout=LONGEST, check=False)
    except ProcessError as error:
        raise Failed(str(error)) from error
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise Failed(f'{job} ended with {done.returncode}; its output is above')
    facts = json.loads(done.stdout)
    output = json.loads(Path(facts['logs'], 'job-output.json').read_text(encoding='utf-8'))
    return parse(output)


def parse(output: Sequence[Mapping[str, Any]]) -> Sample:
    """Return what *output*, the playbooks of a job-output.json, says.

    :raises Failed: a timed role is not one of the project.
    """
    playbooks = [playbook for playbook in output if playbook['playbook'].endswith(f'{PROJECT}/playbooks/{TIMED}')]
    strangers = sorted({task['role']['path'] for playbook in playbooks for task in tasks(playbook)
                        if 'role' in task and f'/{PROJECT}/roles/' not in task['role']['path']})
    if strangers:
        raise Failed(f'roles from elsewhere were used: {", ".join(strangers)}')
    first, second = (Run(role_time(playbook), module_runs(playbook), playbook['processor_seconds'])
                     for playbook in playbooks)
    return Sample(first, second)


def tasks(playbook: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for play in playbook['plays']:
        yield from play['tasks']


def role_time(playbook: Mapping[str, Any]) -> float:
    """Return the seconds from the start of the first task to the end of the last; one that no host ran has no end."""
    durations = [task['task']['duration'] for task in tasks(playbook)]
    ends = [moment(duration['end']) for duration in durations if 'end' in duration]
    return (max(ends) - min(moment(duration['start']) for duration in durations)).total_seconds()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def module_runs(playbook: Mapping[str, Any]) -> int:
    """Return how often a module was run on the node, see :data:`ON_EXECUTOR`."""
    return sum(runs_of(result) for task in tasks(playbook) for result in task['hosts'].values())


def runs_of(result: Mapping[str, Any]) -> int:
    if result.get('skipped') or result.get('action', '').rpartition('.')[2] in ON_EXECUTOR:
        return 0
    items = [one for one in result.get('results') or () if isinstance(one, dict) and 'ansible_loop_var' in one]
    return sum(tries(one) for one in items if not one.get('skipped')) if items else tries(result)


def tries(result: Mapping[str, Any]) -> int:
    return int(result.get('attempts', 1))
