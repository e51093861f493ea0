# SPDX-License-Identifier: Apache-2.0
"""From what tools said to what Zuul takes, with a repository of git and Zuul's own check."""
from __future__ import annotations

import json
import os
import subprocess
import tempfile
import unittest
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from zuul.lib import filecomments

from tests.unit.roles import library, module_utils

module: Any = library('return-file-comments', 'return_file_comments')
repository: Any = module_utils('return_file_comments_repository')
reader: Any = library('return-file-comments', 'return_file_comments_read')
SRC = 'src/example.org/project'
OUTPUTS = Path(__file__).parent / 'outputs'
HOME = f'/home/zuul/{SRC}'


def git(folder: Path, *words: str) -> str:
    # the test's own git is told not to run what a hostile configuration names
    said = ('-c', 'core.fsmonitor=false', '-c', 'user.name=a', '-c', 'user.email=a@example.org')
    return subprocess.run(['git', '-C', str(folder), *said, *words], check=True, capture_output=True,
                          text=True).stdout.strip()


class RepositoryTest(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.base = Path(scratch.name)
        self.clone = self.base / 'clone'
        self.clone.mkdir()
        git(self.clone, 'init', '-q', '-b', 'main', '.')
        self.commit({'a.py': 'one\ntwo\nthree\n', 'pkg/b.py': 'x\n' * 10, 'empty.py': '', "it's $(x).py": 'x\n',
                     'no-end': 'x'})

    def commit(self, files: dict[str, str]) -> str:
        for name, content in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        git(self.clone, 'add', '-A')
        git(self.clone, 'commit', '-q', '-m', 'x')
        return git(self.clone, 'rev-parse', 'HEAD')

    def run_module(self, *texts: str, work_dir: str = SRC, **other: Any) -> dict[str, Any]:
        params = {'outputs': [{'texts': list(texts), 'work_dir': work_dir, 'problems': []}],
                  'formats': list(module.FORMATS), 'repository': str(self.clone), 'src_dir': SRC, 'ref': '',
                  'commit': '', 'returned': '', 'most': 50, 'max_length': 1000, **other}
        result: dict[str, Any] = module.comments(params)
        self.check(result['comments'])
        return result

    def comments(self, *texts: str, **other: Any) -> list[tuple[str, int, str]]:
        result = self.run_module(*texts, **other)['comments']
        return [(path, one['line'], one['message']) for path, many in result.items() for one in many]

    def check(self, comments: Any) -> None:
        """What Zuul checks, and what the reviewing systems behind it refuse."""
        comments = json.loads(json.dumps(comments))
        filecomments.validate(comments)
        filecomments.extractLines(comments)
        for path, many in comments.items():
            self.assertIn(path, git(self.clone, 'ls-files', '-z').split('\0'))
            for one in many:
                self.assertEqual(sorted(one), ['level', 'line', 'message'])
                self.assertTrue(1 <= one['line'] < 2 ** 31)
                self.assertTrue(one['message'].strip())
                self.assertLess(len(one['message'].encode()), 16000)
                self.assertIn(one['level'], ('error', 'warning', 'info'))


class TestPlaces(RepositoryTest):
    def test_paths(self) -> None:
        for path, work_dir, expected in (
                ('a.py', SRC, 'a.py'), ('./a.py', SRC, 'a.py'), (f'{HOME}/a.py', SRC, 'a.py'),
                ('b.py', f'{SRC}/pkg', 'pkg/b.py'),
                ('../a.py', f'{SRC}/pkg', 'a.py'), ('pkg/b.py', f'{SRC}/pkg', 'pkg/b.py'), ('a.py', HOME, 'a.py'),
                (f'{SRC}/a.py', '/tmp', 'a.py'), ("it's $(x).py", SRC, "it's $(x).py"),
                ('a.py', 'src/example.org/other', ''), ('/etc/passwd', SRC, ''), ('../../a.py', SRC, ''),
                (f'{HOME}/../a.py', SRC, ''), (f'/x/{SRC}-more/a.py', SRC, ''), ('.git/config', SRC, ''),
                (f'{HOME}/.tox/py/lib/a.py', SRC, ''), ('/a.py', SRC, ''), ('pkg', SRC, ''), ('.', SRC, '')):
            with self.subTest(path=path, work_dir=work_dir):
                self.assertEqual(self.comments(f'{path}:1:1: E1 x', work_dir=work_dir),
                                 [(expected, 1, 'E1 x')] if expected else [])

    def test_the_installed_project_is_the_repository(self) -> None:
        self.commit({'src/mod/c.py': 'x\n', 'lib/old/d.py': 'x\n'})
        for path, expected in (
                ('.tox/py/lib/python3.11/site-packages/mod/c.py', 'src/mod/c.py'),
                (f'{HOME}/.nox/t/lib64/python3.8/site-packages/pkg/b.py', 'pkg/b.py'),
                ('/tmp/x/site-packages/old/d.py', 'lib/old/d.py'), ('.tox/py/site-packages/requests/api.py', ''),
                ('/x/site-packages/../../../etc/passwd', '')):
            with self.subTest(path):
                self.assertEqual(self.comments(f'{path}:1:1: E1 x'), [(expected, 1, 'E1 x')] if expected else [])

    def test_a_whole_run_of_tox(self) -> None:
        core = ['"""Things that are counted."""', 'import os', '', '', 'def twice(number: int) -> int:',
                '    """Return the double.', '', '    .. odd:: directive', '    """', '    return str(number) * 2', '',
                '', 'def boom() -> None:', '    """Fail."""', "    raise ValueError('no luck')", '']
        self.commit({'src/pkg/core.py': '\n'.join(core), 'tests/test_core.py': 'x\n' * 25,
                     'tests/test_unit.py': 'x\n' * 9, 'doc/index.rst': 'x\n' * 7})
        said = (OUTPUTS / 'tox.txt').read_text()
        self.assertEqual([(path, line, message.split('\n')[0]) for path, line, message in self.comments(said)], [
            ('tests/test_core.py', 13, "TestTwice.test_equal[1]: AssertionError: assert '11' == 4"),
            ('tests/test_core.py', 13, "TestTwice.test_equal[2]: AssertionError: assert '22' == 4"),
            ('src/pkg/core.py', 15, 'test_boom: ValueError: no luck'),
            ('src/pkg/core.py', 10,
             'error: Incompatible return value type (got "str", expected "int")  [return-value]'),
            ('src/pkg/core.py', 5, 'In the docstring of pkg.core.twice: Unknown directive type "odd".'),
            ('tests/test_unit.py', 9, 'TestU.test_x: AssertionError: 1 != 2'),
            ('doc/index.rst', 4, "undefined label: 'nowhere' [ref.ref]")])

    def test_a_summary_leads_to_the_test(self) -> None:
        self.commit({'tests/t.py': 'def test_b():\n    x\n\n\nclass A:\n    def test_a(self): x\n\n'
                                   '    async def test_b(self): x\n'})
        said = ('=== short test summary info ===\nFAILED tests/t.py::A::test_b[x::y] - no\n'
                'FAILED tests/t.py::test_b - no\nFAILED tests/t.py::A::test_made - no\n'
                'ERROR tests/t.py - no\n=== 3 failed, 1 error in 0.1s ===')
        self.assertEqual(self.comments(said), [
            ('tests/t.py', 8, 'A::test_b[x::y]: no'), ('tests/t.py', 1, 'test_b: no'),
            ('tests/t.py', 1, 'A::test_made: no'), ('tests/t.py', 1, 'tests/t.py: no')])

    def test_lines(self) -> None:
        for path, line, expected in (('a.py', 1, 1), ('a.py', 3, 3), ('a.py', 4, 3), ('a.py', 5, 0), ('a.py', 0, 0),
                                     ('empty.py', 1, 1), ('empty.py', 3, 0), ('no-end', 1, 1), ('a.py', 999999999, 0)):
            with self.subTest(path=path, line=line):
                self.assertEqual(self.comments(f'{path}:{line}: E1 x'), [(path, expected, 'E1 x')] if expected else [])

    def test_numbers_from_documents(self) -> None:
        for line in (-1, 0, 2 ** 40, 10 ** 400):
            with self.subTest(line=line):
                self.assertEqual(self.comments(json.dumps([{'path': 'a.py', 'line': line, 'message': 'x'}])), [])

    def test_links_and_odd_names_have_none(self) -> None:
        (self.clone / 'link.py').symlink_to('a.py')
        self.commit({'new\nline.py': 'x\n'})
        (Path(os.fsdecode(os.fsencode(self.clone) + b'/lat\xe9n.py'))).write_text('x\n')
        git(self.clone, 'add', '-A')
        git(self.clone, 'commit', '-q', '-m', 'y')
        known = repository.files(str(self.clone))
        self.assertEqual(sorted(known), ['a.py', 'empty.py', "it's $(x).py", 'no-end', 'pkg/b.py'])

    def test_innermost_place_in_the_repository(self) -> None:
        said = '\n'.join(['=' * 70, 'FAIL: test_x', '-' * 70, 'Traceback (most recent call last):',
                          f'  File "{HOME}/pkg/b.py", line 2, in test_x', '    one()',
                          f'  File "{HOME}/a.py", line 3, in one', '    raise',
                          '  File "/usr/lib/x.py", line 1, in two', '    raise', 'ValueError: no'])
        self.assertEqual(self.comments(said), [('a.py', 3, 'test_x: ValueError: no')])

    def test_without_a_repository(self) -> None:
        result = self.run_module('a.py:1: E1 x', repository=str(self.base))
        self.assertEqual(result['comments'], {})
        self.assertRegex(result['lines'][0], 'No comments: .* is no clone of a repository')


class TestChanged(RepositoryTest):
    SAID = 'a.py:1: E1 x\npkg/b.py:1: E1 x'

    def test_a_change_of_gerrit(self) -> None:
        commit = self.commit({'a.py': 'new\n'})
        self.assertEqual(self.comments(self.SAID, ref='refs/changes/01/1/1', commit=commit), [('a.py', 1, 'E1 x')])

    def test_a_pull_request_that_was_merged(self) -> None:
        git(self.clone, 'checkout', '-q', '-b', 'pull')
        self.commit({'a.py': 'new\n'})
        commit = self.commit({'c.py': 'new\n'})
        git(self.clone, 'checkout', '-q', 'main')
        self.commit({'d.py': 'x\n'})
        git(self.clone, 'merge', '-q', '--no-edit', 'pull')
        self.assertEqual(self.comments(self.SAID, ref='refs/pull/1/head', commit=commit), [('a.py', 1, 'E1 x')])

    def test_what_cannot_be_known_is_left_to_zuul(self) -> None:
        commit = self.commit({'a.py': 'new\n'})
        for ref, known in (('refs/pull/1/head', commit), ('refs/changes/01/1/1', ''),
                           ('refs/changes/01/1/1', 'f' * 40)):
            with self.subTest(ref=ref, known=known):
                self.assertEqual(len(self.comments(self.SAID, ref=ref, commit=known)), 2)


class TestReports(RepositoryTest):
    RUFF = json.dumps([{'filename': 'a.py', 'location': {'row': 2}, 'code': 'F401', 'message': '`os` is not used'}])
    TESTS = ('<testsuite><testcase name="test_x"><failure message="no">a.py:3: in test_x\nE   ValueError: no\n'
             'a.py:3: ValueError</failure></testcase></testsuite>')

    def with_reports(self, text: str, *reports: tuple[str, str], **other: Any) -> list[tuple[str, int, str]]:
        return self.comments(outputs=[{'texts': [text], 'work_dir': SRC, 'problems': [], 'reports': [
            {'name': name, 'text': said} for name, said in reports]}], **other)

    def test_which_count(self) -> None:
        named = 'lint: exit 1 (0.01 seconds) /x> ruff check -o out/ruff.json pid=7'
        ruff, tests = [('a.py', 2, 'F401 `os` is not used')], [('a.py', 3, 'test_x: ValueError: no')]
        for text, name, said, expected in (
                (named, 'ruff.json', self.RUFF, ruff), ('lint: OK ✔ in 1 seconds', 'ruff.json', self.RUFF, []),
                ('', 'junit.xml', self.TESTS, tests), (named, 'other.json', self.RUFF, []), (named, '', self.RUFF, []),
                (named, 'uff.json', self.RUFF, []), (named.replace(' out/', ' >'), 'ruff.json', self.RUFF, ruff),
                ('lint: commands[0]> ruff check -o ruff.json', 'ruff.json', self.RUFF, []),
                (named, 'ruff.json', 'a.py:1: E1 x', []), (named, 'ruff.json', '[', [])):
            with self.subTest(text=text, name=name):
                self.assertEqual(self.with_reports(text, (name, said)), expected)
        self.assertEqual(self.with_reports(named, ('ruff.json', self.RUFF), formats=['lines']), [])

    def test_what_a_report_says_is_not_told_again(self) -> None:
        named = 'nox > Command ruff check -o ruff.json failed with exit code 1'
        text = f'a.py:2:1: F401 [*] unused os\na.py:2:1: E501 long\na.py:1:1: F401 [*] other\n{named}'
        self.assertEqual(sorted(self.with_reports(text, ('ruff.json', self.RUFF))), [
            ('a.py', 1, 'F401 [*] other'), ('a.py', 2, 'E501 long'), ('a.py', 2, 'F401 `os` is not used')])
        failure = ('=== FAILURES ===\n____ TestA.test_x ____\na.py:3: in test_x\nE   ValueError: no\n'
                   'a.py:3: ValueError\n=== 1 failed in 0.1s ===')
        self.assertEqual(self.with_reports(failure, ('junit.xml', self.TESTS)), [('a.py', 3, 'test_x: ValueError: no')])


class TestLimits(RepositoryTest):
    def test_number(self) -> None:
        said = '\n'.join([f'pkg/b.py:{line}: W{number} x' for number in range(9) for line in range(1, 10)]
                         + ['a.py:1: E1 x'])
        result = self.run_module(said, most=5)
        self.assertEqual(sum(map(len, result['comments'].values())), 5)
        self.assertIn('a.py', result['comments'], 'errors come first')
        self.assertIn('change: 5.', result['lines'][-1])
        self.assertIn('77 beyond the 5', result['lines'][-1])

    def test_length(self) -> None:
        self.assertEqual(len(self.comments('a.py:1: E1 ' + 'é' * 1500, max_length=80)[0][2]), 80)
        document = json.dumps([{'path': 'a.py', 'line': 1, 'message': '€' * 10 ** 5}])
        self.assertEqual(len(self.comments(document)[0][2]), 1000)

    def test_messages(self) -> None:
        for message, expected in (('a\x00b\x1b[1m', 'a\ufffdb\ufffd[1m'), ('\ud800x', '\ufffdx'), ('a\r\nb', 'a\nb'),
                                  ('\u202eevil', '\ufffdevil'), ('   ', 'no message'), ('{{ 7 * 7 }}', '{{ 7 * 7 }}'),
                                  ('<script>', '<script>'), ('<f at 0x7f97ee31c720> 0x1', '<f at 0x…> 0x1')):
            with self.subTest(message=message):
                self.assertEqual(self.comments(json.dumps([{'path': 'a.py', 'line': 1, 'message': message}])),
                                 [('a.py', 1, expected)])

    def test_the_same_on_every_node_is_said_once(self) -> None:
        result = self.run_module(outputs=[{'texts': ['a.py:1: E1 x'], 'work_dir': HOME, 'problems': []}, {},
                                          {'texts': ['a.py:1: E1 x'], 'work_dir': SRC, 'problems': ['gone']}])
        self.assertEqual(result['comments'], {'a.py': [{'line': 1, 'level': 'error', 'message': 'E1 x'}]})
        self.assertEqual(result['lines'][0], 'gone')

    def test_a_huge_output(self) -> None:
        self.assertEqual(self.comments('x' * 100_000_000 + '\na.py:1: E1 x'), [('a.py', 1, 'E1 x')])


class TestReturned(RepositoryTest):
    def returned(self, document: Any) -> str:
        path = self.base / 'results.json'
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return str(path)

    def test_what_was_returned_before_counts(self) -> None:
        path = self.returned({'data': {'zuul': {'file_comments': {'a.py': [
            {'line': 1, 'message': 'E1 x', 'level': 'error'}, {'line': 9, 'message': 'other'}]}}}, 'secret_data': {}})
        said = 'a.py:1: E1 x\na.py:2: E1 y\na.py:3: E1 z'
        self.assertEqual(self.comments(said, returned=path, most=3), [('a.py', 2, 'E1 y')])

    def test_secrets(self) -> None:
        path = self.returned({'data': {}, 'secret_data': {'zuul': {'redactions': ['s3cret', 's3cret-more', 'x', 7]}}})
        self.assertEqual(self.comments('a.py:1: E1 s3cret-more and s3cret', returned=path),
                         [('a.py', 1, 'E1 ******** and ********')])

    def test_garbage(self) -> None:
        for document in ('', '[', '[]', '{"data": 7}',
                         '{"data": {"zuul": {"file_comments": {"a.py": [7, {"line": "x"}]}}}}',
                         '{"data": {"zuul": {"file_comments": 7, "redactions": 7}}}', '[' * 100000):
            with self.subTest(document=document[:60]):
                self.assertEqual(self.comments('a.py:1: E1 x', returned=self.returned(document)), [('a.py', 1, 'E1 x')])

    def test_a_pipe_does_not_hold_it_up(self) -> None:
        os.mkfifo(self.base / 'pipe')
        self.assertEqual(self.comments('a.py:1: E1 x', returned=str(self.base / 'pipe')), [('a.py', 1, 'E1 x')])


class TestHostileRepository(RepositoryTest):
    def test_its_configuration_runs_nothing(self) -> None:
        proof = self.base / 'ran'
        for name, value in (('core.fsmonitor', f'touch {proof}'), ('diff.external', f'touch {proof}'),
                            ('core.hooksPath', str(self.base)), ('remote.o.url', f'ext::touch {proof}'),
                            ('protocol.ext.allow', 'always'), ('extensions.partialClone', 'o'),
                            ('remote.o.promisor', 'true'),
                            ('core.repositoryFormatVersion', '1'), ('core.pager', f'touch {proof}')):
            git(self.clone, 'config', name, value)
        blob = repository.files(str(self.clone))['pkg/b.py'].blob
        (self.clone / '.git/objects' / blob[:2] / blob[2:]).unlink()
        self.run_module('a.py:1: E1 x\npkg/b.py:1: E1 x', ref='refs/changes/01/1/1', commit='HEAD')
        self.assertFalse(proof.exists())


class TestCheck(unittest.TestCase):
    def test_all_that_is_wrong(self) -> None:
        with self.assertRaises(module.Refused) as caught:
            module.check(['lines', 'morse'], 0, 'x')
        self.assertEqual(
            str(caught.exception),
            'return-file-comments: cannot continue, 3 problems:\n'
            '  - return_file_comments_formats is ["lines", "morse"]: not one or more of '
            'data, lines, pytest, unittest.\n'
            "  - return_file_comments_max is '0': no number from 1 to 1000.\n"
            "  - return_file_comments_max_length is 'x': no number from 80 to 10000.")

    def test_numbers(self) -> None:
        self.assertEqual(module.check(['lines'], '7', 100), (7, 100))
        values: tuple[Any, ...] = (True, -1, 1.5, None, [], '', '1' * 30)
        for value in values:
            with self.subTest(value=value), self.assertRaises(module.Refused):
                module.check(['lines'], value, 100)


class TestRead(unittest.TestCase):
    def test_cases(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, 'good.json').write_bytes(b'[]\xff')
            Path(folder, 'large').write_bytes(b'x' * (reader.MAX_BYTES + 1))
            os.mkfifo(Path(folder, 'pipe'))
            result = reader.read_all(folder, ['good.json', 'gone', 'large', 'pipe', '.', f'{folder}/good.json'])
            self.assertEqual(result['texts'], ['[]\ufffd', '[]\ufffd'])
            self.assertEqual(result['problems'], [
                'gone: No such file or directory', f'large: larger than {reader.MAX_BYTES} bytes',
                'pipe: no plain file', '.: Is a directory'])
            self.assertEqual(reader.read_all(folder, ['good.json'] * 30)['problems'],
                             ['good.json: left out, more than 20 files'])

    def test_reports_that_are_met_with(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for path in ('junit.xml', 'out/ruff.json', 'a/b/c/d/ruff.json', 'a/b/c/d/e/ruff.json', '.tox/ruff.json',
                         'x.txt', 'old-ruff.json', 'named-ruff.json'):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(path)
            (folder / 'link-ruff.json').symlink_to('x.txt')
            os.mkfifo(folder / 'pipe-ruff.json')
            (folder / 'large-ruff.json').write_bytes(b'x' * (reader.MAX_BYTES + 1))
            (folder / 'new\nline-ruff.json').write_text('odd')
            os.utime(folder / 'old-ruff.json', (1e9, 1e9))
            since = datetime.now() - timedelta(seconds=60)
            found = reader.reports(name, ['*junit*.xml', '*ruff*.json'], str(since), ['./named-ruff.json'])
            self.assertEqual([one['text'] for one in found], ['junit.xml', 'odd', 'a/b/c/d/ruff.json', 'out/ruff.json'])
            for odd in ('', 'yesterday', '0001-01-01 00:00:00'):
                with self.subTest(odd):
                    self.assertLess(len(reader.reports(name, ['*junit*.xml'], odd, [])), 2)
            self.assertEqual(reader.reports(f'{name}/gone', ['*'], str(since), []), [])


if __name__ == '__main__':
    unittest.main()
