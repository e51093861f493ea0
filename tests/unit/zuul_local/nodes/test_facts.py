"""The facts of an image are found in all that has them."""

import io
import json
import tarfile
import tempfile
import unittest
from pathlib import Path

from zuul_local.errors import UserError
from zuul_local.nodes import budget, facts

FACTS = {'label': 'debian-trixie', 'bytes': {'total': 3_000_000, '/opt/cache/wheels': 2_500_000, '/usr/tox-env': 1}}


def tar(path: Path, *members: tuple[str, bytes | str]) -> Path:
    """Write a tar: bytes are a file's, a text is the target of a link."""
    with tarfile.open(path, 'w') as archive:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            if isinstance(data, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, data
                archive.addfile(entry)
            else:
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return path


class Read(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_of_each_kind_of_file(self) -> None:
        text = json.dumps(FACTS)
        (self.folder / 'facts.json').write_text(text)
        tar(self.folder / 'image.tar', ('./etc/hostname', b'x'), ('./etc/ci-node-facts.json', text.encode()))
        disk = self.folder / 'image.qcow2'
        disk.write_bytes(b'QFI\xfb')
        facts.beside(disk).write_text(text)
        for name in ('facts.json', 'image.tar', 'image.qcow2'):
            with self.subTest(name):
                self.assertEqual(FACTS, facts.read(str(self.folder / name), None))

    def test_refusals(self) -> None:
        (self.folder / 'list.json').write_text('[]')
        (self.folder / 'broken.json').write_text('{')
        (self.folder / 'lonely.qcow2').write_bytes(b'QFI\xfb')
        tar(self.folder / 'empty.tar', ('etc/hostname', b'x'))
        tar(self.folder / 'link.tar', ('etc/ci-node-facts.json', '/etc/shadow'))
        for name, words in (('list.json', 'no "label"'), ('broken.json', 'Expecting'), ('empty.tar', 'the tar has no'),
                            ('link.tar', 'the tar has no'), ('lonely.qcow2', 'lonely.qcow2.facts.json is not there'),
                            ('none', 'there is no such file')):
            with self.subTest(name), self.assertRaises(UserError) as caught:
                facts.read(str(self.folder / name), None)
            self.assertIn(words, caught.exception.message)


class Budget(unittest.TestCase):
    def test_one_that_is_too_large_is_refused_with_its_parts_by_size(self) -> None:
        limit = budget.MEGABYTES['tar'] * 1_000_000
        budget.check('image.tar', 'tar', limit, lambda: FACTS)
        with self.assertRaises(UserError) as caught:
            budget.check('image.tar', 'tar', limit + 1_000_000, lambda: FACTS)
        self.assertEqual(
            f'image.tar takes {limit // 1_000_000 + 1} MB, and the budget of a tar is {limit // 1_000_000} MB. '
            'The largest parts inside:\n'
            '       3.0 MB  total\n       2.5 MB  /opt/cache/wheels\n       0.0 MB  /usr/tox-env',
            caught.exception.message)
