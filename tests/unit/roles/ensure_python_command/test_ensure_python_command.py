# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library

engine = library('ensure-python-command', 'ensure_python_command')
WHEEL = b'a wheel'
LOCK = 'tool==2.0 \\\n    --hash=sha256:' + hashlib.sha256(WHEEL).hexdigest() + '\n    # via -r tool.in\n'


class Node:
    """What a node answers: programs that exist, and how the installers behave."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.versions: dict[str, str] = {}    # folder of an interpreter -> version of the tool
        self.installs = '2.0'                 # what pip puts there; empty: pip fails
        self.calls: list[list[str]] = []
        self.cache = root / 'cache'
        self.cache.mkdir()
        (self.cache / 'tool-2.0-py3-none-any.whl').write_bytes(WHEEL)

    def tool(self, folder: str, version: str) -> str:
        """Put a tool in an environment of its own and return its path."""
        home = self.root / folder
        (home / 'bin').mkdir(parents=True)
        (home / 'pyvenv.cfg').touch()
        path = home / 'bin' / 'tool'
        path.write_text('#!/bin/sh\n', encoding='utf-8')
        path.chmod(0o755)
        self.versions[str(home / 'bin')] = version
        return str(path)

    def run(self, argv: list[str], timeout: int) -> tuple[int, str, str]:
        self.calls.append(argv)
        if argv[1:3] == ['-m', 'venv']:
            folder = Path(argv[-1])
            (folder / 'bin').mkdir(parents=True)
            (folder / 'pyvenv.cfg').touch()
            return 0, '', ''
        if 'install' in argv:
            if not self.installs:
                return 1, '', 'ERROR: no luck today'
            tool = Path(argv[0]).with_name('tool')
            tool.write_text('#!/bin/sh\n', encoding='utf-8')
            tool.chmod(0o755)
            self.versions[str(tool.parent)] = self.installs
            return 0, '', ''
        version = self.versions.get(os.path.dirname(argv[0]), '')
        return (0, version + '\n', '') if version else (1, '', 'Traceback\nModuleNotFoundError: tool')

    @property
    def pip_calls(self) -> list[list[str]]:
        return [argv for argv in self.calls if 'install' in argv]


class TestProvide(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        self.node = Node(self.root)
        self.venv = self.root / 'home' / '.local' / 'tool'
        for target, value in ((engine.shutil, {'which': lambda name: None}),
                              (engine, {'find_pip': lambda request, pins: '/wheels/pip-26.3-py3-none-any.whl'})):
            patch = mock.patch.multiple(target, **value)
            patch.start()
            self.addCleanup(patch.stop)

    def provide(self, check_mode: bool = False, **changes: Any) -> dict[str, Any]:
        params = {'name': 'tool', 'package': '', 'version': '', 'existing': '', 'venv_path': str(self.venv),
                  'sources': ['image', 'cache', 'index'], 'require_hashes': False, 'wheel_cache': str(self.node.cache),
                  'lock': LOCK, 'pip_lock': '', 'report_dir': str(self.root / 'reports'), 'timeout': 60, 'reported_as': {}}
        return engine.provide({**params, **changes}, self.node.run, check_mode)

    def refused(self, **changes: Any) -> str:
        with self.assertRaises(engine.Refused) as caught:
            self.provide(**changes)
        return str(caught.exception)

    def test_the_image_is_enough(self) -> None:
        path = self.node.tool('image', '1.0')
        result = self.provide(existing=path)
        self.assertEqual((result['executable'], result['changed']), (path, False))
        self.assertEqual((result['report']['source'], result['report']['version'], result['report']['locked']),
                         ('image', '1.0', False))
        self.assertEqual(len(self.node.calls), 1)
        self.assertFalse(self.venv.exists())

    def test_a_path_may_be_relative_or_below_the_home(self) -> None:
        path = self.node.tool('image', '1.0')
        with mock.patch.dict(os.environ, {'HOME': str(self.root)}):
            for wish in ('~/image/bin/tool', os.path.relpath(path)):
                with self.subTest(wish=wish):
                    self.assertEqual(self.provide(existing=wish)['executable'], path)

    def test_what_does_not_satisfy_is_passed_over_with_a_reason(self) -> None:
        old, broken = self.node.tool('old', '1.0'), self.node.tool('broken', '')
        for path, why in ((old, '1.0 does not satisfy >=2'), (broken, 'does not run: ModuleNotFoundError: tool')):
            with self.subTest(path=path):
                result = self.provide(existing=path, version='>=2')
                self.assertEqual(result['executable'], str(self.venv / 'bin' / 'tool'))
                self.assertEqual(result['report']['passed_over'][0], {'source': 'image', 'where': path, 'why': why})

    def test_the_cache_with_hashes_and_then_nothing_to_do(self) -> None:
        first = self.provide()
        self.assertTrue(first['changed'])
        self.assertEqual((first['report']['source'], first['report']['version'], first['report']['locked']),
                         ('cache', '2.0', True))
        argv = self.node.pip_calls[0]
        for word in ('--require-hashes', '--no-deps', '--no-index', '--only-binary'):
            self.assertIn(word, argv)
        self.assertTrue(self.venv.is_symlink())
        self.node.calls.clear()
        second = self.provide()
        self.assertFalse(second['changed'])
        self.assertEqual((second['executable'], second['report']['source']), (first['executable'], 'cache'))
        self.assertEqual(self.node.calls, [])

    def test_another_version_comes_from_the_index_and_says_so(self) -> None:
        self.node.installs = '1.9'
        result = self.provide(version='<2')
        self.assertEqual((result['report']['source'], result['report']['locked'], result['report']['version']),
                         ('index', False, '1.9'))
        self.assertNotIn('--require-hashes', self.node.pip_calls[0])
        self.assertIn('hashes is set', self.refused(version='<1.8', require_hashes=True))

    def test_an_incomplete_cache_is_passed_over(self) -> None:
        (self.node.cache / 'tool-2.0-py3-none-any.whl').unlink()
        result = self.provide()
        self.assertEqual((result['report']['source'], result['report']['locked']), ('index', True))
        self.assertIn('--require-hashes', self.node.pip_calls[0])
        self.assertEqual(result['report']['passed_over'][-1]['why'], 'lacks tool 2.0')

    def test_one_other_byte_in_the_cache_is_refused_and_the_old_tool_stays(self) -> None:
        self.node.installs = '1.9'
        self.provide(version='<2')
        before = os.readlink(self.venv)
        (self.node.cache / 'tool-2.0-py3-none-any.whl').write_bytes(b'b wheel')
        self.assertIn('other bytes than the lock says', self.refused(version='>=2'))
        self.assertEqual(os.readlink(self.venv), before)
        self.assertTrue((self.venv / 'bin' / 'tool').exists())

    def test_a_failed_install_leaves_the_old_tool_and_no_folder(self) -> None:
        self.provide()
        before = sorted(os.listdir(self.venv.parent))
        self.node.installs = ''
        message = self.refused(version='==99')
        self.assertIn('no place has a tool==99', message)
        self.assertIn('index the configured package index: ERROR: no luck today', message)
        self.assertEqual(sorted(os.listdir(self.venv.parent)), before)

    def test_what_a_killed_run_left_is_made_anew(self) -> None:
        self.provide()
        folder = self.venv.resolve()
        (folder / engine.MARK).unlink()
        result = self.provide()
        self.assertTrue(result['changed'])
        self.assertTrue((folder / engine.MARK).exists())

    def test_only_the_tool_before_is_kept_beside_the_new_one(self) -> None:
        for version in ('1.7', '1.8', '1.9'):
            self.node.installs = version
            self.provide(version=f'=={version}')
        folders = [name for name in os.listdir(self.venv.parent) if name.startswith('.tool-')]
        self.assertEqual(len(folders), 2)
        self.assertIn(os.readlink(self.venv), folders)

    def test_another_version_and_back_needs_no_install(self) -> None:
        self.provide()
        self.node.installs = '1.9'
        self.provide(version='==1.9')
        self.node.calls.clear()
        result = self.provide()
        self.assertTrue(result['changed'])
        self.assertEqual(self.node.pip_calls, [])
        self.assertEqual(json.loads((self.venv / engine.MARK).read_text(encoding='utf-8'))['version'], '2.0')

    def test_a_copy_of_ours_is_judged_by_its_digest_unless_it_is_asked_for(self) -> None:
        self.node.installs = '1.9'
        path = self.provide(version='==1.9')['executable']
        asked = self.provide(existing=path)
        self.assertEqual((asked['changed'], asked['report']['version'], asked['report']['source']), (False, '1.9',
                                                                                                     'index'))
        self.node.installs = '2.0'
        result = self.provide()
        self.assertEqual((result['changed'], result['report']['version']), (True, '2.0'))

    def test_a_folder_of_somebody_else_is_left_alone(self) -> None:
        self.node.tool('home/.local/tool', '1.0')
        self.assertIn('not made by this role', self.refused(version='>=2'))
        self.assertEqual(self.provide()['report']['version'], '1.0')

    def test_a_place_that_cannot_be_written(self) -> None:
        message = self.refused(sources=['index'], venv_path='/etc/passwd/tool',
                               reported_as={'role': 'ensure-tool', 'venv_path': 'tool_venv_path'})
        self.assertTrue(message.startswith(
            'ensure-tool: cannot continue, 1 problem:\n'
            "  - tool_venv_path is '/etc/passwd/tool': /etc/passwd is not a folder"))

    def test_places_that_are_switched_off(self) -> None:
        path = self.node.tool('image', '2.0')
        result = self.provide(existing=path, sources=['index'])
        self.assertEqual(result['report']['source'], 'index')
        self.assertIn('no place has', self.refused(version='==2.0', venv_path=str(self.root / 'x'), sources=['image']))

    def test_check_mode_changes_nothing(self) -> None:
        result = self.provide(check_mode=True)
        self.assertTrue(result['changed'])
        self.assertEqual(sorted(os.listdir(self.root)), ['cache'])

    def test_the_report_is_kept(self) -> None:
        result = self.provide()
        files = os.listdir(self.root / 'reports')
        self.assertEqual(files, [f"tool-{result['report']['digest']}.json"])
        kept = json.loads((self.root / 'reports' / files[0]).read_text(encoding='utf-8'))
        self.assertEqual(kept, result['report'])
        for key in ('name', 'version', 'path', 'source', 'locked', 'changed', 'seconds', 'passed_over', 'digest'):
            self.assertIn(key, kept)

    def test_a_report_that_cannot_be_kept_is_no_failure(self) -> None:
        result = self.provide(report_dir='/proc/nowhere')
        self.assertIn('not_recorded', result['report'])


class TestProblems(unittest.TestCase):
    GOOD = {'name': 'tool', 'package': 'tool', 'version': '', 'venv_path': '/home/zuul/.local/tool',
            'sources': ['index']}

    def test_each_names_the_value(self) -> None:
        for changes, expected in (
                ({'version': '4.x; rm -rf ~'},
                 "ensure_python_command_version is '4.x; rm -rf ~': not a PEP 440 specifier."),
                ({'name': '../x'}, "ensure_python_command_name is '../x'"),
                ({'name': ''}, "ensure_python_command_name is ''"),
                ({'package': '--index-url=x'}, "ensure_python_command_package is '--index-url=x'"),
                ({'venv_path': 'relative'}, "ensure_python_command_venv_path is 'relative'"),
                ({'venv_path': '//'}, "ensure_python_command_venv_path is '//'"),
                ({'sources': ['image', 'web']}, "ensure_python_command_sources is ['image', 'web']"),
                ({'sources': []}, 'ensure_python_command_sources is []')):
            with self.subTest(changes=changes):
                found = engine.problems({**self.GOOD, **changes})
                self.assertEqual(len(found), 1, found)
                self.assertIn(expected, found[0])

    def test_all_in_one_message_in_the_words_of_the_caller(self) -> None:
        found = engine.problems({**self.GOOD, 'version': '4.x', 'venv_path': 'x',
                                 'reported_as': {'version': 'ensure_tox_version', 'venv_path': 'tox_venv_path'}})
        message = engine.refusal('ensure-tox', found)
        self.assertTrue(message.startswith('ensure-tox: cannot continue, 2 problems:\n  - ensure_tox_version is'))
        self.assertIn('\n  - tox_venv_path is', message)

    def test_good(self) -> None:
        self.assertEqual(engine.problems(self.GOOD), [])


class TestParts(unittest.TestCase):
    def test_the_digest_says_what_goes_in(self) -> None:
        def digest(lock: str = LOCK, python: str = '/usr/bin/python3 3.11', **changes: Any) -> str:
            request = engine.Request('tool', 'tool', '', '', '/x', ('index',), False, '/c', 60)._replace(**changes)
            return engine.plan(request, lock, engine.pep440.marker_environment(), python).digest
        base = digest()
        self.assertEqual(base, digest(version='>=1'))    # the same pins go in
        self.assertEqual(base, digest(lock=LOCK + 'unrelated==1 \\\n    --hash=sha256:0\n    # via -r unrelated.in\n'))
        others = [digest(lock=LOCK.replace('sha256:', 'sha256:0')), digest(python='/usr/bin/python3 3.12'),
                  digest(version='<2'), digest(lock='')]
        self.assertEqual(len({base, *others}), 5)

    def test_interpreters(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            for first, expected in ((b'#!/usr/bin/python3.11\n', '/usr/bin/python3.11'), (b'#! /opt/python -E\n',
                                                                                          '/opt/python'),
                                    (b'#!/bin/sh\n', None), (b'\x7fELF', None), (b'', None)):
                with self.subTest(first=first):
                    (root / 'tool').write_bytes(first)
                    self.assertEqual(engine.interpreter_of(str(root / 'tool')), expected)
            (root / 'bin').mkdir()
            (root / 'pyvenv.cfg').touch()
            (root / 'bin' / 'tool').write_bytes(b'#!/bin/sh\n')
            self.assertEqual(engine.interpreter_of(str(root / 'bin' / 'tool')), str(root / 'bin' / 'python'))

    def test_a_real_interpreter_is_asked(self) -> None:
        def run(argv: list[str], timeout: int) -> tuple[int, str, str]:
            import subprocess
            done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
            return done.returncode, done.stdout, done.stderr
        with tempfile.TemporaryDirectory() as folder:
            tool = Path(folder, 'tool')
            tool.write_text(f'#!{sys.executable}\n', encoding='utf-8')
            with self.assertRaisesRegex(engine.Refused, 'not an executable'):
                engine.installed_version(str(tool), 'x', run)
            tool.chmod(0o755)
            with self.assertRaisesRegex(engine.Refused, 'does not run: .*PackageNotFoundError'):
                engine.installed_version(str(tool), 'no-such-project-anywhere', run)
            tool.write_text('#!/bin/sh\necho "tool 1.2.3 (built today)"\n', encoding='utf-8')
            self.assertEqual(engine.installed_version(str(tool), 'x', run), '1.2.3')

    def test_pip_of_the_distribution_is_for_its_own_python(self) -> None:
        request = engine.Request('tool', 'tool', '', '', '/x', ('index',), False, '/c', 60)
        there = {'/usr/share/python-wheels/pip-*.whl': ['/usr/share/python-wheels/pip-23.0-py3-none-any.whl']}
        for prefix, expected in (('/usr', '/usr/share/python-wheels/pip-23.0-py3-none-any.whl'), ('/opt/python', None)):
            with self.subTest(prefix=prefix), mock.patch.object(engine.sys, 'base_prefix', prefix), \
                    mock.patch.object(engine.glob, 'glob', lambda pattern: there.get(pattern, [])):
                self.assertEqual(engine.find_pip(request, []), expected)

    def test_pip_is_told_where_to_look(self) -> None:
        plan = engine.Plan(('tool==2.0',), (), '2.0', True, 'd')
        cached = engine.pip_argv('/v/bin/python', '/w/pip.whl', '/v/requirements.txt', plan, '/opt/cache/wheels')
        self.assertEqual(cached[:3], ['/v/bin/python', '/w/pip.whl/pip', 'install'])
        self.assertEqual(cached[-3:], ['--no-index', '--find-links', '/opt/cache/wheels'])
        open_one = engine.pip_argv('/v/bin/python', '/w/pip.whl', '/v/requirements.txt', plan._replace(locked=False),
                                   '')
        for word in ('--no-index', '--require-hashes', '--no-deps'):
            self.assertNotIn(word, open_one)

    def test_long_lists_of_versions_are_cut(self) -> None:
        listed = ', '.join(f'1.{n}' for n in range(99))
        self.assertEqual(engine.words_of(f'ERROR: none for x==9 (from versions: {listed})\nERROR: no'),
                         'ERROR: none for x==9 (newest: 1.98)\nERROR: no')

    def test_repeated_tries_are_told_once(self) -> None:
        said = ''.join(
            f"WARNING: Retrying (Retry(total={left}, connect=None)) after connection broken by 'NewConnectionError("
            f"'<pip._vendor.HTTPSConnection object at 0x7f0{left}>: no way out')': /simple/x/\n" for left in (1, 0))
        self.assertEqual(engine.words_of(said + 'ERROR: no'), "NewConnectionError('no way out')\nERROR: no")

    def test_commands_are_bounded_and_alone(self) -> None:
        seen = []

        def run(argv: list[str], handle_exceptions: bool) -> tuple[int, str, str]:
            seen.append(argv)
            return 124, '', 'x'
        code, _, err = engine.bounded(run)(['pip', 'install'], timeout=7)
        self.assertEqual((code, err), (124, 'x\nstopped after 7 s'))
        self.assertEqual(seen[0][:3], ['timeout', '--kill-after=5', '7'])
        self.assertIn('--unset=PIP_TARGET', seen[0])
        self.assertEqual(seen[0][-2:], ['pip', 'install'])


if __name__ == '__main__':
    unittest.main()
