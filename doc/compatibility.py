"""Sphinx directive ``compatibility``: what became of the jobs or roles of zuul-jobs, as a table.

The states come from ``compatibility.yaml`` beside the page; what is different about a role is told in its own README.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes  # type: ignore[import-untyped]
from docutils.parsers.rst import Directive  # type: ignore[import-untyped]
from docutils.statemachine import StringList  # type: ignore[import-untyped]

LIBRARY = Path(__file__).resolve().parents[1]
TABLE = LIBRARY / 'doc' / 'source' / 'reference' / 'compatibility.yaml'
HEADING = '**Differences to zuul-jobs**'
STATES = ('same', 'better', 'different', 'not yet')
KINDS = {'jobs': ':zuul:job:`{}`', 'roles': ':zuul:role:`{}`'}      # other names are shown as they are


def differences(readme: str) -> str:
    """Return what the text of a role's README says of differences, under a heading or behind one; '' for none."""
    _, found, rest = readme.partition(f'\n{HEADING}')
    if rest.startswith(':'):
        said = rest[1:].partition('\n\n')[0]
        return said.strip()[:1].upper() + said.strip()[1:]
    end = re.search(r'\n(\*\*[A-Z]|\.\. )', rest) if found else None
    return rest[:end.start() if end else None].strip()


def entries(kind: str, said: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (name, state, how) of each name of *kind*, as *said*."""
    for name, value in sorted(said.items()):
        state, how = next(iter(value.items())) if isinstance(value, dict) else (value, '')
        if state not in STATES:
            raise ValueError(f'{TABLE}: {kind}: {name}: {state!r}. It is one of: {", ".join(STATES)}.')
        if kind == 'roles' and state not in ('same', 'not yet'):
            how = differences((LIBRARY / 'roles' / name / 'README.rst').read_text(encoding='utf-8'))
        yield name, state, how


def lines(kind: str, said: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of two tables: what is there, and the names of what is not."""
    rows = list(entries(kind, said))
    count = {state: sum(row[1] == state for row in rows) for state in STATES}
    yield f'{len(rows)} {kind}: ' + ', '.join(f'{number} {state}' for state, number in count.items()) + '.'
    yield from ('', '.. list-table::', '   :header-rows: 1', '   :widths: 28 12 60', '',
                '   * - Name', '     - State', '     - How')
    for name, state, how in rows:
        if state != 'not yet':
            first, *others = how.splitlines() or ['']
            yield f'   * - {KINDS.get(kind, "``{}``").format(name)}'
            yield f'     - {state}'
            yield f'     - {first}'.rstrip()
            yield from (f'       {line}'.rstrip() for line in others)
    yield ''
    yield 'Not yet: ' + ', '.join(f'``{name}``' for name, state, _ in rows if state == 'not yet') + '.'


class Compatibility(Directive):
    """``.. compatibility:: jobs``, or another kind of names that the table has."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        kind = self.arguments[0]
        said = yaml.safe_load(TABLE.read_text(encoding='utf-8'))[kind]
        self.state.document.settings.env.note_dependency(str(TABLE))
        container = nodes.Element()
        text = StringList(list(lines(kind, said)), source=str(TABLE))
        self.state.nested_parse(text, self.content_offset, container)
        return container.children


def setup(app: Any) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive('compatibility', Compatibility)
    return {'parallel_read_safe': True}
