import unittest

from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local.tenant.problem import Problem, line_with

# configuration, line, message
WRONG = [
    ('- job:\n    name: a\n   b: c\n', 3,
     'not YAML: did not find expected key (while parsing a block mapping, which starts in line 1).'),
    ('- job: [\n', 2, 'not YAML: did not find expected node content (while parsing a flow node).'),
    ('- job:\n    name: "x\n', 3,
     'not YAML: found unexpected end of stream (while scanning a quoted scalar, which starts in line 2).'),
    ('\t- job:\n', 1,
     'not YAML: found character that cannot start any token (while scanning for the next token).'),
    ('- job:\n    name: a\n    vars: {a: {{b}}}\n', 3,
     'not YAML: found unhashable key (while constructing a mapping, which starts in line 3).'),
    ('- job:\n    name: a\n    run: a\n    run: b\n', 3,
     'The key "run" appears more than once; duplicate keys are not permitted.'),
    ('- job:\n    name: typo\n\n    prerun: a\n', 4,
     'job typo: prerun: there is no such key here, or not with such a value'),
    ('- job:\n    name: a\n    nodeset:\n      nodes:\n        - name: b\n', 4,
     'job a: nodes → 0 → label: this key is missing'),
    ('- job:\n    name: a\n    parent: nowhere\n', 3, 'job a: Job nowhere not defined.'),
    ('- job:\n    name: a\n    required-projects: [b/c]\n', 3, 'job a: The project "b/c" was not found.'),
    ('- job:\n    name: tox\n', 1, 'job tox: Job tox in thing is not permitted to shadow job tox in zuul/zuul-jobs.'),
    ('- pipeline: {name: x, manager: independent}\n', 1,
     'pipeline x: Pipelines may not be defined in untrusted repos, they may only be defined in config repos.'),
    ('# first\nfoo: bar\n', 2,
     'Configuration file is not a list. Each zuul.yaml configuration file must be a list of items; seen: foo: bar'),
    ('- project:\n    check:\n      jobs: [tox-py31]\n', 3, 'project local/thing: Job tox-py31 not defined.'),
    ('- job:\n    name: q\n    ansible-version: 2\n', 1,
     "job q: Requested ansible version '2' is unknown. Supported versions are 9, 11."),
]


class TestFromZuul(ScratchCase):
    def test_one_message_with_file_and_line(self):
        for number, (text, line, message) in enumerate(WRONG):
            with self.subTest(text):
                tenant = self.loaded(number, text)
                [problem] = [one for one in tenant.problems if one.project == 'local/thing']
                self.assertEqual((str(tenant.project.path / '.zuul.yaml'), line, 'error'),
                                 (problem.path, problem.line, problem.severity))
                self.assertEqual(message, problem.message[:len(message)])
                self.assertNotIn('\n', problem.message)

    def loaded(self, number, text):
        self.folder = self.folder / str(number)
        return self.tenant({'.zuul.yaml': text})


class TestLineWith(unittest.TestCase):
    def test_whole_words_outside_comments(self):
        text = '# tox\n- tox-py311\n- a/tox\n- my.tox\n- [x, tox]  # here\n'
        self.assertEqual((5, 2, 0), (line_with('tox', text), line_with('tox-py311', text), line_with('here', text)))


class TestProblem(unittest.TestCase):
    def test_text(self):
        self.assertEqual('/a/b.yaml:3: error: wrong\n    try this\n    or that',
                         str(Problem('h/a', '/a/b.yaml', 3, 'error', 'wrong', 'try this\nor that')))
        self.assertEqual('h/a: warning: odd', str(Problem('h/a', '', 0, 'warning', 'odd')))
        self.assertEqual("error: nobody's", str(Problem('', '', 0, 'error', "nobody's")))
