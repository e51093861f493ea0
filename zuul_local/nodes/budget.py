"""How large an image may be. A node that grows is noticed by the one who makes it grow."""

from __future__ import annotations

from collections.abc import Callable

from zuul_local.errors import UserError
from zuul_local.nodes.facts import Facts

# Disk space in MB, about a quarter more than the largest of our labels takes: a container and a tar are unpacked files,
# qcow2 is compressed and has a kernel, raw is that disk with room to grow.
MEGABYTES = {'container': 1450, 'tar': 1700, 'qcow2': 1000, 'raw': 3600}
LARGEST = 8             # parts that a refusal names


class TooLarge(UserError):
    """An image is larger than its budget."""


def check(name: str, form: str, size: int, facts: Callable[[], Facts]) -> None:
    """Compare *size*, the bytes of disk that the image *name* takes, with the budget of *form*.

    :param facts: gives those of the image; called when it is too large.
    :raises TooLarge: the message has the parts of the image by size.
    """
    if size > MEGABYTES[form] * 1_000_000:
        parts = ''.join(f'\n  {line}' for line in by_size(facts()))
        raise TooLarge(f'{name} takes {size / 1e6:.0f} MB, and the budget of a {form} is {MEGABYTES[form]} MB. '
                       f'The largest parts inside:{parts}',
                       'Shorten the lists of caches and packages, or raise the budget in zuul_local/nodes/budget.py.')


def by_size(facts: Facts) -> list[str]:
    """Return the largest parts of a node, a line each."""
    parts = sorted(facts.get('bytes', {}).items(), key=lambda part: (-part[1], part[0]))[:LARGEST]
    return [f'{size / 1e6:8.1f} MB  {name}' for name, size in parts]
