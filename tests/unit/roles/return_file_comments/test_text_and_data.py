# SPDX-License-Identifier: Apache-2.0
"""What tools really said of small projects with mistakes in them, and what is made of that.

The later ones are of tox 4, pytest 9.2.0, ruff, mypy, Sphinx, yamllint, pylint, ansible-lint 26.10.1 and
markdownlint-cli 0.50.0.
"""
from __future__ import annotations

import time
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import module_utils

text: Any = module_utils('return_file_comments_text')
data: Any = module_utils('return_file_comments_data')
OUTPUTS = Path(__file__).parent / 'outputs'
HOME = '/home/zuul/src/example.org/project/'
RUNNERS = ('data', 'lines', 'pytest', 'unittest')
EQUAL = ('tests/test_core.py', 10, 'error', "test_equal: AssertionError: assert 'aa' == 4")
BOOM = ('pkg/core.py', 14, 'error', 'test_boom: ValueError: no <b>luck</b>')
CORE = ('src/pkg/core.py', 15, 'error', 'test_boom: ValueError: no luck')
UNIT = ('tests/test_unit.py', 10, 'error', 'AssertionError: 1 != 2 : msg')
UNUSED = ('pkg/core.py', 2, 'error', 'F401')
SHELL = (('x.sh', 2, 'error', 'Iterating over ls'), ('x.sh', 3, 'warning', 'In POSIX sh, == in place'))
YAML = (('x.yaml', 1, 'warning', 'missing document start'), ('x.yaml', 1, 'error', 'too many spaces'),
        ('x.yaml', 3, 'error', 'syntax error'), ('y.yaml', 1, 'error', 'too many spaces'))
# file -> how many findings, and some of them: path, line, level, part of the message
EXPECTED: dict[str, tuple[int, tuple[tuple[str, int, str, str], ...]]] = {
    'ansible-lint.json': (5, (('playbooks/p.yaml', 1, 'warning', 'name[play] All plays should be named'),)),
    'ansible-lint.sarif': (4, (('playbooks/p.yaml', 3, 'error', 'fqcn[action-core] Use `ansible.builtin.copy`'),)),
    'ansible-lint.txt': (5, (('playbooks/p.yaml', 3, 'warning', 'fqcn[action-core]: Use FQCN'),)),
    'bandit.json': (1, (('tests/test_core.py', 10, 'warning', 'B101 Use of assert'),)),
    'bandit.txt': (1, (('tests/test_core.py', 10, 'warning', '[B101:assert_used] Use of assert'),)),
    'flake8.txt': (2, (UNUSED,)),
    'junit.xml': (6, (EQUAL, BOOM, ('tests/test_core.py', 19, 'error', 'test_setup: RuntimeError: setup'), UNIT)),
    'markdownlint.json': (7, (
        ('README.md', 1, 'error', 'MD041 First line in a file should be a top-level heading [Not a heading]'),
        ('README.md', 8, 'error', 'MD013 Line length [Expected: 80; Actual: 100]'))),
    'mypy.json': (2, (('pkg/core.py', 10, 'error', 'return-value Incompatible return'),)),
    'mypy.txt': (13, (('pkg/core.py', 10, 'error', 'Incompatible return'),
                      ('pkg/core.py', 13, 'error', '[no-untyped-def]\nnote: Use "-> None"'))),
    'pylint.json': (2, (('pkg/core.py', 2, 'warning', 'W0611 Unused import os'),)),
    'pylint.json2': (1, (('src/pkg/core.py', 2, 'warning', 'W0611 Unused import os'),)),
    'pylint.txt': (18, (('pkg/core.py', 13, 'info', 'C0116: Missing function'),)),
    'pytest-native.txt': (4, (BOOM, UNIT)),
    'pytest-quiet.txt': (4, (('tests/test_core.py', 13, 'error', 'TestTwice.test_equal[1]: Asser'), CORE)),
    'pytest-short.txt': (6, (EQUAL, BOOM, UNIT)),
    'pytest-summary.txt': (4, (('tests/test_core.py', 1, 'error', 'test_boom: ValueError: no luck'),)),
    'pytest.txt': (6, (EQUAL, BOOM, ('tests/test_core.py', 19, 'error', 'at setup of test_setup: RuntimeError'), UNIT)),
    'ruff-concise.txt': (1, (('src/pkg/core.py', 2, 'error', 'F401 [*] `os` imported'),)),
    'ruff.github': (1, (('src/pkg/core.py', 2, 'error', 'F401 `os` imported but unused\n  help: Remove'),)),
    'ruff.gitlab': (2, (UNUSED,)),
    'ruff.json': (2, (UNUSED,)),
    'ruff.sarif': (2, (UNUSED,)),
    'ruff.txt': (10, (UNUSED, ('pkg/__init__.py', 1, 'warning', 'CPY001'), ('pkg/core.py', 14, 'warning', 'EM101'))),
    'shellcheck-gcc.txt': (3, SHELL),
    'shellcheck.json1': (5, SHELL),
    'shellcheck.txt': (5, SHELL),
    'sphinx.txt': (3, (
        ('doc/source/index.rst', 4, 'warning', 'undefined label'),
        ('doc/source/orphan.rst', 1, 'warning', "isn't included in any toctree"),
        ('pkg/core.py', 1, 'error', 'In the docstring of pkg.core.twice: Unknown directive'))),
    'stestr.txt': (4, (('pkg/core.py', 14, 'error', 'tests.test_unit.TestU.test_boom: ValueError: no'), UNIT)),
    'tox.txt': (6, (('src/pkg/core.py', 10, 'error', 'Incompatible'), ('doc/index.rst', 4, 'warning', 'undefined'))),
    'unittest-b.txt': (2, (('pkg/core.py', 14, 'error', 'tests.test_unit.TestU.test_boom: Val'), UNIT)),
    'yamllint.github': (3, (('x.yaml', 2, 'error', '[colons] too many spaces after colon'),)),
    'yamllint-parsable.txt': (6, YAML),
    'yamllint.txt': (6, YAML),
}


