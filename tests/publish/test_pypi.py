"""A release is built, checked, uploaded to a real index (pypiserver), and installed from there by its hashes."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.publish import servers
from tests.publish.support import SECONDS, Called, PublishTest

PASSWORD = 'pAsSwOrD-of-the-index'
COMMIT = {'GIT_COMMITTER_DATE': '1700000000 +0000', 'GIT_AUTHOR_DATE': '1700000000 +0000',
          'GIT_CONFIG_GLOBAL': '/dev/null',
          'GIT_AUTHOR_NAME': 'a', 'GIT_AUTHOR_EMAIL': 'a@example.org', 'GIT_COMMITTER_NAME': 'a',
          'GIT_COMMITTER_EMAIL': 'a@example.org'}
PROJECT = '''[build-system]
{system}

[project]
name = "example-thing"
dynamic = ["version"]
description = "An example"
readme = "README.rst"
requires-python = ">=3.8"
license = {{text = "Apache-2.0"}}
optional-dependencies = {{more = ["six>=1.16"]}}

[project.scripts]
example-thing = "example_thing:main"

{tool}
'''
HATCH = PROJECT.format(system='requires = ["hatchling", "hatch-vcs"]\nbuild-backend = "hatchling.build"',
                       tool='[tool.hatch.version]\nsource = "vcs"')


class PypiTest(PublishTest):
    def setUp(self) -> None:
        super().setUp()
        self.home = self.top / 'home'
        self.home.mkdir()

    def project(self, name: str, pyproject: str, tag: str = '1.2.3') -> Path:
        """Have a project with a tag."""
        folder = self.home / name
        (folder / 'example_thing').mkdir(parents=True)
        (folder / 'pyproject.toml').write_text(pyproject)
        (folder / 'README.rst').write_text('Example\n=======\n\nA thing.\n')
        (folder / '.gitignore').write_text('dist\n*.egg-info\n')
        (folder / 'example_thing/__init__.py').write_text('def main():\n    print("it works")\n')
        for words in (('init', '-q'), ('add', '.'), ('commit', '-q', '-m', 'One'), ('tag', '-a', '-m', tag, tag)):
            subprocess.run(('git', '-C', folder, *words), check=True, env={**os.environ, **COMMIT})
        return folder

    def job(self, **other: Any) -> Mapping[str, Any]:
        return {'ansible_user_dir': str(self.home), 'pypi_twine_executable': str(self.venv / 'bin/twine'),
                'ensure_pyproject_build_executable': str(self.venv / 'bin/pyproject-build'),
                'ansible_python_interpreter': str(self.venv / 'bin/python'), **other}

    def build(self, folder: Path) -> Mapping[str, Any]:
        """Build a release, and return what the role tells of it."""
        told = self.top / f'{folder.name}.json'
        called = self.play([{'hosts': 'localhost', 'gather_facts': False, 'tasks': [
            {'ansible.builtin.include_role': {'name': 'build-python-release'}, 'vars': {'zuul_work_dir': folder.name}},
            {'ansible.builtin.copy': {'content': '{{ build_python_release_report | to_json }}', 'dest': str(told)}}]}],
            self.job())
        self.assert_went_well(called)
        report: Mapping[str, Any] = json.loads(told.read_text())
        return report

    def upload(self, folder: Path, url: str, password: str = PASSWORD, report: Mapping[str, Any] | None = None,
               **other: Any) -> Called:
        return self.call('upload-pypi', {
            'pypi_path': f'{folder.name}/dist', 'build_python_release_report': report or {},
            'pypi_info': {'username': 'someone', 'password': password, 'repository': 'ours', 'repository_url': url},
            **other}, self.job())

    def test_a_release_from_its_tag_to_an_install_by_hash(self) -> None:
        folder, other = self.project('one', HATCH), self.home / 'other'
        report = self.build(folder)
        subprocess.run(('git', 'clone', '-q', folder, other), check=True, umask=0o077)
        self.assertEqual([one['sha256'] for one in self.build(other)['files']],
                         [one['sha256'] for one in report['files']])
        self.assertEqual([one['name'] for one in report['files']],
                         ['example_thing-1.2.3.tar.gz', 'example_thing-1.2.3-py3-none-any.whl'])
        url = self.enterContext(servers.packages(self.venv, self.top, PASSWORD))
        refused = self.upload(folder, url, 'wrong', report)
        self.assertTrue(refused.failed)
        self.assertIn(f"upload-pypi: {url} did not take 'example_thing-1.2.3.tar.gz': 403", refused.said)
        self.assertEqual(os.listdir(self.top / 'packages'), [])

        # One upload passes, and then the index has had enough.
        moods = iter((0,))
        broken = self.enterContext(servers.fickle(url, lambda method, _: next(moods, 429)))
        half = self.upload(folder, f'{broken}/', report=report)
        self.assertTrue(half.failed)
        self.assertIn("did not take 'example_thing-1.2.3-py3-none-any.whl': 429", half.said)
        self.assertIn('There already: example_thing-1.2.3.tar.gz.', half.said)
        self.assertEqual(half.zuul, {'redactions': [PASSWORD]})
        called = self.upload(folder, url, report=report, pypi_twine_skip_existing=True)
        self.assert_went_well(called)
        self.assertIn('example_thing-1.2.3.tar.gz was there already', called.said)
        self.assertIn(f'example_thing-1.2.3-py3-none-any.whl is at {url}', called.said)
        for said in (refused.said, half.said, called.said):
            self.assertNotIn(PASSWORD, said)
        self.assertEqual(sorted(os.listdir(self.top / 'packages')), sorted(one['name'] for one in report['files']))
        left = [path for path in self.home.rglob('*') if path.is_file() and PASSWORD.encode() in path.read_bytes()]
        self.assertEqual(left, [])

        bill = json.loads(Path(report['sbom']).read_text())
        main = bill['metadata']['component']
        self.assertEqual((main['purl'], [one['purl'] for one in bill['components']]),
                         ('pkg:pypi/example-thing@1.2.3', ['pkg:pypi/six']))
        # The hashes that pip requires are those of the bill: what it lists is what is installed.
        hashes = ' '.join(f'--hash=sha256:{one["hashes"][0]["content"]}' for one in main['components'])
        (self.top / 'requirements.txt').write_text(f'{main["name"]}=={main["version"]} {hashes}\n')
        subprocess.run((sys.executable, '-m', 'venv', '--without-pip', self.top / 'venv'), check=True, timeout=SECONDS)
        pip = (self.venv / 'bin/python', '-m', 'pip', '--python', self.top / 'venv/bin/python', '-q', '--isolated',
               '--disable-pip-version-check', 'install', '--no-cache-dir', '--index-url', f'{url}simple/')
        subprocess.run((*pip, '--require-hashes', '-r', self.top / 'requirements.txt'), check=True, timeout=SECONDS,
                       env={**os.environ, 'no_proxy': '127.0.0.1'})
        works = subprocess.run((self.top / 'venv/bin/example-thing',), check=True, stdout=subprocess.PIPE, text=True)
        self.assertEqual(works.stdout, 'it works\n')

        twice = self.upload(folder, url, report=report)
        self.assertTrue(twice.failed)
        self.assertIn("did not take 'example_thing-1.2.3.tar.gz': 400 Bad Request", twice.said)
        self.assertIn('already exists!', twice.said)
        self.assertIn('An index takes a file once.', twice.said)
        (folder / 'dist/example_thing-1.2.3.tar.gz').write_bytes(b'other')
        changed = self.upload(folder, url, report=report)
        self.assertIn('is not what was built: its sha256 is', changed.said)
