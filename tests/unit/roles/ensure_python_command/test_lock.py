# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import re
import tempfile
import unittest
from pathlib import Path

from tests.unit.roles import ROLES, module_utils

locks = module_utils('ensure_python_command_lock')
marker_environment = module_utils('ensure_python_command_pep440').marker_environment
TOOLCHAIN = ROLES / 'ensure-python-command' / 'files' / 'toolchain'
A, B = 'sha256:' + 'a' * 64, 'sha256:' + 'b' * 64
LOCK = f"""# a remark
tool==2.0 ; python_full_version >= '3.9' \\
    --hash={A} \\
    --hash={B}
    # via -r tool.in
tool==1.0 ; python_full_version < '3.9' \\
    --hash={A}
    # via -r tool.in
Helper.One==1.5 \\
    --hash={B}
    # via
    #   other
    #   tool
deep==3 \\
    --hash={A}
    # via helper-one
other==9 \\
    --hash={A}
    # via -r other.in
"""


def environment(python: str) -> dict[str, str]:
    return {**marker_environment(), 'python_version': python, 'python_full_version': python + '.1'}


class TestRead(unittest.TestCase):
    def test_pins_hashes_markers_and_reasons(self) -> None:
        pins = locks.read(LOCK)
        self.assertEqual([(pin.name, pin.version) for pin in pins],
                         [('tool', '2.0'), ('tool', '1.0'), ('helper-one', '1.5'), ('deep', '3'), ('other', '9')])
        self.assertEqual(pins[0].hashes, (A, B))
        self.assertEqual(pins[0].marker, "python_full_version >= '3.9'")
        self.assertEqual(pins[2].via, ('other', 'tool'))
        self.assertEqual(pins[3].line(), f'deep==3 --hash={A}')

    def test_refusals(self) -> None:
        for text in ('tool>=2\n', '-e .\n', '--index-url https://example.org/\n', 'tool==1 \\\n', 'tool @ https://example.org/x',
                     'tool==1 --hash=sha256:a extra\n'):
            with self.subTest(text=text), self.assertRaises(locks.InvalidLock):
                locks.read(text)


class TestNeeded(unittest.TestCase):
    def test_only_what_the_tool_needs_on_this_python(self) -> None:
        for tool, python, expected in (
                ('tool', '3.11', [('deep', '3'), ('helper-one', '1.5'), ('tool', '2.0')]),
                ('Tool', '3.8', [('deep', '3'), ('helper-one', '1.5'), ('tool', '1.0')]),
                ('helper_one', '3.11', [('deep', '3'), ('helper-one', '1.5')]),
                ('absent', '3.11', None)):
            with self.subTest(tool=tool, python=python):
                pins = locks.needed(locks.read(LOCK), tool, environment(python))
                self.assertEqual(pins and [(pin.name, pin.version) for pin in pins], expected)

    def test_a_lock_without_reasons_is_taken_as_a_whole(self) -> None:
        pins = locks.needed(locks.read('tool==1\nhelper==2\n'), 'tool', environment('3.11'))
        self.assertEqual([pin.name for pin in pins], ['helper', 'tool'])


class TestToolchain(unittest.TestCase):
    """The lock that is shipped."""

    def test_it_serves_every_python_it_claims(self) -> None:
        for path in sorted(TOOLCHAIN.glob('*.txt')):
            pins = locks.read(path.read_text(encoding='utf-8'))
            for python in ('3.8', '3.9', '3.10', '3.11', '3.12', '3.13', '3.14'):
                with self.subTest(lock=path.name, python=python):
                    names = [pin.name for pin in locks.needed(pins, path.stem, environment(python)) or ()]
                    self.assertIn(path.stem, names)
                    self.assertEqual(len(names), len(set(names)), 'two versions of one project')

    def test_every_requirement_is_locked(self) -> None:
        for path in sorted(TOOLCHAIN.glob('*.in')):
            with self.subTest(requirements=path.name):
                locked = {pin.name for pin in locks.read(path.with_suffix('.txt').read_text(encoding='utf-8'))}
                wanted = set(re.findall(r'^[a-z][a-z-]*', path.read_text(encoding='utf-8'), re.MULTILINE))
                self.assertLessEqual(wanted, locked)
                self.assertIn(path.stem, wanted)

    def test_no_lock_names_an_index(self) -> None:
        for path in TOOLCHAIN.glob('*.txt'):
            self.assertNotIn('://', path.read_text(encoding='utf-8'), path)


class TestCache(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cache = Path(folder.name)
        (self.cache / 'Helper_One-1.5-py3-none-any.whl').write_bytes(b'good')
        good = 'sha256:' + hashlib.sha256(b'good').hexdigest()
        self.pin = locks.Pin('helper-one', '1.5', '', (good,), ())

    def test_complete(self) -> None:
        self.assertEqual(locks.check_cache([self.pin], str(self.cache)), ([], []))

    def test_other_version_is_missing(self) -> None:
        self.assertEqual(locks.check_cache([self.pin._replace(version='1.6')], str(self.cache)), (['helper-one 1.6'],
                                                                                                  []))

    def test_one_other_byte_is_told(self) -> None:
        file = self.cache / 'Helper_One-1.5-py3-none-any.whl'
        file.write_bytes(b'gooe')
        self.assertEqual(locks.check_cache([self.pin], str(self.cache)), ([], [str(file)]))

    def test_no_cache(self) -> None:
        missing, wrong = locks.check_cache([self.pin], str(self.cache / 'none'))
        self.assertEqual((missing, wrong), ([f'{self.cache}/none: No such file or directory'], []))


if __name__ == '__main__':
    unittest.main()
