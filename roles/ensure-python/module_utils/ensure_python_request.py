# SPDX-License-Identifier: Apache-2.0
"""Which versions of Python are asked for, and from what source of packages: parameters, read and checked."""
from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from typing import Any, NamedTuple

_VERSION = re.compile(r'[23](\.\d+)?(?P<patch>\.\d+)?t?(?P<branch>-dev)?')
_ARMOUR = re.compile(r'\s*-----BEGIN PGP PUBLIC KEY BLOCK-----\n(?:[!-~]+: [ -~]*\n)*\n?'
                     r'(?P<data>(?:[A-Za-z0-9+/=]+\n)+)'
                     r'-----END PGP PUBLIC KEY BLOCK-----\s*')
_WORDS = {'uris': re.compile(r'(https?://[^/\s@]+/?|file:/)[^\s@]*'), 'suites': re.compile(r'[\w.:~+/-]+', re.ASCII),
          'components': re.compile(r'[\w.:~+/-]+', re.ASCII)}
_EXAMPLES = {'uris': 'https://mirror.example.org/python/', 'suites': 'bookworm', 'components': 'main'}


class Refused(Exception):
    """The request cannot be met; each of *problems* is for people."""

    def __init__(self, *problems: str) -> None:
        super().__init__('\n'.join(problems))
        self.problems = problems


class Version(NamedTuple):
    """A version as it was *asked* for; *numeral* when it was written as a number."""

    asked: str
    numeral: bool = False

    @property
    def command(self) -> str:
        """What starts it: python3.13t for 3.13.1t, python3.14 for 3.14-dev."""
        numbers = re.match(r'\d+(\.\d+)?', self.asked)
        return 'python' + (numbers.group() if numbers else '') + ('t' if 't' in self.asked else '')

    @property
    def is_exact(self) -> bool:
        """Whether a patch release was named."""
        return self.asked.count('.') > 1

    @property
    def remark(self) -> str:
        """What YAML may have made of it."""
        if self.numeral and re.fullmatch(r'3\.[1-9]', self.asked):
            return f"; python_version is the number {self.asked}, write '{self.asked}0' in quotes if that was meant"
        return ''

    def is_met_by(self, full: str) -> bool:
        """Whether a release such as 3.13.1t is this version."""
        asked = re.split(r'[.]', re.sub(r't|-dev', '', self.asked))
        found = re.split(r'[.]', re.sub(r'(t|\+|a|b|rc|-dev).*', '', full))
        return found[:len(asked)] == asked and ('t' in self.asked) == full.endswith('t')


