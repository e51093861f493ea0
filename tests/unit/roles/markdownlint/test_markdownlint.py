# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

module: Any = library('markdownlint', 'markdownlint')
ALL = ['**/*.md']


def finding(name: str, line: int = 1, severity: str = 'error', **more: Any) -> dict[str, Any]:
    return {'fileName': name, 'lineNumber': line, 'ruleNames': ['MD041', 'first-line'], 'ruleDescription': 'No heading',
            'errorDetail': None, 'errorContext': None, 'errorRange': None, 'severity': severity, **more}


class TestGlobs(unittest.TestCase):
    def test_what_they_name(self) -> None:
        for glob, yes, no in (
                ('**/*.md', ['a.md', 'a/b.md', 'a/b/c.md', '[x] y.md'],
                 ['a.txt', '.a.md', '.github/a.md', 'a/.b/c.md', 'amd']),
                ('*.md', ['a.md', '-a.md', 'new\nline.md'], ['a/b.md', '.a.md']),
                ('docs/**', ['docs/a', 'docs/a/b.md'], ['a', 'docs', 'docs/.a', 'docs/.a/b']),
                ('docs/**/x.md', ['docs/x.md', 'docs/a/b/x.md'], ['x.md', 'docs/ax.md']),
                ('.github/*.md', ['.github/a.md'], ['github/a.md', '.github/a/b.md']),
                ('{a,b/c}.{md,markdown}', ['a.md', 'b/c.markdown'], ['c.md', 'a.txt', 'ab']),
                ('{a,{b,c}}.md', ['a.md', 'b.md', 'c.md'], ['d.md']),
                ('a{b}.md', ['a{b}.md'], ['ab.md']),
                ('[ab]?.md', ['a1.md', 'b-.md'], ['c1.md', 'a.md', 'a/.md']), ('[!a].md', ['b.md'], ['a.md', '/.md']),
                ('[a-c].md', ['b.md'], ['-.md', 'd.md']), ('[].md', ['[].md'], ['a.md']),
                ('a[.md', ['a[.md'], ['a.md']),
                ('./a.md', ['a.md'], ['b.md']), ('(a|b)+.md', ['(a|b)+.md'], ['a.md'])):
            one = module.expression(glob)
            for path in yes:
                with self.subTest(glob=glob, path=path):
                    self.assertTrue(one.fullmatch(path))
            for path in no:
                with self.subTest(glob=glob, path=path):
                    self.assertFalse(one.fullmatch(path))

    def test_refusals(self) -> None:
        for glob in ('', '/etc/*.md', '../*.md', 'a/../b', 'docs/', 'a//b', '{a,/b}', '[z-a].md'):
            with self.subTest(glob=glob), self.assertRaises(ValueError):
                module.expression(glob)

    def test_selection(self) -> None:
        paths = ['README.md', 'docs/a.md', 'docs/gen/b.md']
        for globs, expected, unmet in ((ALL, paths, []), ([*ALL, '!docs/gen/**'], paths[:2], []),
                                       (['docs/*.md', 'nix.md'], ['docs/a.md'], ['nix.md']),
                                       (['docs/**', 'docs/*.md'], paths[1:], []), (['!docs/**', *ALL], paths[:1], [])):
            with self.subTest(globs=globs):
                self.assertEqual(module.select(paths, globs), (expected, unmet))

    def test_portions(self) -> None:
        self.assertEqual(list(module.portions(['aaaa', 'bbbb', 'cccc'], 10)), [['aaaa', 'bbbb'], ['cccc']])
        self.assertEqual(list(module.portions(['a' * 99], 10)), [['a' * 99]])


