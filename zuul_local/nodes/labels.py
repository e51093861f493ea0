"""The labels that a job can name, read from node/labels.yaml."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import yaml

from zuul_local.paths import LIBRARY

OFFLINE = '-offline'
UNTRIED = 'untried'


@dataclasses.dataclass(frozen=True)
class Label:
    """A kind of node.

    :param suite: the Debian suite that its image is made of; empty where that is made of *base*.
    :param platform: what the system says to be, as the meta/main.yaml of a role names it: 'Debian', 'EL'.
    :param release: its release in the same words: 'bookworm', '9'.
    :param pythons: versions such as '3.11' that a fresh node has.
    :param kind: 'real', 'contract' for a stand-in that only tests branches of our code, or 'untried' for a real system
        that nothing of ours has run on.
    :param offline: its network has no way out.
    :param base: container image of a registry that its own is made of.
    :param architecture: as ``uname -m`` says it; empty for that of any machine.
    :param element: of diskimage-builder; empty where there are no disk images of it.
    :param element_release: what that element calls the release; empty for *suite*.
    """

    name: str
    suite: str
    platform: str
    release: str
    pythons: tuple[str, ...]
    python_path: str
    kind: str
    offline: bool = False
    default: bool = False
    base: str = ''
    architecture: str = ''
    element: str = ''
    element_release: str = ''

    @property
    def tried(self) -> bool:
        """Whether the tests of this library run on it."""
        return self.kind != UNTRIED

    @property
    def described(self) -> str:
        """The name for people, who are told when it is no real system."""
        return self.name if self.kind == 'real' else f'{self.name}, {self.kind}'

    @property
    def image(self) -> str:
        """The name of the image, which a label shares with its offline variant."""
        return self.name.removesuffix(OFFLINE) if self.offline else self.name


def load_labels(path: Path = LIBRARY / 'node/labels.yaml') -> dict[str, Label]:
    """Return every label by name: those of *path* in its order, each followed by its offline variant."""
    labels: dict[str, Label] = {}
    for entry in yaml.safe_load(path.read_text()):
        label = Label(**{'suite': '', **entry, 'pythons': tuple(entry['pythons'])})
        labels[label.name] = label
        offline = dataclasses.replace(label, name=label.name + OFFLINE, offline=True, default=False)
        labels[offline.name] = offline
    return labels


def default_label(labels: Mapping[str, Label] | None = None) -> Label:
    """Return the label of jobs that name none."""
    return next(label for label in (labels or load_labels()).values() if label.default)


def with_python(version: str, labels: Mapping[str, Label]) -> list[Label]:
    """Return the labels whose fresh nodes have Python *version* ('3.13', or '3' for any 3)."""
    return [label for label in labels.values() if has_python(label, version)]


def has_python(label: Label, version: str) -> bool:
    """Return whether a fresh node of *label* has Python *version*."""
    return any(f'{python}.'.startswith(f'{version}.') for python in label.pythons)