def found(said: str, formats: tuple[str, ...] = RUNNERS) -> list[Any]:
    written = data.findings(said)
    return list(text.findings(said, formats)) if written is None else written


def flat(findings: list[Any]) -> list[tuple[str, int, str, str]]:
    """Each finding with the place in the project that it is about; those of none are left out."""
    result = []
    for one in findings:
        places = [(path.removeprefix(HOME).removeprefix('./'), line) for path, line in one.places]
        here = [at for at in places if not at[0].startswith('/') and '.tox' not in at[0] and "'" not in at[0]]
        result += [(*here[0], one.level, one.message)] if here else []
    return result


class TestTools(unittest.TestCase):
    def test_every_output_is_expected(self) -> None:
        self.assertEqual(sorted(path.name for path in OUTPUTS.iterdir()), sorted(EXPECTED))

    def test_unittest_of_every_python_calls_a_test_by_the_same_name(self) -> None:
        for said in ('test_x (m.T) [why]', 'test_x (m.T.test_x) [why]'):
            with self.subTest(said):
                report = (f'{"=" * 70}\nFAIL: {said}\n{"-" * 70}\n  File "a.py", line 3, in x\n    assert 0\n'
                          f'AssertionError\n\n{"-" * 70}\n')
                self.assertEqual(['m.T.test_x [why]: AssertionError'],
                                 [one.message for one in text.findings(report, ['unittest'])])

    def test_outputs(self) -> None:
        for name, (number, some) in EXPECTED.items():
            with self.subTest(name=name):
                told = flat(found((OUTPUTS / name).read_text()))
                self.assertEqual(len(told), number, told)
                for path, line, level, part in some:
                    self.assertTrue([one for one in told if one[:3] == (path, line, level) and part in one[3]],
                                    f'{part}: {told}')

    def test_what_a_test_printed_is_no_finding(self) -> None:
        for name in EXPECTED:
            with self.subTest(name=name):
                self.assertEqual([one for one in flat(found((OUTPUTS / name).read_text())) if 'only printed' in one[3]],
                                 [])

    def test_a_mixed_log(self) -> None:
        log = '\n'.join([
            'pep8: commands[0]> flake8', (OUTPUTS / 'flake8.txt').read_text().rstrip(), 'pep8: exit 1 (0.5 seconds)',
            'py311: commands[0]> pytest', (OUTPUTS / 'pytest.txt').read_text().rstrip(),
            'unit: commands[0]> stestr run', (OUTPUTS / 'stestr.txt').read_text().rstrip(),
            'docs: commands[0]> sphinx-build', (OUTPUTS / 'sphinx.txt').read_text()])
        self.assertEqual(len(flat(found(log))), 2 + 6 + 4 + 3)

    def test_what_a_command_said_that_passed_is_no_finding(self) -> None:
        for log, expected in (
                (('a: commands[0]> x', 'a.py:1: E1 x', 'a: OK ✔ in 1 seconds', 'b: commands[0]> y', 'b.py:1: E1 x',
                  'b: exit 1 (0.2 seconds) /x> y pid=1', 'b: FAIL ✖ in 1 seconds'), ['b.py']),
                (('a: 12 W commands[0]> x [tox/api.py:5]', 'a.py:1: E1 x', 'a: 13 W commands[1]> y [tox/api.py:5]',
                  'b.py:1: E1 x', 'a: 14 C exit -9 (0.2 seconds) /x> y pid=1', 'a: 15 W commands_post[0]> z',
                  'c.py:1: E1 x', 'a: FAIL code 1'), ['b.py', 'c.py']),
                (('lint run-test: commands[0] | x', 'a.py:1: E1 x', 'lint run-test: commands[1] | y', 'b.py:1: E1 x',
                  'ERROR: InvocationError for command y (exited with code 1)'), ['b.py']),
                (('nox > Running session lint', 'nox > x', 'a.py:1: E1 x', 'nox > y', 'b.py:1: E1 x',
                  'nox > Command y failed with exit code 1', 'nox > Session lint failed.'), ['b.py']),
                (('a.py:1: E1 x', 'a: commands[0]> x', 'b.py:1: E1 x'), ['a.py', 'b.py'])):
            with self.subTest(log=log):
                self.assertEqual([one[0] for one in flat(found('\n'.join(log)))], expected)

    def test_what_a_quiet_pytest_printed_is_no_finding(self) -> None:
        printed = 'a.py:1: error: only printed'
        for log in (f'{printed}\n.  [100%]\n1 passed in 0.03s\n',
                    f'{printed}\n\n1 passed, 2 warnings in 61.03s (0:01:01)\n',
                    (OUTPUTS / 'pytest-quiet.txt').read_text(), f'{printed}\nno tests ran in 0.00s\n',
                    f'=== test session starts ===\ntests/a.py {printed}\n---- live log call ----\n{printed}\n'
                    '1 passed in 0.1s\n',
                    f'INFO {printed}\n', f'2026-01-01 10:11:12.123 {printed}\n', f'| {printed}\n', f'[x] {printed}\n'):
            with self.subTest(log=log[:60]):
                self.assertEqual([one for one in found(log)
                                  if 'only printed' in one.message and one.places[0][0] == 'a.py'], [])
        self.assertEqual(len(found(f'3 errors in 0.12s\n{printed}')), 1)

    def test_annotations(self) -> None:
        for line, expected in (
                ('::error file=a%2Cb.py,line=3,col=1::a%2Cb.py:3:1: E1 x%0Ay%25',
                 [(('a,b.py', 3), 'error', 'E1 x\ny%')]),
                ('::notice line=3,file=a.py::x', [(('a.py', 3), 'info', 'x')]),
                ('::warning file=a.py,line=1::1:7 [r] x', [(('a.py', 1), 'warning', '[r] x')]),
                ('::error file=a.py::x', []), ('::error line=3::x', []), ('::error file=a.py,line=x::x', []),
                ('::error file=a.py,line=9999999999::x', []), ('::debug file=a.py,line=1::x', []), ('::error::x', [])):
            with self.subTest(line):
                self.assertEqual([(one.places[0], one.level, one.message) for one in found(line, ('lines',))], expected)

    def test_formats(self) -> None:
        log = (OUTPUTS / 'flake8.txt').read_text() + (OUTPUTS / 'pytest.txt').read_text()
        self.assertEqual(len(found(log, ('pytest',))), 6)
        self.assertEqual(len(found('nox > flake8\n' + log.replace('=== test', '=\n=== test'), ('unittest',))), 0)


