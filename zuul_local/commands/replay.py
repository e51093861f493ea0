"""``zuul-local replay``: a build again, from its bundle."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from zuul_local.build.console import Reporter
from zuul_local.commands.run import mark, parse_secrets, parse_variables
from zuul_local.errors import UserError


def replay(args: argparse.Namespace) -> int:
    """Run the job of the bundle ``args.bundle`` again, say how it differs, and return the exit code of the build."""
    start = time.monotonic()
    run_id = mark()
    reporter = Reporter(sys.stderr if args.json else sys.stdout, start)
    from zuul_local.replay.bundle import read
    original = read(Path(args.bundle).expanduser())
    reporter.say(f'zuul-local: job {original.job} of {original.project} again, as in build {original.build or "?"}')
    # Zuul's own modules are loaded after the first line is out: they take a third of a second.
    from zuul_local.build.request import Request
    from zuul_local.build.session import run as run_session
    from zuul_local.environment.ansibles import versions
    from zuul_local.nodes.owner import folder_of_run
    from zuul_local.replay import checkout, difference
    from zuul_local.tenant.load import LIBRARY_NAME
    from zuul_local.tenant.project import identify
    from zuul_local.tenant.settings import load
    project = identify(Path(args.project), detached_as=original.branch or 'master',
                       canonical_name=LIBRARY_NAME if _is_library(args.project) else '')
    settings = load(project.path, args.with_)
    with folder_of_run(f'{run_id}-sources') as folder:
        here, words = checkout.prepare(original, project, settings, folder, any_commit=args.any_commit)
        ansible = args.ansible_version or (original.ansible_version if original.ansible_version in versions() else '')
        taken, told = difference.to_set(original.variables, _variables(here, words, original.job, args.label, ansible))
        given = parse_variables(args.var)
        for line in told:
            reporter.say(f'  {line}')
        if taken:
            reporter.say(f'  set as in the original: {", ".join(sorted(taken))}')
        report = run_session(Request(
            job=original.job, project=here, run_id=run_id, given=words, label=args.label, results=project.path,
            variables={**taken, **given}, secrets=parse_secrets(args.secret), ansible_version=ansible,
            offline=args.offline, keep=args.keep, unsafe_localhost=args.unsafe_localhost), reporter)
    again = None
    with contextlib.suppress(UserError):
        again = read(Path(report.facts['logs'])) if 'logs' in report.facts else None
    verdict = difference.verdict(original, str(report.facts.get('result')), again)
    differs = difference.differences(original, again) if again else []
    for line in verdict:
        reporter.say(line)
    if again:
        reporter.say('Different from the original:' if differs else 'Nothing else differs from the original.')
    for line in differs:
        reporter.say(f'  {line}')
    if args.json:
        print(json.dumps({**report.facts, 'verdict': verdict, 'differences': differs}, indent=2, default=str))
    return report.code


def _is_library(folder: str) -> bool:
    from zuul_local import paths
    return Path(folder).expanduser().resolve() == paths.LIBRARY


def _variables(here: Path, words: tuple[str, ...], job: str, label: str, ansible: str) -> dict[str, Any]:
    """Return the variables of the job as it is frozen from the clean checkouts."""
    from zuul_local.tenant.freeze import freeze
    from zuul_local.tenant.load import load_tenant
    tenant = load_tenant(here, given=words)
    frozen = freeze(tenant, job, labels={'*': label} if label else tenant.settings.labels, ansible_version=ansible)
    return {**frozen.job.variables, **(frozen.job.extra_variables or {})}
