"""The first ``.zuul.yaml`` of a project: from its files to the text."""

import unittest
from pathlib import Path

import yaml

from zuul_local import paths
from zuul_local.commands import init
from zuul_local.starter import choice, facts, text

STARTERS = yaml.safe_load((paths.LIBRARY / 'starters.yaml').read_text(encoding='utf-8'))
FULL = '[tox]\nenvlist = py3{10,11,12,13,14},linters\n[testenv:docs]\n[testenv:cover]\n'


def must(found: choice.Choice | None) -> choice.Choice:
    """Return a choice that there has to be."""
    assert found is not None
    return found


def chosen(files, folders=()):
    """Return the names of templates and jobs that fit a project, and the job to try first."""
    found = choice.choose(facts.look(files, folders), STARTERS)
    return found and ([line.name for line in found.templates], [line.name for line in found.jobs], found.first)


class TestExpand(unittest.TestCase):
    def test_lists_of_environments(self):
        for envlist, expected in (
                ('py310, docs', ['py310', 'docs']),
                ('py310\ndocs\n', ['py310', 'docs']),
                ('py{310,311}-{a,b},x', ['py310-a', 'py310-b', 'py311-a', 'py311-b', 'x']),
                ('py3{9-11}', ['py39', 'py310', 'py311']),
                ('{py39, py310}', ['py39', 'py310']),
                ('py3{9-}', ['py39-']),
                ('py{9-999999999}', ['py9-999999999']),
                ('', []),
                (',,', [])):
            with self.subTest(envlist=envlist):
                self.assertEqual(expected, facts.expand(envlist))


class TestLook(unittest.TestCase):
    def test_where_tox_is_configured(self):
        for files, where, environments in (
                ({'tox.ini': '[tox]\nenv_list = a\n[testenv:{b,c}]\n'}, 'tox.ini', {'a', 'b', 'c'}),
                ({'setup.cfg': '[tox:tox]\nenvlist = a  # not b\n'}, 'setup.cfg', {'a'}),
                ({'tox.toml': 'env_list = ["a"]\n[env.b]\n'}, 'tox.toml', {'a', 'b'}),
                ({'pyproject.toml': '[tool.tox]\nenv_list = ["a"]\n[tool.tox.env.b]\n'}, 'pyproject.toml', {'a', 'b'}),
                ({'pyproject.toml': '[tool.tox]\nlegacy_tox_ini = """\n[tox]\nenvlist = a\n"""\n'}, 'pyproject.toml',
                 {'a'}),
                ({'tox.ini': '[tox]\nenvlist = a\n', 'tox.toml': 'env_list = ["b"]\n'}, 'tox.ini', {'a'})):
            with self.subTest(files=files):
                found = facts.look(files)
                self.assertEqual((where, environments), (found.marks['tox'], set(found.environments)))

    def test_sessions_of_nox_are_read_and_not_run(self):
        noxfile = ('import nox\nraise SystemExit\n@nox.session\ndef tests(session): ...\n'
                   '@nox.session(name="docs", python=["3.11"])\ndef build(session): ...\n@other\ndef cover(): ...\n')
        self.assertEqual({'tests', 'docs'}, set(facts.look({'noxfile.py': noxfile}).environments))

    def test_pythons(self):
        for files, expected in (
                ({'tox.ini': '[tox]\nenvlist = py39,py311,docs,py312-x\n'},
                 (('3.9', '3.11'), '', 'the environments of tox.ini')),
                ({'pyproject.toml': '[project]\nrequires-python = ">=3.9,<4"\nclassifiers = ['
                                    '"Programming Language :: Python :: 3.10", '
                                    '"Programming Language :: Python :: 3.9", '
                                    '"Programming Language :: Python :: 3"]\n'},
                 (('3.9', '3.10'), '3.9', 'the classifiers')),
                ({'pyproject.toml': '[project]\nrequires-python = ">3.9"\n'}, ((), '3.10', 'requires-python >3.9')),
                ({'setup.cfg': '[metadata]\nname = x\nclassifier =\n  Programming Language :: Python :: 3.12\n'},
                 (('3.12',), '', 'the classifiers')),
                ({'setup.cfg': '[options]\npython_requires = ~=3.11\n'}, ((), '3.11', 'requires-python ~=3.11')),
                ({'pyproject.toml': '[project]\nrequires-python = "<4"\n'}, ((), '', ''))):
            with self.subTest(files=files):
                found = facts.look(files)
                self.assertEqual(expected, (found.pythons, found.oldest, found.pythons_from))

    def test_what_brings_pytest(self):
        for files, expected in (
                ({'pyproject.toml': '[dependency-groups]\nlint = ["pytest-style"]\ntest = ["pytest>=8"]\n'},
                 ('group', 'test')),
                ({'pyproject.toml': '[project.optional-dependencies]\ntest = ["pytest[testing]"]\n'},
                 ('extra', 'test')),
                ({'setup.cfg': '[options.extras_require]\ntest =\n  pytest\n'}, ('extra', 'test')),
                ({'test-requirements.txt': 'pytest==8\n'}, ('requirements', 'test-requirements.txt')),
                ({'test-requirements.txt': 'pytest-cov\n'}, ('', ''))):
            with self.subTest(files=files):
                self.assertEqual(expected, facts.look(files).pytest)

    def test_what_is_not_what_its_name_says(self):
        for name, content in (('pyproject.toml', '['), ('tox.ini', 'x'), ('noxfile.py', 'def'), ('tox.toml', '=')):
            with self.subTest(name=name), self.assertRaisesRegex(facts.Unreadable, f'^{name}: no '):
                facts.look({name: content})


