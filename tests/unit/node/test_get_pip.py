"""get-pip.py: the same wheel gives the same bytes, and what a node has is on the list that roles check it against."""

import hashlib
import re
import unittest

from tests.unit.node import program
from zuul_local.nodes.image import TOOLCHAIN
from zuul_local.paths import LIBRARY, cache_dir

LIST = LIBRARY / 'roles/ensure-pip/files/get-pip.sha256'
REMEDY = 'Write the list anew: node/list-get-pip > roles/ensure-pip/files/get-pip.sha256'
# The digest of what is made of a wheel with the bytes "wheel".  The list holds for this template only.
TEMPLATE = 'bafadee7d51ebff8af9dcb1c9807e930d889ceffd72b3744b72a4091eb493472'

make_get_pip = program('recipe/make-get-pip')


class List(unittest.TestCase):
    def setUp(self) -> None:
        self.listed = {version: digest for digest, version in map(str.split, LIST.read_text().splitlines())}

    def test_it_has_each_pip_of_the_lock(self) -> None:
        locked = re.findall(r'^pip==(\S+)', (TOOLCHAIN / 'pip.txt').read_text(), re.M)
        self.assertEqual(locked, list(self.listed), REMEDY)

    def test_it_is_made_with_the_template_of_today(self) -> None:
        made = make_get_pip.get_pip('pip-1-py3-none-any.whl', b'wheel')
        self.assertEqual(TEMPLATE, hashlib.sha256(made.encode()).hexdigest(), REMEDY)

    def test_wheels_at_hand_give_the_bytes_of_the_list(self) -> None:
        wheels = sorted((cache_dir() / 'wheels').glob('*/pip-*-py3-none-any.whl'))
        known = [wheel for wheel in wheels if wheel.name.split('-')[1] in self.listed]
        if not known:
            self.skipTest('no wheel of pip in the cache, for uv made the environments; nodes compare theirs')
        for wheel in known:
            made = make_get_pip.get_pip(wheel.name, wheel.read_bytes())
            self.assertEqual(self.listed[wheel.name.split('-')[1]], hashlib.sha256(made.encode()).hexdigest(), wheel)
