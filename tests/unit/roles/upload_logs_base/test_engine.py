# SPDX-License-Identifier: Apache-2.0
"""Everything that can be published is, whatever a store does. These misbehave; tests/publish has real ones."""
from __future__ import annotations

import contextlib
import gzip
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.unit.roles import module_utils
from tests.unit.roles.hostile import OWN_MEMORY, HostileTest

engine: Any = module_utils('upload_logs_engine')
tree: Any = module_utils('upload_logs_tree')
body: Any = module_utils('upload_logs_body')


class Shelf(engine.Store):
    """Keeps what it gets, after *moody* had its say with the path and the number of the attempt."""

    base = 'https://logs.example.org/a/'

    def __init__(self, moody: Callable[[str, int], object] = lambda path, attempt: None) -> None:
        self.got: dict[str, bytes] = {}
        self.digests: dict[str, str] = {}
        self.attempts: dict[str, int] = {}
        self.puts = 0
        self._moody, self._lock = moody, threading.Lock()

    def there(self) -> dict[str, str]:
        return dict(self.digests)

    def put(self, path: str, what: Any) -> None:
        with self._lock:
            self.puts += 1
            self.attempts[path] = self.attempts.get(path, 0) + 1
        self._moody(path, self.attempts[path])
        data = b''.join(body.chunks(what.stream))
        with self._lock:
            self.got[path], self.digests[path] = data, what.md5


class EngineTest(HostileTest):
    def setUp(self) -> None:
        super().setUp()
        self.tree.mkdir()
        self.pauses: list[float] = []

    def publish(self, store: Shelf, **other: Any) -> Any:
        plan = engine.Plan(**{'scratch': str(self.base), 'workers': 4, 'indexes': False, 'seconds': 60, **other})
        with tree.Tree(str(self.tree)) as logs:
            return engine.publish(logs, store, plan, pause=self.pauses.append)

    def files(self, number: int) -> None:
        for name in range(number):
            (self.tree / f'{name:04}').write_text(str(name))


class TestPublish(EngineTest):
    def test_files_and_pages(self) -> None:
        (self.tree / 'deep').mkdir()
        (self.tree / 'deep/a').write_text('1')
        (self.tree / 'own').mkdir()
        (self.tree / 'own/index.html').write_text('mine')
        (self.tree / 'big.txt').write_text('x' * 5000)
        store = Shelf()
        outcome = self.publish(store, indexes=True)
        self.assertEqual((outcome.published, outcome.pages, outcome.failed), (3, 4, 0))
        self.assertEqual(sorted(store.got), ['', 'big.txt', 'deep/', 'deep/a', 'deep/index.html', 'index.html',
                                             'own/index.html'])
        self.assertEqual(gzip.decompress(store.got['big.txt']), b'x' * 5000)
        self.assertEqual(store.got['own/index.html'], b'mine')

    def test_nothing_is_sent_twice(self) -> None:
        self.files(20)
        (self.tree / 'big.txt').write_text('x' * 5000)
        store = Shelf()
        self.publish(store)
        (self.tree / '0003').write_text('other')
        outcome = self.publish(store)
        self.assertEqual((outcome.published, outcome.kept, store.puts), (1, 20, 22))

    def test_an_interrupted_one_goes_on(self) -> None:
        self.files(40)

        def dies(path: str, attempt: int) -> None:
            if len(store.got) >= 15:
                raise engine.Denied('gone')

        store = Shelf(dies)
        self.assertGreater(self.publish(store).failed, 0)
        again = Shelf()
        again.digests = store.digests
        outcome = self.publish(again)
        self.assertEqual((outcome.failed, outcome.kept, outcome.kept + outcome.published), (0, len(store.got), 40))

    def test_what_fails_first_is_tried_again(self) -> None:
        self.files(5)

        def shy(path: str, attempt: int) -> None:
            if attempt < engine.ATTEMPTS:
                raise engine.Trouble('overloaded')

        outcome = self.publish(Shelf(shy))
        self.assertEqual((outcome.published, outcome.failed), (5, 0))
        self.assertEqual(len(self.pauses), 5 * (engine.ATTEMPTS - 1))
        self.assertTrue(all(0.5 <= seconds <= 3 for seconds in self.pauses), self.pauses)

    def test_one_that_fails_keeps_no_other_back(self) -> None:
        self.files(30)

        def hates(path: str, attempt: int) -> None:
            if path == '0007':
                raise engine.Denied('no sevens')
            if path == '0008':
                raise RuntimeError('the library broke')

        outcome = self.publish(Shelf(hates))
        self.assertEqual((outcome.published, outcome.failed), (28, 2))
        self.assertEqual(sorted(outcome.problems), [('0007', 'no sevens'), ('0008', 'RuntimeError: the library broke')])

    def test_a_dead_store_is_left_alone(self) -> None:
        self.files(500)

        def dies(path: str, attempt: int) -> None:
            if store.puts > 10:
                raise engine.Denied('full')

        store = Shelf(dies)
        outcome = self.publish(store)
        self.assertEqual(outcome.published + outcome.failed, 500)
        self.assertLess(store.puts, 100)
        self.assertIn('failures in a row, the last one: full', outcome.gave_up)

    def test_a_store_that_takes_nothing(self) -> None:
        self.files(3)
        with self.assertRaisesRegex(engine.Refused, r'none of 3 files was taken; 000\d: full'):
            self.publish(Shelf(lambda path, attempt: (_ for _ in ()).throw(engine.Denied('full'))))

    def test_no_logs_at_all(self) -> None:
        self.assertEqual(self.publish(Shelf()).failed, 0)

    def test_a_url_that_is_too_long(self) -> None:
        self.files(1)
        store = Shelf()
        store.base = 'https://logs.example.org/' + 'x' * 230
        with self.assertRaisesRegex(engine.Refused, 'would have 255 characters'):
            self.publish(store)
        self.assertEqual(store.got, {})

    def test_a_slow_store(self) -> None:
        self.files(200)
        begun = time.monotonic()
        outcome = self.publish(Shelf(lambda path, attempt: time.sleep(0.2)), seconds=1.5)
        self.assertLess(time.monotonic() - begun, 4)
        self.assertGreater(outcome.published, 4)
        self.assertEqual(outcome.published + outcome.failed, 200)
        self.assertEqual((outcome.gave_up, outcome.problems), ('not done in time', []))

    def test_a_store_that_hangs(self) -> None:
        self.files(50)
        self.addCleanup((go := threading.Event()).set)
        begun = time.monotonic()
        outcome = self.publish(Shelf(lambda path, attempt: path > '0003' and go.wait(30)), seconds=1)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual((outcome.published, outcome.failed), (4, 46))


