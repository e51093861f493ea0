# SPDX-License-Identifier: Apache-2.0
"""Images in a bucket of S3, or of what speaks its language."""
from __future__ import annotations

import base64
import functools
import urllib.parse
from typing import Any, Callable, Dict, Iterator, List, Tuple

from ansible.module_utils.upload_image_protocol import (
    CONNECT,
    READ,
    Image,
    Missing,
    Refused,
    Stored,
    Trouble,
    persistently,
    problems_of_url,
    vendor,
)

ARGS: Dict[str, Any] = {'bucket': '', 'aws_access_key': '', 'aws_secret_key': '', 'endpoint': '', 'region': '',
                        'delete_after': 0, 'export_s3_url': False}
#: S3 takes no smaller one, but for the last
LEAST_PART = 5 << 20
_DAY = 86400
_TAG = 'zuul-image-days'


def secrets(args: Dict[str, Any]) -> List[Any]:
    """Return what no log may show."""
    return [args['aws_secret_key']]


def problems(args: Dict[str, Any]) -> List[str]:
    """Return what makes no sense."""
    found = ['upload_image_s3_%s is empty: it is required' % name
             for name in ('bucket', 'aws_access_key', 'aws_secret_key') if not args[name]]
    return found + problems_of_url('upload_image_s3_endpoint', args['endpoint'])


