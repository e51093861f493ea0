import subprocess

from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local.errors import UserError
from zuul_local.tenant.project import identify, parse_gitreview, parse_remote

REMOTES = [
    ('https://opendev.org/openstack/nova', ('opendev.org', 'openstack/nova')),
    ('https://opendev.org/openstack/nova.git', ('opendev.org', 'openstack/nova')),
    ('https://user:secret@example.org:8443/team/thing/', ('example.org', 'team/thing')),
    ('git@github.com:team/thing.git', ('github.com', 'team/thing')),
    ('github.com:team/thing', ('github.com', 'team/thing')),
    ('ssh://user@review.example.org:29418/team/thing', ('review.example.org', 'team/thing')),
    ('git@example.org:/srv/git/thing.git', ('example.org', 'srv/git/thing')),
    ('/srv/git/thing.git', None),
    ('../thing', None),
    ('file:///srv/git/thing', None),
    ('https://example.org/', None),
    ('https://example.org/team/../../thing', None),
    ('git@example.org:../../thing', None),
    ('git@..:thing', None),
    ('https://example.org/team/.git/x', None),
    ('https://[broken/thing', None),
    ('', None),
]
GITREVIEWS = [
    ('[gerrit]\nhost=review.opendev.org\nport=29418\nproject=openstack/nova.git\n', ('opendev.org', 'openstack/nova')),
    ('[gerrit]\nhost=gerrit.example.org\nproject=thing\n', ('gerrit.example.org', 'thing')),
    ('[gerrit]\nhost=gerrit.example.org\n', None),
    ('[gerrit]\nhost=example.org\nproject=~me/a+b.c\n', ('example.org', '~me/a+b.c')),
    ('[gerrit]\nhost=example.org\nproject=../../../root/thing\n', None),
    ('[gerrit]\nhost=example.org\nproject=team//thing\n', None),
    ('[gerrit]\nhost=example.org\nproject=team/..\n', None),
    ('[gerrit]\nhost=../..\nproject=thing\n', None),
    ('[gerrit]\nhost=example.org\nproject=\n', None),
    ('[other]\nproject=thing\n', None),
    ('nonsense', None),
    ('', None),
]


class TestNames(ScratchCase):
    def test_remotes(self):
        for url, expected in REMOTES:
            with self.subTest(url):
                self.assertEqual(expected, parse_remote(url))

    def test_gitreviews(self):
        for text, expected in GITREVIEWS:
            with self.subTest(text):
                self.assertEqual(expected, parse_gitreview(text))

    def test_gitreview_then_origin_then_folder(self):
        folder = self.repository('my thing')
        self.assertEqual('local/my-thing', identify(folder).canonical_name)
        self.git(folder, 'remote', 'add', 'origin', 'git@example.org:team/thing.git')
        self.assertEqual('example.org/team/thing', identify(folder).canonical_name)
        self.write(folder, {'.gitreview': '[gerrit]\nhost=review.example.org\nproject=team/other.git\n'})
        self.assertEqual('example.org/team/other', identify(folder).canonical_name)
        self.assertEqual('x.org/a', identify(folder, canonical_name='x.org/a').canonical_name)


class TestFolder(ScratchCase):
    def test_subfolder_is_the_repository(self):
        folder = self.repository('thing', {'docs/index.rst': ''})
        project = identify(folder / 'docs')
        self.assertEqual((folder, folder, ''), (project.path, project.toplevel, project.subfolder))

    def test_subfolder_with_configuration_is_a_project(self):
        folder = self.repository('thing', {'examples/small/.zuul.yaml': '[]', 'examples/small/src/a': ''})
        project = identify(folder / 'examples/small/src')
        self.assertEqual(('local/small', 'examples/small'), (project.canonical_name, project.subfolder))

    def test_branch(self):
        folder = self.repository('thing')
        self.assertEqual('main', identify(folder).branch)
        self.assertEqual('stable/1', identify(folder, base_ref='stable/1').branch)
        self.git(folder, 'checkout', '-q', '--detach')
        self.assertEqual('stable/1', identify(folder, base_ref='stable/1').branch)
        self.assertEqual('master', identify(folder, detached_as='master').branch)


class TestRefused(ScratchCase):
    def refused(self, *arguments, **named):
        with self.assertRaises(UserError) as caught:
            identify(*arguments, **named)
        return caught.exception

    def test_no_folder(self):
        self.assertIn('no such folder', self.refused(self.folder / 'nothing').message)

    def test_path_that_is_not_utf8(self):
        folder = self.folder / 'bad\udcff'
        folder.mkdir()
        self.assertIn(r"bad\xff': a path that is not UTF-8", self.refused(folder).message)

    def test_no_repository(self):
        error = self.refused(self.folder)
        self.assertIn('not in a git repository', error.message)
        self.assertIn('git init', error.hint)

    def test_no_commit(self):
        error = self.refused(self.repository('thing', {'a': ''}, commit=False))
        self.assertIn('no commit yet', error.message)
        self.assertIn('commit', error.hint)

    def test_detached_head(self):
        folder = self.repository('thing')
        self.git(folder, 'checkout', '-q', '--detach')
        error = self.refused(folder)
        self.assertIn('detached HEAD', error.message)
        self.assertIn('--base-ref', error.hint)

    def test_canonical_name_that_leads_elsewhere(self):
        folder = self.repository('thing')
        for name in ('example.org/../thing', '../thing', 'example.org//thing', 'example.org/', 'example.org'):
            with self.subTest(name):
                self.assertIn('not a canonical project name', self.refused(folder, canonical_name=name).message)

    def test_branch_name(self):
        error = self.refused(self.repository('thing'), base_ref='a..b')
        self.assertIn("'a..b' is not a valid branch name", error.message)

    def test_broken_repository(self):
        folder = self.repository('thing')
        (folder / '.git/config').write_text('[core\n')
        said = subprocess.run(('git', '-C', folder, 'status'), capture_output=True, text=True).stderr.strip()
        self.assertIn(said, self.refused(folder).message)
