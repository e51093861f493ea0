# SPDX-License-Identifier: Apache-2.0
"""Publishes a tree in an object store: several files at a time, each as often as it takes, all until a deadline."""
from __future__ import annotations

import contextlib
import queue
import random
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ansible.module_utils import upload_logs_index as index
from ansible.module_utils.upload_logs_body import Body, of_file, of_text
from ansible.module_utils.upload_logs_tree import Tree, Unreadable

#: Zuul keeps no longer one
LONGEST_URL = 254
ATTEMPTS = 4
_PAUSE = 0.5            # seconds, doubled with each attempt
_SAID = 20
_LATE = 'not done in time'
_PAGE = 'text/html; charset=utf-8'


class Refused(Exception):
    """Nothing was published here. The message says why and what to do."""


class Denied(Exception):
    """The store does not take this file, and will not later."""


class Missing(Denied):
    """What is asked for is not there."""


class Trouble(Exception):
    """The store did not take this file. It may the next time."""


class Store:
    """Where files go. Each kind of store is a subclass; its methods are called from several threads.

    :ivar base: URL of the build's folder, with ``/`` at its end; known when it was started.
    :ivar folder_pages: whether an object's name may end with ``/``.
    """

    base = ''
    folder_pages = True

    def start(self) -> None:
        """Log in, and make the container if there is none.

        :raises Refused: it is of no use to go on.
        :raises Trouble: it may work the next time.
        """

    def there(self) -> Dict[str, str]:
        """Return path -> MD5 of what is there of this build already, as far as the store tells."""
        return {}

    def put(self, path: str, body: Body) -> None:
        """Store what is sent for the file *path*, given as in the tree.

        :raises Denied: it is refused.
        :raises Trouble: it may work the next time.
        """
        raise NotImplementedError


class Plan(NamedTuple):
    """How it is done.

    :param scratch: folder for what is packed.
    :param seconds: the longest that it may take.
    """

    scratch: str
    workers: int
    indexes: bool
    seconds: float


class _Item(NamedTuple):
    path: str
    body: Callable[[], Body]
    is_page: bool


class Outcome:
    """What became of the files.

    :ivar published: files that were sent.
    :ivar kept: files that were there already.
    :ivar pages: pages of folders.
    :ivar failed: number of files that are not there.
    :ivar problems: (path, why) of the first of them.
    :ivar links: what was neither file nor folder.
    :ivar gave_up: why the rest was not tried, '' if all were.
    """

    def __init__(self) -> None:
        self.gave_up = ''
        self.published = self.kept = self.pages = self.failed = self.bytes = self.links = 0
        self.problems: List[Tuple[str, str]] = []

    def fail(self, path: str, why: str) -> None:
        self.failed += 1
        if len(self.problems) < _SAID and why != self.gave_up:
            self.problems.append((path, why))


def persistently(what: Callable[[], Any], end: float, pause: Callable[[float], object]) -> Any:
    """Return what *what* does, tried again after a pause while it is in :class:`Trouble`.

    :param end: time, of the monotonic clock, after which it is not tried again.
    :raises Trouble: it was in trouble each time.
    """
    for attempt in range(ATTEMPTS):
        try:
            return what()
        except Trouble:
            seconds = _PAUSE * 2 ** attempt * random.uniform(1, 1.5)
            if attempt + 1 == ATTEMPTS or time.monotonic() + seconds > end:
                raise
            pause(seconds)
    raise AssertionError('never reached')


