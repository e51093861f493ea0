# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library, module_utils

engine = library('ensure-python-command', 'ensure_python_command')
environments = module_utils('ensure_python_command_environment')
image = module_utils('ensure_python_command_image')
requests = module_utils('ensure_python_command_request')
index = module_utils('ensure_python_command_index')
installers = module_utils('ensure_python_command_installers')
PIP = installers.Installer('pip', '/wheels/pip-26.3-py3-none-any.whl', '26.3')
UV = installers.Installer('uv', '/usr/uv-env/bin/uv', '0.13.9')
WHEEL = b'a wheel'
LOCK = 'tool==2.0 \\\n    --hash=sha256:' + hashlib.sha256(WHEEL).hexdigest() + '\n    # via -r tool.in\n'


class Node:
    """What a node answers: programs that exist, and how the installers behave."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.versions: dict[str, str] = {}    # folder of an interpreter -> version of the tool
        self.installs = '2.0'                 # what pip puts there; empty: pip fails
        self.broken_installer = ''
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

    def run(self, argv: list[str], timeout: int, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
        self.calls.append(argv)
        if argv[1:3] == ['-m', 'venv']:
            folder = Path(argv[-1])
            (folder / 'bin').mkdir(parents=True)
            (folder / 'pyvenv.cfg').touch()
            return 0, '', ''
        if 'install' in argv:
            if not self.installs:
                return 1, '', 'ERROR: no luck today'
            python = argv[0] if argv[0].endswith('python') else argv[argv.index('--python') + 1]
            if argv[0] == self.broken_installer:
                return 2, '', 'error: unexpected argument'
            tool = Path(python).with_name('tool')
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
        for name, value in (('find_pip', lambda request, pins: PIP), ('find_uv', lambda run: None)):
            self.patch(installers, name, value)
        self.patch(image.shutil, 'which', lambda name: None)
        self.patch(index, 'unreachable', lambda site, run: '')

        self.patch(index, 'of_node', lambda: index.site({}, []))

    def patch(self, target: Any, name: str, value: Any) -> None:
        patch = mock.patch.object(target, name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def provide(self, check_mode: bool = False, **changes: Any) -> dict[str, Any]:
        params = {'name': 'tool', 'package': '', 'version': '', 'existing': '', 'venv_path': str(self.venv),
                  'sources': ['image', 'cache', 'index'], 'installer': 'auto', 'require_hashes': False,
                  'allow_builds': False, 'link': '', 'wheel_cache': str(self.node.cache),
                  'lock': LOCK, 'installer_locks': '', 'report_dir': str(self.root / 'reports'), 'timeout': 60,
                  'reported_as': {}}
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

    def test_uv_is_taken_where_there_is_one_and_pip_where_it_fails(self) -> None:
        self.patch(installers, 'find_uv', lambda run: UV)
        for broken, wished, expected in (('', 'auto', 'uv 0.13.9'), ('', 'pip', 'pip 26.3'), (UV.path, 'auto',
                                                                                              'pip 26.3')):
            with self.subTest(broken=broken, wished=wished):
                self.node.broken_installer = broken
                venv = str(self.root / f'{wished}{bool(broken)}')
                result = self.provide(venv_path=venv, installer=wished)
                self.assertEqual(result['report']['installer'], expected)
                told = [place['why'] for place in result['report']['passed_over'] if place['where'] == UV.path]
                self.assertEqual(told, ['uv 0.13.9: error: unexpected argument'] if broken else [])

    def test_uv_that_is_insisted_on_has_to_be_there(self) -> None:
        self.assertIn("installer is 'uv', and the node has no uv", self.refused(installer='uv'))

    def test_without_a_way_out_nothing_waits_for_pip(self) -> None:
        self.patch(index, 'unreachable', lambda site, run: 'pypi.org:443 cannot be reached: no route')
        message = self.refused(wheel_cache='/nonexistent')
        self.assertEqual(message, '''\
ensure-python-command: cannot provide tool: no place has a tool
Tried:
  - cache /nonexistent: /nonexistent: No such file or directory
  - index https://pypi.org/simple: pypi.org:443 cannot be reached: no route''')
        self.assertEqual(self.node.pip_calls, [])

    def test_a_failing_cache_is_no_reason_for_the_index(self) -> None:
        self.node.installs = ''
        message = self.refused()
        self.assertIn(f'  - cache {self.node.cache}: ERROR: no luck today', message)
        self.assertNotIn('- index', message)

    def test_the_link_for_everyone(self) -> None:
        link = self.root / 'tool'
        public = str(self.venv / 'bin' / 'tool')
        self.assertTrue(self.provide(link=str(link))['link'])
        link.symlink_to('/elsewhere')
        self.assertTrue(self.provide(link=str(link))['link'])
        link.unlink()
        link.symlink_to(public)
        self.assertFalse(self.provide(link=str(link))['link'])
        link.unlink()
        link.touch()
        other = str(self.root / 'other')
        self.assertIn(f"'{link}' is there and no link", self.refused(link=str(link), venv_path=other))
        self.assertFalse(os.path.lexists(other), 'something was made before the refusal')

    def test_a_lock_without_hashes_is_refused(self) -> None:
        self.assertIn('no hashes for tool', self.refused(lock='tool==2.0'))

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
        self.assertIn('index https://pypi.org/simple: ERROR: no luck today', message)
        self.assertEqual(sorted(os.listdir(self.venv.parent)), before)

    def test_what_a_killed_run_left_is_made_anew(self) -> None:
        self.provide()
        folder = self.venv.resolve()
        (folder / environments.MARK).unlink()
        result = self.provide()
        self.assertTrue(result['changed'])
        self.assertTrue((folder / environments.MARK).exists())

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
        self.assertEqual(json.loads((self.venv / environments.MARK).read_text(encoding='utf-8'))['version'], '2.0')

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

    def test_a_run_that_changed_nothing_leaves_the_report_of_the_one_that_did(self) -> None:
        first = self.provide()['report']
        second = self.provide()['report']
        self.assertFalse(second['changed'])
        kept = json.loads((self.root / 'reports' / f"tool-{first['digest']}.json").read_text(encoding='utf-8'))
        self.assertEqual(kept, first)

    def test_a_report_that_cannot_be_kept_is_no_failure(self) -> None:
        result = self.provide(report_dir='/proc/nowhere')
        self.assertIn('not_recorded', result['report'])


if __name__ == '__main__':
    unittest.main()
