"""The tenants of Zuul's own tests, loaded and frozen here; results are what Zuul's tests assert."""

from __future__ import annotations

import ast
import collections
import json
import re
import unittest
from typing import Any

from tests.unit.golden import fixtures
from tests.unit.golden.sdist import tests_of_zuul
from zuul_local.errors import UserError
from zuul_local.tenant.freeze import Frozen, freeze
from zuul_local.tenant.load import LocalTenant

# Pinned: another Zuul may bring others, but not lose any without somebody looking.
LOADED, FROZEN = 212, 830
REFUSALS = {
    'does not specify a run playbook': 179,
    'is abstract and may not be directly run': 10,
    'may not be attached to a pipeline in': 7,
    'is not allowed to run job': 2,
    'may only be inherited by another abstract job': 2,
    'no variant of it, or of a parent, matches': 10,
}
NOT_LOADED = {
    "Requested ansible version 'SETME' is unknown": 3,      # filled in by the test that uses it
    'list index out of range': 1,                           # a tenant without any project
    'The global semaphore "global-semaphore" was not found': 2,
    'extra keys not allowed': 1,
    'Expected str or list of str for extra-config-paths': 1,
    'Default zuul configs are not allowed in extra-config-paths': 1,
    'expected a dictionary for dictionary value': 1,
    'The Authorization Role "not_a_valid_role" was not found': 1,
    'The Authorization Rule "auth-rule-three" was not found': 1,
    'may not configure config-project common-config': 2,
}
# What a local change has and the branch that Zuul's web asks about has not, or the other way round
CONTEXT = {
    'job_ref', 'parent_data', 'secret_parent_data', 'secret_vars', 'projects', 'ssh_keys', 'zuul._inheritance_path.3',
    'zuul.attempts', 'zuul.build', 'zuul.build_refs', 'zuul.buildset', 'zuul.buildset_refs', 'zuul.change',
    'zuul.change_message', 'zuul.change_url', 'zuul.commit_id', 'zuul.items', 'zuul.max_attempts', 'zuul.message',
    'zuul.patchset', 'zuul.pipeline', 'zuul.post_review', 'zuul.projects', 'zuul.ref', 'zuul.topic',
}


class FixtureCase(unittest.TestCase):
    def load(self, file: str, project: str = '') -> LocalTenant:
        tests = tests_of_zuul()
        return fixtures.load(tests, file, fixtures.tenant(tests, file), project)

    def freeze(self, file: str, project: str, job: str) -> Frozen:
        return freeze(self.load(file, project), job)


class TestAllTenants(unittest.TestCase):
    def test_load_and_freeze_everything(self):
        tests = tests_of_zuul()
        loaded = frozen = 0
        refusals: collections.Counter[str] = collections.Counter()
        failures: collections.Counter[str] = collections.Counter()
        for file, conf in fixtures.tenants(tests):
            try:
                tenant = fixtures.load(tests, file, conf)
            except Exception as error:      # Zuul's own, of many kinds: each is in the table
                failures[kind_of(str(error), NOT_LOADED)] += 1
                continue
            loaded += 1
            for name in tenant.layout.jobs:
                try:
                    freeze(tenant, name)
                    frozen += 1
                except UserError as error:
                    refusals[kind_of(error.message, REFUSALS)] += 1
        self.assertEqual((LOADED, FROZEN), (loaded, frozen))
        self.assertEqual(REFUSALS, dict(refusals))
        self.assertEqual(NOT_LOADED, dict(failures))


class TestFreezeJob(FixtureCase):
    """zuul.web's freeze-job, as tests/unit/test_web.py expects it."""

    def test_equal_but_for_the_request(self):
        expected = dict(flat(expected_of('test_freeze_job')))
        frozen = self.freeze('single-tenant/main.yaml', 'org/project1', 'project-test1')
        self.assertEqual('check', frozen.pipeline)
        seen = dict(flat(json.loads(json.dumps(as_web_shows(frozen), default=list))))
        nothing = object()
        differing = {context(path) for path in expected.keys() | seen.keys()
                     if expected.get(path, nothing) != seen.get(path, nothing)}
        self.assertEqual(CONTEXT, differing)
        self.assertGreater(len([path for path in expected if context(path) not in CONTEXT]), 60)


