"""Pipelines, jobs and objects for images hang together: a contract, read by Zuul's own loader. No cloud is asked."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import shutil
import sys
from typing import Any
from unittest import mock

import yaml

from tests.unit.zuul_local.scratch import ScratchCase
from zuul_local import paths
from zuul_local.tenant.load import load_with_zuul
from zuul_local.tenant.sources import LocalConnections, Repo

LIBRARY = 'zuul/zuul-jobs'
CONFIG = 'config-project'
CLOUD = ('openstack', 'keystoneauth1', 'keystoneauth1.exceptions', 'keystoneauth1.exceptions.catalog')


@functools.cache
def openstack_driver() -> Any:
    """Return Zuul's own, which reads sections and providers. To read them it needs no library of the cloud."""
    absent = [name for name in CLOUD if importlib.util.find_spec(name.partition('.')[0]) is None]
    sys.modules.update(dict.fromkeys(absent, mock.MagicMock()))
    try:
        return importlib.import_module('zuul.driver.openstack').OpenstackDriver()
    finally:
        for name in absent:
            del sys.modules[name]


class TestImagePipelinesContract(ScratchCase):
    def setUp(self) -> None:
        super().setUp()
        config = self.folder / CONFIG
        shutil.copytree(paths.LIBRARY / CONFIG, config)
        example = config / 'zuul.d/images.yaml.example'
        example.rename(example.with_suffix(''))
        connections = LocalConnections({
            'opendev.org': {LIBRARY: Repo(LIBRARY, paths.LIBRARY, 'main')},
            'gerrit': {CONFIG: Repo(CONFIG, config, 'master')}})
        openstack = openstack_driver()
        # which would ask the cloud for the format that it wants
        asked = mock.patch.object(openstack, '_getEndpoint')
        asked.start().return_value.getImageFormat.return_value = 'qcow2'
        self.addCleanup(asked.stop)
        connections.drivers['openstack'] = openstack
        connections.connections['openstack'] = openstack.getConnection('openstack', {'cloud': 'example'})
        self.layout: Any = load_with_zuul({
            'name': 'main', 'default-ansible-version': '11', 'use-nodepool': False, 'max-job-timeout': 10800,
            'source': {'gerrit': {'config-projects': [CONFIG]},
                       'opendev.org': {'untrusted-projects': [{
                           LIBRARY: {'include': ['job', 'nodeset', 'project-template']}}]}},
        }, connections).layout

    def jobs(self, pipeline: str) -> dict[str, list[Any]]:
        """Return the jobs of the config project in *pipeline*."""
        [found] = [one for one in self.layout.project_configs[f'gerrit/{CONFIG}'] if pipeline in one.pipelines]
        return dict(found.pipelines[pipeline].job_list.jobs)

    def image_of(self, name: str) -> str | None:
        return next((one.image_build_name for one in self.layout.getJobs(name) if one.image_build_name), None)

    def test_zuul_reads_all_of_it(self) -> None:
        # The one nodeset that no cloud has; the example says so.
        wrong = [str(error.error) for error in self.layout.loading_errors.errors]
        self.assertEqual([], [text for text in wrong if 'label "rpm-standin" was not found' not in text])
        self.assertEqual(1, len(wrong))
        for name, provider in self.layout.providers.items():
            with self.subTest(provider=name):
                self.assertEqual(sorted(self.layout.images), sorted(provider.images))
        self.assertEqual(2, len(self.layout.providers))

    def test_each_image_is_built_and_one_job_says_that_it_passed(self) -> None:
        images = sorted(self.layout.images)
        self.assertEqual(['debian-bookworm', 'debian-bullseye', 'debian-trixie'], images)
        for pipeline in ('image-build', 'image-validate'):
            with self.subTest(pipeline=pipeline):
                self.assertEqual(images, sorted(str(self.image_of(name)) for name in self.jobs(pipeline)))
        self.assertEqual(['clean-images'], list(self.jobs('periodic')))
        self.assertIsNone(self.image_of('clean-images'))

    def test_every_provider_has_every_image_and_label(self) -> None:
        self.assertEqual(2, len(self.layout.provider_configs))
        for name, provider in self.layout.provider_configs.items():
            with self.subTest(provider=name):
                self.assertEqual(sorted(self.layout.labels), sorted(one['name'] for one in provider.config['labels']))

    def test_only_validation_puts_an_image_into_use(self) -> None:
        text = (paths.LIBRARY / CONFIG / 'zuul.d/pipelines.yaml').read_text()
        pipelines = {one['pipeline']['name']: one['pipeline'] for one in yaml.safe_load(text)}
        says = {name: (kind, one[kind]['zuul']) for name, one in pipelines.items()
                for kind in ('success', 'failure') if 'zuul' in one.get(kind, {})}
        self.assertEqual({'image-build', 'image-validate'}, set(says))
        self.assertEqual({'zuul': {'image-built': True}}, pipelines['image-build']['success'])
        self.assertNotIn('zuul', pipelines['image-build'].get('failure', {}))
        self.assertEqual({'zuul': {'image-validated': True}}, pipelines['image-validate']['success'])
        self.assertEqual({'zuul': {'image-validated': False}}, pipelines['image-validate']['failure'])
        self.assertEqual([{'event': 'image-build'}], pipelines['image-build']['trigger']['zuul'])
        self.assertEqual([{'event': 'image-validate'}], pipelines['image-validate']['trigger']['zuul'])

    def test_zuul_knows_what_the_pipelines_say(self) -> None:
        driver = importlib.import_module('zuul.driver.zuul.zuultrigger').getSchema()
        reporter = importlib.import_module('zuul.driver.zuul.zuulreporter').getSchema()
        text = (paths.LIBRARY / CONFIG / 'zuul.d/pipelines.yaml').read_text()
        seen = 0
        voluptuous = importlib.import_module('voluptuous')
        for one in yaml.safe_load(text):
            pipeline = one['pipeline']
            for trigger in pipeline['trigger'].get('zuul', []):
                voluptuous.Schema(driver)(trigger)
                seen += 1
            for kind in ('success', 'failure'):
                if 'zuul' in pipeline.get(kind, {}):
                    voluptuous.Schema(reporter)(pipeline[kind]['zuul'])
                    seen += 1
        self.assertEqual(5, seen)
