# SPDX-License-Identifier: Apache-2.0
"""Values that playbooks of a build have told Zuul to keep secret."""
from __future__ import annotations

import json
import os
import stat
from typing import Any, Iterator, List, Tuple

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGEST, _MOST = 16 << 20, 1000


def told_values(path: str) -> Tuple[List[str], str]:
    """Return the values in the file of a build's results, and why there are none or not all of them.

    These are ``zuul.redactions``, and each text in ``secret_data``. A playbook without trust can write to the file.
    """
    try:
        with open(os.open(path, _FILE), 'rb') as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return [], 'it is not a plain file'
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            return [], 'it is larger than %d bytes' % _LARGEST
        results = json.loads(data) if data else {}
        found = sorted(set(_texts(_in(_in(results, 'data'), 'zuul').get('redactions')))
                       | set(_texts(_in(results, 'secret_data'))))
    except OSError as error:
        return [], str(error.strerror)
    except (ValueError, RecursionError):
        return [], 'it is not JSON'
    return found[:_MOST], 'it has more than %d values' % _MOST if len(found) > _MOST else ''


def _in(value: Any, key: str) -> Any:
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
