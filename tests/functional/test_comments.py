"""Comments on lines of a change, through Zuul's own check of them."""

from __future__ import annotations

from tests.functional.support import RunnerTest

JOB = '''\
- job:
    name: demo
    parent: base
    nodeset: {nodes: []}
    roles:
      - zuul: opendev.org/zuul/zuul-jobs
    run: playbooks/run.yaml
'''
PLAY = '''\
- hosts: localhost
  tasks:
    - name: Say what linters said
      ansible.builtin.include_role: {name: return-file-comments}
      vars:
        return_file_comments_output: |
          ./code.py:2:1: E999 "{{ '{{ 7 * 7 }}' }}" is odd
          code.py:99:1: E999 beyond the end
          /etc/passwd:1:1: E999 elsewhere
          /home/zuul/{{ zuul.project.src_dir }}/code.py:1: error: no type
'''

PRINTED = 'core.py:1: error: only printed  [misc]'
TOOLS = {
    '.zuul.yaml': """\
- job:
    name: tools
    parent: tox
    vars:
      tox_envlist: prints,tools
""",
    'tox.ini': f"""\
[tox]
skipsdist = true
[testenv:prints]
commands = python -c "print('{PRINTED}')"
[testenv:tools]
deps =
    mypy==1.11.2
    pytest==8.3.3
    ruff==0.6.9
    sphinx==7.1.2
ignore_errors = true
commands =
    pytest -q --junitxml junit.xml
    mypy core.py
    ruff check --output-format json --output-file ruff.json core.py
    sphinx-build -q -W --keep-going doc {{envtmpdir}}/html
""",
    'core.py': """\
import os


def twice(number: int) -> int:
    return str(number)
""",
    'test_core.py': f"""\
import core


def test_twice():
    print('{PRINTED}')
    assert core.twice(2) == 4


def test_passes():
    print('doc/index.rst:1: WARNING: only printed')
""",
    'doc/conf.py': '',
    'doc/index.rst': """\
Title
=====

See :ref:`nowhere`.
""",
}


class TestComments(RunnerTest):
    def test_what_tools_find_is_said_where_it_is_and_what_was_printed_is_not(self) -> None:
        folder = self.make_project(TOOLS)
        self.zuul_local('run', 'tools', folder=folder, code=1)
        data = self.facts(folder)['data']['zuul']
        said = {(path, one['line'], one['message']) for path, many in data['file_comments'].items() for one in many}
        self.assertEqual(said, {
            ('test_core.py', 6, "test_twice: AssertionError: assert '2' == 4\n+  where '2' = <function twice at 0x…>(2)"
                                '\n+    where <function twice at 0x…> = core.twice'),
            ('core.py', 5, 'error: Incompatible return value type (got "str", expected "int")  [return-value]'),
            ('core.py', 1, 'F401 `os` imported but unused'),
            ('doc/index.rst', 4, "undefined label: 'nowhere'")})
        numbers = [one['metadata'] for one in data['artifacts'] if one['metadata'].get('type') == 'junit_xml']
        self.assertEqual([(one['tests'], one['failures']) for one in numbers], [(2, 1)])
        self.assertEqual(self.facts(folder)['warnings'], [])

    def test_what_zuul_takes(self) -> None:
        folder = self.make_project({'.zuul.yaml': JOB, 'playbooks/run.yaml': PLAY, 'code.py': 'one\ntwo\n'})
        output = self.zuul_local('run', 'demo', folder=folder)
        self.assertIn('Comments on lines of the change: 2. Left out: 2 elsewhere', output)
        self.assertNotIn('validation error in file comments', output)
        self.assertEqual(self.facts(folder)['data']['zuul']['file_comments'], {'code.py': [
            {'line': 2, 'level': 'error', 'message': 'E999 "{{ 7 * 7 }}" is odd'},
            {'line': 1, 'level': 'error', 'message': 'error: no type'}]})
        self.assertEqual(self.facts(folder)['warnings'], [])
