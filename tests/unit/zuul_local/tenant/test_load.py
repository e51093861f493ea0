from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local import paths
from zuul_local.errors import UserError
from zuul_local.tenant.load import CONFIG_NAME, LIBRARY_NAME, PIPELINE, load_tenant, tenant_configuration
from zuul_local.tenant.project import Project

JOB = '''
- job:
    name: {}
    description: {}
    run: run.yaml
'''


class TestTenant(ScratchCase):
    def test_the_three_projects(self):
        tenant = self.tenant({})
        self.assertEqual([CONFIG_NAME, LIBRARY_NAME, 'local/thing'], list(tenant.projects))
        self.assertEqual([], tenant.problems)
        self.assertIn('tox', tenant.layout.jobs)
        self.assertIn(PIPELINE, tenant.layout.pipeline_managers)

    def test_uncommitted_edits_and_new_files_count(self):
        folder = self.repository('thing', {'.zuul.yaml': JOB.format('mine', 'old')})
        self.write(folder, {'.zuul.yaml': JOB.format('mine', 'new')})
        self.assertEqual('new', load_tenant(folder).layout.jobs['mine'][0].description)
        self.write(folder, {'zuul.d/more.yaml': JOB.format('untracked', 'x')})
        (folder / '.zuul.yaml').unlink()
        self.assertNotIn('mine', load_tenant(folder).layout.jobs)
        self.assertIn('untracked', load_tenant(folder).layout.jobs)

    def test_given_repositories(self):
        other = self.repository('other', {'zuul.yaml': JOB.format('theirs', 'x')})
        tenant = self.tenant({}, given=[f'example.org/team/other={other}'])
        self.assertIn('theirs', tenant.layout.jobs)
        self.assertEqual(other, tenant.projects['example.org/team/other'].path)

    def test_the_library_is_one_project(self):
        tenant = load_tenant(paths.LIBRARY, base_ref='main')
        self.assertEqual([CONFIG_NAME, LIBRARY_NAME], list(tenant.projects))
        self.assertTrue(any(name.startswith('self-test-') and len(variants) == 1
                            for name, variants in tenant.layout.jobs.items()))

    def test_a_taken_name_is_reported_where_it_is_taken_second(self):
        tenant = self.tenant({'.zuul.yaml': JOB.format('tox', 'mine')})
        [problem] = tenant.problems
        self.assertEqual(str(tenant.project.path / '.zuul.yaml'), problem.path)
        self.assertNotEqual('mine', tenant.layout.jobs['tox'][0].description)


class TestRefused(ScratchCase):
    def given(self, where):
        with self.assertRaises(UserError) as caught:
            self.tenant({}, given=[f'example.org/other={where}'])
        return caught.exception.message

    def test_folder_without_git(self):
        (self.folder / 'other').mkdir()
        message = self.given(self.folder / 'other')
        self.assertIn('example.org/other: ', message)
        self.assertIn('not in a git repository', message)

    def test_no_folder(self):
        self.assertIn('no such folder', self.given(self.folder / 'other'))

    def test_no_commit(self):
        self.assertIn('no commit yet', self.given(self.repository('other', {'a': ''}, commit=False)))

    def test_detached_head(self):
        folder = self.repository('other')
        self.git(folder, 'checkout', '-q', '--detach')
        self.assertIn('detached HEAD', self.given(folder))

    def test_somebody_else_as_the_config_project(self):
        folder = self.repository('config-project')
        with self.assertRaisesRegex(UserError, 'name is local/config-project'):
            load_tenant(folder)
        with self.assertRaisesRegex(UserError, 'name is local/config-project'):
            load_tenant(self.repository('thing'), given=[f'{CONFIG_NAME}={folder}'])
        own = load_tenant(paths.LIBRARY / 'config-project', base_ref='main')
        self.assertEqual(CONFIG_NAME, own.project.canonical_name)


class TestConfiguration(ScratchCase):
    def project(self, canonical_name):
        host, _, name = canonical_name.partition('/')
        return Project(host, name, self.folder, self.folder, 'main')

    def test_order(self):
        made = [self.project(name) for name in (CONFIG_NAME, LIBRARY_NAME, 'example.org/a', 'local/thing')]
        conf = tenant_configuration(made[-1], made)
        self.assertEqual(['opendev.org', 'example.org', 'local'], list(conf['source']))
        self.assertEqual({'config-projects': ['config-project'], 'untrusted-projects': ['thing']},
                         conf['source']['local'])
        self.assertEqual({'untrusted-projects': ['zuul/zuul-jobs']}, conf['source']['opendev.org'])

    def test_self_tests_only_at_home(self):
        library = self.project(LIBRARY_NAME)
        [entry] = tenant_configuration(library, [library])['source']['opendev.org']['untrusted-projects']
        self.assertEqual({'zuul/zuul-jobs': {'extra-config-paths': ['zuul-tests.d/']}}, entry)