class _Run:
    def __init__(self, tree: Tree, store: Store, plan: Plan, pause: Callable[[float], object]) -> None:
        self._tree, self._store, self._plan, self._pause = tree, store, plan, pause
        self._end = time.monotonic() + plan.seconds
        self._waiting: queue.Queue[Optional[_Item]] = queue.Queue(2 * plan.workers)
        self._lock = threading.Lock()
        self._unfinished: Tuple[_Item, ...] = ()
        self._in_a_row = 0
        self._there: Dict[str, str] = {}
        self.outcome = Outcome()

    def do(self) -> Outcome:
        try:
            persistently(self._store.start, self._end, self._pause)
            self._there = persistently(self._store.there, self._end, self._pause)
        except Trouble as error:
            raise Refused(str(error)) from error
        if len(self._store.base) > LONGEST_URL:
            raise Refused('the URL of the logs would have %d characters: Zuul reports none of more than %d'
                          % (len(self._store.base), LONGEST_URL))
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._plan.workers)]
        for thread in threads:
            thread.start()
        for item in self._items():
            self._offer(item)
        for _ in threads:
            self._offer(None)
        for thread in threads:
            thread.join(max(0.1, self._end + 1 - time.monotonic()))
        with self._lock:    # of a thread that hangs, nothing counts any more
            for item in (*self._unfinished, *self._left()):
                self.outcome.fail(item.path, self.outcome.gave_up or self._late())
            self._unfinished = ()
            done, self.outcome = self.outcome, Outcome()
        return done

    def _late(self) -> str:
        self.outcome.gave_up = self.outcome.gave_up or _LATE
        return self.outcome.gave_up

    def _left(self) -> Iterator[_Item]:
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._waiting.get_nowait()
                if item:
                    yield item

    def _items(self) -> Iterator[_Item]:
        for folder in self._tree.folders():
            with self._lock:
                self.outcome.links += folder.links
                for path, why in folder.unfit:
                    self.outcome.fail(path, why)
            for entry in folder.entries:
                if not entry.is_folder:
                    path = folder.path + entry.name
                    yield _Item(path, lambda path=path: self._file(path), False)   # type: ignore[misc]
            if self._plan.indexes and index.is_wanted(folder.entries):
                page = index.page(folder)
                names = [index.NAME] + ([''] if self._store.folder_pages else [])
                for name in names:
                    yield _Item(folder.path + name, lambda page=page: of_text(page, _PAGE), True)     # type: ignore[misc]

    def _file(self, path: str) -> Body:
        return of_file(self._tree.open(path), path.rpartition('/')[2], self._plan.scratch)

    def _offer(self, item: Optional[_Item]) -> None:
        while True:
            try:
                self._waiting.put(item, timeout=max(0.05, min(1.0, self._end - time.monotonic())))
                return
            except queue.Full:
                if time.monotonic() > self._end:
                    if item:
                        with self._lock:
                            self.outcome.fail(item.path, self._late())
                    return

    def _work(self) -> None:
        while True:
            item = self._waiting.get()
            if item is None:
                return
            with self._lock:
                outcome, self._unfinished = self.outcome, (*self._unfinished, item)
                why = outcome.gave_up or (self._late() if time.monotonic() > self._end else '')
            size, kept = 0, False
            if not why:
                why, size, kept = self._one(item)
            with self._lock:
                if outcome is not self.outcome:
                    return
                self._unfinished = tuple(one for one in self._unfinished if one is not item)
                self._count(item, why, size, kept)

    def _one(self, item: _Item) -> Tuple[str, int, bool]:
        """Return why *item* is not published ('' if it is), its size, and whether it was there already."""
        try:
            with item.body() as body:
                if self._there.get(item.path) == body.md5:
                    return '', body.size, True

                def send() -> None:
                    body.stream.seek(0)
                    self._store.put(item.path, body)

                persistently(send, self._end, self._pause)
                return '', body.size, False
        except (Unreadable, Denied, Trouble) as error:
            return str(error) or type(error).__name__, 0, False
        except Exception as error:      # a vendor's library may raise anything; the other files go on
            return '%s: %s' % (type(error).__name__, error), 0, False

    def _count(self, item: _Item, why: str, size: int, kept: bool) -> None:
        if why:
            self.outcome.fail(item.path, why)
            self._in_a_row += 1
            if self._in_a_row >= 2 * self._plan.workers + ATTEMPTS and not self.outcome.gave_up:
                self.outcome.gave_up = 'given up after %d failures in a row, the last one: %s' % (self._in_a_row, why)
            return
        self._in_a_row = 0
        self.outcome.bytes += size
        if item.is_page:
            self.outcome.pages += 1
        elif kept:
            self.outcome.kept += 1
        else:
            self.outcome.published += 1


def publish(tree: Tree, store: Store, plan: Plan, pause: Callable[[float], object] = time.sleep) -> Outcome:
    """Publish what is in *tree*. Files that cannot be published are in the outcome; they do not keep others back.

    :raises Refused: the store cannot be used, or took nothing at all.
    """
    outcome = _Run(tree, store, plan, pause).do()
    if outcome.failed and not outcome.published + outcome.kept + outcome.pages:
        why = '%s: %s' % outcome.problems[0] if outcome.problems else outcome.gave_up
        raise Refused('none of %d files was taken; %s' % (outcome.failed, why))
    return outcome
