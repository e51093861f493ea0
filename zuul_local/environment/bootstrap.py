"""Make what ``./zuul-local`` found missing: host packages and the cached environment.

Run by the system's Python with nothing but its standard library, also where Debian keeps venv and pip in packages of
their own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from zuul_local.environment import ansibles, host, index, recipe
from zuul_local.environment.cache import alone, is_complete, prune, say, step
from zuul_local.errors import INTERRUPTED, SUCCESS, USAGE, UserError

LIBRARY = recipe.REQUIREMENTS.parent
ANSIBLE = '11'
DEFAULT_LABEL = 'debian-bookworm'
# Verbs that need nothing but Python and git, and those that start a node.
READING_VERBS = frozenset({'', 'check', 'help', 'init', 'list', 'show'})
NODE_VERBS = frozenset({'bench', 'replay', 'run', 'self-test'})


def verb_of(words: Sequence[str]) -> str:
    """Return the verb in the arguments of zuul-local, '' when there is none."""
    return next((word for word in words if not word.startswith('-')), '')


def needs_node(words: Sequence[str]) -> bool:
    """Return whether the verb will start a node of a label of its own choice or the user's."""
    verb = verb_of(words)
    parts = [word for word in words if not word.startswith('-')][1:]
    return verb in NODE_VERBS or (verb == 'test' and (not parts or 'functional' in parts))


def label_of(words: Sequence[str]) -> str:
    """Return the label that the arguments of zuul-local name."""
    for number, word in enumerate(words):
        if word == '--':
            break
        if word.startswith('--label='):
            return word.partition('=')[2]
        if word == '--label' and number + 1 < len(words):
            return words[number + 1]
    return DEFAULT_LABEL


def provide_environment(folder: Path, python: Path, cache: Path, words: Sequence[str]) -> None:
    """Make the environment *folder* unless it is complete. What a start that was killed left is made anew.

    :param words: arguments of zuul-local; a verb that needs a node gets its image built at the same time.
    :raises UserError: it cannot be made.
    """
    with alone(folder) as held:
        if is_complete(folder, 'zuul/bin/python'):
            return
        recipe.remove(folder)
        folder.mkdir(parents=True)
        say(f'first start: making the environment {folder}')
        with step('installer', '25 MB', '2 s'):
            tool = recipe.installer(index.here(), cache)
        with step('Zuul as a library', '75 MB', '5 s' if tool.is_uv else '20 s'):
            recipe.make_venv(tool, python, folder / 'zuul', (recipe.REQUIREMENTS / 'zuul.txt',), held)
        with image_beside(folder, words):
            ansibles.make(tool, folder / 'ansible' / ANSIBLE, ANSIBLE, held)
            recipe.write_ready(folder, python)
        prune(folder)


@contextmanager
def image_beside(folder: Path, words: Sequence[str]) -> Iterator[None]:
    """Build the node image that *words* will need while the body runs, and wait for it.

    A failure is only told: the verb comes upon it again, and explains it.
    """
    if not needs_node(words):
        yield
        return
    label = label_of(words)
    say(f'node image {label} (690 MB, about 90 s), beside the next step …')
    start = time.monotonic()
    argv = (str(folder / 'zuul/bin/python'), '-P', '-m', 'zuul_local', 'node', 'build', label)
    build = subprocess.Popen(argv, env={**os.environ, 'ZLOCAL_ENV': str(folder)}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')

    def follow() -> None:
        assert build.stdout
        with build.stdout as lines:
            for line in lines:
                say(f'  image | {line.rstrip()}')
        ended = 'done' if build.wait() == 0 else 'failed; tried again when a node is needed'
        say(f'node image {label}: {ended}, {time.monotonic() - start:.1f} s')

    reader = threading.Thread(target=follow, name='image')
    reader.start()
    try:
        yield
    except BaseException:
        build.terminate()
        raise
    finally:
        reader.join()


def provide_host(mark: Path, words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Install missing host packages, and remember when none is missing.

    :raises UserError: some that the verb needs stay missing.
    """
    root = os.geteuid() == 0
    names = host.lacking((LIBRARY / 'bindep.txt').read_text(), host.profiles(root=root), environ)
    if names and verb_of(words) in READING_VERBS and 'git' not in names:
        return
    if names:
        host.provide(names, may_install=not environ.get('ZLOCAL_NO_INSTALL'), root=root, environ=environ, say=say)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare a start of zuul-local; return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--environment', type=Path, required=True)
    parser.add_argument('--host', type=Path, required=True)
    parser.add_argument('words', nargs='*')
    args = parser.parse_args(argv)
    return reported(lambda: _prepare(args))


def _prepare(args: argparse.Namespace) -> None:
    provide_host(args.host, args.words, os.environ)
    provide_environment(args.environment, Path(sys.executable).resolve(), args.environment.parent.parent, args.words)


def reported(action: Callable[[], None]) -> int:
    """Run *action*; tell an error that a person can mend, and return the exit code."""
    try:
        action()
    except UserError as error:
        say(error.message)
        if error.hint:
            print(f'  {error.hint}', file=sys.stderr)
        return USAGE
    except OSError as error:
        say(f'the environment cannot be made: {error}')
        return USAGE
    except KeyboardInterrupt:
        say('interrupted; the next start goes on')
        return INTERRUPTED
    return SUCCESS


if __name__ == '__main__':
    raise SystemExit(main())
