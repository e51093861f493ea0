"""The roles upload-image-s3 and -swift, with boto3 and moto's server, and with openstacksdk and OpenStack Swift."""
from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from tests.publish import servers
from tests.publish.support import BUILD, Called, PublishTest

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


class S3ImageTest(ImageTest):
    role = 'upload-image-s3'

    def setUp(self) -> None:
        super().setUp()
        real = self.enterContext(servers.s3(self.venv, self.top))
        self.endpoint = self.enterContext(servers.fickle(real, self.mood))
        self.s3('create_bucket', Bucket='images')
        self.s3('put_bucket_acl', Bucket='images', ACL='public-read')

    def s3(self, what: str, **more: Any) -> Any:
        """Ask the server as its owner would."""
        script = ('import boto3, json, sys\n'
                  'client = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1",'
                  ' aws_access_key_id="a", aws_secret_access_key="b")\n'
                  'said = getattr(client, sys.argv[2])(**json.loads(sys.argv[3]))\n'
                  'print(json.dumps(said, default=str))')
        done = subprocess.run((self.venv / 'bin/python', '-c', script, self.endpoint, what, json.dumps(more)),
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
        [rule] = self.s3('get_bucket_lifecycle_configuration', Bucket='images')['Rules']
        self.assertEqual((rule['Expiration']['Days'], rule['Filter']['Tag']),
                         (2, {'Key': 'zuul-image-days', 'Value': '2'}))
        self.assertEqual(self.s3('get_object_tagging', Bucket='images', Key=NAME)['TagSet'], [rule['Filter']['Tag']])
        called = self.publish(export_s3_url=True)
        self.assertEqual(self.artifact(called), f's3://images/{NAME}')
        self.assertEqual(self.sent(), [])

    def test_one_that_fails_leaves_nothing(self) -> None:
        self.moods['partNumber=3'] = [400]
        called = self.publish()
        self.assertTrue(called.failed)
        self.assertEqual(called.zuul, {})
        self.assertIn('upload-image-s3: the image is not in the store: the store says 400', called.said)
        self.assertNotIn('Uploads', self.s3('list_multipart_uploads', Bucket='images'))
        self.assertNotIn('Contents', self.s3('list_objects_v2', Bucket='images'))

    def test_one_that_was_stopped_goes_on_and_is_packed(self) -> None:
        first = self.image.read_bytes()[:PART]
        upload = self.s3('create_multipart_upload', Bucket='images', Key=NAME)['UploadId']
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
                ({'bucket': '', 'aws_secret_key': '', 'endpoint': 'example.org'}, (
                    '3 problems', 'upload_image_s3_bucket is empty', 'upload_image_s3_aws_secret_key is empty',
                    "upload_image_s3_endpoint is 'example.org': it must be an http(s) URL")),
                ({'name': '../one.raw'}, ("the name in the store is '../one.raw'",)),
                ({'part_size': 1 << 20}, ('less than 5 MiB',)),
                ({'bucket': 'none'}, ("the bucket 'none' is not there",)),
                ({'filename': str(self.work / 'link')}, ('cannot be read',))):
            with self.subTest(told=told):
                if 'filename' in more:
                    (self.work / 'link').symlink_to(self.image)
                called = self.publish(**more)
                self.assertTrue(called.failed)
                for text in told:
                    self.assertIn(text, called.said.replace("\\'", "'"))
                self.assertEqual((called.zuul, self.sent()), ({}, []))
                self.assertNotIn(SECRET, called.said)

    def test_old_ones_go(self) -> None:
        names = [f'{number:032x}-{name}' for number in range(3) for name in ('one.raw', 'two.raw')]
        for name in (*names, 'mine.raw'):
            self.s3('put_object', Bucket='images', Key=name)
            if name.endswith('two.raw'):
                time.sleep(1.1)     # the server's times have full seconds
        self.s3('create_multipart_upload', Bucket='images', Key=names[0])
        self.assert_went_well(self.publish('clean', keep=1, clean_after=3600))
        self.assertEqual(len(self.s3('list_objects_v2', Bucket='images')['Contents']), 7)
        time.sleep(1)
        self.assert_went_well(self.publish('clean', keep=1, clean_after=0, clean_images=['one']))
        there = [one['Key'] for one in self.s3('list_objects_v2', Bucket='images')['Contents']]
        self.assertEqual(there, sorted([*names[1::2], names[4], 'mine.raw']))


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
