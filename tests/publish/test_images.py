"""The roles upload-image-s3 and -swift, with boto3 and moto's server, and with openstacksdk and OpenStack Swift."""
from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
import unittest
import urllib.parse
from collections.abc import Mapping
from typing import Any

from tests.publish import servers
from tests.publish.support import BUILD, ROOT, Called, PublishTest

SECRET = 'sEcReT/+value'
PART = 5 << 20
NAME = f'{BUILD["build"]}-one.raw'


class ImageTest(PublishTest):
    """An image of three parts, the last of which is small."""

    role = ''

    def setUp(self) -> None:
        super().setUp()
        self.requests: list[tuple[str, str]] = []
        self.moods: dict[str, list[float]] = {}
        self.image = self.work / 'one.raw'
        self.image.write_bytes(os.urandom(PART) + b'\0' * PART + os.urandom(1000))
        self.sha256 = hashlib.sha256(self.image.read_bytes()).hexdigest()

    def mood(self, method: str, path: str) -> float:
        """Note what is asked, and misbehave as a test wants."""
        self.requests.append((method, path))
        for text, answers in self.moods.items():
            if text in path and method == 'PUT' and answers:
                return answers.pop(0)
        return 0

    def upload(self, variables: Mapping[str, Any], tasks: str = 'main', job: Mapping[str, Any] | None = None) -> Called:
        mine = self.role.replace('-', '_') + '_'
        common = {'image_name': 'one', 'format': 'raw', 'filename': str(self.image), 'part_size': PART, 'workers': 2,
                  'compress_image': False}
        self.requests.clear()
        return self.call(self.role, {mine + name: value for name, value in {**common, **variables}.items()},
                         {'ansible_user_dir': str(self.work), 'ansible_python_interpreter': '/usr/bin/python3',
                          **(job or {})}, tasks=tasks)

    def artifact(self, called: Called) -> Any:
        self.assert_went_well(called)
        [artifact] = called.zuul['artifacts']
        self.assertEqual(artifact['metadata'], {
            'type': 'zuul_image', 'image_name': 'one', 'format': 'raw', 'sha256': self.sha256,
            'md5sum': hashlib.md5(self.image.read_bytes()).hexdigest()})
        return artifact['url']


class S3Server(ImageTest):
    """Has a bucket that everybody may read."""

    role = 'upload-image-s3'

    def setUp(self) -> None:
        super().setUp()
        real = self.enterContext(servers.s3(self.venv, self.top))
        self.endpoint = self.enterContext(servers.fickle(real, self.mood))
        self.s3(*[(what, {'Bucket': bucket, **more}) for bucket in ('images', 'others')
                  for what, more in (('create_bucket', {}), ('put_bucket_acl', {'ACL': 'public-read'}))])

    def s3(self, *calls: tuple[str, Mapping[str, Any]]) -> Any:
        """Ask the server as its owner would, and return the last answer."""
        script = ('import boto3, json, sys, time\n'
                  'client = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1",'
                  ' aws_access_key_id="a", aws_secret_access_key="b")\n'
                  'for what, more in json.load(sys.stdin):\n'
                  '    said = time.sleep(more["seconds"]) if what == "sleep" else getattr(client, what)(**more)\n'
                  'print(json.dumps(said, default=str))')
        done = subprocess.run((self.venv / 'bin/python', '-c', script, self.endpoint), input=json.dumps(calls),
                              check=True, stdout=subprocess.PIPE, text=True, timeout=60,
                              env={**os.environ, 'no_proxy': '127.0.0.1'})
        return json.loads(done.stdout)

    def publish(self, tasks: str = 'main', job: Mapping[str, Any] | None = None, **other: Any) -> Called:
        return self.upload({'bucket': 'images', 'aws_access_key': 'someone', 'aws_secret_key': SECRET,
                            'endpoint': self.endpoint, 'region': '', **other}, tasks, job)

    def sent(self) -> list[str]:
        """Return the numbers of the parts that were sent, as often as they were."""
        return sorted(urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)['partNumber'][0]
                      for method, path in self.requests if method == 'PUT' and 'partNumber' in path)