class TestChoose(unittest.TestCase):
    def test_each_kind_of_project(self):
        package = '[build-system]\n[project]\nname = "x"\nrequires-python = ">=3.12"\n'
        for files, folders, expected in (
                ({'tox.ini': FULL}, [], (['python-jobs-py310'], [], 'tox-py311')),
                ({'tox.ini': FULL, 'releasenotes/notes/x': ''}, ['releasenotes/notes'],
                 (['python-jobs-py310', 'python-release-notes'], [], 'tox-py311')),
                # one Python of the range is missing, so no template fits
                ({'tox.ini': FULL.replace(',12', '')}, [],
                 ([], ['tox-linters', 'tox-docs', 'tox-cover', 'tox-py310', 'tox-py311', 'tox-py313', 'tox-py314'],
                  'tox-py311')),
                ({'tox.ini': '[tox]\nenvlist = pep8\n', 'pyproject.toml': package}, [],
                 (['python-release'], ['tox-pep8', 'tox-py312', 'tox-py313', 'tox-py314'], 'tox-py312')),
                ({'tox.ini': '[tox]\nenvlist = unit\n'}, [], ([], ['tox'], 'tox')),
                ({'noxfile.py': 'import nox\n@nox.session\ndef tests(s): ...\n'}, [], ([], ['nox'], 'nox')),
                ({'uv.lock': '', 'pyproject.toml': package}, [],
                 (['python-release'], ['python-uv-run'], 'python-uv-run')),
                ({'pyproject.toml': '[tool.hatch.envs.test]\n'}, [], ([], ['python-hatch-test'], 'python-hatch-test')),
                ({'pytest.ini': ''}, [], ([], ['python-pytest'], 'python-pytest')),
                ({'Makefile': 'test:\n\ttrue\n'}, [], ([], ['run-test-command'], 'run-test-command')),
                ({'setup.py': ''}, ['tests'], (['python-release'], ['run-test-command'], 'run-test-command')),
                ({'.pre-commit-config.yaml': ''}, [], (['python-pre-commit'], [], 'python-pre-commit')),
                ({'doc/source/conf.py': ''}, [], (['python-publish-docs'], [], 'build-sphinx-docs')),
                ({'Makefile': 'test := 1\n'}, [], None),
                ({'setup.py': ''}, [], None)):
            with self.subTest(files=files):
                self.assertEqual(expected, chosen(files, folders))

    def test_full_noxfile(self):
        noxfile = ''.join(f'@nox.session\ndef {name}(s): ...\n' for name in ('tests', 'docs', 'cover', 'linters'))
        found = chosen({'noxfile.py': noxfile, 'pyproject.toml': '[project]\nrequires-python = ">=3.13"\n'})
        self.assertEqual((['python-nox-jobs-py313'], [], 'nox'), found)

    def test_what_jobs_are_told(self):
        group = '[dependency-groups]\ntest = ["pytest"]\n'
        for files, folders, expected in (
                ({'uv.lock': '', 'pyproject.toml': group}, [],
                 {'python_uv_run_command': 'pytest', 'python_uv_run_groups': ['test']}),
                ({'uv.lock': '', 'pyproject.toml': ''}, [], {'python_uv_run_command': 'python -m unittest discover'}),
                ({'test-requirements.txt': 'pytest\n'}, [], {'python_pytest_requirements': ['test-requirements.txt']}),
                ({'Makefile': 'test: build\n'}, [], {'test_command': 'make test'})):
            with self.subTest(files=files):
                found = must(choice.choose(facts.look(files, folders), STARTERS))
                self.assertEqual(expected, dict(found.jobs[0].variables))

    def test_every_name_that_can_be_chosen_is_told(self):
        told = set(choice.names(STARTERS))
        self.assertIn(('template', 'python-jobs-py39'), told)
        self.assertIn(('job', 'tox-py314'), told)
        for version in STARTERS['pythons']:
            tox = FULL.replace('py3{10,11,12,13,14}', f'py{version}')
            found = must(choice.choose(facts.look({'tox.ini': tox}), STARTERS))
            for line in found.templates:
                self.assertIn(('template', line.name), told)
            for line in found.jobs:
                self.assertIn(('job', line.name), told)


