# SPDX-License-Identifier: Apache-2.0
"""Images in a container of OpenStack Swift: parts in a second one, and a manifest that makes them one object."""
from __future__ import annotations

import calendar
import functools
import hashlib
import hmac
import json
import time
import urllib.parse
import uuid
from typing import Any, Dict, Iterator, List, Optional, Tuple

from ansible.module_utils.upload_image_protocol import (
    CONNECT,
    READ,
    Image,
    Missing,
    Refused,
    Stored,
    Trouble,
    persistently,
    vendor,
)

ARGS: Dict[str, Any] = {'cloud_config': {}, 'container': '', 'delete_after': 0}
_SERVICE = 'object-store'
_KEY = 'X-Container-Meta-Temp-Url-Key'
_READ = {'X-Container-Read': '.r:*'}
_SECRET = ('passcode', 'password', 'secret', 'token')
_SEGMENTS = '_segments'


def secrets(args: Dict[str, Any]) -> List[Any]:
    """Return what no log may show."""
    return list(_secrets(args['cloud_config']))


def _secrets(config: Dict[str, Any]) -> Iterator[Any]:
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _secrets(value)
        elif value and any(word in str(name) for word in _SECRET):
            yield value


def problems(args: Dict[str, Any]) -> List[str]:
    """Return what makes no sense."""
    found = ['upload_image_swift_%s is empty: it is required' % name
             for name in ('cloud_config', 'container') if not args[name]]
    if '/' in args['container'] or not args['container'].isprintable():
        found.append("upload_image_swift_container is '%s': it must have no '/'" % args['container'])
    return found


def signed(key: str, path: str, expires: int) -> str:
    """Return the query of a URL with which one may write *path* until *expires*."""
    text = 'PUT\n%d\n%s' % (expires, path)
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return urllib.parse.urlencode({'temp_url_sig': digest, 'temp_url_expires': expires})