class S3ImageTest(S3Server):
    def test_it_is_there_once_and_whole(self) -> None:
        self.moods['partNumber=2'] = [503, -0.1]
        called = self.publish(delete_after=90000, job={
            'upload_image_base_part_size': 1, 'upload_image_base_name': '../evil',
            'upload_image_base_args': {'bucket': 'evil'}})
        url = self.artifact(called)
        self.assertEqual(url, f'{self.endpoint}/images/{NAME}')
        self.assertEqual(self.get(url)[2], self.image.read_bytes())
        self.assertEqual(self.sent(), ['1', '2', '2', '2', '3'])
        self.assertNotIn(SECRET, called.said)
        self.assertNotIn('X-Amz-Signature', called.said)
        [rule] = self.s3(('get_bucket_lifecycle_configuration', {'Bucket': 'images'}))['Rules']
        self.assertEqual((rule['Expiration']['Days'], rule['Filter']['Tag']),
                         (2, {'Key': 'zuul-image-days', 'Value': '2'}))
        tags = self.s3(('get_object_tagging', {'Bucket': 'images', 'Key': NAME}))['TagSet']
        self.assertEqual(tags, [rule['Filter']['Tag']])
        called = self.publish(export_s3_url=True)
        self.assertEqual(self.artifact(called), f's3://images/{NAME}')
        self.assertEqual(self.sent(), [])

    def test_one_that_fails_leaves_nothing(self) -> None:
        self.moods['partNumber=3'] = [400]
        called = self.publish()
        self.assertTrue(called.failed)
        self.assertEqual(called.zuul, {})
        self.assertIn('upload-image-s3: the image is not in the store: the store says 400', called.said)
        self.assertNotIn('Uploads', self.s3(('list_multipart_uploads', {'Bucket': 'images'})))
        self.assertNotIn('Contents', self.s3(('list_objects_v2', {'Bucket': 'images'})))

    def test_one_that_was_stopped_goes_on_and_is_packed(self) -> None:
        first = self.image.read_bytes()[:PART]
        upload = self.s3(('create_multipart_upload', {'Bucket': 'images', 'Key': NAME}))['UploadId']
        (self.work / 'first').write_bytes(first)
        script = ('import boto3, sys\nboto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1",'
                  ' aws_access_key_id="a", aws_secret_access_key="b").upload_part(Bucket="images", Key=sys.argv[2],'
                  ' UploadId=sys.argv[3], PartNumber=1, Body=open(sys.argv[4], "rb"))')
        subprocess.run((self.venv / 'bin/python', '-c', script, self.endpoint, NAME, upload, self.work / 'first'),
                       check=True, timeout=60, env={**os.environ, 'no_proxy': '127.0.0.1'})
        url = self.artifact(self.publish())
        self.assertEqual(self.sent(), ['2', '3'])
        self.assertEqual(self.get(url)[2], self.image.read_bytes())
        packed = self.artifact(self.publish(compress_image=True))
        self.assertEqual(packed, url + '.zst')
        self.assertEqual(subprocess.run(('zstd', '-dc'), input=self.get(packed)[2], stdout=subprocess.PIPE,
                                        check=True).stdout, self.image.read_bytes())

    def test_nonsense_is_refused_before_anything_is_sent(self) -> None:
        for more, told in (
                ({'bucket': '', 'aws_secret_key': '', 'endpoint': 'example.org', 'name': '../one.raw'}, (
                    '4 problems', 'upload_image_s3_bucket is empty', 'upload_image_s3_aws_secret_key is empty',
                    "upload_image_s3_endpoint is 'example.org': it must be an http(s) URL",
                    "the name in the store is '../one.raw'")),
                ({'part_size': 1 << 20}, ('less than 5 MiB',)),
                ({'bucket': 'none'}, ("the bucket 'none' is not there",))):
            with self.subTest(told=told):
                called = self.publish(**more)
                self.assertTrue(called.failed)
                for text in told:
                    self.assertIn(text, called.said.replace("\\'", "'"))
                self.assertEqual((called.zuul, self.sent()), ({}, []))
                self.assertNotIn(SECRET, called.said)

    def test_old_ones_go(self) -> None:
        names = [f'{number:032x}-{name}' for number in range(3) for name in ('one.raw', 'two.raw')]
        # the server's times have full seconds
        self.s3(*[call for name in (*names, 'mine.raw') for call in (
            ('put_object', {'Bucket': 'images', 'Key': name}), ('sleep', {'seconds': 1.1 if 'two' in name else 0}))])
        self.assert_went_well(self.publish('clean', keep=1, clean_after=3600))
        self.assertEqual(len(self.s3(('list_objects_v2', {'Bucket': 'images'}))['Contents']), 7)
        time.sleep(1)
        self.assert_went_well(self.publish('clean', keep=1, clean_after=0, clean_images=['one']))
        there = [one['Key'] for one in self.s3(('list_objects_v2', {'Bucket': 'images'}))['Contents']]
        self.assertEqual(there, sorted([*names[1::2], names[4], 'mine.raw']))


