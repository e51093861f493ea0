"""A version of Python that no node has is refused before a build starts."""

import unittest
from types import SimpleNamespace
from typing import Any
from unittest import mock

from zuul_local.build import request
from zuul_local.errors import UserError
from zuul_local.nodes.labels import Label

LABELS = {name: mock.Mock(Label, offline=False, pythons=pythons)
          for name, pythons in (('one', ('3.11',)), ('two', ('3.13',)))}
for name, label in LABELS.items():
    label.name = name


def check(**variables: Any) -> None:
    """Check a job with these variables on a node of label ``one``."""
    nodeset = SimpleNamespace(getNodes=lambda: [SimpleNamespace(label='one')])
    frozen: Any = SimpleNamespace(job=SimpleNamespace(name='job', variables=variables, nodeset=nodeset))
    with mock.patch.object(request, 'load_labels', lambda: LABELS):
        request._check_python(frozen)


class PythonVersion(unittest.TestCase):
    def test_forms(self) -> None:
        for value, expected in ((None, []), ('', []), ('3.11', ['3.11']), (3.11, ['3.11']), (3, ['3']),
                                (['3.11', 3.12], ['3.11', '3.12']), ('3.11, 3.12', ['3.11', '3.12'])):
            with self.subTest(value=value):
                self.assertEqual(expected, request.python_versions(value))

    def test_accepted(self) -> None:
        for variables in ({}, {'python_version': '3'}, {'python_version': [3.11, '3']},
                          {'python_version': '3.12', 'ensure_python_source': {'uris': 'x'}},
                          {'python_version': '3.12', 'python_use_stow': True},
                          {'python_version': '3.12', 'python_use_pyenv': True}):
            with self.subTest(variables=variables):
                check(**variables)

    def test_refused(self) -> None:
        for value, said, hint in (('3.13', 'wants Python 3.13, which label one does not have', '--label two'),
                                  ('3.11 3.12', 'wants Python 3.12', 'No label has it: one has 3.11; two has 3.13'),
                                  (3.1, 'wants Python 3.1,', 'No label has it')):
            with self.subTest(value=value), self.assertRaisesRegex(UserError, said) as caught:
                check(python_version=value)
            self.assertIn(hint, caught.exception.hint)


if __name__ == '__main__':
    unittest.main()