class Swift:
    """A container."""

    def __init__(self, args: Dict[str, Any]) -> None:
        config = vendor('upload-image-swift', 'openstack.config', 'openstacksdk')
        adapter = vendor('upload-image-swift', 'keystoneauth1.adapter', 'openstacksdk')
        self._errors = vendor('upload-image-swift', 'keystoneauth1.exceptions', 'openstacksdk')
        self._requests = vendor('upload-image-swift', 'requests.exceptions', 'openstacksdk')
        self._args, self._container = args, args['container']
        self._segments = self._container + _SEGMENTS
        try:
            cloud = config.OpenStackConfig(load_yaml_config=False, load_envvars=False).get_one(**args['cloud_config'])
            self._server = adapter.Adapter(
                cloud.get_session(), service_type=_SERVICE, interface=cloud.get_interface(_SERVICE),
                region_name=cloud.get_region_name(_SERVICE), endpoint_override=cloud.get_endpoint(_SERVICE))
            self._server.get_token()
            self._base = (self._server.get_endpoint() or '').rstrip('/')
        except Exception as error:      # whatever the plugin for logging in raises
            raise Refused('cannot log in with upload_image_swift_cloud_config: %s: %s'
                          % (type(error).__name__, error)) from error
        if not self._base:
            raise Refused('the cloud of upload_image_swift_cloud_config has no object store')

    def begin(self, image: Image, expires: int) -> Dict[str, Any]:
        """Return how the parts are sent that are not there yet; ``there`` when the whole is.

        :raises Refused: it cannot be stored.
        """
        for container in (self._container, self._segments):
            self._have(container)
        try:
            seen = self._ask('HEAD', _path(self._container, image.name)).headers
            if seen.get('X-Object-Meta-Sha256') == image.sha256 and int(seen['Content-Length']) == image.size:
                return {'there': True, 'upload': '', 'parts': []}
        except Missing:
            pass
        there = self._there(image)
        key, end = self._key(), int(time.time()) + expires
        root = urllib.parse.urlsplit(self._base)
        headers = {'X-Delete-After': str(self._args['delete_after'])} if self._args['delete_after'] else {}
        parts = []
        offset = 0
        for part in image.parts:
            name = _segment(image, part.number)
            if there.get(name) != (part.size, part.md5):
                path = '%s/%s/%s' % (root.path, self._segments, name)
                parts.append({
                    'offset': offset, 'size': part.size, 'headers': {'ETag': part.md5, **headers},
                    'url': '%s%s?%s' % (self._base, _path(self._segments, name), signed(key, path, end))})
            offset += part.size
        return {'there': False, 'upload': image.sha256, 'parts': parts}

    def _have(self, container: str) -> None:
        try:
            self._ask('HEAD', _path(container))
        except Missing:
            self._ask('PUT', _path(container), headers=_READ)

    def _key(self) -> str:
        """Return the key for URLs of the container with the parts; one is made where there is none."""
        for _ in range(2):
            seen: Optional[str] = self._ask('HEAD', _path(self._segments)).headers.get(_KEY)
            if seen:
                return seen
            # Another build may do so, too: the second look shows whose counts.
            self._ask('POST', _path(self._segments), headers={_KEY: uuid.uuid4().hex + uuid.uuid4().hex})
        return str(self._ask('HEAD', _path(self._segments)).headers[_KEY])

    def _there(self, image: Image) -> Dict[str, Tuple[int, str]]:
        return {one['name']: (one['bytes'], one['hash'])
                for one in self._list(self._segments, '%s/%s/' % (image.name, image.sha256))}

    def finish(self, image: Image, upload: str) -> None:
        """Make the parts one object.

        :raises Refused: they are not what they should be.
        """
        there = self._there(image)
        wrong = [part for part in image.parts if there.get(_segment(image, part.number)) != (part.size, part.md5)]
        if wrong:
            raise Refused('%d of %d parts are not in the store as they should be' % (len(wrong), len(image.parts)))
        manifest = [{'path': '/%s/%s' % (self._segments, _segment(image, part.number)), 'etag': part.md5,
                     'size_bytes': part.size} for part in image.parts]
        headers = {'X-Object-Meta-Sha256': image.sha256, 'Content-Type': 'application/octet-stream'}
        if self._args['delete_after']:
            headers['X-Delete-After'] = str(self._args['delete_after'])
        self._ask('PUT', _path(self._container, image.name), params={'multipart-manifest': 'put'}, headers=headers,
                  data=json.dumps(manifest).encode())

    def abort(self, image: Image, upload: str) -> None:
        """Leave nothing of an upload."""
        for name in self._there(image):
            self._gone(self._segments, name)

    def url(self, name: str) -> str:
        """Return where the object is fetched."""
        return self._base + _path(self._container, name)

    def listing(self) -> Iterator[Stored]:
        """Yield all objects."""
        for one in self._list(self._container, ''):
            yield Stored(one['name'], _when(one))

    def delete(self, name: str) -> None:
        """Delete an object and its parts."""
        self._gone(self._container, name)
        for one in list(self._list(self._segments, name + '/')):
            self._gone(self._segments, one['name'])

    def tidy(self, before: float) -> int:
        """Delete parts of objects that are not there, stored *before* this time; return how many."""
        try:
            whole = {one.name for one in self.listing()}
            lost = [one['name'] for one in self._list(self._segments, '')
                    if one['name'].partition('/')[0] not in whole and _when(one) < before]
        except Missing:
            return 0
        for name in lost:
            self._gone(self._segments, name)
        return len(lost)

    def _gone(self, container: str, name: str) -> None:
        try:
            self._ask('DELETE', _path(container, name))
        except Missing:
            pass

    def _list(self, container: str, prefix: str) -> Iterator[Dict[str, Any]]:
        last = ''
        while True:
            said = self._ask('GET', _path(container), params={'format': 'json', 'prefix': prefix, 'marker': last})
            some = said.json() if said.status_code == 200 else []
            if not some:
                return
            yield from some
            last = some[-1]['name']

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        """Return what the server says, who is asked again when that may help.

        :raises Missing: what is asked for is not there.
        :raises Refused: it refuses.
        """
        return persistently(functools.partial(self._once, method, path, more))

    def _once(self, method: str, path: str, more: Dict[str, Any]) -> Any:
        try:
            said = self._server.request(path, method, raise_exc=False, timeout=(CONNECT, READ), **more)
        except (self._errors.ConnectionError, self._requests.RequestException) as error:
            raise Trouble('the server cannot be reached: %s' % error) from error
        except self._errors.ClientException as error:
            raise Refused(str(error)) from error
        code = said.status_code
        if code < 300:
            return said
        why = 'the server says %d %s' % (code, said.reason)
        if code == 404:
            raise Missing(why)
        if code in (401, 408, 422, 429, 498) or (code >= 500 and code not in (501, 507)):
            raise Trouble(why)
        raise Refused(why)


def _path(container: str, name: str = '') -> str:
    return '/' + urllib.parse.quote(container, safe='') + ('/' + urllib.parse.quote(name) if name else '')


def _segment(image: Image, number: int) -> str:
    return '%s/%s/%06d' % (image.name, image.sha256, number)


def _when(one: Dict[str, Any]) -> float:
    return calendar.timegm(time.strptime(one['last_modified'][:19], '%Y-%m-%dT%H:%M:%S'))
