"""Run one program of Swift with a ``swift.conf`` of its own: python swift_program.py SWIFT.CONF KIND CONFIGURATION.

Swift itself looks for that file in /etc only.
"""
from __future__ import annotations

import importlib
import sys


def main(conf: str, kind: str, configuration: str) -> int:
    setattr(importlib.import_module('swift.common.utils'), 'SWIFT_CONF_FILE', conf)     # noqa: B010
    return int(importlib.import_module('swift.common.wsgi').run_wsgi(configuration, f'{kind}-server') or 0)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
