"""The layers of a container image: groups of the recipe's steps, each with the digest of what its steps are made of.

A change makes anew the layer that it belongs to and those above.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

RECIPE = 'recipe/setup-node'
ENDS = ('venvs', 'packages', 'archives')        # each ends a layer; the last layer has the rest
STEPS = re.compile(r'NODE_STEPS:=([^}]*)\}')
STEP = re.compile(r'^step_([a-z_]+)\(\) \{.*?^\}\n', re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Layer:
    """One RUN of the Containerfile.

    :param steps: names of steps, in order.
    :param digest: 16 hex digits for the steps and all files that they read.
    """

    steps: tuple[str, ...]
    digest: str


def layers(files: Mapping[str, Path]) -> tuple[Layer, ...]:
    """Return the layers of the build context *files*, one more than :data:`ENDS` has."""
    texts = {name: path.read_bytes().decode(errors='replace') for name, path in sorted(files.items())}
    recipe = texts.pop(RECIPE)
    functions = {found[1]: found[0] for found in STEP.finditer(recipe)}
    common = STEP.sub('', recipe)
    needs = {step: mentioned(text, texts) for step, text in functions.items()}
    anywhere = {name for names in needs.values() for name in names}
    shared = {name for name in texts if name not in anywhere}       # nobody's, so perhaps everybody's
    made = []
    for steps in grouped(step_names(recipe)):
        total = hashlib.sha256(common.encode())
        for step in steps:
            total.update(f'\0{step}\0{functions.get(step.replace("-", "_"), "")}'.encode())
        read = shared | {name for step in steps for name in needs.get(step, ())}
        for name in sorted(read):
            total.update(f'\0{name}\0{files[name].stat().st_mode & 0o111:o}\0'.encode() + files[name].read_bytes())
        made.append(Layer(steps, total.hexdigest()[:16]))
    return tuple(made)


def step_names(recipe: str) -> tuple[str, ...]:
    """Return the steps of the recipe in their order."""
    found = STEPS.search(recipe)
    return tuple(found[1].split()) if found else ()


def grouped(steps: Sequence[str]) -> list[tuple[str, ...]]:
    """Return *steps* in as many groups as there are layers; one is empty when the step that ends it is not there."""
    groups, begin = [], 0
    for end in ENDS:
        stop = steps.index(end) + 1 if end in steps else begin
        groups.append(tuple(steps[begin:max(begin, stop)]))
        begin = max(begin, stop)
    return [*groups, tuple(steps[begin:])]


def mentioned(text: str, texts: Mapping[str, str]) -> set[str]:
    """Return the names of the files that *text* speaks of, and those that these speak of.

    A file is spoken of by its own name or by that of its folder; a word too many only builds a layer too often.
    """
    found: set[str] = set()
    todo = [text]
    while todo:
        here = todo.pop()
        more = {name for name in texts if name not in found and any(
            re.search(rf'(?<![\w-]){re.escape(word)}(?![\w-])', here, re.IGNORECASE) for word in words(name))}
        found |= more
        todo += [texts[name] for name in more if not name.endswith('.txt')]
    return found


def words(name: str) -> tuple[str, ...]:
    """Return the words by which the recipe speaks of a file: its name, and its folder unless all are in that."""
    path = Path(name)
    folder = path.parent.name
    return (path.name, *((folder, f'NODE_{folder}') if folder not in ('', 'recipe') else ()))
