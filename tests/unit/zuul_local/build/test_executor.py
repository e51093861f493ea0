import logging
import sys
import tempfile
import unittest
from pathlib import Path

from zuul.lib.ansible import AnsibleManager

from zuul_local import errors
from zuul_local.build import build, executor
from zuul_local.environment import Environment
from zuul_local.process import run


class TestEnvironment(unittest.TestCase):

    def test_only_what_is_allowed(self):
        seen = executor.allowed_environment({
            'HOME': '/home/me', 'AWS_SECRET_ACCESS_KEY': 'x', 'GITHUB_TOKEN': 'x', 'PATH': '/home/me/bin',
            'LD_PRELOAD': 'x', 'PYTHONPATH': 'x', 'SSL_CERT_FILE': '/ca', 'SSH_AUTH_SOCK': '/agent',
            'GIT_CONFIG_GLOBAL': '/home/me/git'})
        self.assertEqual({'HOME': '/home/me', 'LANG': 'C.UTF-8', 'SSL_CERT_FILE': '/ca', 'PATH': executor.PATH,
                          'GIT_CONFIG_GLOBAL': '/dev/null', 'GIT_CONFIG_NOSYSTEM': '1'}, seen)

    def test_sandbox_sees_a_python_outside_usr(self):
        root = Path('/cache')
        self.assertEqual([], executor.sandbox_paths(Environment(root, root / 'ansible', None)))
        prefix = Path('/home/me/python')
        self.assertEqual([prefix], executor.sandbox_paths(Environment(root, root / 'ansible', prefix)))


class TestPlugins(unittest.TestCase):

    def test_one_that_looks_different_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            plugins = Path(folder)
            for name, old, _, times in executor.ADJUSTED:
                path = plugins / '11/zuul/ansible' / name
                path.parent.mkdir(parents=True)
                path.write_text(old * times)
            executor.adjust_plugins(plugins)
            for name, _, new, times in executor.ADJUSTED:
                self.assertEqual(new * times, (plugins / '11/zuul/ansible' / name).read_text())
            with self.assertRaisesRegex(RuntimeError, 'looks different'):
                executor.adjust_plugins(plugins)

    def test_those_of_this_zuul_can_be_adjusted(self):
        with tempfile.TemporaryDirectory() as folder:
            AnsibleManager(folder).copyAnsibleFiles()
            executor.adjust_plugins(Path(folder))
            self.assertIn('_streamers.clear()', Path(folder, '11/zuul/ansible/callback/zuul_stream.py').read_text())

    def test_to_measure_the_console_stays_as_it_is(self):
        with tempfile.TemporaryDirectory() as folder:
            AnsibleManager(folder).copyAnsibleFiles()
            executor.adjust_plugins(Path(folder), executor.MEASURED)
            ansible = Path(folder, '11/zuul/ansible')
            self.assertEqual(2, (ansible / 'library/zuul_console.py').read_text().count('time.sleep(0.5)'))
            self.assertIn("self.playbook['processor_seconds'] = ", (ansible / 'callback/zuul_json.py').read_text())


class TestConnections(unittest.TestCase):

    def test_path_is_that_of_ansible(self):
        self.assertEqual(self.of_ansible(), executor.control_path('%(directory)s', '10.89.0.2', 22, 'zuul'))

    def of_ansible(self):
        program = ('from ansible.plugins.connection.ssh import Connection;'
                   'print(Connection._create_control_path("10.89.0.2", 22, "zuul"))')
        return run((sys.executable, '-c', program)).stdout.strip()


class TestLastLines(unittest.TestCase):
    def test_the_last_lines_and_whole_deprecations(self) -> None:
        seen = executor.LastLines(count=2).attach()
        logger = logging.getLogger('zuul.AnsibleJob.output')
        for line in (b'[DEPRECATION WARNING]: include is', b'old. It can be disabled in ansible.cfg.', b'one', b'two'):
            logger.debug('[build: 12] Ansible output: %r', line)
        logger.handlers.clear()
        self.assertEqual(seen.deprecations,
                         ['[DEPRECATION WARNING]: include is old. It can be disabled in ansible.cfg.'])
        self.assertEqual(list(seen.lines), ['one', 'two'])

    def test_what_was_printed(self) -> None:
        for message, expected in (
                ("[e: 1] [build: 2] Ansible output: b'a [b]'", 'a [b]'), ('Ansible output: b"it\'s\\n"', "it's"),
                ('bwrap: no', 'bwrap: no'), ("Ansible output: b''", '')):
            with self.subTest(message=message):
                self.assertEqual(executor.printed(message), expected)


class TestStepName(unittest.TestCase):

    CASES = (
        (('ansible', '*', '-v', '-m', 'setup', '-i', 'x'), None, 'setup'),
        (('ansible-playbook', '-v', '/a/freeze_playbook.yaml'), None, 'freeze'),
        (('ansible-playbook', '-v', '/a/playbooks/tox/run.yaml'), 'run', 'run tox/run.yaml'),
    )

    def test_cases(self):
        for cmd, phase, expected in self.CASES:
            self.assertEqual(expected, executor.step_name(cmd, phase))


class TestJudge(unittest.TestCase):

    CASES: tuple[tuple[dict[str, str | None], list[str], bool, tuple[str, int]], ...] = (
        ({'result': 'SUCCESS'}, [], False, ('SUCCESS', errors.SUCCESS)),
        ({'result': 'FAILURE'}, [], False, ('FAILURE', errors.FAILURE)),
        ({'result': 'TIMED_OUT'}, [], False, ('TIMED_OUT', errors.FAILURE)),
        ({'result': 'POST_FAILURE'}, [], False, ('POST_FAILURE', errors.FAILURE)),
        ({'result': None}, [], False, ('RETRY', errors.FAILURE)),
        ({'result': 'ERROR', 'error_detail': 'x'}, [], False, ('ERROR', errors.USAGE)),
        ({'exception': 'Traceback'}, [], False, ('ERROR', errors.BUG)),
        ({'result': 'ABORTED'}, [], True, ('ABORTED', errors.INTERRUPTED)),
        ({'result': 'ABORTED'}, ['node'], False, ('NODE_FAILURE', errors.FAILURE)),
    )

    def test_cases(self):
        for result, lost, interrupted, expected in self.CASES:
            with self.subTest(result=result):
                self.assertEqual(expected, build.judge(result, lost, interrupted))
