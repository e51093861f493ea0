#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Begin, finish or give up the upload of an image, or delete old images, in an object store."""
from __future__ import annotations

DOCUMENTATION = r'''
module: upload_image_store
short_description: Let a node store an image
description:
  - Runs on the executor, which has the keys. Begins an upload, and returns URLs with which the parts may be stored
    for a while; makes the parts one object when they are all there; or deletes what is there of them.
  - It does not fail. What went wrong is in the result, with stars in the place of secrets, so that the task
    can have C(no_log) and its reader the reason.
options:
  action: {description: What to do; C(begin)\, C(finish)\, C(abort) or C(clean)., type: str, required: true}
  kind: {description: Kind of store., type: str, required: true}
  args: {description: Parameters of the role of that kind\, without its name., type: raw, required: true}
  name: {description: Name of the object., type: str, default: ''}
  image: {description: What the node says of its file., type: raw}
  upload: {description: What C(begin) called the upload., type: str, default: ''}
  timeout: {description: Seconds that URLs are good for., type: int, default: 86400}
  images: {description: Names of images to clean; none for all., type: list, elements: str, default: []}
  keep: {description: Builds of each image that stay., type: int, default: 2}
  age: {description: Seconds that everything stays., type: int, default: 604800}
attributes:
  check_mode: {support: none}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Begin
  upload_image_store:
    action: begin
    kind: s3
    args: {bucket: images, aws_access_key: someone, aws_secret_key: something}
    name: debian.qcow2
    image: "{{ described }}"
  no_log: true
'''
RETURN = r'''
refused: {description: Why it could not be done; C('') when it was., type: str, returned: always}
there: {description: Whether the object is there already., type: bool, returned: begin}
upload: {description: Name of the upload., type: str, returned: begin}
parts: {description: What is to be sent and where., type: list, elements: dict, returned: begin}
url: {description: URL of the object., type: str, returned: begin}
deleted: {description: Names of objects., type: list, elements: str, returned: clean}
abandoned: {description: How many uploads that nobody finished were deleted., type: int, returned: clean}
'''

import time
from typing import Any, Dict, List

from ansible.module_utils import upload_image_s3, upload_image_swift
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.upload_image_protocol import Refused, covered, image_of, problems_of_name, superfluous

#: kind -> (what it needs, what it is)
STORES: Dict[str, Any] = {'s3': (upload_image_s3, upload_image_s3.S3),
                          'swift': (upload_image_swift, upload_image_swift.Swift)}
#: seconds after which an upload that nobody finished is nobody's
ABANDONED = 2 * 86400


def read(params: Dict[str, Any]) -> Dict[str, Any]:
    """Return the parameters of the store.

    :raises Refused: something makes no sense; the message has all that does not.
    """
    kind, _ = STORES[params['kind']]
    args = dict(kind.ARGS)
    found: List[str] = []
    for name, value in params['args'].items():
        like = args[name]
        if isinstance(like, dict) != isinstance(value, dict) or isinstance(value, list):
            found.append('upload_image_%s_%s is no %s'
                         % (params['kind'], name, 'mapping' if isinstance(like, dict) else 'text'))
        elif isinstance(like, bool):
            args[name] = str(value).lower() in ('true', 'yes', '1', 'on')
        elif isinstance(like, int):
            if isinstance(value, bool) or not str(value).isdigit():
                found.append('upload_image_%s_%s is %r: it must be a whole number, 0 or more'
                             % (params['kind'], name, value))
            else:
                args[name] = int(value)
        else:
            args[name] = value if isinstance(like, dict) else str(value)
    if not found:
        found += kind.problems(args)
    if params['action'] == 'clean':
        found += ['upload_image_%s_%s is %d: it must be 0 or more' % (params['kind'], name, params[key])
                  for name, key in (('keep', 'keep'), ('clean_after', 'age')) if params[key] < 0]
    else:
        found += problems_of_name(params['name'])
    if params['timeout'] < 1:
        found.append('upload_image_%s_timeout is %d: it must be at least 1' % (params['kind'], params['timeout']))
    if found:
        raise Refused('%d problem%s:\n%s' % (len(found), 's' if len(found) > 1 else '',
                                             '\n'.join('  - ' + line for line in found)))
    return args


def do(params: Dict[str, Any]) -> Dict[str, Any]:
    """Do what is asked, and return the task's result."""
    secrets: List[Any] = []
    result: Dict[str, Any] = {'changed': False, 'refused': '', 'there': False, 'upload': '', 'parts': [], 'url': '',
                              'deleted': [], 'abandoned': 0}
    try:
        args = read(params)
        kind, make = STORES[params['kind']]
        secrets = kind.secrets(args)
        store = make(args)
        if params['action'] == 'clean':
            now = time.time()
            result['deleted'] = superfluous(list(store.listing()), params['images'], params['keep'], params['age'], now)
            for name in result['deleted']:
                store.delete(name)
            result['abandoned'] = store.tidy(now - ABANDONED)
            result['changed'] = bool(result['deleted'] or result['abandoned'])
            return result
        image = image_of(params['name'], params['image'])
        result['url'] = store.url(image.name)
        if params['action'] == 'begin':
            result.update(store.begin(image, params['timeout']))
        elif params['action'] == 'finish':
            store.finish(image, params['upload'])
            result['changed'] = True
        else:
            store.abort(image, params['upload'])
    except Refused as error:
        result['refused'] = covered(str(error), secrets)
    except Exception as error:      # a vendor's library may raise anything
        result['refused'] = covered('%s: %s' % (type(error).__name__, error), secrets)
    return result


def main() -> None:
    """Run as a module."""
    text, number = {'type': 'str', 'default': ''}, 'int'
    module = AnsibleModule(argument_spec={
        'action': {'type': 'str', 'required': True, 'choices': ['begin', 'finish', 'abort', 'clean']},
        'kind': {'type': 'str', 'required': True, 'choices': sorted(STORES)},
        'args': {'type': 'raw', 'required': True}, 'name': text, 'image': {'type': 'raw'}, 'upload': text,
        'timeout': {'type': number, 'default': 86400}, 'keep': {'type': number, 'default': 2},
        'age': {'type': number, 'default': 604800}, 'images': {'type': 'list', 'elements': 'str', 'default': []}})
    module.exit_json(**do(module.params))


if __name__ == '__main__':
    main()
