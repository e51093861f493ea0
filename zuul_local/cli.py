"""The command line: parses, picks the verb, and turns what goes wrong into an exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence

from zuul_local import errors

DESCRIPTION = "Run any Zuul job of any repository on throw-away nodes, with Zuul's own code and no server."
# Where git looks instead of in the folder that it is told: set in a hook, of the repository that the hook belongs to.
GIT_PLACES = ('GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_COMMON_DIR', 'GIT_OBJECT_DIRECTORY', 'GIT_NAMESPACE',
              'GIT_ALTERNATE_OBJECT_DIRECTORIES', 'GIT_SHALLOW_FILE', 'GIT_GRAFT_FILE', 'GIT_PREFIX')
EXITS = 'Exit codes: 0 success, 1 the build failed, 2 wrong use or configuration, 3 a bug, 130 interrupted.'


def parser() -> argparse.ArgumentParser:
    """Return the whole command line. ``handler`` is 'module:function' below zuul_local.commands."""
    top = argparse.ArgumentParser(prog='zuul-local', description=DESCRIPTION, epilog=EXITS)
    top.add_argument('--no-install', action='store_true',
                     help='never install host packages; print the command that would')
    verbs = top.add_subparsers(metavar='VERB', required=True)

    verb = _verb(verbs, 'run', 'run:run', 'run one job of the project here on throw-away nodes')
    verb.add_argument('job', metavar='JOB')
    _tenant(verb)
    verb.add_argument('--label', default='', help='use this label in place of those that the job names')
    verb.add_argument('--only', action='append', default=[], metavar='LABEL',
                      help='leave out the nodes of the job that have another label (repeatable)')
    verb.add_argument('--image', action='append', default=[], metavar='LABEL=TAR|IMAGE',
                      help='use a tar of "node build" or a container image for the nodes of LABEL (repeatable)')
    verb.add_argument('--var', action='append', default=[], metavar='NAME=VALUE',
                      help='set a job variable; the value is YAML (repeatable)')
    verb.add_argument('--secret', action='append', default=[], metavar='NAME=FILE',
                      help='data of a secret that the job uses, as YAML (repeatable)')
    verb.add_argument('--deps', action='store_true',
                      help='run the jobs that it depends on first, and hand over what they return')
    verb.add_argument('--attempts', type=_count, default=0, metavar='N',
                      help='build again on fresh nodes, up to N times in all, when what fails is not the tests')
    verb.add_argument('--ansible-version', default='', metavar='V',
                      help='use this Ansible in place of the one that the job names')
    verb.add_argument('--offline', action='store_true', help='nodes on a network without a way out')
    verb.add_argument('--keep', action='store_true', help='keep the nodes when the build is over')
    verb.add_argument('--events', default='', metavar='FILE',
                      help='append a line of JSON to FILE whenever a playbook ends')
    verb.add_argument('--unsafe-localhost', action='store_true',
                      help='run localhost plays without a sandbox when bubblewrap does not work here')
    verb.add_argument('--measure', action='store_true',
                      help="take the time that an executor's console takes, and record that of processors")

    verb = _verb(verbs, 'replay', 'replay:replay', 'run a build that failed again, from the bundle among its logs')
    verb.add_argument('bundle', metavar='BUNDLE', help='its replay.json, or the folder of its logs')
    verb.add_argument('--project', default='.', metavar='DIR', help='a clone of its project (default: this folder)')
    verb.add_argument('--with', dest='with_', action='append', default=[], metavar='NAME=DIR',
                      help='a clone of a further repository by canonical name (repeatable)')
    verb.add_argument('--any-commit', action='store_true',
                      help='use what is checked out where the commit of the original is not to be had')
    verb.add_argument('--label', default='', help='use this label in place of those that the job names')
    verb.add_argument('--var', action='append', default=[], metavar='NAME=VALUE',
                      help='set a job variable; the value is YAML (repeatable)')
    verb.add_argument('--secret', action='append', default=[], metavar='NAME=FILE',
                      help='data of a secret that the job uses, as YAML (repeatable)')
    verb.add_argument('--ansible-version', default='', metavar='V',
                      help='use this Ansible in place of that of the original')
    verb.add_argument('--offline', action='store_true', help='nodes on a network without a way out')
    verb.add_argument('--keep', action='store_true', help='keep the nodes when the build is over')
    verb.add_argument('--unsafe-localhost', action='store_true',
                      help='run localhost plays without a sandbox when bubblewrap does not work here')

    verb = _verb(verbs, 'check', 'check:check', 'load the configuration as Zuul would, and say what is wrong with it')
    _tenant(verb)

    verb = _verb(verbs, 'init', 'init:init', 'write the first .zuul.yaml of a project, or make a config project')
    verb.add_argument('--project', default='.', metavar='DIR', help='folder of the project (default: this one)')
    verb.add_argument('--dry-run', action='store_true', help='print the file instead of writing it')
    verb.add_argument('--config-project', default='', metavar='DIR',
                      help='make DIR a config project, or bring its copies of roles up to date')

    verb = _verb(verbs, 'show', 'show:show', 'show a job as Zuul would run it, and where each part of it comes from')
    verb.add_argument('job', metavar='JOB')
    _tenant(verb)

    verb = _verb(verbs, 'list', 'list_:list_jobs', 'list jobs, labels and templates')
    verb.add_argument('what', nargs='?', default='jobs', choices=('jobs', 'labels', 'templates', 'all'))
    _tenant(verb)

    verb = _verb(verbs, 'self-test', 'self_test:self_test', 'try roles of this library on nodes of every label')
    verb.add_argument('names', nargs='*', metavar='ROLE', help='a role, or one of the self-test jobs')
    verb.add_argument('--changed', nargs='?', const='', metavar='BASE',
                      help='the roles that differ from commit BASE (default: where this work left origin)')
    verb.add_argument('--all', action='store_true', help='every role')
    verb.add_argument('--label', action='append', default=[], help='only nodes of this label (repeatable)')
    verb.add_argument('--image', action='append', default=[], metavar='LABEL=TAR|IMAGE',
                      help='use a tar of "node build" or a container image for the nodes of LABEL (repeatable)')
    verb.add_argument('--jobs', type=int, default=2, metavar='N', help='builds side by side (default: 2)')
    verb.add_argument('--ansible-version', default='', metavar='V', help='use this Ansible in place of the usual one')
    verb.add_argument('--base-ref', default='', metavar='BRANCH', help='branch that the work is meant for')
    verb.add_argument('--junit', default='', metavar='FILE', help='write the results as JUnit XML')
    verb.add_argument('--table', default='', metavar='FILE',
                      help='write the results as a page of the documentation, when nothing failed')

    verb = _verb(verbs, 'test', 'test:test', 'run the tests of this library')
    verb.add_argument('names', nargs='*', metavar='NAME',
                      help='linters, unit, functional, publish, e2e, self-test or docs; all when none is named')

    verb = _verb(verbs, 'bench', 'bench:bench', 'time roles of this library and others on fresh nodes')
    verb.add_argument('cases', nargs='*', metavar='CASE', help='see --list; all when none is named')
    verb.add_argument('--roles', action='append', default=[], metavar='PATH',
                      help='a checkout of zuul-jobs or a folder of roles, at most twice '
                      "(default: this library's, then bench/baseline)")
    verb.add_argument('--state', action='append', default=[], metavar='STATE',
                      help='only from this state of the node (repeatable); see --list')
    verb.add_argument('--times', type=int, default=3, metavar='N', help='samples of each (default: 3)')
    verb.add_argument('--label', default='debian-bookworm', help='label of the nodes (default: debian-bookworm)')
    verb.add_argument('--load', type=float, default=0.3, metavar='L',
                      help='before each sample, wait until fewer processors are at work (default: 0.3)')
    verb.add_argument('--list', action='store_true', help='list the cases and the states they start from')

    node = verbs.add_parser('node', help='images and kept nodes', description='Images and kept nodes.')
    actions = node.add_subparsers(metavar='ACTION', required=True)
    verb = _verb(actions, 'build', 'node:build', 'make the images of labels')
    verb.add_argument('labels', nargs='*', metavar='LABEL')
    verb.add_argument('--format', default='container', choices=('container', 'tar', 'qcow2', 'raw'),
                      help='a container for nodes here (default), the files of a node, or a disk that boots')
    verb.add_argument('--output', default='', metavar='DIR', help='folder of a tar, qcow2 or raw image')
    verb.add_argument('--lists', default='', metavar='DIR',
                      help='files.txt, packages.txt, projects.txt: what a tar, qcow2 or raw image caches besides')
    verb.add_argument('--fresh', action='store_true', help='make it again, of nothing that earlier builds left')
    verb = _verb(actions, 'diff', 'node_diff:diff', 'tell what differs between two images')
    verb.add_argument('old', metavar='OLD',
                      help='facts of a node (JSON), a tar or disk of "node build", or a container image')
    verb.add_argument('new', metavar='NEW', help='another')
    verb = _verb(actions, 'list', 'node:list_', 'list images and nodes')
    verb.add_argument('-v', '--verbose', action='store_true', help='show the site configuration that nodes get')
    verb = _verb(actions, 'shell', 'node:shell', 'open a shell on a kept node')
    verb.add_argument('name', metavar='NODE')
    verb.add_argument('command', nargs=argparse.REMAINDER, metavar='COMMAND')
    verb = _verb(actions, 'clean', 'node:clean', 'remove kept nodes')
    verb.add_argument('--all', action='store_true', help='remove the images too')
    return top


def _verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, handler: str,
          text: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=f'{text[0].upper()}{text[1:]}.', epilog=EXITS)
    verb.add_argument('--json', action='store_true', help='print one JSON document on standard output')
    verb.add_argument('--no-install', action='store_true', help=argparse.SUPPRESS)
    verb.set_defaults(handler=handler)
    return verb


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'{text!r} is no number of attempts; write 1, 2, 3 …')
    return int(text)


def _tenant(verb: argparse.ArgumentParser) -> None:
    verb.add_argument('--project', default='.', metavar='DIR', help='folder of the project (default: this one)')
    verb.add_argument('--base-ref', default='', metavar='BRANCH', help='branch that the work is meant for')
    verb.add_argument('--with', dest='with_', action='append', default=[], metavar='NAME=DIR',
                      help='a further repository by canonical name (repeatable)')


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    args = parser().parse_args(argv)
    for name in GIT_PLACES:
        os.environ.pop(name, None)
    module, _, function = args.handler.partition(':')
    try:
        return int(getattr(importlib.import_module(f'zuul_local.commands.{module}'), function)(args))
    except errors.UserError as error:
        sys.stdout.flush()
        print(f'zuul-local: {error.message}' + (f'\n  next: {error.hint}' if error.hint else ''), file=sys.stderr)
        return errors.USAGE
    except KeyboardInterrupt:
        print('\nzuul-local: interrupted', file=sys.stderr)
        return errors.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return errors.FAILURE
    except Exception as error:      # whatever else: a bug, and the reader gets a file to hand on instead of a traceback
        return report_bug(error)


def report_bug(error: BaseException) -> int:
    """Write the traceback of *error* to a file, say where, and return the exit code of a bug."""
    descriptor, path = tempfile.mkstemp(prefix='zuul-local-bug-', suffix='.txt')
    with os.fdopen(descriptor, 'w', encoding='utf-8') as report:
        report.write(f'zuul-local {" ".join(sys.argv[1:])}\nPython {sys.version}\n\n')
        traceback.print_exception(error, file=report)
    last = str(error).strip().splitlines() or ['']
    print(f'zuul-local: a bug: {type(error).__name__}: {last[0]}\n  report: {path}', file=sys.stderr)
    return errors.BUG
