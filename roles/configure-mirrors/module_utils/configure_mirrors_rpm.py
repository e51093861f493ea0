# SPDX-License-Identifier: Apache-2.0
"""dnf's files of repositories, with the distribution's own at another place. Nothing here does I/O."""
from __future__ import annotations

import re

from ansible.module_utils import configure_mirrors_tools as tools

FOLDER = '/etc/yum.repos.d'
_REBUILDS = {name.lower(): f'$releasever/{name}/$basearch/os/' for name in (
    'BaseOS', 'AppStream', 'CRB', 'PowerTools', 'HighAvailability', 'ResilientStorage', 'NFV', 'RT', 'extras')}
_STREAM = {name: path.replace('$releasever', '$releasever-stream') for name, path in _REBUILDS.items()}
# ID of os-release(5) -> (archive, repository -> path in the archive)
SYSTEMS: dict[str, tuple[str, dict[str, str]]] = {
    'almalinux': ('almalinux', _REBUILDS),
    'centos': ('centos-stream', {
        **_STREAM, 'extras-common': 'SIGs/$releasever-stream/extras/$basearch/extras-common/'}),
    'fedora': ('fedora', {'fedora': 'releases/$releasever/Everything/$basearch/os/',
                          'updates': 'updates/$releasever/Everything/$basearch/'}),
    'rocky': ('rocky', _REBUILDS),
}
EXTRA = 'epel'
_EXTRA_PATH = '$releasever/Everything/$basearch/'


def places(system: str, archives: dict[str, str], extra: bool) -> dict[str, str]:
    """Return repository -> URL of all that the mirror has.

    :param system: a key of SYSTEMS.
    :param archives: name -> URL, of those that are wanted elsewhere.
    :param extra: whether EPEL is one of them.
    """
    archive, repositories = SYSTEMS[system]
    found = {}
    if archive in archives:
        found = {name: f'{archives[archive]}/{path}' for name, path in repositories.items()}
    if extra and EXTRA in archives and system != 'fedora':
        found[EXTRA] = f'{archives[EXTRA]}/{_EXTRA_PATH}'
    return found


def wanted(files: dict[str, str], urls: dict[str, str]) -> dict[str, str]:
    """Return path -> text of all files of repositories as they should be.

    :param files: path -> text of those that are there.
    :param urls: repository -> URL.
    """
    result = {}
    for path, text in files.items():
        for name, url in urls.items():
            if name in sections(text):
                for key in ('metalink', 'mirrorlist'):
                    text = tools.without_option(text, name, key)
                text = tools.with_option(text, name, 'baseurl', url)
        result[path] = text
    return result


def sections(text: str) -> list[str]:
    """The repositories that a file has."""
    return re.findall(r'^\[([^]\n]+)\][ \t]*$', text, re.M)
