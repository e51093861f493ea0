"""``zuul-local self-test``: the behaviours of roles on the labels of their jobs."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from zuul_local import paths
from zuul_local.environment.ansibles import versions
from zuul_local.errors import FAILURE, SUCCESS, UserError
from zuul_local.nodes import given
from zuul_local.nodes.labels import load_labels
from zuul_local.selftest import changed, plan, report
from zuul_local.selftest.cell import FAILED
from zuul_local.selftest.images import provide_images
from zuul_local.selftest.watch import run_all
from zuul_local.tenant.load import load_tenant


def self_test(args: argparse.Namespace) -> int:
    """Run the self-tests that *args* choose and return FAILURE when one failed.

    :raises UserError: nothing is chosen, or what is chosen is not there.
    """
    out = sys.stderr if args.json else sys.stdout
    builds, said = choose(args)
    builds, unchosen = plan.on_labels(builds, args.label) if args.label else (builds, [])
    for line in (*said, *(f'not run  {role}: no node of its jobs has the label {" or ".join(args.label)}'
                          for role in unchosen)):
        print(line, file=out, flush=True)
    if not builds and args.changed is None:
        raise UserError('there is nothing to run.', 'Leave --label out, or name a label of the role.')
    builds = plan.longest_first(builds)
    labels = plan.labels_of(builds)
    images = given.parse(args.image, load_labels())
    provide_images((label for label in labels if label.image not in images),
                   lambda line: print(line, file=sys.stderr, flush=True))
    begun = time.monotonic()
    cells = run_all(builds, args.jobs, report.Printer(out, builds), more(args))
    seconds = time.monotonic() - begun
    if cells:
        print('\n'.join(['', *report.table(cells, labels), '',
                         report.last_line(cells, len(builds), seconds, args.jobs)]), file=out, flush=True)
    if args.json:
        print(json.dumps(report.facts(cells, seconds, unchosen), indent=2))
    if args.junit:
        Path(args.junit).write_text(report.junit(cells, seconds), encoding='utf-8')
    failed = any(cell.status == FAILED for cell in cells)
    if args.table and not failed:
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        Path(args.table).write_text(report.page(
            cells, labels, date=today, machine=report.machine(), seconds=seconds, builds=len(builds),
            side_by_side=args.jobs), encoding='utf-8')
    return FAILURE if failed else SUCCESS


def choose(args: argparse.Namespace) -> tuple[list[plan.Build], Sequence[str]]:
    """Return the builds that *args* ask for, and what to say about the choice.

    :raises UserError: it is no choice, or two.
    """
    asked = [name for name, given in (('ROLE', args.names), ('--changed', args.changed is not None),
                                      ('--all', args.all)) if given]
    if len(asked) != 1:
        raise UserError('self-test takes one of ROLE…, --changed [BASE] and --all, not '
                        f'{" and ".join(asked) or "none"}.',
                        'zuul-local self-test --changed')
    if args.table and (args.label or not args.all):
        raise UserError('--table is a table of all roles on all labels.',
                        f'zuul-local self-test --all --table {args.table}')
    if args.jobs < 1:
        raise UserError(f'--jobs is {args.jobs}: not a number of builds.', '--jobs 2')
    if args.ansible_version and args.ansible_version not in versions():
        raise UserError(f'--ansible-version {args.ansible_version!r} is none that Zuul runs: it has '
                        f'{" and ".join(versions())}.')
    for option, file in (('--junit', args.junit), ('--table', args.table)):
        if file and not Path(file).resolve().parent.is_dir():
            raise UserError(f'{option} {file}: there is no such folder.')
    builds = plan.all_builds(load_tenant(paths.LIBRARY, base_ref=args.base_ref))
    if args.names:
        return plan.named(builds, args.names), ()
    if args.all:
        return [build for build in builds if not build.public], ()
    base = changed.base(paths.LIBRARY, args.changed)
    touched = changed.touched(paths.LIBRARY, changed.files_since(paths.LIBRARY, base))
    return changed.builds(builds, touched), touched.told(base)


def more(args: argparse.Namespace) -> list[str]:
    """Return the words for every ``zuul-local run``."""
    words = ['--project', str(paths.LIBRARY)]
    if args.ansible_version:
        words += ['--ansible-version', args.ansible_version]
    for image in args.image:
        words += ['--image', image]
    if args.base_ref:
        words += ['--base-ref', args.base_ref]
    return words
