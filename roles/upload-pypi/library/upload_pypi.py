#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Upload files to a Python package index with twine."""
from __future__ import annotations

DOCUMENTATION = r'''
module: upload_pypi
short_description: Upload files to a Python package index with twine
description:
  - Uploads one file after another, and says of which one the index thought what.
  - What lets it in is in the environment of twine alone, not in its arguments and not in a file. No configuration of
    the user is read.
options:
  files:
    description: What to upload, each with path, name and sha256.
    type: list
    elements: dict
    required: true
  executable: {description: The program twine., type: str, required: true}
  repository: {description: 'C(pypi), C(testpypi), or a name for the URL.', type: str, default: pypi}
  repository_url: {description: Where the index takes uploads. It counts more than the name., type: str, default: ''}
  info:
    description: What lets it in.
    type: dict
    default: {}
    suboptions:
      api_token: {description: A token., type: str, default: ''}
      username: {description: A user, type: str, default: ''}
      password: {description: The password of the user., type: str, default: ''}
  oidc_token: {description: A token of Zuul that is exchanged for one of the index., type: str, default: ''}
  oidc_mint_url: {description: Where it is exchanged., type: str, default: ''}
  skip_existing: {description: Whether files that are there are passed over., type: bool, default: false}
  timeout: {description: Seconds that a file may take., type: int, default: 600}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Upload
  upload_pypi:
    files: "{{ files }}"
    executable: "{{ pypi_twine_executable }}"
    info: {api_token: "{{ pypi_info.api_token }}"}
'''
RETURN = r'''
index: {description: Where it went., type: str, returned: success}
uploaded: {description: Names of files., type: list, elements: str, returned: success}
existing: {description: Names of files that were there already., type: list, elements: str, returned: success}
lines: {description: What a reader should know., type: list, elements: str, returned: success}
'''

import base64
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule

INDEXES = {'pypi': 'https://upload.pypi.org/legacy/', 'testpypi': 'https://test.pypi.org/legacy/'}
_HERE = ('localhost', '127.0.0.1', '::1')
_LARGEST_ANSWER = 1 << 20
_SECONDS_OF_EXCHANGE = 30
_STATUS = re.compile(r'HTTPError: (?P<status>[0-9]{3}) (?P<reason>[^\n]*?)\s+from\s+(?P<url>\S+)')
_EXISTS = re.compile(r'already\s+exist|updating\s+asset|overwrite\s+artifact|already\s+been\s+taken', re.IGNORECASE)
_BODY = re.compile(r'Response from [^\n]*\n[^\n]*\n(?P<body>.*?)(?=^ERROR)', re.DOTALL | re.MULTILINE)
_LONGEST_BODY = 20000
_UNREACHABLE = re.compile('ConnectionError|MaxRetryError|NewConnectionError|NameResolutionError|ConnectTimeout'
                          '|ProxyError|Connection refused|timed out')
_UNTRUSTED = re.compile('SSLError|CERTIFICATE_VERIFY_FAILED')
_NEVER = ('TWINE_REPOSITORY', 'TWINE_REPOSITORY_URL', 'TWINE_USERNAME', 'TWINE_PASSWORD', 'TWINE_NON_INTERACTIVE')


class Refused(Exception):
    """It was not uploaded. The message has the reasons and nothing secret."""


def several(problems: Sequence[str]) -> Refused:
    """Return what to raise for problems. Pure."""
    return Refused('cannot continue, %d problem%s:\n%s' % (
        len(problems), 's' if len(problems) > 1 else '', '\n'.join('  - ' + line for line in problems)))


def wrong_url(name: str, url: str) -> str:
    """Return what is wrong with an address, empty when nothing is. Pure."""
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in ('http', 'https') and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable, parts = False, urllib.parse.urlsplit('')
    if not usable or re.search(r'[\s\x00-\x1f]', url):
        return "%s is '%s': it is no address that begins with https://. Write one." % (name, ascii(url)[1:-1])
    if parts.username is not None or parts.password is not None:
        return '%s has a user or a password in it, which logs would show. Write them into pypi_info.' % name
    return ''


