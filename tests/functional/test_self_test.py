"""Self-tests of a library that has one role, as they are for its author."""

from __future__ import annotations

import functools
import json
import operator
import os
import shutil
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.functional.support import LIBRARY, LONGEST, RunnerTest, containers, leftovers, wait_for

ROLE = {
    'roles/do-thing/tasks/main.yaml': '- {name: Do it, ansible.builtin.command: {argv: [touch, thing]}}\n',
    'test-playbooks/do-thing/absent.yaml': '''\
- hosts: all
  gather_facts: false
  tasks:
    - name: Try it
      ansible.builtin.include_role: {name: do-thing}
''',
    'test-playbooks/do-thing/present.yaml': '''\
- hosts: all
  gather_facts: false
  tasks:
    - name: Be broken on one of two
      ansible.builtin.assert: {that: inventory_hostname == 'one', fail_msg: this is not the one}
''',
    'test-playbooks/do-thing/bad-input.yaml': '- {hosts: all, gather_facts: false, tasks: []}\n',
    'zuul-tests.d/jobs.yaml': '''\
- job:
    name: self-test-do-thing
    nodeset:
      nodes:
        - {name: one, label: debian-bookworm}
        - {name: two, label: debian-trixie}
    run:
      - test-playbooks/do-thing/absent.yaml
      - test-playbooks/do-thing/present.yaml
      - test-playbooks/do-thing/bad-input.yaml
''',
}


class SelfTest(RunnerTest):
    def setUp(self) -> None:
        super().setUp()
        self.library = self.top / 'library'
        shutil.copytree(LIBRARY, self.library, symlinks=True,
                        ignore=shutil.ignore_patterns('.git', '.zuul-local', '.ansible', '.stestr'))
        for name in ('zuul-tests.d', 'zuul.d/self-test-jobs.yaml'):
            path = self.library / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.write(self.library, ROLE)
        self.git(self.library, 'init', '-q', '-b', 'main')
        self.git(self.library, 'add', '--all')
        self.git(self.library, 'commit', '-q', '-m', 'First')

    def self_test(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(self.library / 'zuul-local'), 'self-test', *words], cwd=self.top, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(process.stdout.close)       # type: ignore[union-attr]
        self.addCleanup(self._end, process)
        return process

    def test_one_node_fails_and_the_others_are_told(self) -> None:
        junit = self.top / 'junit.xml'
        process = self.self_test('do-thing', '--junit', str(junit))
        output = process.communicate(timeout=LONGEST)[0]
        self.assertEqual(process.returncode, 1, output)
        for line in (r'ok +do-thing +absent +debian-bookworm +\d+\.\d s',
                     r'ok +do-thing +absent +debian-trixie +\d+\.\d s',
                     r'ok +do-thing +present +debian-bookworm +\d',
                     r'FAILED +do-thing +present +debian-trixie +\d.*\n +task: Be broken on one of two\n +this is not ',
                     r'not run +do-thing +bad-input +debian-bookworm\n +the build ended at do-thing present\n',
                     r'not run +do-thing +bad-input +debian-trixie\n',
                     r'do-thing +not run +FAILED', '3 passed, 1 failed, 2 skipped: 1 build in '):
            self.assertRegex(output, line)
        logs = Path(output.split('logs     self-test-do-thing: ')[1].splitlines()[0])
        self.assertIn('this is not the one', (logs.parent / 'job-output.txt').read_text())
        self.assertEqual(ElementTree.parse(junit).getroot().get('failures'), '1')

    def test_one_label_passes_and_leaves_no_logs(self) -> None:
        process = self.self_test('do-thing', '--label', 'debian-bookworm', '--json')
        output = process.communicate(timeout=LONGEST)[0]
        self.assertEqual(process.returncode, 1, output)     # bad-input does nothing at all, which is no test
        facts = json.loads(output[output.index('\n{') :])
        self.assertEqual([(one['behaviour'], one['label'], one['status']) for one in facts['behaviours']],
                         [('absent', 'debian-bookworm', 'ok'), ('present', 'debian-bookworm', 'ok'),
                          ('bad-input', 'debian-bookworm', 'FAILED')])
        self.assertEqual(facts['behaviours'][2]['said'], ['its playbook did nothing on this node'])
        jobs = self.library / 'zuul-tests.d/jobs.yaml'
        jobs.write_text(jobs.read_text().replace('      - test-playbooks/do-thing/bad-input.yaml\n', ''))
        builds = self.library / '.zuul-local/builds'
        before = sorted(builds.iterdir())
        process = self.self_test('--changed', 'HEAD', '--label', 'debian-bookworm')
        output = process.communicate(timeout=LONGEST)[0]
        self.assertEqual(process.returncode, 0, output)
        self.assertIn('zuul-tests.d/jobs.yaml, so role do-thing is tried', output)
        self.assertLessEqual(set(builds.iterdir()), set(before))

    def test_nothing_is_left_when_it_is_interrupted_or_killed(self) -> None:
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)):
            with self.subTest(signal=number):
                process = self.self_test('do-thing', '--label', 'debian-bookworm')
                children = wait_for(functools.partial(_builds, process.pid), bool, 60)
                self.assertTrue(children)
                os.kill(process.pid, number)
                process.communicate(timeout=LONGEST)
                self.assertEqual(process.returncode, code)
                for pid in children:
                    self.assertEqual([], wait_for(functools.partial(leftovers, pid), operator.not_, 30))


def _builds(pid: int) -> list[int]:
    """Return the processes that *pid* started and that have nodes."""
    children = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    return [int(child) for child in children if containers(int(child))]
