"""The process that receives the output of a build, and where it comes from.

As in Zuul's executor it comes from multiprocessing's fork server. A fork of the runner itself would hold whatever pipe
another thread has open to a program at that moment, and that thread would wait for its end for ever.
"""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.forkserver
import signal
import socketserver
from multiprocessing import resource_tracker

from zuul.executor.logreceiver import LogReceiver

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Receiver(LogReceiver):
    """Zuul's log receiver, in a process that has nothing else to do."""

    def run(self) -> None:
        # What it finds goes into the job's output; it has nothing to say on the terminal.
        logging.getLogger('zuul').addHandler(logging.NullHandler())
        # A build waits for its end, which the server looks for twice a second by default.
        socketserver.BaseServer.serve_forever.__defaults__ = (0.02,)
        super().run()


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
