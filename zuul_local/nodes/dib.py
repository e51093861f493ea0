"""Disk images of nodes: diskimage-builder, with an element that runs the recipe of the containers."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from zuul_local import process
from zuul_local.environment import host, recipe
from zuul_local.environment.cache import say
from zuul_local.environment.tools import ensure_venv
from zuul_local.errors import UserError
from zuul_local.nodes import budget, facts, image
from zuul_local.nodes.labels import Label
from zuul_local.nodes.site import DEBIAN, DEBIAN_SECURITY, Site, sources
from zuul_local.paths import LIBRARY, cache_dir

FORMATS = ('tar', 'qcow2', 'raw')
LISTS = ('files.txt', 'packages.txt', 'projects.txt')      # of the recipe, which a site can add to
PROFILE = 'dib'                         # of bindep.txt, and family of the environment
LOCK = recipe.REQUIREMENTS / 'dib.txt'
ELEMENTS = image.RECIPE / 'elements'
SHIM = image.RECIPE / 'shim'
SITE = '/tmp/in_target.d/ci-node/site'  # where the element puts CI_NODE_SITE while it builds
ARCHITECTURES = {'x86_64': 'amd64', 'aarch64': 'arm64'}
DEBIAN_ELEMENT = 'debian-minimal'
TIMEOUT = 3600                          # seconds
# It binds this machine's /dev into the folder that it works in. Nobody else sees that, and none of its processes or
# mounts is left when we are killed: else the next one who cleans up the folder would empty /dev.
ALONE = ('setpriv', '--pdeathsig', 'KILL', 'unshare', '--mount', '--propagation', 'private', '--pid', '--fork',
         '--mount-proc', '--kill-child=KILL')

Report = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Folders:
    """Where one build has its files.

    :param site: what only the build may see, for the recipe.
    :param facts: file that the facts of the node are handed out to.
    :param scratch: temporary files, several GB.
    :param cache: what diskimage-builder keeps for the next build.
    :param lists: the site's own lists of what to cache.
    """

    site: Path
    facts: Path
    scratch: Path
    cache: Path
    lists: Path | None = None


def build(label: Label, form: str, output: Path, site: Site, report: Report, *, fresh: bool = False,
          lists: Path | None = None) -> Path:
    """Make the image of *label* in *output*, with its facts beside it, and return its path.

    Its name has the digest of all that goes in: one that is there is left alone.

    :param form: one of :data:`FORMATS`.
    :param fresh: whether to make it again, of nothing that an earlier build kept.
    :param lists: folder with some of :data:`LISTS`.
    :raises UserError: it cannot be made here, or is larger than its budget.
    """
    machine = image.machine()
    if problem := refusal(label, machine, os.geteuid()):
        raise UserError(*problem)
    made = output / f'{label.image}-{digest(label, form, of_site(lists))}.{form}'
    if made.exists() and not fresh:
        report(f'image {made.name}: already there')
        return made
    _provide_host()
    venv = ensure_venv(PROFILE, (LOCK,))
    output.mkdir(parents=True, exist_ok=True)
    cache = cache_dir() / 'dib'
    with image.alone('dib'), image.working_folder(output) as scratch:      # all share what diskimage-builder keeps
        if made.exists() and not fresh:
            report(f'image {made.name}: made meanwhile')
            return made
        if fresh:
            shutil.rmtree(cache, ignore_errors=True)
        folders = Folders(scratch / 'site', scratch / 'facts.json', scratch / 'tmp', cache,
                          lists.resolve() if lists else None)
        for folder in (folders.site, folders.scratch, folders.cache):
            folder.mkdir(parents=True, exist_ok=True)
        write_site(folders.site, label, site)
        path = search_path(venv, os.environ.get('PATH', os.defpath), shims(Path('/'), shutil.which('sudo') is None))
        log = output / f'{made.name}.log'
        words = argv(venv, label, form, scratch / 'image', log, machine)
        try:
            with image.ticking(report, f'image {made.name} (about 3 min, log: {log})'):
                process.run((*ALONE, *words), env=environ(label, form, site, folders, path), timeout=TIMEOUT,
                            cwd=scratch)
        except process.ProcessError as error:
            last = log.read_text(errors='replace').splitlines()[-30:] if log.exists() else []
            raise UserError(f'{made.name} cannot be made: exit code {error.code}\n' + '\n'.join(last),
                            f'The whole log is in {log}') from error
        finally:
            for device in loops(scratch.resolve(), Path('/sys/block')):
                process.run(('losetup', '--detach', device), check=False)
        done = scratch / f'image.{form}'
        size = done.stat().st_blocks * 512          # a raw disk has holes
        budget.check(made.name, form, size, lambda: facts.parse(folders.facts.read_text()))
        shutil.copy(folders.facts, facts.beside(made))
        os.replace(done, made)
    return made


def loops(below: Path, block: Path) -> list[str]:
    """Return the loop devices whose files are, or were, *below* a folder.

    :param block: /sys/block.
    """
    found = {entry.parent.parent.name: Path(entry.read_text().strip().removesuffix(' (deleted)'))
             for entry in block.glob('loop*/loop/backing_file')}
    return [f'/dev/{name}' for name, file in sorted(found.items()) if file.is_relative_to(below)]


def refusal(label: Label, machine: str, uid: int) -> tuple[str, str] | None:
    """Return message and hint when *label* cannot be built on *machine* by user *uid*; None when it can."""
    if label.element == '':
        return (f'{label.name} has no element of diskimage-builder: it is a {label.kind} label, for containers only.',
                'Choose a label with "element" in node/labels.yaml.')
    if label.architecture not in ('', machine):
        return (f'{label.name} is for {label.architecture}, and this machine is {machine}.',
                f'Build it on a machine with {label.architecture}.')
    if machine not in ARCHITECTURES:
        return (f'This machine is {machine}; disk images are made on {" and ".join(ARCHITECTURES)}.', '')
    if uid:
        return 'Disk images are made by root: loop devices, mounts and chroot.', 'Run ./zuul-local with sudo.'
    return None


def of_site(lists: Path | None) -> dict[str, Path]:
    """Return {name: file} of the lists in the folder *lists*.

    :raises UserError: it is not a folder of lists.
    """
    if lists is None:
        return {}
    found = {path.name: path for path in sorted(lists.iterdir())} if lists.is_dir() else {}
    if not found or any(name not in LISTS or not path.is_file() for name, path in found.items()):
        has = ', '.join(found) or ('nothing' if lists.is_dir() else 'no such folder')
        raise UserError(f'--lists {lists}: not a folder of lists: {has}.',
                        f'Have one or more of these files there, and nothing else: {", ".join(LISTS)}')
    return found


def digest(label: Label, form: str, lists: Mapping[str, Path] | None = None) -> str:
    """Return 16 hex digits for all that goes in: recipe, element, *lists*, diskimage-builder, label, form."""
    files = {**image.context(), 'dib.txt': LOCK, **{f'site/{name}': path for name, path in (lists or {}).items()}}
    files |= {str(path.relative_to(ELEMENTS)): path for path in sorted(ELEMENTS.rglob('*')) if path.is_file()}
    total = hashlib.sha256('\0'.join((*elements(label, form), release(label), label.image, form)).encode())
    total.update(image.digest(label, files).encode())
    return total.hexdigest()[:16]


def elements(label: Label, form: str) -> tuple[str, ...]:
    """Return the elements of an image; one that boots a kernel of its own has a disk with partitions."""
    return (label.element, *(() if form == 'tar' else ('vm',)), 'ci-node')


def release(label: Label) -> str:
    """Return DIB_RELEASE."""
    return label.element_release or label.suite


def argv(venv: Path, label: Label, form: str, out: Path, log: Path, machine: str) -> tuple[str, ...]:
    """Return the command that makes *out* with the suffix of *form*."""
    return (str(venv / 'bin/disk-image-create'), '-a', ARCHITECTURES[machine], '-n', '--no-tmpfs', '-t', form,
            '-o', str(out), '--logfile', str(log), *elements(label, form))


def environ(label: Label, form: str, site: Site, folders: Folders, path: str) -> dict[str, str]:
    """Return the whole environment of that command. It hands it into the chroot: nothing else of ours may be in it."""
    found = {
        'PATH': path, 'HOME': str(folders.scratch), 'USER': 'root', 'LANG': 'C.UTF-8',
        'TMP_DIR': str(folders.scratch), 'DIB_IMAGE_CACHE': str(folders.cache),
        'DIB_LOCKFILES': str(folders.cache / 'locks'),
        'ELEMENTS_PATH': str(ELEMENTS), 'DIB_RELEASE': release(label),
        'CI_NODE_LABEL': label.image, 'CI_NODE_PROFILES': 'node' if form == 'tar' else 'node vm',
        'CI_NODE_SITE': str(folders.site), 'CI_NODE_FACTS': str(folders.facts),
        **site.environment(site.bundle_path if site.bundle else ''),
    }
    if folders.lists:
        found['CI_NODE_LISTS'] = str(folders.lists)
    if label.element == DEBIAN_ELEMENT:
        found |= {'DIB_DISTRIBUTION_MIRROR': site.apt_mirror or DEBIAN,
                  'DIB_DEBIAN_SECURITY_MIRROR': site.apt_security or DEBIAN_SECURITY,
                  'DIB_DEBOOTSTRAP_CACHE': '1', 'DIB_DEBIAN_USE_DEBOOTSTRAP_CACHE': '1'}
    return found


def shims(root: Path, no_sudo: bool) -> tuple[Path, ...]:
    """Return the folders of programs that stand in for what this machine lacks.

    :param root: where to look for the kernel's device-mapper.
    :param no_sudo: diskimage-builder calls sudo as root, too.
    """
    return (*(() if has_mapper(root) else (SHIM / 'mapper',)), *((SHIM / 'root',) if no_sudo else ()))


def has_mapper(root: Path) -> bool:
    """Return whether the kernel has a device-mapper: its device may be there without a driver behind it."""
    try:
        os.close(os.open(root / 'dev/mapper/control', os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def search_path(venv: Path, path: str, first: tuple[Path, ...]) -> str:
    """Return PATH: stand-ins, diskimage-builder, then what is usual; mkfs and losetup are in sbin."""
    return os.pathsep.join((*map(str, first), str(venv / 'bin'), path, '/usr/local/sbin', '/usr/sbin', '/sbin'))


def write_site(folder: Path, label: Label, site: Site) -> None:
    """Write what the recipe needs to reach the world from inside, and the sources that stay."""
    debian = label.element == DEBIAN_ELEMENT
    image.write_site(folder, site, label.suite if debian else '', SITE)
    if debian:
        (folder / 'kept.sources').write_text(sources(label.suite, Site()))


def _provide_host() -> None:
    bindep = (LIBRARY / 'bindep.txt').read_text(encoding='utf-8')
    if names := host.lacking(bindep, (PROFILE,), os.environ):
        host.provide(names, may_install=not os.environ.get('ZLOCAL_NO_INSTALL'), root=os.geteuid() == 0,
                     environ=os.environ, say=say)
