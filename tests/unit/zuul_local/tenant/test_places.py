from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local.tenant.places import line_of

TEXT = '''# comment
- job:
    name: first
    vars: &shared
      a: 1
      b:
        c: !encrypted 2
- job:
    name: second
    vars:
      <<: *shared
      a: 3
- project:
    check:
      jobs:
        - first
        - second:
            vars:
              d: 4
'''
CASES = [
    (2, ('job',), 2), (2, ('job', 'vars', 'a'), 5), (2, ('job', 'vars', 'b', 'c'), 7), (8, ('job', 'vars', 'a'), 12),
    (8, ('job', 'vars', 'b', 'c'), 7), (13, ('project', 'check', 'jobs', 'second', 'vars', 'd'), 19),
    (2, ('job', 'vars', 'nothing'), 4), (2, ('nothing',), 2), (3, ('job', 'vars'), 3),
]


class TestLineOf(ScratchCase):
    def test_cases(self):
        self.write(self.folder, {'zuul.yaml': TEXT})
        for line, keys, expected in CASES:
            with self.subTest(line=line, keys=keys):
                self.assertEqual(expected, line_of(str(self.folder / 'zuul.yaml'), line, keys))

    def test_no_such_file(self):
        self.assertEqual(4, line_of(str(self.folder / 'none.yaml'), 4, ('job', 'vars')))

    def test_not_yaml(self):
        self.write(self.folder, {'bad.yaml': '- [\n'})
        self.assertEqual(4, line_of(str(self.folder / 'bad.yaml'), 4, ('job', 'vars')))
