"""``zuul-local node diff``: what differs between two images."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from zuul_local import errors
from zuul_local.nodes.difference import difference, lines
from zuul_local.nodes.facts import read
from zuul_local.nodes.podman import find_podman


def diff(args: argparse.Namespace) -> int:
    """Print what ``args.new`` has in place of ``args.old``."""
    podman = None if all(Path(name).is_file() for name in (args.old, args.new)) else find_podman()
    found = difference(read(args.old, podman), read(args.new, podman))
    print(json.dumps(found, indent=2) if args.json else '\n'.join(lines(found)) or 'no difference')
    return errors.SUCCESS
