# SPDX-License-Identifier: Apache-2.0
"""Write the software bill of materials of a release as CycloneDX JSON."""
from __future__ import annotations

import datetime
import email.message
import re
import uuid
from typing import Any, Dict, List, Sequence
from urllib.parse import quote

from ansible.module_utils.build_python_release_files import project

SPEC = '1.5'
_REQUIREMENT = re.compile(r'\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?P<rest>.*)', re.DOTALL)
_EXTRA = re.compile(r'''\bextra\s*==\s*["']''')


def purl(name: str, version: str = '') -> str:
    """Return the package URL of a project on PyPI. Pure."""
    return 'pkg:pypi/' + project(name) + ('@' + quote(version, safe='.') if version else '')


def requirements(lines: Sequence[str]) -> List[Dict[str, Any]]:
    """Return a component for each project that the release declares to need.

    A project that only an extra asks for is optional. Pure.
    """
    found: Dict[str, Dict[str, Any]] = {}
    for line in lines:
        match = _REQUIREMENT.fullmatch(line)
        if not match:
            continue
        name = project(match['name'])
        scope = 'optional' if _EXTRA.search(match['rest'].partition(';')[2]) else 'required'
        one = found.setdefault(name, {'type': 'library', 'bom-ref': purl(name), 'name': name, 'purl': purl(name),
                                      'scope': scope, 'properties': []})
        if scope == 'required':
            one['scope'] = scope
        declared = {'name': 'python:requires-dist', 'value': ' '.join(line.split())}
        if declared not in one['properties']:
            one['properties'].append(declared)
    return [found[name] for name in sorted(found)]


def _licences(about: email.message.Message) -> List[Dict[str, Any]]:
    expression, text = about.get('License-Expression'), about.get('License')
    if expression:
        return [{'expression': str(expression).strip()}]
    if text and len(text.splitlines()) == 1 and str(text).strip() not in ('', 'UNKNOWN'):
        return [{'license': {'name': str(text).strip()}}]
    return []


def document(about: email.message.Message, files: Sequence[Dict[str, Any]], epoch: int) -> Dict[str, Any]:
    """Return the bill of materials of a release.

    It is the same for the same files: its serial number is made of their hashes. Pure.

    :param about: metadata of the wheel, else of the sdist.
    :param files: what :func:`look` found.
    :param epoch: when it was made; 0 when that is not known.
    """
    name = str(about['Name'] or files[0]['project']).strip()
    version = str(about['Version'] or files[0]['version']).strip()
    itself = purl(name, version)
    main: Dict[str, Any] = {
        'type': 'library', 'bom-ref': itself, 'name': name, 'version': version, 'purl': itself,
        'components': [
            {'type': 'file', 'bom-ref': 'file:' + one['name'], 'name': one['name'],
             'hashes': [{'alg': 'SHA-256', 'content': one['sha256']}],
             'properties': [{'name': 'python:distribution', 'value': one['type']}]} for one in files]}
    if about.get('Summary'):
        main['description'] = ' '.join(str(about['Summary']).split())
    licences = _licences(about)
    if licences:
        main['licenses'] = licences
    needed = requirements([str(line) for line in about.get_all('Requires-Dist') or []])
    told: Dict[str, Any] = {'component': main}
    if epoch:
        when = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)
        told['timestamp'] = when.strftime('%Y-%m-%dT%H:%M:%SZ')
    return {
        'bomFormat': 'CycloneDX', 'specVersion': SPEC, 'version': 1,
        'serialNumber': 'urn:uuid:%s' % uuid.uuid5(uuid.NAMESPACE_URL, ' '.join(
            [itself, *(one['sha256'] for one in files)])),
        'metadata': told, 'components': needed,
        'dependencies': [{'ref': main['bom-ref'], 'dependsOn': [one['bom-ref'] for one in needed]},
                         *({'ref': one['bom-ref']} for one in needed)]}
