from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local.errors import UserError
from zuul_local.tenant.sources import Repo, read_configuration

FILES = ('zuul.yaml', '.zuul.yaml')
DIRS = ('zuul.d', '.zuul.d')


class TestReadConfiguration(ScratchCase):
    def read(self, extra=None, dirs=DIRS):
        return read_configuration(Repo('thing', self.folder, 'main', extra or {}), FILES, dirs)

    def test_files_and_folders(self):
        self.write(self.folder, {'.zuul.yaml': 'a', 'zuul.d/b.yaml': 'b', 'zuul.d/deep/c.yaml': 'c',
                                 'zuul.d/d.txt': 'd', 'other/e.yaml': 'e'})
        self.assertEqual({'.zuul.yaml': 'a', 'zuul.d/b.yaml': 'b', 'zuul.d/deep/c.yaml': 'c'}, self.read())
        self.assertEqual('e', self.read(dirs=('other/',))['other/e.yaml'])

    def test_ignored_folder(self):
        self.write(self.folder, {'zuul.d/a.yaml': 'a', 'zuul.d/off/.zuul.ignore': '', 'zuul.d/off/b.yaml': 'b',
                                 'zuul.d/off/deep/c.yaml': 'c'})
        self.assertEqual({'zuul.d/a.yaml': 'a'}, self.read())

    def test_links(self):
        self.write(self.folder, {'inside.yaml': 'a', 'zuul.d/x.yaml': 'x'})
        (self.folder / '.zuul.yaml').symlink_to('inside.yaml')
        (self.folder / 'zuul.yaml').symlink_to('/etc/passwd')
        (self.folder / 'zuul.d/y.yaml').symlink_to('/etc/passwd')
        (self.folder / '.zuul.d').symlink_to('/etc')
        self.assertEqual({'.zuul.yaml': 'a', 'zuul.d/x.yaml': 'x'}, self.read())

    def test_extra_files(self):
        extra = {'zuul.d/more.yaml': 'm', 'elsewhere/n.yaml': 'n', '.zuul.yaml': 'z'}
        self.assertEqual({'zuul.d/more.yaml': 'm', '.zuul.yaml': 'z'}, self.read(extra))

    def test_not_text(self):
        (self.folder / '.zuul.yaml').write_bytes(b'- job: \xff')
        with self.assertRaises(UserError) as caught:
            self.read()
        self.assertIn('.zuul.yaml: not UTF-8 at byte 7', caught.exception.message)
