"""Run the tests of source distributions through jobs of this library, and tell what came of it.

usage: python3 -m tests.projects [--label LABEL …] [--plain] [--results FILE] [--table FILE] [NAME …]

For people, not part of "./zuul-local test": it takes an hour for everything, and needs an index of packages.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.projects import source
from zuul_local import paths
from zuul_local.nodes.labels import load_labels
from zuul_local.selftest import report

CACHE = Path.home() / '.cache' / 'zuul-local' / 'projects'
LONGEST = 1200      # seconds for one run
LABELS = ('debian-bullseye', 'debian-bookworm', 'debian-trixie')
PAGE = """\
==================
Projects of others
==================

.. written by "python3 -m tests.projects --results FILE --table FILE"

{number} source distributions from the index, of all ways to build and to test, as projects that inherit the job that
fits them: what came of it, how many tests ran, and the seconds of the whole build. Run until {date} on
{machine}, while other things ran there, too: seconds are to compare orders of
magnitude. What fails has a second row, *plain venv*: the same tests on such a node with pip and a virtual environment
alone. ``tests/projects/projects.yaml`` has what each job was told.

"""
# How test runners say how many tests passed.
COUNTS = (re.compile(r'\| .*?=+ .*?(\d+) passed'), re.compile(r'\| .*?\b(\d+) passed[,. ].*in \d'),
          re.compile(r'\|  - Passed: (\d+)'), re.compile(r'\| Ran (\d+) tests? in'))


def count(output: str) -> int | None:
    """Return how many tests *output* says have run, None when it does not say."""
    for pattern in COUNTS:
        numbers = pattern.findall(output)
        if numbers:
            return sum(map(int, numbers))
    return None


def finished(argv: list[str]) -> tuple[int, str]:
    """Run *argv* to its end; return its exit code and what it said beside its result.

    When it takes too long, or somebody stops this program, it is told to stop, and cleans up.
    """
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as child:
        try:
            _, said = child.communicate(timeout=LONGEST)
        except BaseException as error:
            child.send_signal(signal.SIGINT)
            _, said = child.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
    return child.returncode, said


def run(project: source.Project, label: str, python: str, plain: bool) -> dict[str, Any]:
    """Run *project* on *label*, through its job or without one, and return what came of it."""
    with tempfile.TemporaryDirectory(prefix='zuul-local-project-') as scratch:
        name = re.sub(r'[^a-z0-9]', '-', project.name)
        folder = source.repository(project, source.fetch(project, CACHE), Path(scratch) / name, python)
        begun = time.monotonic()
        job = source.PLAIN if plain else source.JOB
        code, said = finished([str(paths.LIBRARY / 'zuul-local'), 'run', '--json', '--project', str(folder),
                               '--label', label, job])
        seconds = time.monotonic() - begun
        outputs = sorted((folder / '.zuul-local').glob('builds/*/job-output.txt'))
        output = outputs[-1].read_text(errors='replace') if outputs else said
        if code:
            kept = CACHE / f'{project.name}-{label}{"-plain" if plain else ""}.txt'
            kept.write_text(output)
            print(f'  its output: {kept}', file=sys.stderr)
    result = {0: 'SUCCESS', 1: 'FAILURE'}.get(code, f'exit code {code}')
    return {'name': project.name, 'version': project.version, 'style': project.style, 'label': label,
            'job': 'plain venv' if plain else project.job, 'result': result, 'tests': count(output),
            'seconds': round(seconds)}


def table(records: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table in reStructuredText: a row for each project and way, a column for each label.

    What ran more than once counts by its last run.
    """
    rows: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for one in records:
        rows.setdefault((f'{one["name"]} {one["version"]}', one['style'], one['job']), {})[one['label']] = one
    labels = [label for label in LABELS if any(label in row for row in rows.values())]
    yield from ('.. list-table::', '   :header-rows: 1', '')
    for cells in (('Project', 'Style', 'Job', *labels), *((*key, *(_cell(row.get(label)) for label in labels))
                                                          for key, row in sorted(rows.items()))):
        yield from (f'   {"*" if number == 0 else " "} - {cell}' for number, cell in enumerate(cells))


def page(records: list[Mapping[str, Any]]) -> str:
    """Return the page of the documentation that shows :func:`table`."""
    return PAGE.format(number=len({one['name'] for one in records}), date=datetime.datetime.now(datetime.UTC).date(),
                       machine=report.machine()) + '\n'.join(table(records)) + '\n'


def _cell(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return 'not run'
    tests = f'{record["tests"]} tests, ' if record['tests'] is not None else ''
    return f'{record["result"]}: {tests}{record["seconds"]} s'


def main() -> int:
    parser = argparse.ArgumentParser(prog='python3 -m tests.projects', description=(__doc__ or '').partition('\n')[0])
    known = source.projects()
    parser.add_argument('names', nargs='*', metavar='NAME', help=f'one of: {", ".join(known)} (default: all)')
    parser.add_argument('--label', action='append', choices=LABELS, help='a label (repeatable; default: all)')
    parser.add_argument('--plain', action='store_true', help='in a virtual environment, without a job of this library')
    parser.add_argument('--results', type=Path, help='append a line of JSON for each run to this file')
    parser.add_argument('--table', type=Path, help='write all that is in the file of results as a table')
    args = parser.parse_args()
    unknown = sorted(set(args.names) - set(known))
    if unknown:
        parser.error(f'{", ".join(unknown)}: not in {source.LIST}. There are: {", ".join(known)}.')
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    labels = load_labels()
    failed = 0
    for name in args.names or known:
        for label in args.label or LABELS:
            python = labels[label].pythons[0]
            if not known[name].suits(python):
                print(f'{name}: needs Python {known[name].python}, {label} has {python}', flush=True)
                continue
            record = run(known[name], label, python, args.plain)
            failed += record['result'] != 'SUCCESS'
            print(f'{name} {record["version"]} on {label}, {record["job"]}: {_cell(record)}', flush=True)
            if args.results:
                with args.results.open('a', encoding='utf-8') as file:
                    file.write(json.dumps(record) + '\n')
    if args.table:
        lines = args.results.read_text(encoding='utf-8').splitlines() if args.results else []
        args.table.write_text(page([json.loads(line) for line in lines]), encoding='utf-8')
    return 1 if failed else 0


if __name__ == '__main__':
    raise SystemExit(main())
