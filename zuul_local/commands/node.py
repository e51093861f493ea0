"""``zuul-local node``: images of nodes, and nodes that were kept."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zuul_local import errors, process
from zuul_local.errors import UserError
from zuul_local.nodes import container, dib, image, owner
from zuul_local.nodes.labels import Label, load_labels
from zuul_local.nodes.podman import Podman, find_podman, rootless_prefix
from zuul_local.nodes.site import discover, tell


def build(args: argparse.Namespace) -> int:
    """Make the images of ``args.labels``, of all labels that are tried when it is empty."""
    labels = load_labels()
    wanted = [_label(name, labels) for name in args.labels] or [
        label for label in labels.values()
        if label.tried and not label.offline and (label.element or args.format == 'container')]
    if (args.format == 'container') == bool(args.output):
        raise UserError(f'--format {args.format}: ' + (
            'a container image goes to podman, not to --output.' if args.output else 'it needs --output DIR.'),
            'zuul-local node build LABEL' + ('' if args.output else f' --format {args.format} --output images'))
    if args.lists and args.format == 'container':
        raise UserError('--lists: container images are the same everywhere.',
                        'Make a tar with your lists, then: zuul-local run JOB --image LABEL=TAR')
    process.heed_termination()
    podman, site = find_podman(), discover(os.environ)
    report = lambda line: print(line, file=sys.stderr if args.json else sys.stdout, flush=True)  # noqa: E731
    if args.format == 'container':
        made = {label.name: image.ensure_image(podman, label, site, report, fresh=args.fresh) for label in wanted}
    else:
        lists = Path(args.lists) if args.lists else None
        made = {label.name: str(dib.build(label, args.format, Path(args.output), site, report, fresh=args.fresh,
                                          lists=lists)) for label in wanted}
    if args.json:
        print(json.dumps(made, indent=2))
    else:
        print('\n'.join(f'{name}: {reference}' for name, reference in made.items()))
    return errors.SUCCESS


def list_(args: argparse.Namespace) -> int:
    """Print the labels with their images, the nodes that are there, and with ``args.verbose`` the site."""
    podman, site = find_podman(), discover(os.environ)
    here = {name: entry for entry in image.images(podman) for name in entry['Names']}
    labels: list[dict[str, Any]] = [{
        'name': label.name, 'kind': label.kind, 'pythons': list(label.pythons), 'default': label.default,
        'offline': label.offline, 'image': (reference := image.reference(label)),
        'megabytes': here[reference]['Size'] // 1_000_000 if reference in here else None,
    } for label in load_labels().values()]
    nodes = list(_nodes(podman))
    if args.json:
        found = {'labels': labels, 'nodes': nodes, **({'site': list(tell(site))} if args.verbose else {})}
        print(json.dumps(found, indent=2))
        return errors.SUCCESS
    _table(('LABEL', 'PYTHON', 'KIND', 'IMAGE'), [
        (row['name'] + (' (default)' if row['default'] else ''), ' '.join(row['pythons']), row['kind'],
         'not made yet' if row['megabytes'] is None else f'{row["image"]}  {row["megabytes"]} MB') for row in labels])
    if nodes:
        print()
        _table(('NODE', 'LABEL', 'ADDRESS', 'STATE'), [
            (row['name'], row['label'], row['address'], row['state']) for row in nodes])
    if args.verbose:
        print('\nNodes get from this machine:')
        print('\n'.join(f'  {line}' for line in tell(site)))
    return errors.SUCCESS


def shell(args: argparse.Namespace) -> int:
    """Become ssh to the kept node ``args.name``, and run ``args.command`` there or a shell."""
    kept = [node for node in _nodes(find_podman()) if node['kept']]
    found = [node for node in kept if args.name in (node['name'], node['container'])]
    if len(found) != 1:
        names = ', '.join(node['container'] for node in found or kept)
        raise UserError(
            f'{"Several kept nodes are" if found else "No kept node is"} called {args.name!r}.',
            f'zuul-local node shell NODE, with one of: {names}' if names else 'zuul-local run --keep JOB')
    node = found[0]
    words = args.command[1:] if args.command[:1] == ['--'] else args.command
    # ssh hands one string to the node's shell, which must find the words as they were given here
    command = [shlex.join(words)] if words else []
    ssh, *rest = container.ssh_argv(container.kept_dir() / node['run'], node['address'], command)
    argv = (*rootless_prefix(), ssh, *(() if words else ('-t',)), *rest)
    sys.stdout.flush()
    os.execvp(argv[0], argv)


def clean(args: argparse.Namespace) -> int:
    """Remove kept nodes, what dead runs left and images that no label has any more; with ``args.all`` every image."""
    podman = find_podman()
    gone: dict[str, list[str]] = {'runs': container.reap(podman), 'nodes': [], 'images': []}
    for node in _nodes(podman):
        if node['kept'] and not owner.alive(node['owner']):
            container.remove_run(podman, node['run'])
            shutil.rmtree(container.kept_dir() / node['run'], ignore_errors=True)
            gone['nodes'].append(node['container'])
    labels = load_labels().values()
    current = {image.reference(label) for label in labels} | {image.base_of(label) for label in labels}
    names = [name for entry in image.images(podman) for name in entry['Names']]
    for name in sorted(names, reverse=True):            # nodes before the bases that they are made of
        if (args.all or name not in current) and podman.remove_image(name):
            gone['images'].append(name)
    if args.json:
        print(json.dumps(gone, indent=2))
    else:
        lines = [f'removed {what[:-1]} {name}' for what, names in gone.items() for name in names]
        print('\n'.join(lines or ['nothing to remove']))
    return errors.SUCCESS


def _label(name: str, labels: dict[str, Label]) -> Label:
    if name not in labels:
        raise UserError(f'No label is called {name!r}.', f'one of: {", ".join(labels)}')
    return labels[name]


def _nodes(podman: Podman) -> list[dict[str, Any]]:
    """Return every node on this machine, running or kept."""
    entries = container.containers(podman)
    if not entries:
        return []
    found = json.loads(podman.run('inspect', '--type', 'container', *(entry['Id'] for entry in entries)))
    nodes = []
    for entry in found:
        labels = entry['Config']['Labels']
        addresses = [network['IPAddress'] for network in entry['NetworkSettings']['Networks'].values()]
        kept = owner.KEEP in labels
        nodes.append({
            'name': labels[owner.NODE], 'container': entry['Name'].lstrip('/'), 'label': labels[owner.LABEL],
            'run': labels[owner.RUN], 'owner': labels[owner.OWNER],
            'address': addresses[0] if addresses else '', 'kept': kept,
            'state': 'in use' if owner.alive(labels[owner.OWNER]) else 'kept' if kept else 'left by a dead run'})
    return nodes


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        print('  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
