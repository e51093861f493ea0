"""The folder of one build that stays: ``<project>/.zuul-local/builds/<id>/`` and the link ``latest``."""

from __future__ import annotations

import contextlib
import html
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zuul_local.errors import UserError

LATEST = 'latest'
FOLDER = '.zuul-local'
INDEX, FACTS = OURS = ('index.html', 'zuul-local.json')
COLLECTED = {'logs': '', 'artifacts': 'artifacts', 'docs': 'docs'}      # in the work folder -> when published

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body{{font:16px/1.5 sans-serif;margin:1em auto;max-width:60em;padding:0 1em}}
td,th{{text-align:left;padding:0 1em 0 0;vertical-align:top}}td.n{{text-align:right}}
table{{border-collapse:collapse;display:block;overflow-x:auto}}</style></head><body>
<h1>{title}</h1>
<table>{facts}</table>
<h2>Files</h2>
<table><tr><th>File</th><th>Bytes</th></tr>
{files}</table>
</body></html>
"""


def open_folder(project: Path) -> Path:
    """Make ``.zuul-local/builds`` in *project*, ignored by git, and return it.

    :raises UserError: it cannot be made, or a name is taken by something else; a link would lead writes elsewhere.
    """
    folder = project
    try:
        for name in (FOLDER, 'builds'):
            folder = folder / name
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
            if not stat.S_ISDIR(folder.lstat().st_mode):
                raise UserError(f'{folder} is not a folder.', 'Remove it: results are written there.')
        with contextlib.suppress(FileExistsError), (project / FOLDER / '.gitignore').open('x') as ignore:
            ignore.write('*\n')
    except OSError as error:
        raise UserError(f'results are written to {folder}, which is not possible: {error.strerror}.') from error
    latest = folder / LATEST
    if latest.exists() and not latest.is_symlink():
        raise UserError(f'{latest} is not a link.', 'Remove it: it is to lead to the last build.')
    return folder


def publish(work: Path, destination: Path, facts: Mapping[str, str]) -> None:
    """Copy what a build collected to *destination* and write its index page.

    Logs come to the top, artifacts and documentation into folders of these names. Only plain files and folders are
    copied: what a node sent may hold links and devices.

    :param work: the job's work folder on the executor.
    :param facts: what to say about the build, in order.
    """
    destination.mkdir()
    for name in OURS:       # taken first, so that nothing a node sent can stand in their place
        (destination / name).touch()
    left_out = []
    for name, below in COLLECTED.items():
        for source in plain_files(work / name):
            target = destination / below / source.relative_to(work / name)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(source, target)
            except (FileExistsError, NotADirectoryError):
                left_out.append(str(source.relative_to(work)))
    said = {**facts, **({'left out, name taken': ', '.join(left_out)} if left_out else {})}
    (destination / INDEX).write_text(page(said, destination), encoding='utf-8', errors='replace')
    link(destination)


def write_facts(destination: Path, facts: Mapping[str, Any]) -> None:
    (destination / FACTS).write_text(json.dumps(facts, indent=2, default=str) + '\n', encoding='utf-8')


def remove(destination: Path) -> None:
    """Remove the published folder of a build, and the link ``latest`` when it leads there."""
    link = destination.parent / LATEST
    with contextlib.suppress(OSError):
        if link.readlink().name == destination.name:
            link.unlink()
    shutil.rmtree(destination, ignore_errors=True)


def plain_files(top: Path) -> Iterator[Path]:
    """Yield every regular file below *top*, sorted, without following a link."""
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


def page(facts: Mapping[str, str], folder: Path) -> str:
    """Return the index page: *facts* first, then every file of *folder* with its size."""
    rows = ''.join(f'<tr><th>{html.escape(key)}</th><td>{html.escape(value)}</td></tr>\n'
                   for key, value in facts.items())
    files = ''
    for path in plain_files(folder):
        name = str(path.relative_to(folder))
        href = html.escape('./' + quote(os.fsencode(name)), quote=True)
        files += (f'<tr><td><a href="{href}">{html.escape(_printable(name))}</a></td>'
                  f'<td class="n">{path.lstat().st_size}</td></tr>\n')
    title = html.escape(f'{facts.get("job", "Build")}: {facts.get("result", "")}')
    return PAGE.format(title=title, facts=rows, files=files)


def _printable(name: str) -> str:
    return ''.join(char if char.isprintable() else '\N{REPLACEMENT CHARACTER}' for char in name)


def _copy(source: Path, target: Path) -> None:
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, 'rb') as reading, target.open('xb') as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)


def link(destination: Path) -> None:
    """Let the link ``latest`` lead to the build in *destination*."""
    link = destination.parent / LATEST
    aside = destination.parent / f'.latest-{destination.name}'
    aside.unlink(missing_ok=True)
    aside.symlink_to(destination.name)
    aside.replace(link)
