#!/usr/bin/env python3
"""Write the pages about what test nodes have, out of what the nodes say about themselves.

usage: doc/test_environment.py [FACTS ...]

FACTS are /etc/ci-node-facts.json of new images; what the pages need of them is kept beside the pages, in a file for
each label. Without any, the pages are written again from what is kept.
"""
from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

LIBRARY = Path(__file__).resolve().parents[1]
PAGES = LIBRARY / 'doc' / 'source' / 'reference' / 'test-environment'
NOTE = '.. Made by doc/test_environment.py; do not edit.\n'
WORD = re.compile(r'[A-Za-z0-9][A-Za-z0-9.+_-]*')
LABEL = re.compile(r'[a-z0-9][a-z0-9.-]*\Z')

# what -> (command that brings it on PATH or in a venv of ours, package that brings it, how a job gets it)
WAYS: dict[str, tuple[str, str, str]] = {
    'pip': ('pip', 'python3-pip', ':zuul:role:`ensure-pip`; in a virtual environment, ``python3 -m venv`` brings it'),
    'setuptools, wheel': ('', 'python3-setuptools',
                          'in a virtual environment; :zuul:role:`ensure-pyproject-build` builds packages'),
    'virtualenv': ('virtualenv', 'python3-virtualenv', ':zuul:role:`ensure-virtualenv`, or ``python3 -m venv``'),
    'tox': ('tox', 'tox', ':zuul:role:`ensure-tox`'),
    'nox': ('nox', 'nox', ':zuul:role:`ensure-nox`'),
    'uv': ('uv', '', ':zuul:role:`ensure-uv`'),
    'bindep': ('bindep', 'bindep', ':zuul:role:`ensure-bindep`; :zuul:role:`bindep` installs what a project names'),
    'stestr': ('stestr', 'python3-stestr', ':zuul:role:`ensure-stestr`'),
    'poetry': ('poetry', 'python3-poetry', ':zuul:role:`ensure-poetry`'),
    'twine': ('twine', 'twine', ':zuul:role:`ensure-twine`'),
    'Sphinx': ('sphinx-build', 'python3-sphinx', ':zuul:role:`ensure-sphinx`'),
    'another Python': ('', '', ':zuul:role:`ensure-python`'),
    'a C compiler': ('', 'gcc', 'a line in ``bindep.txt`` of the project'),
    'anything else of the distribution': ('', '', '``bindep.txt``, or :zuul:role:`ensure-system-packages`'),
}
KEPT = ('label', 'built', 'os', 'architecture', 'profiles', 'pythons', 'commands', 'bytes', 'missing')
CACHES = {
    'wheels': 'Python tools of our locks; the ``ensure-*`` roles take them from here',
    'files': '``get-pip.py`` and what the list of files names',
    'packages': 'packages of the system; :zuul:role:`bindep` and :zuul:role:`ensure-system-packages` use them',
}