class TestHostile(EngineTest):
    def test_the_worst_output(self) -> None:
        self.tree.rmdir()
        self.make('--empty', '100', '--sparse', '0')
        (self.tree / 'hard/outside').unlink()
        store = Shelf()
        outcome = self.publish(store, indexes=True)
        self.assertGreater(outcome.links, 5)
        self.assertFalse([path for path, data in store.got.items() if b'root:' in data], 'a link was followed')
        self.assertTrue(all(name.isprintable() for name in store.got))
        for path, why in outcome.problems:
            self.assertTrue(path.isascii() and path.isprintable() and why, (path, why))

    def test_swapped_for_links_meanwhile(self) -> None:
        self.tree.rmdir()
        self.make('--empty', '0', '--sparse', '0', '--deep', '1')
        (self.tree / 'hard/outside').unlink()
        outside = {path.read_bytes() for path in self.outside.rglob('*') if path.is_file() and path.stat().st_size}
        self.swap(60)
        for _ in range(5):
            store = Shelf()
            with contextlib.suppress(engine.Refused):
                self.publish(store)
            self.assertFalse(outside.intersection(store.got.values()))
        self.stop_swapping()

    def test_one_that_grows_and_one_that_shrinks(self) -> None:
        (self.tree / 'log').write_text('x' * 100)
        handle = os.open(self.tree / 'log', os.O_RDONLY)
        with body.of_file(handle, 'log', str(self.base)) as what:
            with (self.tree / 'log').open('a') as more:
                more.write('y' * 100)
            self.assertEqual(b''.join(body.chunks(what.stream)), b'x' * 100)
            os.truncate(self.tree / 'log', 5)
            what.stream.seek(0)
            with self.assertRaisesRegex(tree.Unreadable, 'shorter'):
                b''.join(body.chunks(what.stream))

    def test_a_full_disk(self) -> None:
        (self.tree / 'log').write_bytes(os.urandom(30000).hex().encode())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with body.of_file(os.open(self.tree / 'log', os.O_RDONLY), 'log', str(self.base)) as what:
                self.assertEqual((what.size, what.headers.encoding), (60000, ''))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def test_memory_does_not_grow_with_files(self) -> None:
        with (self.tree / 'large.txt').open('wb') as file:
            file.truncate(300 << 20)
        code = ('import resource, tests.unit.roles.upload_logs_base.test_engine as t\n'
                f'with t.tree.Tree({str(self.tree)!r}) as logs:\n'
                '    class Void(t.Shelf):\n'
                '        def put(self, path, what):\n'
                '            for data in t.body.chunks(what.stream): pass\n'
                f'    done = t.engine.publish(logs, Void(), t.engine.Plan({str(self.base)!r}, 4, True, 100))\n'
                'assert done.published == 1, done.problems\n'
                'print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n')
        done = subprocess.run((*OWN_MEMORY, sys.executable, '-c', code), stdout=subprocess.PIPE, text=True, check=True)
        self.assertLess(int(done.stdout), 150)
