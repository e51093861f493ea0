#!/usr/bin/env python3
"""Install projects of the wheel cache for the system's Python, as old images had them.

usage: install.py NAME ...
"""
import glob
import os
import subprocess
import sys

cache = '/opt/cache/wheels'
pip = sorted(glob.glob(cache + '/pip-*.whl'))[0] + '/pip'
subprocess.run([sys.executable, pip, 'install', '--no-index', '--find-links', cache, *sys.argv[1:]], check=True,
               env=dict(os.environ, PIP_BREAK_SYSTEM_PACKAGES='1', PIP_ROOT_USER_ACTION='ignore'))