class JobTest(S3Server):
    """The playbooks of the jobs, with two stores."""

    def run_playbook(self, path: str, **job: Any) -> Called:
        args = {'bucket': 'images', 'aws_access_key': 'someone', 'aws_secret_key': SECRET, 'endpoint': self.endpoint}
        return self.play([{'import_playbook': str(ROOT / path)}], {
            'ansible_python_interpreter': '/usr/bin/python3', 'build_diskimage_image_name': 'one',
            'build_diskimage_image_root': str(self.work), 'build_diskimage_formats': ['raw'],
            'build_diskimage_images': {'raw': str(self.image)},
            'node_image_stores': {
                'first': {'kind': 's3', 'formats': ['raw', 'vmdk'], 'args': args},
                'second': {'kind': 's3', 'formats': ['qcow2'], 'args': {**args, 'bucket': 'others'}}}, **job})

    @unittest.skipUnless(shutil.which('qemu-img') and shutil.which('zstd'), 'qemu-img or zstd is not on this machine')
    def test_each_format_goes_to_its_store_and_all_go_again(self) -> None:
        called = self.run_playbook('playbooks/build-node-image/upload.yaml')
        self.assert_went_well(called)
        self.assertNotIn(SECRET, called.said)
        found = {one['metadata']['format']: (one['url'], one['metadata']) for one in called.zuul['artifacts']}
        self.assertEqual(['qcow2', 'raw', 'vmdk'], sorted(found))
        for kind, bucket in (('raw', 'images'), ('vmdk', 'images'), ('qcow2', 'others')):
            url, told = found[kind]
            self.assertEqual(f'{self.endpoint}/{bucket}/{BUILD["build"]}-one.{kind}.zst', url)
            image = subprocess.run(('zstd', '-dc'), input=self.get(url)[2], stdout=subprocess.PIPE, check=True).stdout
            self.assertEqual(hashlib.sha256(image).hexdigest(), told['sha256'])
        called = self.run_playbook('playbooks/clean-node-images/run.yaml', node_image_keep=0, node_image_clean_after=0)
        self.assert_went_well(called)
        self.assertEqual([404] * 3, [self.get(url)[0] for url, _ in found.values()])
        store = {'kind': 's3', 'formats': ['raw'], 'args': {}}
        called = self.run_playbook('playbooks/build-node-image/upload.yaml', node_image_stores={'a': store, 'b': store})
        self.assertIn("the formats of node_image_stores are ['raw', 'raw']", called.said)
        self.assertEqual({}, called.zuul)


class SwiftImageTest(ImageTest):
    role = 'upload-image-swift'

    def setUp(self) -> None:
        super().setUp()
        (self.top / 'swift').mkdir()
        self.real = self.enterContext(servers.swift(self.venv, self.top / 'swift'))
        root = self.real.removesuffix('/auth/v1.0')
        self.root = self.enterContext(servers.fickle(root, self.mood))

    def publish(self, tasks: str = 'main', key: str = servers.KEY, **other: Any) -> Called:
        return self.upload({'container': 'images', 'cloud_config': {
            'auth_type': 'v1password', 'object_store_endpoint_override': self.root + '/v1/AUTH_test',
            'auth': {'auth_url': self.real, 'username': servers.USER, 'password': key}}, **other}, tasks)

    def sent(self) -> list[str]:
        """Return the numbers of the parts that were sent, as often as they were."""
        return sorted(urllib.parse.urlsplit(path).path[-1]
                      for method, path in self.requests if method == 'PUT' and 'temp_url_sig' in path)

    def test_it_is_there_once_and_whole(self) -> None:
        self.moods['/000002?'] = [503, -0.1]
        called = self.publish(delete_after=90000)
        url = self.artifact(called)
        self.assertEqual(url, f'{self.root}/v1/AUTH_test/images/{NAME}')
        status, headers, seen = self.get(url)
        self.assertEqual((status, seen), (200, self.image.read_bytes()))
        self.assertAlmostEqual(int(headers['X-Delete-At']), time.time() + 90000, delta=600)
        self.assertEqual(self.sent(), ['1', '2', '2', '2', '3'])
        self.assertNotIn(servers.KEY, called.said)
        self.assertNotIn('temp_url_sig', called.said)
        self.assertEqual(self.artifact(self.publish()), url)
        self.assertEqual(self.sent(), [])

    def test_one_that_fails_leaves_nothing_and_a_wrong_password(self) -> None:
        self.moods['/000003?'] = [400]
        called = self.publish()
        self.assertTrue(called.failed)
        self.assertIn('upload-image-swift: the image is not in the store: the store says 400', called.said)
        deleted = [path for method, path in self.requests if method == 'DELETE']
        stored = {path.partition('?')[0] for method, path in self.requests if method == 'PUT' and '/00000' in path}
        self.assertLessEqual(set(deleted), stored)
        for path in stored:
            self.assertEqual(self.get(self.root + path)[0], 404)
        called = self.publish(key='wRoNg-password')
        self.assertTrue(called.failed)
        self.assertIn('cannot log in with upload_image_swift_cloud_config', called.said)
        self.assertNotIn('wRoNg', called.said)

    def test_old_ones_go_with_their_parts(self) -> None:
        one = self.artifact(self.publish())
        self.artifact(self.publish(name='f' * 32 + '-one.raw'))
        parts = {path.partition('?')[0] for method, path in self.requests if method == 'PUT' and '/00000' in path}
        self.assertEqual(len(parts), 3)
        time.sleep(1)
        self.assert_went_well(self.publish('clean', keep=1, clean_after=0))
        self.assertEqual(self.get(one)[0], 404)
        self.assertEqual(self.get(one.replace(NAME, 'f' * 32 + '-one.raw'))[2], self.image.read_bytes())
        self.assert_went_well(self.publish('clean', keep=0, clean_after=0))
        for path in parts:
            self.assertEqual(self.get(self.root + path)[0], 404)
