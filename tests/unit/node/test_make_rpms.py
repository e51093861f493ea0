"""The table of the RPM stand-in, and what is made of a line of it."""

import unittest
from collections import Counter

from tests.unit.node import program
from zuul_local.nodes.image import RECIPE

make_rpms = program('recipe/make-rpms')
TABLE = (RECIPE / 'recipe/rpm-standin.txt').read_text()


class Rows(unittest.TestCase):
    def test_rows(self) -> None:
        for line, expected in (
            ('installed  gcc  gcc', ('installed', 'gcc', ['gcc'], '', [])),
            ('available  python3-pip  python3-pip,python3-more  requires=one,two',
             ('available', 'python3-pip', ['python3-pip', 'python3-more'], '', ['Requires: one', 'Requires: two'])),
            ('installed  release  base-files  version=9.5 provides=system-release(releasever)=9',
             ('installed', 'release', ['base-files'], '9.5', ['Provides: system-release(releasever) = 9'])),
        ):
            with self.subTest(line):
                self.assertEqual([expected], make_rpms.rows(f'# a remark\n\n{line}\n'))

    def test_our_table(self) -> None:
        rows = make_rpms.rows(TABLE)
        self.assertEqual({'installed', 'available'}, {row.state for row in rows})
        self.assertEqual({}, {name: times for name, times in Counter(row.name for row in rows).items() if times > 1})
        available = {row.name for row in rows if row.state == 'available'}
        needed = {line.split()[1] for row in rows for line in row.relations if line.startswith('Requires')}
        self.assertLessEqual(needed, {row.name for row in rows})
        self.assertLessEqual({'hello', 'tree', 'python3-pip', 'python3-packaging', 'python3-setuptools'}, available)

    def test_it_has_what_the_recipe_installs_on_rpm_platforms(self) -> None:
        lines = [line.partition('[') for line in (RECIPE / 'recipe/bindep.txt').read_text().splitlines()]
        wanted = {name.strip() for name, _, profiles in lines
                  if profiles.startswith('node') and 'platform:dpkg' not in profiles}
        self.assertLessEqual(wanted, {row.name for row in make_rpms.rows(TABLE) if row.state == 'installed'})


class Versions(unittest.TestCase):
    def test_upstream(self) -> None:
        for version, expected in (('4:12.2.0-3', '12.2.0'), ('3.11.2-1+b1', '3.11.2'), ('20250419', '20250419'),
                                  ('1:2.39.5-0+deb12u2', '2.39.5'), ('5.2.15-2+b7', '5.2.15'), ('1.0~rc1-1', '1.0')):
            with self.subTest(version):
                self.assertEqual(expected, make_rpms.upstream(version))