class TestLines(unittest.TestCase):
    def test_cases(self) -> None:
        for line, expected in (
                ('a.c:3:5: warning: unused variable', ('a.c', 3, 'warning', 'warning: unused variable')),
                ('a.c:3: fatal error: no such file', ('a.c', 3, 'error', 'fatal error: no such file')),
                ('\x1b[31ma.c\x1b[0m:3:5: \x1b[1merror:\x1b[m x', ('a.c', 3, 'error', 'error: x')),
                ('with space.py:3:5: E1 x', ('with space.py', 3, 'error', 'E1 x')),
                ('a.py:7: DeprecationWarning: old', None), ('a.py:1:2', None),
                ('http://x:80: y', None), ('    a.py:1:1: E1 indented', None), ('a.py:1234567890: E1 x', None),
                ('a.py:1:1: E1 ' + 'x' * 3000, None), ('note:1: note: alone', None), ('', None), ('::: :', None)):
            with self.subTest(line=line[:40]):
                self.assertEqual(flat(list(text.findings(line, ('lines',)))), [expected] if expected else [])

    def test_levels(self) -> None:
        for said, level in (('E501 x', 'error'), ('W605 x', 'warning'), ('C0114: x', 'info'), ('D100 x', 'warning'),
                            ('[error] x', 'error'), ('fatal error: x', 'error'), ('SC2086', 'warning'), ('', 'warning'),
                            ('HIGH', 'error'), ('!', 'warning')):
            with self.subTest(said=said):
                self.assertEqual(text.level(said), level)