class Source(NamedTuple):
    """A repository of packages; *key* is a text, or *key_file* the path of one on the node."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    key: str
    key_file: str


def read_versions(value: Any, is_number: bool, has_patches: bool) -> list[Version]:
    """The versions that ``python_version`` names: one, a list, or several in a text.

    :param is_number: the one that *value* holds was written as a number.
    :param has_patches: patch releases can be had.
    :raises Refused: with all that are none.
    """
    found: list[Version] = []
    for item in value if isinstance(value, list) else [value]:
        numeral = isinstance(item, (int, float)) or is_number
        words = re.split(r'[\s,]+', str(item).strip()) if not numeral else [str(item)]
        found.extend(Version(word, numeral) for word in words if word)
    problems = []
    for version in found:
        match = _VERSION.fullmatch(version.asked)
        if not match or (match['branch'] and not has_patches):
            problems.append(f"python_version is '{version.asked}': not a version of Python. Write e.g. '3.11'.")
        elif match['patch'] and not has_patches:
            problems.append(f"python_version is '{version.asked}': a patch release can be had with python_use_pyenv or "
                            f"python_use_stow only. Write '{version.asked.rpartition('.')[0]}', or set one of these.")
    if problems:
        raise Refused(*problems)
    return list(dict.fromkeys(found))


def read_source(given: dict[str, Any]) -> Source | None:
    """The repository that ``ensure_python_source`` describes. Raises Refused with all that is wrong."""
    if not given:
        return None
    problems = []
    unknown = sorted(set(given) - {*_WORDS, 'signed_by', 'fingerprint'})
    if unknown:
        problems.append(f"ensure_python_source has {', '.join(map(repr, unknown))}: allowed are uris, suites, "
                        'components, signed_by and fingerprint.')
    words: dict[str, tuple[str, ...]] = {}
    for key, rule in _WORDS.items():
        value = given.get(key) or (['main'] if key == 'components' else [])
        items = value if isinstance(value, list) else str(value).split()
        words[key] = tuple(str(item) for item in items)
        if not items or not all(rule.fullmatch(item) for item in words[key]):
            shown = ' '.join(re.sub(r'(?<=://)[^/\s]*@', '', item) for item in words[key])
            problems.append(f"ensure_python_source.{key} is '{shown}': write e.g. '{_EXAMPLES[key]}', without a "
                            'password, which belongs to /etc/apt/auth.conf.d.')
    signed_by = str(given.get('signed_by') or '')
    path = signed_by if os.path.isabs(signed_by) and '\n' not in signed_by else ''
    try:
        key_id = '' if path else fingerprint(signed_by)
        wanted = re.sub(r'\s', '', str(given.get('fingerprint') or '')).upper()
        if wanted and path:
            problems.append('ensure_python_source.fingerprint is for a key whose text is in signed_by. Leave it out.')
        elif wanted and wanted != key_id:
            problems.append(f'ensure_python_source.fingerprint is {wanted}, and the key in signed_by has {key_id}. '
                            'One of them is wrong.')
    except ValueError as error:
        problems.append(f'ensure_python_source.signed_by: {error}. Write the text of the armoured public key, or the '
                        'absolute path of a file on the node that has it.')
    if problems:
        raise Refused(*problems)
    return Source(words['uris'], words['suites'], words['components'], '' if path else signed_by.strip() + '\n', path)


def fingerprint(armoured: str) -> str:
    """The fingerprint (RFC 9580) of the first key in an armoured block. Raises ValueError where there is none."""
    match = _ARMOUR.fullmatch(armoured.replace('\r\n', '\n') + '\n')
    if not match:
        raise ValueError('it is no armoured public key')
    # a line that begins with = is a checksum
    lines = [line for line in match['data'].splitlines() if not line.startswith('=')]
    try:
        data = base64.b64decode(''.join(lines), validate=True)
    except binascii.Error:
        raise ValueError('the armoured text of the key is damaged') from None
    body = _first_packet(data)
    if not body or body[0] not in (4, 6):
        raise ValueError('its first packet is no public key of a known kind')
    if body[0] == 4:
        return hashlib.sha1(b'\x99' + len(body).to_bytes(2, 'big') + body).hexdigest().upper()
    return hashlib.sha256(b'\x9b' + len(body).to_bytes(4, 'big') + body).hexdigest().upper()


def _first_packet(data: bytes) -> bytes:
    """The body of the first packet when it is a public key, else nothing."""
    if len(data) < 6:
        return b''
    tag = data[0]
    if tag & 0xC0 == 0xC0:    # the newer format
        if tag & 0x3F != 6:
            return b''
        first = data[1]
        start, size = ((2, first) if first < 192 else (3, ((first - 192) << 8) + data[2] + 192) if first < 224 else
                       (6, int.from_bytes(data[2:6], 'big')))
    else:
        width = {0x98: 1, 0x99: 2, 0x9A: 4}.get(tag, 0)
        start, size = 1 + width, int.from_bytes(data[1:1 + width], 'big')
    body = data[start:start + size]
    return body if len(body) == size else b''


def refusal(problems: tuple[str, ...]) -> str:
    """One message for all blockers."""
    count = '1 problem' if len(problems) == 1 else f'{len(problems)} problems'
    return '\n'.join([f'ensure-python: cannot continue, {count}:'] + [f'  - {problem}' for problem in problems])