class TestLint(unittest.TestCase):
    """With a markdownlint that says what it is told to."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve() / 'project'
        (self.root / 'docs').mkdir(parents=True)
        self.command = self.root.parent / 'markdownlint'
        self.command.touch(mode=0o755)
        for name in ('README.md', 'docs/a.md', 'docs/b.txt'):
            (self.root / name).write_text('#x\n', encoding='utf-8')
        self.calls: list[list[str]] = []
        self.found: list[Any] = []
        self.answer = (0, '', '')
        self.writes = True

    def run_(self, argv: list[str], folder: str, timeout: int) -> tuple[int, str, str]:
        self.assertEqual((argv[0], folder, timeout), (str(self.command), str(self.root), 60))
        self.calls.append(argv[1:])
        if self.writes:
            written = next(word for word in argv if word.startswith('--output=')).partition('=')[2]
            Path(written).write_text(json.dumps(self.found) if self.found else '', encoding='utf-8')
        return self.answer

    def lint(self, **changes: Any) -> dict[str, Any]:
        result: dict[str, Any] = module.lint({
            'work_dir': str(self.root), 'executable': str(self.command), 'globs': ALL, 'config': '', 'args': '',
            'nothing': 'fail', 'timeout': 60, **changes}, self.run_)
        return result

    def refused(self, **changes: Any) -> Any:
        with self.assertRaises(module.Refused) as caught:
            self.lint(**changes)
        return caught.exception

    def report(self) -> str:
        return (self.root / 'markdownlint.txt').read_text(encoding='utf-8')

    def test_nothing_wrong(self) -> None:
        result = self.lint(args='--disable MD013 "MD 1"', config='docs/b.txt')
        self.assertEqual((result['files'], result['msg']), (2, 'markdownlint: No problem in 2 files.'))
        call = [word for word in self.calls[0] if not word.startswith('--output=')]
        self.assertEqual(call, ['--config=docs/b.txt', '--disable', 'MD013', 'MD 1', '--json', '--', 'README.md',
                                'docs/a.md'])
        self.assertEqual(self.report(), '')

    def test_errors_fail_and_warnings_do_not(self) -> None:
        self.found = [finding('README.md', 3, errorDetail='Expected: 1', errorRange=[5, 2]),
                      finding('docs/a.md', severity='warning', errorContext='#x\x1b[31m\n')]
        lines = ['README.md:3:5 error MD041/first-line No heading [Expected: 1]',
                 'docs/a.md:1 warning MD041/first-line No heading [Context: "#x\N{REPLACEMENT CHARACTER}[31m'
                 '\N{REPLACEMENT CHARACTER}"]']
        self.answer = (1, '', '')
        error = self.refused()
        self.assertEqual(str(error), '\n  '.join(['markdownlint: 2 problems in 2 of 2 files.', *lines]))
        self.assertEqual([(one['fileName'], one['lineNumber'], one.get('errorDetail')) for one in error.findings],
                         [('README.md', 3, 'Expected: 1'), ('docs/a.md', 1, None)])
        self.assertEqual(list(error.findings[1]), ['fileName', 'lineNumber', 'ruleNames', 'ruleDescription',
                                                   'errorContext', 'severity'])
        self.assertEqual(self.report(), '\n'.join(lines) + '\n')
        self.answer, self.found = (0, '', ''), self.found[1:]
        self.assertEqual([one['severity'] for one in json.loads(self.lint()['findings'])], ['warning'])

    def test_many(self) -> None:
        self.found, self.answer = [finding('README.md', line) for line in range(3000)], (1, '', '')
        error = self.refused()
        self.assertEqual((len(error.findings), len(str(error).splitlines())), (1000, 52))
        self.assertIn('… and 2950 more, in markdownlint.txt.', str(error))
        self.assertEqual(len(self.report().splitlines()), 3000)

    def test_several_calls(self) -> None:
        names = [f'{number:04}-{"x" * 200}.md' for number in range(400)]
        for name in names:
            (self.root / 'docs' / name).touch()
        self.found = [finding('README.md')]
        self.assertEqual(self.lint(globs=['docs/*x.md'])['files'], 400)
        self.assertEqual([word for call in self.calls for word in call if word.startswith('docs/')],
                         [f'docs/{name}' for name in names])
        self.assertEqual(len(self.calls), 2)

    def test_a_pattern_that_names_none_is_told(self) -> None:
        self.assertEqual(self.lint(globs=[*ALL, 'doc/*.md'])['msg'],
                         "markdownlint: No problem in 2 files.\nNo file is named by 'doc/*.md' of markdownlint_globs.")

    def test_nothing_to_check(self) -> None:
        self.assertIn('no file is named by *.markdown. Name the files with', str(self.refused(globs=['*.markdown'])))
        result = self.lint(globs=['*.markdown'], nothing='note')
        self.assertEqual((result['files'], result['findings'], self.calls, self.report()), (0, '', [], ''))
        self.writes, self.answer = False, (0, '', 'No matching files found\n')
        self.assertIn('markdownlint is told to ignore all of the 2 files', str(self.refused()))

    def test_it_could_not_be_checked(self) -> None:
        for writes, answer, why in (
                (False, (3, '', 'Cannot load custom rule x: No such rule'), 'Cannot load custom rule x'),
                (True, (1, '', "Cannot read or parse config file 'x': \x1b"), 'Cannot read or parse config'),
                (False, (0, '', ''), 'It said nothing'), (False, (1, '', ''), 'It said nothing'),
                (True, (1, '', ''), 'It said nothing'), (True, (124, '', 'stopped after 60 s'), 'stopped after 60 s')):
            with self.subTest(answer=answer):
                self.writes, self.answer = writes, answer
                said = str(self.refused())
                self.assertIn('markdownlint: the files cannot be checked (exit code', said)
                self.assertIn(why, said)
                self.assertNotIn('\x1b', said)
                self.assertFalse((self.root / 'markdownlint.txt').exists())

    def test_links_and_what_is_no_file(self) -> None:
        outside = self.root.parent / 'victim.md'
        outside.write_text('as it was', encoding='utf-8')
        (self.root / 'markdownlint.txt').symlink_to(outside)
        (self.root / 'link.md').symlink_to(outside)
        (self.root / 'loop').symlink_to(self.root)
        os.mkfifo(self.root / 'pipe.md')
        (self.root / 'folder.md').mkdir()
        for hidden in ('.git', '.tox', 'node_modules'):
            (self.root / hidden).mkdir()
            (self.root / hidden / 'x.md').touch()
        self.assertEqual(self.lint()['files'], 2)
        self.assertEqual(outside.read_text(encoding='utf-8'), 'as it was')
        self.assertFalse((self.root / 'markdownlint.txt').is_symlink())
        self.assertEqual(self.lint(globs=['.tox/*.md', 'node_modules/*.md'])['files'], 2)
        self.assertIn('no file is named by', str(self.refused(globs=['.git/*.md'])))

    def test_names(self) -> None:
        for name in ('-o.md', '$(id).md', '[1].md', 'new\nline.md'):
            (self.root / name).touch()
        self.lint(globs=['*.md'])
        after = self.calls[0][self.calls[0].index('--') + 1:]
        self.assertEqual(after, ['$(id).md', '-o.md', 'README.md', '[1].md', 'new\nline.md'])
        with open(os.fsencode(self.root) + b'/caf\xe9.md', 'wb'):
            pass
        self.assertIn('the name of caf\N{REPLACEMENT CHARACTER}.md is not UTF-8', str(self.refused()))

    def test_refusals_come_together(self) -> None:
        said = str(self.refused(work_dir=str(self.root / 'nowhere'), executable='/nowhere', globs=['!a', '/b'],
                                config='x', args="'", nothing='', timeout='1.5'))
        self.assertTrue(said.startswith('markdownlint: cannot continue, 7 problems:\n'), said)
        said = str(self.refused(globs=['!a']))
        self.assertIn("markdownlint_globs is [\"!a\"]: it names no files. Write e.g. ['**/*.md'].", said)
        for args in ('-o x', '--output=x', '--json', '-s', '-- x', '-q'):
            with self.subTest(args=args):
                self.assertIn('the role decides what is printed', str(self.refused(args=args)))


if __name__ == '__main__':
    unittest.main()
