"""The text of a first ``.zuul.yaml``. Nothing here does I/O."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import yaml

from zuul_local.starter.choice import Choice, Line

HEAD = '''\
# Written by "zuul-local init" from what this project has; it is yours to change. A line that begins with "#" says
# why the next one is there.
'''
ANCHOR = 'jobs'


def text(choice: Choice, pipelines: Sequence[str]) -> str:
    """Return the file, with the jobs of *choice* in all *pipelines*: the first has the list, the others name it."""
    lines = [HEAD.rstrip(), '- project:']
    if choice.templates:
        lines.append('    templates:')
        lines += [line for one in choice.templates for line in _entry(one, 6)]
    for number, pipeline in enumerate(pipelines if choice.jobs else ()):
        if number:
            lines += [f'    {pipeline}:', *_reason('The same again, on what will be merged.', 6),
                      f'      jobs: *{ANCHOR}']
        else:
            lines += [f'    {pipeline}:', *_reason('What runs on each new patch set.', 6), f'      jobs: &{ANCHOR}']
            lines += [line for one in choice.jobs for line in _entry(one, 8)]
    return '\n'.join(lines) + '\n'


def _entry(one: Line, indent: int) -> Iterator[str]:
    yield from _reason(one.reason, indent)
    space = ' ' * indent
    if not one.variables:
        yield f'{space}- {one.name}'
        return
    yield f'{space}- {one.name}:'
    yield f'{space}    vars:'
    for name, value in one.variables.items():
        dumped = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix('...\n').strip()
        yield f'{space}      {name}: {dumped}'


def _reason(reason: str, indent: int) -> list[str]:
    return textwrap.wrap(reason, 118, initial_indent=' ' * indent + '# ', subsequent_indent=' ' * indent + '# ')
