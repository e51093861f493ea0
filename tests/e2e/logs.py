"""Where logs are published, as a web server of its own."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Handler(SimpleHTTPRequestHandler):
    """Serves files. Zuul's pages fetch them from another origin, and read compressed ones as what is inside."""

    def end_headers(self) -> None:
        self.send_header('Access-Control-Allow-Origin', '*')
        if self.path.endswith('.gz'):
            self.send_header('Content-Encoding', 'gzip')
        super().end_headers()

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve *folder* while the body runs; give the URL."""
    with ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(_Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, name='logs', daemon=True)
        thread.start()
        try:
            yield f'http://127.0.0.1:{server.server_address[1]}'
        finally:
            server.shutdown()
            thread.join()