class TestHostile(unittest.TestCase):
    def test_time_stays_linear(self) -> None:
        for piece in ('= a ' + '=' * 1900 + 'x\n', '_' * 900 + ' a' + ' _' * 500 + '\n', 'a:' * 990 + '\n',
                      ' ' * 1990 + '\n',
                      '\x1b]' * 990 + '\n', 'Captured traceback:\n~~~\n', '=' * 70 + '\nFAIL: x\n' + '-' * 70 + '\n',
                      '=== FAILURES ===\n', '{0} a [0.1s] ... FAILED\n', 'x.py:1: in f\n', 'a:1: b in ' * 150 + '\n',
                      'In a line ' * 190 + ':\n', '----\n----\n', '^' + '-' * 1900 + '\n', '::error ' * 240 + '\n',
                      'FAILED ' + 'a.py::b - ' * 190 + '\n', '1 passed ' * 200 + '\n',
                      '=== short test summary info ===\nFAILED ' + 'a.py ' * 390 + '\n'):
            with self.subTest(piece=piece[:30]):
                log = (piece * (1_000_000 // len(piece)))
                start = time.monotonic()
                found(log)
                self.assertLess(time.monotonic() - start, 10)

    def test_documents(self) -> None:
        for document in ('[' * 100000, '{"a":' * 100000, '[1, null, {}, {"path": 1}]', '{"results": 1, "runs": [1]}',
                         '[{"path": "a", "line": true, "message": "x"}]',
                         '[{"path": "a", "line": "1", "message": "x"}]',
                         '{"runs": {"a": 1}}', '[{"path": "a", "line": 1}]', '<a>', '<', '{', '{"line": 1}\n{"a\n',
                         '<!DOCTYPE x [<!ENTITY a "aaa">]><testcase><failure>&a;</failure></testcase>'):
            with self.subTest(document=document[:40]):
                self.assertEqual(found(document), [])

    def test_one_bad_record_does_not_lose_the_rest(self) -> None:
        document = '[7, {"path": "a", "line": {}}, {"path": "b", "line": 2, "message": "x", "code": null}]'
        self.assertEqual(flat(found(document)), [('b', 2, 'warning', 'x')])


if __name__ == '__main__':
    unittest.main()
