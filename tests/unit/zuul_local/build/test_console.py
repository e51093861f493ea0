import io
import json
import tempfile
import time
import unittest
from pathlib import Path

from zuul_local.build import console


class TestPlain(unittest.TestCase):

    CASES = (
        ('2026-01-02 03:04:05.678901 | TASK [x]', '03:04:05 TASK [x]'),
        ('no stamp', 'no stamp'),
        ('\x1b[31mred\x1b[0m', 'red'),
        ('title\x1b]0;owned\x07', 'title0;owned'),
        ('bell\x07 back\x08 tab\t nul\x00 c1\x9b31m', 'bell back tab\t nul c131m'),
        ('carriage\rreturn', 'carriagereturn'),
    )

    def test_cases(self):
        for line, expected in self.CASES:
            with self.subTest(line=line):
                self.assertEqual(expected, console.plain(line))


class TestReporter(unittest.TestCase):

    def test_nothing_that_a_terminal_would_obey(self):
        stream = io.StringIO()
        console.Reporter(stream, 0).say('Warning: \x1b[31mred\nsecond line')
        self.assertEqual('Warning: red\nsecond line\n', stream.getvalue())


def job_output(*tasks, stats=None):
    return [{'stats': stats or {'node': {'failures': 1}},
             'plays': [{'tasks': [{'task': {'name': name}, 'hosts': {'node': result}} for name, result in tasks]}]}]


class TestExplainFailure(unittest.TestCase):

    def explain(self, content):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'job-output.json')
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            return console.explain_failure(path)

    def test_last_lines_of_the_failed_task(self):
        lines = self.explain(job_output(('Good', {'rc': 0}), ('Run tests', {
            'failed': True, 'stdout': '\n'.join(f'line {n}' for n in range(100)), 'msg': 'non-zero return code'})))
        self.assertEqual('Failed task: Run tests on node', lines[0])
        self.assertEqual('    non-zero return code', lines[-1])
        self.assertEqual(console.LAST_LINES + 1, len(lines))

    def test_a_failure_that_was_rescued_is_not_the_reason(self):
        self.assertEqual([], self.explain(job_output(('Try', {'failed': True}), stats={'node': {'failures': 0}})))

    def test_failed_items_of_a_loop(self):
        lines = self.explain(job_output(('Loop', {'failed': True, 'msg': 'One or more items failed', 'results': [
            {'failed': False, 'stdout': 'another one'},
            {'failed': True, 'stdout': 'why it failed', 'msg': 'this one'}]})))
        self.assertEqual(['    why it failed', '    this one', '    One or more items failed'], lines[1:])

    def test_unreadable_output_is_no_reason_to_fail(self):
        for content in ('', 'null', '[1]', '{"a": 1}', '[{"plays": 3}]'):
            with self.subTest(content=content):
                self.assertEqual([], self.explain(content))


class TestFollower(unittest.TestCase):

    def test_copies_what_is_added_line_by_line(self):
        stream = io.StringIO()
        follower = console.Follower(console.Reporter(stream, time.monotonic()))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'job-output.txt')
            path.write_text('one\nhal')
            follower.follow(path)
            with path.open('a') as file:
                file.write('f\nlast')
            follower.stop()
        self.assertEqual('one\nhalf\nlast\n', stream.getvalue())
