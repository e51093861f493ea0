"""Images of nodes: made of Debian's own packages and the recipe in node/, and named by all that goes in."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import platform as system
import re
import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zuul_local import process
from zuul_local.errors import UserError
from zuul_local.nodes import budget, facts, owner
from zuul_local.nodes.labels import Label
from zuul_local.nodes.layers import Layer, layers
from zuul_local.nodes.podman import Podman
from zuul_local.nodes.site import DEBIAN, DEBIAN_SECURITY, KEYRING, Site, sources
from zuul_local.paths import LIBRARY, cache_dir

REPOSITORY = 'localhost/zuul-local'
RECIPE = LIBRARY / 'node'
TOOLCHAIN = LIBRARY / 'roles/ensure-python-command/files/toolchain'
SITE_TRACES = (                         # below /etc: what mmdebstrap leaves of this machine
    'apt/sources.list', 'apt/apt.conf.d/99mmdebstrap', 'dpkg/dpkg.cfg.d/99mmdebstrap', 'hostname', 'resolv.conf')
INCLUDE = ('ca-certificates', 'python3', 'python3-venv')
SITE = '/run/node-site'                 # setup-node's NODE_SITE
HEARTBEAT = 15                          # seconds between two signs of life

Report = Callable[[str], None]


def ensure_image(podman: Podman, label: Label, site: Site, report: Report, *, fresh: bool = False) -> str:
    """Return the reference of the image of *label*, after making it when it is not here.

    :param report: is told what happens, a line each, with the seconds so far.
    :param fresh: whether to make it again, of nothing that an earlier build left.
    :raises UserError: a program that makes images is missing, or the image cannot be made here.
    """
    image = reference(label)
    if exists(podman, image) and not fresh:
        return image
    if label.architecture not in ('', machine()):
        raise UserError(f'{label.name} is for {label.architecture}, and this machine is {machine()}.',
                        f'Build and use it on a machine with {label.architecture}.')
    # what an unfinished build left on a base can be told from one that goes on only while there is one at most
    with alone(label.image), alone(f'base-{hashlib.sha256(base_of(label).encode()).hexdigest()[:16]}'):
        if exists(podman, image) and not fresh:
            return image
        try:
            base = _ensure_base(podman, label, site, report, fresh)
            with ticking(report, f'image {label.image}: packages and tools (about 50 s)'):
                _build(podman, label, site, base, image, fresh)
            budget.check(image, 'container', _size(podman, image), lambda: facts.read(image, podman))
        except budget.TooLarge:
            podman.remove_image(image)
            raise
        except process.ProcessError as error:
            raise UserError(f'The image of {label.image} cannot be made: {error}',
                            'Mostly a mirror or index that is out of reach; see: zuul-local node list -v') from error
    return image


def reference(label: Label, files: Mapping[str, Path] | None = None) -> str:
    """Return the name of the image of *label*; any change of what it is made of gives another one."""
    return f'{REPOSITORY}/node:{label.image}-{digest(label, context() if files is None else files)}'


def digest(label: Label, files: Mapping[str, Path]) -> str:
    """Return 16 hex digits for all that the image of *label* is made of: its base and the build context *files*."""
    total = hashlib.sha256('\0'.join((base_of(label), label.image, platform(label))).encode())
    for name, path in sorted(files.items()):
        total.update(f'\0{name}\0{path.stat().st_mode & 0o111:o}\0'.encode() + path.read_bytes())
    return total.hexdigest()[:16]


def platform(label: Label) -> str:
    """Return setup-node's NODE_PLATFORM."""
    return f'{label.platform} {label.release}'


def machine() -> str:
    """Return the architecture of this machine as ``uname -m`` says it."""
    return system.machine()


def context(recipe: Path = RECIPE, toolchain: Path = TOOLCHAIN) -> dict[str, Path]:
    """Return {path in the build context: file}: the recipe with its lists, the Containerfile and the tools' locks."""
    files = {'Containerfile': recipe / 'Containerfile'}
    files |= {str(path.relative_to(recipe)): path for path in sorted((recipe / 'recipe').rglob('*'))
              if path.is_file() and '__pycache__' not in path.parts}
    files |= {f'toolchain/{path.name}': path for path in sorted(toolchain.glob('*.txt'))}
    return files


def exists(podman: Podman, image: str) -> bool:
    """Return whether *image* is here; a half-made one has no name yet."""
    return process.run(podman.argv('image', 'exists', image), env=podman.environ(), check=False).returncode == 0


def images(podman: Podman) -> list[dict[str, Any]]:
    """Return every image of ours as podman describes it."""
    found = json.loads(podman.run('images', '--format', 'json') or '[]')
    return [entry for entry in found if any(name.startswith(REPOSITORY + '/') for name in entry.get('Names') or ())]


