# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import unittest
from typing import Any
from unittest import mock

from tests.unit.roles import library

role: Any = library('post-reboot-tasks', 'post_reboot_tasks')


class TestWait(unittest.TestCase):
    def setUp(self) -> None:
        self.now = 0.0
        for name, value in (('sleep', self.sleep), ('monotonic', lambda: self.now)):
            patch = mock.patch.object(role.time, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def test_answers(self) -> None:
        answers: list[Any] = [socket.gaierror(-3, 'Temporary failure'), socket.gaierror(-2, 'not known'), ['192.0.2.1']]

        def ask(name: str) -> list[str]:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return list(answer)
        result = role.wait('x.example.com', 10, ask, '')
        self.assertEqual(result, {'changed': False, 'addresses': ['192.0.2.1'], 'seconds': 2.0})

    def test_no_answer(self) -> None:
        ask = mock.Mock(side_effect=socket.gaierror(-3, 'Temporary failure'))
        words = ("nslookup_target is 'x.example.com': not resolved within 5 s: .*Temporary "
                 r'failure\. .*: 192.0.2.53, 2001:db8::53\.')
        with self.assertRaisesRegex(role.Refused, words):
            role.wait('x.example.com', 5, ask, '# r\nnameserver 192.0.2.53\nnameserver\t2001:db8::53\n')
        self.assertEqual(ask.call_count, 6)

    def test_names(self) -> None:
        for name in ('x', 'x.example.com', 'x.example.com.', '_srv.x', '192.0.2.1', 'a-b.c'):
            with self.subTest(name=name):
                self.assertEqual(role.wait(name, 1, lambda _: ['192.0.2.1'], '')['seconds'], 0)
        for name in ('', '-x', 'a b', 'x\n', 'https://x', '$(x)', 'a' * 254):
            with self.subTest(name=name), self.assertRaisesRegex(role.Refused, 'not the name of a host'):
                role.wait(name, 1, mock.Mock(side_effect=AssertionError), '')

    def test_own_resolver(self) -> None:
        self.assertIn('127.0.0.1', role.addresses_of('127.0.0.1'))


if __name__ == '__main__':
    unittest.main()
