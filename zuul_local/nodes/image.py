"""Images of nodes: made of Debian's own packages and the recipe in node/, and named by all that goes in."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zuul_local import process
from zuul_local.errors import UserError
from zuul_local.nodes import owner
from zuul_local.nodes.labels import Label
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


def ensure_image(podman: Podman, label: Label, site: Site, report: Report) -> str:
    """Return the reference of the image of *label*, after making it when it is not here.

    :param report: is told what happens, a line each, with the seconds so far.
    :raises UserError: a program that makes images is missing, or the image cannot be made here.
    """
    image = reference(label)
    if exists(podman, image):
        return image
    with _alone(label.image):
        if exists(podman, image):
            return image
        try:
            base = _ensure_base(podman, label, site, report)
            with _ticking(report, f'image {label.image}: packages and tools (about 50 s)'):
                _build(podman, label, site, base, image)
        except process.ProcessError as error:
            raise UserError(f'The image of {label.image} cannot be made: {error}',
                            'Mostly a mirror or index that is out of reach; see: zuul-local node list -v') from error
    return image


def reference(label: Label, files: Mapping[str, Path] | None = None) -> str:
    """Return the name of the image of *label*; any change of what it is made of gives another one."""
    return f'{REPOSITORY}/node:{label.image}-{digest(label, context() if files is None else files)}'


def digest(label: Label, files: Mapping[str, Path]) -> str:
    """Return 16 hex digits for all that the image of *label* is made of: its base and the build context *files*."""
    total = hashlib.sha256('\0'.join((base_reference(label.suite), label.image, platform(label))).encode())
    for name, path in sorted(files.items()):
        total.update(f'\0{name}\0{path.stat().st_mode & 0o111:o}\0'.encode() + path.read_bytes())
    return total.hexdigest()[:16]


def platform(label: Label) -> str:
    """Return setup-node's NODE_PLATFORM."""
    return f'{label.platform} {label.release}'


def context(recipe: Path = RECIPE, toolchain: Path = TOOLCHAIN) -> dict[str, Path]:
    """Return {path in the build context: file}: the recipe, the Containerfile and the lock of the Python tools."""
    files = {'Containerfile': recipe / 'Containerfile'}
    files |= {str(path.relative_to(recipe)): path for path in sorted((recipe / 'recipe').rglob('*')) if path.is_file()}
    files |= {f'toolchain/{path.name}': path for path in sorted(toolchain.glob('*.txt'))}
    return files


def exists(podman: Podman, image: str) -> bool:
    """Return whether *image* is here; a half-made one has no name yet."""
    return process.run(podman.argv('image', 'exists', image), env=podman.environ(), check=False).returncode == 0


def images(podman: Podman) -> list[dict[str, Any]]:
    """Return every image of ours as podman describes it."""
    found = json.loads(podman.run('images', '--format', 'json') or '[]')
    return [entry for entry in found if any(name.startswith(REPOSITORY + '/') for name in entry.get('Names') or ())]


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


def build_words(podman: Podman, label: Label, base: str, image: str, folder: str, site_folder: str) -> tuple[str, ...]:
    """Return podman's words that make *image* of the context in *folder*.

    chroot is the one isolation that works for root, without root and inside other containers; the recipe is our own.
    The site is bound, never an argument: arguments stay in the history of an image.
    """
    return (
        'build', '--quiet', '--isolation', 'chroot', '--network', 'host', '--layers=false', '--force-rm',
        *podman.ulimits, '--volume', f'{site_folder}:{SITE}:ro', '--build-arg', f'BASE={base}',
        '--build-arg', f'NODE_LABEL={label.image}', '--build-arg', f'NODE_PLATFORM={platform(label)}',
        '--build-arg', f'NODE_DIGEST={image.rpartition("-")[2]}', '--tag', image, folder)


def site_files(site: Site) -> dict[str, str]:
    """Return {name: text} of the files that setup-node reads in its NODE_SITE folder."""
    bundle = f'{SITE}/ca.crt'
    files = {}
    if environment := site.environment(bundle):
        files['environment'] = ''.join(f'export {name}={shlex.quote(value)}\n' for name, value in environment.items())
    if pip := site.pip_conf(bundle):
        files['pip.conf'] = pip
    apt = site.apt_conf()
    if site.bundle:
        apt += f'Acquire::https::CAInfo "{bundle}";\n'
    if site.apt_mirror or site.apt_security:
        apt += f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{SITE}/sources.list.d";\n'
    if apt:
        files['apt.conf'] = apt
    return files


def _ensure_base(podman: Podman, label: Label, site: Site, report: Report) -> str:
    """Return the reference of the bare system under the image of *label*, after making it when it is not here."""
    base = base_reference(label.suite)
    if exists(podman, base):
        return base
    if not shutil.which('mmdebstrap'):
        raise UserError(f'mmdebstrap is needed to make an image of Debian {label.suite}, and is not installed.',
                        'apt-get install --no-install-recommends mmdebstrap')
    if not Path(KEYRING).exists():
        raise UserError(f'{KEYRING} is needed to check the packages of Debian, and is not there.',
                        'apt-get install debian-archive-keyring')
    with _ticking(report, f'image {label.image}: bare Debian {label.suite} (about 30 s)'), _scratch() as scratch:
        tar, kept = scratch / 'base.tar', scratch / 'debian.sources'
        kept.write_text(sources(label.suite, Site()))
        environ = {**os.environ, **site.environment(site.bundle_path), 'TMPDIR': str(scratch)}
        process.run(base_argv(label.suite, site, str(tar), str(kept)), env=environ, timeout=1800)
        podman.run('import', '--quiet', str(tar), base, timeout=600, scratch=scratch)
    return base


def _build(podman: Podman, label: Label, site: Site, base: str, image: str) -> None:
    with _scratch() as scratch:
        copies = {name: scratch / 'context' / name for name in context()}
        for name, path in context().items():
            copies[name].parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copies[name])
        if reference(label, copies) != image:
            raise UserError(f'The recipe of {label.image} was changed while its image was made.', 'Try again.')
        folder = scratch / 'site'
        (folder / 'sources.list.d').mkdir(parents=True)
        (folder / 'sources.list.d/debian.sources').write_text(sources(label.suite, site))
        for name, text in site_files(site).items():
            (folder / name).write_text(text)
        if site.bundle:
            (folder / 'ca.crt').write_bytes(site.bundle)
        _remove_unfinished(podman, base)
        try:
            podman.run(*build_words(podman, label, base, image, str(scratch / 'context'), str(folder)), timeout=3600,
                       scratch=scratch)
        finally:
            _remove_unfinished(podman, base)


def _remove_unfinished(podman: Podman, base: str) -> None:
    """Remove what a build on *base* that did not come to its end keeps in podman's store."""
    entries = json.loads(podman.run('ps', '-a', '--external', '--format', 'json') or '[]')
    for entry in entries:
        if entry['State'] == 'storage' and entry['Image'] == base:
            podman.run('rm', '-f', '-i', entry['Names'][0], check=False)


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """Give a folder for the time of one step; what killed builders left in theirs goes."""
    folder = cache_dir() / 'images'
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f'*/{owner.FILE}'):
        if not owner.alive(owner.claimed(left.parent)):
            shutil.rmtree(left.parent, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as name:
        owner.claim(Path(name))
        os.chmod(name, 0o755)           # apt's and dpkg's helpers read here as other users
        yield Path(name)


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold the lock on the image *name*: a second builder waits, and then finds it made."""
    folder = cache_dir() / 'images'
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f'{name}.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _ticking(report: Report, what: str) -> Iterator[None]:
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