class TestText(unittest.TestCase):
    def test_it_says_why(self):
        files = {'uv.lock': '', 'pyproject.toml': '[build-system]\n[dependency-groups]\ntest = ["pytest"]\n'}
        written = text.text(must(choice.choose(facts.look(files), STARTERS)), ['check', 'gate'])
        self.assertEqual('''\
- project:
    templates:
      # pyproject.toml describes a package that can be released.
      - python-release
    check:
      # What runs on each new patch set.
      jobs: &jobs
        # uv.lock describes the environment. As for pytest, the group test brings it.
        - python-uv-run:
            vars:
              python_uv_run_command: pytest
              python_uv_run_groups: [test]
    gate:
      # The same again, on what will be merged.
      jobs: *jobs
''', written.removeprefix(text.HEAD))
        project = yaml.safe_load(written)[0]['project']
        self.assertEqual(project['check'], project['gate'])

    def test_templates_alone(self):
        written = text.text(must(choice.choose(facts.look({'tox.ini': FULL}), STARTERS)), ['check', 'gate'])
        self.assertEqual([{'project': {'templates': ['python-jobs-py310']}}], yaml.safe_load(written))
        self.assertIn('# tox.ini has linters, docs and cover; Python 3.10 is the oldest of the environments of tox.ini',
                      written)


class TestExamples(unittest.TestCase):
    def test_each_has_what_would_be_written(self):
        there = sorted(path.parent for path in Path(paths.LIBRARY, 'examples').glob('*/.zuul.yaml')
                       if path.read_text(encoding='utf-8').startswith(text.HEAD))
        self.assertEqual(['hello-hatch', 'hello-pre-commit', 'hello-pytest', 'hello-uv'], [path.name for path in there])
        for folder in there:
            with self.subTest(example=folder.name):
                written = text.text(must(choice.choose(init.look(folder), STARTERS)), STARTERS['pipelines'])
                self.assertEqual((folder / '.zuul.yaml').read_text(encoding='utf-8'), written)
