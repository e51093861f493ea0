"""What cannot run is refused with one clear message and exit code 2, before any node starts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.functional.support import JOB, PLAY, ZUUL_LOCAL, RunnerTest


class TestRefusals(RunnerTest):

    def refused(self, *words: str, folder: Path, env: dict[str, str] | None = None) -> str:
        output = self.zuul_local(*words, folder=folder, code=2, env=env)
        self.assertFalse((folder / '.zuul-local/builds/latest').exists(), 'a build was started')
        return output

    def configured(self, text: str) -> Path:
        return self.make_project({'.zuul.yaml': text, 'playbooks/run.yaml': PLAY})

    def test_unknown_job_with_the_nearest_names(self) -> None:
        output = self.refused('run', 'tox-py3111', folder=self.make_project())
        self.assertRegex(output, r"no job is called 'tox-py3111'.*tox-py311")

    def test_yaml_error(self) -> None:
        output = self.refused('run', 'demo', folder=self.configured('- job:\n    name: demo\n   parent: base\n'))
        self.assertRegex(output, r'\.zuul\.yaml(:3|.*line 3)')

    def test_unknown_parent(self) -> None:
        output = self.refused('run', 'demo', folder=self.configured(JOB.replace('parent: base', 'parent: bass')))
        self.assertRegex(output, r'\.zuul\.yaml:3: error: job demo: Job bass not defined')

    def test_abstract_job(self) -> None:
        folder = self.configured(JOB.replace('    run:', '    abstract: true\n    run:'))
        output = self.refused('run', 'demo', folder=folder)
        self.assertIn('abstract', output)

    def test_missing_playbook(self) -> None:
        output = self.refused('run', 'demo', folder=self.configured(JOB.replace('run.yaml', 'rum.yaml')))
        self.assertRegex(output, r'\.zuul\.yaml:4: error: job demo: the run playbook .playbooks/rum\.yaml. does not')

    def test_label_of_another_site(self) -> None:
        job = JOB.replace('    run:', '    nodeset: {nodes: [{name: node, label: ubuntu-jammy}]}\n    run:')
        folder = self.configured(job)
        output = self.refused('run', 'demo', folder=folder)
        self.assertRegex(output, r"'ubuntu-jammy'[\s\S]*--label debian-bookworm[\s\S]*zuul-local\.yaml")
        self.write(folder, {'zuul-local.yaml': 'labels: {ubuntu-jammy: nonsense}\n'})
        self.assertRegex(self.refused('run', 'demo', folder=folder),
                         r"zuul-local\.yaml: labels: 'nonsense' [\s\S]*of ours[\s\S]*debian-bookworm")
        self.assertIn("--label 'nonsense'", self.refused('run', 'demo', '--label', 'nonsense', folder=folder))

    def test_node_name_that_is_no_file_name(self) -> None:
        job = JOB.replace('    run:', '    nodeset: {nodes: [{name: a/../b, label: debian-bookworm}]}\n    run:')
        self.assertIn("the node name 'a/../b' has a slash", self.refused('run', 'demo', folder=self.configured(job)))

    def test_variables_file_that_leads_out_of_the_repository(self) -> None:
        (self.top / 'mine.yaml').write_text('token: secret\n')
        folder = self.configured(JOB.replace('    run:', '    include-vars: [link.yaml]\n    run:'))
        (folder / 'link.yaml').symlink_to(self.top / 'mine.yaml')
        self.assertIn("'link.yaml' leads out of its repository", self.refused('run', 'demo', folder=folder))

    def test_python_that_the_label_lacks(self) -> None:
        output = self.refused('run', 'tox-py313', folder=self.make_project())
        self.assertRegex(output, r'Python 3\.13[\s\S]*debian-bookworm does not have[\s\S]*--label debian-trixie')

    def test_ansible_that_is_not_here(self) -> None:
        job = JOB.replace('    run:', '    ansible-version: 8\n    run:')
        output = self.refused('run', 'demo', folder=self.configured(job))
        self.assertIn("Requested ansible version '8' is unknown. Supported versions are 9, 11.", output)
        output = self.refused('run', 'demo', '--ansible-version', '8', folder=self.make_project(name='plain'))
        self.assertIn("--ansible-version '8' is none that Zuul runs: it has 9 and 11.", output)

    def test_other_repository_without_git(self) -> None:
        (self.top / 'plain').mkdir()
        output = self.refused('run', 'demo', '--with', f'example.org/x={self.top}/plain', folder=self.make_project())
        self.assertRegex(output, r'example\.org/x: .*/plain: not in a git repository')

    def test_word_for_another_repository_in_the_wrong_form(self) -> None:
        output = self.refused('run', 'demo', '--with', 'nonsense', folder=self.make_project())
        self.assertIn('NAME=DIR', output)

    def test_project_without_a_commit(self) -> None:
        self.assertIn('no commit yet', self.refused('run', 'demo', folder=self.make_project(commit=False)))

    def test_detached_head(self) -> None:
        folder = self.make_project()
        self.git(folder, 'checkout', '-q', '--detach')
        self.assertIn('--base-ref', self.refused('run', 'demo', folder=folder))

    def test_folder_without_git(self) -> None:
        folder = self.top / 'plain'
        folder.mkdir()
        self.assertIn('not in a git repository', self.refused('run', 'demo', folder=folder))

    def test_settings_that_are_wrong(self) -> None:
        folder = self.make_project()
        for text, expected in (('project: {}', "'project'"), ('labels: [a]', "'labels'"), ('a: [', 'zuul-local.yaml:')):
            with self.subTest(text=text):
                self.write(folder, {'zuul-local.yaml': text})
                self.assertIn(expected, self.refused('run', 'demo', folder=folder))

    def test_secret_that_the_job_does_not_use(self) -> None:
        (self.top / 'secret').write_text('a: b\n')
        output = self.refused('run', 'demo', '--secret', f'x={self.top}/secret', folder=self.make_project())
        self.assertIn('uses no secret called x', output)

    def test_programs_that_are_missing(self) -> None:
        for missing in ('podman', 'bwrap'):
            with self.subTest(missing=missing):
                folder = self.make_project(name=f'without-{missing}')
                env = {'PATH': self.path_without(missing)}
                output = self.refused('run', 'demo', '--no-install', folder=folder, env=env)
                self.assertRegex(output, r'bubblewrap|podman')

    def test_no_suitable_python(self) -> None:
        programs = self.top / 'programs'
        programs.mkdir()
        for name in ('sh', 'readlink', 'mkdir'):
            shutil.copy(f'/usr/bin/{name}', programs)
        (programs / 'python3.10').write_text('#!/bin/sh\nexit 1\n')
        (programs / 'python3.10').chmod(0o755)
        (programs / 'python3').symlink_to('python3.10')
        done = subprocess.run(
            ['bwrap', '--ro-bind', '/', '/', '--ro-bind', programs, '/usr/bin', '--tmpfs', '/usr/local/bin',
             '/usr/bin/sh', ZUUL_LOCAL, 'list'],
            cwd=self.make_project(), env={'HOME': str(self.top), 'PATH': '/usr/bin'}, capture_output=True, text=True)
        self.assertEqual(2, done.returncode, done.stderr)
        self.assertRegex(done.stderr, r'no suitable Python found: it takes 3\.11 to 3\.\d+[\s\S]*apt-get install')

    def path_without(self, missing: str) -> str:
        """Return a PATH with every program of this machine but one."""
        programs = self.top / f'bin-{missing}'
        programs.mkdir()
        for folder in ('/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'):
            for path in Path(folder).iterdir() if Path(folder).is_dir() else ():
                link = programs / path.name
                if path.name != missing and not link.exists() and os.access(path, os.X_OK):
                    link.symlink_to(path)
        return str(programs)