class S3:
    """A bucket."""

    def __init__(self, args: Dict[str, Any]) -> None:
        boto3 = vendor('upload-image-s3', 'boto3', 'boto3')
        config = vendor('upload-image-s3', 'botocore.config', 'boto3').Config
        self._errors = vendor('upload-image-s3', 'botocore.exceptions', 'boto3')
        self._args, self._bucket = args, args['bucket']
        settings = {'connect_timeout': CONNECT, 'read_timeout': READ, 'retries': {'total_max_attempts': 1},
                    'signature_version': 's3v4'}
        if args['endpoint']:
            settings['s3'] = {'addressing_style': 'path'}
        try:        # other makers' servers do not know what newer libraries send by themselves
            configured = config(request_checksum_calculation='when_required',
                                response_checksum_validation='when_required', **settings)
        except TypeError:
            configured = config(**settings)
        self._client = boto3.session.Session(
            aws_access_key_id=args['aws_access_key'], aws_secret_access_key=args['aws_secret_key'],
            region_name=args['region'] or 'us-east-1').client(
                's3', endpoint_url=args['endpoint'] or None, config=configured)

    def begin(self, image: Image, expires: int) -> Dict[str, Any]:
        """Return how the parts are sent that are not there yet; ``there`` when the whole is.

        :raises Refused: it cannot be stored.
        """
        if any(part.size < LEAST_PART for part in image.parts[:-1]):
            raise Refused('a part has less than 5 MiB, which S3 takes as the last one only: let '
                          'upload_image_s3_part_size be at least %d' % LEAST_PART)
        try:
            seen = self._ask('head_object', Key=image.name)
            if seen.get('Metadata', {}).get('sha256') == image.sha256 and seen['ContentLength'] == image.size:
                return {'there': True, 'upload': '', 'parts': []}
        except Missing:
            pass
        more: Dict[str, Any] = {'Metadata': {'sha256': image.sha256}, 'ContentType': 'application/octet-stream'}
        if self._args['delete_after']:
            more['Tagging'] = '%s=%d' % (_TAG, self._rule())
        upload, there = self._unfinished(image.name)
        if there and not any(self._same(there, part) for part in image.parts):
            self.abort(image, upload)
            upload = ''
        if not upload:
            upload, there = self._ask('create_multipart_upload', Key=image.name, **more)['UploadId'], {}
        parts = []
        offset = 0
        for part in image.parts:
            if not self._same(there, part):
                md5 = base64.b64encode(bytes.fromhex(part.md5)).decode()
                url = self._client.generate_presigned_url('upload_part', ExpiresIn=expires, Params={
                    'Bucket': self._bucket, 'Key': image.name, 'UploadId': upload, 'PartNumber': part.number,
                    'ContentMD5': md5})
                parts.append({'offset': offset, 'size': part.size, 'url': url, 'headers': {'Content-MD5': md5}})
            offset += part.size
        return {'there': False, 'upload': upload, 'parts': parts}

    @staticmethod
    def _same(there: Dict[int, Tuple[int, str]], part: Any) -> bool:
        return there.get(part.number) == (part.size, part.md5)

    def _unfinished(self, name: str) -> Tuple[str, Dict[int, Tuple[int, str]]]:
        """Return the upload of a run that was stopped, and its parts."""
        for one in self._uploads(Prefix=name):
            if one['Key'] == name:
                parts = self._parts(name, one['UploadId'])
                return one['UploadId'], {number: (size, tag) for number, size, tag in parts}
        return '', {}

    def _uploads(self, **more: str) -> Iterator[Dict[str, Any]]:
        while True:
            said = self._ask('list_multipart_uploads', **more)
            yield from said.get('Uploads', ())
            if not said.get('IsTruncated'):
                return
            more = {**more, 'KeyMarker': said['NextKeyMarker'], 'UploadIdMarker': said['NextUploadIdMarker']}

    def _parts(self, name: str, upload: str) -> Iterator[Tuple[int, int, str]]:
        more: Dict[str, Any] = {}
        while True:
            said = self._ask('list_parts', Key=name, UploadId=upload, **more)
            for one in said.get('Parts', ()):
                yield one['PartNumber'], one['Size'], one['ETag'].strip('"')
            if not said.get('IsTruncated'):
                return
            more = {'PartNumberMarker': said['NextPartNumberMarker']}

    def finish(self, image: Image, upload: str) -> None:
        """Make the parts one object.

        :raises Refused: they are not what they should be.
        """
        # What the node sent is what the URLs were signed for; what it says does not count.
        there = {number: (size, tag) for number, size, tag in self._parts(image.name, upload)}
        if {number: size for number, (size, _) in there.items()} != {part.number: part.size for part in image.parts}:
            raise Refused('the store has %d parts, and not the %d of the image' % (len(there), len(image.parts)))
        self._ask('complete_multipart_upload', Key=image.name, UploadId=upload, MultipartUpload={
            'Parts': [{'PartNumber': number, 'ETag': '"%s"' % there[number][1]} for number in sorted(there)]})
        size = self._ask('head_object', Key=image.name)['ContentLength']
        if size != image.size:
            self.delete(image.name)
            raise Refused('the store has %d bytes of %d' % (size, image.size))

    def abort(self, image: Image, upload: str) -> None:
        """Leave nothing of an upload."""
        try:
            self._ask('abort_multipart_upload', Key=image.name, UploadId=upload)
        except Missing:
            pass

    def url(self, name: str) -> str:
        """Return where the object is fetched."""
        if self._args['export_s3_url']:
            return 's3://%s/%s' % (self._bucket, name)
        if self._args['endpoint']:
            return '%s/%s/%s' % (self._args['endpoint'].rstrip('/'), self._bucket, name)
        region = self._client.meta.region_name
        host = 's3.amazonaws.com' if region == 'us-east-1' else 's3.%s.amazonaws.com' % region
        if '.' in self._bucket:     # no certificate fits such a host
            return 'https://%s/%s/%s' % (host, urllib.parse.quote(self._bucket), name)
        return 'https://%s.%s/%s' % (self._bucket, host, name)

    def listing(self) -> Iterator[Stored]:
        """Yield all objects."""
        more: Dict[str, str] = {}
        while True:
            said = self._ask('list_objects_v2', **more)
            for one in said.get('Contents', ()):
                yield Stored(one['Key'], one['LastModified'].timestamp())
            if not said.get('IsTruncated'):
                return
            more = {'ContinuationToken': said['NextContinuationToken']}

    def delete(self, name: str) -> None:
        """Delete an object."""
        self._ask('delete_object', Key=name)

    def tidy(self, before: float) -> int:
        """Delete uploads that nobody finished, begun *before* this time; return how many."""
        old = [one for one in self._uploads() if one['Initiated'].timestamp() < before]
        for one in old:
            self._ask('abort_multipart_upload', Key=one['Key'], UploadId=one['UploadId'])
        return len(old)

    def _rule(self) -> int:
        """Have a rule that lets objects with our tag go, and return its days."""
        days = max(1, -(-self._args['delete_after'] // _DAY))
        rules: List[Any] = []
        try:
            rules = self._ask('get_bucket_lifecycle_configuration').get('Rules', [])
        except Missing:
            pass
        name = 'zuul-images-%d' % days
        if not any(rule.get('ID') == name for rule in rules):
            rules.append({'ID': name, 'Status': 'Enabled', 'Expiration': {'Days': days},
                          'Filter': {'Tag': {'Key': _TAG, 'Value': str(days)}}})
            self._ask('put_bucket_lifecycle_configuration', LifecycleConfiguration={'Rules': rules})
        return days

    def _ask(self, what: str, **more: Any) -> Any:
        """Return what the server says, who is asked again when that may help.

        :raises Missing: what is asked for is not there.
        :raises Refused: it refuses.
        """
        call: Callable[..., Any] = getattr(self._client, what)
        return persistently(functools.partial(self._once, functools.partial(call, Bucket=self._bucket, **more)))

    def _once(self, what: Callable[[], Any]) -> Any:
        try:
            return what()
        except self._errors.ClientError as error:
            code = error.response.get('ResponseMetadata', {}).get('HTTPStatusCode', 0)
            why = error.response.get('Error', {}).get('Code')
            said = "%s ('%s')" % (error.response.get('Error', {}).get('Message') or error, why)
            if why == 'NoSuchBucket':
                raise Refused("the bucket '%s' is not there: make it, so that Zuul's launchers may read it"
                              % self._bucket) from error
            if code == 404:
                raise Missing(said) from error
            if code in (408, 429) or (code >= 500 and code not in (501, 507)):
                raise Trouble(said) from error
            raise Refused(said) from error
        except (self._errors.HTTPClientError, self._errors.ConnectionError) as error:
            raise Trouble('the server cannot be reached: %s' % error) from error
