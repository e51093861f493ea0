# SPDX-License-Identifier: Apache-2.0
"""Where the logs of a build lie below the place for all logs."""
from __future__ import annotations

import re
from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError

#: Zuul stores no log_url of 255 characters or more; this leaves 100 for what comes before the path.
LONGEST = 150


def part(name: Any) -> str:
    """Return *name* as one part of a path and of a URL, which neither leads upwards nor is hidden."""
    return re.sub(r'^\.|[^A-Za-z0-9._~-]', '_', str(name)) or '_'


def log_path(zuul: Dict[str, Any]) -> str:
    """Return the path of the build that Zuul tells about in *zuul*.

    :raises AnsibleFilterError: something that every build has is missing.
    """
    try:
        build = [zuul['pipeline'], zuul['job'], zuul['build'][:7]]
        parts: List[Any]
        if zuul.get('change'):
            parts = [str(zuul['change'])[-2:], zuul['change'], zuul['patchset'], *build]
        elif zuul.get('newrev'):
            parts = [zuul['newrev'][:2], zuul['newrev'], *build]
        else:
            ref = zuul.get('branch') or zuul.get('tag') or zuul['ref']
            parts = [build[0], *zuul['project']['canonical_name'].split('/'), *ref.split('/'), *build[1:]]
        path = '/'.join(map(part, parts))
        return path if len(path) <= LONGEST else '%s/%s' % (part(zuul['build'][:2]), part(zuul['build']))
    except (KeyError, TypeError, AttributeError) as error:
        raise AnsibleFilterError('set-zuul-log-path-fact: the variable zuul is not what Zuul tells about a build: %s'
                                 % error) from error


class FilterModule:
    """Ansible asks this class for the filters of the file."""

    def filters(self) -> Dict[str, Callable[..., str]]:
        return {'zuul_log_path': log_path}
