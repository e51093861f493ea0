#!/usr/bin/env python3
"""Make a node something else than it says, or what it was.

usage: faults.py make|undo
"""
import glob
import os
import shutil
import subprocess
import sys

WHEEL = sorted(glob.glob('/opt/cache/wheels/pip-*.whl'))[0]
RULE = '/etc/sudoers.d/zuul'
UNIT = 'self-test-node-facts'
MADE = ('/usr/local/bin/pip3', '/opt/cache/wheels/evil-1-py3-none-any.whl')

if sys.argv[1] == 'make':
    for path in MADE:
        with open(path, 'w', encoding='utf-8'):
            os.chmod(path, 0o755)
    shutil.copy2(WHEEL, '/root/pip.whl.kept')
    with open(WHEEL, 'ab') as file:
        file.write(b'more')
    shutil.move('/usr/tox-env', '/usr/tox-env.away')    # layers of a container cannot rename a folder
    os.chmod(RULE, 0o444)
    subprocess.run(['systemd-run', '--unit', UNIT, '--wait', 'false'], check=False)
else:
    for path in MADE:
        if os.path.exists(path):
            os.unlink(path)
    if os.path.exists('/root/pip.whl.kept'):
        shutil.copy2('/root/pip.whl.kept', WHEEL)
        os.unlink('/root/pip.whl.kept')
    if os.path.exists('/usr/tox-env.away'):
        shutil.move('/usr/tox-env.away', '/usr/tox-env')
    os.chmod(RULE, 0o440)
    subprocess.run(['systemctl', 'reset-failed', UNIT], check=False)