def trimmed(facts: dict[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """Return what the pages need of *facts*.

    :param wanted: names of packages that are told; of the others only the number is.
    """
    caches = facts['caches']
    return {
        **{key: facts[key] for key in KEPT},
        'tools': {venv: {name: version for name, version in versions.items()
                         if f'{name}-env' == venv or name in facts['commands']}
                  for venv, versions in facts['tools'].items()},
        'packages': {name: facts['packages'][name] for name in sorted(set(wanted) & set(facts['packages']))},
        'package count': len(facts['packages']),
        'caches': {name: {'path': caches[name]['path'], 'count': len(caches[name]['files'])} for name in CACHES},
        'repositories': {'path': caches['repositories']['path'], 'names': sorted(caches['repositories']['heads'])},
    }


def wanted_packages(bindep: str) -> set[str]:
    """Return the names of packages in the text of a bindep file."""
    lines = (line.split('#')[0].split() for line in bindep.splitlines())
    return {words[0] for words in lines if words}


def megabytes(count: int) -> str:
    """Return a size in words."""
    return f'{count / 1e6:.0f} MB' if count >= 1e6 else f'{count / 1e3:.0f} kB'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; empty when there are no rows."""
    told = list(rows)
    if not told:
        return ['None.', '']
    lines = ['.. list-table::', '   :header-rows: 1', '']
    for row in (head, *told):
        lines += [f'   {"*" if index == 0 else " "} - {cell}'.rstrip() for index, cell in enumerate(row)]
    return [*lines, '']


def heading(text: str, mark: str = '=') -> list[str]:
    """Return the lines of a heading."""
    return [text, mark * len(text), '']


def code(text: str) -> str:
    """Return *text* as it is shown for something that is typed."""
    return f'``{text}``'


def ways(facts: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return for each thing that jobs use whether it is there, and how a job gets it."""
    rows = []
    for what, (command, package, way) in WAYS.items():
        where = 'no' if command or package else ''
        if command in facts['commands']:
            where = code(facts['commands'][command])
        elif package in facts['packages']:
            where = f'package {facts["packages"][package]}'
        rows.append((what, where, way))
    return rows


def page(facts: dict[str, Any], kind: str) -> str:
    """Return the page of a label.

    :param kind: as node/labels.yaml has it.
    """
    system = facts['os']
    lines = [NOTE, '=' * len(facts['label']), *heading(facts['label'])]
    if kind == 'contract':
        lines += ['A stand-in that tests branches of our code. It says nothing about a distribution.', '']
    name = f'{system["id"]} {system["version"]}'.strip() + (f' ({system["codename"]})' if system['codename'] else '')
    lines += [f'{name} on {facts["architecture"]}, {megabytes(facts["bytes"]["total"])}, with {facts["package count"]} '
              f'packages; the image was made at {facts["built"]}.', '']
    lines += heading('Python')
    lines += table(('Version', 'Command'), ((one, code(f'/usr/bin/python{one}')) for one in facts['pythons']))
    lines += ['``python3 -m venv`` works everywhere. Neither pip nor any other tool is there for everybody; system',
              'tools lie in virtual environments of their own, which jobs do not change.', '']
    lines += heading('Tools')
    lines += table(('Environment', 'Tools', 'Size'), (
        (code(f'/usr/{venv}'),
         ', '.join(f'{one} {version}' for one, version in sorted(versions.items())) or 'see its commands',
         megabytes(facts['bytes'].get(f'/usr/{venv}', 0))) for venv, versions in sorted(facts['tools'].items())))
    lines += table(('Command', 'Path'), ((code(name), code(path)) for name, path in sorted(facts['commands'].items())))
    lines += heading('What is not there, and how a job gets it')
    lines += table(('What', 'On the node', 'How a job gets it'), ways(facts))
    lines += heading('Caches')
    lines += table(('Folder', 'Files', 'Size', 'What for'), (
        (code(cache['path']), str(cache['count']), megabytes(facts['bytes'].get(cache['path'], 0)), CACHES[name])
        for name, cache in facts['caches'].items()))
    repositories = facts['repositories']
    names = ', '.join(map(code, repositories['names'][:50])) or 'none in this image'
    lines += [f'{code(repositories["path"])} is where :zuul:role:`prepare-workspace-git` finds repositories that an '
              f'image brings: {names}.', '']
    for name, told in sorted(facts['missing'].items()):
        lines += [f'When this image was made, {name} lacked: {"; ".join(map(code, told))}.', '']
    lines += heading('Packages')
    lines += ['Those that the recipe asks for; the rest came with them. All are in the artifact *Node facts* of a',
              'build with :zuul:role:`node-facts`.', '']
    lines += table(('Package', 'Version'), sorted(facts['packages'].items()))
    lines += heading('Size')
    lines += table(('Part', 'Size'), ((code(path), megabytes(count)) for path, count in
                                      sorted(facts['bytes'].items(), key=lambda item: -item[1])
                                      if path != 'total' and count >= 1e6))
    return '\n'.join(lines).rstrip() + '\n'


def index(labels: Sequence[str]) -> str:
    """Return the page that leads to those of *labels*."""
    lines = [NOTE, '=' * 16, *heading('Test environment'),
             'What a job finds on a test node, what it does not, and how to get it: a page for each label, made from',
             'what the nodes say about themselves. :doc:`/guides/bare-nodes` is for jobs that come from nodes with',
             'more on them.', '',
             '.. toctree::', '   :maxdepth: 1', '', *(f'   test-environment/{label}' for label in labels)]
    return '\n'.join(lines).rstrip() + '\n'


def pages(folder: Path, kinds: dict[str, str]) -> dict[Path, str]:
    """Return all pages, by path, of what is kept in *folder*."""
    kept = {path.stem: json.loads(path.read_text(encoding='utf-8')) for path in sorted(folder.glob('*.json'))}
    made = {folder / f'{label}.rst': page(facts, kinds.get(label, 'real')) for label, facts in kept.items()}
    return {folder.with_suffix('.rst'): index(list(kept)), **made}


def label_kinds(text: str) -> dict[str, str]:
    """Return {label: kind} of the text of node/labels.yaml; read by hand, so that no library is needed."""
    found = re.findall(r'^- name: (\S+)\n((?:  .*\n?)*)', text, re.M)
    kinds = ((name, re.search(r'^  kind: (\S+)$', rest, re.M)) for name, rest in found)
    return {name: kind[1] if kind else 'real' for name, kind in kinds}


def main(paths: Sequence[str]) -> int:
    """Keep what the pages need of *paths*, and write the pages."""
    PAGES.mkdir(exist_ok=True)
    wanted = wanted_packages((LIBRARY / 'node' / 'recipe' / 'bindep.txt').read_text(encoding='utf-8'))
    for path in paths:
        facts = json.loads(Path(path).read_text(encoding='utf-8'))
        if not LABEL.match(facts['label']):
            sys.exit(f'{path}: the label is {facts["label"]!r}; right is: small letters, digits, dots and hyphens. '
                     'Set NODE_LABEL.')
        kept = json.dumps(trimmed(facts, wanted), indent=1, sort_keys=True)
        (PAGES / f'{facts["label"]}.json').write_text(kept + '\n', encoding='utf-8')
    for file, text in pages(PAGES, label_kinds((LIBRARY / 'node' / 'labels.yaml').read_text(encoding='utf-8'))).items():
        file.write_text(text, encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
