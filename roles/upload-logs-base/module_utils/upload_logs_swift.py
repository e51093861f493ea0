# SPDX-License-Identifier: Apache-2.0
"""Logs in a container of OpenStack Swift."""
from __future__ import annotations

import urllib.parse
from typing import Any, Dict, List

from ansible.module_utils.upload_logs_body import Body
from ansible.module_utils.upload_logs_engine import Denied, Missing, Plan, Refused, Store, Trouble
from ansible.module_utils.upload_logs_store import CONNECT, READ, Place, missing, problems_of_url, size_problem, vendor

ARGS: Dict[str, Any] = {
    'zuul_log_cloud_config': {}, 'zuul_log_container': 'logs', 'zuul_log_container_public': True,
    'zuul_log_partition': False, 'zuul_log_create_indexes': True, 'zuul_log_delete_after': 15552000,
    'upload_logs_swift_url': '',
}
BETWEEN = '_'
_SERVICE = 'object-store'
_PUBLIC = {'X-Container-Read': '.r:*,.rlistings'}
_NEW = {'X-Container-Meta-Web-Index': 'index.html', 'X-Container-Meta-Access-Control-Allow-Origin': '*'}
_SECRET = ('passcode', 'password', 'secret', 'token')


def secrets(args: Dict[str, Any]) -> List[Any]:
    """Return what no log may show."""
    return _secrets(args['zuul_log_cloud_config'])


def _secrets(config: Dict[str, Any]) -> List[Any]:
    found: List[Any] = []
    for name, value in config.items():
        if isinstance(value, dict):
            found += _secrets(value)
        elif value and any(word in str(name) for word in _SECRET):
            found.append(value)
    return found


def container(args: Dict[str, Any]) -> str:
    return str(args['zuul_log_container'])


def problems(args: Dict[str, Any]) -> List[str]:
    """Return what makes no sense."""
    found = missing(args, ('zuul_log_cloud_config', 'zuul_log_container'))
    if '/' in args['zuul_log_container']:
        found.append("zuul_log_container is '%s': it must have no '/'" % args['zuul_log_container'])
    return found + problems_of_url('upload_logs_swift_url', args['upload_logs_swift_url'])


class Swift(Store):
    """A container."""

    def __init__(self, args: Dict[str, Any], where: Place, plan: Plan) -> None:
        self._args, self._where = args, where
        self._path = '/' + urllib.parse.quote(where.container, safe='')
        self._config = vendor('upload-logs-swift', 'openstack.config', 'openstacksdk')
        self._adapter = vendor('upload-logs-swift', 'keystoneauth1.adapter', 'openstacksdk')
        self._errors = vendor('upload-logs-swift', 'keystoneauth1.exceptions', 'openstacksdk')
        self._requests = vendor('upload-logs-swift', 'requests.exceptions', 'openstacksdk')
        self._server: Any = None

    def start(self) -> None:
        try:
            cloud = self._config.OpenStackConfig(load_yaml_config=False, load_envvars=False).get_one(
                **self._args['zuul_log_cloud_config'])
            self._server = self._adapter.Adapter(
                cloud.get_session(), service_type=_SERVICE, interface=cloud.get_interface(_SERVICE),
                region_name=cloud.get_region_name(_SERVICE), endpoint_override=cloud.get_endpoint(_SERVICE))
            endpoint = self._server.get_endpoint()
        except self._errors.RetriableConnectionFailure as error:
            raise Trouble('the cloud cannot be reached: %s' % error) from error
        except Exception as error:      # whatever the plugin for logging in raises
            raise Refused('cannot log in with zuul_log_cloud_config: %s: %s' % (type(error).__name__, error)) from error
        if not endpoint:
            raise Refused('the cloud of zuul_log_cloud_config has no object store')
        self.base = self._where.url(self._args['upload_logs_swift_url'] or endpoint.rstrip('/') + self._path)
        try:
            self._ask('HEAD', self._path)
        except Missing:
            try:
                self._ask('PUT', self._path, headers={
                    **_NEW, **(_PUBLIC if self._args['zuul_log_container_public'] else {})})
            except Denied as error:
                raise Refused("the container '%s' is not there and could not be made: %s"
                              % (self._where.container, error)) from error
        except Denied:
            pass        # who may only write may not ask; the first file will tell

    def there(self) -> Dict[str, str]:
        found: Dict[str, str] = {}
        start, last = self._where.key(''), ''
        try:
            while True:
                said = self._ask('GET', self._path, params={
                    'format': 'json', 'prefix': start, 'marker': last}).json()
                if not said:
                    return found
                for one in said:
                    found[one['name'][len(start):]] = one['hash']
                last = said[-1]['name']
        except Denied:
            return {}

    def put(self, path: str, body: Body) -> None:
        size_problem(body.size)
        headers = {'Content-Type': body.headers.content_type, 'ETag': body.md5, 'Content-Length': str(body.size)}
        if body.headers.encoding:
            headers['Content-Encoding'] = body.headers.encoding
        if self._args['zuul_log_delete_after']:
            headers['X-Delete-After'] = str(self._args['zuul_log_delete_after'])
        self._ask('PUT', self._path + '/' + urllib.parse.quote(self._where.key(path)), headers=headers,
                  data=body.stream if body.size else b'')

    def _ask(self, method: str, url: str, **more: Any) -> Any:
        """Return what the server says.

        :raises Missing: what is asked for is not there.
        :raises Denied: it refuses.
        :raises Trouble: it may work the next time.
        """
        try:
            said = self._server.request(url, method, raise_exc=False, timeout=(CONNECT, READ), **more)
        except (self._errors.ConnectionError, self._requests.RequestException) as error:
            raise Trouble('the server cannot be reached: %s' % error) from error
        except self._errors.ClientException as error:
            raise Denied(str(error)) from error
        code = said.status_code
        if code < 300:
            return said
        why = 'the server says %d %s' % (code, said.reason)
        if code == 404:
            raise Missing(why)
        # 422: what arrived was not what was sent
        if code in (401, 408, 422, 429, 498) or (code >= 500 and code not in (501, 507)):
            raise Trouble(why)
        raise Denied(why)
