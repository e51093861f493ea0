# SPDX-License-Identifier: Apache-2.0
"""Logs in a bucket of S3, or of what speaks its language."""
from __future__ import annotations

import base64
import functools
import json
from typing import Any, Callable, Dict, List

from ansible.module_utils.upload_logs_body import Body
from ansible.module_utils.upload_logs_engine import Denied, Missing, Plan, Refused, Store, Trouble
from ansible.module_utils.upload_logs_store import (
    CONNECT,
    READ,
    Place,
    missing,
    problems_of_url,
    size_problem,
    vendor,
)

ARGS: Dict[str, Any] = {
    'zuul_log_bucket': '', 'zuul_log_bucket_public': True, 'zuul_log_partition': False, 'zuul_log_create_indexes': True,
    'zuul_log_delete_after': 0, 'zuul_log_aws_access_key': '', 'zuul_log_aws_secret_key': '',
    'zuul_log_aws_oidc_token': '', 'zuul_log_aws_oidc_role_arn': '', 'zuul_log_aws_oidc_session_name': 'zuul',
    'zuul_log_aws_oidc_token_duration': 3600, 'upload_logs_s3_endpoint': '', 'upload_logs_s3_region': '',
    'upload_logs_s3_url': '',
}
BETWEEN = '-'
_DAY = 86400


def secrets(args: Dict[str, Any]) -> List[Any]:
    """Return what no log may show."""
    return [args['zuul_log_aws_secret_key'], args['zuul_log_aws_oidc_token']]


def container(args: Dict[str, Any]) -> str:
    return str(args['zuul_log_bucket'])


def problems(args: Dict[str, Any]) -> List[str]:
    """Return what makes no sense."""
    found = missing(args, ('zuul_log_bucket',))
    if bool(args['zuul_log_aws_access_key']) != bool(args['zuul_log_aws_secret_key']):
        found.append('of zuul_log_aws_access_key and zuul_log_aws_secret_key one is empty: give both, or none for what '
                     'the machine itself may do')
    if bool(args['zuul_log_aws_oidc_token']) != bool(args['zuul_log_aws_oidc_role_arn']):
        found.append('of zuul_log_aws_oidc_token and zuul_log_aws_oidc_role_arn one is empty: give both, or none')
    for name in ('upload_logs_s3_endpoint', 'upload_logs_s3_url'):
        found += problems_of_url(name, args[name])
    return found


