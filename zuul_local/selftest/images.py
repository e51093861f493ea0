"""The images of the nodes that are needed, made before the first build, where their making can be seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from zuul_local.nodes.image import ensure_image
from zuul_local.nodes.labels import Label
from zuul_local.nodes.podman import find_podman
from zuul_local.nodes.site import discover


def provide_images(labels: Iterable[Label], report: Callable[[str], None]) -> None:
    """Make the images of *labels* that are not there.

    :raises UserError: one cannot be made here.
    """
    one_each = {label.image: label for label in labels}
    if one_each:
        podman, site = find_podman(), discover(os.environ)
        for label in one_each.values():
            ensure_image(podman, label, site, report)
