# SPDX-License-Identifier: Apache-2.0
"""Logs in a bucket of IBM's Cloud Object Storage. It speaks S3, but for how one logs in and lets others read."""
from __future__ import annotations

from typing import Any, Dict, List

from ansible.module_utils.upload_logs_body import Body
from ansible.module_utils.upload_logs_engine import Denied, Plan, Refused
from ansible.module_utils.upload_logs_s3 import S3
from ansible.module_utils.upload_logs_store import CONNECT, READ, Place, missing, problems_of_url, vendor

ARGS: Dict[str, Any] = {
    'zuul_log_bucket': '', 'zuul_log_bucket_public': True, 'zuul_log_bucket_location': '', 'zuul_log_api_key': '',
    'zuul_log_instance_id': '', 'zuul_log_endpoint_url': '', 'zuul_log_partition': False,
    'zuul_log_create_indexes': True, 'upload_logs_ibm_auth_url': 'https://iam.cloud.ibm.com/identity/token',
    'upload_logs_ibm_url': '',
}
BETWEEN = '-'


def secrets(args: Dict[str, Any]) -> List[Any]:
    """Return what no log may show."""
    return [args['zuul_log_api_key']]


def container(args: Dict[str, Any]) -> str:
    return str(args['zuul_log_bucket'])


def problems(args: Dict[str, Any]) -> List[str]:
    """Return what makes no sense."""
    found = missing(args, ('zuul_log_bucket', 'zuul_log_bucket_location', 'zuul_log_api_key', 'zuul_log_instance_id',
                           'zuul_log_endpoint_url'))
    for name in ('zuul_log_endpoint_url', 'upload_logs_ibm_auth_url', 'upload_logs_ibm_url'):
        found += problems_of_url(name, args[name])
    return found


class Ibm(S3):
    """A bucket. Each object says itself who may read it."""

    role, library, package = 'upload-logs-ibm', 'ibm_boto3', 'ibm-cos-sdk'
    errors = 'ibm_botocore.exceptions'

    def __init__(self, args: Dict[str, Any], where: Place, plan: Plan) -> None:
        super().__init__(args, where, plan)
        self._more = {'ACL': 'public-read'} if args['zuul_log_bucket_public'] else {}

    def put(self, path: str, body: Body) -> None:
        self.send(path, body, self._more)

    def public(self) -> str:
        return str(self._args['upload_logs_ibm_url']) or '%s/%s' % (
            self._args['zuul_log_endpoint_url'].rstrip('/'), self._where.container)

    def connect(self) -> Any:
        args = self._args
        config = vendor(self.role, 'ibm_botocore.client', self.package).Config
        return self._boto3.session.Session().client(
            's3', ibm_api_key_id=args['zuul_log_api_key'], ibm_service_instance_id=args['zuul_log_instance_id'],
            ibm_auth_endpoint=args['upload_logs_ibm_auth_url'], endpoint_url=args['zuul_log_endpoint_url'],
            config=config(signature_version='oauth', connect_timeout=CONNECT, read_timeout=READ,
                          retries={'total_max_attempts': 1}, max_pool_connections=self._workers,
                          s3={'addressing_style': 'path'}))

    def make(self, bucket: str) -> None:
        rule = {'AllowedMethods': ['GET', 'HEAD'], 'AllowedOrigins': ['*'], 'AllowedHeaders': ['*']}
        where = {'LocationConstraint': self._args['zuul_log_bucket_location']}
        try:
            self.ask(lambda: self._client.create_bucket(Bucket=bucket, CreateBucketConfiguration=where))
            self.ask(lambda: self._client.put_bucket_cors(Bucket=bucket, CORSConfiguration={'CORSRules': [rule]}))
        except Denied as error:
            if 'BucketAlreadyOwnedByYou' not in str(error):     # another build was quicker
                raise Refused("the bucket '%s' is not there and could not be made: %s" % (bucket, error)) from error
