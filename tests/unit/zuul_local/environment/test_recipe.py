"""The recipe of environments: argv, and what is taken out of the ansible wheel."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from zuul_local.environment import ansibles, index, recipe
from zuul_local.environment.index import Index
from zuul_local.environment.recipe import Installer

HERE = Index(('https://u:p@mirror/simple',), certificates='/ca.pem')


class InstallerTest(unittest.TestCase):
    def commands(self, program: str) -> tuple[tuple[str, ...], ...]:
        tool = Installer(Path(program), HERE, Path('/c'))
        return tool.commands(Path('/usr/bin/python3.11'), Path('/e/zuul'), (Path('/l.txt'),))

    def test_uv(self) -> None:
        make, fill = self.commands('/c/wheels/x/uv')
        self.assertEqual(('/c/wheels/x/uv', 'venv', '--quiet', '--python', '/usr/bin/python3.11', '/e/zuul'), make)
        for word in ('--no-deps', '--require-hashes', '--compile-bytecode', '/l.txt', '/e/zuul/bin/python'):
            self.assertIn(word, fill)

    def test_pip_from_its_wheel(self) -> None:
        make, fill = self.commands('/c/wheels/y/pip-26-py3-none-any.whl')
        self.assertEqual(('/usr/bin/python3.11', '-I', '-m', 'venv', '--without-pip', '/e/zuul'), make)
        self.assertEqual('/c/wheels/y/pip-26-py3-none-any.whl/pip', fill[2])
        for word in ('--no-deps', '--require-hashes', '/l.txt', '/e/zuul/bin/python'):
            self.assertIn(word, fill)

    def test_no_secret_is_in_a_command(self) -> None:
        for program in ('/c/uv', '/c/pip.whl'):
            self.assertNotIn('mirror', str(self.commands(program)))

    def test_environment_leads_to_our_index_and_cache_only(self) -> None:
        foreign = {'PATH': '/bin', 'PIP_FIND_LINKS': '/x', 'UV_INDEX_URL': 'https://y', 'PYTHONPATH': '/z',
                   'VIRTUAL_ENV': '/v', 'https_proxy': 'http://proxy'}
        with mock.patch.dict(recipe.os.environ, foreign, clear=True):
            env = Installer(Path('/c/uv'), HERE, Path('/c')).environment()
        for name in ('PIP_FIND_LINKS', 'UV_INDEX_URL', 'PYTHONPATH', 'VIRTUAL_ENV'):
            self.assertNotIn(name, env)
        self.assertEqual(('/c/uv', HERE.urls[0], '/ca.pem', 'http://proxy', 'never'),
                         (env['UV_CACHE_DIR'], env['UV_DEFAULT_INDEX'], env['SSL_CERT_FILE'], env['https_proxy'],
                          env['UV_PYTHON_DOWNLOADS']))


class ContentTest(unittest.TestCase):
    def test_members_of_the_ansible_wheel(self) -> None:
        cases = (
            ('ansible_collections/ansible/posix/plugins/action/synchronize.py', True),
            ('ansible_collections/community/general/plugins/filter/json_query.py', True),
            ('ansible_collections/ansible/utils/COPYING', True),
            ('ansible_collections/community/general/tests/unit/x.py', False),
            ('ansible_collections/community/general/docs/x.rst', False),
            ('ansible_collections/community/generals/plugins/x.py', False),
            ('ansible_collections/amazon/aws/plugins/x.py', False),
            ('ansible_collections/__init__.py', False),
            ('ansible_community/build_info.py', False),
        )
        for member, expected in cases:
            with self.subTest(member):
                self.assertEqual(expected, recipe.is_used(member))

    def test_prefix(self) -> None:
        for prefix, expected in (('/usr', None), ('/usr/local', None), ('/opt/python', Path('/opt/python')),
                                 ('/usrlocal', Path('/usrlocal'))):
            with self.subTest(prefix):
                self.assertEqual(expected, recipe.prefix_outside_usr(prefix))

    def test_ready(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            recipe.write_ready(Path(name), Path('/usr/bin/python3.11'))
            self.assertEqual(['READY'], [path.name for path in Path(name).iterdir()])
            self.assertEqual({'python', 'python_prefix'}, set(json.loads((Path(name) / 'READY').read_text())))


class LocksTest(unittest.TestCase):
    """What the code relies on in requirements/."""

    def pins(self, name: str) -> dict[str, index.Pin]:
        return index.pins((recipe.REQUIREMENTS / f'{name}.txt').read_text())

    def test_versions(self) -> None:
        self.assertEqual('14.3.0', self.pins('zuul')['zuul'].version)
        self.assertEqual(('9', '11'), ansibles.versions())
        for version, core in (('9', '2.16.'), ('11', '2.18.')):
            self.assertTrue(self.pins(f'ansible{version}')['ansible-core'].version.startswith(core))
            self.assertTrue(self.pins(f'ansible{version}-collections')['ansible'].version.startswith(f'{version}.'))
        self.assertEqual({'pip', 'uv'}, set(self.pins('bootstrap')))

    def test_every_pin_has_digests_and_no_index_is_named(self) -> None:
        for path in sorted(recipe.REQUIREMENTS.glob('*.txt')):
            with self.subTest(path.name):
                text = path.read_text()
                self.assertNotRegex(text, r'https?://|--index|--find-links')
                self.assertTrue(index.pins(text))
                for pin in index.pins(text).values():
                    self.assertTrue(pin.digests, pin.name)

    def test_test_tools_share_the_versions_of_the_runner(self) -> None:
        tools = self.pins('test')
        for lock in ('zuul', 'ansible11'):
            for name, pin in self.pins(lock).items():
                if name in tools:
                    self.assertEqual(pin.version, tools[name].version, name)

    def test_zuul_is_locked_without_what_it_never_imports(self) -> None:
        excluded = (recipe.REQUIREMENTS / 'zuul.excludes').read_text().lower().split('\n')
        self.assertEqual(set(), set(self.pins('zuul')) & set(excluded))
