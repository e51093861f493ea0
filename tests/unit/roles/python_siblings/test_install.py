# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import tempfile
import unittest
import urllib.error
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import module_utils

installing = module_utils('python_siblings_install')
environments = module_utils('python_siblings_environments')
ENV = environments.Environment('py311', '/e/py311/bin/python')
FOLDERS = {'lib-a': '/src/lib-a', 'lib-b': '/src/lib-b', 'lib-c': '/src/c'}


class TestTool(unittest.TestCase):
    def test_order(self) -> None:
        for pip, uv, wheel, expected in (
                ('23.0', '/uv', '/w', ('pip', (ENV.python, '-m', 'pip'), True)),
                ('20.3.4', '/uv', '/w', ('pip', (ENV.python, '-m', 'pip'), False)),
                ('', '/uv', '/w', ('uv', ('/uv', 'pip'), True))):
            with self.subTest(pip=pip, uv=uv):
                there = {'pip': environments.Distribution(pip, '/x', '')} if pip else {}
                self.assertEqual(installing.tool_for(ENV, there, uv, wheel), expected)
        self.assertEqual(installing.tool_for(ENV, {}, None, '/w/pip-23.0-py3-none-any.whl').argv[1:],
                         ('/w/pip-23.0-py3-none-any.whl/pip', '--python', ENV.python))
        with self.assertRaisesRegex(installing.Refused, 'no pip, and the node has neither uv nor'):
            installing.tool_for(ENV, {}, None, None)

    def test_uv_beside_the_command(self) -> None:
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, PATH='/nonexistent'), \
                mock.patch.object(installing, 'UV_PLACES', ()):
            for name in ('tox', 'uv'):
                Path(folder, name).write_text('#!/bin/sh\n', encoding='ascii')
                Path(folder, name).chmod(0o755)
            Path(folder, 'link').symlink_to('tox')
            for command in ('tox', 'link'):
                self.assertEqual(installing.find_uv(os.path.join(folder, command), [ENV]),
                                 os.path.join(os.path.realpath(folder) if command == 'link' else folder, 'uv'))
            self.assertIsNone(installing.find_uv('tox', [ENV]))
            own = Path(folder, 'project/.tox/.tox/bin/uv')
            own.parent.mkdir(parents=True)
            own.symlink_to(Path(folder, 'uv'))
            env = environments.Environment('py', f'{folder}/project/.tox/py/bin/python')
            self.assertEqual(installing.find_uv('tox', [ENV, env]), str(own))

    def test_the_newest_pip_that_python_has(self) -> None:
        with mock.patch.object(installing.glob, 'glob', side_effect=[
                ['/a/pip-9.0-py3.whl', '/a/pip-23.1-py3.whl'], ['/b/pip-22.2-py3.whl']]):
            self.assertEqual(installing.bundled_pip(), '/a/pip-23.1-py3.whl')


