"""What two images have that the other has not."""

import copy
import unittest
from typing import Any

from zuul_local.nodes import difference

OLD: dict[str, Any] = {
    'label': 'debian-trixie', 'built': '2026-01-01T00:00:00Z', 'os': {'id': 'debian'}, 'architecture': 'x86_64',
    'profiles': ['node'], 'pythons': ['3.13'], 'tools': {'tox-env': {'tox': '4.1', 'pluggy': '1.5'}},
    'commands': {'tox': '/usr/tox-env/bin/tox'}, 'packages': {'git': '1:2.47', 'curl': '8'},
    'caches': {'wheels': {'path': '/w', 'files': {'a.whl': 'a' * 64}}, 'files': {'path': '/f', 'files': {}},
               'packages': {'path': '/p', 'files': {}},
               'repositories': {'path': '/opt/git', 'heads': {'example.org/a': 'c' * 40}}},
    'missing': {}, 'bytes': {'total': 900_000_000, '/usr/tox-env': 20_000_000},
}


class Difference(unittest.TestCase):
    def setUp(self) -> None:
        self.new = copy.deepcopy(OLD)

    def test_the_time_of_building_is_no_difference(self) -> None:
        self.new['built'] = '2026-02-02T00:00:00Z'
        self.assertEqual({}, difference.difference(OLD, self.new))

    def test_each_section(self) -> None:
        self.new['packages'] = {'git': '1:2.48', 'vim': '9'}
        self.new['tools']['tox-env'] = {'tox': '4.2', 'pluggy': '1.5'}
        self.new['caches']['wheels']['files'] = {'a.whl': 'b' * 64}
        self.new['caches']['repositories']['heads'] = {}
        self.new['missing'] = {'files': ['etcd.tar.gz: 404']}
        self.new['bytes'] = {'total': 950_000_000, '/usr/tox-env': 20_000_000}
        found = difference.difference(OLD, self.new)
        self.assertEqual(
            {'packages': {'curl': {'old': '8', 'new': None}, 'git': {'old': '1:2.47', 'new': '1:2.48'},
                          'vim': {'old': None, 'new': '9'}},
             'tools': {'tox-env tox': {'old': '4.1', 'new': '4.2'}},
             'cache wheels': {'a.whl': {'old': 'a' * 64, 'new': 'b' * 64}},
             'cache repositories': {'example.org/a': {'old': 'c' * 40, 'new': None}},
             'missing': {'files': {'old': None, 'new': ['etcd.tar.gz: 404']}},
             'bytes': {'total': {'old': 900_000_000, 'new': 950_000_000}}}, found)
        self.assertEqual(
            ['packages (3)', '  - curl  8', '  ~ git  1:2.47 → 1:2.48', '  + vim  9', 'tools (1)',
             '  ~ tox-env tox  4.1 → 4.2', 'cache wheels (1)', '  ~ a.whl  aaaaaaaaaaaa… → bbbbbbbbbbbb…',
             'cache repositories (1)', f'  - example.org/a  {"c" * 40}', 'missing (1)', '  + files  etcd.tar.gz: 404',
             'bytes (1)', '       +50.0 MB  total'], list(difference.lines(found)))

    def test_facts_of_an_older_recipe_can_be_compared(self) -> None:
        found = difference.difference({'label': 'debian-trixie'}, OLD)
        self.assertEqual({'old': None, 'new': '8'}, found['packages']['curl'])
