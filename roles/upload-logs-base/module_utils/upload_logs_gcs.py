# SPDX-License-Identifier: Apache-2.0
"""Logs in a bucket of Google Cloud Storage."""
from __future__ import annotations

import base64
import json
from typing import Any, Callable, Dict, List

from ansible.module_utils.upload_logs_body import Body
from ansible.module_utils.upload_logs_engine import Denied, Missing, Plan, Refused, Store, Trouble
from ansible.module_utils.upload_logs_store import CONNECT, READ, Place, missing, problems_of_url, vendor

ARGS: Dict[str, Any] = {
    'zuul_log_container': '', 'zuul_log_container_public': True, 'zuul_log_credentials_file': '',
    'zuul_log_project': '', 'zuul_log_partition': False, 'zuul_log_create_indexes': True,
    'upload_logs_gcs_endpoint': '', 'upload_logs_gcs_url': '',
}
BETWEEN = '_'
_TIMEOUT = (CONNECT, READ)
_READERS = {'role': 'roles/storage.objectViewer', 'members': ['allUsers']}
_CORS = {'method': ['GET', 'HEAD'], 'origin': ['*'], 'responseHeader': ['*']}


def secrets(args: Dict[str, Any]) -> List[Any]:
    """Return what no log may show: what is secret lies in a file."""
    return []


def container(args: Dict[str, Any]) -> str:
    return str(args['zuul_log_container'])


def problems(args: Dict[str, Any]) -> List[str]:
    """Return what makes no sense."""
    found = missing(args, ('zuul_log_container',))
    for name in ('upload_logs_gcs_endpoint', 'upload_logs_gcs_url'):
        found += problems_of_url(name, args[name])
    return found


class Gcs(Store):
    """A bucket."""

    def __init__(self, args: Dict[str, Any], where: Place, plan: Plan) -> None:
        self._args, self._where = args, where
        self._storage = vendor('upload-logs-gcs', 'google.cloud.storage', 'google-cloud-storage')
        self._auth = vendor('upload-logs-gcs', 'google.auth', 'google-cloud-storage')
        self._tokens = vendor('upload-logs-gcs', 'google.oauth2.credentials', 'google-cloud-storage')
        self._errors = vendor('upload-logs-gcs', 'google.api_core.exceptions', 'google-cloud-storage')
        self._requests = vendor('upload-logs-gcs', 'requests.exceptions', 'google-cloud-storage')
        host = args['upload_logs_gcs_endpoint'].rstrip('/') or 'https://storage.googleapis.com'
        self.base = where.url(args['upload_logs_gcs_url'] or '%s/%s' % (host, where.container))
        self._client: Any = None
        self._bucket: Any = None

    def start(self) -> None:
        endpoint = self._args['upload_logs_gcs_endpoint']
        try:
            self._client = self._storage.Client(
                project=self._args['zuul_log_project'] or None, credentials=self._credentials(),
                client_options={'api_endpoint': endpoint} if endpoint else None)
        except (OSError, ValueError, self._auth.exceptions.GoogleAuthError) as error:
            raise Refused('cannot log in: %s; zuul_log_credentials_file is %r' % (
                error, self._args['zuul_log_credentials_file'])) from error
        self._bucket = self._client.bucket(self._where.container)
        try:
            self._ask(lambda: self._bucket.reload(timeout=_TIMEOUT, retry=None))
        except Missing:
            self._make()
        except Denied:
            pass        # who may only write may not ask; the first file will tell

    def there(self) -> Dict[str, str]:
        start = self._where.key('')
        try:
            return self._ask(lambda: {
                blob.name[len(start):]: base64.b64decode(blob.md5_hash or '').hex()
                for blob in self._client.list_blobs(self._where.container, prefix=start, timeout=_TIMEOUT, retry=None)})
        except Denied:
            return {}

    def put(self, path: str, body: Body) -> None:
        blob = self._bucket.blob(self._where.key(path))
        blob.content_encoding = body.headers.encoding or None
        blob.md5_hash = base64.b64encode(bytes.fromhex(body.md5)).decode()
        self._ask(lambda: blob.upload_from_file(
            body.stream, size=body.size, content_type=body.headers.content_type, timeout=_TIMEOUT, retry=None,
            checksum=None))

    def _credentials(self) -> Any:
        """Return those of the file; None stands for what the machine itself may do."""
        path = self._args['zuul_log_credentials_file']
        if not path:
            return None
        with open(path, encoding='utf-8') as file:
            said = json.load(file)
        if 'access_token' in said:      # as gcp-authdaemon writes it
            return self._tokens.Credentials(said['access_token'])
        return self._auth.load_credentials_from_file(path)[0]

    def _make(self) -> None:
        try:
            self._bucket.cors = [_CORS]
            self._bucket.iam_configuration.uniform_bucket_level_access_enabled = True
            self._ask(lambda: self._client.create_bucket(self._bucket, timeout=_TIMEOUT, retry=None))
            if self._args['zuul_log_container_public']:
                policy = self._ask(lambda: self._bucket.get_iam_policy(
                    requested_policy_version=3, timeout=_TIMEOUT, retry=None))
                policy.bindings.append(_READERS)
                self._ask(lambda: self._bucket.set_iam_policy(policy, timeout=_TIMEOUT, retry=None))
        except Denied as error:
            raise Refused("the bucket '%s' is not there and could not be made: %s"
                          % (self._where.container, error)) from error

    def _ask(self, what: Callable[[], Any]) -> Any:
        """Return what the server says.

        :raises Missing: what is asked for is not there.
        :raises Denied: it refuses.
        :raises Trouble: it may work the next time.
        """
        try:
            return what()
        except self._errors.NotFound as error:
            raise Missing(str(error)) from error
        except (self._errors.TooManyRequests, self._errors.ServerError) as error:
            raise Trouble(str(error)) from error
        except self._errors.GoogleAPICallError as error:
            raise Denied(str(error)) from error
        except (self._requests.RequestException, self._auth.exceptions.TransportError) as error:
            raise Trouble('the server cannot be reached: %s' % error) from error
        except self._auth.exceptions.GoogleAuthError as error:
            raise Denied('the credentials are refused: %s' % error) from error