class TestCall(unittest.TestCase):
    def test_arguments(self) -> None:
        pip, uv = installing.Tool('pip', ('py', '-m', 'pip')), installing.Tool('uv', ('uv', 'pip'))
        plain, editable = (installing.Siblings(FOLDERS, '', flag) for flag in (False, True))
        for tool, siblings, constraints, expected in (
                (pip, plain, '', ['py', '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input',
                                  '/src/lib-a', '/src/lib-b']),
                (pip, editable, '/c', ['py', '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input',
                                       '--constraint', '/c', '--editable', '/src/lib-a', '--editable', '/src/lib-b']),
                (uv, plain, '/c', ['uv', 'pip', 'install', '--python', ENV.python, '--no-python-downloads',
                                   '--reinstall-package', 'lib-a', '--refresh-package', 'lib-a',
                                   '--reinstall-package', 'lib-b', '--refresh-package', 'lib-b', '--constraint', '/c',
                                   '/src/lib-a', '/src/lib-b'])):
            with self.subTest(tool=tool.kind, constraints=constraints):
                self.assertEqual(installing.argv_of(tool, ENV, siblings, ['lib-a', 'lib-b'], constraints), expected)

    def test_constraints_of_the_call(self) -> None:
        seen: list[str] = []

        def run(argv: list[str], cwd: str) -> tuple[int, str, str]:
            seen.append(Path(argv[argv.index('--constraint') + 1]).read_text(encoding='utf-8')
                        if '--constraint' in argv else '')
            return 0, '', ''
        for addresses, constraints, names, expected in (
                (True, 'lib-a==1\nother==3', ['lib-a'],
                 'other==3\nlib-b @ file:///src/lib-b\nlib-c @ file:///src/c\n'),
                (False, 'lib-a==1\nLib.B==1\nother==3', ['lib-a'], 'other==3\n'),
                (True, 'lib-a==1', list(FOLDERS), ''), (True, '', list(FOLDERS), '')):
            with self.subTest(constraints=constraints, names=names):
                installing.install_into(ENV, installing.Tool('pip', ('pip',), addresses),
                                        installing.Siblings(FOLDERS, constraints, False), names, run)
                self.assertEqual(seen[-1], expected)

    def test_failure(self) -> None:
        said = 'Processing /src/lib-a\nProcessing /src/lib-b\n' + ''.join(f'line {number}\n' for number in range(50))
        with self.assertRaises(installing.Refused) as caught:
            installing.install_into(ENV, installing.Tool('pip', ('pip',)), installing.Siblings(FOLDERS, '', False),
                                    ['lib-a', 'lib-b'], lambda *_, **__: (1, said, 'error: no'))
        text = str(caught.exception)
        self.assertTrue(text.startswith('pip cannot install /src/lib-b:\nline 26\n'), text)
        self.assertTrue(text.endswith('line 49\nerror: no'), text)


class TestBlame(unittest.TestCase):
    def test_who_it_was(self) -> None:
        for output, expected in (
                ('Processing ./lib-a\n  error: subprocess-exited-with-error', ['lib-a']),
                ('Processing /src/lib-a\nProcessing /src/lib-b\nERROR: Failed building wheel for lib_a\n', ['lib-a']),
                ('  × Failed to build `lib-b @ file:///src/lib-b`\n', ['lib-b']),
                ("ERROR: Failed to build 'file:///src/lib-a' when getting requirements", ['lib-a']),
                ('no idea', ['lib-a', 'lib-b'])):
            with self.subTest(output=output):
                self.assertEqual(installing.blamed(output, FOLDERS, ['lib-a', 'lib-b']), expected)


class TestConstraints(unittest.TestCase):
    def test_file(self) -> None:
        with tempfile.NamedTemporaryFile('w') as stream:
            stream.write('a==1\n')
            stream.flush()
            self.assertEqual(installing.read_constraints(stream.name), 'a==1\n')
        with self.assertRaisesRegex(installing.Refused, 'the constraints /nowhere cannot be read: .*No such file'):
            installing.read_constraints('/nowhere')

    def test_address(self) -> None:
        answer: Any = mock.MagicMock()
        answer.__enter__.return_value.read.return_value = b'a==1\n'
        with mock.patch.object(installing.urllib.request, 'urlopen', return_value=answer) as ask:
            self.assertEqual(installing.read_constraints('https://example.org/c'), 'a==1\n')
            self.assertEqual(ask.call_args, mock.call('https://example.org/c', timeout=60))
            answer.__enter__.return_value.read.return_value = b'x' * (installing._LIMIT + 1)
            with self.assertRaisesRegex(installing.Refused, 'have more than 16 MiB'):
                installing.read_constraints('https://example.org/c')
            ask.side_effect = urllib.error.URLError('no way out')
            with self.assertRaisesRegex(installing.Refused, 'https://example.org/c cannot be read: .*no way out'):
                installing.read_constraints('https://example.org/c')


if __name__ == '__main__':
    unittest.main()