def is_open(url: str) -> bool:
    """Return whether others could read what is sent to an address. Pure."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == 'http' and parts.hostname not in _HERE


def problems(params: Mapping[str, Any]) -> List[str]:
    """Return what is wrong with a wish. Pure but for a look for the program."""
    found = []
    info, url = params['info'], params['repository_url']
    if url:
        found.append(wrong_url('pypi_repository_url', url))
    elif params['repository'] not in INDEXES:
        found.append("pypi_repository is '%s': that is none of %s, and there is no pypi_repository_url. Write one of "
                     'these, or the address.' % (ascii(params['repository'])[1:-1], ', '.join(INDEXES)))
    if params['oidc_token'] or params['oidc_mint_url']:
        if not params['oidc_token']:
            found.append('upload_pypi_oidc_token is empty, and upload_pypi_oidc_mint_url is not. Give both or none.')
        elif not params['oidc_mint_url']:
            found.append('upload_pypi_oidc_mint_url is empty, and upload_pypi_oidc_token is not. Give both or none.')
        else:
            found.append(wrong_url('upload_pypi_oidc_mint_url', params['oidc_mint_url']))
            if not found[-1] and is_open(params['oidc_mint_url']):
                found.append("upload_pypi_oidc_mint_url is '%s': whoever is between could read the token. Write "
                             'https://.' % params['oidc_mint_url'])
    elif not info['api_token'] and not (info['username'] and info['password']):
        found.append('pypi_info has no api_token, and not both username and password. Give the job the secret as '
                     'pypi_info, with one of these.')
    if params['timeout'] < 1:
        found.append('upload_pypi_timeout is %d: it must be at least 1.' % params['timeout'])
    if not shutil.which(params['executable']):
        found.append("pypi_twine_executable is '%s': there is no such program. Call the role ensure-twine before, or "
                     'name it.' % ascii(params['executable'])[1:-1])
    return [line for line in found if line]


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets. Pure."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, '***')
    return text


def forms(user: str, password: str) -> Tuple[str, ...]:
    """Return each form in which a password may be printed. Pure."""
    both = ('%s:%s' % (user, password)).encode()
    return (password, urllib.parse.quote(password, safe=''), base64.b64encode(both).decode(),
            base64.b64encode(password.encode()).decode())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def exchange(url: str, token: str) -> str:
    """Return the token of the index for one of Zuul.

    :raises Refused: the index gives none.
    """
    request = urllib.request.Request(url, data=json.dumps({'token': token}).encode(), method='POST', headers={
        'Content-Type': 'application/json', 'Accept': 'application/json', 'User-Agent': 'zuul-stdlib upload-pypi'})
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_SECONDS_OF_EXCHANGE) as answer:
            told = json.loads(answer.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as error:
        with error:
            raise Refused("'%s' gave no token: %d %s%s. Look whether the index trusts this Zuul, for this project "
                          "and this job."
                          % (url, error.code, error.reason, _reasons(error.read(_LARGEST_ANSWER), token))) from error
    except (OSError, ValueError) as error:
        raise Refused("'%s' gave no token: %s. Look whether it can be reached from the node." % (
            url, hide(str(getattr(error, 'reason', error)), [token]))) from error
    minted = told.get('token') if isinstance(told, dict) else None
    if not isinstance(minted, str) or not re.fullmatch(r'[\x21-\x7e]{1,16384}', minted):
        raise Refused("'%s' gave no token: its answer has none. Look whether it is where tokens are exchanged." % url)
    return minted


def _reasons(raw: bytes, token: str) -> str:
    """Return what an index says about a token that it does not want."""
    try:
        told = json.loads(raw)
        lines = [told.get('message')] + [one.get('description') for one in told.get('errors') or []]
    except (ValueError, AttributeError, TypeError):
        return ''
    text = '; '.join(line for line in lines if isinstance(line, str))
    return ': ' + ascii(hide(text, [token]))[1:-1][:500] if text else ''


def plain(page: str) -> str:
    """Return the text of an answer of an index, which may be a page, on one line. Pure."""
    text = re.sub(r'(?is)<(style|script|head|h1)\b.*?</\1>', ' ', re.sub('(?m)^INFO', '', page))
    return ' '.join(html.unescape(re.sub('<[^>]*>', ' ', text)).split())


def verdict(said: str) -> Tuple[int, str]:
    """Return status and reason that an index gave, as twine prints them; 0 without status. Pure."""
    match = _STATUS.search(said)
    if match:
        body = _BODY.search(said)
        parts = [match['reason'].strip(), *(line.strip() for line in said[match.end():].strip().splitlines()[:1]),
                 plain(body['body'][:_LONGEST_BODY]) if body else '']
        return int(match['status']), ': '.join(
            part for at, part in enumerate(parts) if part and not any(part in other for other in parts[:at]))
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    marked = [line for line in lines if re.match('ERROR|[A-Za-z.]*(Error|Invalid[A-Za-z]*|Exception)', line)]
    return 0, (marked or lines or ['it said nothing'])[-1]


def exists(status: int, said: str) -> bool:
    """Return whether an index refused a file because it has one of that name. Pure."""
    return status == 409 or (status in (400, 403) and bool(_EXISTS.search(said)))


def advice(status: int, said: str) -> str:
    """Return what to do about a refusal. Pure."""
    if exists(status, said):
        return ('An index takes a file once. Release another version; or, after an upload that ended half way, set '
                'pypi_twine_skip_existing.')
    if status in (401, 403):
        return 'Look whether the token or password is that of this index, is still valid, and may upload this project.'
    if status == 400:
        return 'Mend what it names, and release another version.'
    if status in (404, 405, 410):
        return 'Look whether pypi_repository_url is where this index takes uploads.'
    if status >= 500 or status == 429:
        return 'Try later; pypi_twine_skip_existing lets a second attempt pass over what is there.'
    if _UNTRUSTED.search(said):
        return 'Its certificate is not trusted here. Set REQUESTS_CA_BUNDLE or TWINE_CERT to the file of the authority.'
    if _UNREACHABLE.search(said):
        return 'The index cannot be reached from here. Look whether pypi_repository_url is right and a proxy is needed.'
    return 'Look at what twine says.'


def command(executable: str, path: str) -> List[str]:
    """Return the arguments of twine. Pure."""
    return [executable, 'upload', '--non-interactive', '--disable-progress-bar', '--verbose', '--config-file',
            os.devnull, path]


def environment(environ: Mapping[str, str], url: str, user: str, password: str) -> Dict[str, str]:
    """Return the environment of twine. Pure."""
    # With TERM=dumb, it would break lines after 80 characters.
    kept = {name: value for name, value in environ.items() if name not in (*_NEVER, 'TERM')}
    return {**kept, 'TWINE_REPOSITORY_URL': url, 'TWINE_USERNAME': user, 'TWINE_PASSWORD': password,
            'LC_ALL': 'C.UTF-8',
            'NO_COLOR': '1', 'COLUMNS': '1000', 'PYTHONIOENCODING': 'utf-8',
            'PYTHON_KEYRING_BACKEND': 'keyring.backends.null.Keyring'}


def unchanged(path: str, sha256: str) -> bool:
    """Return whether a file is a plain one, and still the one that was looked at."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), 'rb') as stream:
            found = hashlib.sha256()
            for block in iter(lambda: stream.read(1 << 20), b''):
                found.update(block)
        return found.hexdigest() == sha256
    except OSError:
        return False


