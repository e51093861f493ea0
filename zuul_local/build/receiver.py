"""The process that Zuul's log receiver comes from.

As in Zuul's executor it is multiprocessing's fork server. A fork of the runner itself would hold whatever pipe another
thread has open to a program at that moment, and that thread would wait for its end for ever.
"""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.forkserver
import signal
from multiprocessing import resource_tracker

from zuul.executor import logreceiver  # noqa: F401  (loaded once, by the fork server)

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# What the log receiver finds goes into the job's output; it has nothing to say on the terminal.
logging.getLogger('zuul').addHandler(logging.NullHandler())


def start_fork_server() -> None:
    """Start the fork server. What ends a build from the terminal passes it by: a build's last words go through it."""
    multiprocessing.set_start_method('forkserver', force=True)
    multiprocessing.set_forkserver_preload([__name__])
    resource_tracker.ensure_running()       # else the fork server starts it, and it lifts the block
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
