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
FUNCTION = re.compile(r'^([a-z_]+)\(\) \{(?:[^\n]*\}\n|.*?^\}\n)', re.MULTILINE | re.DOTALL)


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
    functions = {found[1]: found[0] for found in FUNCTION.finditer(recipe)}
    common = FUNCTION.sub('', recipe)
    code = {step: called(f'step_{step}', functions) for step in step_names(recipe)}
    reads = {step: mentioned(text, texts) for step, text in code.items()}
    shared = set(texts) - {name for names in reads.values() for name in names}      # nobody's, so perhaps everybody's
    made = []
    for steps in grouped(step_names(recipe)):
        total = hashlib.sha256(common.encode())
        for step in steps:
            total.update(f'\0{step}\0{code[step]}'.encode())
        for name in sorted(shared | {name for step in steps for name in reads[step]}):
            total.update(f'\0{name}\0{files[name].stat().st_mode & 0o111:o}\0'.encode() + files[name].read_bytes())
        made.append(Layer(steps, total.hexdigest()[:16]))
    return tuple(made)


def called(name: str, functions: Mapping[str, str]) -> str:
    """Return the text of the function *name* with those that it calls, and that these call."""
    found = {name: functions.get(name, '')}
    todo = [found[name]]
    while todo:
        here = todo.pop()
        more = {other: text for other, text in functions.items()
                if other not in found and re.search(rf'(?<![\w/.-]){other}(?![\w/.-])', here)}
        found |= more
        todo += more.values()
    return ''.join(text for _, text in sorted(found.items()))


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

    A file is spoken of by its name, or as ``$here/NAME`` where that is an ordinary word; so is its folder. What is
    found too much only builds a layer too often.
    """
    found: set[str] = set()
    todo = [text]
    while todo:
        here = todo.pop()
        more = {name for name in texts if name not in found and re.search(pattern(name), here)}
        found |= more
        todo += [texts[name] for name in more if not name.endswith('.txt')]
    return found


def pattern(name: str) -> str:
    """Return the regular expression of the ways in which the recipe speaks of a file."""
    path = Path(name)
    odd = re.search(r'[.-]', path.name)
    ways = [rf'(?<![\w-]){re.escape(path.name)}(?![\w-])' if odd else rf'here/{path.name}(?![\w-])']
    if path.parts[0] == 'toolchain':
        ways.append('NODE_TOOLCHAIN')
    elif len(path.parts) > 2:
        ways.append(rf'here/{path.parts[1]}(?![\w-])')
    return '|'.join(ways)
