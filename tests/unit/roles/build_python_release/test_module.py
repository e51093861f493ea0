# SPDX-License-Identifier: Apache-2.0
"""Room is made for a release without touching anything else, and what was built is recorded or refused."""
from __future__ import annotations

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library
from tests.unit.roles.build_python_release.test_files import sdist, wheel

module: Any = library('build-python-release', 'build_python_release')
ABOUT = 'Name: thing\nVersion: 1.0\n'


class ReleaseTest(unittest.TestCase):
    def setUp(self) -> None:
        self.top = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.folder = self.top / 'project'
        self.dist = self.folder / 'dist'
        self.dist.mkdir(parents=True)
        (self.folder / 'pyproject.toml').touch()

    def params(self, **other: Any) -> dict[str, Any]:
        return {'folder': str(self.folder), 'build_wheel': True, 'legacy_setup': False, 'release_python': 'python',
                'bdist_wheel_xargs': '', 'check': 'errors', 'source_date_epoch': '', 'sbom': '', **other}

    def refused(self, call: Any, **other: Any) -> str:
        with self.assertRaises(module.Refused) as caught:
            call(self.params(**other))
        return str(caught.exception)

    def built(self, about: str = ABOUT) -> None:
        sdist(self.dist / 'thing-1.0.tar.gz', [('thing-1.0/PKG-INFO', about.encode())])
        wheel(self.dist / 'thing-1.0-py3-none-any.whl', about)

    def test_all_that_is_wrong_is_told_at_once(self) -> None:
        said = self.refused(module.prepare, bdist_wheel_xargs="--a 'b", check='hard', source_date_epoch='yesterday',
                            legacy_setup=True, release_python='no-such-python')
        for line in ('cannot continue, 5 problems:',
                     'it has no setup.py. Name the folder of a Python project, or leave legacy_setup unset.',
                     "build_python_release_source_date_epoch is 'yesterday'", "build_python_release_check is 'hard'",
                     'a quotation is not closed', "release_python is 'no-such-python': there is no such program"):
            self.assertIn(line, said)
        self.assertIn('there is no such folder on the node',
                      self.refused(module.prepare, folder=str(self.top / 'none')))
        self.assertIn('of 1980 or later', self.refused(module.prepare, source_date_epoch='300000000'))

    def test_a_python_without_setuptools(self) -> None:
        (self.folder / 'setup.py').touch()
        bare = self.top / 'bare'
        bare.write_text('#!/bin/sh\nexit 1\n')
        bare.chmod(0o755)
        self.assertIn('it has no setuptools', self.refused(module.prepare, legacy_setup=True, release_python=str(bare)))
        bare.write_text('#!/bin/sh\nexit 0\n')
        self.assertEqual(module.prepare(self.params(legacy_setup=True, release_python=str(bare)))['python'], str(bare))

    def test_only_what_was_built_goes(self) -> None:
        outside = self.top / 'outside'
        outside.write_text('mine')
        self.built()
        (self.dist / 'old\n-0.1.zip').touch()
        (self.dist / 'link.whl').symlink_to(outside)
        (self.dist / 'notes.txt').touch()
        self.assertEqual(module.prepare(self.params())['removed'],
                         ['link.whl', 'old\\n-0.1.zip', 'thing-1.0-py3-none-any.whl', 'thing-1.0.tar.gz'])
        self.assertEqual((os.listdir(self.dist), outside.read_text()), (['notes.txt'], 'mine'))
        self.assertFalse(module.prepare(self.params())['changed'])

    def test_a_dist_that_leads_elsewhere_and_a_folder_in_the_way(self) -> None:
        (self.dist / 'thing-1.0.tar.gz').mkdir()
        (self.dist / 'a-1.whl').touch()
        self.assertIn("'dist/thing-1.0.tar.gz' is a folder", self.refused(module.prepare))
        self.assertTrue((self.dist / 'a-1.whl').exists())
        self.dist.rename(self.top / 'elsewhere')
        self.dist.symlink_to(self.top / 'elsewhere')
        self.assertIn('is a link: what it leads to is not touched. Take it away.', self.refused(module.prepare))
        self.assertTrue((self.top / 'elsewhere/a-1.whl').exists())

    def test_the_date_is_that_of_the_commit(self) -> None:
        self.assertEqual(module.prepare(self.params())['source_date_epoch'], '')
        environ = {**os.environ, 'GIT_COMMITTER_DATE': '1700000000 +0100', 'GIT_CONFIG_GLOBAL': '/dev/null'}
        for words in (('init', '-q'),
                      ('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '--allow-empty', '-m', 'a')):
            subprocess.run(('git', '-C', str(self.folder), *words), check=True, env=environ)
        self.assertEqual(module.prepare(self.params())['source_date_epoch'], '1700000000')
        self.assertEqual(module.prepare(self.params(source_date_epoch='1600000000'))['source_date_epoch'], '1600000000')

    def test_the_report(self) -> None:
        self.built()
        result = module.record(self.params(source_date_epoch='1700000000', sbom=str(self.top / 'a/b')))
        report = result['report']
        self.assertEqual((report['project'], report['version'], [one['type'] for one in report['files']]),
                         ('thing', '1.0', ['python_sdist', 'python_wheel']))
        self.assertEqual(report['sbom'], str(self.top / 'a/b/thing-1.0.cdx.json'))
        self.assertEqual(result['brought']['sources'], [{'path': path} for path in (
            *(one['path'] for one in report['files']), report['sbom'])])
        self.assertEqual([(one['url'], one['metadata']) for one in result['brought']['artifacts']], [
            (f'artifacts/{name}', {'type': kind, 'version': '1.0'}) for name, kind in (
                ('thing-1.0.tar.gz', 'python_sdist'), ('thing-1.0-py3-none-any.whl', 'python_wheel'),
                ('thing-1.0.cdx.json', 'sbom'))])
        told = json.loads(Path(report['sbom']).read_text())
        self.assertEqual([one['hashes'][0]['content'] for one in told['metadata']['component']['components']],
                         [one['sha256'] for one in report['files']])
        self.assertEqual(module.record(self.params(source_date_epoch='1700000000'))['report']['files'], report['files'])

    def test_what_cannot_be_released(self) -> None:
        self.assertIn('has no sdist and no wheel: the build ended well', self.refused(module.record))
        self.built('Name: other\n')
        self.assertIn("is of the project 'other' as its metadata says, and of 'thing'", self.refused(module.record))
        (self.dist / 'thing-1.0-py3-none-any.whl').unlink()
        self.assertIn('has no wheel', self.refused(module.record))
        wheel(self.dist / 'thing-1.1-py3-none-any.whl', ABOUT)
        self.assertIn('more than one project or version: thing-1.0.tar.gz, thing-1.1-py3-none-any.whl',
                      self.refused(module.record))

    def test_what_is_uploaded_is_what_was_built(self) -> None:
        self.built()
        built = module.record(self.params())['report']['files']
        dist = str(self.dist)
        self.assertEqual(module.look_again({'folder': dist, 'expected': built})['files'], built)
        self.assertEqual(module.look_again({'folder': dist, 'expected': []})['files'], built)
        wheel(self.dist / 'thing-1.0-py3-none-any.whl', ABOUT + 'Summary: other\n')
        (self.dist / 'thing-1.0.tar.gz').rename(self.dist / 'thing-1.0.zip')
        self.assertEqual(len(module.look_again({'folder': dist, 'expected': [
            {**one, 'path': '/elsewhere/' + one['name']} for one in built]})['files']), 2)
        with self.assertRaises(module.Refused) as caught:
            module.look_again({'folder': dist, 'expected': built})
        for line in ('3 problems', f"'thing-1.0.tar.gz' in '{dist}' is gone", 'was not built by this job',
                     'is not what was built: its sha256 is'):
            self.assertIn(line, str(caught.exception))
        for path in self.dist.iterdir():
            path.unlink()
        with self.assertRaisesRegex(module.Refused, 'has no sdist and no wheel. Build them first'):
            module.look_again({'folder': dist, 'expected': built})

    def test_an_sdist_alone(self) -> None:
        sdist(self.dist / 'thing-1.0.tar.gz', [('thing-1.0/PKG-INFO', ABOUT.encode())])
        self.assertEqual(len(module.record(self.params(build_wheel=False))['report']['files']), 1)


if __name__ == '__main__':
    unittest.main()
