# SPDX-License-Identifier: Apache-2.0
"""Logs in a container of Azure's Blob Storage."""
from __future__ import annotations

import re
from typing import Any, Callable, Dict, List

from ansible.module_utils.upload_logs_body import Body
from ansible.module_utils.upload_logs_engine import Denied, Missing, Plan, Refused, Store, Trouble
from ansible.module_utils.upload_logs_store import CONNECT, READ, Place, missing, problems_of_url, vendor

ARGS: Dict[str, Any] = {
    'zuul_log_connection_string': '', 'zuul_log_container': '', 'zuul_log_container_public': True,
    'zuul_log_partition': False, 'zuul_log_create_indexes': True, 'upload_logs_azure_url': '',
}
BETWEEN = '-'


def secrets(args: Dict[str, Any]) -> List[Any]:
    """Return what no log may show."""
    return [args['zuul_log_connection_string'],
            *re.findall('(?:AccountKey|SharedAccessSignature)=([^;]+)', args['zuul_log_connection_string'])]


def container(args: Dict[str, Any]) -> str:
    return str(args['zuul_log_container'])


def problems(args: Dict[str, Any]) -> List[str]:
    """Return what makes no sense."""
    return missing(args, ('zuul_log_connection_string', 'zuul_log_container')) + problems_of_url(
        'upload_logs_azure_url', args['upload_logs_azure_url'])


class Azure(Store):
    """A container. Names that end with a slash are asking for trouble there, says its documentation."""

    folder_pages = False

    def __init__(self, args: Dict[str, Any], where: Place, plan: Plan) -> None:
        self._args, self._where = args, where
        self._blob = vendor('upload-logs-azure', 'azure.storage.blob', 'azure-storage-blob')
        self._errors = vendor('upload-logs-azure', 'azure.core.exceptions', 'azure-storage-blob')
        self._container: Any = None

    def start(self) -> None:
        try:
            service = self._blob.BlobServiceClient.from_connection_string(
                self._args['zuul_log_connection_string'], retry_total=0, connection_timeout=CONNECT, read_timeout=READ)
        except ValueError as error:
            raise Refused('zuul_log_connection_string is none: %s' % error) from error
        self._container = service.get_container_client(self._where.container)
        self.base = self._where.url(self._args['upload_logs_azure_url'] or self._container.url.partition('?')[0])
        try:
            self._ask(self._container.get_container_properties)
        except Missing:
            self._make()
        except Denied:
            pass        # who may only write may not ask; the first file will tell

    def there(self) -> Dict[str, str]:
        start = self._where.key('')
        try:
            return self._ask(lambda: {
                blob.name[len(start):]: bytes(blob.content_settings.content_md5 or b'').hex()
                for blob in self._container.list_blobs(name_starts_with=start)})
        except Denied:
            return {}

    def put(self, path: str, body: Body) -> None:
        settings = self._blob.ContentSettings(
            content_type=body.headers.content_type, content_encoding=body.headers.encoding or None,
            content_md5=bytearray.fromhex(body.md5))
        self._ask(lambda: self._container.upload_blob(
            self._where.key(path), body.stream, length=body.size, overwrite=True, content_settings=settings))

    def _make(self) -> None:
        try:
            self._ask(lambda: self._container.create_container(
                public_access='blob' if self._args['zuul_log_container_public'] else None))
        except Denied as error:
            if 'ContainerAlreadyExists' not in str(error):      # another build was quicker
                raise Refused("the container '%s' is not there and could not be made: %s"
                              % (self._where.container, error)) from error

    def _ask(self, what: Callable[[], Any]) -> Any:
        """Return what the server says.

        :raises Missing: what is asked for is not there.
        :raises Denied: it refuses.
        :raises Trouble: it may work the next time.
        """
        try:
            return what()
        except self._errors.HttpResponseError as error:
            code = error.status_code or 0
            said = ' '.join(str(error.message).split())[:300]
            if code == 404:
                raise Missing(said) from error
            if code in (408, 429) or (code >= 500 and code != 507):
                raise Trouble(said) from error
            raise Denied(said) from error
        except (self._errors.ServiceRequestError, self._errors.ServiceResponseError) as error:
            raise Trouble('the server cannot be reached: %s' % error) from error
