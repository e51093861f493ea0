"""What a developer sees of a change: votes, comments, logs, and that it merges."""

from __future__ import annotations

from tests.e2e import gerrit
from tests.e2e.support import SECONDS, StackTest

BROKEN = {'hello.py': "def greet(name: str = 'world') -> str:\n    return f'Broken, {name}!'\n"}
COMMENT = r'- tox-py311 http://\S+/t/main/build/\w+ : (SUCCESS|FAILURE) in .*'


class TestChanges(StackTest):

    def test_a_good_change_is_verified_then_gated_and_merged(self) -> None:
        clone = self.clone()
        change = clone.propose('Write down what this is', {'README': 'It says hello.\n'})
        self.assertEqual(1, self.wait_for_vote(change, 1, -1))
        message = self.result(change)
        self.assertRegex(message, r'(?s)Build succeeded\..*' + COMMENT)
        build = self.build_behind(message)
        self.assertEqual(('SUCCESS', 'check'), (build['result'], build['pipeline']))
        change.review(Code_Review=2, Workflow=1)
        change.wait_for(lambda one: one.detail()['status'] == 'MERGED', SECONDS)
        self.assertEqual(2, change.vote('Verified', gerrit.ZUUL))
        message = self.result(change)
        self.assertRegex(message, r'(?s)Build succeeded \(gate pipeline\)\..*' + COMMENT)
        build = self.build_behind(message)
        self.assertEqual(('SUCCESS', 'gate'), (build['result'], build['pipeline']))

    def test_a_broken_change_is_refused_and_again_after_a_recheck(self) -> None:
        change = self.clone().propose('Break the greeting', BROKEN)
        self.assertEqual(-1, self.wait_for_vote(change, 1, -1))
        first = self.result(change)
        self.assertRegex(first, r'(?s)Build failed\..*' + COMMENT)
        change.review('recheck')
        change.wait_for(lambda one: self.results(one)[1:], SECONDS)
        self.assertNotEqual(self.build_behind(first)['uuid'], self.build_behind(self.result(change))['uuid'])
        self.assertEqual(['FAILURE', 'FAILURE'], [build['result'] for build in self.builds(change)])
