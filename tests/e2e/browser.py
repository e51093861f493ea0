"""Chromium without a window: what a page says once its scripts ran, and how it looks."""

from __future__ import annotations

import html
import re
from pathlib import Path

from zuul_local import process

PATIENCE = 20_000       # milliseconds of the page's own time


def words(url: str, folder: Path) -> str:
    """Return the visible words of the page at *url*.

    :param folder: for the browser's own files.
    """
    done = process.run((*_argv(folder), '--dump-dom', url), timeout=120, env=_environment(folder))
    body = re.sub(r'(?s)<(script|style)\b.*?</\1>', ' ', done.stdout)
    return ' '.join(html.unescape(re.sub(r'<[^>]*>', ' ', body)).split())


def picture(url: str, folder: Path, target: Path) -> None:
    """Write a picture (PNG) of the page at *url* to *target*."""
    process.run((*_argv(folder), f'--screenshot={target}', '--window-size=1280,1400', url), timeout=120,
                env=_environment(folder))


def _argv(folder: Path) -> tuple[str, ...]:
    # Its sandbox does not work for root; the pages are our own.
    return ('chromium', '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
            f'--user-data-dir={folder / "browser"}', f'--virtual-time-budget={PATIENCE}')


def _environment(folder: Path) -> dict[str, str]:
    return {'HOME': str(folder), 'PATH': '/usr/local/bin:/usr/bin:/bin', 'LANG': 'C.UTF-8'}
