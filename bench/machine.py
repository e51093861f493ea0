"""The machine that is measured on: what it is, and whether it is quiet."""

from __future__ import annotations

import os
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

LOOK = 2.0          # seconds that one look at the processors takes
TELL = 60.0         # seconds between two remarks that it is not quiet


def described() -> str:
    """Return today's date and what processors there are."""
    names = re.findall(r'^model name\s*:\s*(.+)$', Path('/proc/cpuinfo').read_text(), re.MULTILINE)
    return f'{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} processors ({names[0] if names else os.uname().machine})'


def wait_until_quiet(limit: float) -> None:
    """Return when fewer than *limit* processors were at work on average while we looked.

    The system's own load average remembers the sample before for minutes.
    """
    told = time.monotonic()
    while (working := look()) >= limit:
        if time.monotonic() - told > TELL:
            told = time.monotonic()
            print(f'waiting: {working:.1f} processors at work, wanted below {limit:g}', file=sys.stderr, flush=True)


def look() -> float:
    """Return how many processors were at work on average over the next two seconds."""
    before = Path('/proc/stat').read_text()
    time.sleep(LOOK)
    return at_work(before, Path('/proc/stat').read_text()) * (os.cpu_count() or 1)


def at_work(before: str, after: str) -> float:
    """Return the share of time in which processors were at work between two states of /proc/stat."""
    spent = [later - earlier for earlier, later in zip(ticks(before), ticks(after), strict=True)]
    idle = spent[3] + spent[4]      # and waiting for disks
    return (sum(spent) - idle) / (sum(spent) or 1)


def ticks(stat: str) -> list[int]:
    """Return user, nice, system, idle, iowait, irq, softirq and steal of all processors."""
    return [int(word) for word in stat.split('\n', 1)[0].split()[1:9]]