def base_of(label: Label) -> str:
    """Return the name of the image under that of *label*: one of a registry, or a bare Debian of our own making."""
    return label.base or base_reference(label.suite)


def base_reference(suite: str) -> str:
    """Return the name of the bare system of *suite*."""
    site = Site()
    made_of = '\n'.join((*base_argv(suite, site, 'OUT', 'SOURCES'), sources(suite, site)))
    return f'{REPOSITORY}/base:{suite}-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}'


def base_argv(suite: str, site: Site, out: str, sources_file: str) -> tuple[str, ...]:
    """Return the command that writes the bare system of *suite* to the tar *out*.

    :param sources_file: apt's sources as they stay in the image; the mirror of *site* serves only while it is made.
    """
    mirror, security = site.apt_mirror or DEBIAN, site.apt_security or DEBIAN_SECURITY
    options = [f'--aptopt={line}' for line in site.apt_conf().splitlines()]
    return (
        'mmdebstrap', '--quiet', '--variant=minbase', '--format=tar', f'--include={",".join(INCLUDE)}',
        f'--keyring={KEYRING}', *options, '--dpkgopt=force-unsafe-io',
        f'--customize-hook=cd "$1/etc" && rm -f {" ".join(SITE_TRACES)}',
        f'--customize-hook=upload {shlex.quote(sources_file)} /etc/apt/sources.list.d/debian.sources',
        suite, out, f'deb {mirror} {suite} main', f'deb {mirror} {suite}-updates main',
        f'deb {security} {suite}-security main')


def build_words(
    podman: Podman, label: Label, base: str, image: str, folder: str, site_folder: str, made_of: Sequence[Layer],
    fresh: bool = False,
) -> tuple[str, ...]:
    """Return podman's words that make *image* of the context in *folder*, reusing layers unless it is to be *fresh*.

    chroot is the one isolation that works for root, without root and inside other containers; the recipe is our own.
    The site is bound, never an argument: arguments stay in the history of an image.
    """
    arguments = {'BASE': base, 'NODE_LABEL': label.image, 'NODE_PLATFORM': platform(label),
                 'NODE_DIGEST': image.rpartition('-')[2]}
    for number, layer in enumerate(made_of, 1):
        arguments |= {f'STEPS_{number}': ' '.join(layer.steps), f'DIGEST_{number}': layer.digest}
    return (
        'build', '--quiet', '--isolation', 'chroot', '--network', 'host', '--layers', '--pull=never', '--force-rm',
        *(('--no-cache',) if fresh else ()), *podman.ulimits, '--volume', f'{site_folder}:{SITE}:ro',
        *(word for name, value in arguments.items() for word in ('--build-arg', f'{name}={value}')),
        '--tag', image, folder)


def site_files(site: Site, folder: str = SITE) -> dict[str, str]:
    """Return {name: text} of the files that setup-node reads in its NODE_SITE *folder*."""
    bundle = f'{folder}/ca.crt'
    files = {}
    if environment := site.environment(bundle):
        files['environment'] = ''.join(f'export {name}={shlex.quote(value)}\n' for name, value in environment.items())
    if pip := site.pip_conf(bundle):
        files['pip.conf'] = pip
    apt = site.apt_conf()
    if site.bundle:
        apt += f'Acquire::https::CAInfo "{bundle}";\n'
    if site.apt_mirror or site.apt_security:
        apt += f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{folder}/sources.list.d";\n'
    if apt:
        files['apt.conf'] = apt
    return files


def write_site(folder: Path, site: Site, suite: str, seen_as: str = SITE) -> None:
    """Write into *folder* what setup-node reads in its NODE_SITE.

    :param suite: of Debian, whose mirror the site may have; empty for other systems.
    :param seen_as: where the folder is while setup-node runs.
    """
    if suite:
        (folder / 'sources.list.d').mkdir()
        (folder / 'sources.list.d/debian.sources').write_text(sources(suite, site))
    for name, text in site_files(site, seen_as).items():
        (folder / name).write_text(text)
    if site.bundle:
        (folder / 'ca.crt').write_bytes(site.bundle)


def pull_words(label: Label) -> tuple[str, ...]:
    """Return podman's words that fetch the base of *label* from its registry."""
    return ('pull', '--quiet', label.base)


