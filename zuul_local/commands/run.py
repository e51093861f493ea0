"""``zuul-local run``: a job, and what it depends on if that is asked for."""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zuul_local.build.console import Reporter
from zuul_local.errors import UserError

MARK = 'ZLOCAL_RUN'
MARKED = 'ZLOCAL_PID'


def run(args: argparse.Namespace) -> int:
    """Run job ``args.job`` of the project in ``args.project`` and return the exit code."""
    start = time.monotonic()
    run_id = mark()
    reporter = Reporter(sys.stderr if args.json else sys.stdout, start)
    reporter.say(f'zuul-local: job {args.job} of {Path(args.project).resolve()}')
    # Zuul's own modules are loaded after the first line is out: they take a third of a second.
    from zuul_local.build.request import Request
    from zuul_local.build.session import run as run_session
    from zuul_local.nodes import given
    from zuul_local.nodes.labels import load_labels
    report = run_session(Request(
        job=args.job, project=Path(args.project), run_id=run_id, base_ref=args.base_ref, given=tuple(args.with_),
        label=args.label, only=tuple(args.only), events=Path(args.events) if args.events else None,
        variables=parse_variables(args.var), secrets=parse_secrets(args.secret), dependencies=args.deps,
        attempts=args.attempts, images=given.parse(args.image, load_labels()),
        ansible_version=args.ansible_version, offline=args.offline, keep=args.keep,
        unsafe_localhost=args.unsafe_localhost, measure=args.measure), reporter)
    if args.json:
        print(json.dumps(report.facts, indent=2, default=str))
    return report.code


def mark() -> str:
    """Give this process, and so all that it starts, the mark of a new run in its environment; return the run's id.

    The kernel shows the environment that a program was started with, also for its forks, so the program starts anew;
    an ordinary user's inside podman's network namespace, where nodes can be reached.
    """
    if os.environ.get(MARKED) != str(os.getpid()):
        environ = {**os.environ, MARK: secrets.token_hex(4), MARKED: str(os.getpid())}
        words = [*_reach_nodes(), sys.executable, '-P', '-m', 'zuul_local', *sys.argv[1:]]
        os.execvpe(words[0], words, environ)
    return os.environ[MARK]


def _reach_nodes() -> tuple[str, ...]:
    if os.geteuid() == 0:
        return ()
    from zuul_local.nodes.podman import rootless_prefix
    try:
        return rootless_prefix()
    except UserError:       # said when a node is wanted; a job without nodes needs none of it
        return ()


def parse_variables(words: Sequence[str]) -> dict[str, Any]:
    """Return the variables that ``NAME=VALUE`` words set.

    :raises UserError: a word is not of that form, or its value not YAML.
    """
    import yaml
    variables: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition('=')
        if not equals or not re.fullmatch(r'[A-Za-z_][A-Za-z0-9_]*', name):
            raise UserError(f'--var {word!r}: not of the form NAME=VALUE.', '--var tox_envlist=py311')
        try:
            variables[name] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UserError(f'--var {word!r}: the value is not YAML: {getattr(error, "problem", error)}') from error
    return variables


def parse_secrets(words: Sequence[str]) -> Mapping[str, Any]:
    """Return the secrets that ``NAME=FILE`` words name, read as YAML.

    :raises UserError: a word is not of that form, or a file cannot be read; its content is never shown.
    """
    import yaml
    found: dict[str, Any] = {}
    for word in words:
        name, equals, where = word.partition('=')
        if not equals or not name or not where:
            raise UserError(f'--secret {word!r}: not of the form NAME=FILE.', '--secret pypi=token.yaml')
        try:
            found[name] = yaml.safe_load(Path(where).expanduser().read_text(encoding='utf-8'))
        except OSError as error:
            raise UserError(f'--secret {name}: {where}: {error.strerror}.') from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f'--secret {name}: {where} is not YAML.') from error
        if not isinstance(found[name], dict):
            raise UserError(f'--secret {name}: {where} must hold a mapping, as the data of a Zuul secret does.')
    return found