class S3(Store):
    """A bucket."""

    role, library, package = 'upload-logs-s3', 'boto3', 'boto3'
    errors = 'botocore.exceptions'

    def __init__(self, args: Dict[str, Any], where: Place, plan: Plan) -> None:
        self._args, self._where, self._workers = args, where, plan.workers
        self.base = where.url(self.public())
        self._boto3 = vendor(self.role, self.library, self.package)
        self._errors = vendor(self.role, self.errors, self.package)
        self._client: Any = None

    def public(self) -> str:
        """Return the URL of the bucket."""
        args, bucket = self._args, self._where.container
        if args['upload_logs_s3_url']:
            return str(args['upload_logs_s3_url'])
        if args['upload_logs_s3_endpoint']:
            return '%s/%s' % (args['upload_logs_s3_endpoint'].rstrip('/'), bucket)
        if '.' in bucket:       # no certificate fits such a host
            return 'https://s3.amazonaws.com/' + bucket
        return 'https://%s.s3.amazonaws.com' % bucket

    def start(self) -> None:
        try:
            self._client = self.connect()
        except (ValueError, Denied) as error:
            raise Refused('cannot log in: %s' % error) from error
        bucket = self._where.container
        try:
            self.ask(lambda: self._client.head_bucket(Bucket=bucket))
        except Missing:
            self.make(bucket)
        except Denied:
            pass        # a key that may only write may not ask; the first file will tell

    def there(self) -> Dict[str, str]:
        found: Dict[str, str] = {}
        start = self._where.key('')
        token: Dict[str, str] = {}
        try:
            while True:
                said = self.ask(functools.partial(
                    self._client.list_objects_v2, Bucket=self._where.container, Prefix=start, **token))
                for one in said.get('Contents', ()):
                    found[one['Key'][len(start):]] = one['ETag'].strip('"')
                if not said.get('IsTruncated'):
                    return found
                token = {'ContinuationToken': said['NextContinuationToken']}
        except Denied:
            return {}

    def put(self, path: str, body: Body) -> None:
        self.send(path, body, {})

    def send(self, path: str, body: Body, more: Dict[str, str]) -> None:
        """Store what is sent for a file, with *more* to say about it."""
        size_problem(body.size)
        more = {**more, **({'ContentEncoding': body.headers.encoding} if body.headers.encoding else {})}
        self.ask(lambda: self._client.put_object(
            Bucket=self._where.container, Key=self._where.key(path), Body=body.stream, ContentLength=body.size,
            ContentMD5=base64.b64encode(bytes.fromhex(body.md5)).decode(),
            ContentType=body.headers.content_type, **more))

    def connect(self) -> Any:
        """Return a client that has logged in.

        :raises Denied: that is refused.
        :raises Trouble: it may work the next time.
        """
        args = self._args
        keys = {'aws_access_key_id': args['zuul_log_aws_access_key'] or None,
                'aws_secret_access_key': args['zuul_log_aws_secret_key'] or None}
        if args['zuul_log_aws_oidc_token']:
            nobody = vendor('upload-logs-s3', 'botocore', 'boto3').UNSIGNED
            said = self.ask(lambda: self._boto3.session.Session(region_name=self._region()).client(
                'sts', config=self._config(signature_version=nobody)).assume_role_with_web_identity(
                    RoleArn=args['zuul_log_aws_oidc_role_arn'], WebIdentityToken=args['zuul_log_aws_oidc_token'],
                    RoleSessionName=args['zuul_log_aws_oidc_session_name'],
                    DurationSeconds=args['zuul_log_aws_oidc_token_duration']))['Credentials']
            keys = {'aws_access_key_id': said['AccessKeyId'], 'aws_secret_access_key': said['SecretAccessKey'],
                    'aws_session_token': said['SessionToken']}
        return self._boto3.session.Session(region_name=self._region(), **keys).client(
            's3', endpoint_url=args['upload_logs_s3_endpoint'] or None, config=self._config())

    def _region(self) -> Any:
        if self._args['upload_logs_s3_region']:
            return self._args['upload_logs_s3_region']
        return self._boto3.session.Session().region_name or 'us-east-1'

    def _config(self, **more: Any) -> Any:
        config = vendor('upload-logs-s3', 'botocore.config', 'boto3').Config
        settings = {'connect_timeout': CONNECT, 'read_timeout': READ, 'retries': {'total_max_attempts': 1},
                    'max_pool_connections': self._workers, **more}
        if self._args['upload_logs_s3_endpoint']:
            settings['s3'] = {'addressing_style': 'path'}
            try:        # other makers' servers do not know what newer libraries send by themselves
                return config(request_checksum_calculation='when_required',
                              response_checksum_validation='when_required', **settings)
            except TypeError:
                pass
        return config(**settings)

    def make(self, bucket: str) -> None:
        """Make the bucket.

        :raises Refused: it cannot be made.
        """
        region = self._client.meta.region_name
        where = {} if region == 'us-east-1' else {'CreateBucketConfiguration': {'LocationConstraint': region}}
        try:
            self.ask(lambda: self._client.create_bucket(Bucket=bucket, **where))
            if self._args['zuul_log_bucket_public']:
                self._open(bucket)
            if self._args['zuul_log_delete_after']:
                days = max(1, -(-self._args['zuul_log_delete_after'] // _DAY))
                rule = {'ID': 'logs', 'Status': 'Enabled', 'Filter': {'Prefix': ''}, 'Expiration': {'Days': days}}
                self.ask(lambda: self._client.put_bucket_lifecycle_configuration(
                    Bucket=bucket, LifecycleConfiguration={'Rules': [rule]}))
        except Denied as error:
            if 'BucketAlreadyOwnedByYou' not in str(error):     # another build was quicker
                raise Refused("the bucket '%s' is not there and could not be made: %s" % (bucket, error)) from error

    def _open(self, bucket: str) -> None:
        """Let everybody read what is in a new bucket, and pages from elsewhere, too: those of Zuul do."""
        policy = {'Version': '2012-10-17', 'Statement': [{
            'Effect': 'Allow', 'Principal': '*', 'Action': 's3:GetObject', 'Resource': 'arn:aws:s3:::%s/*' % bucket}]}
        rule = {'AllowedMethods': ['GET', 'HEAD'], 'AllowedOrigins': ['*'], 'AllowedHeaders': ['*']}
        try:
            self.ask(lambda: self._client.delete_public_access_block(Bucket=bucket))
        except Denied:
            pass        # not every server has such a thing
        self.ask(lambda: self._client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy)))
        self.ask(lambda: self._client.put_bucket_cors(Bucket=bucket, CORSConfiguration={'CORSRules': [rule]}))

    def ask(self, what: Callable[[], Any]) -> Any:
        """Return what the server says.

        :raises Missing: what is asked for is not there.
        :raises Denied: it refuses.
        :raises Trouble: it may work the next time.
        """
        try:
            return what()
        except self._errors.ClientError as error:
            code = error.response.get('ResponseMetadata', {}).get('HTTPStatusCode', 0)
            said = '%s (%s)' % (error.response.get('Error', {}).get('Message') or error,
                                error.response.get('Error', {}).get('Code'))
            if code == 404:
                raise Missing(said) from error
            if code in (408, 429) or (code >= 500 and code not in (501, 507)):
                raise Trouble(said) from error
            raise Denied(said) from error
        except (self._errors.HTTPClientError, self._errors.ConnectionError) as error:
            raise Trouble('the server cannot be reached: %s' % error) from error
        except (self._errors.NoCredentialsError, self._errors.PartialCredentialsError) as error:
            raise Refused('there are no credentials: set zuul_log_aws_access_key and zuul_log_aws_secret_key (%s)'
                          % error) from error
