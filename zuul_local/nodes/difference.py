"""What differs between two images, by their facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zuul_local.nodes.facts import Facts

PLAIN = ('label', 'os', 'architecture', 'profiles', 'pythons')
CACHES = ('wheels', 'files', 'packages')

Change = dict[str, Any]
Section = dict[str, Change]


def difference(old: Facts, new: Facts) -> dict[str, Section]:
    """Return {section: {name: {'old': value, 'new': value}}} of what is not the same; None stands for absent.

    The time of building says nothing about the content and is left out.
    """
    sections = {
        'image': changes({name: old.get(name) for name in PLAIN}, {name: new.get(name) for name in PLAIN}),
        'packages': changes(old.get('packages', {}), new.get('packages', {})),
        'tools': changes(_tools(old), _tools(new)),
        'commands': changes(old.get('commands', {}), new.get('commands', {})),
        **{f'cache {name}': changes(_files(old, name), _files(new, name)) for name in CACHES},
        'cache repositories': changes(_heads(old), _heads(new)),
        'missing': changes(old.get('missing', {}), new.get('missing', {})),
        'bytes': changes(old.get('bytes', {}), new.get('bytes', {})),
    }
    return {name: section for name, section in sections.items() if section}


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Section:
    """Return {name: {'old': value, 'new': value}} of the keys whose values differ, sorted."""
    names = sorted({*old, *new})
    return {name: {'old': old.get(name), 'new': new.get(name)} for name in names if old.get(name) != new.get(name)}


def lines(found: Mapping[str, Section]) -> Iterator[str]:
    """Yield a difference for people: what came, what went, what is another."""
    for title, section in found.items():
        yield f'{title} ({len(section)})'
        if title == 'bytes':
            yield from _sizes(section)
            continue
        for name, change in section.items():
            if change['old'] is None:
                yield f'  + {name}  {_short(change["new"])}'
            elif change['new'] is None:
                yield f'  - {name}  {_short(change["old"])}'
            else:
                yield f'  ~ {name}  {_short(change["old"])} → {_short(change["new"])}'


def _sizes(section: Section) -> Iterator[str]:
    grown = {name: (change['new'] or 0) - (change['old'] or 0) for name, change in section.items()}
    for name, by in sorted(grown.items(), key=lambda part: (-abs(part[1]), part[0])):
        yield f'  {by / 1e6:+10.1f} MB  {name}'


def _short(value: Any) -> str:
    text = ', '.join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) < 60 else f'{text[:12]}…'


def _tools(facts: Facts) -> dict[str, str]:
    return {f'{venv} {name}': version for venv, found in facts.get('tools', {}).items()
            for name, version in found.items()}


def _files(facts: Facts, cache: str) -> dict[str, str]:
    return dict(facts.get('caches', {}).get(cache, {}).get('files', {}))


def _heads(facts: Facts) -> dict[str, str]:
    return dict(facts.get('caches', {}).get('repositories', {}).get('heads', {}))
