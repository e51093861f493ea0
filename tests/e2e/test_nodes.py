"""A node serves one build, and one that was not made anew since the last serves none."""

from __future__ import annotations

from tests.e2e.nodes import FRESH
from tests.e2e.stack import EXAMPLE
from tests.e2e.support import StackTest

LABEL = 'debian-trixie'         # there is one node of it: whoever wants it comes after the other
FILES = {
    '.zuul.yaml': f'''\
- job:
    name: first
    run: playbooks/use.yaml
    nodeset: {LABEL}
- job:
    name: second
    parent: first
- project:
    check:
      jobs: [first, second]
''',
    'playbooks/use.yaml': '''\
- hosts: all
  gather_facts: false
  tasks:
    - name: Nobody has been here
      ansible.builtin.command: mkdir /opt/was-here
      become: true
''',
}


class TestNodes(StackTest):

    def test_each_build_has_a_node_of_its_own(self) -> None:
        address, = (address for host, address in self.nodes.items() if host.startswith(LABEL))
        (self.marks / FRESH / address).unlink()
        change = self.clone(EXAMPLE).propose('Use one node twice', FILES)
        self.assertEqual(1, self.wait_for_vote(change, 1, -1))
        results = sorted(str(build['result']) for build in self.builds(change))
        self.assertEqual(['RETRY', 'SUCCESS', 'SUCCESS'], results)
