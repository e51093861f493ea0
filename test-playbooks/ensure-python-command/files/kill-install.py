"""Kill the install that comes next, with all its children, at a moment that a seed chooses.

usage: kill-install.py LOCK SEED LONGEST RESULT

It goes on in the background. LOCK is the file that an install holds open, LONGEST is in seconds, and RESULT is a file
that says what was done.
"""
import os
import random
import signal
import sys
import time


def holder(path):
    """Return the pid of the process that has *path* open, None when there is none."""
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            if any(os.readlink(f'/proc/{pid}/fd/{name}') == path for name in os.listdir(f'/proc/{pid}/fd')):
                return int(pid)
        except OSError:
            pass
    return None


def parents():
    """Return {pid: pid of its parent} of all that can be seen."""
    found = {}
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as stat:
                found[int(pid)] = int(stat.read().rpartition(')')[2].split()[1])
        except OSError:
            pass
    return found


def family(pid):
    """Return *pid* and its descendants, elders first: a parent must not live to see its child killed."""
    members = [pid]
    known = parents()
    for member in members:
        members += [child for child, parent in known.items() if parent == member]
    return members


def kill(lock, seed, longest):
    """Wait for the install, kill it, and return what was done."""
    moment = random.Random(seed).uniform(0, longest)
    limit = time.monotonic() + 60
    while True:
        module = holder(lock)
        if module:
            break
        if time.monotonic() > limit:
            return 'no install came'
        time.sleep(0.005)
    time.sleep(moment)
    killed = 0
    for pid in family(module) if os.path.exists(f'/proc/{module}') else ():
        try:
            os.kill(pid, signal.SIGKILL)
            killed += 1
        except ProcessLookupError:
            pass
    return f'{moment:.2f} s: killed {killed}'


def main():
    lock, seed, longest, result = sys.argv[1:]
    if os.fork():
        return
    os.setsid()
    for stream in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    said = kill(lock, int(seed), float(longest))
    with open(result + '.new', 'w', encoding='utf-8') as out:
        out.write(said)
    os.replace(result + '.new', result)


main()
