#!/usr/bin/env python3
"""How long roles take: named cases with two folders of roles, on fresh nodes, in turn. See doc: reference/figures.

Usage: bench/roles.py [CASE…] [--roles PATH] [--roles PATH] [--state STATE] [--times N] [--label LABEL] [--load L]
       [--list] [--json]

It is ``zuul-local bench`` under another name, because zuul-local brings the environment that is needed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == '__main__':
    os.execv(Path(__file__).resolve().parent.parent / 'zuul-local', ['zuul-local', 'bench', *sys.argv[1:]])