def upload(params: Mapping[str, Any], secrets: List[str]) -> Dict[str, Any]:
    """Do the module's work and return its result.

    :param secrets: gets what must not be printed.
    :raises Refused: not everything was uploaded.
    """
    info = params['info']
    secrets += [params['oidc_token'], info['password'], info['api_token']]
    wrong = problems(params)
    if wrong:
        raise several(wrong)
    url = params['repository_url'] or INDEXES[params['repository']]
    lines = []
    if params['oidc_token']:
        user, password = '__token__', exchange(params['oidc_mint_url'], params['oidc_token'])
    else:
        user = '__token__' if info['api_token'] else info['username']
        password = info['api_token'] or info['password']
    secrets += forms(user, password)
    if is_open(url):
        lines.append("whoever is between this host and '%s' can read the password: it is not encrypted" % url)
    environ = environment(os.environ, url, user, password)
    uploaded: List[str] = []
    existing: List[str] = []
    for one in params['files']:
        if not unchanged(one['path'], one['sha256']):
            raise Refused("'%s' was changed after it was looked at, and is not uploaded%s."
                          % (one['path'], _so_far(uploaded, existing)))
        code, said = run(command(params['executable'], one['path']), environ, params['timeout'])
        said = hide(said, secrets)
        status, reason = verdict(said)
        if code == 0:
            uploaded.append(one['name'])
        elif params['skip_existing'] and exists(status, said):
            existing.append(one['name'])
        else:
            raise Refused("%s did not take '%s': %s%s. %s%s" % (
                url, one['name'], '%d ' % status if status else '', ascii(reason)[1:-1][:500].rstrip('.'),
                advice(status, said), _so_far(uploaded, existing)))
    return {'changed': bool(uploaded), 'index': url, 'uploaded': uploaded, 'existing': existing, 'lines': lines}


def _so_far(uploaded: Sequence[str], existing: Sequence[str]) -> str:
    there = [*uploaded, *existing]
    return ' There already: %s.' % ', '.join(there) if there else ' Nothing was uploaded before it.'


def run(argv: Sequence[str], environ: Mapping[str, str], timeout: int) -> Tuple[int, str]:
    """Run a program, and return its code and what it said."""
    try:
        done = subprocess.run(list(argv), env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=timeout)
    except subprocess.TimeoutExpired:
        return 1, 'Error: timed out after %d s (upload_pypi_timeout)' % timeout
    except OSError as error:
        return 1, 'Error: %s' % error
    # It writes in colours whatever it is told, and fills each line with blanks.
    said = re.sub('\x1b\\[[0-9;]*m', '', done.stdout.decode('utf-8', 'replace'))
    return done.returncode, '\n'.join(line.rstrip() for line in said.split('\n'))


def main() -> None:
    """Run as a module."""
    secret = {'type': 'str', 'default': '', 'no_log': True}
    module = AnsibleModule(argument_spec={
        'files': {'type': 'list', 'elements': 'dict', 'required': True}, 'executable': {'type': 'str',
                                                                                        'required': True},
        'repository': {'type': 'str', 'default': 'pypi'}, 'repository_url': {'type': 'str', 'default': ''},
        'info': {'type': 'dict', 'default': {}, 'apply_defaults': True, 'options': {
            'api_token': secret, 'username': {'type': 'str', 'default': ''}, 'password': secret}},
        'oidc_token': secret, 'oidc_mint_url': {'type': 'str', 'default': ''},
        'skip_existing': {'type': 'bool', 'default': False}, 'timeout': {'type': 'int', 'default': 600}})
    secrets: List[str] = []
    try:
        module.exit_json(**upload(module.params, secrets))
    except Refused as error:
        module.fail_json(msg='upload-pypi: %s' % hide(str(error), secrets))


if __name__ == '__main__':
    main()
