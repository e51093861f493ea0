"""Run stestr and tell what happened, while it happens. Started with the Python that has stestr's own libraries.

Usage: python -m zuul_local.testing.watch FOLDER RESULT SECONDS QUIET STESTR-ARGUMENT...

Failures are printed with their output as they come, other tests one line each unless QUIET is 1. RESULT is a file that
gets a JSON list of the cases. After SECONDS all is ended, and the tests that still ran have failed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from subunit import ByteStreamToStreamResult
from testtools import CopyStreamResult, StreamResult, StreamToDict

from zuul_local.errors import INTERRUPTED
from zuul_local.process import heed_termination
from zuul_local.testing.outcome import FAILED, PASSED, SKIPPED, Case, line_of

PATIENCE = 20           # seconds that tests may take to clean up
STATUS = {'success': PASSED, 'xfail': PASSED, 'skip': SKIPPED}
MEANING = {
    'inprogress': 'It never ended: it was too slow, or its process died.',
    'unknown': 'It never ended: it was too slow, or its process died.',
    'uxsuccess': 'It passed although it is marked as an expected failure.',
}


def case_of(test: dict[str, Any]) -> Case | None:
    """Return the case that a test of testtools' StreamToDict is; None for one that was only listed."""
    if test['status'] == 'exists':
        return None
    begun, ended = [*test['timestamps'], None, None][:2]
    seconds = (ended - begun).total_seconds() if begun and ended else 0.0
    status = STATUS.get(test['status'], FAILED)
    details = {name: content.as_text().strip() for name, content in sorted(test['details'].items())}
    if status == FAILED:
        detail = '\n'.join(text for text in (MEANING.get(test['status'], ''), *details.values()) if text)
    else:
        detail = details.get('reason', '') if status == SKIPPED else ''
    return Case(test['id'], status, round(seconds, 3), detail)


class Said(StreamResult):
    """What the stream has beside tests, as text: stestr's own words, and prints that tests did not keep."""

    def __init__(self) -> None:
        super().__init__()
        self.text = bytearray()

    def status(self, test_id: str | None = None, *args: Any, file_bytes: bytes | None = None, **kwargs: Any) -> None:
        if test_id is None and file_bytes:
            self.text += file_bytes


def main(argv: list[str]) -> int:
    folder, result, seconds, quiet, *stestr = argv
    cases: list[Case] = []

    def seen(test: dict[str, Any]) -> None:
        case = case_of(test)
        if case is None:
            return
        cases.append(case)
        if case.status == FAILED or quiet != '1':
            print(line_of(case), file=sys.stderr, flush=True)

    said = Said()
    code = watch(stestr, folder, float(seconds), CopyStreamResult([StreamToDict(seen), said]))
    if code:    # with --subunit, failing tests are no reason for that
        words = said.text.decode('utf-8', 'replace').strip()
        cases.append(Case('stestr', FAILED, detail=f'stestr ended with {code}.\n{words}'.strip()))
        print(line_of(cases[-1]), file=sys.stderr, flush=True)
    Path(result).write_text(json.dumps([vars(case) for case in cases]), encoding='utf-8')
    return int(any(case.status == FAILED for case in cases))


def watch(stestr: list[str], folder: str, seconds: float, stream: StreamResult) -> int:
    """Run *stestr* in *folder* for at most so many *seconds*, feed *stream*, and return the exit code."""
    process = subprocess.Popen(
        stestr, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
        preexec_fn=heed_interrupts)
    timer = threading.Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    stream.startTestRun()
    try:
        ByteStreamToStreamResult(process.stdout, non_subunit_name='output').run(stream)
        return process.wait()
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):     # once is enough
            signal.signal(number, signal.SIG_IGN)
        end(process)
        raise
    finally:
        timer.cancel()
        stream.stopTestRun()


def heed_interrupts() -> None:
    """Take back that a shell has what it starts in the background ignore SIGINT: tests are ended by it, and send it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def end(stestr: subprocess.Popen[bytes]) -> None:
    """Interrupt *stestr* and its workers, so that tests clean up; those that do not come to an end are killed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(stestr.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            stestr.wait(PATIENCE)
        os.killpg(stestr.pid, signal.SIGKILL)
    stestr.wait()


if __name__ == '__main__':
    heed_termination()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
