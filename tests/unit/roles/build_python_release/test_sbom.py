# SPDX-License-Identifier: Apache-2.0
"""The bill of materials tells what a release declares, and is the same for the same files."""
from __future__ import annotations

import email.parser
import unittest
from typing import Any

from tests.unit.roles import module_utils

sbom: Any = module_utils('build_python_release_sbom')
ABOUT = '''Metadata-Version: 2.4
Name: My.Thing
Version: 1.0+a
Summary: A
  thing
License-Expression: Apache-2.0
Requires-Dist: Six>=1.16,<2
Requires-Dist: zope.interface ; python_version < "3.9"
Requires-Dist: six ; extra == "more"
Requires-Dist: sphinx[test]>=7 ; extra == 'docs'
Requires-Dist: !nonsense
'''
FILES = [{'name': 'my_thing-1.0+a.tar.gz', 'type': 'python_sdist', 'sha256': 'aa', 'project': 'my-thing',
          'version': '1.0+a'},
         {'name': 'my_thing-1.0+a-py3-none-any.whl', 'type': 'python_wheel', 'sha256': 'bb', 'project': 'my-thing',
          'version': '1.0+a'}]


def document(about: str = ABOUT, files: Any = None, epoch: int = 1_700_000_000) -> Any:
    return sbom.document(email.parser.Parser().parsestr(about), files or FILES, epoch)


class DocumentTest(unittest.TestCase):
    def test_the_release(self) -> None:
        told = document()
        main = told['metadata']['component']
        self.assertEqual((told['bomFormat'], told['specVersion'], told['version'], told['metadata']['timestamp']),
                         ('CycloneDX', '1.5', 1, '2023-11-14T22:13:20Z'))
        self.assertEqual((main['name'], main['version'], main['purl'], main['description'], main['licenses']),
                         ('My.Thing', '1.0+a', 'pkg:pypi/my-thing@1.0%2Ba', 'A thing', [{'expression': 'Apache-2.0'}]))
        self.assertEqual([(one['name'], one['hashes']) for one in main['components']], [
            (one['name'], [{'alg': 'SHA-256', 'content': one['sha256']}]) for one in FILES])

    def test_what_it_needs(self) -> None:
        told = document()
        found = [(one['name'], one['scope'], [value['value'] for value in one['properties']])
                 for one in told['components']]
        self.assertEqual(
            found, [
                ('six', 'required', ['Six>=1.16,<2', 'six ; extra == "more"']),
                ('sphinx', 'optional', ["sphinx[test]>=7 ; extra == 'docs'"]),
                ('zope-interface', 'required', ['zope.interface ; python_version < "3.9"'])])
        references = [told['metadata']['component']['bom-ref'], *(one['bom-ref'] for one in told['components'])]
        self.assertEqual([one['ref'] for one in told['dependencies']], references)
        self.assertEqual(told['dependencies'][0]['dependsOn'], references[1:])

    def test_the_same_for_the_same(self) -> None:
        self.assertEqual(document(), document())
        other = document(files=[FILES[0], {**FILES[1], 'sha256': 'cc'}])
        self.assertNotEqual(other['serialNumber'], document()['serialNumber'])

    def test_what_is_not_known_is_not_told(self) -> None:
        told = document('Name: thing\nVersion: 1\nLicense: UNKNOWN\n', epoch=0)
        self.assertNotIn('timestamp', told['metadata'])
        self.assertLessEqual({'licenses', 'description'} & set(told['metadata']['component']), set())
        self.assertEqual(document('Name: a\nVersion: 1\nLicense: MIT\n')['metadata']['component']['licenses'],
                         [{'license': {'name': 'MIT'}}])
        told = document('Name: a\nVersion: 1\nLicense: A\n  long text\n')
        self.assertNotIn('licenses', told['metadata']['component'])


if __name__ == '__main__':
    unittest.main()