def _ensure_base(podman: Podman, label: Label, site: Site, report: Report, fresh: bool) -> str:
    """Return the reference of the bare system under the image of *label*, after getting it when it is not here."""
    base = base_of(label)
    if exists(podman, base) and not fresh:
        return base
    if label.base:
        with ticking(report, f'image {label.image}: {base} from its registry'):
            podman.run(*pull_words(label), timeout=1800)
        return base
    if not shutil.which('mmdebstrap'):
        raise UserError(f'mmdebstrap is needed to make an image of Debian {label.suite}, and is not installed.',
                        'apt-get install --no-install-recommends mmdebstrap')
    if not Path(KEYRING).exists():
        raise UserError(f'{KEYRING} is needed to check the packages of Debian, and is not there.',
                        'apt-get install debian-archive-keyring')
    with ticking(report, f'image {label.image}: bare Debian {label.suite} (about 30 s)'), working_folder() as scratch:
        tar, kept = scratch / 'base.tar', scratch / 'debian.sources'
        kept.write_text(sources(label.suite, Site()))
        environ = {**os.environ, **site.environment(site.bundle_path), 'TMPDIR': str(scratch)}
        process.run(base_argv(label.suite, site, str(tar), str(kept)), env=environ, timeout=1800)
        podman.run('import', '--quiet', str(tar), base, timeout=600, scratch=scratch)
    return base


def _build(podman: Podman, label: Label, site: Site, base: str, image: str, fresh: bool) -> None:
    if label.base:                      # the mirror of this machine is one of Debian
        site = dataclasses.replace(site, apt_mirror='', apt_security='')
    with working_folder() as scratch:
        copies = {name: scratch / 'context' / name for name in context()}
        for name, path in context().items():
            copies[name].parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copies[name])
        if reference(label, copies) != image:
            raise UserError(f'The recipe of {label.image} was changed while its image was made.', 'Try again.')
        folder = scratch / 'site'
        folder.mkdir()
        write_site(folder, site, '' if label.base else label.suite)
        _remove_unfinished(podman, base)
        try:
            words = build_words(podman, label, base, image, str(scratch / 'context'), str(folder), layers(copies),
                                fresh)
            podman.run(*words, timeout=3600, scratch=scratch)
        finally:
            _remove_unfinished(podman, base)


def _remove_unfinished(podman: Podman, base: str) -> None:
    """Remove what a build on *base* that did not come to its end keeps in podman's store."""
    left = [entry for entry in podman.listed('ps', '-a', '--external') if entry['State'] == 'storage']
    lowest = _lowest_layer(podman, base) if left else ''
    for entry in left:
        if entry['Image'] == base or (lowest and _lowest_layer(podman, entry['ImageID']) == lowest):
            podman.run('rm', '-f', '-i', entry['Names'][0], check=False)


def _lowest_layer(podman: Podman, image: str) -> str:
    return podman.run('image', 'inspect', '--format', '{{index .RootFS.Layers 0}}', image, check=False)


def _size(podman: Podman, image: str) -> int:
    return int(podman.run('image', 'inspect', '--format', '{{.Size}}', image))


@contextlib.contextmanager
def working_folder(folder: Path | None = None) -> Iterator[Path]:
    """Give a folder below *folder* for the time of one step; what killed builders left in theirs goes.

    :raises UserError: a folder cannot be removed safely, because something is mounted in it.
    """
    folder = folder or cache_dir() / 'images'
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f'*/{owner.FILE}'):
        if not owner.alive(owner.claimed(left.parent)):
            _remove(left.parent)
    scratch = Path(tempfile.mkdtemp(dir=folder))
    try:
        owner.claim(scratch)
        os.chmod(scratch, 0o755)        # apt's and dpkg's helpers read here as other users
        yield scratch
    finally:
        _remove(scratch)


def _remove(folder: Path) -> None:
    """Remove *folder*, unless that would remove what is mounted in it, which may be all of this machine's /dev."""
    if points := mounted(folder, Path('/proc/self/mountinfo').read_text(errors='surrogateescape')):
        raise UserError(f'{folder} is left over from a build, and not removed: mounted in it are {", ".join(points)}.',
                        f'umount {shlex.join(reversed(points))} && rm -r {shlex.quote(str(folder))}')
    shutil.rmtree(folder, ignore_errors=True)


def mounted(folder: Path, mountinfo: str) -> list[str]:
    """Return the mount points in and at *folder*, outer ones first, of the text of proc_pid_mountinfo(5)."""
    points = (re.sub(r'\\([0-7]{3})', lambda code: chr(int(code[1], 8)), line.split()[4])
              for line in mountinfo.splitlines())
    return sorted(point for point in points if Path(point).is_relative_to(folder.resolve()))


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold the lock on the image *name*: a second builder waits, and then finds it made."""
    folder = cache_dir() / 'images'
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f'{name}.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def ticking(report: Report, what: str) -> Iterator[None]:
    """Report *what* at once, then while it lasts, and at its end, with seconds."""
    began = time.monotonic()
    done = threading.Event()

    def tick() -> None:
        while not done.wait(HEARTBEAT):
            report(f'{what}: {time.monotonic() - began:.0f} s …')

    report(what)
    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    report(f'{what}: done in {time.monotonic() - began:.1f} s')