class TestFacts(FixtureCase):
    """What Zuul's tests of these names assert of builds, read off the frozen job."""

    def test_inventory(self):       # test_inventory.TestInventory*
        tenant = self.load('inventory/main.yaml', 'org/project')
        for job, nodes, groups in (
                ('single-inventory', [(['ubuntu-xenial'], 'ubuntu-xenial')], {}),
                ('single-inventory-list', [(['compute', 'controller'], 'ubuntu-xenial')], {}),
                ('executor-only-inventory', [], {}),
                ('group-inventory', [(['controller'], 'controller-label'), (['compute1'], 'compute-label'),
                                     (['compute2'], 'compute-label')],
                 {'ceph-osd': ['controller'], 'ceph-monitor': ['controller', 'compute1', 'compute2']})):
            with self.subTest(job):
                nodeset = freeze(tenant, job).job.nodeset
                self.assertEqual(nodes, [(list(node.name), node.label) for node in nodeset.getNodes()])
                self.assertEqual(groups, {group.name: list(group.nodes) for group in nodeset.getGroups()})
        self.assertEqual({'ceph-osd': {'ceph_var': 'ceph'}}, freeze(tenant, 'group-inventory').job.group_variables)
        self.assertEqual({'appliance': {'ansible_network_os': 'foo'}}, freeze(tenant, 'network').job.host_variables)

    def test_ansible_versions(self):        # test_v3.TestAnsibleVersion
        for job, version in (('ansible-default', '11'), ('ansible-9', '9'), ('ansible-11', '11')):
            with self.subTest(job):
                frozen = self.freeze('ansible-versions/main.yaml', 'org/project', job)
                self.assertEqual(version, frozen.job.ansible_version)

    def test_allowed_projects(self):        # test_v3.TestAllowedProjects, TestAllowedProjectsTrusted
        file = 'allowed-projects/main.yaml'
        self.freeze(file, 'org/project1', 'restricted-job')
        for project, job in (('org/project2', 'test-project2'), ('org/project3', 'restricted-job')):
            with self.subTest(project), self.assertRaisesRegex(
                    UserError, f'Project {project} is not allowed to run job {job}'):
                self.freeze(file, project, job)
        self.freeze('allowed-projects-trusted/main.yaml', 'org/project2', 'test-project1')

    def test_abstract(self):        # test_v3.TestAbstract
        with self.assertRaisesRegex(UserError, 'may not be directly run'):
            self.freeze('abstract/main.yaml', 'org/project', 'job-abstract')
        frozen = self.freeze('abstract/main.yaml', 'org/project', 'job-child')
        self.assertEqual(['playbooks/base.yaml'], [one['path'] for one in frozen.job.run])

    def test_roles(self):           # test_v3.TestRoles
        [playbook] = self.freeze('roles/main.yaml', 'org/project', 'project-test').job.run
        self.assertEqual([('org/project', True), ('bare-role', False)],
                         [(role['project'], role['implicit']) for role in playbook['roles']
                          if role['project'] != 'common-config'])

    def test_secrets_are_not_inherited(self):       # test_v3.TestSecretInheritance
        job = self.freeze('secret-inheritance/main.yaml', 'org/project', 'trusted-secrets-untrusted-child').job
        self.assertEqual([['base_secret']], [list(one['secrets']) for one in job.pre_run])
        self.assertEqual([[]], [list(one['secrets']) for one in job.run])
        job = self.freeze('secret-inheritance/main.yaml', 'org/project', 'trusted-secrets').job
        self.assertEqual([['trusted_secret']], [list(one['secrets']) for one in job.run])


def kind_of(message: str, kinds: dict[str, int]) -> str:
    """Return which of *kinds* the message is, itself when none."""
    text = ' '.join(message.split())
    return next((kind for kind in kinds if kind in text), text)


def expected_of(test: str) -> dict[str, Any]:
    """Return the dictionary ``job_params`` of a test in test_web.py."""
    tree = ast.parse((tests_of_zuul() / 'unit/test_web.py').read_text(encoding='utf-8'))
    function = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == test)
    value: dict[str, Any] = next(
        ast.literal_eval(node.value) for node in function.body if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name) and node.targets[0].id == 'job_params')
    return value


def as_web_shows(frozen: Frozen) -> dict[str, Any]:
    """Return the facts in the form of zuul.web."""
    job = frozen.job
    same = ('pre_timeout', 'timeout', 'post_timeout', 'override_branch', 'override_checkout', 'ansible_version',
            'ansible_split_streams', 'workspace_scheme', 'workspace_checkout', 'failure_output')
    return {
        **frozen.params, **{name: getattr(job, name) for name in same}, 'job': job.name, 'playbooks': job.run,
        'pre_playbooks': job.pre_run, 'post_playbooks': job.post_run, 'cleanup_playbooks': job.cleanup_run,
        'nodeset': job.nodeset.toDict(), 'vars': job.variables, 'extra_vars': job.extra_variables,
        'host_vars': job.host_variables, 'group_vars': job.group_variables,
    }


def flat(value: Any, path: str = '') -> list[tuple[str, Any]]:
    """Return path and value of every leaf."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [leaf for key, one in inner for leaf in flat(one, f'{path}.{key}'.lstrip('.'))]
    return found or [(path, value)]


def context(path: str) -> str:
    """Return the part of the request that a leaf belongs to."""
    inheritance = re.match(r'zuul\._inheritance_path\.\d+', path)
    return inheritance[0] if inheritance else '.'.join(path.split('.')[:2 if path.startswith('zuul.') else 1])
