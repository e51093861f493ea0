#!/usr/bin/env python3
"""How long the runner takes, part by part: medians over several builds on a quiet machine.

Usage: bench/runner.py [--times N] [--load L]

Two jobs are built: one that says hello, and tox-py311 of examples/hello-tox. For each it prints the seconds from the
start of the command to the printed result, those of every part, and those until the command has cleaned up and ended.
Figures hold for the machine they were taken on: write down which one, and when.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIBRARY = Path(__file__).resolve().parent.parent
HELLO = {
    '.zuul.yaml': '- job: {name: hello, parent: base, run: playbooks/hello.yaml}\n',
    'playbooks/hello.yaml': '''\
- hosts: all
  gather_facts: false
  tasks:
    - name: Say hello
      ansible.builtin.command: echo hello
''',
}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('--times', type=int, default=5, help='builds of each job (default: 5)')
    options.add_argument('--load', type=float, default=0.5, help='wait until the load is below this (default: 0.5)')
    args = options.parse_args()
    print(f'{args.times} builds of each job, load below {args.load} before each; seconds, median (minimum to maximum)')
    with tempfile.TemporaryDirectory() as scratch:
        for job, folder in (('hello', project(Path(scratch))), ('tox-py311', LIBRARY / 'examples/hello-tox')):
            report(job, [build(job, folder, args.load) for _ in range(args.times)])
    return 0


def project(top: Path) -> Path:
    """Return a repository with the job that says hello."""
    for name, text in HELLO.items():
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text(text)
    git = ('git', '-C', str(top), '-c', 'user.name=Bench', '-c', 'user.email=bench@example.org')
    for words in (('init', '-q', '-b', 'main'), ('add', '.'), ('commit', '-q', '-m', 'Hello')):
        subprocess.run([*git, *words], check=True)
    return top


def build(job: str, folder: Path, load: float) -> dict[str, float]:
    """Build once and return the seconds of each part."""
    while os.getloadavg()[0] >= load:
        time.sleep(2)
    begun = time.monotonic()
    argv = [str(LIBRARY / 'zuul-local'), 'run', job, '--json']
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    ended = time.monotonic() - begun
    if done.returncode:
        sys.exit(f'{job} failed:\n{done.stderr}')
    facts = json.loads(done.stdout)
    return {'result': facts['seconds'], **facts['parts'], **dict(facts['playbooks']), 'ended': ended}


def report(job: str, builds: list[dict[str, float]]) -> None:
    print(f'\n{job}')
    for part in builds[0]:
        values = [one[part] for one in builds]
        print(f'  {part:24} {statistics.median(values):6.2f}  ({min(values):.2f} to {max(values):.2f})')


if __name__ == '__main__':
    sys.exit(main())
